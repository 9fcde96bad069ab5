"""Smudge's datagrams: exact bytes to fields and back, without their meaning.

One header, up to 63 member records, at most one broadcast; all integers little-endian, IP addresses as
they stand on the wire. Nothing in a datagram says whether addresses take 4 or 16 bytes: all nodes of a
cluster agree on it, so each function is told.
"""

from enum import IntEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from struct import Struct
from struct import error as StructError
from zlib import adler32

import attrs

from swim_core.address import Address
from swim_core.errors import ConfigError, PayloadTooLarge, SwimError

__all__ = [
    "HEADER_SIZE",
    "MAX_RECORDS",
    "BroadcastRecord",
    "DecodeError",
    "MemberRecord",
    "Message",
    "Status",
    "Verb",
    "decode",
    "decode_announcement",
    "encode",
    "encode_announcement",
    "record_size",
    "verb_of",
]

MAX_RECORDS = 63  # six bits
VERB_BITS = 2

_checksum = Struct("<I")
_header = Struct("<BHI")  # verb and count, sender's port, code
_records = {False: Struct("<B4sHI4sH"), True: Struct("<B16sHI16sH")}
_broadcasts = {False: Struct("<4sHIH"), True: Struct("<16sHIH")}
_nowhere = {False: (bytes(4), 0), True: (bytes(16), 0)}

HEADER_SIZE = _checksum.size + _header.size


class DecodeError(SwimError):
    """These bytes are not exactly one datagram of this protocol."""


class Verb(IntEnum):
    """What a datagram asks or answers."""

    PING = 0
    """Answer with an ACK."""
    ACK = 1
    """Repeats the code of what it answers."""
    PINGREQ = 2
    """Ping the first record's node for the sender."""
    NFPING = 3
    """A ping on behalf of another ("non-forwarding")."""


class Status(IntEnum):
    """What a member record states; real nodes store and pass on any other byte too."""

    UNKNOWN = 0
    ALIVE = 1
    SUSPECTED = 2
    DEAD = 3
    FORWARD_TO = 4
    """No status: marks the target of a PINGREQ."""


@attrs.frozen
class MemberRecord:
    """One node's standing, as gossip carries it.

    Attributes:
        status: 0 to 255; `Status` names some.
        address: of the node.
        heartbeat: of the claim, 0 to 2^32 - 1.
        source: the node that first made the claim; None if the record names nobody (all zeros).
    """

    status: int
    address: Address
    heartbeat: int
    source: Address | None


@attrs.frozen
class BroadcastRecord:
    """An application's message; (origin, index) identifies it."""

    origin: Address
    index: int
    payload: bytes


@attrs.frozen
class Message:
    """A datagram, decoded.

    Attributes:
        verb: what it asks or answers.
        sender_port: where its sender listens.
        code: the sender's heartbeat, or what is answered, 0 to 2^32 - 1.
        members: at most 63 records.
        broadcast: or None.
    """

    verb: Verb
    sender_port: int
    code: int
    members: tuple[MemberRecord, ...] = ()
    broadcast: BroadcastRecord | None = None


def record_size(*, ipv6: bool) -> int:
    """Bytes that one member record takes."""
    return _records[ipv6].size


def verb_of(header: bytes) -> Verb:
    """The verb in a complete header."""
    return Verb(header[_checksum.size] & 3)


def decode(data: bytes, *, ipv6: bool = False) -> Message:
    """The fields of a datagram, whose addresses take 16 bytes if ``ipv6``, else 4.

    Any field may hold any value; the node ignores what makes no sense.

    Raises:
        DecodeError: if the bytes are cut short, go on beyond the end, or fail their checksum.
    """
    if len(data) < HEADER_SIZE:
        raise DecodeError(f"{len(data)} bytes: a header has {HEADER_SIZE}")
    if _checksum.unpack_from(data)[0] != adler32(data[_checksum.size :]):
        raise DecodeError("wrong checksum")
    first, port, code = _header.unpack_from(data, _checksum.size)
    record = _records[ipv6]
    end = HEADER_SIZE + (first >> VERB_BITS) * record.size
    if len(data) < end:
        raise DecodeError(f"{len(data)} bytes: its member records end at {end}")
    members = tuple(
        MemberRecord(
            status,
            _address(ip, at),
            heartbeat,
            None if (source, source_port) == _nowhere[ipv6] else _address(source, source_port),
        )
        for status, ip, at, heartbeat, source, source_port in record.iter_unpack(data[HEADER_SIZE:end])
    )
    broadcast = _decode_broadcast(data, end, ipv6) if len(data) > end else None
    return Message(verb_of(data), port, code, members, broadcast)


def _decode_broadcast(data: bytes, start: int, ipv6: bool) -> BroadcastRecord:
    fixed = _broadcasts[ipv6]
    if len(data) < start + fixed.size:
        raise DecodeError("a broadcast cut short")
    ip, port, index, length = fixed.unpack_from(data, start)
    payload = data[start + fixed.size :]
    if len(payload) != length:
        raise DecodeError(f"a broadcast of {length} bytes with {len(payload)} of them")
    return BroadcastRecord(_address(ip, port), index, bytes(payload))


def encode(message: Message, *, ipv6: bool = False) -> bytes:
    """The bytes of a message.

    Raises:
        ConfigError: if a field is out of its range, or an IPv6 address is to go into 4 bytes.
        PayloadTooLarge: if there are more than 63 records, or over 65,535 bytes to broadcast.
    """
    if len(message.members) > MAX_RECORDS:
        raise PayloadTooLarge(f"{len(message.members)} member records: a datagram holds at most {MAX_RECORDS}")
    try:
        body = _header.pack(
            Verb(message.verb) | len(message.members) << VERB_BITS, message.sender_port, message.code
        ) + b"".join([_encode_member(record, ipv6) for record in message.members])
        if message.broadcast is not None:
            body += _encode_broadcast(message.broadcast, ipv6)
    except (StructError, ValueError) as error:
        raise error if isinstance(error, SwimError) else ConfigError(f"{message} can't be encoded: {error}") from None
    return _checksum.pack(adler32(body)) + body


def _encode_member(record: MemberRecord, ipv6: bool) -> bytes:
    source = _nowhere[ipv6] if record.source is None else (_packed(record.source.host, ipv6), record.source.port)
    host, port = record.address
    return _records[ipv6].pack(record.status, _packed(host, ipv6), port, record.heartbeat, *source)


def _encode_broadcast(broadcast: BroadcastRecord, ipv6: bool) -> bytes:
    if len(broadcast.payload) > 0xFFFF:
        raise PayloadTooLarge(f"a broadcast of {len(broadcast.payload)} bytes: the format ends at 65535")
    host, port = broadcast.origin
    fixed = _broadcasts[ipv6].pack(_packed(host, ipv6), port, broadcast.index, len(broadcast.payload))
    return fixed + broadcast.payload


def decode_announcement(data: bytes, *, ipv6: bool = False) -> tuple[str, Message]:
    """The cluster's name and the message of a multicast datagram. Bytes of a name that aren't UTF-8 become surrogates.

    Raises:
        DecodeError: if it is not exactly a name and a message.
    """
    size = 1 + data[0] if data else 1
    if len(data) < size:
        raise DecodeError("an announcement cut short in its cluster's name")
    return data[1:size].decode(errors="surrogateescape"), decode(data[size:], ipv6=ipv6)


def encode_announcement(cluster: str, message: Message, *, ipv6: bool = False) -> bytes:
    """The bytes of a multicast datagram.

    Raises:
        ConfigError: if the name takes more than 255 bytes, or the message can't be encoded.
        PayloadTooLarge: as `encode`.
    """
    try:
        name = cluster.encode(errors="surrogateescape")
    except UnicodeEncodeError:
        raise ConfigError(f"cluster name {cluster!r} is no text") from None
    if len(name) > 255:
        raise ConfigError(f"a cluster name has at most 255 bytes, not {len(name)}")
    return bytes([len(name)]) + name + encode(message, ipv6=ipv6)


@lru_cache(maxsize=65_536)
def _address(packed: bytes, port: int) -> Address:
    """The canonical address; IPv4 wrapped in IPv6 is unwrapped, as everywhere here."""
    if len(packed) == 4:
        return Address(str(IPv4Address(packed)), port)
    ip = IPv6Address(packed)
    return Address(str(ip.ipv4_mapped or ip), port)


@lru_cache(maxsize=65_536)
def _packed(host: str, ipv6: bool) -> bytes:
    ip = ip_address(host)
    if not ipv6 and ip.version == 6:
        raise ConfigError(f"{host} does not fit in the 4 bytes of an IPv4 cluster's addresses")
    if ipv6 and ip.version == 4:
        return bytes(10) + b"\xff\xff" + ip.packed
    return ip.packed
