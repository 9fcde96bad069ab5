"""Claims form a lattice: whatever the order and however often they come, the table ends up the same (section 1)."""

from collections.abc import Sequence
from functools import reduce
from itertools import permutations, product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.hand import HASHES
from swim_core import Config, Rule, State
from swim_core.address import Address, pack
from swim_core.counters import DropReason
from swim_core.native.table.entry import Change
from swim_core.native.table.member_table import MemberTable
from swim_core.native.wire.claim import Claim, Verdict, precedence

ADDRESSES = [pack(Address("10.0.0.1", 1)), pack(Address("10.0.0.1", 2)), pack(Address("2001:db8::1", 1))]


def claim(name: str, epoch: int, address: bytes, incarnation: int, state: State) -> Claim:
    verdict = None if state is State.ALIVE else Verdict(1, Rule.SILENT, 1)
    return Claim(name, epoch, address, incarnation, state, b"" if state.live else None, verdict)


SPACE = [claim("x", *parts) for parts in product((1, 2), ADDRESSES[:2], (0, 1), State)]


def larger(a: Claim, b: Claim) -> Claim:
    return max(a, b, key=precedence)


def fresh() -> MemberTable:
    return MemberTable(Config.lan(), HASHES)


def outcome(claims: Sequence[Claim]) -> tuple[list[Claim], int]:
    """Merge in this order into a new table that knows every name; returns the claims held and the view digest."""
    table = fresh()
    for name in sorted({each.name for each in claims}):
        table.merge(claim(name, 0, ADDRESSES[0], 0, State.ALIVE), 0.0)
    for each in claims:
        table.merge(each, 0.0)
    return sorted(
        (entry.claim for entry in table.view_digest.everyone), key=lambda held: held.name
    ), table.view_digest.value


claims = st.builds(
    claim,
    st.sampled_from(["x", "y", "z"]),
    st.integers(0, 3),
    st.sampled_from(ADDRESSES),
    st.integers(0, 3),
    st.sampled_from(State),
)


def test_the_states_are_ordered_alive_suspect_dead_left() -> None:
    assert State.ALIVE < State.SUSPECT < State.DEAD < State.LEFT


def test_the_order_is_epoch_then_incarnation_then_address_then_state() -> None:
    low, high = ADDRESSES[:2]
    rising = [
        claim("x", 1, low, 0, State.ALIVE),
        claim("x", 1, low, 0, State.LEFT),
        claim("x", 1, high, 0, State.ALIVE),
        claim("x", 1, high, 0, State.LEFT),
        claim("x", 1, low, 1, State.ALIVE),
        claim("x", 1, low, 9, State.LEFT),
        claim("x", 2, low, 0, State.ALIVE),
    ]
    assert sorted(set(rising), key=precedence) == rising


def test_addresses_are_ordered_by_their_bytes() -> None:
    low, high = pack(Address("10.0.0.200", 1)), pack(Address("10.0.1.0", 1))
    assert precedence(claim("x", 1, low, 9, State.LEFT)) < precedence(claim("x", 1, high, 9, State.ALIVE))


def test_any_two_claims_are_ordered_and_equal_only_if_they_say_the_same() -> None:
    for a, b in product(SPACE, repeat=2):
        assert (precedence(a) == precedence(b)) is (a == b)
        assert larger(a, b) == larger(b, a)
        assert larger(a, a) == a


def test_merging_is_associative_over_the_whole_space() -> None:
    for a, b, c in product(SPACE, repeat=3):
        assert larger(larger(a, b), c) == larger(a, larger(b, c))


def test_every_order_of_three_claims_gives_the_same_table_and_digest() -> None:
    for trio in product(SPACE[::3], repeat=3):
        results = [outcome(order) for order in permutations(trio)]
        assert all(result == results[0] for result in results)
        assert results[0][0] == [reduce(larger, trio)]


def test_merging_a_pair_holds_the_larger_and_says_whether_that_was_news() -> None:
    for a, b in product(SPACE, repeat=2):
        table = fresh()
        table.merge(claim("x", 0, ADDRESSES[0], 0, State.ALIVE), 0.0)
        table.merge(a, 0.0)
        change = table.merge(b, 1.0)
        entry = table.get("x")
        assert entry is not None
        assert entry.claim == larger(a, b)
        assert isinstance(change, Change) is (precedence(b) > precedence(a))
        assert change is None or isinstance(change, Change)


def test_nobody_is_live_again_without_a_higher_claim() -> None:
    for gone in (c for c in SPACE if not c.state.live):
        for other in SPACE:
            table = fresh()
            table.merge(claim("x", 0, ADDRESSES[0], 0, State.ALIVE), 0.0)
            table.merge(gone, 0.0)
            table.merge(other, 0.0)
            entry = table.get("x")
            assert entry is not None
            if entry.live:
                newer = (other.epoch, other.incarnation, other.address)
                assert newer > (gone.epoch, gone.incarnation, gone.address)


@settings(deadline=None, max_examples=200)
@given(st.lists(claims, max_size=12), st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_gives_equal_tables_and_digests(said: list[Claim], random: object) -> None:
    shuffled = said + said[: len(said) // 2]
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert outcome(said) == outcome(shuffled)


@settings(deadline=None, max_examples=100)
@given(st.lists(claims, max_size=8), st.lists(claims, max_size=8))
def test_two_tables_agree_once_each_has_merged_the_other(mine: list[Claim], yours: list[Claim]) -> None:
    assert outcome(mine + yours) == outcome(yours + mine)


@settings(deadline=None, max_examples=100)
@given(st.lists(claims, max_size=20))
def test_the_digest_is_that_of_the_live_members_alone(said: list[Claim]) -> None:
    held, digest = outcome(said)
    expected = 0
    for each in held:
        if each.state.live:
            expected ^= HASHES.view(each.name, each.epoch, each.incarnation)
    assert digest == expected


def test_the_digest_tells_nothing_of_states() -> None:
    alive, suspect = (claim("x", 1, ADDRESSES[0], 0, state) for state in (State.ALIVE, State.SUSPECT))
    assert outcome([alive])[1] == outcome([suspect])[1]
    assert outcome([alive])[1] != outcome([claim("x", 1, ADDRESSES[0], 1, State.ALIVE)])[1]
    assert outcome([alive])[1] != outcome([claim("x", 2, ADDRESSES[0], 0, State.ALIVE)])[1]
    assert outcome([claim("x", 1, ADDRESSES[0], 0, State.DEAD)])[1] == 0


@pytest.mark.parametrize("state", [State.DEAD, State.LEFT])
def test_an_unknown_name_that_is_gone_is_not_taken_in(state: State) -> None:
    table = fresh()
    assert table.merge(claim("x", 1, ADDRESSES[0], 0, state), 0.0) is DropReason.UNKNOWN_GONE
    assert table.get("x") is None
    assert not table.members(gone=True)


def test_the_first_verdict_received_is_kept() -> None:
    table = fresh()
    table.merge(claim("x", 1, ADDRESSES[0], 0, State.ALIVE), 0.0)
    first = claim("x", 1, ADDRESSES[0], 0, State.DEAD)
    table.merge(first, 0.0)
    other = Claim("x", 1, ADDRESSES[0], 0, State.DEAD, None, Verdict(99, Rule.GONE, 12345))
    assert table.merge(other, 0.0) is None
    entry = table.get("x")
    assert entry is not None
    assert entry.claim.verdict == first.verdict


@settings(deadline=None, max_examples=50)
@given(st.lists(claims, max_size=20))
def test_the_orders_and_rings_hold_exactly_the_live_members(said: list[Claim]) -> None:
    table = fresh()
    for each in said:
        table.merge(each, 0.0)
        live = sorted(entry.name for entry in table.view_digest.everyone if entry.live)
        assert sorted(entry.name for entry in table.topology.order) == live
        for ring in table.topology.rings:
            assert sorted(entry.name for entry in ring) == live
        assert [member.name for member in table.members()] == live
        phases = [HASHES.phase(entry.name) for entry in table.topology.order]
        assert phases == sorted(phases)
