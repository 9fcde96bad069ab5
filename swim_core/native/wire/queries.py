"""What tools, which aren't members, ask a node, and what it tells them: ASK, TELL and their contents.

A tool has no name and no short id: it is answered at the address that it asks from, page by page. Each ASK names where
its page is to begin, as the previous TELL said. So if the view changes between two pages, no remaining member is lost,
and nobody loops. No page is longer than the request for it; tools pad.
"""

from collections.abc import Iterable
from enum import IntEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from swim_core.address import Address, pack, unpack
from swim_core.member import Rule, check_name, keep_number

from .claim import MAX_MILLIS, U32, U64, Claim, Millis, check_claim
from .trimming import cut_body

__all__ = [
    "ASK_SIZE",
    "BODIES",
    "EVER",
    "PAGE_SPACING",
    "Ask",
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
    "Tell",
    "Teller",
    "What",
    "decode_body",
    "pack_addresses",
    "pack_age",
    "pack_letter",
    "unpack_addresses",
    "unpack_age",
    "unpack_letter",
]

ASK_SIZE = 1_200
"""The bytes to which an ASK is padded: the largest row fits in an answer of that size, which passes every path."""
PAGE_SPACING = 0.1
"""The seconds between two pages to one other host."""
EVER = MAX_MILLIS
"""The ms that EVENTS takes for all that is remembered."""
MAX_DATAGRAM = 65_507  # the most that UDP over IPv4 carries

ShortText = Annotated[str, Meta(max_length=1_024)]
Number = float | int | bool | None
PackedAddress = Annotated[bytes, Meta(min_length=6, max_length=18)]


class What(IntEnum):
    """The questions."""

    MEMBERS = 0
    """The live members."""
    EVERYONE = 1
    """The live members, and the dead and departed ones that are still remembered."""
    REASON = 2
    """The evidence for the state of the member whose name is the argument."""
    BROADCAST = 3
    """Broadcast the argument, on behalf of the tool."""
    JOIN = 4
    """Add the addresses in the argument to the seeds; see `pack_addresses`."""
    KEYS = 5
    """The ids of the node's keys, and how far the other members agree."""
    EVENTS = 6
    """What happened to members lately, no longer ago than the argument says; see `pack_age`."""
    FIGURES = 7
    """The node's statistics."""
    PING = 8
    """Ping the member whose name is the argument; what comes of it shows in its row."""
    SEND = 9
    """Send a message to a member; see `pack_letter`."""
    REMOVE = 10
    """Tell all that the dead member whose name is the argument has gone for good."""
    LEAVE = 11
    """Ask the application of the node to leave."""

    @classmethod
    def _missing_(cls, value: object) -> "What | None":
        return keep_number(cls, value)


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


class _Base(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    pass


class Ask(_Base, frozen=True, tag=12):
    """A tool's question. ``cursor`` is 0, or where the last answer said that the next page begins."""

    nonce: U32
    what: What
    cursor: U64
    argument: Annotated[bytes, Meta(max_length=MAX_DATAGRAM)] = b""
    padding: Annotated[bytes, Meta(max_length=MAX_DATAGRAM)] = b""


class Tell(_Base, frozen=True, tag=13):
    """A page of the answer: ``next`` is where the next one begins, None at the end; ``body`` one of `BODIES`."""

    nonce: U32
    next: U64 | None
    body: Annotated[bytes, Meta(max_length=MAX_DATAGRAM)]


class Teller(_Base, frozen=True):
    """The member that answers: its name, address and cluster time (ms), and how many members it sees live and gone."""

    name: ShortText
    address: PackedAddress
    time: Millis
    live: U32
    gone: U32
    standing: Standing


class Row(_Base, frozen=True):
    """One member as the node that answers holds it.

    Attributes:
        claim: what it holds; in a `ReasonPage` without metadata, to leave room for the reasons.
        age: ms since it learned that.
        heard: ms since it heard the member itself; None for never.
        round_trip: microseconds, of the last ping that the member answered; None for none yet.
        unanswered: pings in a row that the member has not answered.
        accuser: the name of the member that gave the verdict; empty if there is none.
        accuser_address: where that one listens; None if it is not known.
    """

    claim: Claim
    age: U64
    heard: U64 | None
    round_trip: U64 | None
    unanswered: U32
    accuser: ShortText = ""
    accuser_address: PackedAddress | None = None

    @property
    def rule(self) -> Rule | None:
        """By which rule it was judged."""
        return None if self.claim.verdict is None else self.claim.verdict.rule


class Note(_Base, frozen=True):
    """An `Observation`, with times in ms of cluster time."""

    at: Millis
    observer: ShortText
    what: ShortText
    detail: ShortText
    count: U32
    last: Millis


class MembersPage(_Base, frozen=True):
    """Answers MEMBERS and EVERYONE."""

    teller: Teller
    rows: list[Row]


class ReasonPage(_Base, frozen=True):
    """Answers REASON: ``row`` is None for a name that is not known. Notes come oldest first."""

    teller: Teller
    row: Row | None
    notes: list[Note]


class Spoken(_Base, frozen=True):
    """Answers BROADCAST: its number, or why it was refused."""

    teller: Teller
    number: U32 | None
    refusal: ShortText = ""


class Joined(_Base, frozen=True):
    """Answers JOIN: how many seeds the node has now, or why it accepts no further ones."""

    teller: Teller
    seeds: U32 | None
    refusal: ShortText = ""


class KeysPage(_Base, frozen=True):
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


class Happened(_Base, frozen=True):
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


class EventsPage(_Base, frozen=True):
    """Answers EVENTS, oldest first."""

    teller: Teller
    events: list[Happened]


class Figure(_Base, frozen=True):
    """One statistic by its name in `Statistics`: a number, or numbers by reason, kind and so on. None for no value."""

    name: ShortText
    value: Number | dict[ShortText, Number]


class FiguresPage(_Base, frozen=True):
    """Answers FIGURES."""

    teller: Teller
    figures: list[Figure]


class Done(_Base, frozen=True):
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
_addresses = msgspec.msgpack.Decoder(list[PackedAddress])
_letter = msgspec.msgpack.Decoder(tuple[ShortText, bytes])
_age = msgspec.msgpack.Decoder(Millis)
_DECODERS = {what: msgspec.msgpack.Decoder(kind) for what, kind in BODIES.items()}


def pack_addresses(addresses: Iterable[Address]) -> bytes:
    """The argument of JOIN."""
    return msgspec.msgpack.encode([pack(address) for address in addresses])


def unpack_addresses(data: bytes) -> list[Address]:
    """The addresses in such an argument.

    Raises:
        ValueError: if it is not such an argument, or breaks a bound.
        RecursionError: on deep nesting.
    """
    return [unpack(packed) for packed in _addresses.decode(data)]


def pack_age(milliseconds: int) -> bytes:
    """The argument of EVENTS."""
    return msgspec.msgpack.encode(min(max(0, milliseconds), MAX_MILLIS))


def unpack_age(data: bytes) -> int:
    """The milliseconds in such an argument; `EVER` for an empty one, and for any other that is no age."""
    try:
        return _age.decode(data)
    except (ValueError, RecursionError):
        return EVER


def pack_letter(name: str, payload: bytes) -> bytes:
    """The argument of SEND."""
    return msgspec.msgpack.encode((name, payload))


def unpack_letter(data: bytes) -> tuple[str, bytes]:
    """The name and the payload in such an argument.

    Raises:
        ValueError: if it is not such an argument.
        RecursionError: on deep nesting.
    """
    return _letter.decode(data)


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
            if row.accuser_address is not None:
                unpack(row.accuser_address)
    return body
