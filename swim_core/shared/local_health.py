"""Own trouble first: pauses of this process, deafness, isolation, and the clock that counts neither.

Ages in a verdict count *awake* time: while this process was paused, or heard nobody at all, it could
not have heard an answer. One clock that stands still in that time moves every anchor at once.
"""

from collections.abc import Callable
from math import inf
from typing import NamedTuple

from swim_core.statistics import Counters

from .timers import Timers

__all__ = ["SEVERAL", "Limits", "LocalHealth"]

SEVERAL = 4  # live members, this node included: the silence of fewer at a time may well be theirs
LONGEST_JUMP = 1e9  # seconds, 31 years: beyond it is no clock, and floats would lose the fractions of a second


class Limits(NamedTuple):
    """From when on a silence is this node's own trouble.

    Attributes:
        interval: T, seconds: every T something is heard, if all is well.
        pause: seconds by which a tick is late if this process paused.
        isolation: S, seconds.
    """

    interval: float
    pause: float
    isolation: float


class LocalHealth:
    """Knows when this node, and not the others, is what fails.

    Attributes:
        deaf: nothing heard for 2 T with four live members or more: ages stand still, no verdicts.
        isolated: deaf for S; raised as an event.
        alone: deaf for 3 S: the application sees this node only.
        seen: the latest time seen.
        long_pause: seconds from which on a pause may have made others hold this node dead, and is told.
        last_pause: local clock at the end of the last pause; -inf before the first.
        late_from: short ids of those whose acks, the last ones in a row, came late.
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
        self._isolated_since = 0.0  # the same, while isolated
        self._heard = now  # unpaused clock
        self.deaf = False
        self.isolated = False
        self.alone = False
        self.last_pause = -inf
        self._halted = False  # paused twice within S, and no ack came in time since
        self.late_from: set[int] = set()

    def advance(self, now: float) -> float:
        """Take note of the time; being more than 0.25 T (at least 0.25 s) late for the deadline is a pause.

        Returns:
            ``now``, or the latest time seen if that is later.
        """
        if not 0.0 < now - self.seen <= self._pause:
            now = self._leap(now)
        self.seen = now
        return now

    def _leap(self, now: float) -> float:
        """Time went back, which is not let show, or a long way on: was it a pause?"""
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
        """A member acked a ping."""
        if not in_time:
            self.late_from.add(short_id)
        elif self._halted or self.late_from:
            self._halted = False
            self.late_from.clear()

    def halting(self, now: float) -> bool:
        """Whether this process does not get the time it needs: it pauses again and again, and no ack comes in time.

        One that has run for S since the last pause gets it: there may be nobody left to ack.
        """
        return self._halted and now - self.last_pause < self._limits.isolation

    @property
    def late(self) -> bool:
        """Whether acks of two members in a row came late: this node, or the line to it, is what is slow."""
        return len(self.late_from) > 1

    def _unpaused(self, now: float) -> float:
        return now - self._asleep

    def awake(self, now: float) -> float:
        """Seconds on the clock that stands still while this node is paused or deaf."""
        awake = self._unpaused(now) - self._deafened
        return awake - (self._unpaused(now) - self._deaf_since) if self.deaf else awake

    def hear(self, now: float) -> None:
        """A member's datagram arrived: a spell of deafness ends."""
        self._heard = now - self._asleep
        if self.deaf:
            self._deafened += self._heard - self._deaf_since
            self.deaf = False

    def reconnect(self) -> tuple[bool, bool]:
        """Clear and return what deafness had led to: `isolated`, `alone`."""
        led_to = self.isolated, self.alone
        self.isolated = self.alone = False
        return led_to

    def check(self, live: int, now: float) -> bool:
        """Once a round: has silence become deafness, isolation? ``live`` is n.

        Returns whether it has just become isolated, or alone: then the application is to be told.
        """
        unpaused, before = now - self._asleep, (self.isolated, self.alone)
        if self.isolated and unpaused - self._isolated_since >= 2 * self._limits.isolation:
            self.alone = True  # also where it hears the pings of members that hold it dead, and nobody hears it
        if not self.deaf:
            if live >= SEVERAL and unpaused - self._heard >= 2 * self._limits.interval:
                self.deaf, self._deaf_since = True, unpaused
        elif not self.isolated and unpaused - self._deaf_since >= self._limits.isolation:
            self.isolated, self._isolated_since = True, unpaused
        return (self.isolated, self.alone) != before
