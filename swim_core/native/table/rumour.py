"""One claim of hearsay, while it is kept aside."""

from enum import Enum, auto

import msgspec

from swim_core.address import Address, unpack
from swim_core.native.wire.claim import Claim
from swim_core.shared.timers import Timer

__all__ = ["Rumour", "Stage"]

MAX_TELLERS = 8  # tellers remembered of one name: two witnesses are enough


class Stage(Enum):
    """How far the examination of a name has come."""

    WAITING = auto()
    ASKED = auto()
    RESTING = auto()
    """It did not answer."""
    OVER = auto()
    """The name is no longer kept: it became a member, or was dropped."""


class Rumour(msgspec.Struct, eq=False):
    """The news that a run of a member lives at an address, told by other members.

    Attributes:
        claim: the highest claim about it that was told.
        short_id: of that run.
        address: where the run is said to be.
        tellers: the names of the first members that told it.
        stage: see `Stage`.
        tries: pings sent to it.
        asked_at: when the last ping was sent.
        began: when the first was sent.
        first_refused: when a kernel first said that nobody is there.
        refused: when it last did.
        replaced: whether another run answered there.
        timer: the timer of the next step.
        number: the number of its last broadcast, as told in a sync.
    """

    claim: Claim
    short_id: int
    address: Address
    tellers: list[str] = msgspec.field(default_factory=list)
    stage: Stage = Stage.WAITING
    tries: int = 0
    asked_at: float = 0.0
    began: float | None = None
    first_refused: float | None = None
    refused: float | None = None
    replaced: bool = False
    timer: Timer | None = None
    number: int = 0

    @classmethod
    def of(cls, claim: Claim, short_id: int) -> "Rumour":
        """A rumour with the claim that was heard first."""
        return cls(claim, short_id, unpack(claim.address))

    @property
    def key(self) -> tuple[int, bytes]:
        """The key by which it is kept: a forged address of a name never hides the true one."""
        return self.short_id, self.claim.address

    def heard_from(self, name: str) -> bool:
        """Note a teller; returns whether it is new."""
        if name in self.tellers or len(self.tellers) == MAX_TELLERS:
            return False
        self.tellers.append(name)
        return True

    def refuse(self, now: float) -> None:
        """A kernel said that nobody is there."""
        self.first_refused = now if self.first_refused is None else self.first_refused
        self.refused = now

    def refused_twice(self, apart: float) -> bool:
        """Whether two refusals were this many seconds apart, or more: a firewall that is reloaded makes one burst."""
        return (
            self.first_refused is not None and self.refused is not None and self.refused - self.first_refused >= apart
        )

    def go_to(self, stage: Stage) -> None:
        """Cancel the planned step."""
        self.stage = stage
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None
