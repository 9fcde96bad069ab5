"""The datagram format (section 2): round trips, bounds, sizes, and what is refused."""

from hashlib import blake2b
from ipaddress import IPv6Address, ip_address
from typing import Any, get_args, get_type_hints

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.datagrams import opened, pack_datagram
from support.drawn import MESSAGES, U64, addresses, broadcasts, claims, numbers, u32, u64
from support.hand import HASHES, Hand, peer
from swim_core import ConfigError, Rule, State
from swim_core.address import Address, canonical, pack, unpack
from swim_core.native.wire.checks import CHECKS
from swim_core.native.wire.claim import Claim, Verdict, check_claim
from swim_core.native.wire.datagram import HEADER, Envelope, encode_item
from swim_core.native.wire.messages import (
    Ack,
    Broadcast,
    ClaimOf,
    Join,
    JoinAck,
    Message,
    NotMe,
    Number,
    PageEntry,
    Ping,
    PingReq,
    SyncPage,
    SyncPush,
)


def datagram(message: Message | msgspec.Raw | None = None, *items: Any, flags: int = 0, sender: int = 1) -> bytes:
    of = {kind: [encode_item(i) for i in items if type(i) is kind] for kind in (Claim, Number, Broadcast)}
    encoded = message if isinstance(message, msgspec.Raw) else encode_item(message) if message else msgspec.Raw(b"\xc0")
    return pack_datagram(HASHES.label, flags, sender, encoded, of[Claim], of[Number], of[Broadcast])


def refused(data: bytes) -> bool:
    try:
        opened(data)
    except (ValueError, RecursionError):
        return True
    return False


def raw(*parts: object) -> bytes:
    """A datagram whose body is any MessagePack."""
    return datagram()[:6] + msgspec.msgpack.encode(list(parts))


def test_every_message_of_the_format_is_tried_here() -> None:
    assert set(MESSAGES) == set(Message.__args__)


def test_a_message_that_holds_claims_has_them_checked() -> None:
    hints = {kind: str(get_type_hints(kind)) for kind in get_args(Message)}
    holders = {kind for kind, hint in hints.items() if "claim.Claim" in hint or "PageEntry" in hint}
    assert ClaimOf in holders
    assert SyncPage in holders
    assert holders <= set(CHECKS)


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
def test_a_message_comes_back_as_it_was(kind: type) -> None:
    @settings(deadline=None, max_examples=25)
    @given(MESSAGES[kind], u64)
    def check(message: Any, sender: int) -> None:
        assert opened(datagram(message, sender=sender)) == Envelope(sender, message)

    check()


@settings(deadline=None, max_examples=100)
@given(
    st.none() | MESSAGES[Ping],
    st.lists(claims(), max_size=3),
    st.lists(numbers, max_size=3),
    st.lists(broadcasts, max_size=3),
    u64,
    st.integers(0, 127).map(lambda bits: bits << 1),  # all but SEALED
    u32,
)
def test_everything_that_rides_along_comes_back(
    message: Any, cs: list[Claim], ns: list[Number], bs: list[Broadcast], sender: int, flags: int, label: int
) -> None:
    encoded = encode_item(message) if message else msgspec.Raw(b"\xc0")
    lists = [[encode_item(item) for item in items] for items in (cs, ns, bs)]
    data = pack_datagram(label, flags, sender, encoded, *lists)
    assert HEADER.unpack_from(data) == (1, flags, label)
    assert opened(data) == Envelope(sender, message, cs, ns, bs)


@settings(deadline=None, max_examples=100)
@given(claims())
def test_valid_claims_pass_the_check(claim: Claim) -> None:
    check_claim(claim)


@settings(deadline=None, max_examples=100)
@given(addresses)
def test_an_address_comes_back_as_it_was(address: Address) -> None:
    assert unpack(pack(address)) == address
    assert canonical(*address) == address


@settings(deadline=None, max_examples=300)
@given(
    st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,4}){2,4}", fullmatch=True)
    | st.text("0123456789.:abf +-_\u0661", max_size=24)
    | st.sampled_from(["1.2.3.4", "01.2.3.4", "1.2.3.256", "1.2.3", "+1.2.3.4", "1_0.2.3.4", "::ffff:1.2.3.4", "::1"])
)
def test_an_address_is_one_if_the_standard_library_says_so(text: str) -> None:
    try:
        ip = ip_address(text)
    except ValueError:
        with pytest.raises(ConfigError):
            canonical(text, 1)
        return
    mapped = ip.ipv4_mapped if isinstance(ip, IPv6Address) else None
    found = canonical(text, 1)
    assert found == (str(mapped or ip), 1)
    assert pack(found) == (mapped or ip).packed + b"\0\1"


def test_a_steady_ping_and_its_ack_average_at_most_40_bytes() -> None:
    friends = [peer(number) for number in range(1, 6)]
    hand = Hand(knows=friends)
    hand.run(20.0)
    pings = [sent.size for sent in hand.sent if isinstance(sent.message, Ping)]
    assert len(pings) >= 15
    hand.clear()
    for number, friend in enumerate(friends * 4):
        hand.run(0.5)
        hand.feed(friend, Ping(0xFFFF_FFFF - number, hand.short_id, hand.cluster_time))
    acks = [sent.size for sent in hand.sent if isinstance(sent.message, Ack)]
    assert len(acks) == 20
    assert (sum(pings) / len(pings) + sum(acks) / len(acks)) / 2 <= 40


def test_the_header_is_version_flags_and_a_32_bit_label_hash() -> None:
    data = datagram(Ack(1, 2), flags=2)
    assert data[0] == 1
    assert data[1] == 2
    assert int.from_bytes(data[2:6], "big") == HASHES.label


BAD_NAMES = ["", "x" * 65, "é" * 33, "new\nline", "bell\x07", "nul\0", "\x1b[2J", "\u202e", "\x7f", "\u2028"]


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_names_are_1_to_64_bytes_without_control_characters(name: str) -> None:
    good = peer(1).claim()
    bad = msgspec.structs.replace(good, name=name)
    assert not refused(datagram(None, good))
    assert refused(datagram(None, bad))
    assert refused(datagram(PingReq(1, bad)))
    assert refused(datagram(SyncPage(1, None, b"", [PageEntry(bad, 0)])))
    assert refused(datagram(SyncPush([PageEntry(good, 0), PageEntry(bad, 0)])))
    assert refused(datagram(Join(1, name, 1, 1, 1, 1)))
    assert refused(datagram(Join(1, "x", 1, 1, 1, 1, b"", bad)))
    assert refused(datagram(JoinAck(1, b"", 1, 1, 1, 1, bad)))
    assert refused(datagram(JoinAck(1, b"", 1, 1, 1, 1, None, bad)))
    assert refused(datagram(ClaimOf(1, bad)))
    assert refused(datagram(NotMe(1, bad)))
    assert refused(datagram(None, Broadcast(name, 1, 1, b"")))


def test_names_of_64_bytes_and_of_other_scripts_are_fine() -> None:
    for name in ("x" * 64, "é" * 32, "緩存-7", "a b", "😀"):
        assert not refused(datagram(None, msgspec.structs.replace(peer(1).claim(), name=name)))


@pytest.mark.parametrize(
    "changes",
    [
        {"state": State.DEAD},
        {"metadata": None},
        {"verdict": Verdict(1, Rule.SILENT, 1)},
        {"state": State.SUSPECT},
        {"state": State.LEFT, "metadata": None},
        {"state": State.DEAD, "verdict": Verdict(1, Rule.SILENT, 1)},
        {"metadata": b"\x01"},
        {"metadata": b"\x81\x01\xa1v"},
        {"metadata": b"\x81\xa1k"},
        {"metadata": b"\x81\xa1k\xa1\xff"},
        {"metadata": b"x" * 513},
        {"address": b"\x0a\x00\x00\x01\x00\x00"},
        {"address": b"\x0a\x00\x00\x01\x00"},
        {"address": b"\x0a" * 7},
        {"address": bytes(10) + b"\xff\xff\x0a\x00\x00\x01\x00\x01"},
        {"incarnation": 2**32},
        {"incarnation": -1},
        {"epoch": -1},
        {"state": 4},
        {"state": -1},
        {"verdict": [1, 256, 1]},
        {"name": 7},
        {"name": b"x"},
        {"epoch": True},
        {"epoch": 1.0},
        {"epoch": None},
    ],
    ids=str,
)
def test_claims_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    good = [*msgspec.structs.astuple(peer(1).claim())]
    fields = Claim.__struct_fields__
    for field, value in changes.items():
        good[fields.index(field)] = value
    assert refused(raw(1, None, [good], [], []))


BAD_MESSAGES = [
    [1, 2**32, 1, 1],
    [1, 1, 1, 1, 2**32],
    [1, 1, 1, 2**48],
    [7, 1, None, 2**48, 1, 1, 1],
    [2, 2**32, 1],
    [4, 1, 2**32, 0, 0, 0],
    [4, 1, 0, 2**32, 0, 0],
    [4, 1, 0, 0, 256, 0],
    [4, 1, 0, 0, 0, 2**32],
    [4, 1, 0, 0, 0, 0, 256],
    [5, 1, 1, 2**32],
    [6, 1, "x", 2**32, 1, 1, 1],
    [6, 1, "x", 1, 0, 1, 1],
    [6, 1, "x", 1, 256, 1, 1],
    [6, 1, "x", 1, 1, 1, 1, b"x" * 17],
    [7, 1, b"x" * 17, 1, 1, 1, 1],
    [8, 1, [], 0],
    [8, 1, [1] * 129, 0],
    [8, 1, [2**64 - 1, -1], 0],
    [9, 1, None, b"x" * 17, []],
    [11, 1, []],
    [11, 1, [[1, 2]] * 33],
    [11, 1, [[1, 2, 3]]],
    [11, 1, [[1]]],
    [11, 1, [[0, 1]]],
    [11, 1, [[2, 1]]],
    [11, 1, [[1, 2], [2, 3]]],
    [11, 1, [[3, 4], [1, 2]]],
    [10, 1],
    [16, 1],
    [16, 1, None],
    [17],
    [17, 2**32],
    [12, 1],
    [13, 1],
    [18],
    [18, 0],
    [18, 65_536],
    [],
    [1],
    [2, 1],
    [2, 1, 1.0],
    [2, True, 1],
    [2, "1", 1],
    [2, None, 1],
    {"1": 1},
    "ping",
    1,
    [[2, 1, 1]],
]


@pytest.mark.parametrize("message", BAD_MESSAGES, ids=str)
def test_messages_outside_their_bounds_are_refused(message: object) -> None:
    assert refused(raw(1, message))


def test_broadcasts_outside_their_bounds_are_refused() -> None:
    assert not refused(raw(1, None, [], [], [["x", 1, 1, b""]]))
    for bad in (["x", 1, 0, b""], ["x", 1, 2**32, b""], ["x", -1, 1, b""], ["x", 1, 1, "text"]):
        assert refused(raw(1, None, [], [], [bad]))


def test_a_body_with_anything_behind_or_missing_is_refused() -> None:
    data = datagram(Ping(1, 2, 3))
    assert not refused(data)
    for cut in range(6, len(data)):
        assert refused(data[:cut])
    for more in (b"\0", b"\xc0", data):
        assert refused(data + more)


def test_deep_nesting_is_refused() -> None:
    for opener in (b"\x91", b"\x81\x01", b"\xdd\0\0\0\1", b"\xdc\0\1"):
        for depth in (100, 5_000, 30_000):
            assert refused(datagram()[:6] + b"\x92\x01" + opener * depth + b"\xc0")
            assert refused(datagram()[:6] + opener * depth)


def test_lengths_that_lie_are_refused() -> None:
    for lie in (b"\xdd\xff\xff\xff\xff", b"\xdf\xff\xff\xff\xff", b"\xc6\xff\xff\xff\xff", b"\xdb\xff\xff\xff\xff"):
        assert refused(datagram()[:6] + lie)
        assert refused(datagram()[:6] + b"\x92\x01" + lie)
        assert refused(datagram()[:6] + b"\x95\x01\xc0" + lie)


@settings(deadline=None, max_examples=250)
@given(st.binary(max_size=200))
def test_random_bodies_raise_nothing_but_what_is_stated(body: bytes) -> None:
    refused(datagram()[:6] + body)


def test_hashes_are_the_same_everywhere() -> None:
    """Fixed values, since a change of any hash would split a cluster between versions."""
    run = ("cache-7", 111_411_200_000_012_345)
    phase = HASHES.phase("cache-7")
    places = HASHES.places(*run)
    assert HASHES.short_id(*run) != HASHES.short_id("cache-7", 1)
    assert len({HASHES.short_id(*run), phase, *places, HASHES.view(*run, 0), HASHES.view(*run, 1)}) == 8
    assert all(0 <= value <= U64 for value in (HASHES.short_id(*run), phase, *places))
    key = blake2b(b"", digest_size=32, person=b"label").digest()
    epoch_and_name = run[1].to_bytes(8, "big") + b"cache-7"
    for person, data, value in [
        (b"phase", b"cache-7", phase),
        (b"ring0", epoch_and_name, places[0]),
        (b"ring3", epoch_and_name, places[3]),
    ]:
        assert value == int.from_bytes(blake2b(data, digest_size=8, key=key, person=person).digest(), "big")
