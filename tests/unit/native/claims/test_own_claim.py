"""Section 1, rule by rule: what a node says of itself, what it believes of others, and when it forgets."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from support.hand import EPOCH, UNIX_MS, Hand, Peer, peer, peers
from support.inside import parts_of
from swim_core import (
    Address,
    Config,
    DropReason,
    MemberDied,
    MemberForgotten,
    MemberJoined,
    MemberUpdated,
    NameConflict,
    NameRegained,
    NameTaken,
    Node,
    NotRunning,
    Rule,
    State,
)
from swim_core.native.wire.messages import Ack, Join, JoinAck, PageEntry, Ping, PingReq, SyncPush, SyncReq, UserMessage

TOP = 2**32 - 1
STEP = 1 << 16
DAY = 86_400.0
ACCUSED = [State.SUSPECT, State.DEAD, State.LEFT]
A, B, C = peers(3)


def floods(hand: Hand) -> set[tuple[int, State, int]]:
    """What the node said of itself: epoch, state, incarnation."""
    return {(claim.epoch, claim.state, claim.incarnation) for claim in hand.told("me")}


# ------------------------------------------------------------------ what a claim holds


def test_the_epoch_is_the_wall_clock_in_ms_and_16_random_bits() -> None:
    epochs = {Hand(seed=seed).me.epoch for seed in range(20)}
    assert {epoch >> 16 for epoch in epochs} == {UNIX_MS}
    assert len(epochs) > 15


def test_the_incarnation_starts_at_0_and_the_state_is_alive() -> None:
    me = Hand().me
    assert (me.incarnation, me.state) == (0, State.ALIVE)


def test_a_metadata_change_raises_the_incarnation_and_is_flooded() -> None:
    hand = Hand(knows=[A, B])
    hand.node.update_metadata({"role": "draining"}, now=hand.now)
    hand.collect()
    assert hand.me.incarnation == 1
    assert {sent.to for sent in hand.sent} == {A.address, B.address}
    assert floods(hand) == {(hand.me.epoch, State.ALIVE, 1)}


def test_the_same_metadata_again_changes_nothing() -> None:
    hand = Hand(knows=[A], metadata={"k": "v"})
    hand.node.update_metadata({"k": "v"}, now=hand.now)
    assert not hand.collect()
    assert hand.me.incarnation == 0


# ------------------------------------------------------------------ refutation


@pytest.mark.parametrize("state", ACCUSED)
@pytest.mark.parametrize("above", [0, 1, 7])
def test_an_accusation_at_an_incarnation_not_below_its_own_is_refuted_with_the_next_one(
    state: State, above: int
) -> None:
    hand = Hand(knows=[A, B])
    hand.feed(A, claims=[hand.own_claim(state, incarnation=above)])
    assert hand.me.incarnation == above + 1
    assert hand.me.state is State.ALIVE
    assert floods(hand) >= {(hand.me.epoch, State.ALIVE, above + 1)}
    assert {sent.to for sent in hand.sent if sent.claims} == {A.address, B.address}


@pytest.mark.parametrize("state", ACCUSED)
def test_an_accusation_below_its_own_incarnation_is_answered_with_the_claim_held(state: State) -> None:
    hand = Hand(knows=[A, B])
    hand.node.update_metadata({"k": "v"}, now=hand.now)
    hand.collect()
    hand.run(2.0)
    hand.clear()
    hand.feed(A, claims=[hand.own_claim(state, incarnation=0)])
    assert hand.me.incarnation == 1
    assert floods(hand) == {(hand.me.epoch, State.ALIVE, 1)}
    assert {sent.to for sent in hand.sent} == {A.address}


def test_what_strangers_claim_is_not_heard() -> None:
    hand = Hand(knows=[A])
    for source in (peer(9), peer(1, epoch=EPOCH + 1)):
        hand.feed(source, claims=[hand.own_claim(State.SUSPECT), A.claim(State.DEAD), peer(8).claim()])
    hand.feed(A, claims=[hand.own_claim(State.SUSPECT), peer(8).claim()], at=Address("10.6.6.6", 6))
    assert hand.me.incarnation == 0
    assert hand.state(A) is State.ALIVE
    assert hand.state(peer(8)) is None
    assert hand.dropped(DropReason.STRANGER) == 3


def test_one_that_is_held_gone_is_heard_of_itself_and_others() -> None:
    hand = Hand(knows=[A, B])
    hand.feed(A, claims=[B.claim(State.DEAD, time=hand.cluster_time)])
    hand.feed(B, claims=[B.claim(incarnation=1), peer(8).claim()])
    assert hand.state(B) is State.ALIVE
    assert hand.state(peer(8)) is State.ALIVE


def test_the_same_accusation_twice_is_refuted_once() -> None:
    hand = Hand(knows=[A])
    accusation = hand.own_claim(State.SUSPECT)
    hand.feed(A, claims=[accusation, accusation])
    hand.feed(B, claims=[accusation])
    assert hand.me.incarnation == 1


@pytest.mark.parametrize("state", ACCUSED)
def test_at_the_top_of_the_incarnations_it_takes_the_epoch_2_16_further(state: State) -> None:
    hand = Hand(knows=[A])
    epoch = hand.me.epoch
    hand.feed(A, claims=[hand.own_claim(state, incarnation=TOP)])
    assert (hand.me.epoch, hand.me.incarnation) == (epoch + STEP, 0)
    assert (epoch + STEP, State.ALIVE, 0) in floods(hand)


def test_a_metadata_change_at_the_top_takes_the_epoch_2_16_further() -> None:
    hand = Hand(knows=[A])
    epoch = hand.me.epoch
    hand.feed(A, claims=[hand.own_claim(State.SUSPECT, incarnation=TOP - 1)])
    assert (hand.me.epoch, hand.me.incarnation) == (epoch, TOP)
    hand.node.update_metadata({"k": "v"}, now=hand.now)
    assert (hand.me.epoch, hand.me.incarnation) == (epoch + STEP, 0)


def test_others_see_the_new_epoch_from_the_top_as_an_update() -> None:
    hand = Hand(knows=[A, B])
    hand.feed(A, claims=[B.claim(incarnation=TOP)])
    hand.clear()
    hand.feed(A, claims=[peer(2, epoch=EPOCH + STEP).claim()])
    assert [type(event) for event in hand.events] == [MemberUpdated]


# ------------------------------------------------------------------ deaths that are old news


def old_death(hand: Hand, age: int = 2_001) -> None:
    hand.feed(A, claims=[B.claim(State.DEAD, time=hand.cluster_time - age)])


@pytest.mark.parametrize("how", ["old", "paged"])
def test_an_old_death_is_neither_merged_nor_flooded_but_put_to_the_member(how: str) -> None:
    hand = Hand(knows=[A, B, C])
    if how == "old":
        old_death(hand)
    else:
        hand.feed(A, SyncPush([PageEntry(B.claim(State.DEAD, time=hand.cluster_time), 0)]))
    assert hand.state(B) is State.ALIVE
    assert [(claim.name, claim.state) for claim in hand.deaths_told()] == [("p2", State.DEAD)]
    assert {sent.to for sent in hand.sent if sent.claims} == {B.address}


def test_a_fresh_death_is_merged_at_once_and_passed_on() -> None:
    hand = Hand(knows=[A, B, C])
    hand.node.feed_tick(now=hand.now)
    old_death(hand, age=1_900)
    assert hand.state(B) is State.DEAD
    hand.run(0.06)  # its accuser has told everybody, so it is passed on only when it is repeated
    assert {sent.to for sent in hand.sent if sent.claims} >= {A.address, C.address}


def test_an_old_death_that_nobody_answers_is_believed_after_a_second_and_flooded_with_its_old_time() -> None:
    hand = Hand(knows=[A, B, C])
    time = hand.cluster_time - 50_000
    hand.feed(A, claims=[B.claim(State.DEAD, time=time)])
    hand.run(0.95)
    assert hand.state(B) is State.ALIVE
    hand.clear()
    hand.run(0.1)
    assert hand.state(B) is State.DEAD
    assert len(hand.happened(MemberDied)) == 1
    told = [claim for claim in hand.told("p2", A, C) if claim.state is State.DEAD]
    assert {claim.verdict.time for claim in told if claim.verdict} == {time}


def test_an_old_death_waits_four_times_the_99th_percentile_of_the_round_trip_where_that_is_longer() -> None:
    hand = Hand(knows=[A, B, C], config=Config.wan())
    for _ in range(20):  # samples of half a second
        hand.answering = []
        hand.until(lambda: bool(hand.messages(Ping)), 5.0)
        sent = next(sent for sent in hand.sent if isinstance(sent.message, Ping))
        hand.now += 0.5
        hand.feed(next(p for p in (A, B, C) if p.address == sent.to), Ack(sent.message.seq, hand.digest()))  # type: ignore[union-attr]
        hand.clear()
    hand.answering = [A, B, C]
    p99 = hand.node.statistics().rtt_p99
    assert p99 is not None
    assert p99 >= 0.5
    old_death(hand)
    hand.run(4 * p99 - 0.2)
    assert hand.state(B) is State.ALIVE
    hand.run(0.3)
    assert hand.state(B) is State.DEAD


def test_an_old_death_is_dropped_when_the_member_answers_with_a_higher_claim() -> None:
    hand = Hand(knows=[A, B, C])
    old_death(hand)
    hand.run(0.5)
    hand.feed(B, claims=[B.claim(incarnation=1)])
    hand.run(5.0)
    assert hand.state(B) is State.ALIVE
    assert not hand.happened(MemberDied)


def test_an_old_death_is_not_dropped_by_an_ack() -> None:
    """Only a higher claim answers a claim."""
    hand = Hand(knows=[A, B, C])
    old_death(hand)
    hand.feed(B, Ping(1, hand.short_id, UNIX_MS))
    hand.run(1.1)
    assert hand.state(B) is State.DEAD


def test_an_old_death_at_a_lower_incarnation_is_nothing() -> None:
    hand = Hand(knows=[A, B])
    hand.feed(A, claims=[B.claim(incarnation=1)])
    hand.run(1.0)
    hand.clear()
    old_death(hand)
    hand.run(3.0)
    assert hand.state(B) is State.ALIVE
    assert not list(hand.deaths_told())


def test_old_suspicions_and_departures_are_believed_at_once() -> None:
    hand = Hand(knows=[A, B, C])
    hand.feed(A, claims=[B.claim(State.SUSPECT, time=UNIX_MS - 9_000), C.claim(State.LEFT, time=UNIX_MS - 9_000)])
    assert hand.state(B) is State.SUSPECT
    assert hand.state(C) is State.LEFT


def test_a_member_is_asked_three_times_before_an_old_death_is_believed() -> None:
    """The loss of one datagram must not make it dead here."""
    hand = Hand(knows=[A, B, C])
    hand.node.feed_tick(now=hand.now)
    old_death(hand)
    start = hand.now
    hand.until(lambda: hand.state(B) is State.DEAD, 2.0)
    asked = [sent.at - start for sent in hand.to(B) if sent.claims]
    assert asked[:3] == pytest.approx([0.0, 1 / 3, 2 / 3], abs=0.001)
    assert hand.now - start == pytest.approx(1.0, abs=0.001)


def test_a_member_that_answers_is_asked_no_more() -> None:
    hand = Hand(knows=[A, B, C])
    hand.node.feed_tick(now=hand.now)
    old_death(hand)
    hand.run(0.4)
    hand.feed(B, claims=[B.claim(incarnation=1)])
    hand.clear()
    hand.run(3.0)
    assert hand.state(B) is State.ALIVE
    assert not list(hand.deaths_told())


def test_old_deaths_are_put_to_members_at_most_50_a_second() -> None:
    others = peers(150)
    hand = Hand(knows=others)
    entries = [PageEntry(other.claim(State.DEAD), 0) for other in others[1:]]
    for start in range(0, len(entries), 10):
        hand.feed(others[0], SyncPush(entries[start : start + 10]))
    start_time = hand.now
    hand.run(3.5)
    put = [min((sent.at for sent in hand.to(other) if sent.claims), default=9.0) - start_time for other in others[1:]]
    assert sum(at < 0.99 for at in put) <= 51
    assert sum(at < 2.0 for at in put) <= 101
    assert all(at < 3.1 for at in put)


# ------------------------------------------------------------------ the own name, elsewhere


def test_its_own_old_run_at_a_greater_epoch_makes_it_take_the_epoch_beyond() -> None:
    """A clock that was set back locks nobody out."""
    hand = Hand(knows=[A])
    epoch, ahead = hand.me.epoch, hand.me.epoch + 5 * STEP + 77
    hand.feed(A, claims=[hand.own_claim(epoch=ahead, incarnation=3)])
    assert (hand.me.epoch, hand.me.incarnation) == (epoch + 6 * STEP, 0)  # with its own random bits
    assert (hand.me.epoch, State.ALIVE, 0) in floods(hand)
    assert not hand.happened(NameConflict)


@pytest.mark.parametrize("state", [State.DEAD, State.LEFT])
def test_a_run_of_its_name_elsewhere_that_is_gone_makes_it_take_the_epoch_beyond(state: State) -> None:
    hand = Hand(knows=[A])
    gone = Peer("me", Address("10.9.9.9", 9), hand.me.epoch + STEP)
    hand.feed(A, claims=[gone.claim(state, time=hand.cluster_time)])
    assert hand.me.epoch == gone.epoch + STEP
    assert not hand.happened(NameConflict)


def test_at_its_own_epoch_a_greater_address_decides() -> None:
    hand = Hand(knows=[A])
    greater = Peer("me", Address("10.9.9.9", 9), hand.me.epoch)
    hand.feed(A, claims=[greater.claim()])
    assert hand.node.statistics().superseded
    hand = Hand(knows=[A])
    lower = Peer("me", Address("1.1.1.1", 9), hand.me.epoch)
    hand.feed(A, claims=[lower.claim()])
    assert not hand.happened(NameConflict)
    assert not hand.node.statistics().superseded


def superseded() -> tuple[Hand, Peer]:
    hand = Hand(knows=[A, B])
    hand.node.join([A.address, ("10.5.5.5", 5)], now=hand.now)
    hand.run(1.0)
    hand.clear()
    rival = Peer("me", Address("10.9.9.9", 9), hand.me.epoch + STEP)
    hand.feed(A, claims=[rival.claim()])
    hand.run(0.5)
    return hand, rival


def in_conflict() -> tuple[Hand, Peer]:
    """The rival has answered, so it is alive."""
    hand, rival = superseded()
    asked = hand.messages(Join, rival)[-1]
    hand.feed(rival, JoinAck(asked.seq, b"c" * 16, hand.cluster_time, 1000, 4, 5000, rival.claim()))
    return hand, rival


def test_the_last_word_of_a_superseded_node_is_its_rivals_claim() -> None:
    """Others must know the rival, or it could not die."""
    hand, rival = superseded()
    assert [sent.to for sent in hand.sent if sent.claims == [rival.claim()]] == [A.address, B.address]
    assert len(hand.sent) == 2 + len(hand.messages(Join))


def test_another_live_process_of_its_name_is_a_name_conflict_told_once() -> None:
    hand, rival = superseded()
    assert not hand.happened(NameConflict), "it may be this process's own past"
    asked = hand.messages(Join, rival)[-1]
    hand.feed(rival, JoinAck(asked.seq, b"c" * 16, hand.cluster_time, 1000, 4, 5000, rival.claim()))
    (conflict,) = hand.happened(NameConflict)
    assert (conflict.member.address, conflict.member.epoch) == (rival.address, rival.epoch)
    assert hand.node.statistics().superseded
    for incarnation in range(1, 4):
        hand.feed(B, claims=[rival.claim(incarnation=incarnation)])
        hand.feed(B, claims=[rival.claim(State.SUSPECT, incarnation=incarnation)])
        hand.feed(B, claims=[hand.own_claim(State.SUSPECT, incarnation=incarnation)])
        hand.run(1.0)
    assert len(hand.happened(NameConflict)) == 1


def test_a_rival_that_nobody_finds_dead_is_a_conflict_after_twice_s_though_it_does_not_answer() -> None:
    hand, _ = superseded()
    hand.run(9.0)
    assert not hand.happened(NameConflict)
    hand.run(1.0)
    assert len(hand.happened(NameConflict)) == 1


def test_its_own_past_is_no_rival_once_others_find_it_dead() -> None:
    """It moved, its clock is behind, and its seeds didn't know its previous run."""
    hand, past = superseded()
    hand.run(3.0)
    hand.feed(B, claims=[past.claim(State.DEAD, time=hand.cluster_time)])
    assert hand.me.epoch == past.epoch + STEP
    assert not hand.node.statistics().superseded
    hand.run(20.0)
    assert not hand.happened(NameConflict)
    assert not hand.happened(NameRegained)


def test_who_has_left_hears_of_no_conflict() -> None:
    hand, _ = superseded()
    hand.node.leave(now=hand.now)
    hand.run(20.0)
    assert not hand.happened(NameConflict)


def test_a_superseded_node_probes_accuses_answers_and_floods_nothing() -> None:
    hand, rival = superseded()
    hand.clear()
    hand.answering = []
    for source in (A, peer(9)):
        for state in State:
            hand.feed(source, claims=[hand.own_claim(state, incarnation=5), B.claim(State.SUSPECT)])
        hand.feed(source, Ping(1, hand.short_id, hand.cluster_time))
        hand.feed(source, Ping(1, 12345, hand.cluster_time))
        hand.feed(source, PingReq(1, B.claim()))
        hand.feed(source, SyncReq(1, [0], 0, bytes(1000)))
        hand.feed(source, Join(1, "p9", 1000, 4, 5000, 1200, padding=bytes(700)))
        hand.feed(source, UserMessage(b"x"))
        hand.feed(rival, claims=[rival.claim()])
    hand.run(30.0)
    assert {type(sent.message) for sent in hand.sent} <= {Join}
    assert not any(sent.claims for sent in hand.sent)
    assert hand.dropped(DropReason.SUPERSEDED)
    assert not hand.happened(MemberDied)


def test_a_superseded_node_joins_every_60_s_even_where_it_holds_the_seed_live() -> None:
    hand, _ = superseded()
    hand.run(300.0)
    joins = [sent.at for sent in hand.sent if isinstance(sent.message, Join) and sent.to == A.address]
    attempts = [at for before, at in pairwise([-60.0, *joins]) if at - before > 10.0]
    assert 4 <= len(attempts) <= 6
    assert all(later - sooner == pytest.approx(60.0, abs=1.0) for sooner, later in pairwise(attempts[1:]))


def test_a_superseded_nodes_join_is_not_refused_to_the_application() -> None:
    hand, _ = superseded()
    hand.node.join([C.address], now=hand.now)


@pytest.mark.parametrize(
    "verb",
    [
        lambda node, now: node.broadcast(b"x", now=now),
        lambda node, now: node.send("p1", b"x", now=now),
        lambda node, now: node.update_metadata({}, now=now),
        lambda node, now: node.ping("p1", now=now),
        lambda node, now: node.remove("p1", now=now),
        lambda node, now: node.force_leave("p1", now=now),
    ],
    ids=["broadcast", "send", "update_metadata", "ping", "remove", "force_leave"],
)
def test_the_other_verbs_of_a_superseded_node_say_that_its_name_is_taken(verb: Callable[[Node, float], object]) -> None:
    hand, _ = superseded()
    with pytest.raises(NameTaken, match="another live process owns the name 'me'") as caught:
        verb(hand.node, hand.now)
    assert not isinstance(caught.value, NotRunning)  # whoever handles that event would open another node of this name


@pytest.mark.parametrize("state", [State.DEAD, State.LEFT])
@pytest.mark.parametrize("told_by", ["flood", "join"])
def test_a_superseded_node_goes_on_when_the_rival_dies(state: State, told_by: str) -> None:
    hand, rival = in_conflict()
    hand.run(1.0)
    hand.clear()
    end = rival.claim(state, incarnation=2, time=hand.cluster_time)
    if told_by == "flood":
        hand.feed(A, claims=[end])
    else:
        hand.until(lambda: bool(hand.messages(Join, A)), 70.0)
        join = hand.messages(Join, A)[-1]
        hand.feed(A, JoinAck(join.seq, b"c", hand.cluster_time, 1000, 4, 5000, end))
    assert not hand.node.statistics().superseded
    assert hand.me.epoch == rival.epoch + STEP
    assert hand.happened(NameRegained) == [NameRegained(hand.node.local)]
    hand.run(5.0)
    assert (hand.me.epoch, State.ALIVE, 0) in floods(hand)
    assert hand.messages(Ping)
    assert len(hand.happened(NameRegained)) == 1


def test_a_refutation_regains_no_name() -> None:
    hand = Hand(knows=[A, B])
    hand.feed(A, claims=[hand.own_claim(State.DEAD)])
    assert hand.me.incarnation == 1
    assert not hand.happened(NameRegained)


# ------------------------------------------------------------------ what is dropped


def test_an_epoch_more_than_a_day_beyond_cluster_time_is_dropped() -> None:
    hand = Hand(knows=[A])
    day = 86_400_000
    now = hand.cluster_time
    hand.feed(A, claims=[peer(8, epoch=now + day + 2_000 << 16).claim()])
    assert hand.dropped(DropReason.FAR_FUTURE_EPOCH) == 1
    assert hand.state(peer(8)) is None
    hand.feed(A, claims=[peer(8, epoch=now + day - 2_000 << 16).claim()])
    assert hand.state(peer(8)) is State.ALIVE
    hand.feed(A, claims=[hand.own_claim(epoch=now + day + 2_000 << 16)])
    assert hand.dropped(DropReason.FAR_FUTURE_EPOCH) == 2
    assert hand.me.epoch >> 16 == UNIX_MS


@pytest.mark.parametrize("state", [State.DEAD, State.LEFT])
def test_the_end_of_an_unknown_name_is_dropped(state: State) -> None:
    hand = Hand(knows=[A])
    hand.feed(A, claims=[peer(8).claim(state, time=hand.cluster_time)])
    assert hand.dropped(DropReason.UNKNOWN_GONE) == 1
    assert hand.state(peer(8)) is None
    assert not hand.events
    assert not hand.told("p8")


# ------------------------------------------------------------------ lifetimes


@pytest.mark.parametrize(("state", "lifetime"), [(State.LEFT, 600.0), (State.DEAD, DAY)])
def test_the_departed_are_forgotten_after_10_minutes_and_the_dead_after_a_day(state: State, lifetime: float) -> None:
    hand = Hand(knows=[A, B], config=Config.lan(probe_interval=60.0, stall_tolerance=3600.0))
    hand.answering = [A]
    hand.feed(A, claims=[B.claim(state, time=hand.cluster_time)])
    learned = hand.now
    hand.run(lifetime - 61.0)
    assert hand.state(B) is state
    hand.until(lambda: bool(hand.happened(MemberForgotten)), 200.0)
    assert lifetime <= hand.now - learned <= lifetime + 61.0
    (forgotten,) = hand.happened(MemberForgotten)
    assert (forgotten.member.name, forgotten.member.state) == ("p2", state)
    assert hand.state(B) is None
    hand.clear()
    hand.feed(A, claims=[B.claim(state, time=hand.cluster_time)])
    assert hand.state(B) is None, "forgotten members stay forgotten"
    hand.feed(A, claims=[B.claim(incarnation=1)])
    assert [type(event) for event in hand.events] == [MemberJoined]


def test_forget_after_is_a_setting() -> None:
    hand = Hand(knows=[A, B, C], config=Config.lan(forget_after=30, forget_left_after=10))
    hand.answering = [A]
    hand.feed(A, claims=[B.claim(State.DEAD, time=hand.cluster_time), C.claim(State.LEFT)])
    hand.run(12.0)
    assert [event.member.name for event in hand.happened(MemberForgotten)] == ["p3"]
    hand.run(20.0)
    assert [event.member.name for event in hand.happened(MemberForgotten)] == ["p3", "p2"]


def test_a_lifetime_counts_from_local_learning_not_from_the_verdict() -> None:
    hand = Hand(knows=[A, B], config=Config.lan(forget_left_after=10))
    hand.feed(A, claims=[B.claim(State.LEFT, time=UNIX_MS - 3_600_000)])
    hand.run(9.0)
    assert hand.state(B) is State.LEFT


def test_the_oldest_tombstones_go_first_beyond_their_bound_and_members_never_for_them() -> None:
    others = peers(40)
    hand = Hand(knows=others, config=Config.lan(max_tombstones=16))
    hand.answering = others[30:]
    for other in others[:30]:
        hand.feed(others[39], claims=[other.claim(State.LEFT)])
    hand.run(2.0)
    assert [event.member.name for event in hand.happened(MemberForgotten)] == [other.name for other in others[:14]]
    assert len([m for m in hand.node.members(gone=True) if not m.state.live]) == 16
    assert len(hand.node.members()) == 11


def test_tombstones_are_not_counted_against_members() -> None:
    others = peers(8)
    hand = Hand(knows=others[:4], config=Config.lan(max_members=5))
    hand.feed(others[0], claims=[others[4].claim()])
    assert hand.dropped(DropReason.MEMBERS_FULL) == 1
    hand.feed(others[0], claims=[others[1].claim(State.LEFT), others[4].claim()])
    assert hand.state(others[4]) is State.ALIVE


# ------------------------------------------------------------------ a verdict is explained everywhere


def test_explain_tells_the_accuser_the_rule_and_the_cluster_time_of_the_first_verdict_received() -> None:
    hand = Hand(knows=[A, B, C])
    time = hand.cluster_time - 100
    hand.feed(A, claims=[B.claim(State.DEAD, by=C.short_id, rule=Rule.GONE, time=time)])
    hand.feed(A, claims=[B.claim(State.DEAD, by=A.short_id, rule=Rule.SILENT, time=time + 50)])
    evidence = hand.node.explain("p2")
    assert evidence is not None
    assert (evidence.accuser, evidence.rule, evidence.cluster_time) == ("p3", Rule.GONE, time)
    (died,) = hand.happened(MemberDied)
    assert died.evidence is not None
    assert (died.evidence.accuser, died.evidence.rule) == ("p3", Rule.GONE)


def test_explain_names_an_unknown_accuser_by_its_short_id() -> None:
    hand = Hand(knows=[A, B])
    hand.feed(A, claims=[B.claim(State.SUSPECT, by=0xABC, time=hand.cluster_time)])
    evidence = hand.node.explain("p2")
    assert evidence is not None
    assert evidence.accuser == f"{0xABC:016x}"


def test_explain_of_a_live_member_has_no_rule() -> None:
    evidence = Hand(knows=[A]).node.explain("p1")
    assert evidence is not None
    assert evidence.rule is None


# ------------------------------------------------------------------ a suspect stays a member


def test_a_suspect_is_still_told_everything_and_heard() -> None:
    hand = Hand(knows=[A, B])
    hand.feed(A, claims=[B.claim(State.SUSPECT, time=hand.cluster_time)])
    hand.run(1.0)
    hand.clear()
    hand.node.broadcast(b"x", now=hand.now)
    hand.node.send("p2", b"y", now=hand.now)
    hand.collect()
    assert any(sent.envelope.broadcasts for sent in hand.to(B))
    assert hand.messages(UserMessage, B)
    hand.feed(B, UserMessage(b"z"))
    assert len(hand.events) == 1


# ------------------------------------------------------------------ deaths that this node knows better


@pytest.mark.parametrize("rule", [Rule.SILENT, Rule.HOST_GONE])
def test_a_death_by_silence_of_a_member_just_heard_is_put_to_the_member_first(rule: Rule) -> None:
    hand = Hand(knows=[A, B])
    hand.answering = [A]
    hand.feed(B, Ping(1, 0, hand.cluster_time))
    hand.clear()
    death = B.claim(State.DEAD, rule=rule, time=hand.cluster_time)
    hand.feed(A, claims=[death])
    assert hand.state(B) is State.ALIVE
    assert any(death in sent.claims for sent in hand.sent if sent.to == B.address)
    hand.feed(B, claims=[B.claim(State.ALIVE, incarnation=1)])
    hand.run(5.0)
    assert hand.state(B) is State.ALIVE


def test_a_death_by_refusal_is_believed_at_once() -> None:
    hand = Hand(knows=[A, B])
    hand.answering = [A]
    hand.feed(B, Ping(1, 0, hand.cluster_time))
    hand.feed(A, claims=[B.claim(State.DEAD, rule=Rule.GONE, time=hand.cluster_time)])
    assert hand.state(B) is State.DEAD


@pytest.mark.parametrize("rule", [Rule.SILENT, Rule.HOST_GONE])
def test_a_new_silence_is_passed_on_at_once_and_believed_after_three_questions(rule: Rule) -> None:
    hand = Hand(knows=[A, B, C])
    hand.answering = [A, C]
    hand.run(3.5)
    hand.clear()
    start = hand.now
    death = B.claim(State.DEAD, rule=rule, time=hand.cluster_time)
    hand.feed(A, claims=[death])
    assert hand.state(B) is State.ALIVE
    assert [sent for sent in hand.to(C) if death in sent.claims]
    hand.until(lambda: hand.state(B) is State.DEAD, 1.0)
    assert hand.now - start == pytest.approx(0.05, abs=0.011)
    asked = {sent.at - start for sent in hand.to(B) if death in sent.claims and sent.message is None}
    assert len(asked) == 3


def test_of_many_one_question_is_enough_where_this_node_has_pinged_them_in_vain_for_s_itself() -> None:
    """Where few of many members survive, each hears of all the deaths, having seen them itself."""
    others = peers(16)
    hand = Hand(knows=others, config=Config.lan(stall_tolerance=20.0))
    hand.answering = others[:2]
    hand.until(lambda: hand.node.statistics().watches >= 14, 60.0)
    hand.run(25.0)
    hand.clear()
    deaths = [other.claim(State.DEAD, rule=Rule.SILENT, time=hand.cluster_time) for other in others[2:]]
    hand.feed(others[0], claims=deaths)
    hand.run(3.0)
    asked = [
        sum(sent.message is None and death in sent.claims and len(sent.claims) <= 2 for sent in hand.to(other))
        for other, death in zip(others[2:], deaths, strict=True)
    ]
    assert asked[:5] == [3] * 5
    assert asked[-5:] == [1] * 5


def test_of_a_new_death_one_question_is_enough_while_much_else_is_to_be_sent() -> None:
    """Parted clusters would drown in them."""
    others = peers(30)
    hand = Hand(knows=others)
    hand.run(2.0)
    hand.answering = []
    hand.clear()
    new, old = others[1], others[2]
    hand.feed(others[0], claims=[new.claim(State.DEAD, rule=Rule.SILENT, time=hand.cluster_time)])
    hand.feed(others[0], claims=[old.claim(State.DEAD, rule=Rule.SILENT, time=UNIX_MS - 9_000)])
    for _ in range(150):
        parts_of(hand.node).context.trouble.spend(hand.now, 1_000)
        hand.run(0.01)
    assert hand.state(new) is State.DEAD
    assert hand.state(old) is State.DEAD
    assert [sum(sent.message is None for sent in hand.to(other)) for other in (new, old)] == [1, 3]


def test_each_question_about_its_own_death_is_answered() -> None:
    """Questions and answers may be lost, so a member that asks three times is answered three times."""
    hand = Hand(knows=[A, B, C])
    hand.answering = [A, B, C]
    suspicion, death = hand.own_claim(State.SUSPECT), hand.own_claim(State.DEAD)
    for _ in range(3):
        answers = [sent for sent in hand.feed(A, claims=[suspicion, death]) if sent.to == A.address]
        assert any(claim.name == "me" and claim.incarnation == 1 for sent in answers for claim in sent.claims)
        hand.run(0.01)


def test_a_member_that_answers_a_new_silence_is_never_dead() -> None:
    hand = Hand(knows=[A, B, C])
    hand.answering = [A, C]
    hand.run(3.5)
    hand.feed(A, claims=[B.claim(State.DEAD, rule=Rule.SILENT, time=hand.cluster_time)])
    hand.run(0.02)
    hand.feed(B, claims=[B.claim(incarnation=1)])
    hand.run(1.0)
    assert hand.state(B) is State.ALIVE
    assert not hand.happened(MemberDied)
