"""What tools, which aren't members, ask a node: ASK and its arguments, and TELL, whose contents are in `answers`.

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
from swim_core.member import keep_number

from .claim import MAX_MILLIS, U32, U64, Millis

__all__ = [
    "ASK_SIZE",
    "EVER",
    "PAGE_SPACING",
    "Array",
    "Ask",
    "PackedAddress",
    "ShortText",
    "Tell",
    "What",
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


class Array(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """What goes as an array of its fields."""


class Ask(Array, frozen=True, tag=12):
    """A tool's question. ``cursor`` is 0, or where the last answer said that the next page begins."""

    nonce: U32
    what: What
    cursor: U64
    argument: Annotated[bytes, Meta(max_length=MAX_DATAGRAM)] = b""
    padding: Annotated[bytes, Meta(max_length=MAX_DATAGRAM)] = b""


class Tell(Array, frozen=True, tag=13):
    """A page of the answer: ``next`` is where the next one begins, None at the end; ``body`` is one of `BODIES`."""

    nonce: U32
    next: U64 | None
    body: Annotated[bytes, Meta(max_length=MAX_DATAGRAM)]


_addresses = msgspec.msgpack.Decoder(list[PackedAddress])
_letter = msgspec.msgpack.Decoder(tuple[ShortText, bytes])
_age = msgspec.msgpack.Decoder(Millis)


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
