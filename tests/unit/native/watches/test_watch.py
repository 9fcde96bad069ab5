"""Section 4, rule by rule: how a watch begins and ends, and who helps, what helpers say and when they stop."""

from itertools import pairwise

import pytest

from support.accuser import Accuser, ranked
from support.hand import RTT, Hand, Peer, Sent, peer, peers
from swim_core import Address, Config, DropReason, KernelEvidence, Rule, State
from swim_core.address import pack
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.messages import Ack, KernelVerdict, Ping, PingReq, Poll, Vote, VoteKind

A, B, C = peers(3)


def accusations(sent: list[Sent], target: Peer) -> list[Sent]:
    return [
        item
        for item in sent
        if item.to == target.address and isinstance(item.message, Ping) and item.message.accused is not None
    ]


# ------------------------------------------------------------------ the accuser


def test_a_watch_begins_when_a_probe_times_out() -> None:
    hand = Accuser()
    sent = hand.accuse()
    assert hand.now - sent == pytest.approx(0.5, abs=0.002)
    assert hand.node.statistics().probes_failed == 1
    assert hand.verdict() is State.ALIVE


def test_a_watch_begins_at_once_when_a_probe_is_refused() -> None:
    hand = Accuser()
    hand.until(lambda: bool(hand.messages(Ping, hand.subject)), 10.0)
    probe = next(sent for sent in hand.to(hand.subject) if isinstance(sent.message, Ping))
    hand.clear()
    hand.evidence(KernelEvidence.REFUSED_UDP, hand.subject.address, probe.payload)
    assert hand.node.statistics().watches == 1
    assert accusations(hand.sent, hand.subject)
    assert len(hand.messages(PingReq)) == 3


def test_the_accused_is_pinged_again_at_once_with_the_accusation() -> None:
    hand = Accuser()
    hand.feed(hand.members[0], claims=[hand.subject.claim(incarnation=4)])
    hand.accuse()
    (ping,) = [item for item in accusations(hand.sent, hand.subject) if item.at == hand.now]
    assert isinstance(ping.message, Ping)
    assert ping.message.accused == 4
    assert ping.message.target == hand.subject.short_id


@pytest.mark.parametrize("others", [4, 6, 12, 40])
def test_the_three_live_members_nearest_before_it_on_the_rings_are_asked(others: int) -> None:
    hand = Accuser(others, votes=False)
    hand.accuse()
    asked = [sent.to for sent in hand.sent if isinstance(sent.message, PingReq)]
    assert sorted(asked) == sorted(helper.address for helper in hand.helpers[:3])
    assert {request.claim for request in hand.messages(PingReq)} == {hand.subject.claim()}


def test_members_held_gone_are_not_asked() -> None:
    hand = Accuser(6, votes=False)
    first = hand.helpers[0]
    hand.feed(hand.helpers[1], claims=[first.claim(State.LEFT)])
    hand.accuse()
    asked = {sent.to for sent in hand.sent if isinstance(sent.message, PingReq)}
    assert asked == {helper.address for helper in hand.helpers[1:4]}


def test_fewer_are_asked_where_there_are_no_more() -> None:
    hand = Accuser(3, votes=False)
    hand.accuse()
    hand.run(1.0)
    assert {sent.to for sent in hand.sent if isinstance(sent.message, PingReq)} == {m.address for m in hand.members[:2]}


def test_a_helper_without_a_vote_after_the_probe_timeout_and_02_s_is_replaced_by_the_next_rank() -> None:
    hand = Accuser(12)
    hand.answering = hand.members
    hand.run(40.0)  # the probe timeout is 0.2 s from then on
    hand.answering = hand.members[:-1]
    hand.voting = hand.helpers[1:]
    hand.clear()
    hand.accuse()
    start = hand.now
    hand.run(0.39)
    assert not hand.messages(PingReq, *hand.helpers[3:])
    hand.run(0.02)
    assert len(hand.messages(PingReq, hand.helpers[3])) == 1
    assert hand.now - start == pytest.approx(0.41)
    hand.run(1.2)
    assert not hand.messages(PingReq, *hand.helpers[4:])


def test_a_helper_that_voted_and_then_says_nothing_more_is_replaced_too() -> None:
    """It may stall like all that were asked; its next unanswered request will show it."""
    hand = Accuser(12)
    hand.answering = hand.members
    hand.run(40.0)
    hand.answering = hand.members[:-1]
    hand.accuse()
    hand.run(1.0)
    hand.voting = hand.helpers[1:]
    hand.clear()
    hand.run(1.35)  # asked again after 2 s
    assert not hand.messages(PingReq, *hand.helpers[3:])
    hand.run(0.1)
    assert len(hand.messages(PingReq, hand.helpers[3])) == 1
    hand.run(1.4)
    assert not hand.messages(PingReq, *hand.helpers[4:])


def test_at_most_24_are_asked() -> None:
    hand = Accuser(40, votes=False)
    hand.accuse()
    hand.run(20.0)
    asked = {sent.to for sent in hand.sent if isinstance(sent.message, PingReq)}
    assert asked == {helper.address for helper in hand.helpers[:24]}


def test_requests_are_repeated_every_2_s() -> None:
    hand = Accuser(8)
    hand.accuse()
    start = hand.now
    hand.stated = {helper.name: 0.1 for helper in hand.helpers}  # so that no verdict ends it
    hand.run(7.0)
    for helper in hand.helpers[:3]:
        times = [sent.at - start for sent in hand.to(helper) if isinstance(sent.message, PingReq)]
        assert times == pytest.approx([0.0, 2.0, 4.0, 6.0], abs=0.6)
        assert all(b - a >= 1.9 for a, b in pairwise(times))


@pytest.mark.parametrize(("config", "interval"), [(Config.lan(), 0.5), (Config.local(), 0.25), (Config.wan(), 0.5)])
def test_watchers_ping_the_accused_every_half_interval_but_at_least_every_half_second(
    config: Config, interval: float
) -> None:
    hand = Accuser(6, config=config, votes=False)
    hand.accuse()
    hand.clear()
    hand.run(2.0)
    times = [sent.at for sent in accusations(hand.sent, hand.subject)]
    assert len(times) == 2.0 // interval
    assert all(b - a == pytest.approx(interval, abs=0.01) for a, b in pairwise(times))


def test_a_second_failed_probe_begins_no_second_watch() -> None:
    hand = Accuser(3)
    hand.stated = {helper.name: 0.1 for helper in hand.helpers}
    hand.accuse()
    hand.run(10.0)
    assert hand.node.statistics().probes_failed > 1
    assert hand.node.statistics().watches == 1


def test_an_ack_ends_the_watch() -> None:
    hand = Accuser()
    hand.accuse()
    ping = accusations(hand.sent, hand.subject)[-1].message
    assert isinstance(ping, Ping)
    hand.feed(hand.subject, Ack(ping.seq, hand.digest()))
    assert hand.node.statistics().watches == 0
    hand.clear()
    hand.answering = hand.members
    hand.run(10.0)
    assert not hand.messages(PingReq)
    assert hand.verdict() is State.ALIVE


def test_a_helper_that_saw_an_ack_ends_the_watch() -> None:
    hand = Accuser()
    hand.accuse()
    hand.run(0.1)
    hand.voting = []
    hand.vote(hand.helpers[0], kind=VoteKind.ALIVE)
    assert hand.node.statistics().watches == 0


@pytest.mark.parametrize("state", [State.DEAD, State.LEFT])
def test_a_claim_that_it_is_gone_ends_the_watch(state: State) -> None:
    hand = Accuser()
    hand.accuse()
    hand.feed(hand.members[0], claims=[hand.subject.claim(state, time=hand.cluster_time)])
    assert hand.node.statistics().watches == 0


def test_votes_of_those_not_asked_and_of_strangers_are_nothing() -> None:
    hand = Accuser(12, votes=False)
    hand.accuse()
    for source in (hand.helpers[8], peer(99)):
        hand.vote(source, kind=VoteKind.ALIVE)
    assert hand.node.statistics().watches == 1
    assert hand.dropped(DropReason.STRANGER) == 1


# ------------------------------------------------------------------ the helper


def helping(*, t: float = 1.0, in_touch: bool = False) -> Hand:
    """A node that A has asked to watch B, which is silent; with ``in_touch`` the node also has a tripwire to B."""
    hand = Hand(knows=[A, B, C], config=Config.lan(probe_interval=t, stall_tolerance=5 * t))
    hand.answering = [A, C]
    hand.run(0.7)
    hand.clear()
    if in_touch:
        hand.greet(B)
    hand.feed(A, PingReq(1, B.claim()))
    return hand


def votes(hand: Hand, *, to: Peer = A) -> list[Vote]:
    return hand.messages(Vote, to)


def test_a_helper_pings_the_accused_at_once_and_votes() -> None:
    hand = helping()
    assert hand.node.statistics().watches == 1
    assert len(accusations(hand.sent, B)) == 1
    vote = votes(hand)[0]
    assert (vote.subject, vote.incarnation, vote.nonce, vote.kind) == (B.short_id, 0, 0, VoteKind.SILENT)
    assert vote.silence == 0
    assert (vote.kernel, vote.kernel_age) == (KernelVerdict.NONE, 0)


def test_a_helper_votes_on_each_tick_with_the_silence_since_its_own_first_ping() -> None:
    hand = helping()
    hand.clear()
    start = hand.now
    hand.run(2.1)
    found = [(sent.at - start, sent.message.silence) for sent in hand.to(A) if isinstance(sent.message, Vote)]
    assert [at for at, _ in found] == pytest.approx([0.5, 1.0, 1.5, 2.0], abs=0.01)
    assert [silence / 1000 for _, silence in found] == pytest.approx([0.5, 1.0, 1.5, 2.0], abs=0.01)
    assert len(accusations(hand.sent, B)) == 4


def test_a_helper_pings_the_address_that_it_holds_itself() -> None:
    hand = Hand(knows=[A, B, C])
    elsewhere = Claim("p2", B.epoch, pack(Address("10.6.6.6", 6)), 0, State.ALIVE, b"")
    hand.feed(A, PingReq(1, elsewhere))
    assert accusations(hand.sent, B)
    assert all(sent.to != ("10.6.6.6", 6) for sent in hand.sent)


@pytest.mark.parametrize("who", ["stranger", "dead", "left", "forged"])
def test_help_is_given_to_live_members_only(who: str) -> None:
    hand = Hand(knows=[A, B, C])
    if who in ("dead", "left"):
        state = State.DEAD if who == "dead" else State.LEFT
        hand.feed(B, claims=[A.claim(state, rule=Rule.GONE, time=hand.cluster_time)])
    source = peer(9) if who == "stranger" else A
    hand.clear()
    hand.feed(source, PingReq(1, B.claim()), at=Address("10.6.6.6", 6) if who == "forged" else None)
    assert hand.node.statistics().watches == 0
    assert not hand.messages(Vote)
    assert not accusations(hand.sent, B)
    assert hand.dropped(DropReason.STRANGER) == 1


def test_help_is_given_about_live_members_only() -> None:
    hand = Hand(knows=[A, B, C])
    hand.feed(A, PingReq(1, peer(9).claim()))
    hand.feed(A, PingReq(1, hand.own_claim()))
    hand.feed(A, PingReq(1, A.claim()))
    assert hand.node.statistics().watches == 0
    assert [ping.target for ping in hand.messages(Ping)] == [peer(9).short_id]  # hearsay: check that it exists


def test_a_helper_forgets_an_accuser_unheard_for_5_s_and_ends_the_watch_with_the_last() -> None:
    hand = Hand(knows=[A, B, C], config=Config.lan(probe_interval=60, stall_tolerance=120))
    hand.answering = [A, C]
    hand.feed(A, PingReq(1, B.claim()))
    hand.run(3.0)
    hand.feed(C, PingReq(1, B.claim()))
    hand.run(2.6)
    hand.clear()
    hand.run(1.0)
    assert not votes(hand, to=A)
    assert votes(hand, to=C)
    assert hand.node.statistics().watches == 1
    hand.feed(C, PingReq(2, B.claim()))
    hand.run(4.9)
    assert hand.node.statistics().watches == 1
    hand.run(0.7)
    assert hand.node.statistics().watches == 0


def test_a_helper_that_hears_an_ack_votes_alive_and_ends_its_watch() -> None:
    hand = helping()
    ping = accusations(hand.sent, B)[-1].message
    assert isinstance(ping, Ping)
    hand.clear()
    hand.feed(B, Ack(ping.seq, hand.digest()))
    assert [vote.kind for vote in votes(hand)] == [VoteKind.ALIVE]
    assert hand.node.statistics().watches == 0


@pytest.mark.parametrize("state", [State.DEAD, State.LEFT])
def test_a_helpers_watch_ends_when_the_accused_is_claimed_gone(state: State) -> None:
    hand = helping()
    hand.feed(A, claims=[B.claim(state, time=hand.cluster_time)])
    hand.clear()
    hand.run(2.0)
    assert hand.node.statistics().watches == 0
    assert not votes(hand)


def test_a_poll_is_answered_at_once_with_its_nonce() -> None:
    hand = helping()
    hand.run(0.8)
    hand.clear()
    hand.feed(A, Poll(B.short_id, 0, 4711))
    (vote,) = votes(hand)
    assert vote.nonce == 4711
    assert vote.silence == pytest.approx(800, abs=5)
    hand.feed(peer(9), Poll(B.short_id, 0, 4712))
    assert not hand.messages(Vote, peer(9))


def test_a_helper_votes_on_a_change_of_its_kernel_evidence() -> None:
    hand = helping()
    hand.run(0.1)
    hand.clear()
    hand.evidence(KernelEvidence.REACHABLE, B.address)
    (vote,) = votes(hand)
    assert vote.kernel is KernelVerdict.REACHABLE
    hand.run(0.2)
    hand.clear()
    hand.feed(A, Poll(B.short_id, 0, 1))
    (vote,) = votes(hand)
    assert vote.kernel_age == pytest.approx(200, abs=5)


def test_a_helper_states_a_refusal_by_the_rule_for_gone() -> None:
    """A refusal by UDP alone doesn't count; with one by TCP within 2 s it does."""
    hand = helping(in_touch=True)
    hand.evidence(KernelEvidence.REFUSED_UDP, B.address, accusations(hand.sent, B)[0].payload)
    hand.feed(A, Poll(B.short_id, 0, 1))
    assert votes(hand)[-1].kernel is KernelVerdict.NONE
    hand.evidence(KernelEvidence.REFUSED_TCP, B.address)
    assert votes(hand)[-1].kernel is KernelVerdict.REFUSED
    assert hand.state(B) is State.ALIVE, "a helper judges nobody"


def test_a_helper_alone_never_accuses() -> None:
    hand = Hand(knows=[A, B, C], config=Config.lan(probe_interval=60, stall_tolerance=120))
    hand.answering = [A, C]
    for _ in range(20):
        hand.feed(A, PingReq(1, B.claim()))
        hand.run(2.0)
        hand.feed(C)
    assert not hand.messages(PingReq)
    assert hand.state(B) is State.ALIVE


def test_several_accusers_share_a_watch_and_each_gets_the_votes() -> None:
    hand = helping()
    hand.feed(C, PingReq(1, B.claim()))
    assert hand.node.statistics().watches == 1
    hand.clear()
    hand.run(0.6)
    assert votes(hand, to=A)
    assert votes(hand, to=C)


def test_the_jury_depends_on_the_subject() -> None:
    members = peers(30)
    juries = {tuple(helper.name for helper in ranked(subject, members)[:3]) for subject in members}
    assert len(juries) > 20


def test_what_was_observed_is_explained() -> None:
    hand = Accuser()
    hand.accuse()
    hand.run(1.0)
    evidence = hand.node.explain(hand.subject.name)
    assert evidence is not None
    assert evidence.rule is None
    observers = {observation.observer for observation in evidence.observations}
    assert {"me", *(helper.name for helper in hand.helpers[:3])} <= observers
    times = [observation.at for observation in evidence.observations]
    assert times == sorted(times)
    assert RTT < times[-1] <= hand.now
