"""The native datagram format, version 1: a clear header, then MessagePack of array-like structs.

    version (1 byte) | flags (1) | label hash (4, big-endian) | [sender, message | nil, claims, numbers, broadcasts]

In a sealed datagram the sender is in a longer header, and the array without it is encrypted
(`swim_core.native.sealing.seal`). The types have the bounds, so decoding checks them; `checks` does the rest. The three
lists at the end are left out if all are empty: a bare ping takes 42 bytes and its ack 32.
"""

from collections.abc import Callable, Sequence
from struct import Struct
from typing import TYPE_CHECKING, Annotated

import msgspec
from msgspec import Meta, Raw

from swim_core.counters import DropReason
from swim_core.member import check_name
from swim_core.native.sealing.header import BOUND, OPENS, OVERHEAD, SEALED, with_sender

from .checks import CHECKS
from .claim import U64, Claim, check_claim
from .growth import read_claims, read_further, read_message
from .messages import MAX_DATAGRAM, Broadcast, Further, Message, Number, PageEntry, PingReq
from .trimming import cut_list, items_of

if TYPE_CHECKING:  # only with keys
    from swim_core.native.sealing.ring import RingKey
    from swim_core.native.sealing.seal import Opened, Seal

__all__ = ["Codec", "Envelope", "Flags", "encode_item"]

VERSION = 1
HEADER = Struct(">BBI")
ENVELOPE_SIZE = 10  # the outer array and the sender's short id
LISTS_SIZE = 9  # three array headers of 3 bytes at most
MAX_FURTHER = 128
_HEADER_SIZE = HEADER.size


class Flags:
    """Bits of the header; plain numbers, since every datagram tests them."""

    SEALED = SEALED
    STABLE = 2
    """My view digest has not changed for 0.5 s."""
    DEAF = 4
    """I hear nobody: this datagram is no proof of a path to me."""
    CORRECTION = 8
    """An answer to a wrong belief; it must cause no correction in turn."""
    BOUND = BOUND
    """Sealed for one run of its receiver."""
    OPENS = OPENS
    """Not sealed, and its sender opens sealed ones."""


class Envelope(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    """A decoded datagram after its header."""

    sender: U64
    message: Message | None
    claims: list[Claim] = []
    numbers: list[Number] = []
    broadcasts: list[Broadcast] = []
    further: Annotated[list[Further], Meta(max_length=MAX_FURTHER)] = []


QUOTED = 24  # leading bytes, including the random seq; Linux quotes 520 of a refused datagram, a forger knows none
QUOTED_SEALED = 40  # leading bytes of a sealed ping, whose header is longer and not secret
NIL = Raw(b"\xc0")
_NOTHING = Raw(b"\x90")  # an empty list
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Envelope).decode
_unpack_header = HEADER.unpack_from


def _read_newer(body: bytes) -> Envelope:
    """The known parts of a body that is not exactly one of this release; see `growth`."""
    parts = items_of(body)
    if len(parts) < 2:
        raise ValueError("neither sender nor message")
    lists = [*parts[2:], *[_NOTHING] * 4]
    numbers, broadcasts = Raw(cut_list(Number, lists[1])), Raw(cut_list(Broadcast, lists[2]))
    plain = _decode(_encode([parts[0], NIL, _NOTHING, numbers, broadcasts]))
    claims, further = read_claims(lists[0]), read_further(lists[3])
    if len(further) > MAX_FURTHER:
        raise ValueError("more messages than a datagram may hold")
    return Envelope(plain.sender, read_message(parts[1]), claims, plain.numbers, plain.broadcasts, further)


def encode_item(item: Message | Claim | Number | Broadcast | PageEntry) -> Raw:
    """One part of a datagram, encoded once and counted before it is packed."""
    return Raw(_encode(item))


class Codec:
    """Makes and opens the datagrams of one cluster: every datagram goes through here, in either direction.

    Args:
        label: 32 bits of the cluster's label; a plain datagram with another one is not this cluster's.
        seal: encrypts bodies; without it datagrams are plain text.

    Attributes:
        label: as given.
        seal: as given.
        bare: the bytes, at most, of a datagram besides its message, if it holds nothing else.
        overhead: the bytes, at most, of a datagram besides its message and the items in its lists.
        quoted: leading bytes of a ping that a kernel's refusal must quote, so that nobody forges it.
        newer: how many opened datagrams held fields, lists or messages that this release doesn't know.
    """

    __slots__ = ("bare", "label", "newer", "overhead", "quoted", "seal")

    def __init__(self, label: int, seal: "Seal | None" = None) -> None:
        self.label = label
        self.seal = seal
        self.bare = _HEADER_SIZE + ENVELOPE_SIZE + (0 if seal is None else OVERHEAD)
        self.overhead = self.bare + LISTS_SIZE
        self.newer = 0
        self.quoted = QUOTED if seal is None else QUOTED_SEALED

    def pack(
        self,
        flags: int,
        sender: int,
        message: Message | Raw | None = None,
        claims: Sequence[Raw] = (),
        numbers: Sequence[Raw] = (),
        broadcasts: Sequence[Raw] = (),
        further: Sequence[Raw] = (),
        *,
        peer: int = 0,
        key: "RingKey | None" = None,
        bound: bool = False,
        now: float = 0.0,
    ) -> bytes:
        """A whole datagram. Everything but the message is already encoded.

        Args:
            flags: of the header.
            sender: short id.
            message: what it is about.
            claims: and the other lists: what rides along.
            peer: short id of the receiving run, if known; it decides on the key. This and the following arguments
                matter only with a seal.
            key: the key that the question was sealed with, if this is an answer.
            bound: whether only that run is to open it.
            now: seconds.
        """
        items: tuple[Message | Raw | Sequence[Raw] | None, ...]
        if further:
            items = (message, claims, numbers, broadcasts, further)
        elif claims or numbers or broadcasts:
            items = (message, claims, numbers, broadcasts)
        else:
            items = (message,)
        seal = self.seal
        if seal is not None:
            key = seal.key_for(peer, key)
            if key is not None:
                return seal.seal(flags, sender, _encode(items), key, peer if bound else 0, now)
            flags |= OPENS
        return HEADER.pack(VERSION, flags, self.label) + _encode((sender, *items))

    def pack_for_each(
        self,
        flags: int,
        sender: int,
        claims: Sequence[Raw],
        numbers: Sequence[Raw],
        broadcasts: Sequence[Raw],
        *,
        now: float,
    ) -> Callable[[int], bytes]:
        """A function that gives the datagram for one run, by its short id: what all are told is encoded once.

        Without a message; otherwise as `pack`, and bound to that run.
        """
        seal = self.seal
        if seal is None:
            data = self.pack(flags, sender, None, claims, numbers, broadcasts)
            return lambda _: data
        text = _encode((None, claims, numbers, broadcasts))

        def pack(peer: int) -> bytes:
            key = seal.key_for(peer, None)
            if key is None:
                return self.pack(flags, sender, None, claims, numbers, broadcasts, peer=peer)
            return seal.seal(flags, sender, text, key, peer, now)

        return pack

    def open(self, data: bytes, now: float = 0.0) -> "tuple[int, Envelope, Opened | None] | DropReason":
        """The flags and the contents of a datagram, and what its seal said; or the reason why it isn't one of this
        cluster, or breaks a bound."""
        size = len(data)
        if size > MAX_DATAGRAM:
            return DropReason.TOO_LARGE
        if size <= _HEADER_SIZE:
            return DropReason.BAD_HEADER
        version, flags, label = _unpack_header(data)
        if version != VERSION:
            return DropReason.BAD_HEADER
        if flags & SEALED:
            return self._open_sealed(data, flags, now)
        if label != self.label:
            return DropReason.OTHER_CLUSTER
        if self.seal is not None and not self.seal.plain:
            return DropReason.NOT_SEALED
        envelope = self._read(data[_HEADER_SIZE:])
        return DropReason.UNDECODABLE if envelope is None else (flags, envelope, None)

    def _open_sealed(self, data: bytes, flags: int, now: float) -> "tuple[int, Envelope, Opened | None] | DropReason":
        if self.seal is None:
            return DropReason.SEALED
        found = self.seal.open(data, flags, now)
        if not isinstance(found, tuple):
            return found
        opened, text = found
        body = with_sender(text, data)
        envelope = None if body is None else self._read(body)
        return DropReason.UNDECODABLE if envelope is None else (flags, envelope, opened)

    def _read(self, body: bytes) -> Envelope | None:
        """The contents of a body, which includes its sender; None if it is not well formed."""
        try:
            try:
                envelope = _decode(body)
            except msgspec.ValidationError:  # it may come from a newer release
                envelope = _read_newer(body)
                self.newer += 1
            for claim in envelope.claims:
                check_claim(claim)
            for broadcast in envelope.broadcasts:
                check_name(broadcast.origin)
            check = CHECKS.get(type(envelope.message))
            if check is not None:
                check(envelope.message)
            for message in envelope.further:
                if type(message) is PingReq:
                    check_claim(message.claim)
        except (ValueError, RecursionError):  # msgspec's errors and bad UTF-8 are ValueErrors too
            return None
        return envelope
