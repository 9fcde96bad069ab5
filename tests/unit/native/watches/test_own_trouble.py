"""Section 4, "Own trouble first": pauses, deafness, isolation, and what the application is told of them."""

import pytest

from support.accuser import Accuser, S
from support.hand import Hand, Peer, Sent, peer, peers
from swim_core import (
    Config,
    Isolated,
    MemberDied,
    MemberRecovered,
    Paused,
    Reconnected,
    Rule,
    State,
)
from swim_core.native.wire.datagram import Flags
from swim_core.native.wire.messages import Ack, Ping, PingReq, Poll, SyncReq, UserMessage, Vote, VoteKind

T = 1.0
A, B, C = peers(3)


def tick(hand: Hand) -> None:
    hand.node.feed_tick(now=hand.now)
    hand.collect()


def pause(hand: Hand, seconds: float) -> None:
    """Pause the process: its next tick comes this much too late."""
    deadline = hand.node.poll_deadline()
    assert deadline is not None
    hand.now = deadline + seconds
    tick(hand)


# ------------------------------------------------------------------ pauses


@pytest.mark.parametrize(("interval", "threshold"), [(1.0, 0.25), (2.0, 0.5), (0.5, 0.25), (0.02, 0.25), (8.0, 2.0)])
def test_a_tick_later_than_a_quarter_of_t_and_a_quarter_second_is_a_pause(interval: float, threshold: float) -> None:
    for late, pauses in ((threshold - 0.01, 0), (threshold + 0.01, 1)):
        hand = Hand(config=Config.lan(probe_interval=interval, stall_tolerance=10 * interval))
        pause(hand, late)
        statistics = hand.node.statistics()
        assert statistics.pauses == pauses
        assert statistics.paused_seconds == pytest.approx(late if pauses else 0.0)


def test_a_pause_of_more_than_half_the_stall_tolerance_is_told_with_its_length() -> None:
    for late, told in ((2.45, []), (2.55, [2.55])):
        hand = Hand(knows=[A], config=Config.lan(stall_tolerance=5))
        pause(hand, late)
        assert [event.seconds for event in hand.happened(Paused)] == pytest.approx(told)
        hand.run(10.0)
        assert [event.seconds for event in hand.happened(Paused)] == pytest.approx(told)


def test_a_late_datagram_shows_a_pause_as_well_as_a_tick() -> None:
    hand = Hand(knows=[A])
    deadline = hand.node.poll_deadline()
    assert deadline is not None
    hand.now = deadline + 3.0
    hand.feed(A)
    tick(hand)
    assert hand.node.statistics().pauses == 1


def test_long_silence_between_deadlines_is_no_pause() -> None:
    hand = Hand(config=Config.lan(probe_interval=60, stall_tolerance=120))
    hand.run(600.0)
    assert hand.node.statistics().pauses == 0


def test_probes_outstanding_over_a_pause_accuse_nobody() -> None:
    hand = Hand(knows=[A, B])
    hand.answering = []
    hand.until(lambda: bool(hand.messages(Ping)), 3.0)
    hand.answering = [A, B]
    pause(hand, 2.0)
    assert hand.node.statistics().watches == 0
    assert hand.node.statistics().probes_failed == 0
    hand.run(10.0)
    assert not hand.messages(PingReq)


@pytest.mark.parametrize("length", [1.0, 4.0, 100.0])
def test_a_pause_moves_the_verdict_by_its_length(length: float) -> None:
    hand = Accuser()
    t0 = hand.accuse()
    hand.run(1.0)
    before = hand.now
    pause(hand, length)
    paused = hand.node.statistics().paused_seconds
    assert paused == pytest.approx(length)
    assert hand.now - before >= length
    hand.run(t0 + paused + S / 2 - 0.05 - hand.now)
    assert hand.verdict() is State.ALIVE
    hand.run(0.6)
    assert hand.verdict() is State.SUSPECT
    hand.run(t0 + paused + S + 0.5 - hand.now)
    assert hand.verdict() is State.SUSPECT
    hand.run(1.2)
    assert hand.verdict() is State.DEAD


def test_votes_from_before_a_pause_support_no_suspicion() -> None:
    hand = Accuser(votes=False)
    t0 = hand.accuse()
    hand.run(t0 + S / 2 - 0.1 - hand.now)
    for helper in hand.helpers[:3]:
        hand.vote(helper, silence=2.0)
    pause(hand, 0.3)
    hand.run(1.0)
    assert hand.verdict() is State.ALIVE


def test_a_helper_that_paused_within_s_says_so_and_states_awake_silence() -> None:
    hand = Hand(knows=[A, B, C])
    hand.answering = [A, C]
    hand.run(0.7)
    hand.feed(A, PingReq(1, B.claim()))
    hand.run(1.0)
    pause(hand, 3.0)
    hand.clear()
    hand.feed(A, Poll(B.short_id, 0, 7))
    (vote,) = hand.messages(Vote, A)
    assert vote.kind is VoteKind.PAUSED
    assert vote.silence == pytest.approx(1_250, abs=300)
    for _ in range(6):
        hand.feed(A, PingReq(1, B.claim()))
        hand.run(1.0)
    hand.clear()
    hand.feed(A, Poll(B.short_id, 0, 8))
    assert hand.messages(Vote, A)[0].kind is VoteKind.SILENT


def test_many_pauses_add_up() -> None:
    hand = Hand(knows=[A, B])
    hand.answering = []
    for _ in range(10):
        pause(hand, 1.0)
    assert hand.node.statistics().pauses == 10
    assert hand.node.statistics().paused_seconds == pytest.approx(10.0)
    assert len(hand.node.members()) == 3


# ------------------------------------------------------------------ deafness


def deafened(others: int = 5, *, config: Config | None = None) -> tuple[Hand, list[Peer]]:
    """A node that has just found that it hears nobody."""
    members = peers(others)
    hand = Hand(knows=members, config=config)
    hand.answering = members
    hand.run(5.0)
    hand.answering = []
    hand.clear()
    hand.until(lambda: hand.node.statistics().deaf, 10.0)
    return hand, members


def test_nothing_received_for_two_intervals_is_deafness() -> None:
    members = peers(5)
    hand = Hand(knows=members)
    hand.answering = []
    hand.run(1.0)
    hand.feed(members[0])
    hand.run(1.99)
    assert not hand.node.statistics().deaf
    hand.run(1.02)
    assert hand.node.statistics().deaf


@pytest.mark.parametrize(("others", "deaf"), [(1, False), (2, False), (3, True), (4, True)])
def test_only_with_more_than_three_members(others: int, deaf: bool) -> None:
    hand = Hand(knows=peers(others))
    hand.answering = []
    hand.run(4.0)
    assert hand.node.statistics().deaf is deaf


def test_a_deaf_node_begins_no_watch_and_judges_nobody() -> None:
    hand, members = deafened()
    watched = {request.claim.name for request in hand.messages(PingReq)}
    hand.clear()
    hand.run(60.0)
    assert {request.claim.name for request in hand.messages(PingReq)} <= watched
    assert hand.node.statistics().watches == len(watched) < len(members)
    assert not hand.messages(Poll)
    assert not hand.node.statistics().verdicts
    assert all(hand.state(member) in (State.ALIVE, State.SUSPECT) for member in members)


def test_a_deaf_nodes_pings_carry_the_flag() -> None:
    hand, _ = deafened()
    hand.clear()
    hand.run(3.0)
    pings = [sent for sent in hand.sent if isinstance(sent.message, Ping)]
    assert pings
    assert all(sent.flags & Flags.DEAF for sent in pings)


@pytest.mark.parametrize(("others", "asked"), [(5, 5), (16, 16), (30, 16)])
def test_a_deaf_node_pings_up_to_16_random_members_each_interval(others: int, asked: int) -> None:
    hand, _ = deafened(others)
    hand.clear()
    hand.run(10 * T)
    bursts: dict[float, list[Sent]] = {}
    for sent in hand.sent:
        if isinstance(sent.message, Ping) and sent.message.accused is None:
            bursts.setdefault(round(sent.at, 3), []).append(sent)
    sizes = sorted(len({sent.to for sent in burst}) for burst in bursts.values())
    full = [size for size in sizes if size >= asked]
    assert 8 <= len(full) <= 11
    assert max(sizes) <= asked + 1
    if others > 16:
        assert len({frozenset(sent.to for sent in burst) for burst in bursts.values()}) > 5


def test_a_deaf_node_goes_on_asking_its_seeds() -> None:
    members = peers(5)
    hand = Hand(knows=members)
    hand.node.join([members[0].address], now=hand.now)
    hand.answering = []
    hand.until(lambda: hand.node.statistics().deaf, 10.0)
    hand.clear()
    hand.run(3.0)
    assert len([sent for sent in hand.to(members[0]) if isinstance(sent.message, Ping)]) >= 3


@pytest.mark.parametrize("message", [None, UserMessage(b"x"), Ping(1, 2, 1)])
def test_any_datagram_of_a_member_ends_deafness(message: Ping | UserMessage | None) -> None:
    hand, members = deafened()
    hand.feed(members[2], message)
    assert not hand.node.statistics().deaf
    hand.clear()
    hand.answering = members
    hand.run(3.0)
    assert not any(sent.flags & Flags.DEAF for sent in hand.sent)
    assert not hand.happened(Isolated)


def test_strangers_end_no_deafness() -> None:
    hand, members = deafened()
    hand.feed(peer(99), Ping(1, 2, 1))
    hand.feed(peer(99), claims=[peer(99).claim()])
    hand.feed(members[0], at=peer(77).address)
    assert hand.node.statistics().deaf


def test_ages_stand_still_while_deaf() -> None:
    hand = Accuser(6)
    t0 = hand.accuse()
    hand.run(1.0)
    heard = hand.now
    hand.answering, hand.voting = [], []
    hand.until(lambda: hand.node.statistics().deaf, 5.0)
    deaf_at = hand.now
    hand.run(60.0)
    assert hand.verdict() is not State.DEAD
    hand.answering, hand.voting = hand.members[:-1], list(hand.helpers)
    hand.stated = {helper.name: 99.0 for helper in hand.helpers}
    hand.feed(hand.members[0])
    back = hand.now
    frozen = back - deaf_at
    assert heard < deaf_at
    hand.run(t0 + frozen + S + 0.3 - hand.now)
    assert hand.verdict() is not State.DEAD
    hand.until(lambda: hand.verdict() is State.DEAD, 5.0)


def test_while_deaf_watchers_go_on_pinging_and_voting_with_frozen_ages() -> None:
    members = peers(5)
    hand = Hand(knows=members)
    hand.answering = []
    hand.run(0.5)
    hand.feed(members[0], PingReq(1, members[1].claim()))
    hand.until(lambda: hand.node.statistics().deaf, 10.0)
    hand.clear()
    hand.run(2.0)
    silences = [vote.silence for vote in hand.messages(Vote, members[0])]
    assert len(silences) >= 3
    assert len(set(silences)) == 1
    assert [sent for sent in hand.to(members[1]) if isinstance(sent.message, Ping) and sent.message.accused is not None]


def test_a_pause_is_not_deafness() -> None:
    members = peers(5)
    hand = Hand(knows=members)
    hand.run(3.0)
    pause(hand, 500.0)
    assert not hand.node.statistics().deaf
    hand.run(1.0)
    assert not hand.node.statistics().deaf


# ------------------------------------------------------------------ isolation


def test_deaf_for_s_is_isolated_and_told_once() -> None:
    hand, _ = deafened()
    hand.run(S - 0.1)
    assert not hand.happened(Isolated)
    hand.run(1.5 * T + 0.1)
    assert len(hand.happened(Isolated)) == 1
    assert hand.node.statistics().isolated
    assert len(hand.node.members()) == 6
    hand.run(5.0)
    assert len(hand.happened(Isolated)) == 1


def isolated() -> tuple[Hand, list[Peer]]:
    hand, members = deafened()
    hand.run(3 * S + 1.5 * T)
    return hand, members


def test_deaf_for_three_s_members_is_the_node_itself() -> None:
    hand, _ = deafened()
    hand.run(3 * S - 0.1)
    assert len(hand.node.members()) == 6
    hand.run(1.5 * T + 0.1)
    assert hand.node.members() == (hand.me,)


def test_each_other_member_is_then_told_dead_by_the_rule_isolated() -> None:
    hand, members = isolated()
    died = hand.happened(MemberDied)
    assert sorted(event.member.name for event in died) == sorted(member.name for member in members)
    assert {event.evidence.rule for event in died if event.evidence} == {Rule.ISOLATED}
    assert all(event.evidence for event in died)
    hand.run(30.0)
    assert len(hand.happened(MemberDied)) == len(members)


def test_the_claims_and_the_pings_stay_and_nothing_of_it_is_told() -> None:
    hand, members = isolated()
    hand.clear()
    hand.run(5.0)
    assert all(hand.state(member) is State.ALIVE for member in members)
    assert {sent.to for sent in hand.sent if isinstance(sent.message, Ping)} == {member.address for member in members}
    assert not any(sent.claims for sent in hand.sent)


def answer(hand: Hand, member: Peer) -> None:
    """Ack the next ping to a member."""
    hand.clear()
    hand.until(lambda: bool(hand.messages(Ping, member)), 10.0)
    ping = hand.messages(Ping, member)[-1]
    hand.clear()
    hand.feed(member, Ack(ping.seq, hand.digest()))


def test_merely_hearing_a_member_ends_deafness_but_not_isolation() -> None:
    """Otherwise a node that nobody hears would be reconnected by every ping that reaches it."""
    hand, members = isolated()
    hand.clear()
    for _ in range(5):
        hand.feed(members[3], Ping(1, 2, 1))
        hand.run(0.2)
    assert not hand.node.statistics().deaf
    assert hand.node.statistics().isolated
    assert hand.node.members() == (hand.me,)
    assert not hand.events


def test_the_first_answer_from_a_member_restores_all_and_syncs() -> None:
    hand, members = isolated()
    answer(hand, members[3])
    assert len(hand.node.members()) == 6
    recovered = [event.member.name for event in hand.happened(MemberRecovered)]
    assert sorted(recovered) == sorted(member.name for member in members)
    assert len(hand.happened(Reconnected)) == 1
    assert len(hand.messages(SyncReq)) == 1
    statistics = hand.node.statistics()
    assert not statistics.deaf
    assert not statistics.isolated


def test_reconnected_after_isolation_alone_restores_nobody() -> None:
    hand, members = deafened()
    hand.run(S + T + 0.1)
    answer(hand, members[0])
    assert [type(event) for event in hand.events] == [Reconnected]
    assert len(hand.messages(SyncReq)) == 1


def test_a_node_can_be_isolated_again() -> None:
    hand, members = isolated()
    hand.answering = members
    hand.run(5.0)
    assert len(hand.happened(Reconnected)) == 1
    hand.answering = []
    hand.clear()
    hand.run(2 * T + 3 * S + 2 * T + 0.2)
    assert len(hand.happened(Isolated)) == 1
    assert len(hand.happened(MemberDied)) == 5


def test_an_ack_of_a_deaf_nodes_ping_is_as_good_as_any() -> None:
    hand, members = deafened()
    hand.clear()
    hand.until(lambda: bool(hand.messages(Ping, members[0])), 3.0)
    hand.feed(members[0], Ack(hand.messages(Ping, members[0])[0].seq, hand.digest()))
    assert not hand.node.statistics().deaf
