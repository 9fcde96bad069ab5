"""Placement: the same on every process, balanced, and moving no key without need."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from swim_core import Address, ConfigError, Member, State, UnknownMember
from swim_core.placement import Placement, moved
from swim_core.smudge import SmudgeConfig

KEYS = [f"user:{number}" for number in range(2_000)]
GOLDEN_OWNERS = [f"cache-{number}" for number in (2, 7, 6, 3, 5, 0, 2, 4, 9, 7, 3, 3)]
GOLDEN_REPLICAS = ["cache-6", "cache-9", "cache-8", "cache-4"]
GOLDEN_OF_ALL = "73bce235eeb31d84"


def member(name: str, **fields: Any) -> Member:
    return Member(name, Address("10.0.0.1", 7946), **{"epoch": 1, **fields})


def members(count: int) -> list[Member]:
    return [member(f"cache-{number}") for number in range(count)]


def owners(placement: Placement) -> Mapping[str, str]:
    return {key: placement.owner(key).name for key in KEYS}


names = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=16)
views = st.lists(names, min_size=1, max_size=12, unique=True).map(lambda found: [member(name) for name in found])
keys = st.text(st.characters(exclude_categories=["Cs"])) | st.binary()


# ---------------------------------------------------------------- what is hashed


def test_the_owner_is_the_one_that_the_documentation_says() -> None:
    """The module's description implemented once more, as in another language."""

    def score(name: str, key: str) -> bytes:
        data = name.encode()
        return blake2b(bytes([len(data)]) + data + key.encode(), digest_size=8).digest()

    group = [member("größe"), *members(9)]
    placement = Placement(group)
    for key in ("", "user:42", "schlüssel", "x" * 1_000):
        ranked = sorted(group, key=lambda one: score(one.name, key), reverse=True)
        assert placement.owner(key) == ranked[0]
        assert placement.owners(key, 4) == tuple(ranked[:4])


def test_owners_never_change_by_accident() -> None:
    """Golden values: other versions and other languages in one cluster rely on them."""
    placement = Placement(members(10))
    assert [placement.owner(f"user:{number}").name for number in range(12)] == GOLDEN_OWNERS
    assert [one.name for one in placement.owners("user:42", 4)] == GOLDEN_REPLICAS
    every = "".join(placement.owner(key).name for key in KEYS)
    assert blake2b(every.encode(), digest_size=8).hexdigest() == GOLDEN_OF_ALL


def test_text_is_its_utf8() -> None:
    placement = Placement(members(10))
    assert placement.owner("größe") == placement.owner("größe".encode())


def test_the_owner_is_the_same_in_another_process() -> None:
    """Python's own hash, which differs from process to process, plays no part."""
    code = (
        "from swim_core import Address, Member\n"
        "from swim_core.placement import Placement\n"
        "group = {Member(f'cache-{n}', Address('10.0.0.1', 7946), 1) for n in range(10)}\n"
        "print(*(Placement(group).owner(f'user:{n}').name for n in range(12)))"
    )
    for seed in ("1", "2"):
        run = subprocess.run(
            [sys.executable, "-c", code], env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, text=True
        )
        assert (run.stdout.split(), run.stderr) == (GOLDEN_OWNERS, "")


@given(st.permutations(members(8)), keys)
def test_the_order_of_the_members_is_irrelevant(group: list[Member], key: str | bytes) -> None:
    ordered = Placement(members(8))
    shuffled = Placement(iter(group))
    assert shuffled.owners(key, 8) == ordered.owners(key, 8)
    assert shuffled.members == ordered.members


# ---------------------------------------------------------------- who may own


def test_suspects_keep_their_keys_and_the_dead_and_departed_lose_theirs() -> None:
    healthy = Placement(members(3))
    for state, owning in ((State.SUSPECT, True), (State.DEAD, False), (State.LEFT, False)):
        changed = Placement([member("cache-0", state=state), *members(3)[1:]])
        assert ("cache-0" in {one.name for one in changed.members}) is owning
        assert (owners(changed) == owners(healthy)) is owning
        assert bool(moved(healthy, changed, KEYS)) is not owning


def test_a_filter_on_metadata() -> None:
    cache = {"role": "cache", "zone": "a"}
    group = [member("a", metadata=cache), member("b", metadata={"role": "web"}), member("c", metadata=cache)]
    placement = Placement(group, where={"role": "cache"})
    assert [one.name for one in placement.members] == ["a", "c"]
    assert {placement.owner(key).name for key in KEYS} == {"a", "c"}
    assert Placement(group, where={"role": "cache", "zone": "b"}).members == ()
    assert Placement(group, where={}).members == tuple(group)


def test_a_filter_by_a_function_is_asked_about_live_members_only() -> None:
    asked = []

    def not_draining(one: Member) -> bool:
        asked.append(one.name)
        return one.metadata.get("status") != "draining"

    group = [member("a"), member("b", metadata={"status": "draining"}), member("c", state=State.DEAD)]
    assert [one.name for one in Placement(group, where=not_draining).members] == ["a"]
    assert asked == ["a", "b"]


def test_members_without_epoch_and_metadata_own_too() -> None:
    node = SmudgeConfig().create_node("", ("127.0.0.1", 9999), now=0.0, entropy=bytes(32), unix_ms=1_700_000_000_000)
    assert Placement(node.members()).owner("user:42").name == "127.0.0.1:9999"


def test_nobody_to_own() -> None:
    placement = Placement([])
    with pytest.raises(UnknownMember, match="no live member"):
        placement.owner("user:42")
    assert placement.owners("user:42", 2) == ()
    assert placement.members == ()


def test_what_can_be_no_view_is_refused() -> None:
    with pytest.raises(ConfigError, match="same name"):
        Placement([member("a"), member("a", epoch=2)])
    with pytest.raises(ConfigError, match="64 bytes"):
        Placement([member("x" * 65)])
    with pytest.raises(ValueError, match="-1 owners"):
        Placement(members(2)).owners("user:42", -1)


@given(views, keys, st.integers(0, 15))
def test_replicas_are_distinct_and_begin_with_the_owner(group: list[Member], key: str | bytes, n: int) -> None:
    placement = Placement(group)
    found = placement.owners(key, n)
    assert len(set(found)) == len(found) == min(n, len(group))
    assert found[:1] == ((placement.owner(key),) if n else ())
    assert placement.owners(key, n + 1)[:n] == found[:n]


# ---------------------------------------------------------------- balance


@pytest.mark.parametrize("count", [2, 10, 100])
def test_keys_are_balanced(count: int) -> None:
    """Chi-square with count - 1 degrees of freedom, five standard deviations: a bias of the hash would exceed it."""
    placement = Placement(members(count))
    shares = Counter(placement.owner(f"key {number}").name for number in range(5_000))
    expected = 5_000 / count
    chi_square = sum((shares[one.name] - expected) ** 2 / expected for one in placement.members)
    freedom = count - 1
    assert chi_square < freedom + 5 * (2 * freedom) ** 0.5


def test_the_keys_of_a_lost_member_are_spread_over_all_others() -> None:
    whole, rest = Placement(members(10)), Placement(members(10)[1:])
    shares = Counter(move.target.name for move in moved(whole, rest, KEYS) if move.target)
    assert set(shares) == {one.name for one in rest.members}
    assert max(shares.values()) < 3 * min(shares.values())


# ---------------------------------------------------------------- what moves


@given(views, names, st.lists(keys, max_size=30))
def test_only_keys_of_the_member_that_came_or_went_move(
    group: list[Member], name: str, some: list[str | bytes]
) -> None:
    without = Placement([one for one in group if one.name != name])
    newcomer = member(name)
    with_it = Placement([*without.members, newcomer])
    for key in some:
        owned = with_it.owner(key)
        if owned != newcomer:
            assert without.owner(key) == owned
        elif without.members:  # it goes to the member that held the first replica
            assert with_it.owners(key, 2)[1] == without.owner(key)
    texts = [key for key in some if isinstance(key, str)]
    leaving, coming = moved(with_it, without, texts), moved(without, with_it, texts)
    assert [move.key for move in leaving] == [key for key in texts if with_it.owner(key) == newcomer]
    assert [(move.key, move.target, move.source) for move in coming] == list(leaving)
    assert all(move.source == newcomer and not move.restarted for move in leaving)


def test_a_restarted_member_keeps_its_keys_and_they_count_as_moved() -> None:
    before = Placement(members(3))
    again = member("cache-1", epoch=2)
    after = Placement([members(3)[0], again, members(3)[2]])
    assert owners(before) == owners(after)
    moves = moved(before, after, KEYS)
    assert [move.key for move in moves] == [key for key in KEYS if before.owner(key).name == "cache-1"]
    assert all(move.restarted and move.source == members(3)[1] and move.target == again for move in moves)


def test_a_key_that_goes_elsewhere_is_no_restart() -> None:
    before, after = Placement(members(3)), Placement([*members(2), member("cache-9", epoch=2)])
    moves = moved(before, after, KEYS)
    assert moves
    assert not any(move.restarted for move in moves)


def test_news_that_changes_no_run_moves_nothing_and_looks_at_no_key() -> None:
    before = Placement(members(2))
    other = [member("cache-0", state=State.SUSPECT, incarnation=3, metadata={"load": "high"}), members(2)[1]]

    def untouched() -> Any:
        pytest.fail("a key was looked at")
        yield "user:42"

    assert moved(before, Placement(other), untouched()) == ()


def test_keys_move_from_nobody_and_to_nobody() -> None:
    nobody, somebody = Placement([]), Placement(members(1))
    (came,) = moved(nobody, somebody, ["user:42"])
    (went,) = moved(somebody, nobody, [b"user:42"])
    assert (came.source, came.target) == (None, members(1)[0])
    assert (went.source, went.target) == (members(1)[0], None)
    assert not came.restarted
    assert moved(nobody, Placement([]), ["user:42"]) == ()


def test_the_keys_may_be_a_dictionary_that_the_loop_changes() -> None:
    store = dict.fromkeys(KEYS)
    for move in moved(Placement(members(2)), Placement(members(3)), store):
        del store[move.key]
    assert 0 < len(store) < len(KEYS)


def test_what_is_shown_of_it() -> None:
    assert repr(Placement(members(2))) == "<Placement over cache-0, cache-1>"
    assert repr(Placement([])) == "<Placement over nobody>"
