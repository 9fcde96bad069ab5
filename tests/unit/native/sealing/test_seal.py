"""The seal of datagrams: its bytes, and that only what a key's holder sealed for this node is opened."""

import random
import sys
from hashlib import blake2b
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCMSIV
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw, msgpack

from support.drawn import MESSAGES, broadcasts, claims, numbers, u64
from swim_core import SealingUnavailable
from swim_core.counters import DropReason
from swim_core.keys import Key, Keys
from swim_core.native.sealing import aead
from swim_core.native.sealing.header import OVERHEAD
from swim_core.native.sealing.ring import KeyRing
from swim_core.native.sealing.seal import Opened, Sealer
from swim_core.native.wire.datagram import Codec, Envelope, encode_item
from swim_core.native.wire.messages import Ack, Message, Number, Ping

SECRET = bytes(range(32))
SENDER, RECEIVER = 0x1122334455667788, 0x99AABBCCDDEEFF00
TIME = 1_764_000_000_000
PING, ACK = Ping(7, RECEIVER, TIME), Ack(7, 0x0102030405060708)
VECTORS: dict[Message, str] = {
    PING: "0103a6215e9a1122334455667788019ab697e80012345678"
    "2f97870a405a488e40e3d9a7df7e687f00f54bb6d1caa85af98124b407f5b3227c049b718c82412ff9",
    ACK: "0113a6215e9a1122334455667788019ab697e80012345679"
    "32a1cf2dadd15b6e40dfb967e6df699bd36b6cebd578e4e9f28abea087c395",
}


class Clock:
    def read(self, now: float) -> int:
        return TIME


def sealed(
    *secrets: bytes, label: str = "prod", be: int = RECEIVER, counter: int = 0x12345677, plain: bool = False
) -> Codec:
    """The codec of a node."""
    ring = KeyRing(Keys(Key(secret) for secret in secrets or (SECRET,)), label)
    sealer = Sealer(ring, Clock(), counter=counter, most_runs=100, plain=plain)
    sealer.be(be, 0.0)
    return Codec(0, sealer)


def datagram(message: Message | None = PING, *, bound: bool = True, **fields: Any) -> bytes:
    return sealed(be=SENDER, **fields).pack(2, SENDER, message, peer=RECEIVER, bound=bound)


def test_the_cipher_is_that_of_the_rfc() -> None:
    """The second vector of RFC 8452, appendix C.2."""
    key, nonce = b"\1" + bytes(31), b"\3" + bytes(11)
    cipher, _ = aead.make_aead(key)
    sealed_text = cipher.encrypt(nonce, b"\1" + bytes(7), b"")
    assert sealed_text.hex() == "c2ef328e5c71c83b843122130f7364b761e0b97427e3df28"


def test_datagrams_are_what_the_format_says() -> None:
    codec = sealed(be=SENDER)
    assert codec.pack(2, SENDER, PING, peer=RECEIVER).hex() == VECTORS[PING]
    assert codec.pack(2, SENDER, ACK, peer=RECEIVER, bound=True).hex() == VECTORS[ACK]


@pytest.mark.parametrize("message", VECTORS, ids=lambda message: type(message).__name__)
def test_another_program_reads_them(message: Message) -> None:
    """Written from the protocol's page alone."""
    data = bytes.fromhex(VECTORS[message])
    base = blake2b(b"\x01prod", digest_size=32, key=SECRET, person=b"swim seal 1").digest()
    assert blake2b(digest_size=4, key=base, person=b"swim key id").digest() == data[2:6]
    receiver = RECEIVER.to_bytes(8, "big") if data[1] & 16 else b""
    text = AESGCMSIV(base).decrypt(data[12:24], data[24:], data[:24] + receiver)
    assert text[:2].hex() == "5e9a"
    assert msgpack.decode(text[2:]) == [msgpack.decode(encode_item(message))]


@pytest.mark.parametrize("kind", MESSAGES, ids=lambda kind: kind.__name__)
def test_a_message_comes_back_in_27_bytes_more(kind: type) -> None:
    @settings(deadline=None, max_examples=15)
    @given(MESSAGES[kind], u64, st.booleans())
    def check(message: Any, sender: int, bound: bool) -> None:
        data = sealed().pack(4, sender, message, peer=RECEIVER, bound=bound)
        found = sealed().open(data)
        assert isinstance(found, tuple)
        flags, envelope, opened = found
        assert (flags & 4, envelope) == (4, Envelope(sender, message))
        assert opened is not None
        assert (opened.sender, opened.time, opened.bound, opened.known) == (sender, TIME, bound, False)
        assert len(data) - len(Codec(0).pack(4, 2**64 - 1, message)) <= OVERHEAD

    check()


@settings(deadline=None, max_examples=50)
@given(st.lists(claims(), max_size=3), st.lists(numbers, max_size=3), st.lists(broadcasts, max_size=3))
def test_what_rides_along_comes_back(cs: list[Any], ns: list[Any], bs: list[Any]) -> None:
    data = sealed().pack(0, 5, PING, *([encode_item(item) for item in items] for items in (cs, ns, bs)))
    found = sealed().open(data)
    assert isinstance(found, tuple)
    assert found[1] == Envelope(5, PING, cs, ns, bs)


@pytest.mark.parametrize("message", VECTORS, ids=lambda message: type(message).__name__)
def test_no_bit_can_be_changed(message: Message) -> None:
    data = bytes.fromhex(VECTORS[message])
    node = sealed()
    for bit in range(8 * len(data)):
        forged = bytearray(data)
        forged[bit >> 3] ^= 1 << (bit & 7)
        assert isinstance(node.open(bytes(forged)), DropReason), bit
    assert isinstance(node.open(data), tuple)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=120), st.booleans())
def test_nothing_is_opened_that_was_not_sealed(data: bytes, header: bool) -> None:
    data = bytes.fromhex(VECTORS[ACK])[:24] + data if header else b"\x01\x01" + data
    assert isinstance(sealed().open(data), DropReason)


def test_a_datagram_can_be_cut_nowhere() -> None:
    data, node = datagram(), sealed()
    assert all(isinstance(node.open(data[:end]), DropReason) for end in range(len(data)))


def test_the_reason_tells_what_is_wrong() -> None:
    assert sealed(bytes(range(1, 33))).open(datagram()) is DropReason.UNKNOWN_KEY
    assert sealed(label="test").open(datagram()) is DropReason.UNKNOWN_KEY
    assert sealed(be=3).open(datagram()) is DropReason.UNOPENED  # bound to another run
    assert sealed().open(Codec(0).pack(0, 1, PING)) is DropReason.NOT_SEALED
    assert sealed().open(Codec(1).pack(0, 1, PING)) is DropReason.OTHER_CLUSTER
    assert Codec(0).open(datagram()) is DropReason.SEALED
    assert sealed().open(datagram()[:40]) is DropReason.BAD_HEADER


def take(codec: Codec, data: bytes) -> DropReason | None:
    """Open a datagram and accept it, as if its time were right."""
    found = codec.open(data)
    if isinstance(found, DropReason):
        return found
    assert isinstance(codec.seal, Sealer)
    assert isinstance(found[2], Opened)
    codec.seal.take(found[2])
    return None


def test_each_is_opened_once_in_whatever_order_they_come() -> None:
    sender, node = sealed(be=SENDER), sealed()
    sent = [sender.pack(0, SENDER, ACK, peer=RECEIVER, bound=True) for _ in range(600)]
    order = random.Random(5)
    blocks = [sent[at : at + 64] for at in range(0, len(sent), 64)]
    for block in blocks:
        order.shuffle(block)
    shuffled = [data for block in blocks for data in block]
    assert [take(node, data) for data in shuffled] == [None] * 600
    assert {take(node, data) for data in shuffled} == {DropReason.REPLAYED}


def test_what_was_opened_and_not_believed_can_come_again() -> None:
    data, node = datagram(), sealed()
    assert isinstance(node.open(data), tuple)
    assert take(node, data) is None
    assert take(node, data) is DropReason.REPLAYED


def test_a_forged_counter_drops_nothing_of_the_sender() -> None:
    first, second = (datagram(counter=counter) for counter in (100, 101))
    node = sealed()
    assert take(node, first) is None
    forged = bytearray(second)
    forged[20:24] = (2**32 - 1).to_bytes(4, "big")
    assert node.open(bytes(forged)) is DropReason.UNOPENED
    assert take(node, second) is None


def test_what_was_sealed_for_the_last_run_is_opened_for_a_minute() -> None:
    node = sealed()
    assert isinstance(node.seal, Sealer)
    node.seal.be(77, 100.0)
    assert isinstance(node.open(datagram(), 160.0), tuple)
    assert node.open(datagram(), 160.1) is DropReason.UNOPENED


def test_a_new_run_begins_long_before_the_counters_end() -> None:
    node = sealed(counter=2**32 - 2**20 - 1)
    assert isinstance(node.seal, Sealer)
    assert not node.seal.nearly_spent
    node.pack(0, 1, PING)
    node.pack(0, 1, PING)
    assert node.seal.nearly_spent
    with pytest.raises(OverflowError):
        sealed(counter=2**32 - 1).pack(0, 1, PING)


def test_answers_take_the_key_of_the_question() -> None:
    old, new = SECRET, bytes(range(9, 41))
    rotated = sealed(new, old, be=SENDER)
    assert isinstance(rotated.seal, Sealer)
    asked = rotated.open(sealed(old, be=5).pack(0, 5, PING, peer=SENDER))
    assert isinstance(asked, tuple)
    assert asked[2] is not None
    answer = rotated.pack(0, SENDER, ACK, peer=5, key=asked[2].key, bound=True)
    assert isinstance(sealed(old, be=5).open(answer), tuple)
    unasked = rotated.pack(0, SENDER, PING, peer=5)
    assert sealed(old, be=5).open(unasked) is DropReason.UNKNOWN_KEY


@pytest.mark.parametrize("plain", [False, True])
def test_who_may_hold_any_key_is_tried_with_each_first_with_the_one_last_chosen_for_another(plain: bool) -> None:
    keys = [Key(bytes(range(n, n + 32))) for n in range(3)]
    ring = KeyRing(Keys(keys), "")
    sealer = Sealer(ring, Clock(), counter=1, most_runs=100, plain=plain)
    ways = [*([None] if plain else []), *ring.ordered]
    assert [sealer.in_turn(n) for n in range(1, 6)] == (ways * 2)[:5]
    sealer.runs.take(7, 5, ring.preferred, ring.ordered[1].id & 0xFFFF)
    first = ways.index(ring.ordered[1])
    assert [sealer.in_turn(n) for n in range(1, 6)] == (ways * 3)[first : first + 5]
    sealer.use(KeyRing(Keys(keys[:1]), ""))
    ways = [None, sealer.ring.preferred] if plain else [sealer.ring.preferred] * 2
    assert [sealer.in_turn(n) for n in (2, 3)] == ways


def test_a_readers_key_opens_what_no_member_says() -> None:
    ring = KeyRing(Keys([Key(SECRET)]), "prod")
    reader = next(key for key in ring.by_id.values() if key.reader)
    for sender, opens in ((0, True), (SENDER, False)):
        data = sealed().pack(0, sender, PING, key=reader)
        assert isinstance(sealed().open(data), tuple) is opens


def test_while_plain_datagrams_are_taken_sealed_ones_go_to_who_opens_them() -> None:
    node = sealed(plain=True)
    assert isinstance(node.seal, Sealer)
    assert node.pack(0, 1, PING, peer=5)[1] == 32  # OPENS
    assert isinstance(node.open(Codec(0).pack(0, 5, PING)), tuple)
    node.seal.runs.opens(5)
    assert node.pack(0, 1, PING, peer=5)[1] & 1


@pytest.mark.parametrize("plain", [False, True], ids=["sealed", "plain too"])
def test_what_several_are_told_is_packed_for_each_as_if_for_it_alone(plain: bool) -> None:
    nothing: list[Raw] = []
    items = nothing, [encode_item(Number(9, 4))], nothing
    several, alone = (sealed(plain=plain) for _ in range(2))
    for codec in (several, alone):
        assert isinstance(codec.seal, Sealer)
        codec.seal.runs.opens(5)
        codec.seal.runs.opens(7)
    pack = several.pack_for_each(2, SENDER, *items, now=0.0)
    for peer in (5, 6, 7):
        made = pack(peer)
        assert made == alone.pack(2, SENDER, None, *items, peer=peer, bound=True)
        assert bool(made[1] & 1) is (not plain or peer != 6)
        found = sealed(be=peer, plain=True).open(made)
        assert isinstance(found, tuple)
        assert found[1] == Envelope(SENDER, None, [], [Number(9, 4)])


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(SealingUnavailable, match=r"pip install 'swim-membership\[crypto\]'"):
        aead.make_aead(SECRET)
