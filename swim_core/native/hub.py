"""What a part of a node may report: the only way in which a part reaches others that it was not handed."""

from enum import Enum, auto
from typing import Protocol

from .datagrams.sender import Sender
from .table.entry import Change, Entry
from .table.rumour import Rumour
from .wire.claim import Claim

__all__ = ["Hub", "Refutation"]


class Refutation(Enum):
    """What follows from a claim about this node's own name."""

    NOTHING = auto()
    STALE = auto()
    """The claim is lower than the node's own: whoever holds it can be corrected."""
    ANSWERED = auto()
    """The node has answered with a higher claim, which must be told."""
    WAS_DEAD = auto()
    """As `REFUTED`, and this node was held to be gone, so it has missed things."""
    CONFLICT = auto()
    """Another live process owns the name."""


class Hub(Protocol):
    """Takes reports and passes them on to the parts that they concern; what `Reports` does.

    A report says what has happened, never what should follow: the hub decides that. A part that wants to *know*
    something is handed the part that knows it.
    """

    def claim_won(self, change: Change, now: float) -> None:
        """A claim about another member was higher than the one held, and is in the table now."""

    def rumour_believed(self, rumour: Rumour, now: float) -> None:
        """A member that others told of has answered, or enough members have told of it."""

    def many_met(self, now: float) -> None:
        """Many members that others told of have been met, and for a while no further ones."""

    def own_name_claimed(self, refutation: Refutation, claim: Claim, sender: Sender | None, now: float) -> None:
        """Something was claimed about this node, by ``sender``; None if it came in a sync or in the answer to a
        JOIN."""

    def unknown_elsewhere(self, entry: Entry, now: float) -> None:
        """The other side of a sync doesn't know that member, and this node hasn't heard it lately."""

    def verdict_given(self, claim: Claim, now: float) -> None:
        """This node itself has judged another member, as ``claim`` says."""

    def probe_failed(self, entry: Entry, sent: float, now: float) -> None:
        """A probe sent at ``sent`` got no answer, nor any other sign of life."""

    def round_ended(self, now: float) -> None:
        """This node has had its turn in a round of probes, which comes once per interval."""

    def admitted(self, sender: Sender, now: float) -> None:
        """A seed took this node in."""

    def forgotten(self, entry: Entry, now: float) -> None:
        """A member is no longer in the table."""

    def found(self, now: float) -> None:
        """A cluster that was there before this node showed itself: a member of it joined this node, as discovery has
        it, or answered this node's request."""

    def paused(self, seconds: float) -> None:
        """This process did not run for that many seconds."""
