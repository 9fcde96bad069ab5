"""Smudge's format: every field survives a round trip, and only exact datagrams are decoded."""

from ipaddress import IPv4Address, IPv6Address
from zlib import adler32

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from swim_core import Address, ConfigError, PayloadTooLarge, SwimError
from swim_core.smudge import (
    BroadcastRecord,
    DecodeError,
    MemberRecord,
    Message,
    Status,
    Verb,
    decode,
    decode_announcement,
    encode,
    encode_announcement,
)

U16, U32 = st.integers(0, 2**16 - 1), st.integers(0, 2**32 - 1)


def host(ip: IPv4Address | IPv6Address) -> str:
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    return str(mapped or ip)


def messages(ipv6: bool) -> st.SearchStrategy[Message]:
    addresses = st.builds(Address, st.ip_addresses(v=6 if ipv6 else 4).map(host), U16)
    nowhere = Address("::" if ipv6 else "0.0.0.0", 0)
    sources = st.none() | addresses.filter(lambda a: a != nowhere)
    records = st.builds(MemberRecord, st.integers(0, 255), addresses, U32, sources)
    broadcasts = st.builds(BroadcastRecord, addresses, U32, st.binary(max_size=600))
    return st.builds(
        Message, st.sampled_from(Verb), U16, U32, st.lists(records, max_size=63).map(tuple), st.none() | broadcasts
    )


BOTH = st.booleans().flatmap(lambda ipv6: st.tuples(st.just(ipv6), messages(ipv6)))
PING = Message(Verb.PING, 9999, 1)


def with_checksum(body: bytes) -> bytes:
    return adler32(body).to_bytes(4, "little") + body


def test_the_example_of_the_specification() -> None:
    assert encode(PING).hex() == "38002801000f2701000000"
    assert decode(bytes.fromhex("38002801000f2701000000")) == PING


def test_the_layout_byte_by_byte() -> None:
    message = Message(
        Verb.PINGREQ,
        0x1234,
        0x01020304,
        (MemberRecord(Status.FORWARD_TO, Address("1.2.3.4", 0x5678), 0x0A0B0C0D, Address("5.6.7.8", 0x9ABC)),),
        BroadcastRecord(Address("9.8.7.6", 0xDEF0), 0x11223344, b"hi"),
    )
    body = encode(message)[4:]
    assert body[:7].hex(" ") == "06 34 12 04 03 02 01"
    assert body[7:24].hex(" ") == "04 01 02 03 04 78 56 0d 0c 0b 0a 05 06 07 08 bc 9a"
    assert body[24:].hex(" ") == "09 08 07 06 f0 de 44 33 22 11 02 00 68 69"


@settings(max_examples=50)
@given(BOTH)
def test_a_message_survives_the_way_out_and_back(case: tuple[bool, Message]) -> None:
    ipv6, message = case
    data = encode(message, ipv6=ipv6)
    assert decode(data, ipv6=ipv6) == message
    assert encode(decode(data, ipv6=ipv6), ipv6=ipv6) == data


@settings(max_examples=50)
@given(BOTH, st.text(max_size=60))
def test_so_does_an_announcement(case: tuple[bool, Message], cluster: str) -> None:
    ipv6, message = case
    data = encode_announcement(cluster, message, ipv6=ipv6)
    assert decode_announcement(data, ipv6=ipv6) == (cluster, message)


@given(st.binary(max_size=400), st.booleans(), st.booleans())
@settings(max_examples=300)
def test_any_bytes_are_decoded_exactly_or_refused(data: bytes, ipv6: bool, checked: bool) -> None:
    data = with_checksum(data) if checked else data
    for framed in (False, True):
        try:
            if framed:
                again = encode_announcement(*decode_announcement(data, ipv6=ipv6), ipv6=ipv6)
            else:
                again = encode(decode(data, ipv6=ipv6), ipv6=ipv6)
        except DecodeError:
            continue
        assert again == data


@settings(max_examples=50)
@given(BOTH, st.data())
def test_one_flipped_bit_a_missing_end_or_more_bytes_are_refused(
    case: tuple[bool, Message], draw: st.DataObject
) -> None:
    ipv6, message = case
    data = encode(message, ipv6=ipv6)
    bit = draw.draw(st.integers(0, 8 * len(data) - 1))
    flipped = bytearray(data)
    flipped[bit // 8] ^= 1 << bit % 8
    cut = draw.draw(st.integers(4, len(data) - 1))
    damaged = [bytes(flipped), data[:cut]]
    if message.broadcast is not None:
        damaged.append(with_checksum(data[4:] + b"\0"))
    if cut not in (11, 11 + len(message.members) * (41 if ipv6 else 17)):
        damaged.append(with_checksum(data[4:cut]))
    for bad in damaged:
        with pytest.raises(DecodeError):
            decode(bad, ipv6=ipv6)


@pytest.mark.parametrize("size", range(11))
def test_less_than_a_header_is_refused_whatever_its_checksum(size: int) -> None:
    for data in (bytes(size), with_checksum(bytes(max(0, size - 4)))[:size]):
        with pytest.raises(DecodeError):
            decode(data)


def test_the_source_none_is_all_zero_and_only_that() -> None:
    record = MemberRecord(1, Address("10.0.0.1", 1), 0, None)
    assert encode(Message(Verb.ACK, 1, 0, (record,)))[-6:] == bytes(6)
    half = MemberRecord(1, Address("10.0.0.1", 1), 0, Address("0.0.0.0", 9))
    assert decode(encode(Message(Verb.ACK, 1, 0, (half,)))).members[0].source == ("0.0.0.0", 9)


def test_ipv4_inside_ipv6_is_unwrapped_and_wrapped_again() -> None:
    message = Message(Verb.PING, 1, 0, (MemberRecord(1, Address("10.0.0.1", 1), 0, Address("fd77::1", 2)),))
    data = encode(message, ipv6=True)
    assert bytes.fromhex("00000000000000000000ffff0a000001") in data
    assert decode(data, ipv6=True) == message


def test_errors_are_of_one_tree() -> None:
    assert issubclass(DecodeError, SwimError)


@pytest.mark.parametrize(
    "message",
    [
        Message(Verb.PING, 65_536, 0),
        Message(Verb.PING, -1, 0),
        Message(Verb.PING, 1, 2**32),
        Message(Verb.PING, 1, 0, (MemberRecord(256, Address("10.0.0.1", 1), 0, None),)),
        Message(Verb.PING, 1, 0, (MemberRecord(1, Address("::1", 1), 0, None),)),
        Message(Verb.PING, 1, 0, (MemberRecord(1, Address("host", 1), 0, None),)),
        Message(Verb.PING, 1, 0, (), BroadcastRecord(Address("10.0.0.1", 1), 2**32, b"")),
    ],
)
def test_what_no_field_can_hold_is_not_encoded(message: Message) -> None:
    with pytest.raises(ConfigError):
        encode(message)


def test_too_much_is_not_encoded() -> None:
    record = MemberRecord(1, Address("10.0.0.1", 1), 0, None)
    encode(Message(Verb.PING, 1, 0, (record,) * 63, BroadcastRecord(record.address, 1, bytes(65_535))))
    with pytest.raises(PayloadTooLarge, match="63"):
        encode(Message(Verb.PING, 1, 0, (record,) * 64))
    with pytest.raises(PayloadTooLarge, match="65535"):
        encode(Message(Verb.PING, 1, 0, (), BroadcastRecord(record.address, 1, bytes(65_536))))


def test_a_cluster_name_has_at_most_255_bytes_of_any_kind() -> None:
    data = b"\xff" + b"\xff" * 255 + encode(PING)
    assert encode_announcement(*decode_announcement(data)) == data
    for name in ("x" * 256, "\ud800"):
        with pytest.raises(ConfigError):
            encode_announcement(name, PING)
    for cut in (b"", b"\x06", b"\x06smudg", b"\x06smudge", b"\x06smudge" + encode(PING)[:-1]):
        with pytest.raises(DecodeError):
            decode_announcement(cut)
