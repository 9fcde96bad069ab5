"""Dead members are tried again, ever more rarely, until they are forgotten: so partitions heal."""

from heapq import heappop, heappush

from .common import Common
from .member import State
from .membership import Entry
from .pings import Pings

__all__ = ["Revival"]

FIRST = 2.0  # probe intervals after the death
LONGEST = 60.0  # seconds between two tries


class Revival:
    """Pings the dead members of which this node is a ring predecessor; the ping carries the accusation.

    Their backoff is 2, 4, 8 .. T, at most 60 s, and one such ping leaves this node per round in all.
    """

    def __init__(self, common: Common, pings: Pings) -> None:
        self._interval = common.config.probe_interval
        self._membership = common.membership
        self._pings = pings
        self._queue: list[tuple[float, str, int, float]] = []

    def add(self, entry: Entry, now: float) -> None:
        """A member was declared dead."""
        delay = FIRST * self._interval
        heappush(self._queue, (now + delay, entry.name, entry.short_id, delay))

    def on_round(self, now: float) -> None:
        """Try one dead member whose time has come; those that others stand before just wait on."""
        while self._queue and self._queue[0][0] <= now:
            _, name, short_id, delay = heappop(self._queue)
            entry = self._membership.get(name)
            if entry is None or entry.short_id != short_id or entry.claim.state is not State.DEAD:
                continue
            delay = min(2 * delay, max(LONGEST, self._interval))
            heappush(self._queue, (now + delay, name, short_id, delay))
            if self._precedes(entry):
                self._pings.send(entry, now)
                return

    def _precedes(self, dead: Entry) -> bool:
        local = self._membership.local_name
        rings = zip(self._membership.rings, dead.identity.rings, strict=True)
        return any(ring[ring.index(place) - 1].name == local for ring, place in rings)
