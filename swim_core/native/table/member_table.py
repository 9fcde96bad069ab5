"""The table: the highest claim known about each member, and which ones are live. `Topology` has their positions."""

from collections.abc import Iterator
from math import inf
from operator import attrgetter

from swim_core.address import Address
from swim_core.counters import DropReason
from swim_core.member import Member, State
from swim_core.native.settings import Settings
from swim_core.native.wire.claim import Claim, precedence
from swim_core.native.wire.hashing import Hashes
from swim_core.shared.rate_limit import RateLimit

from .entry import Change, Entry
from .formed_cluster import TableSource
from .indexes import TableIndexes
from .topology import Topology
from .view_digest import ViewDigest

__all__ = ["MemberTable"]


class MemberTable:
    """Claims by name, merged by `precedence`. This node's own is among them, and only the node replaces it.

    Attributes:
        local_name: of this node.
        growth: the allowance for new names.
        live_count: n: the number of live members, this node included. A plain attribute, since every datagram asks.
        topology: their positions in the probe order and on the rings.
        view_digest: the digest of the view.
        crowded_out: how many members were forgotten before their time, since too many were gone.
    """

    def __init__(self, config: Settings, hashes: Hashes) -> None:
        self._config = config
        self._hashes = hashes
        self._gone: dict[str, Entry] = {}  # in the order in which they were learned
        self._next_expiry = inf  # nothing is to be forgotten before then
        self.local_name = ""
        self.growth = RateLimit(config.max_new_members_per_second)
        self.topology = Topology(hashes, config.rings)
        self.view_digest = ViewDigest()
        self.crowded_out = 0
        self._keep_in(TableIndexes.empty(config.rings), -inf)

    def _keep_in(self, indexes: TableIndexes, now: float) -> None:
        self._entries = indexes.entries
        self._by_id = indexes.by_id
        self._addresses = indexes.addresses
        self._view = indexes.view
        self._states = indexes.states
        self.live_count = len(indexes.order)
        self.topology.keep_in(indexes.order, indexes.rings)
        self.view_digest.keep_in(indexes.everyone, indexes.cells, indexes.digest, now)

    # ------------------------------------------------------------------ looking up

    @property
    def has_others(self) -> bool:
        """Whether any other member is live."""
        return self.live_count > (1 if self._entries[self.local_name].live else 0)

    @property
    def gone_count(self) -> int:
        """How many dead and departed members are still remembered."""
        return len(self._gone)

    def get(self, name: str) -> Entry | None:
        """The entry of a name."""
        return self._entries.get(name)

    def by_id(self, short_id: int) -> Entry | None:
        """The entry whose present run has that short id."""
        return self._by_id.get(short_id)

    def live_at(self, address: Address) -> Entry | None:
        """The live member that claims this address; the latest, if several do."""
        return self._addresses.get(address)

    def displaced(self, entry: Entry) -> list[Entry]:
        """The other live members, without this node, that claim the address of a live one."""
        return [other for other in self._addresses.shared(entry) if other.name != self.local_name]

    def gone(self) -> Iterator[Entry]:
        """Dead and departed members, oldest news first."""
        return iter(self._gone.values())

    def states(self) -> dict[State, int]:
        """How many members are in each state."""
        return self._states.copy()

    def members(self, *, gone: bool = False) -> tuple[Member, ...]:
        """The members by name."""
        live = self._view.members(self.topology.order)
        if gone and self._gone:
            return tuple(sorted((*live, *(entry.member for entry in self._gone.values())), key=attrgetter("name")))
        return live

    # ------------------------------------------------------------------ changing

    def merge(self, claim: Claim, now: float) -> Change | DropReason | None:
        """Take a claim if it is higher than the one held.

        Returns:
            The change; None if the claim is not higher; or why a claim about an unknown name was refused.
        """
        entry = self._entries.get(claim.name)
        if entry is None:
            refusal = self._refuse_new(claim, now)
            return refusal if refusal is not None else self.put(claim, now)
        if precedence(claim) <= precedence(entry.claim):
            return None
        return self.put(claim, now)

    def _refuse_new(self, claim: Claim, now: float) -> DropReason | None:
        if not claim.state.live:
            return DropReason.UNKNOWN_GONE
        if self.live_count >= self._config.max_members:
            return DropReason.MEMBERS_FULL
        return None if self.growth.allow(now) else DropReason.GROWTH_LIMIT

    def put(self, claim: Claim, now: float) -> Change:
        """Hold this claim, whatever was held before."""
        entry = self._entries.get(claim.name)
        same_run = entry is not None and entry.claim.epoch == claim.epoch
        short_id = entry.short_id if entry and same_run else self._hashes.short_id(claim.name, claim.epoch)
        view = self._hashes.view(claim.name, claim.epoch, claim.incarnation)
        digest = self.view_digest.value
        before, before_id = None, 0
        if entry is None:
            entry = Entry.of(claim, self._hashes.phase(claim.name), short_id, view, now)
            if claim.name == self.local_name:
                self.topology.local = entry
            self._link(entry)
        else:
            before, before_id = entry.claim, entry.short_id
            if same_run and entry.live and claim.state.live and claim.address == before.address:
                self.view_digest.change(entry.phase, entry.view ^ view)
                entry.hold(claim, short_id, view, now)
            else:
                self._unlink(entry)
                entry.hold(claim, short_id, view, now)
                self._link(entry)
            self._states[before.state] -= 1
        self._states[claim.state] += 1
        self._view.changed(entry)
        if self.view_digest.value != digest:
            self.view_digest.since = now
        return Change(claim, entry, before, before_id, not same_run)

    def hold_all(self, source: TableSource, now: float) -> None:
        """Hold all members of a formed cluster. This node's own claim must be among them, and the only one held so
        far."""
        self._keep_in(source.indexes(self._entries[self.local_name], now), now)

    def _link(self, entry: Entry) -> None:
        self._entries[entry.name] = entry
        self._by_id[entry.short_id] = entry
        self.view_digest.add(entry)
        if not entry.live:
            self._gone[entry.name] = entry
            self._next_expiry = min(self._next_expiry, entry.since + self._lifetime(entry))
            return
        self._view.moved(entry)
        self.live_count += 1
        self._addresses.add(entry)
        self.topology.add(entry)

    def _unlink(self, entry: Entry) -> None:
        del self._entries[entry.name]
        del self._by_id[entry.short_id]
        self.view_digest.remove(entry)
        if not entry.live:
            del self._gone[entry.name]
            return
        self._view.moved(entry)
        self.live_count -= 1
        self._addresses.remove(entry)
        self.topology.remove(entry)

    def expire(self, now: float) -> list[Entry]:
        """Forget members that have been gone for their lifetime, and the oldest beyond ``max_tombstones``."""
        excess = len(self._gone) - self._config.max_tombstones
        if now < self._next_expiry and excess <= 0:
            return []
        expired = []
        self._next_expiry = inf
        for index, entry in enumerate(self._gone.values()):
            expiry = entry.since + self._lifetime(entry)
            if entry.name == self.local_name:
                continue  # a node that has left remembers itself for as long as it is ticked
            if index < excess or expiry <= now:
                expired.append(entry)
                self.crowded_out += expiry > now
            else:
                self._next_expiry = min(self._next_expiry, expiry)
        for entry in expired:
            self.forget(entry)
        return expired

    def _lifetime(self, entry: Entry) -> float:
        left = entry.claim.state is State.LEFT
        return self._config.forget_left_after if left else self._config.forget_after

    def forget(self, entry: Entry) -> None:
        """Forget a member that is gone."""
        self._unlink(entry)
        self._states[entry.claim.state] -= 1
