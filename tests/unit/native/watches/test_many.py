"""Section 4, "Many at once": what a node does, and does not, while many members are silent, or while it is slow."""

from collections import Counter
from functools import partial
from itertools import pairwise

import pytest

from support.accuser import Accuser
from support.hand import Hand, Peer, Sent, peers
from support.inside import parts_of
from swim_core import Config, MemberDied, MemberSuspected, State
from swim_core.native.detection.kernel_findings import KernelFindings
from swim_core.native.detection.under_watch import MANY, SEVERAL
from swim_core.native.wire.datagram import Codec, encode_item
from swim_core.native.wire.messages import Ack, KernelVerdict, Ping, PingReq, Poll, Vote, VoteKind
from swim_core.shared.rate_limit import RateLimit
from swim_core.simulation import Simulation

S = 5.0
SILENT = VoteKind.SILENT


def crowd(count: int, heard: int, seconds: float = 20.0) -> tuple[Hand, list[Peer], list[Peer]]:
    """A node among ``count`` others. The first ``heard`` only ack pings; the others have been silent for that long."""
    members = peers(count)
    hand = Hand(knows=members)
    hand.run(12.0)  # round trips are known
    hand.answering = members[:heard]
    hand.clear()
    hand.run(seconds)
    return hand, members[:heard], members[heard:]


def watched(hand: Hand) -> int:
    return hand.node.statistics().watches


def pings_of_watches(hand: Hand) -> list[Sent]:
    return [s for s in hand.sent if isinstance(s.message, Ping) and s.message.accused is not None]


def asked(hand: Hand, *helpers: Peer) -> list[PingReq]:
    """All requests, including those that follow other messages."""
    every = [m for sent in hand.to(*helpers) for m in (sent.message, *sent.envelope.further)]
    return [m for m in every if isinstance(m, PingReq)]


# ------------------------------------------------------------------ one budget


def test_no_second_sees_more_than_200_datagrams_however_many_are_silent() -> None:
    hand, _, silent = crowd(150, 2, seconds=40.0)
    assert watched(hand) > 0.9 * len(silent)
    seconds = Counter(int(sent.at) for sent in hand.sent)
    assert max(seconds.values()) < 200


def test_what_is_to_be_said_to_one_member_goes_in_one_datagram_where_there_is_much() -> None:
    hand, heard, silent = crowd(100, 2, seconds=30.0)
    several = [sent for sent in hand.to(*heard) if sent.envelope.further]
    assert several
    assert max(len(sent.envelope.further) for sent in several) > 10
    assert all(sent.size <= hand.config.max_datagram for sent in several)
    about = {request.claim.name for request in asked(hand, *heard)}
    assert about >= {member.name for member in silent[:50]}


def test_few_watches_say_what_they_have_to_say_at_once_and_singly() -> None:
    hand = Accuser(10)
    hand.accuse()
    hand.run(5.0)
    assert hand.messages(Poll, *hand.helpers)
    assert not any(sent.envelope.further for sent in hand.sent)


def test_all_messages_of_a_datagram_are_taken() -> None:
    hand = Accuser(6, votes=False)
    hand.accuse()
    subject, helper = hand.subject, hand.helpers[0]
    vote = Vote(subject.short_id, 0, 0, VoteKind.ALIVE, 0)
    other = PingReq(1, hand.helpers[1].claim())
    hand.feed_bytes(_several(helper, other, vote), helper.address)
    assert not any(m.subject == subject.short_id for m in hand.messages(Poll))
    assert hand.node.explain(subject.name) is not None
    assert watched(hand) == 1  # the first watch is over, the second has begun
    assert {v.subject for v in hand.messages(Vote, helper)} == {hand.helpers[1].short_id}


def _several(source: Peer, *messages: Vote | PingReq | Poll) -> bytes:
    first, *more = map(encode_item, messages)
    return Codec(source.hashes.label).pack(0, source.short_id, first, further=more)


def test_the_pings_of_all_watches_together_are_bounded_and_the_first_ones_wait_for_no_others() -> None:
    hand, _, silent = crowd(150, 2, seconds=30.0)
    pings = pings_of_watches(hand)
    seconds = Counter(int(sent.at) for sent in pings)
    assert 85 < max(seconds.values()) <= 100  # the line has 45 a second, and half of what is left of 130 goes beside
    assert {sent.to for sent in pings} == {member.address for member in silent}


def test_a_place_in_line_that_is_not_used_is_given_back() -> None:
    rate = RateLimit(10, 1)
    assert [rate.book(0.0) for _ in range(3)] == pytest.approx([0.0, 0.1, 0.2])
    rate.give_back()
    assert rate.book(0.0) == pytest.approx(0.2)
    assert not rate.allow(0.25)
    assert rate.allow(0.31)


def test_what_was_spent_beyond_the_rate_is_owed_up_to_one_burst() -> None:
    rate = RateLimit(10, 5)
    rate.spend(0.0, 4)
    assert rate.allow(0.0)
    assert not rate.allow(0.0)
    rate.spend(0.0, 1_000)
    assert not rate.allow(0.55)
    assert rate.allow(0.61)


@pytest.mark.parametrize("spent", [False, True])
def test_a_helper_that_does_not_vote_is_pinged_unless_there_is_much_to_send_already(spent: bool) -> None:
    members = peers(90)
    hand = Hand(knows=members)
    hand.run(12.0)
    hand.answering = members[:4]
    hand.clear()
    trouble = parts_of(hand.node).context.trouble
    for _ in range(80):
        hand.run(0.1)
        if spent:
            trouble.spend(hand.now, 1_000)
    assert watched(hand) >= SEVERAL
    turns = len({sent.to for sent in hand.sent if isinstance(sent.message, Ping) and sent.message.accused is None})
    assert (turns > 60) is not spent  # 65 and 54


# ------------------------------------------------------------------ whom to ask


def test_who_is_under_watch_is_neither_asked_again_nor_polled() -> None:
    hand = Accuser(12, votes=False)
    t0 = hand.accuse()
    first, second = hand.helpers[:2]
    hand.answering.remove(first)
    hand.clear()
    while hand.now < t0 + S + 2.0:
        hand.feed(second, PingReq(1, first.claim()))  # so it is under watch here, too
        hand.run(1.0)
    assert hand.messages(Poll, second)
    assert not hand.messages(Poll, first)
    assert all(request.claim.name != hand.subject.name for request in asked(hand, first))


def test_when_the_nearest_are_all_under_watch_others_are_asked() -> None:
    """Two of 100 are alive, and find each other wherever they stand on the rings."""
    hand, (heard,), silent = crowd(99, 1, seconds=45.0)
    about = {request.claim.name for request in asked(hand, heard)}
    assert len(about) > 0.9 * len(silent)


def test_the_only_one_that_is_heard_where_many_are_silent_is_asked_first() -> None:
    hand, (only,), silent = crowd(150, 1, seconds=5.0)
    before = {request.claim.name for request in asked(hand, only, *silent)}
    hand.clear()
    hand.run(4.0)
    fresh = {request.claim.name for request in asked(hand, only, *silent)} - before
    assert len(fresh) > 20
    assert len(fresh & {request.claim.name for request in asked(hand, only)}) > 0.9 * len(fresh)


def test_a_refused_ping_counts_until_the_next_one_but_one_where_many_wait_for_theirs() -> None:
    """Two survivors of many: each ping in the line is seconds after the last, and refusals must still add up."""
    findings = KernelFindings()
    findings.refuse_udp(10.0)
    findings.refuse_udp(14.0)
    assert findings.verdict(0.5, 14.0, 14.0)[0] is KernelVerdict.NONE  # 4 s later, the first one no longer counts
    findings = KernelFindings()
    findings.refuse_udp(10.0)
    findings.between = 8.0
    findings.refuse_udp(14.0)
    assert findings.verdict(0.5, 14.0, 14.0)[0] is KernelVerdict.REFUSED
    assert findings.verdict(0.5, 22.1, 22.1)[0] is KernelVerdict.NONE


@pytest.mark.slow
def test_two_of_a_thousand_know_within_a_minute_that_the_others_were_killed() -> None:
    with Simulation("two/0/1000/2/killed", tripwires=True) as simulation:
        simulation.start_formed(1_000)
        simulation.run_for(8.0)
        for number in range(2, 1_000):
            simulation.crash(f"node-{number}")
        ends = simulation.now
        simulation.run_until(lambda: all(len(process.node.members()) == 2 for process in simulation.running()), 120.0)
        assert simulation.now - ends < 60.0


@pytest.mark.parametrize("several", [False, True])
def test_where_several_are_silent_a_helper_without_a_vote_is_examined(several: bool) -> None:
    hand = Accuser(30, votes=False)
    hand.accuse()
    for other in hand.helpers[20 : 20 + SEVERAL if several else 20]:
        hand.answering.remove(other)
        hand.feed(hand.helpers[10], PingReq(1, other.claim()))
    hand.clear()
    hand.run(0.9)
    probed = {s.to for s in hand.sent if isinstance(s.message, Ping) and s.message.accused is None}
    silent = {helper.address for helper in hand.helpers[:3]}
    assert silent <= probed if several else len(silent & probed) < 2


def test_members_watched_for_others_do_not_count_for_the_quorum_either() -> None:
    """Two of many are alive: once both have heard nothing from the others for S, one vote is enough."""
    hand = Accuser(8, votes=False)
    hand.accuse()
    helper = hand.helpers[0]
    hand.answering = [helper]
    for other in hand.helpers[1:]:
        hand.feed(helper, PingReq(1, other.claim()))
    for _ in range(80):
        hand.run(0.25)
        for poll in [poll for poll in hand.messages(Poll, helper) if poll.subject == hand.subject.short_id]:
            hand.vote(helper, nonce=poll.nonce, silence=3 * S + 1)
        if hand.verdict() is State.DEAD:
            break
        hand.clear_sent()
        for other in hand.helpers[1:]:
            hand.feed(helper, PingReq(1, other.claim()))
    assert hand.verdict() is State.DEAD


# ------------------------------------------------------------------ what is told


def test_while_many_are_silent_news_goes_to_those_who_hear_and_comes_together() -> None:
    hand, heard, _ = crowd(40, 8, seconds=12.0)
    assert watched(hand) > MANY
    hand.clear()
    for number in range(20):
        hand.feed(heard[0], claims=[heard[number % 8].claim(incarnation=number + 1)])
        hand.run(0.05)
    told = [sent for sent in hand.sent if sent.message is None]
    times = sorted({sent.at for sent in told})
    assert {sent.to for sent in told} <= {member.address for member in heard}
    assert all(later - earlier >= 0.09 for earlier, later in pairwise(times))
    assert len(times) >= 4


# ------------------------------------------------------------------ when to believe a silence


def test_a_helpers_silence_counts_from_two_unanswered_pings_on() -> None:
    subject, accuser, other = peers(3)
    hand = Hand(knows=[subject, accuser, other])
    hand.run(0.7)
    hand.answering = [accuser, other]
    hand.clear()
    hand.feed(accuser, PingReq(1, subject.claim()))
    hand.run(0.3)
    hand.feed(accuser, Poll(subject.short_id, 0, 7))
    assert hand.messages(Vote, accuser)[-1].silence == 0
    hand.run(0.4)
    hand.feed(accuser, Poll(subject.short_id, 0, 8))
    assert hand.messages(Vote, accuser)[-1].silence == pytest.approx(700, abs=5)


# ------------------------------------------------------------------ this node is behind


def behind(late: bool = True) -> tuple[Hand, list[Peer]]:
    """A node whose pings two members acked late, or in time; nobody answers any more."""
    members = peers(12)
    hand = Hand(knows=members)
    hand.answering = []
    hand.reaction = lambda sent: pings.append(sent) if isinstance(sent.message, Ping) else None
    pings: list[Sent] = []
    acked: set[object] = set()
    while len(acked) < 2:
        hand.run(0.6 if late else 0.1)
        for sent in pings:
            member = next(m for m in members if m.address == sent.to)
            if hand.now - sent.at > 0.5 or not late:
                acked.add(member.name)
                assert isinstance(sent.message, Ping)
                hand.feed(member, Ack(sent.message.seq, hand.digest()))
        pings[:] = [sent for sent in pings if hand.now - sent.at <= 0.5]
    hand.clear()
    return hand, members


@pytest.mark.parametrize("late", [True, False])
def test_a_node_whose_acks_come_late_accuses_one_at_a_time_and_asks_no_more_helpers(late: bool) -> None:
    hand, members = behind(late)
    hand.run(1.9)  # then it is deaf
    for member in members[:3]:
        hand.feed(member)
    hand.run(1.9)
    accused = {request.claim.name for request in hand.messages(PingReq)}
    helpers = {sent.to for sent in hand.sent if isinstance(sent.message, PingReq)}
    if late:
        assert len(accused) == 1
        assert len(helpers) == 3
    else:
        assert len(accused) > 1


def test_a_node_that_is_behind_looks_no_more_often_for_helpers_that_say_nothing() -> None:
    """It replaces none of them then, and must not wake every millisecond to find that out again."""
    hand, members = behind()
    hand.run(1.9)
    steps: list[float] = []
    for _ in range(3):
        for member in members[:3]:
            hand.feed(member)
        hand.run(1.0, watch=lambda: steps.append(hand.now))
    assert hand.messages(PingReq)
    assert len(steps) < 40


def test_one_ack_in_time_ends_that() -> None:
    hand, members = behind()
    hand.answering = members[:6]
    hand.run(6.0)
    hand.answering = []
    hand.clear()
    hand.run(1.9)
    hand.feed(members[0])
    hand.run(1.9)
    assert len({request.claim.name for request in hand.messages(PingReq)}) > 1


def test_one_slow_member_is_not_this_nodes_fault() -> None:
    hand = Hand(knows=peers(3))
    slow = peers(1)[0]
    for _ in range(5):
        hand.node.ping(slow.name, now=hand.now)
        ping = next(s.message for s in reversed(hand.collect() or hand.sent) if isinstance(s.message, Ping))
        hand.answering = []
        hand.run(0.6)
        hand.feed(slow, Ack(ping.seq, hand.digest()))
    assert not parts_of(hand.node).health.late


def test_where_every_answer_takes_long_the_dead_are_found_all_the_same() -> None:
    """Round trips of 0.8 s, at T = 1 s: everybody seems late."""
    members = peers(8)
    hand = Hand(knows=members, config=Config.lan(tripwires=False))
    hand.answering = []
    lost = members[-1]

    def answer(sent: Sent) -> None:
        member = next((member for member in members[:-1] if member.address == sent.to), None)
        if member is not None and isinstance(sent.message, Ping):
            hand.after(0.8, partial(hand.feed, member, Ack(sent.message.seq, hand.digest())))
        elif member is not None and isinstance(sent.message, Poll) and sent.message.subject == lost.short_id:
            vote = Vote(lost.short_id, 0, sent.message.nonce, SILENT, 9_000, KernelVerdict.NONE, 0)
            hand.after(0.8, partial(hand.feed, member, vote))

    hand.reaction = answer
    hand.until(lambda: bool(hand.happened(MemberDied)), 60.0)
    assert [event.member.name for event in hand.happened(MemberDied)] == [lost.name]
    assert not hand.happened(MemberSuspected) or {e.member.name for e in hand.happened(MemberSuspected)} == {lost.name}


def test_a_node_that_pauses_again_and_again_accuses_nobody_until_an_ack_comes_in_time() -> None:
    members = peers(12)
    hand = Hand(knows=members)
    hand.answering = []
    for _ in range(3):
        hand.sleep(1.0)
        hand.node.feed_tick(now=hand.now)
        hand.feed(members[0])
    hand.clear()
    for _ in range(4):
        hand.run(1.0)
        hand.feed(members[0])
    assert hand.node.statistics().probes_failed > 1
    assert not watched(hand)
    hand.answering = members[:4]
    hand.run(10.0)
    assert watched(hand)


# ------------------------------------------------------------------ nobody is heard


def test_a_deaf_node_asks_everybody_in_some_rounds() -> None:
    members = peers(200)
    hand = Hand(knows=members)
    hand.answering = []
    hand.until(lambda: hand.node.statistics().deaf, 5.0)
    hand.clear()
    hand.run(14.0)
    pinged = {sent.to for sent in hand.sent if isinstance(sent.message, Ping)}
    assert pinged >= {member.address for member in members}


def test_an_isolated_node_pings_whom_it_hears_since_only_an_ack_shows_that_it_is_heard() -> None:
    members = peers(60)
    hand = Hand(knows=members)
    hand.answering = []
    hand.until(lambda: hand.node.statistics().isolated, 20.0)
    hand.answering = members[:1]
    hand.feed(members[0])
    hand.run(1.5)
    assert not hand.node.statistics().isolated
