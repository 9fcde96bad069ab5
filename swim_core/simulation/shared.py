"""Tables that share what they have in common, so that 10,000 nodes that know 10,000 members each fit into one machine.

The tables of a cluster that starts formed are alike at first, and in a large cluster no node deals with many members.
So all tables stand on one formed cluster that never changes. Each keeps only what it has changed, and a copy of the
entry of each member that it has dealt with. They behave like separate tables, but are slower.
"""

from functools import lru_cache
from operator import attrgetter

from swim_core.address import Address
from swim_core.member import Member
from swim_core.native.table.entry import Entry
from swim_core.native.table.formed_cluster import FormedCluster
from swim_core.native.table.indexes import Addresses, TableIndexes, View
from swim_core.native.table.ring import Ring
from swim_core.native.wire.claim import Claim, as_member

from .copies import Copies, SharedIndex
from .shared_ring import SharedRing

__all__ = ["SharedCluster"]

VIEWS = 64  # tuples of members that are kept: soon after a change most tables hold the same members


class SharedCluster:
    """A formed cluster that many tables share (a `TableSource`) without copying it."""

    def __init__(self, formed: FormedCluster) -> None:
        self._formed = formed
        entries = formed.entries
        self._by_name = {entry.name: place for place, entry in enumerate(entries)}
        self._by_id = {entry.short_id: place for place, entry in enumerate(entries)}
        self._latest: dict[Address, int] = {}
        self._others: dict[Address, list[int]] = {}
        for place, entry in enumerate(entries):
            if entry.address in self._latest:
                self._others.setdefault(entry.address, []).append(self._latest[entry.address])
            self._latest[entry.address] = place
        self._members = {entry.name: entry.member for entry in entries}
        self.view = lru_cache(VIEWS)(self._make_view)

    def indexes(self, own: Entry, now: float) -> TableIndexes:
        """The containers of a table's entries, made in next to no time and memory; see `TableSource`."""
        formed = self._formed
        copies = Copies(formed.entries, now)
        copies[self._by_name[own.name]] = own
        others = {address: [copies[place] for place in places] for address, places in self._others.items()}
        return TableIndexes(
            entries=SharedIndex(self._by_name, copies),
            by_id=SharedIndex(self._by_id, copies),
            addresses=Addresses(SharedIndex(self._latest, copies), others),
            order=SharedRing(formed.phases, copies),
            rings=tuple(SharedRing(order, copies) for order in formed.rings),
            everyone=SharedRing(formed.phases, copies),
            view=SharedView(self),
            states=formed.states.copy(),
            cells=formed.cells.copy(),
            digest=formed.digest,
        )

    def _make_view(self, changes: frozenset[Claim | str]) -> tuple[Member, ...]:
        """The members by name: those of the formed cluster with the changes applied."""
        members = self._members.copy()
        for change in changes:
            if isinstance(change, Claim):
                members[change.name] = as_member(change)
            else:
                members.pop(change, None)
        return tuple(sorted(members.values(), key=attrgetter("name")))


class SharedView(View):
    """Tables that hold the same have the same tuple of members."""

    __slots__ = ("_changed", "_formed")

    def __init__(self, formed: SharedCluster) -> None:
        super().__init__()
        self._formed = formed
        self._changed: dict[str, Entry] = {}

    def changed(self, entry: Entry) -> None:
        super().changed(entry)
        self._changed[entry.name] = entry

    def members(self, live: Ring[Entry]) -> tuple[Member, ...]:
        if self._members is None:
            changes = (entry.claim if entry.live else entry.name for entry in self._changed.values())
            self._members = self._formed.view(frozenset(changes))
        return self._members
