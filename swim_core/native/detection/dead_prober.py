"""Dead members are tried again, ever more rarely, until they are forgotten: so partitions heal."""

import msgspec

from swim_core.member import State
from swim_core.native.context import NodeContext
from swim_core.native.table.entry import Entry

from .pings import Pings

__all__ = ["DeadProber"]

FIRST = 2.0  # probe intervals after the death
LONGEST = 60.0  # seconds between two tries
LOOKED_AT = 256  # dead members per round whose place on the rings is looked at: half of a cluster may die at once


class _Try(msgspec.Struct):
    entry: Entry
    due: float
    delay: float


class DeadProber:
    """Pings the dead members of which this node is a ring predecessor; the ping carries the accusation.

    Their backoff is 2, 4, 8 .. T, at most 60 s, and one such ping leaves this node per round in all.
    """

    def __init__(self, context: NodeContext, pings: Pings) -> None:
        self._interval = context.config.probe_interval
        self._table = context.table
        self._pings = pings
        self._tries: dict[str, _Try] = {}

    def add(self, entry: Entry, now: float) -> None:
        """A member was declared dead."""
        delay = FIRST * self._interval
        self._tries[entry.name] = _Try(entry, now + delay, delay)

    def on_round(self, now: float) -> None:
        """Try one dead member whose time has come; those that others stand before just wait on."""
        looked_at = 0
        for name, attempt in list(self._tries.items()):
            if self._table.get(name) is not attempt.entry or attempt.entry.claim.state is not State.DEAD:
                del self._tries[name]
            elif attempt.due <= now:
                attempt.delay = min(2 * attempt.delay, max(LONGEST, self._interval))
                attempt.due = now + attempt.delay
                looked_at += 1
                if self._precedes(attempt.entry):
                    self._pings.send(attempt.entry, now)
                    return
                if looked_at == LOOKED_AT:
                    return

    def _precedes(self, dead: Entry) -> bool:
        local = self._table.local_name
        rings = zip(self._table.rings, self._table.places(dead), strict=True)
        return any(ring[ring.index(place) - 1].name == local for ring, place in rings)
