"""A node's own trouble: pauses of its process, deafness, isolation, and the clock that doesn't count these times.

Ages in a verdict count *awake* time, since a process that was paused, or heard nobody at all, could not have heard an
answer. One clock that stands still meanwhile shifts all ages at once.
"""

from collections.abc import Callable
from math import inf

import msgspec

from swim_core.counters import Counters

from .timers import Timers

__all__ = ["SEVERAL", "Limits", "LocalHealth"]

SEVERAL = 4  # live members, this node included: the simultaneous silence of fewer may well be their own
WARY = 30.0  # seconds after an unanswered probe in which packets may be getting lost
LONGEST_JUMP = 1e9  # seconds, 31 years: no clock jumps further, and floats would lose the fractions of a second


class Limits(msgspec.Struct, frozen=True):
    """The times after which a silence is this node's own trouble.

    Attributes:
        interval: T, seconds: if all is well, something is heard in every T.
        pause: by how many seconds a tick must be late to count as a pause of this process.
        isolation: S, seconds.
    """

    interval: float
    pause: float
    isolation: float


class LocalHealth:
    """Knows when this node is what fails, and not the others.

    Attributes:
        deaf: nothing heard for 2 T with four live members or more: ages stand still, no verdicts.
        isolated: deaf for S; an event says so.
        alone: deaf for 3 S: the application sees only this node.
        seen: the latest time seen.
        long_pause: seconds after which a pause may have made others declare this node dead, so that it is reported.
        last_pause: local clock at the end of the last pause; -inf before the first.
        late_from: short ids of the members whose acks were the latest ones in a row to come late.
    """

    def __init__(
        self,
        limits: Limits,
        counters: Counters,
        now: float,
        timers: Timers,
        *,
        on_pause: Callable[[float], None],
    ) -> None:
        self._limits = limits
        self._pause = limits.pause
        self.long_pause = limits.isolation / 2
        self._counters = counters
        self._timers = timers
        self._on_pause = on_pause
        self.seen = now
        self._asleep = 0.0  # total of pauses
        self._deafened = 0.0  # total of deaf time before the present spell
        self._deaf_since = 0.0  # unpaused clock, while deaf
        self._isolated_since = 0.0  # unpaused clock, while isolated
        self._heard = now  # unpaused clock
        self.deaf = False
        self.isolated = False
        self.alone = False
        self.last_pause = -inf
        self._halted = False  # paused twice within S, and no ack has come in time since
        self.late_from: set[int] = set()
        self._wary_until = -inf

    def advance(self, now: float) -> float:
        """Note the time. Being more than 0.25 T (at least 0.25 s) late for the deadline counts as a pause.

        Returns:
            ``now``, or the latest time seen if that is later.
        """
        if not 0.0 < now - self.seen <= self._pause:
            now = self._leap(now)
        self.seen = now
        return now

    def _leap(self, now: float) -> float:
        """Handle time that went backwards, which is hidden, or far ahead, which may be a pause."""
        if not self.seen < now < inf:
            return self.seen
        now = min(now, self.seen + LONGEST_JUMP)
        deadline = self._timers.deadline()
        lag = 0.0 if deadline is None else now - max(deadline, self.seen)
        if lag > self._pause:
            self._asleep += lag
            self._halted = self._halted or now - self.last_pause < self._limits.isolation
            self.last_pause = now
            self._counters.pauses += 1
            self._counters.paused_seconds += lag
            self._on_pause(lag)
        return now

    def answered(self, short_id: int, *, in_time: bool) -> None:
        """Note that a member acked a ping."""
        if not in_time:
            self.late_from.add(short_id)
        elif self._halted or self.late_from:
            self._halted = False
            self.late_from.clear()

    def missed(self, now: float) -> None:
        """Note that a member did not answer: if it is alive, packets are being lost."""
        self._wary_until = now + WARY

    def wary(self, now: float) -> bool:
        """Whether packets may be getting lost, as far as this node knows, so that no datagrams should be saved."""
        return now < self._wary_until

    def halting(self, now: float) -> bool:
        """Whether this process doesn't get enough computing time: it pauses repeatedly, and no ack comes in time.

        After S without a pause it does get enough: there may be nobody left to ack.
        """
        return self._halted and now - self.last_pause < self._limits.isolation

    @property
    def late(self) -> bool:
        """Whether acks of two members in a row came late, so that this node or its line must be slow."""
        return len(self.late_from) > 1

    def _unpaused(self, now: float) -> float:
        return now - self._asleep

    def awake(self, now: float) -> float:
        """Seconds on the clock that stops while this node is paused or deaf."""
        awake = self._unpaused(now) - self._deafened
        return awake - (self._unpaused(now) - self._deaf_since) if self.deaf else awake

    def hear(self, now: float) -> None:
        """Note that a member's datagram arrived, which ends deafness."""
        self._heard = now - self._asleep
        if self.deaf:
            self._deafened += self._heard - self._deaf_since
            self.deaf = False

    def reconnect(self) -> tuple[bool, bool]:
        """Clear and return `isolated` and `alone`, to which deafness had led."""
        led_to = self.isolated, self.alone
        self.isolated = self.alone = False
        return led_to

    def check(self, live: int, now: float) -> bool:
        """Check, once a round, whether silence has become deafness or isolation. ``live`` is n.

        Returns whether this node has just become isolated or alone, so that the application must be told.
        """
        unpaused, news = now - self._asleep, False
        if self.isolated and not self.alone and unpaused - self._isolated_since >= 2 * self._limits.isolation:
            self.alone = news = True  # even if it hears pings from members that consider it dead, while nobody hears it
        if not self.deaf:
            if live >= SEVERAL and unpaused - self._heard >= 2 * self._limits.interval:
                self.deaf, self._deaf_since = True, unpaused
        elif not self.isolated and unpaused - self._deaf_since >= self._limits.isolation:
            self.isolated = news = True
            self._isolated_since = unpaused
        return news
