"""The table: the highest claim known about each member, who is live, where they stand, and a digest of it all."""

from collections.abc import Iterator
from functools import reduce
from math import inf
from operator import attrgetter, xor
from random import Random

import msgspec

from .address import Address, unpack
from .cells import Cells
from .config import Config
from .events import DropReason, Origin
from .hashing import Hashes
from .member import Claim, Contact, Member, State, decode_metadata, precedence
from .rate import RateLimit
from .ring import Ring
from .roster import Roster

__all__ = ["Change", "Entry", "Membership"]

_WHOLE = 1 << 64


class Entry(msgspec.Struct, eq=False, gc=False):
    """One name: the highest claim about it, and what follows from that claim. It stays the same object
    through all runs of the name, until it is forgotten.

    Attributes:
        name: of the member.
        phase: where the name stands in the probe order.
        short_id: of the present run.
        claim: the highest.
        view: what it adds to the view digest while it is live.
        address: of the claim.
        live: whether it is ALIVE or SUSPECT.
        since: when this node learned the claim: lifetimes count from here.
        heard: see `Contact`; a time. This and what follows is of the present run.
        round_trip: see `Contact`.
        unanswered: see `Contact`.
    """

    name: str
    phase: int
    short_id: int
    claim: Claim
    view: int
    address: Address
    live: bool
    since: float
    heard: float | None = None
    round_trip: float | None = None
    unanswered: int = 0
    _member: Member | None = None

    @classmethod
    def of(cls, claim: Claim, phase: int, short_id: int, view: int, now: float) -> "Entry":
        """The entry of a name that was not known."""
        return cls(claim.name, phase, short_id, claim, view, unpack(claim.address), claim.state.live, now)

    def hold(self, claim: Claim, short_id: int, view: int, now: float) -> None:
        """Hold another claim about the same name."""
        if short_id != self.short_id:  # another run: what this node has had to do with it begins anew
            self.heard = self.round_trip = None
            self.unanswered = 0
        if claim.address != self.claim.address:
            self.address = unpack(claim.address)
        self.claim, self.short_id, self.view, self.since = claim, short_id, view, now
        self.live = claim.state.live
        self._member = None

    def contact(self, now: float) -> Contact:
        """What this node has had to do with it so far."""
        heard = None if self.heard is None else now - self.heard
        return Contact(age=now - self.since, heard=heard, round_trip=self.round_trip, unanswered=self.unanswered)

    @property
    def origin(self) -> Origin:
        """This run of it, as the source of broadcasts and messages."""
        return Origin(self.name, self.claim.epoch, self.address)

    @property
    def member(self) -> Member:
        """The immutable view of it, made once per claim."""
        if self._member is None:
            self._member = as_member(self.claim)
        return self._member


def as_member(claim: Claim) -> Member:
    """What a claim says, for the application."""
    return Member(
        claim.name,
        unpack(claim.address),
        claim.epoch,
        claim.incarnation,
        claim.state,
        decode_metadata(claim.metadata),
    )


class Change(msgspec.Struct, frozen=True):
    """A claim that won: ``before`` is what was held (None: an unknown name), ``entry`` holds the new one.

    ``before_id`` is the short id of the run that was held, 0 for none.
    """

    entry: Entry
    before: Claim | None
    before_id: int

    @property
    def claim(self) -> Claim:
        return self.entry.claim

    @property
    def new_run(self) -> bool:
        """Whether the claim is about another run (or process) than the one held before."""
        before, after = self.before, self.entry.claim
        return before is None or (before.epoch, before.address) != (after.epoch, after.address)


def _bounds(index: int, count: int) -> tuple[int, int]:
    """Where a sync bucket begins and ends in the phase order."""
    return -(-index * _WHOLE // count), -(-(index + 1) * _WHOLE // count)


class Membership:
    """Claims by name, merged by `precedence`; this node's own among them, replaced only by itself."""

    def __init__(self, config: Config, hashes: Hashes) -> None:
        self._config = config
        self._hashes = hashes
        self._entries: dict[str, Entry] = {}
        self._by_id: dict[int, Entry] = {}
        self._by_address: dict[Address, Entry] = {}  # of several, the latest
        self._shadowed: dict[Address, list[Entry]] = {}  # the others, oldest first
        self._gone: dict[str, Entry] = {}  # in the order of learning
        self.growth = RateLimit(config.max_new_members_per_second)
        """The allowance for new names."""
        self._by_name: list[Entry] | None = None  # the live ones, while none comes or goes
        self._view_cache: tuple[Member, ...] | None = None
        self._cells = Cells()
        self._next_expiry = inf  # no entry is to be forgotten before
        self.local_name = ""
        self.version = 0
        """Counts changes of the set of live members: what was planned by it must be planned anew."""
        self.order: Ring[Entry] = Ring()
        """Live members by phase: the probe order."""
        self.rings: tuple[Ring[Entry], ...] = tuple(Ring() for _ in range(config.rings))
        """Live members on each flood ring."""
        self.everyone: Ring[Entry] = Ring()
        """All claims, gone ones too, by phase: what a sync pages through."""
        self.live_count = 0
        """n: live members, this node included."""
        self.digest = 0
        """XOR over the live members, this node included."""
        self.digest_since = float("-inf")
        """When the digest last changed."""

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
        return self._by_address.get(address)

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

    def successors(self) -> list[Entry]:
        """The next live member on each ring that is not chosen yet: at most K others, to flood and to wire."""
        local = self.local_name
        chosen: list[Entry] = []
        for ring, place in zip(self.rings, self.places(self._entries[local]), strict=True):
            for entry in ring.after(place):
                if entry.name != local and entry not in chosen:
                    chosen.append(entry)
                    break
        return chosen

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
        counts = dict.fromkeys(State, 0)
        for entry in self._entries.values():
            counts[entry.claim.state] += 1
        return counts

    def members(self, *, gone: bool = False) -> tuple[Member, ...]:
        """The members by name."""
        if gone:
            return tuple(self._entries[name].member for name in sorted(self._entries))
        if self._view_cache is None:
            if self._by_name is None:
                self._by_name = sorted(self.order, key=attrgetter("name"))
            self._view_cache = tuple([entry.member for entry in self._by_name])
        return self._view_cache

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
        if len(self._entries) - len(self._gone) >= self._config.max_members:
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
        self._view_cache = None
        if self.digest != digest:
            self.digest_since = now
        return Change(entry, before, before_id)

    def hold_all(self, roster: Roster, now: float) -> None:
        """Hold a whole roster, in linear time. This node's own claim must be in it, and be all that is held."""
        own = self._entries[self.local_name]
        entries = [
            own
            if claim.name == self.local_name
            else Entry(claim.name, phase, short_id, claim, view, address, True, now, _member=member)
            for claim, address, short_id, phase, view, member in roster.rows
        ]
        self._entries = {entry.claim.name: entry for entry in entries}
        self._by_id = {entry.short_id: entry for entry in entries}
        self._by_address, self._shadowed = {}, {}
        for entry in entries:
            self._settle_at(entry)
        orders = (roster.phases, roster.phases, *roster.rings)
        for ring, order in zip((self.order, self.everyone, *self.rings), orders, strict=True):
            ring.fill(order.positions, [entries[place] for place in order.places])
        self.version += 1
        self.live_count = len(entries)
        self._by_name = self._view_cache = None
        self.digest, self.digest_since = roster.digest, now
        self._cells = roster.cells.copy()

    def _link(self, entry: Entry) -> None:
        self.version += 1
        self._entries[entry.name] = entry
        self._by_id[entry.short_id] = entry
        self.everyone.add(entry.phase, entry)
        if not entry.live:
            self._gone[entry.name] = entry
            self._next_expiry = min(self._next_expiry, entry.since + self._lifetime(entry))
            return
        self._by_name = None
        self.live_count += 1
        self._settle_at(entry)
        self._sum(entry.phase, entry.view)
        self.order.add(entry.phase, entry)
        for ring, place in zip(self.rings, self.places(entry), strict=True):
            ring.add(place, entry)

    def _settle_at(self, entry: Entry) -> None:
        """A live member's address is its own now, whoever claimed it before."""
        before = self._by_address.get(entry.address)
        if before is not None:
            self._shadowed.setdefault(entry.address, []).append(before)
        self._by_address[entry.address] = entry

    def _unsettle(self, entry: Entry) -> None:
        shadowed = self._shadowed.get(entry.address)
        if self._by_address[entry.address] is not entry:
            assert shadowed is not None
            shadowed.remove(entry)
        elif shadowed:
            self._by_address[entry.address] = shadowed.pop()
        else:
            del self._by_address[entry.address]
        if shadowed == []:
            del self._shadowed[entry.address]

    def _unlink(self, entry: Entry) -> None:
        self.version += 1
        del self._entries[entry.name]
        del self._by_id[entry.short_id]
        self.everyone.remove(entry.phase, entry)
        if not entry.live:
            del self._gone[entry.name]
            return
        self._by_name = None
        self.live_count -= 1
        self._unsettle(entry)
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
