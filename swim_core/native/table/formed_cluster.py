"""The members of an existing cluster, prepared once for the tables of many nodes.

Simulations begin with one: it would take half a minute if each of a thousand nodes had to sort a thousand members.
"""

from array import array
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import reduce
from operator import xor
from typing import Protocol

from swim_core.member import State
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.hashing import Hashes

from .entry import Entry
from .indexes import Addresses, TableIndexes, View
from .ring import Ring
from .view_digest import Cells

__all__ = ["FormedCluster", "Order", "TableSource"]


class TableSource(Protocol):
    """Fills tables; `FormedCluster` does, and anything that may stand in for one."""

    def indexes(self, own: Entry, now: float) -> TableIndexes:
        """The indexes of a new table, with ``own`` among the entries and the others as learned ``now``."""


class Order:
    """Ascending positions on a ring, and the index of the member at each."""

    __slots__ = ("places", "positions")

    def __init__(self, positions: Sequence[int]) -> None:
        self.places = sorted(range(len(positions)), key=positions.__getitem__)
        self.positions = array("Q", [positions[place] for place in self.places])

    def ring(self, entries: Sequence[Entry]) -> Ring[Entry]:
        """The ring of ``entries``, which are those of the formed cluster."""
        return Ring(self.positions, [entries[place] for place in self.places])


class FormedCluster:
    """Claims about live members, each name once, and everything that a table needs to know about them.

    Attributes:
        entries: of all members, for tables to take copies of.
        states: how many there are of each state.
        digest: the view digest.
        cells: the digest in parts.
        phases: the order by phase.
        rings: the orders on the flood rings.
    """

    def __init__(self, claims: Iterable[Claim], hashes: Hashes, rings: int) -> None:
        self.entries = [_entry(claim, hashes) for claim in claims]
        counts = Counter(entry.claim.state for entry in self.entries)
        self.states = {state: counts[state] for state in State}
        self.digest = reduce(xor, (entry.view for entry in self.entries), 0)
        self.cells = Cells((entry.phase, entry.view) for entry in self.entries)
        self.phases = Order([entry.phase for entry in self.entries])
        places = [hashes.places(entry.name, entry.claim.epoch) for entry in self.entries]
        self.rings = tuple(Order([place[ring] for place in places]) for ring in range(rings))

    def indexes(self, own: Entry, now: float) -> TableIndexes:
        """The indexes for one table, in linear time; see `TableSource`."""
        entries = [own if entry.name == own.name else entry.known(now) for entry in self.entries]
        addresses = Addresses({}, {})
        for entry in entries:
            addresses.add(entry)
        return TableIndexes(
            entries={entry.name: entry for entry in entries},
            by_id={entry.short_id: entry for entry in entries},
            addresses=addresses,
            order=self.phases.ring(entries),
            rings=tuple(order.ring(entries) for order in self.rings),
            everyone=self.phases.ring(entries),
            view=View(),
            states=self.states.copy(),
            cells=self.cells.copy(),
            digest=self.digest,
        )


def _entry(claim: Claim, hashes: Hashes) -> Entry:
    short_id, phase = hashes.short_id(claim.name, claim.epoch), hashes.phase(claim.name)
    return Entry.of(claim, phase, short_id, hashes.view(claim.name, claim.epoch, claim.incarnation), 0.0)
