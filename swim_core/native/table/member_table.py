"""The table: the highest claim known about each member, who is live, where they stand, and a digest of it all."""

from collections.abc import Callable, Iterator
from functools import reduce
from math import inf
from operator import attrgetter, xor
from random import Random

from swim_core.address import Address
from swim_core.member import Member, State
from swim_core.native.settings import Settings
from swim_core.native.wire.claim import Claim, precedence
from swim_core.native.wire.hashing import Hashes
from swim_core.shared.rate_limit import RateLimit
from swim_core.statistics import DropReason

from .entry import Change, Entry
from .formed_cluster import TableSource
from .indexes import TableIndexes

__all__ = ["MemberTable"]

_WHOLE = 1 << 64


def _bounds(index: int, count: int) -> tuple[int, int]:
    """Where a sync bucket begins and ends in the phase order."""
    return -(-index * _WHOLE // count), -(-(index + 1) * _WHOLE // count)


class MemberTable:
    """Claims by name, merged by `precedence`; this node's own among them, replaced only by itself."""

    def __init__(self, config: Settings, hashes: Hashes) -> None:
        self._config = config
        self._hashes = hashes
        self._gone: dict[str, Entry] = {}  # in the order of learning
        self.growth = RateLimit(config.max_new_members_per_second)
        """The allowance for new names."""
        self._next_expiry = inf  # no entry is to be forgotten before
        self.local_name = ""
        self.version = 0
        """Counts changes of the set of live members: what was planned by it must be planned anew."""
        self.digest_since = -inf
        """When the digest last changed."""
        self._keep_in(TableIndexes.empty(config.rings))

    def _keep_in(self, indexes: TableIndexes) -> None:
        self._entries = indexes.entries
        self._by_id = indexes.by_id
        self._addresses = indexes.addresses
        self._view = indexes.view
        self._states = indexes.states
        self._cells = indexes.cells
        self.order = indexes.order
        """Live members by phase: the probe order."""
        self.rings = indexes.rings
        """Live members on each flood ring."""
        self.everyone = indexes.everyone
        """All claims, gone ones too, by phase: what a sync pages through."""
        self.live_count = len(indexes.order)
        """n: live members, this node included."""
        self.digest = indexes.digest
        """XOR over the live members, this node included."""

    # ------------------------------------------------------------------ looking up

    @property
    def has_others(self) -> bool:
        """Whether any other member is live."""
        return self.live_count > (1 if self._entries[self.local_name].live else 0)

    @property
    def gone_count(self) -> int:
        """Dead and departed members still remembered."""
        return len(self._gone)

    def get(self, name: str) -> Entry | None:
        """The entry of a name."""
        return self._entries.get(name)

    def by_id(self, short_id: int) -> Entry | None:
        """The entry whose present run has that short id."""
        return self._by_id.get(short_id)

    def live_at(self, address: Address) -> Entry | None:
        """The live member that claims this address, the latest if several do."""
        return self._addresses.get(address)

    def places(self, entry: Entry) -> tuple[int, ...]:
        """Where an entry stands, or would stand if it were live, on each flood ring."""
        return self._hashes.places(entry.name, entry.claim.epoch)

    def any_other(self, random: Random) -> Entry | None:
        """A random live member other than this node; None if a few draws find none."""
        for _ in range(8):
            entry = self.order[random.randrange(len(self.order))] if len(self.order) else None
            if entry is not None and entry.name != self.local_name:
                return entry
        return None

    def others(self) -> Iterator[Entry]:
        """The live members except this node, in the probe order."""
        return (entry for entry in self.order if entry.name != self.local_name)

    def successors(self, fit: Callable[[Entry], bool] = lambda _: True) -> list[Entry]:
        """The next live member on each ring that is ``fit`` and not chosen yet: at most K others, to flood and wire."""
        local = self.local_name
        chosen: list[Entry] = []
        for ring, place in zip(self.rings, self.places(self._entries[local]), strict=True):
            for entry in ring.after(place):
                if entry.name != local and entry not in chosen and fit(entry):
                    chosen.append(entry)
                    break
        return chosen

    def successor(self, *, besides: int) -> list[Entry]:
        """The next live member on the first ring but for the run ``besides``, if there is one."""
        place = self.places(self._entries[self.local_name])[0]
        for entry in self.rings[0].after(place):
            if entry.name != self.local_name and entry.short_id != besides:
                return [entry]
        return []

    def predecessors(self, subject: Entry, limit: int) -> list[Entry]:
        """The other live members nearest before ``subject`` on the rings: at most ``limit``, in order of distance."""
        apart = (subject.name, self.local_name)
        walks = [
            (entry for entry in ring.before(place) if entry.name not in apart)
            for ring, place in zip(self.rings, self.places(subject), strict=True)
        ]
        found: dict[str, Entry] = {}
        for step in zip(*walks, strict=True):
            found.update((entry.name, entry) for entry in step)
            if len(found) >= limit:
                break
        return list(found.values())[:limit]

    def gone(self) -> Iterator[Entry]:
        """Dead and departed members, oldest news first."""
        return iter(self._gone.values())

    def states(self) -> dict[State, int]:
        """How many members are in each state."""
        return self._states.copy()

    def members(self, *, gone: bool = False) -> tuple[Member, ...]:
        """The members by name."""
        live = self._view.members(self.order)
        if gone and self._gone:
            return tuple(sorted((*live, *(entry.member for entry in self._gone.values())), key=attrgetter("name")))
        return live

    def bucket_entries(self, index: int, count: int, start: int = 0) -> list[Entry]:
        """The entries of a sync bucket (gone ones too) from position ``start`` on.

        Bucket = floor(phase x count / 2^64).
        """
        low, high = _bounds(index, count)
        return self.everyone.between(max(low, start), high)

    def bucket_digest(self, index: int, count: int) -> int:
        """The digest of the live members of a sync bucket: of the cells in it, and of the members at both ends."""
        if count == 1:
            return self.digest
        low, high = _bounds(index, count)
        digest, first, last = self._cells.within(low, high)
        ends = self.everyone.between(low, first) + self.everyone.between(last, high)
        return reduce(xor, [entry.view for entry in ends if entry.live], digest)

    def _sum(self, phase: int, view: int) -> None:
        """Add a member's share to the digests, or take it away."""
        self.digest ^= view
        self._cells.add(phase, view)

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
        """Hold this claim, whatever was held."""
        entry = self._entries.get(claim.name)
        same_run = entry is not None and entry.claim.epoch == claim.epoch
        short_id = entry.short_id if entry and same_run else self._hashes.short_id(claim.name, claim.epoch)
        view = self._hashes.view(claim.name, claim.epoch, claim.incarnation)
        digest = self.digest
        before, before_id = None, 0
        if entry is None:
            entry = Entry.of(claim, self._hashes.phase(claim.name), short_id, view, now)
            self._link(entry)
        else:
            before, before_id = entry.claim, entry.short_id
            in_place = (before.epoch, before.address, entry.live) == (claim.epoch, claim.address, claim.state.live)
            if in_place and entry.live:
                self._sum(entry.phase, entry.view ^ view)
                entry.hold(claim, short_id, view, now)
            else:
                self._unlink(entry)
                entry.hold(claim, short_id, view, now)
                self._link(entry)
            self._states[before.state] -= 1
        self._states[claim.state] += 1
        self._view.changed(entry)
        if self.digest != digest:
            self.digest_since = now
        return Change(entry, before, before_id)

    def hold_all(self, source: TableSource, now: float) -> None:
        """Hold all members of a formed cluster. This node's own claim must be among them, and be all that is held."""
        self._keep_in(source.indexes(self._entries[self.local_name], now))
        self.version += 1
        self.digest_since = now

    def _link(self, entry: Entry) -> None:
        self.version += 1
        self._entries[entry.name] = entry
        self._by_id[entry.short_id] = entry
        self.everyone.add(entry.phase, entry)
        if not entry.live:
            self._gone[entry.name] = entry
            self._next_expiry = min(self._next_expiry, entry.since + self._lifetime(entry))
            return
        self._view.moved(entry)
        self.live_count += 1
        self._addresses.add(entry)
        self._sum(entry.phase, entry.view)
        self.order.add(entry.phase, entry)
        for ring, place in zip(self.rings, self.places(entry), strict=True):
            ring.add(place, entry)

    def _unlink(self, entry: Entry) -> None:
        self.version += 1
        del self._entries[entry.name]
        del self._by_id[entry.short_id]
        self.everyone.remove(entry.phase, entry)
        if not entry.live:
            del self._gone[entry.name]
            return
        self._view.moved(entry)
        self.live_count -= 1
        self._addresses.remove(entry)
        self._sum(entry.phase, entry.view)
        self.order.remove(entry.phase, entry)
        for ring, place in zip(self.rings, self.places(entry), strict=True):
            ring.remove(place, entry)

    def expire(self, now: float) -> list[Entry]:
        """Forget what has been gone for its lifetime, and the oldest beyond ``max_tombstones``."""
        excess = len(self._gone) - self._config.max_tombstones
        if now < self._next_expiry and excess <= 0:
            return []
        expired = []
        self._next_expiry = inf
        for index, entry in enumerate(self._gone.values()):
            expiry = entry.since + self._lifetime(entry)
            if entry.name == self.local_name:
                continue  # a node that has left stays itself for as long as it is ticked
            if index < excess or expiry <= now:
                expired.append(entry)
            else:
                self._next_expiry = min(self._next_expiry, expiry)
        for entry in expired:
            self.forget(entry)
        return expired

    def _lifetime(self, entry: Entry) -> float:
        left = entry.claim.state is State.LEFT
        return self._config.forget_left_after if left else self._config.forget_after

    def forget(self, entry: Entry) -> None:
        """Remember nothing of one that is gone."""
        self._unlink(entry)
        self._states[entry.claim.state] -= 1
