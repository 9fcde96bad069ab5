"""Sections 1 and 3: nobody moves a cluster so far ahead that a name has no epoch left."""

import pytest

from support.hand import UNIX_MS, Hand, peer, peers
from swim_core import ClocksDiffer, DropReason, State
from swim_core.native.cluster_clock import AHEAD, RELEASED, ClusterClock
from swim_core.native.wire.claim import MAX_MILLIS
from swim_core.native.wire.messages import Join, JoinAck, Ping

A, B, C = peers(3)
DAY = 86_400_000
LATEST = RELEASED + AHEAD  # as the wall clock of tests is older


def test_three_witnesses_move_the_clock_by_ten_years_and_no_more() -> None:
    hand = Hand(knows=[A, B, C])
    for time in (MAX_MILLIS, LATEST + 10_000):
        for member in (A, B, C):
            hand.feed(member, Ping(1, hand.short_id, time))
    assert hand.cluster_time < UNIX_MS + 10_000
    assert hand.dropped(DropReason.TIME_JUMP) == 6
    for member in (A, B, C):
        hand.feed(member, Ping(1, hand.short_id, LATEST - 10_000))
    assert hand.cluster_time >= LATEST - 10_000


def test_no_claim_takes_the_last_epoch_of_a_name() -> None:
    hand = Hand(knows=[A, B, C])
    for member in (A, B, C):
        hand.feed(member, Ping(1, hand.short_id, LATEST))
    hand.feed(B, claims=[peer(1, epoch=2**64 - 1).claim(), peer(1, epoch=LATEST + 2 * DAY << 16).claim()])
    assert hand.dropped(DropReason.FAR_FUTURE_EPOCH) == 2
    hand.feed(B, claims=[hand.own_claim(epoch=2**64 - 1)])
    assert not hand.node.statistics().superseded
    assert hand.held(A).epoch == A.epoch


@pytest.mark.parametrize("held", [None, 2**64 - 2**17])
def test_a_newcomer_takes_neither_a_time_nor_an_epoch_from_beyond(held: int | None) -> None:
    hand = Hand()
    hand.node.join([A.address], now=hand.now)
    hand.collect()
    join = hand.messages(Join, A)[-1]
    time = MAX_MILLIS if held is None else UNIX_MS
    claim = None if held is None else hand.own_claim(State.DEAD, epoch=held)
    hand.feed(A, JoinAck(join.seq, b"cookie", time, 1000, 4, 5000, claim, None))
    assert hand.cluster_time < UNIX_MS + 10_000
    assert hand.me.epoch >> 16 == UNIX_MS
    assert bool(hand.happened(ClocksDiffer)) is (held is None)


def test_a_host_without_a_clock_takes_the_time_of_its_cluster() -> None:
    clock = ClusterClock(0, 5.0)
    clock.adopt(RELEASED + 9 * 365 * DAY, 6.0)
    assert clock.read(6.0) == RELEASED + 9 * 365 * DAY


def test_the_bound_runs_with_the_clock() -> None:
    clock = ClusterClock(UNIX_MS, 5.0)
    assert clock.latest(5.0 + 3_600) == LATEST + 3_600_000
    assert ClusterClock(RELEASED + DAY, 5.0).latest(5.0) == LATEST + DAY
