"""One name in the table: the highest claim about it, and this node's own contact with it."""

import msgspec

from swim_core.address import Address, unpack
from swim_core.events import Origin
from swim_core.member import Contact, Member
from swim_core.native.wire.claim import Claim, as_member

__all__ = ["Change", "Entry"]


class Entry(msgspec.Struct, eq=False, gc=False):
    """One name: the highest claim about it, and what follows from that claim. It remains the same object through all
    runs of the name, until the name is forgotten.

    Attributes:
        name: of the member.
        phase: the place of the name in the probe order.
        short_id: of the present run.
        claim: the highest.
        view: what the member adds to the view digest while it is live.
        address: of the claim.
        live: whether it is ALIVE or SUSPECT.
        since: when this node learned the claim; lifetimes count from then.
        heard: see `Contact`; a time. This and the following fields are about the present run.
        round_trip: see `Contact`.
        unanswered: see `Contact`.
        last_metadata: the packed metadata that it had until this node learned of its end; None while it is live.
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
    last_metadata: bytes | None = None
    _member: Member | None = None

    @classmethod
    def of(cls, claim: Claim, phase: int, short_id: int, view: int, now: float) -> "Entry":
        """The entry of a name that was unknown."""
        return cls(claim.name, phase, short_id, claim, view, unpack(claim.address), claim.state.live, now)

    def known(self, now: float) -> "Entry":
        """A copy for another table, which learned the claim ``now`` and has had no contact with the member."""
        return Entry(
            self.name,
            self.phase,
            self.short_id,
            self.claim,
            self.view,
            self.address,
            self.live,
            now,
            _member=self.member,
        )

    def hold(self, claim: Claim, short_id: int, view: int, now: float) -> None:
        """Hold another claim about the same name."""
        live = claim.state.live
        if short_id != self.short_id:  # another run: contact with it starts afresh
            self.heard = self.round_trip = self.last_metadata = None
            self.unanswered = 0
        elif live:
            self.last_metadata = None
        elif self.live:
            self.last_metadata = self.claim.metadata
        if claim.address != self.claim.address:
            self.address = unpack(claim.address)
        self.claim, self.short_id, self.view, self.since, self.live = claim, short_id, view, now, live
        self._member = None

    def contact(self, now: float) -> Contact:
        """This node's own contact with the member so far."""
        heard = None if self.heard is None else now - self.heard
        return Contact(age=now - self.since, heard=heard, round_trip=self.round_trip, unanswered=self.unanswered)

    @property
    def origin(self) -> Origin:
        """The present run, as the source of broadcasts and messages."""
        return Origin(self.name, self.claim.epoch, self.address)

    @property
    def member(self) -> Member:
        """The immutable view of it, made once per claim."""
        if self._member is None:
            self._member = as_member(self.claim)
        return self._member


class Change(msgspec.Struct, frozen=True):
    """A claim that won.

    Attributes:
        claim: which.
        entry: now has it.
        before: the claim held until then; None if the name was unknown.
        before_id: the short id of the run known until then, 0 for none.
        new_run: whether the claim is about another run than `before`.
    """

    claim: Claim
    entry: Entry
    before: Claim | None
    before_id: int
    new_run: bool
