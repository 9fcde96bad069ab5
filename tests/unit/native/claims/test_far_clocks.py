"""Sections 1 and 3: nobody can move a cluster so far ahead that a name has no epoch left."""

import pytest
from msgspec.structs import replace

from support.hand import UNIX_MS, Hand, peer, peers
from swim_core import ClocksDiffer, DropReason, State
from swim_core.native.cluster_clock import AHEAD, RELEASED, ClusterClock
from swim_core.native.wire.claim import MAX_MILLIS
from swim_core.native.wire.messages import Join, JoinAck, NotMe, Ping

A, B, C = peers(3)
DAY = 86_400_000
LATEST = RELEASED + AHEAD  # because the wall clock of tests is older


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


def restarted_far_ahead() -> Hand:
    """A process that started again under a clock that is 400 days ahead, and was seen: a member that watches the run
    before has pinged it, and been told whose address this is."""
    hand = Hand(unix_ms=UNIX_MS + 400 * DAY)
    hand.node.join([B.address], now=hand.now)
    hand.collect()
    hand.feed(A, Ping(1, 77, UNIX_MS), claims=[peer(40 + number).claim() for number in range(6)])
    assert [answer.claim is not None for answer in hand.messages(NotMe, A)] == [True]
    return hand


def test_one_that_starts_again_far_ahead_takes_the_time_of_its_cluster_though_somebody_saw_its_claim() -> None:
    """Nobody there can accept that claim, since it is too far ahead for all of them."""
    hand = restarted_far_ahead()
    hand.feed(B, JoinAck(hand.messages(Join, B)[-1].seq, b"cookie", UNIX_MS, 1000, 4, 5000, None, None))
    assert not hand.happened(ClocksDiffer)
    assert hand.cluster_time < UNIX_MS + 10_000
    second = hand.messages(Join, B)[-1]
    assert second.cookie == b"cookie"
    assert second.claim is not None
    assert second.claim.epoch >> 16 == UNIX_MS
    assert hand.me.epoch >> 16 == UNIX_MS


def test_one_that_somebody_saw_lets_nobody_in_whose_clock_is_far_behind() -> None:
    """Otherwise it would list a newcomer that doesn't list it, since newcomers refuse claims from too far ahead."""
    hand = restarted_far_ahead()
    join = Join(1, "p3", 1000, 4, 5000, 1200, time=UNIX_MS, padding=bytes(700))
    (reply,) = [sent.message for sent in hand.feed(C, join) if isinstance(sent.message, JoinAck)]
    hand.feed(C, replace(join, cookie=reply.cookie, claim=C.claim()))
    assert hand.happened(ClocksDiffer)
    assert hand.node.members() == (hand.node.local,)


def test_a_host_without_a_clock_takes_the_time_of_its_cluster() -> None:
    clock = ClusterClock(0, 5.0)
    clock.adopt(RELEASED + 9 * 365 * DAY, 6.0)
    assert clock.read(6.0) == RELEASED + 9 * 365 * DAY


def test_the_bound_runs_with_the_clock() -> None:
    clock = ClusterClock(UNIX_MS, 5.0)
    assert clock.latest(5.0 + 3_600) == LATEST + 3_600_000
    assert ClusterClock(RELEASED + DAY, 5.0).latest(5.0) == LATEST + DAY
