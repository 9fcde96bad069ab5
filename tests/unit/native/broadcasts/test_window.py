"""The window of a stream: each number is delivered, asked for, or reported lost; none is both, and none is neither."""

import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.hand import Hand, peers
from swim_core import BroadcastReceived, BroadcastsLost
from swim_core.native.dissemination.window import Window
from swim_core.native.wire.messages import Broadcast, Number, Want

A, B, C = peers(3)
SIZE = Window.SIZE


def missing(window: Window) -> set[int]:
    return {number for first, last in window.missing(SIZE) for number in range(first, last + 1)}


steps = st.lists(
    st.tuples(
        st.sampled_from(["receive", "receive", "receive", "learn", "report", "skip"]),
        st.one_of(st.integers(1, 40), st.integers(1, 5_000), st.integers(980, 1_100)),
    ),
    max_size=40,
)


@settings(deadline=None)
@given(steps)
def test_each_number_is_delivered_missing_or_lost(todo: list[tuple[str, int]]) -> None:
    """Compared with a model that remembers everything; one delivered after it was reported lost is late."""
    window, seen, known, told, late = Window(), set[int](), 0, 0, 0
    given_up: set[int] = set()  # reported lost
    for what, number in todo:
        if what == "receive" and window.fresh(number):
            assert number not in seen
            late += number in given_up
            window.receive(number)
            seen.add(number)
            known = max(known, number)
        elif what == "learn":
            window.learn(number)
            known = max(known, number)
        elif what in ("report", "skip"):
            kept = missing(window) if what == "report" else set()
            told += window.report() if what == "report" else window.skip()
            given_up = set(range(1, known + 1)) - seen - kept | given_up
        assert window.known == known
        assert missing(window) == {
            number for number in range(max(1, known - SIZE + 1), known + 1) if number not in seen | given_up
        }
        assert window.missing_count == len(missing(window))
        assert len(seen) + told + window.lost + window.missing_count - late == known
        assert window.complete() == (not window.lost and not missing(window))


def test_what_was_before_ones_time_is_neither_missing_nor_lost() -> None:
    window = Window()
    window.receive(5_000)
    assert window.lost == 5_000 - SIZE
    window.start_at(4_990)
    assert window.lost == 0
    assert missing(window) == set(range(4_991, 5_000))


def test_a_forged_number_costs_no_memory() -> None:
    window = Window()
    for number in (3, 2**31, 2**32 - 1):
        window.receive(number)
        window.learn(number)
    assert window.lost == 2**32 - 1 - SIZE - 2
    assert len(pickle.dumps(window)) < 1_000


# ------------------------------------------------------------------ in a node


def settled() -> Hand:
    hand = Hand(knows=[A, B, C])
    hand.run(1.0)
    hand.clear()
    return hand


def item(number: int) -> Broadcast:
    return Broadcast(A.name, A.epoch, number, b"x")


@pytest.mark.parametrize("shown_by", ["number", "broadcast"])
def test_what_falls_behind_the_window_is_told_lost_once_and_soon(shown_by: str) -> None:
    hand = settled()
    hand.feed(B, broadcasts=[item(1), item(3)])
    if shown_by == "number":
        hand.feed(B, numbers=[Number(A.short_id, 4_000)])
    else:
        hand.feed(B, broadcasts=[item(4_000)])
    hand.run(0.31)
    (event,) = hand.happened(BroadcastsLost)
    assert (event.origin.name, event.count) == ("p1", 4_000 - SIZE - 2)
    assert hand.node.statistics().broadcasts_lost == event.count
    (want,) = hand.messages(Want)
    assert want.ranges[0][0] == 4_000 - SIZE + 1
    hand.run(10.0)
    delivered = len(hand.happened(BroadcastReceived))
    assert sum(event.count for event in hand.happened(BroadcastsLost)) + delivered == 4_000
    assert len(hand.happened(BroadcastsLost)) == 2


def test_what_comes_before_it_is_told_lost_is_not() -> None:
    hand = settled()
    hand.feed(B, numbers=[Number(A.short_id, 2_000)])
    hand.feed(B, broadcasts=[item(number) for number in range(1, 21)])
    hand.run(0.31)
    (event,) = hand.happened(BroadcastsLost)
    assert event.count == 2_000 - SIZE - 20


def test_losses_that_go_on_are_told_together() -> None:
    """One event reports many numbers that fall behind, not one event each."""
    hand = settled()
    for number in range(2_000, 4_000, 2):
        hand.feed(B, broadcasts=[item(number)])
        hand.run(0.001)
    hand.run(5.0)
    assert len(hand.happened(BroadcastsLost)) < 10
    assert sum(event.count for event in hand.happened(BroadcastsLost)) + 1_000 == 3_998
