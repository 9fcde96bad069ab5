"""What a newcomer counts as older than itself, by the numbers that it hears."""

from swim_core.native.coming import SETTLING, Coming

A, B, C = 1, 2, 3  # short ids of runs


def a_newcomer(most: int = 10) -> Coming:
    coming = Coming(most)
    coming.came(100.0)
    return coming


def test_a_node_that_came_to_nobody_misses_all() -> None:
    coming = Coming(10)
    coming.note(A, 7, 100.0)
    assert not coming.newcomer
    assert coming.before(A, 7, 100.0) == 0


def test_all_that_is_heard_in_the_first_two_seconds_is_older() -> None:
    coming = a_newcomer()
    assert coming.before(A, 5, 100.1) == 5
    assert coming.before(A, 9, 100.0 + SETTLING - 0.1) == 9
    assert coming.before(A, 7, 100.0 + SETTLING - 0.1) == 9
    assert coming.before(A, 11, 100.0 + SETTLING) == 9


def test_after_that_only_what_is_heard_first_of_a_run() -> None:
    coming = a_newcomer()
    assert coming.before(A, 5, 103.0) == 5
    assert coming.before(A, 6, 103.1) == 5
    assert coming.before(B, 1, 110.0) == 1


def test_it_comes_only_once() -> None:
    coming = a_newcomer()
    coming.came(200.0)
    assert coming.at == 100.0


def test_what_was_noted_of_a_run_not_met_holds_once_it_is_heard() -> None:
    coming = a_newcomer()
    coming.note(A, 5, 103.0)
    coming.settled = True
    coming.note(B, 5, 104.0)
    assert not coming.newcomer
    assert coming.before(A, 8, 200.0) == 5
    assert coming.before(A, 9, 200.1) == 0
    assert coming.before(B, 8, 200.0) == 0


def test_no_more_runs_are_remembered_than_it_may() -> None:
    for now in (100.5, 103.0):
        coming = a_newcomer(2)
        for run in (A, B, C):
            coming.note(run, 5, now)
        assert coming.before(C, 6, now) == 6
        coming.settled = True
        assert [coming.before(run, 7, now) for run in (A, B, C)] == [5, 5, 0]
