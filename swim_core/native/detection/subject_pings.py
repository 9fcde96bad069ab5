"""The pings to members under watch, within a budget.

When few members survive many, each watches all the dead. What a node sends is bounded, however many are gone.
"""

from swim_core.native.context import NodeContext
from swim_core.shared.rate_limit import RateLimit

from .pings import Pings
from .watch import Watch

__all__ = ["SubjectPings"]

PER_SECOND = 45  # of all watches together
FIRST_PINGS = (
    30  # of them: they take precedence, so that members that have long been silent don't keep the others waiting
)
AT_ONCE = 15
LONGEST = 30.0  # seconds for which a refused ping counts, at most, however long the line is
SPARE = 0.5  # of the budget for trouble, that must be left for pings beyond that


class SubjectPings:
    """Pings members under watch: each every half interval, or when its place in the line comes."""

    def __init__(self, context: NodeContext, pings: Pings) -> None:
        self._interval = context.config.reping_interval
        self._pings = pings
        self._trouble = context.trouble
        self._first = RateLimit(FIRST_PINGS, AT_ONCE)
        self._in_all = RateLimit(PER_SECOND, AT_ONCE)

    def in_turn(self, watch: Watch, now: float) -> bool:
        """Ping the member, whose turn it is, or let it take a place in the line; returns whether it was pinged."""
        if watch.booked is None:
            line = self._in_all if watch.pings else self._first
            watch.ping_at = now if self._is_spare(line, now) else line.book(now)
            if watch.ping_at > now:
                watch.booked = line
                return False
        if not watch.pings:
            self._in_all.book(now)
        watch.booked = None
        watch.ping_at = now + self._interval
        self.send(watch, now)
        return True

    def _is_spare(self, line: RateLimit, now: float) -> bool:
        """Whether the line is long, and so little else is sent that it need not be waited in."""
        return line.wait(now) > 0 and self._trouble.wait(now, SPARE) <= 0

    def besides(self, watch: Watch, now: float) -> bool:
        """Ping the member out of turn, if the budget allows it; returns whether it was pinged."""
        allowed = self._in_all.allow(now)
        if allowed:
            self.send(watch, now)
        return allowed

    def help_out(self, watch: Watch, now: float) -> None:
        """Ping the member out of turn, since its accuser polled, unless there is much to send already."""
        if self._trouble.wait(now) <= 0:
            self.besides(watch, now)

    def send(self, watch: Watch, now: float) -> None:
        """Ping the member in any case."""
        watch.pings += 1
        watch.findings.between = min(2 * (now - watch.pinged), LONGEST) if watch.pings > 1 else 0.0
        watch.pinged = now
        self._trouble.spend(now)
        self._pings.send(watch.entry, now, accused=watch.incarnation)
