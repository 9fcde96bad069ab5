"""The numbers by which answers are told from forgeries can't be predicted from earlier ones."""

import ast
from collections import Counter
from random import Random

from support.hand import Hand, peer, peers
from support.paths import ROOT
from swim_core.native.wire.messages import Ack, Ping, WantClaim
from swim_core.shared.unguessable import Unguessable, derived

WORDS = 624  # numbers, which make up the state of `random.Random`


def foreseen(words: list[int]) -> list[int]:
    """What `random.Random` would give after these 624 numbers."""
    state = []
    for word in words[-WORDS:]:
        word ^= word >> 18
        word ^= word << 15 & 0xEFC60000
        value = word
        for _ in range(5):
            value = word ^ value << 7 & 0x9D2C5680
        word = value
        value = word
        for _ in range(3):
            value = word ^ value >> 11
        state.append(value & 0xFFFFFFFF)
    random = Random()
    random.setstate((3, (*state, WORDS), None))
    return [random.getrandbits(32) for _ in range(8)]


def test_the_forecast_works() -> None:
    random = Random(7)
    assert foreseen([random.getrandbits(32) for _ in range(WORDS)]) == [random.getrandbits(32) for _ in range(8)]


def test_nonces_that_strangers_collect_do_not_give_away_the_next_ones() -> None:
    """One stranger's datagram draws one nonce; 624 of them did."""
    hand = Hand()
    seen: list[int] = []
    for number in range(WORDS + 8):
        stranger = peer(number + 1)
        hand.feed(stranger, Ack(2**32 - 1, 2**63))
        seen += [want.nonce for want in hand.messages(WantClaim, stranger)]
        hand.clear_sent()
        hand.run(0.02)
    assert len(seen) == WORDS + 8
    assert not set(foreseen(seen[:WORDS])) & set(seen[WORDS:])


def test_numbers_are_spread_and_follow_from_the_entropy() -> None:
    numbers = Unguessable(bytes(32))
    drawn = [numbers.u32() for _ in range(4_096)]
    assert len(set(drawn)) > 4_090
    again = Unguessable(bytes(32))
    assert [again.u32() for _ in range(4_096)] == drawn
    other = Unguessable(bytes(31) + b"\1")
    assert not {other.u32() for _ in range(64)} & set(drawn)
    bits = Counter(bit for number in drawn for bit in range(32) if number >> bit & 1)
    assert all(1_800 < bits[bit] < 2_300 for bit in range(32))


def test_keys_for_different_purposes_are_different() -> None:
    assert derived(bytes(32), b"cookie") != derived(bytes(32), b"chance") != derived(bytes(31), b"chance")


def test_a_seq_depends_on_all_of_the_entropy() -> None:
    seqs: set[int] = set()
    for seed in range(8):
        hand = Hand(knows=peers(2), seed=seed << 248)
        hand.run(3.0)
        seqs.update(ping.seq for ping in hand.messages(Ping))
    assert len(seqs) >= 16


def test_random_is_for_times_and_choices_only() -> None:
    """Tools take theirs from the operating system."""
    drawing = {
        path.stem
        for path in (ROOT / "swim_core" / "native").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("getrandbits", "randbytes")
    }
    assert drawing == {"client", "tool_seal"}
