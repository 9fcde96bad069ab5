"""Tripwires as the core sees them: which to keep, what a broken one starts, and what kernels' answers lead to."""

import attrs
import pytest

from support.accuser import MARGIN, Accuser, S
from support.hand import HASHES, RTT, Hand, Peer, peers
from support.inside import parts_of
from swim_core import Address, Config, DropReason, KernelEvidence, MemberDied, MemberSuspected, Rule, State
from swim_core.native.detection.kernel_findings import KernelFindings
from swim_core.native.wire.hashing import Hashes
from swim_core.native.wire.messages import KernelVerdict, NotMe, Ping, PingReq, Poll, Vote
from swim_core.tripwire import NO_TRIPWIRES, TripwirePlan, greeting_of

REFUSED_UDP, REFUSED_TCP = KernelEvidence.REFUSED_UDP, KernelEvidence.REFUSED_TCP
REACHABLE, SILENT = KernelEvidence.REACHABLE, KernelEvidence.KERNEL_SILENT
S_HOST = 3.0
RETESTS = (0.01, 0.03, 0.07, 0.15, 0.31)
TEST_TAKES = 1.5  # seconds after which an adapter says that a kernel is silent


def wired(others: int = 6, *, config: Config | None = None, votes: bool = False, rank: int | None = None) -> Accuser:
    """A node with a tripwire to the one that falls silent, and of that ``rank`` among its witnesses."""
    hand = Accuser(others, config=config, votes=votes)
    if rank is not None:
        hand.take_turn(rank)
    hand.greet(hand.subject)
    hand.clear()
    return hand


def refuse_udp(hand: Hand, subject: Peer) -> None:
    """The kernel refuses every ping that waits for an answer."""
    for sent in hand.to(subject):
        if isinstance(sent.message, Ping):
            hand.evidence(REFUSED_UDP, subject.address, sent.payload)


def tried_within(hand: Hand, seconds: float) -> list[float]:
    """When connections are tried, in seconds from now."""
    start = hand.now
    times = [0.0] if hand.connects() else []
    while hand.now - start < seconds:
        hand.run(0.001)
        if hand.connects():
            times.append(hand.now - start)
    return times


def helper_votes(hand: Accuser, kernel: KernelVerdict, helper: int = 0) -> None:
    hand.kernel = kernel
    hand.vote(hand.helpers[helper], silence=0.0)


# ------------------------------------------------------------------ whom to wire


def test_a_node_that_is_not_told_to_has_no_wiring_and_tries_no_connection() -> None:
    hand = Accuser()
    hand.lose(hand.subject)
    hand.accuse()
    assert hand.node.tripwire_plan is NO_TRIPWIRES
    assert hand.connects() == []


def test_nor_does_one_whose_settings_say_so() -> None:
    hand = Accuser(config=Config.lan(tripwires=False))
    hand.greet(hand.subject)
    hand.accuse()
    assert hand.node.tripwire_plan is NO_TRIPWIRES
    assert hand.connects() == []


@pytest.mark.parametrize("others", [1, 3, 40])
def test_the_next_live_member_on_each_ring_is_to_be_wired(others: int) -> None:
    members = peers(others)
    hand = Hand(knows=members)
    hand.node.enable_tripwires(now=hand.now)
    mine = HASHES.places(hand.me.name, hand.me.epoch)
    expected: list[Peer] = []
    for ring, place in enumerate(mine):

        def distance(member: Peer, ring: int = ring, place: int = place) -> int:
            return (HASHES.places(member.name, member.epoch)[ring] - place) % 2**64

        nearest = [member for member in sorted(members, key=distance) if member not in expected]
        expected += nearest[:1]
    assert [peer.address for peer in hand.node.tripwire_plan.peers] == [member.address for member in expected]
    assert [peer.greeting for peer in hand.node.tripwire_plan.peers] == [hand.greeting(member) for member in expected]
    assert len(expected) == min(4, others)


def test_the_wiring_is_one_object_until_members_come_or_go() -> None:
    members = peers(6)
    hand = Hand(knows=members)
    hand.node.enable_tripwires(now=hand.now)
    plan = hand.node.tripwire_plan
    hand.run(5.0)
    assert hand.node.tripwire_plan is plan
    gone = next(member for member in members if member.address == plan.peers[0].address)
    other = next(member for member in members if member is not gone)
    hand.feed(other, claims=[gone.claim(State.DEAD, time=hand.cluster_time)])
    changed = hand.node.tripwire_plan
    assert changed is not plan
    assert gone.address not in [peer.address for peer in changed.peers]


def test_who_leaves_is_connected_to_nobody() -> None:
    hand = Hand(knows=peers(6))
    hand.node.enable_tripwires(now=hand.now)
    hand.node.leave(now=hand.now)
    assert hand.node.tripwire_plan.peers == ()
    assert hand.node.tripwire_plan.greeting


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "::1", "0.0.0.0", "::"])
def test_nobody_elsewhere_has_a_node_connect_to_its_own_host(host: str) -> None:
    """Any member can claim that another one exists, and ask for help against it."""
    hand = Hand(knows=peers(2))
    hand.node.enable_tripwires(now=hand.now)
    claimed = Peer("claimed", Address(host, 6379))
    hand.feed(peers(1)[0], claims=[claimed.claim()])
    if host in ("0.0.0.0", "::"):
        assert hand.state(claimed) is State.ALIVE
    else:
        assert hand.state(claimed) is None, "it would be this host here, and another one there"
        assert hand.dropped(DropReason.LOOPBACK) == 1
        return
    assert claimed.address not in [peer.address for peer in hand.node.tripwire_plan.peers]
    hand.feed(peers(1)[0], PingReq(1, claimed.claim()))
    assert claimed.address in [sent.to for sent in hand.sent if isinstance(sent.message, Ping)]
    assert hand.connects() == []


def test_members_of_one_host_have_tripwires() -> None:
    other = Peer("other", Address("127.0.0.1", 7947))
    hand = Hand(knows=[other], address=("127.0.0.1", 7946))
    hand.node.enable_tripwires(now=hand.now)
    assert [peer.address for peer in hand.node.tripwire_plan.peers] == [other.address]


def test_a_greeting_says_which_cluster_and_who() -> None:
    mine = TripwirePlan(greeting_of(Hashes("a", 4).label, 1), ())
    assert mine.admits(greeting_of(Hashes("a", 4).label, 2))
    assert not mine.admits(greeting_of(Hashes("b", 4).label, 1))
    assert not mine.admits(mine.greeting[:-1])
    assert not mine.admits(mine.greeting + b"\0")
    assert not mine.admits(b"GET / HTTP/1.1\r\n\r")
    assert not mine.admits(b"")


# ------------------------------------------------------------------ a broken one


def test_a_loss_is_tested_at_once_and_five_times_more_and_accuses_nobody() -> None:
    hand = wired()
    start = hand.now
    hand.lose(hand.subject)
    assert tried_within(hand, 0.32) == pytest.approx([0.0, *RETESTS], abs=0.0021)
    pings = [sent.at - start for sent in hand.to(hand.subject) if isinstance(sent.message, Ping)]
    assert pings == pytest.approx([0.0, *RETESTS], abs=0.0021)
    assert not hand.messages(PingReq)
    assert hand.node.statistics().watches == 0


def test_where_answers_take_long_tests_are_repeated_less_soon() -> None:
    hand = wired()
    for _ in range(99):
        parts_of(hand.node).context.rtt.add(0.1)
    hand.lose(hand.subject)
    assert tried_within(hand, 0.28) == pytest.approx([0.0, 0.15], abs=0.0021)


def test_an_answered_ping_ends_it() -> None:
    """A middlebox has dropped the connection; nothing is asked of anybody."""
    hand = wired()
    hand.answering = list(hand.members)
    hand.lose(hand.subject)
    lost = hand.now
    hand.run(0.2)
    assert hand.connects() == [hand.subject.address]
    assert [sent.at for sent in hand.to(hand.subject) if isinstance(sent.message, Ping)] == [lost]
    hand.run(1.0)
    assert not hand.messages(PingReq)
    assert not hand.happened(MemberSuspected)


def test_a_loss_followed_by_silence_is_a_failed_probe() -> None:
    hand = wired()
    hand.lose(hand.subject)
    lost = hand.now
    hand.until(lambda: bool(hand.messages(PingReq)), 1.0)
    assert hand.now - lost == pytest.approx(0.5, abs=0.01)
    assert hand.verdict() is State.ALIVE


def test_a_loss_of_a_run_that_is_no_more_or_of_nothing_at_all_is_ignored() -> None:
    hand = wired()
    address, lost = hand.subject.address, KernelEvidence.CONNECTION_LOST
    for greeting in (b"", b"SWIM", hand.greeting(hand.subject)[:-1] + b"\0", hand.greeting(hand.members[0])):
        hand.evidence(lost, address, greeting)
    assert hand.connects() == []
    hand.feed(hand.members[0], claims=[attrs.evolve(hand.subject, epoch=hand.subject.epoch + 1).claim()])
    hand.lose(hand.subject)
    assert hand.connects() == []


def test_a_kill_is_judged_as_soon_as_both_refusals_and_one_helpers_vote_are_there() -> None:
    hand = wired()
    hand.accuse()
    refuse_udp(hand, hand.subject)
    assert len(hand.messages(PingReq)) == 3
    hand.evidence(REFUSED_TCP, hand.subject.address)
    assert hand.verdict() is State.ALIVE
    hand.run(RTT)
    helper_votes(hand, KernelVerdict.REFUSED)
    assert hand.verdict() is State.DEAD
    (died,) = hand.happened(MemberDied)
    assert died.evidence is not None
    assert died.evidence.rule is Rule.GONE


@pytest.mark.parametrize(("others", "all_told"), [(20, True), (65, True), (66, False)])
def test_a_kill_is_told_to_all_at_once_if_the_others_are_few(others: int, all_told: bool) -> None:
    hand = wired(others, rank=0)
    hand.lose(hand.subject)
    refuse_udp(hand, hand.subject)
    hand.evidence(REFUSED_TCP, hand.subject.address)
    hand.clear()
    helper_votes(hand, KernelVerdict.REFUSED)
    told = {sent.to for sent in hand.sent if any(claim.state is State.DEAD for claim in sent.claims)}
    rest = {member.address for member in hand.answering}
    assert told == rest if all_told else len(told) == 4


def test_where_udp_says_nothing_a_loss_and_two_refusals_by_tcp_are_enough_if_they_are_a_second_apart() -> None:
    hand = wired()
    hand.lose(hand.subject)
    hand.evidence(REFUSED_TCP, hand.subject.address)
    helper_votes(hand, KernelVerdict.REFUSED)
    hand.run(0.95)
    hand.evidence(REFUSED_TCP, hand.subject.address)
    assert hand.verdict() is State.ALIVE
    hand.run(0.06)
    hand.evidence(REFUSED_TCP, hand.subject.address)
    assert hand.verdict() is State.DEAD


def test_refusals_by_tcp_without_a_loss_and_a_loss_without_refusals_kill_nobody() -> None:
    for lose in (True, False):
        hand = wired()
        if lose:
            hand.lose(hand.subject)
        else:
            hand.evidence(REFUSED_TCP, hand.subject.address)
        helper_votes(hand, KernelVerdict.REFUSED)
        hand.run(0.1)
        if not lose:
            hand.evidence(REFUSED_TCP, hand.subject.address)
        helper_votes(hand, KernelVerdict.REFUSED)
        assert hand.verdict() is State.ALIVE


def test_a_refused_connection_says_nothing_where_none_was_ever_greeted() -> None:
    """Perhaps nobody listens on TCP there, or a firewall only lets datagrams through."""
    hand = Accuser(votes=False)
    hand.greet(hand.members[0])
    hand.evidence(REFUSED_TCP, hand.subject.address)
    assert hand.node.statistics().watches == 0
    hand.accuse()
    refuse_udp(hand, hand.subject)
    hand.evidence(REFUSED_TCP, hand.subject.address)
    helper_votes(hand, KernelVerdict.REFUSED)
    assert hand.verdict() is State.ALIVE


def test_what_was_greeted_is_forgotten_with_the_run() -> None:
    hand = wired()
    hand.subject.epoch += 1 << 16
    hand.feed(hand.members[0], claims=[hand.subject.claim()])
    hand.evidence(REFUSED_TCP, hand.subject.address)
    assert hand.node.statistics().watches == 0


def test_a_run_that_was_declared_dead_by_mistake_is_still_one_that_greeted() -> None:
    """It refutes within milliseconds, before the rewiring, so its tripwire stands and is not greeted again."""
    hand = wired()
    hand.feed(hand.members[0], claims=[hand.subject.claim(State.DEAD)])
    hand.feed(hand.members[0], claims=[hand.subject.claim(incarnation=1)])
    assert hand.verdict() is State.ALIVE
    hand.evidence(REFUSED_TCP, hand.subject.address)
    assert hand.node.statistics().watches == 1


def test_nothing_is_remembered_of_the_forgotten() -> None:
    hand = wired(config=Config.lan(forget_after=10.0))
    hand.answering = list(hand.members)
    hand.feed(hand.members[0], claims=[hand.subject.claim(State.DEAD)])
    hand.run(20.0)
    assert hand.state(hand.subject) is None
    assert not parts_of(hand.node).tripwires.has_greeted(hand.subject.short_id)


# ------------------------------------------------------------------ packets that are lost


def asked_at(hand: Accuser, helper: int = 0) -> list[float]:
    return [sent.at for sent in hand.to(hand.helpers[helper]) if isinstance(sent.message, PingReq)]


def test_an_accuser_with_strong_evidence_repeats_what_may_have_been_lost() -> None:
    """Only the ping was refused. The SYN or its answer may be lost, and so may requests and votes."""
    hand = wired(11, rank=0)
    hand.lose(hand.subject)
    hand.connects()
    start = hand.now
    refuse_udp(hand, hand.subject)
    assert tried_within(hand, 0.32) == pytest.approx(RETESTS, abs=0.0021)
    for helper in range(3):
        assert [at - start for at in asked_at(hand, helper)] == pytest.approx(RETESTS, abs=0.0021)


def test_nothing_is_repeated_that_was_answered() -> None:
    hand = wired(11, rank=0)
    hand.lose(hand.subject)
    hand.connects()
    hand.evidence(REFUSED_TCP, hand.subject.address)
    hand.connects()
    helper_votes(hand, KernelVerdict.REFUSED)
    start = hand.now
    hand.clear()
    assert tried_within(hand, 0.32) == []
    pings = [sent.at - start for sent in hand.to(hand.subject) if isinstance(sent.message, Ping)]
    assert pings == pytest.approx(RETESTS, abs=0.0021)
    assert not asked_at(hand)
    assert [at - start for at in asked_at(hand, 1)] == pytest.approx(RETESTS, abs=0.0021)


def test_a_watch_repeats_them_once_and_one_that_found_silence_only_never() -> None:
    hand = wired()
    hand.accuse()
    began = hand.now
    hand.connects()
    hand.run(0.4)
    assert len(asked_at(hand)) == 1
    for _ in range(3):
        refuse_udp(hand, hand.subject)
        hand.run(0.4)
    assert len([at for at in asked_at(hand) if at < began + 1.99]) == 1 + len(RETESTS)


def test_an_accepted_connection_ends_the_repeating() -> None:
    """A firewall refuses the datagrams to a process that lives."""
    hand = wired()
    hand.accuse()
    hand.connects()
    refuse_udp(hand, hand.subject)
    hand.evidence(REACHABLE, hand.subject.address)
    hand.clear()
    hand.run(0.4)
    assert hand.connects() == []
    assert not hand.messages(PingReq)


def test_a_refused_ping_causes_no_haste_where_a_refused_connection_would_say_nothing() -> None:
    hand = Accuser(votes=False)
    hand.node.enable_tripwires(now=hand.now)
    hand.accuse()
    refuse_udp(hand, hand.subject)
    hand.run(0.4)
    assert len(asked_at(hand)) == 1


@pytest.mark.parametrize(("later", "in_touch", "hasty"), [(0.03, True, True), (2.0, True, False), (0.03, False, False)])
def test_a_helper_that_is_soon_asked_again_votes_and_tests_again(later: float, in_touch: bool, hasty: bool) -> None:
    """The accuser has more evidence than silence, and lacks only the vote."""
    accuser, subject, *rest = peers(4)
    hand = Hand(knows=[accuser, subject, *rest])
    hand.answering = [accuser, *rest]
    hand.greet(subject if in_touch else rest[0])
    hand.feed(accuser, PingReq(1, subject.claim()))
    hand.connects()
    hand.run(later)
    hand.clear()
    hand.feed(accuser, PingReq(2, subject.claim()))
    assert len(hand.messages(Vote, accuser)) == 1
    assert tried_within(hand, 0.32) == pytest.approx(RETESTS if hasty else [], abs=0.0021)


@pytest.mark.parametrize("reached", [-0.01, 0.01])
def test_an_older_connection_of_a_helper_keeps_it_from_nothing(reached: float) -> None:
    """The process that accepted it ended a moment later; only connections made since the accuser pressed count."""
    accuser, subject, *rest = peers(4)
    hand = Hand(knows=[accuser, subject, *rest])
    hand.answering = [accuser, *rest]
    hand.greet(subject)
    hand.feed(accuser, PingReq(1, subject.claim()))
    hand.connects()
    if reached < 0:
        hand.evidence(REACHABLE, subject.address)
    hand.run(0.01)
    hand.feed(accuser, PingReq(2, subject.claim()))
    if reached > 0:
        hand.evidence(REACHABLE, subject.address)
    assert tried_within(hand, 0.32) == pytest.approx(RETESTS if reached < 0 else [], abs=0.0021)


# ------------------------------------------------------------------ what kernels say


def test_a_kernel_that_accepts_vetoes_until_it_refuses() -> None:
    """A process that is being torn down may still accept."""
    hand = wired()
    hand.lose(hand.subject)
    refuse_udp(hand, hand.subject)
    hand.evidence(REACHABLE, hand.subject.address)
    helper_votes(hand, KernelVerdict.REFUSED)
    assert hand.verdict() is State.ALIVE
    hand.run(0.01)
    hand.evidence(REFUSED_TCP, hand.subject.address)
    refuse_udp(hand, hand.subject)
    assert hand.verdict() is State.DEAD


@pytest.mark.parametrize("contact", [True, False])
def test_a_refused_connection_says_nothing_of_one_with_whom_there_was_no_contact(contact: bool) -> None:
    """By default it doesn't either, since perhaps nobody ever listened there."""
    findings = KernelFindings(contact=True) if contact else KernelFindings()
    findings.refuse_udp(10.0)
    findings.refuse_tcp(10.0)
    verdict, _ = findings.verdict(0.5, 10.1, 10.1)
    assert verdict is (KernelVerdict.REFUSED if contact else KernelVerdict.NONE)


def test_an_accepted_connection_vetoes_for_4_s() -> None:
    """For example behind a firewall that has just gone up, so that no later connection has an outcome."""
    hand = wired()
    hand.accuse()
    hand.evidence(REACHABLE, hand.subject.address)
    accepted = hand.now
    while hand.verdict() is State.ALIVE and hand.now < accepted + 4.9:
        hand.run(0.1)
        refuse_udp(hand, hand.subject)
        helper_votes(hand, KernelVerdict.REFUSED)
    assert hand.verdict() is State.DEAD
    assert hand.now - accepted == pytest.approx(4.05, abs=0.1)


def test_the_veto_holds_without_a_gap_while_connections_go_on_being_accepted() -> None:
    """A firewall that refuses datagrams to a process that lives."""
    hand = wired()
    hand.accuse()
    hand.connects()
    hand.evidence(REACHABLE, hand.subject.address)
    end = hand.now + 4.4
    while hand.now < end:
        hand.run(0.05)
        refuse_udp(hand, hand.subject)
        helper_votes(hand, KernelVerdict.REFUSED)
        if hand.connects():
            hand.after(0.9, lambda: hand.evidence(REACHABLE, hand.subject.address))
    assert hand.verdict() is not State.DEAD
    hand.evidence(REFUSED_TCP, hand.subject.address)
    assert hand.verdict() is State.DEAD


def test_another_run_at_the_address_is_more_than_a_kernel_that_accepts_its_connections() -> None:
    hand = wired()
    hand.accuse()
    hand.evidence(REACHABLE, hand.subject.address)
    ping = [sent.message for sent in hand.to(hand.subject) if isinstance(sent.message, Ping)][-1]
    usurper = Peer("usurper", hand.subject.address)
    hand.feed(usurper, NotMe(ping.seq))
    helper_votes(hand, KernelVerdict.REFUSED)
    assert hand.verdict() is State.DEAD


def test_a_watch_has_a_connection_tried_at_once_and_every_two_seconds_while_the_kernel_accepts() -> None:
    """A stalled process must not have its backlog filled: that would look like a lost host."""
    hand = wired()
    hand.accuse()
    assert hand.connects() == [hand.subject.address]
    start, tries = hand.now, 0
    hand.evidence(REACHABLE, hand.subject.address)
    while hand.now - start < 4.0:
        hand.run(0.05)
        if hand.connects():
            tries += 1
            hand.evidence(REACHABLE, hand.subject.address)
    assert tries <= 2
    assert hand.verdict() is not State.DEAD


def test_one_connection_at_a_time_is_tried_and_one_of_which_nothing_is_heard_is_given_up() -> None:
    hand = wired()
    hand.accuse()
    hand.connects()
    hand.run(2.9)
    assert hand.connects() == []
    hand.run(0.8)
    assert hand.connects() == [hand.subject.address]


def test_a_helper_tries_a_connection_when_it_is_asked_and_votes_what_it_learns() -> None:
    accuser, subject, *rest = peers(4)
    hand = Hand(knows=[accuser, subject, *rest])
    hand.answering = [accuser, *rest]
    hand.greet(subject)
    hand.feed(accuser, PingReq(1, subject.claim()))
    assert hand.connects() == [subject.address]
    refuse_udp(hand, subject)
    hand.clear()
    hand.evidence(REFUSED_TCP, subject.address)
    assert [vote.kernel for vote in hand.messages(Vote, accuser)] == [KernelVerdict.REFUSED]


def break_and_answer(hand: Hand, subject: Peer) -> None:
    """A middlebox drops the connection to a member that lives; the next one has not been greeted yet."""
    before = hand.answering
    hand.answering = [*before, subject]
    hand.lose(subject)
    hand.run(0.05)
    hand.answering = before
    hand.connects()


@pytest.mark.parametrize("again", [True, False])
def test_a_silence_counts_only_while_the_tripwire_stands(again: bool) -> None:
    """Its kernel would have acked on the tripwire. Without one, a backlog that somebody filled looks the same."""
    accuser, subject, *rest = peers(4)
    hand = Hand(knows=[accuser, subject, *rest])
    hand.answering = [accuser, *rest]
    hand.greet(subject)
    break_and_answer(hand, subject)
    if again:
        hand.greet(subject)
    hand.feed(accuser, PingReq(1, subject.claim()))
    hand.run(TEST_TAKES)
    hand.clear()
    hand.evidence(SILENT, subject.address)
    hand.run(0.5)
    kernels = {vote.kernel for vote in hand.messages(Vote, accuser)}
    assert kernels == ({KernelVerdict.SILENT} if again else {KernelVerdict.NONE})


@pytest.mark.parametrize("in_touch", [True, False])
def test_a_helper_states_a_silence_from_when_the_connection_was_begun_if_it_was_in_touch_before(in_touch: bool) -> None:
    accuser, subject, *rest = peers(4)
    hand = Hand(knows=[accuser, subject, *rest])
    hand.answering = [accuser, *rest]
    hand.greet(subject if in_touch else rest[0])
    hand.feed(accuser, PingReq(1, subject.claim()))
    hand.run(TEST_TAKES)
    hand.evidence(SILENT, subject.address)
    hand.clear()
    hand.feed(accuser, Poll(subject.short_id, 0, 7))
    (vote,) = hand.messages(Vote, accuser)
    assert vote.kernel is (KernelVerdict.SILENT if in_touch else KernelVerdict.NONE)
    assert vote.kernel_age == (pytest.approx(1500, abs=5) if in_touch else 0)


# ------------------------------------------------------------------ rule 3: the host is gone


def host_lost(
    others: int = 6, *, config: Config | None = None, helpers: KernelVerdict = KernelVerdict.SILENT
) -> Accuser:
    """The subject's kernel answers nobody; helpers vote as told, each counting from when it was asked."""
    hand = wired(others, config=config, votes=True)
    hand.kernel = helpers
    hand.accuse()
    hand.connects()
    hand.run(TEST_TAKES)
    hand.evidence(SILENT, hand.subject.address)
    return hand


def run_silent(hand: Accuser, seconds: float) -> None:
    """Let time pass with every connection unanswered."""
    end = hand.now + seconds
    while hand.now < end and hand.verdict() is not State.DEAD:
        hand.run(0.05)
        if hand.connects():
            hand.after(TEST_TAKES, lambda: hand.evidence(SILENT, hand.subject.address))


def test_a_silent_kernel_at_all_who_ask_is_death_after_s_host() -> None:
    hand = host_lost()
    run_silent(hand, S)
    (died,) = hand.happened(MemberDied)
    assert died.evidence is not None
    assert died.evidence.rule is Rule.HOST_GONE
    began = min(sent.at for sent in hand.to(hand.subject))
    assert S_HOST + MARGIN <= hand.now - began <= S_HOST + MARGIN + 0.8
    assert hand.node.statistics().verdicts == {Rule.HOST_GONE: 1}


@pytest.mark.parametrize("host_tolerance", [0.0, S, 60.0])
def test_s_host_of_nothing_or_not_below_s_is_off(host_tolerance: float) -> None:
    hand = host_lost(config=Config.lan(host_tolerance=host_tolerance))
    run_silent(hand, 3.0)
    assert hand.verdict() is State.SUSPECT
    run_silent(hand, 3.0)
    (died,) = hand.happened(MemberDied)
    assert died.evidence is not None
    assert hand.now - min(sent.at for sent in hand.to(hand.subject)) >= S + MARGIN


@pytest.mark.parametrize("helpers", [KernelVerdict.NONE, KernelVerdict.REACHABLE, KernelVerdict.REFUSED])
def test_helpers_that_see_something_else_keep_it_alive_until_s(helpers: KernelVerdict) -> None:
    hand = host_lost(helpers=helpers)
    run_silent(hand, 3.0)
    assert hand.verdict() is State.SUSPECT


def test_a_silence_of_a_helper_must_be_as_long() -> None:
    hand = host_lost()
    hand.kernel_age = S_HOST - 0.1
    run_silent(hand, 3.0)
    assert hand.verdict() is State.SUSPECT


def test_one_helper_that_is_accepted_vetoes() -> None:
    hand = host_lost()
    lucky = hand.helpers[2]
    hand.voting.remove(lucky)
    for _ in range(60):
        run_silent(hand, 0.05)
        vote = Vote(hand.subject.short_id, 0, 0, hand.kind, 1000, KernelVerdict.REACHABLE, 0)
        hand.feed(lucky, vote)
    assert hand.verdict() is State.SUSPECT


def test_an_accepted_or_refused_connection_ends_the_silence() -> None:
    for kind in (REACHABLE, REFUSED_TCP):
        hand = host_lost()
        hand.run(1.0)
        hand.evidence(kind, hand.subject.address)
        hand.run(1.5)
        assert hand.verdict() is State.SUSPECT


def test_a_pause_of_this_node_forgets_what_was_not_answered() -> None:
    hand = host_lost()
    hand.run(1.0)
    hand.sleep(10.0)
    hand.run(0.7)
    assert hand.verdict() is State.SUSPECT


@pytest.mark.parametrize(
    ("in_touch", "broke", "dead"), [(True, False, True), (False, False, False), (True, True, False)]
)
def test_of_two_members_one_judges_alone_if_it_was_in_touch_before_and_is(
    in_touch: bool, broke: bool, dead: bool
) -> None:
    hand = Accuser(1, votes=False)
    if in_touch:
        hand.greet(hand.subject)
    else:
        hand.node.enable_tripwires(now=hand.now)
    if broke:
        break_and_answer(hand, hand.subject)
    hand.accuse()
    hand.connects()
    hand.run(TEST_TAKES)
    hand.evidence(SILENT, hand.subject.address)
    run_silent(hand, 2.2)
    assert (hand.verdict() is State.DEAD) is dead
