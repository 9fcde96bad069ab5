"""What a node tells the tools that ask it: the contents of TELL, one kind for each question."""

from enum import IntEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from swim_core.address import unpack
from swim_core.member import Rule, check_name, keep_number

from .claim import MAX_METADATA, U32, U64, Claim, Millis, check_claim, decode_metadata
from .queries import Array, PackedAddress, ShortText, What
from .trimming import cut_body

__all__ = [
    "BODIES",
    "Body",
    "Done",
    "EventsPage",
    "Figure",
    "FiguresPage",
    "Happened",
    "Joined",
    "KeysPage",
    "MembersPage",
    "Note",
    "ReasonPage",
    "Row",
    "Spoken",
    "Standing",
    "Teller",
    "decode_body",
]

Number = float | int | bool | None


class Standing(IntEnum):
    """The state of the node that answers, which matters for trusting its view."""

    FINE = 0
    DEAF = 1
    """It hears nobody just now."""
    ISOLATED = 2
    """It has heard nobody for the stall tolerance."""
    SUPERSEDED = 3
    """Another live process owns its name."""
    LEFT = 4
    """It has said goodbye."""
    UNANSWERED = 5
    """It is alone, and none of its seeds has answered."""

    @classmethod
    def _missing_(cls, value: object) -> "Standing | None":
        return keep_number(cls, value)


class Teller(Array, frozen=True):
    """The member that answers: its name, address and cluster time (ms), and how many members it sees live and gone."""

    name: ShortText
    address: PackedAddress
    time: Millis
    live: U32
    gone: U32
    standing: Standing


class Row(Array, frozen=True):
    """One member as the node that answers holds it.

    Attributes:
        claim: what it holds; in a `ReasonPage` without metadata, to leave room for the reasons.
        age: ms since it learned that.
        heard: ms since it heard the member itself; None for never.
        round_trip: microseconds, of the last ping that the member answered; None for none yet.
        unanswered: pings in a row that the member has not answered.
        accuser: the name of the member that gave the verdict; empty if there is none.
        accuser_address: where that one listens; None if it is not known.
        last_metadata: of one that is gone, packed, as it was until the end; None if it is live or that is not known.
    """

    claim: Claim
    age: U64
    heard: U64 | None
    round_trip: U64 | None
    unanswered: U32
    accuser: ShortText = ""
    accuser_address: PackedAddress | None = None
    last_metadata: Annotated[bytes, Meta(max_length=MAX_METADATA)] | None = None

    @property
    def rule(self) -> Rule | None:
        """By which rule it was judged."""
        return None if self.claim.verdict is None else self.claim.verdict.rule


class Note(Array, frozen=True):
    """An `Observation`, with times in ms of cluster time."""

    at: Millis
    observer: ShortText
    what: ShortText
    detail: ShortText
    count: U32
    last: Millis


class MembersPage(Array, frozen=True):
    """Answers MEMBERS and EVERYONE."""

    teller: Teller
    rows: list[Row]


class ReasonPage(Array, frozen=True):
    """Answers REASON: ``row`` is None for a name that is not known. Notes come oldest first."""

    teller: Teller
    row: Row | None
    notes: list[Note]


class Spoken(Array, frozen=True):
    """Answers BROADCAST: its number, or why it was refused."""

    teller: Teller
    number: U32 | None
    refusal: ShortText = ""


class Joined(Array, frozen=True):
    """Answers JOIN: how many seeds the node has now, or why it accepts no further ones."""

    teller: Teller
    seeds: U32 | None
    refusal: ShortText = ""


class KeysPage(Array, frozen=True):
    """Answers KEYS.

    Attributes:
        teller: who answers.
        held: ids of its keys, the preferred one first; none if it seals nothing.
        accepts_plain: whether it takes plain datagrams.
        plain: live members that it last heard in plain text.
        other: live members that prefer another key.
    """

    teller: Teller
    held: list[U32]
    accepts_plain: bool
    plain: U32
    other: U32


class Happened(Array, frozen=True):
    """One thing that happened, as the node that answers came to know it.

    Attributes:
        at: the cluster time (ms) at which it learned it.
        what: "joined", "suspect", "recovered", "dead", "left", "updated", "isolated" or "reconnected"; a newer
            release may have others.
        member: the name; that of the node itself for what is about no other.
        address: of the member; None for the node itself.
        epoch: the member's run.
        incarnation: within that run.
        rule: of a verdict.
        accuser: who gave the verdict; empty if there is none.
        time: cluster time (ms) of the verdict.
    """

    at: Millis
    what: ShortText
    member: ShortText
    address: PackedAddress | None
    epoch: U64
    incarnation: U32
    rule: Rule | None = None
    accuser: ShortText = ""
    time: Millis = 0


class EventsPage(Array, frozen=True):
    """Answers EVENTS, oldest first."""

    teller: Teller
    events: list[Happened]


class Figure(Array, frozen=True):
    """One statistic by its name in `Statistics`: a number, or numbers by reason, kind and so on. None for no value."""

    name: ShortText
    value: Number | dict[ShortText, Number]


class FiguresPage(Array, frozen=True):
    """Answers FIGURES."""

    teller: Teller
    figures: list[Figure]


class Done(Array, frozen=True):
    """Answers PING, SEND, REMOVE and LEAVE: 1 if it is done, or why it is refused."""

    teller: Teller
    done: U32 | None
    refusal: ShortText = ""


Body = MembersPage | ReasonPage | Spoken | Joined | KeysPage | EventsPage | FiguresPage | Done

BODIES: dict[What, type[Body]] = {
    What.MEMBERS: MembersPage,
    What.EVERYONE: MembersPage,
    What.REASON: ReasonPage,
    What.BROADCAST: Spoken,
    What.JOIN: Joined,
    What.KEYS: KeysPage,
    What.EVENTS: EventsPage,
    What.FIGURES: FiguresPage,
    What.PING: Done,
    What.SEND: Done,
    What.REMOVE: Done,
    What.LEAVE: Done,
}
_DECODERS = {what: msgspec.msgpack.Decoder(kind) for what, kind in BODIES.items()}


def decode_body(what: What, data: bytes) -> Body:
    """The body of an answer.

    Raises:
        ValueError: if it is not exactly such a body, or breaks a bound.
        RecursionError: on deep nesting.
    """
    try:
        body: Body = _DECODERS[what].decode(data)
    except msgspec.ValidationError:  # it may come from a newer release
        body = _DECODERS[what].decode(cut_body(BODIES[what], data))
    check_name(body.teller.name)
    unpack(body.teller.address)
    rows = body.rows if isinstance(body, MembersPage) else [body.row] if isinstance(body, ReasonPage) else []
    for happened in body.events if isinstance(body, EventsPage) else ():
        check_name(happened.member)
        if happened.address is not None:
            unpack(happened.address)
    for row in rows:
        if row is not None:
            check_claim(row.claim)
            decode_metadata(row.last_metadata)
            if row.accuser_address is not None:
                unpack(row.accuser_address)
    return body
