"""The native datagram format, version 1: a clear header, then MessagePack of array-like structs.

    version (1 byte) | flags (1) | label hash (4, big-endian) | [sender, message | nil, claims, numbers, broadcasts]

Bounds stand in the types, so decoding checks them. The three lists at the end are left out where all
are empty: a bare ping takes 42 bytes and its ack 32. A sealed body is kept free.
"""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any

import msgspec
from msgspec import Raw

from swim_core.member import check_name

from .claim import U64, Claim, check_claim
from .messages import (
    Broadcast,
    ClaimOf,
    Join,
    JoinAck,
    Message,
    NotMe,
    Number,
    PageEntry,
    PingReq,
    SyncPage,
    SyncPush,
    Want,
)

__all__ = ["Envelope", "Flags", "decode", "encode_item", "pack"]

VERSION = 1
_HEADER = Struct(">BBI")
HEADER_SIZE = _HEADER.size
ENVELOPE_SIZE = 10  # the outer array and the sender's short id
LISTS_SIZE = 9  # three array headers of 3 bytes at most
NIL_SIZE = 1


OVERHEAD = HEADER_SIZE + ENVELOPE_SIZE + LISTS_SIZE


class Flags:
    """Bits of the header; plain numbers, since every datagram tests them."""

    SEALED = 1
    STABLE = 2
    """My view digest has not changed for 0.5 s."""
    DEAF = 4
    """I hear nobody: this datagram is no proof of a path to me."""
    CORRECTION = 8
    """An answer to a wrong belief; it must cause no correction in turn."""


class Envelope(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A decoded datagram after its header."""

    sender: U64
    message: Message | None
    claims: list[Claim] = []
    numbers: list[Number] = []
    broadcasts: list[Broadcast] = []


class _Bare(msgspec.Struct, array_like=True, gc=False):
    sender: int
    message: Message | Raw | None


class _Full(msgspec.Struct, array_like=True, gc=False):
    sender: int
    message: Message | Raw | None
    claims: Sequence[Raw]
    numbers: Sequence[Raw]
    broadcasts: Sequence[Raw]


NIL = Raw(b"\xc0")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Envelope).decode


def encode_item(item: Message | Claim | Number | Broadcast | PageEntry) -> Raw:
    """The bytes of one part of a datagram, made once and counted before it is packed."""
    return Raw(_encode(item))


def pack(
    label: int,
    flags: int,
    sender: int,
    message: Message | Raw | None = None,
    claims: Sequence[Raw] = (),
    numbers: Sequence[Raw] = (),
    broadcasts: Sequence[Raw] = (),
) -> bytes:
    """A whole datagram; all but the message are encoded already."""
    full = claims or numbers or broadcasts
    body = _Full(sender, message, claims, numbers, broadcasts) if full else _Bare(sender, message)
    return _HEADER.pack(VERSION, flags, label) + _encode(body)


unpack_header: Callable[[bytes], tuple[int, int, int]] = _HEADER.unpack_from
"""Version, flags and label hash; raises struct.error if the datagram is shorter than a header."""


def decode(data: bytes) -> Envelope:
    """What stands behind the header.

    Raises:
        ValueError: if it is not exactly a body of this format within its bounds (msgspec's errors and
            bad UTF-8 are ValueErrors too).
        RecursionError: on deep nesting.
    """
    envelope = _decode(data[HEADER_SIZE:])
    for claim in envelope.claims:
        check_claim(claim)
    for broadcast in envelope.broadcasts:
        check_name(broadcast.origin)
    check = _CHECKS.get(type(envelope.message))
    if check is not None:
        check(envelope.message)
    return envelope


def _check_join(join: Join) -> None:
    check_name(join.name)
    if join.claim is not None:
        check_claim(join.claim)


def _check_join_ack(ack: JoinAck) -> None:
    for claim in (ack.held, ack.own):
        if claim is not None:
            check_claim(claim)


def _check_not_me(answer: NotMe) -> None:
    if answer.claim is not None:
        check_claim(answer.claim)


def _check_ranges(want: Want) -> None:
    end = 0
    for first, last in want.ranges:  # ascending and apart, so that nothing is asked for twice
        if not end < first <= last:
            raise ValueError("ranges out of order")
        end = last


def _check_entries(page: SyncPage | SyncPush) -> None:
    for entry in page.entries:
        check_claim(entry.claim)


_CHECKS: dict[type, Callable[[Any], None]] = {
    PingReq: lambda request: check_claim(request.claim),
    Join: _check_join,
    JoinAck: _check_join_ack,
    ClaimOf: lambda answer: check_claim(answer.claim),
    NotMe: _check_not_me,
    Want: _check_ranges,
    SyncPage: _check_entries,
    SyncPush: _check_entries,
}
