"""How copies of a sealed datagram are recognised, and which key is used for which member."""

from hypothesis import given
from hypothesis import strategies as st

from swim_core.keys import Key, Keys
from swim_core.native.sealing.ring import KeyRing
from swim_core.native.sealing.runs import WINDOW, Run, Runs

OLD, NEW, THIRD = (Key(bytes(range(number, number + 32))) for number in range(3))


def ring_of(*keys: Key) -> KeyRing:
    return KeyRing(Keys(keys), "")


def end(key: Key) -> int:
    return ring_of(key).preferred.id & 0xFFFF


@given(st.lists(st.integers(0, 2**32 - 1) | st.integers(2**31, 2**31 + 600), max_size=200))
def test_each_counter_is_taken_once_and_none_that_is_too_late(counters: list[int]) -> None:
    run = Run()
    taken: set[int] = set()
    for counter in counters:
        late = bool(taken) and max(taken) - counter >= WINDOW
        assert run.has_seen(counter) == (counter in taken or late)
        if not run.has_seen(counter):
            run.note(counter)
            taken.add(counter)
    assert run.seen < 1 << WINDOW


def test_255_behind_is_taken_and_256_is_not() -> None:
    run = Run()
    run.note(1_000)
    assert not run.has_seen(1_000 - 255)
    assert run.has_seen(1_000 - 256)


def test_a_run_that_was_not_heard_lately_is_let_go() -> None:
    ring = ring_of(OLD)
    runs = Runs(ring, 3)
    for short_id in (1, 2, 3, 4):
        runs.take(short_id, 5, ring.preferred, end(OLD))
    assert sorted(runs.by_id) == [2, 3, 4]
    runs.take(2, 6, ring.preferred, end(OLD))  # so there is one that was heard from longer ago
    runs.take(5, 5, ring.preferred, end(OLD))
    assert sorted(runs.by_id) == [2, 4, 5]


def test_one_that_was_let_go_and_comes_again_is_not_taken_at_its_earlier_counters() -> None:
    """What was taken then is no longer known, so each of them may be a recording."""
    ring = ring_of(OLD)
    runs = Runs(ring, 2)
    for short_id, counter in ((1, 5), (1, 6), (1, 9), (2, 5)):
        runs.take(short_id, counter, ring.preferred, end(OLD))
    run = runs.get(1)
    assert run is not None
    assert [counter for counter in range(5, 11) if not run.has_seen(counter)] == [7, 8, 10]
    for short_id in (3, 4):
        runs.take(short_id, 5, ring.preferred, end(OLD))
    assert runs.get(1) is None
    runs.take(1, 10, ring.preferred, end(OLD))
    run = runs.get(1)
    assert run is not None
    assert [counter for counter in range(5, 13) if not run.has_seen(counter)] == [11, 12]
    run.note(12)
    assert [counter for counter in range(5, 14) if not run.has_seen(counter)] == [11, 13]


def test_a_flood_of_new_runs_never_exceeds_the_bound() -> None:
    ring = ring_of(OLD)
    runs = Runs(ring, 10)
    for short_id in range(1, 1_000):
        runs.take(short_id, 5, ring.preferred, end(OLD))
        assert len(runs) <= 10
        assert runs.get(short_id) is not None


def used(runs: Runs, short_id: int = 1) -> int:
    run = runs.get(short_id)
    assert run is not None
    assert run.key is not None
    return run.key.id


def test_what_the_other_prefers_is_used_if_it_is_held_and_else_what_it_used() -> None:
    ring = ring_of(OLD, NEW)
    runs = Runs(ring, 8)
    runs.take(1, 1, ring.preferred, end(NEW))
    assert used(runs) == ring_of(NEW).preferred.id
    runs.take(1, 2, ring.preferred, end(THIRD))
    assert used(runs) == ring_of(OLD).preferred.id


def test_other_keys_count_at_once() -> None:
    ring = ring_of(OLD)
    runs = Runs(ring, 8)
    runs.take(1, 1, ring.preferred, end(NEW))
    assert used(runs) == ring_of(OLD).preferred.id
    runs.use(ring_of(NEW, OLD))
    assert used(runs) == ring_of(NEW).preferred.id
    runs.use(ring_of(THIRD))  # the keys that it used are gone, so the node's own one is the best guess
    assert used(runs) == ring_of(THIRD).preferred.id
