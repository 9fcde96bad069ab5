"""Section 4, rule by rule: what it takes to declare a member dead or suspect, and what is not enough."""

from itertools import pairwise

import pytest

from support.accuser import MARGIN, Accuser, S
from support.hand import RTT, Hand, Peer, Sent, peers
from support.inside import parts_of
from swim_core import Config, KernelEvidence, MemberDied, MemberSuspected, Rule, State
from swim_core.address import pack
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.messages import Ack, KernelVerdict, NotMe, Ping, PingReq, Poll, VoteKind

REPING = 0.5


def polls(hand: Hand, *receivers: Peer) -> list[Sent]:
    return [sent for sent in (hand.to(*receivers) if receivers else hand.sent) if isinstance(sent.message, Poll)]


def run_to(hand: Hand, time: float) -> None:
    hand.run(time - hand.now)


# ------------------------------------------------------------------ suspicion


def test_a_suspicion_is_flooded_when_the_watch_reaches_half_of_s_and_a_helper_votes() -> None:
    hand = Accuser()
    t0 = hand.accuse()
    run_to(hand, t0 + S / 2 - 0.02)
    assert hand.verdict() is State.ALIVE
    hand.clear()
    run_to(hand, t0 + S / 2 + 0.02)
    assert hand.verdict() is State.SUSPECT
    (suspected,) = hand.happened(MemberSuspected)
    assert suspected.evidence is not None
    assert (suspected.evidence.rule, suspected.evidence.accuser) == (Rule.SUSPICION, "me")
    assert suspected.evidence.cluster_time == pytest.approx(hand.cluster_time, abs=50)
    told = hand.told(hand.subject.name, *hand.members[:-1])
    assert told
    assert all(claim.state is State.SUSPECT and claim.metadata is not None for claim in told)
    assert all(claim.verdict is not None and claim.verdict.accuser == hand.short_id for claim in told)


def test_nobody_is_suspected_without_a_helpers_vote() -> None:
    hand = Accuser(votes=False)
    t0 = hand.accuse()
    run_to(hand, t0 + 60.0)
    assert hand.verdict() is State.ALIVE


def test_a_vote_counts_for_13_s() -> None:
    hand = Accuser(votes=False)
    t0 = hand.accuse()
    run_to(hand, t0 + S / 2 - 1.35)
    hand.vote(hand.helpers[0], silence=2.0)
    run_to(hand, t0 + S / 2 + 0.5)
    assert hand.verdict() is State.ALIVE
    hand.vote(hand.helpers[0], silence=3.0)
    assert hand.verdict() is State.SUSPECT


def test_a_vote_12_s_old_still_counts() -> None:
    hand = Accuser(votes=False)
    t0 = hand.accuse()
    run_to(hand, t0 + S / 2 - 1.2)
    hand.vote(hand.helpers[0], silence=2.0)
    run_to(hand, t0 + S / 2 + 0.05)
    assert hand.verdict() is State.SUSPECT


@pytest.mark.parametrize(("silence", "state"), [(0.0, State.ALIVE), (1.24, State.ALIVE), (1.26, State.SUSPECT)])
def test_a_helper_confirms_a_suspicion_only_with_a_silence_of_a_quarter_of_s(silence: float, state: State) -> None:
    hand = Accuser(votes=False)
    t0 = hand.accuse()
    run_to(hand, t0 + S / 2 + 0.1)
    for helper in hand.helpers[:3]:
        hand.vote(helper, silence=silence)
    assert hand.verdict() is state


def test_of_two_members_one_suspects_without_help() -> None:
    hand = Accuser(1)
    t0 = hand.accuse()
    run_to(hand, t0 + S / 2 + 0.02)
    assert hand.verdict() is State.SUSPECT


def test_the_suspicion_rides_on_the_pings_to_the_suspect() -> None:
    """This lets it refute the claim."""
    hand = Accuser()
    t0 = hand.accuse()
    run_to(hand, t0 + S / 2 + 0.1)
    hand.clear()
    run_to(hand, t0 + S / 2 + 1.2)
    pings = [sent for sent in hand.to(hand.subject) if isinstance(sent.message, Ping)]
    assert pings
    assert all(
        [claim.state for claim in sent.claims if claim.name == hand.subject.name] == [State.SUSPECT] for sent in pings
    )


# ------------------------------------------------------------------ rule 2: silent


@pytest.mark.parametrize("others", [1, 2, 3, 6, 30])
def test_a_silent_member_is_dead_after_s_and_the_margin_from_the_first_unanswered_probe(others: int) -> None:
    hand = Accuser(others)
    t0 = hand.accuse()
    margin = MARGIN if others >= 20 else 0.5 + 0.05  # before 16 round trips the probe timeout is half of T
    run_to(hand, t0 + S + margin - 0.05)
    assert hand.verdict() is State.SUSPECT
    hand.until(lambda: hand.verdict() is State.DEAD, 1.0)
    assert S + margin - 0.01 <= hand.now - t0 <= S + margin + 0.65
    (died,) = hand.happened(MemberDied)
    assert died.member.state is State.DEAD
    assert died.evidence is not None
    assert (died.evidence.rule, died.evidence.accuser) == (Rule.SILENT, "me")
    assert hand.node.statistics().verdicts == {Rule.SILENT: 1}
    assert hand.node.statistics().watches == 0
    hand.run(0.3)
    if others > 1:
        told = [claim for claim in hand.told(hand.subject.name, *hand.members[:-1]) if claim.state is State.DEAD]
        assert told
        assert all(claim.metadata is None and claim.verdict is not None for claim in told)


def test_the_poll_goes_to_all_helpers_only_when_the_watch_is_older_than_s_and_the_margin() -> None:
    hand = Accuser(votes=False)
    t0 = hand.accuse()
    run_to(hand, t0 + S + 0.5)
    assert not polls(hand)
    hand.until(lambda: bool(polls(hand)), 1.0)
    asked = {sent.to for sent in hand.sent if isinstance(sent.message, PingReq)}
    assert {sent.to for sent in polls(hand)} == asked
    assert len(asked) >= 3
    (poll,) = set(hand.messages(Poll))
    assert (poll.subject, poll.incarnation) == (hand.subject.short_id, 0)
    assert poll.nonce


def test_the_poll_repeats_every_03_s_with_new_nonces() -> None:
    hand = Accuser(2, votes=False)
    t0 = hand.accuse()
    run_to(hand, t0 + S + 4.0)
    times = sorted({sent.at for sent in polls(hand)})
    assert len(times) >= 8
    assert all(b - a == pytest.approx(0.3, abs=0.02) for a, b in pairwise(times))
    assert len(set(hand.messages(Poll))) == len(times)


LAST_QUESTIONS = 0.06  # seconds, and a little, that a verdict by silence waits for the subject's own word


def confirmed(hand: Accuser, answers: int, *, silence: float = S, age: int = 0, **how: VoteKind) -> bool:
    """Whether this many answers, to the poll sent ``age`` polls ago, bring the verdict."""
    t0 = hand.accuse()
    run_to(hand, t0 + S + 0.6)
    hand.until(lambda: len({sent.at for sent in polls(hand)}) > age, 5.0)
    nonces = list(dict.fromkeys(poll.nonce for poll in hand.messages(Poll)))
    for helper in hand.helpers[:answers]:
        hand.vote(helper, nonce=nonces[-1 - age], silence=silence, **how)
    return hand.run(LAST_QUESTIONS, watch=lambda: hand.verdict() is State.DEAD)


@pytest.mark.parametrize(("others", "quorum"), [(1, 0), (2, 1), (3, 2), (4, 2), (10, 2)])
def test_the_quorum_is_2_or_the_number_of_other_live_members(others: int, quorum: int) -> None:
    if quorum:
        assert not confirmed(Accuser(others, votes=False), quorum - 1)
        assert confirmed(Accuser(others, votes=False), quorum)
    else:
        hand = Accuser(others)
        t0 = hand.accuse()
        run_to(hand, t0 + S + 0.6 + LAST_QUESTIONS)
        assert hand.verdict() is State.DEAD


def test_an_answer_with_less_silence_than_s_does_not_confirm() -> None:
    assert not confirmed(Accuser(votes=False), 3, silence=S - 0.001)
    assert confirmed(Accuser(votes=False), 3, silence=S)


def test_a_vote_that_answers_no_poll_does_not_confirm() -> None:
    hand = Accuser(votes=False)
    t0 = hand.accuse()
    run_to(hand, t0 + S + 0.7)
    for helper in hand.helpers[:3]:
        hand.vote(helper, silence=S + 1)
        hand.vote(helper, nonce=12345, silence=S + 1)
    assert hand.verdict() is State.SUSPECT


@pytest.mark.parametrize(("age", "counts"), [(0, True), (1, True), (2, True), (3, False)])
def test_an_answer_counts_for_the_last_3_nonces(age: int, counts: bool) -> None:
    assert confirmed(Accuser(votes=False), 2, age=age) is counts


def test_two_answers_of_one_helper_are_one() -> None:
    hand = Accuser(votes=False)
    assert not confirmed(hand, 1)
    nonces = {poll.nonce for poll in hand.messages(Poll)}
    for nonce in nonces:
        hand.vote(hand.helpers[0], nonce=nonce, silence=S + 1)
    assert hand.verdict() is not State.DEAD


def test_a_paused_helpers_vote_counts_with_its_awake_silence_and_the_next_rank_is_asked_besides() -> None:
    hand = Accuser(10, votes=False)
    hand.accuse()
    hand.run(0.1)
    assert not hand.messages(PingReq, hand.helpers[3])
    hand.vote(hand.helpers[0], silence=0.1, kind=VoteKind.PAUSED)
    assert len(hand.messages(PingReq, hand.helpers[3])) == 1
    hand.vote(hand.helpers[0], silence=0.2, kind=VoteKind.PAUSED)
    assert not hand.messages(PingReq, hand.helpers[4])
    assert confirmed(Accuser(votes=False), 2, kind=VoteKind.PAUSED)
    assert not confirmed(Accuser(votes=False), 2, kind=VoteKind.PAUSED, silence=S - 0.5)


def test_a_stall_up_to_s_is_nobodys_death() -> None:
    """The promise: a member that answers within S is not declared dead."""
    hand = Accuser()
    t0 = hand.accuse()
    run_to(hand, t0 + S)
    ping = [sent.message for sent in hand.to(hand.subject) if isinstance(sent.message, Ping)][-1]
    hand.feed(hand.subject, Ack(ping.seq, hand.digest()))
    hand.answering = hand.members
    hand.run(10.0)
    assert not hand.happened(MemberDied)


def test_a_member_that_answers_just_before_the_verdict_lives_whatever_helpers_say() -> None:
    hand = Accuser()
    t0 = hand.accuse()
    run_to(hand, t0 + S + 0.54)
    hand.feed(hand.subject)
    for helper in hand.helpers:
        hand.vote(helper, silence=60.0)
    hand.run(0.3)
    assert not hand.happened(MemberDied)


def ask_in_vain(hand: Accuser) -> float:
    """Let helpers confirm the silence; returns when the verdict was made."""
    hand.accuse()
    hand.until(lambda: bool(polls(hand)), S + 2.0)
    for helper in hand.helpers[:3]:
        hand.vote(helper, nonce=hand.messages(Poll)[-1].nonce, silence=S)
    hand.clear()
    hand.until(lambda: bool(last_questions(hand)), 0.2)
    return hand.now


def last_questions(hand: Accuser) -> list[float]:
    """When the subject was sent the verdict; the flood, which starts with the first question, may reach it too."""
    sent = (sent for sent in hand.to(hand.subject) if sent.message is None)
    return sorted({each.at for each in sent if any(claim.state is State.DEAD for claim in each.claims)})


def test_the_subject_has_two_round_trips_to_answer_the_ping_that_goes_with_the_poll() -> None:
    """Otherwise votes from one side of a partition would outrun the ack of a member that can be reached again."""
    hand = Accuser(20, votes=False)
    t0 = hand.accuse()
    hand.until(lambda: bool(polls(hand)), S + 2.0)
    assert hand.now - t0 >= S
    polled = polls(hand)[-1].at
    assert [sent for sent in hand.to(hand.subject) if isinstance(sent.message, Ping) and sent.at == polled]
    for helper in hand.helpers[:3]:
        hand.vote(helper, nonce=hand.messages(Poll)[-1].nonce, silence=S)
    assert not last_questions(hand)
    hand.until(lambda: bool(last_questions(hand)), 0.2)
    assert hand.now - polled == pytest.approx(2 * RTT, abs=0.002)


def test_a_verdict_by_silence_is_passed_on_and_put_to_the_subject_three_times_before_it_is_believed() -> None:
    """The votes may date from before the network healed, and each datagram may be lost."""
    hand = Accuser(20, votes=False)
    made = ask_in_vain(hand)
    assert any(claim.state is State.DEAD for sent in hand.to(*hand.helpers) for claim in sent.claims)
    assert hand.verdict() is State.SUSPECT
    hand.until(lambda: hand.verdict() is State.DEAD, 0.2)
    assert hand.now - made == pytest.approx(0.05, abs=0.002)
    assert len(last_questions(hand)) == 3
    assert hand.now - last_questions(hand)[-1] >= 2 * RTT - 0.001


def test_who_answers_the_last_question_is_not_dead() -> None:
    hand = Accuser(20, votes=False)
    ask_in_vain(hand)
    hand.run(0.03)
    hand.feed(hand.subject, claims=[hand.subject.claim(incarnation=1)])
    hand.run(S / 2)
    assert not hand.happened(MemberDied)


@pytest.mark.parametrize("busy", [False, True])
def test_a_helper_that_is_polled_pings_once_more_when_its_own_silence_is_long_enough(busy: bool) -> None:
    """And while it has little else to send about members that may be gone."""
    a, b, c = peers(3)
    hand = Hand(knows=[a, b, c])
    hand.answering = [a, c]
    for seconds, pings in ((1.2, 0), (S, 1)):
        end = hand.now + seconds
        while hand.now < end:
            hand.feed(a, PingReq(7, b.claim()))
            hand.run(0.4)
        hand.clear()
        if busy:
            parts_of(hand.node).context.trouble.spend(hand.now, 1_000)
        hand.feed(a, Poll(b.short_id, 0, 5))
        asked = [sent for sent in hand.to(b) if isinstance(sent.message, Ping)]
        assert len(asked) == (0 if busy else pings)


def test_answers_from_before_a_pause_confirm_nothing() -> None:
    hand = Accuser(votes=False)
    assert not confirmed(hand, 1)
    nonce = hand.messages(Poll)[-1].nonce
    hand.sleep(1.0)
    hand.node.feed_tick(now=hand.now)
    for helper in hand.helpers[:3]:
        hand.vote(helper, nonce=nonce, silence=S + 1)
    assert hand.verdict() is not State.DEAD


def test_members_that_are_silent_themselves_do_not_count_for_the_quorum() -> None:
    """u leaves out members that this node has watched for S. Of three, both others may be found dead without help."""
    hand = Accuser(2, votes=False)
    hand.answering = []
    hand.accuse()
    hand.run(S + 3.0)
    assert len(hand.happened(MemberDied)) == 2


@pytest.mark.parametrize("braked", [True, False])
def test_while_more_than_half_of_the_others_are_watched_s_counts_threefold(braked: bool) -> None:
    hand = Accuser(6)
    hand.answering = hand.members[:2] if braked else hand.members[:3]
    hand.voting = hand.answering
    hand.reaction = None
    silent = [member for member in hand.members if member not in hand.answering]
    hand.until(lambda: hand.node.statistics().watches == len(silent), 60.0)
    for _ in range(int(S + 2) * 4):
        _all_confirm(hand, silent, S + 1.0)
        hand.run(0.25)
    died = {event.member.name for event in hand.happened(MemberDied)}
    assert died == (set() if braked else {member.name for member in silent})
    for _ in range(12 * 4):
        _all_confirm(hand, silent, 3 * S + 1.0)
        hand.run(0.25)
    assert {event.member.name for event in hand.happened(MemberDied)} == {member.name for member in silent}


def _all_confirm(hand: Accuser, silent: list[Peer], silence: float) -> None:
    """The members that live answer every poll about every silent one."""
    polled = list(hand.messages(Poll))
    hand.clear_sent()
    for poll in polled:
        subject = next(member for member in silent if member.short_id == poll.subject)
        hand.subject = subject
        for helper in hand.answering:
            if hand.state(subject) is not State.DEAD:
                hand.vote(helper, nonce=poll.nonce, silence=silence)


def test_of_three_members_none_is_braked() -> None:
    """n > 3, since in a small cluster more than half is soon reached."""
    hand = Accuser(2, votes=False)
    hand.answering = []
    t0 = hand.accuse()
    hand.until(lambda: bool(hand.happened(MemberDied)), 3 * S)
    assert hand.now - t0 < S + 3.0


def test_the_verdict_needs_no_deaths_beyond_what_is_known() -> None:
    """A verdict applies to one incarnation: a member that raises it in time escapes."""
    hand = Accuser()
    t0 = hand.accuse()
    run_to(hand, t0 + S)
    hand.feed(hand.members[0], claims=[hand.subject.claim(incarnation=5)])
    assert hand.verdict() is State.ALIVE
    hand.run(1.0)
    assert hand.verdict() is State.ALIVE


# ------------------------------------------------------------------ rule 1: gone


def refuse(hand: Accuser) -> None:
    """The kernel refuses the latest ping to the subject."""
    ping = [sent for sent in hand.to(hand.subject) if isinstance(sent.message, Ping)][-1]
    hand.evidence(KernelEvidence.REFUSED_UDP, hand.subject.address, ping.payload)


def refused_here(others: int = 6) -> Accuser:
    """UDP and TCP are refused here; the helpers have said nothing yet."""
    hand = Accuser(others, votes=False)
    hand.greet(hand.subject)
    hand.accuse()
    refuse(hand)
    hand.evidence(KernelEvidence.REFUSED_TCP, hand.subject.address)
    return hand


def helper_says(hand: Accuser, kernel: KernelVerdict, helper: int = 0) -> None:
    hand.kernel = kernel
    hand.vote(hand.helpers[helper], silence=0.1)


def test_refused_by_udp_and_tcp_here_and_at_one_helper_is_gone() -> None:
    hand = refused_here()
    assert hand.verdict() is State.ALIVE
    helper_says(hand, KernelVerdict.REFUSED)
    assert hand.verdict() is State.DEAD
    (died,) = hand.happened(MemberDied)
    assert died.evidence is not None
    assert died.evidence.rule is Rule.GONE
    assert hand.node.statistics().verdicts == {Rule.GONE: 1}


def test_refused_here_alone_kills_nobody() -> None:
    hand = refused_here()
    helper_says(hand, KernelVerdict.NONE)
    helper_says(hand, KernelVerdict.SILENT, 1)
    hand.run(1.0)
    assert hand.verdict() is State.ALIVE


def test_refused_at_helpers_alone_kills_nobody() -> None:
    hand = Accuser(votes=False)
    hand.accuse()
    for helper in range(3):
        helper_says(hand, KernelVerdict.REFUSED, helper)
    assert hand.verdict() is State.ALIVE


@pytest.mark.parametrize("others", [1, 2, 6])
def test_one_refusal_never_kills(others: int) -> None:
    """A firewall's REJECT looks like a dead process."""
    hand = Accuser(others, votes=False)
    hand.accuse()
    refuse(hand)
    if others > 1:
        helper_says(hand, KernelVerdict.REFUSED)
    hand.run(0.3)
    assert hand.verdict() is State.ALIVE


def test_two_refusals_by_udp_are_enough_where_they_are_08_of_the_re_ping_interval_apart() -> None:
    for apart, enough in ((0.8 * REPING + 0.01, True), (0.8 * REPING - 0.02, False)):
        hand = Accuser(votes=False)
        hand.accuse()
        hand.run(REPING)
        refuse(hand)
        first = hand.now
        hand.run(apart)
        _refuse_any(hand)
        assert hand.now - first == pytest.approx(apart)
        helper_says(hand, KernelVerdict.REFUSED)
        assert (hand.verdict() is State.DEAD) is enough


def _refuse_any(hand: Accuser) -> None:
    """Refuse each ping to the subject that has not been refused yet."""
    for sent in hand.to(hand.subject):
        if isinstance(sent.message, Ping):
            hand.evidence(KernelEvidence.REFUSED_UDP, hand.subject.address, sent.payload)


def test_a_burst_of_refusals_is_one() -> None:
    hand = Accuser(votes=False)
    hand.accuse()
    hand.run(3 * REPING)
    _refuse_any(hand)
    helper_says(hand, KernelVerdict.REFUSED)
    assert hand.verdict() is State.ALIVE


@pytest.mark.parametrize(("apart", "dead"), [(1.9, True), (2.1, False)])
def test_refusals_by_udp_and_tcp_count_within_2_s_of_each_other(apart: float, dead: bool) -> None:
    hand = Accuser(votes=False)
    hand.greet(hand.subject)
    hand.accuse()
    hand.evidence(KernelEvidence.REFUSED_TCP, hand.subject.address)
    hand.run(apart)
    refuse(hand)
    helper_says(hand, KernelVerdict.REFUSED)
    assert (hand.verdict() is State.DEAD) is dead


def test_of_two_members_one_is_found_gone_without_help() -> None:
    assert refused_here(1).verdict() is State.DEAD


def test_a_helper_that_reaches_its_kernel_vetoes() -> None:
    hand = refused_here()
    helper_says(hand, KernelVerdict.REACHABLE, 1)
    helper_says(hand, KernelVerdict.REFUSED)
    assert hand.verdict() is State.ALIVE


def test_a_kernel_reached_from_here_vetoes() -> None:
    hand = refused_here()
    hand.evidence(KernelEvidence.REACHABLE, hand.subject.address)
    helper_says(hand, KernelVerdict.REFUSED)
    assert hand.verdict() is State.ALIVE


def test_anything_received_from_it_since_ends_the_matter() -> None:
    hand = refused_here()
    hand.feed(hand.subject)
    helper_says(hand, KernelVerdict.REFUSED)
    hand.run(0.2)
    assert hand.verdict() is State.ALIVE


def test_kernel_evidence_about_members_that_nobody_watches_is_nothing() -> None:
    hand = Accuser()
    for kind in KernelEvidence:
        if kind is not KernelEvidence.REFUSED_UDP:
            hand.evidence(kind, hand.members[0].address)
    assert not hand.sent
    assert hand.node.statistics().watches == 0


def test_an_answer_from_another_run_at_its_address_counts_as_refused_by_udp_and_tcp() -> None:
    for real in (True, False):
        hand = Accuser(votes=False)
        hand.accuse()
        successor = Peer("successor", hand.subject.address)
        ping = hand.messages(Ping, hand.subject)[-1]
        hand.feed(successor, NotMe(ping.seq if real else ping.seq ^ 1))
        hand.feed(successor, Ack(ping.seq, 0))
        assert hand.verdict() is State.ALIVE
        helper_says(hand, KernelVerdict.REFUSED)
        assert (hand.verdict() is State.DEAD) is real


def test_the_silence_of_a_kernel_alone_kills_nobody() -> None:
    """The rule for a host that is gone is not built yet."""
    hand = Accuser(votes=False)
    t0 = hand.accuse()
    hand.evidence(KernelEvidence.KERNEL_SILENT, hand.subject.address)
    for _ in range(8):
        helper_says(hand, KernelVerdict.SILENT, 0)
        helper_says(hand, KernelVerdict.SILENT, 1)
        hand.run(0.5)
    assert hand.now - t0 > 4.0
    assert hand.verdict() in (State.ALIVE, State.SUSPECT)


def test_presets_set_the_time_to_a_verdict() -> None:
    for config, margin in ((Config.local(), 0.3), (Config.wan(), 1.05)):
        hand = Accuser(2, config=config)
        t0 = hand.accuse()
        hand.until(lambda hand=hand: hand.verdict() is State.DEAD, 30.0)  # type: ignore[misc]
        assert hand.now - t0 == pytest.approx(config.stall_tolerance + margin, abs=1.2)
        assert hand.now - t0 >= config.stall_tolerance + margin - 0.01


def test_a_claim_of_another_address_at_the_same_epoch_ends_the_watch_on_the_old_one() -> None:
    hand = Accuser()
    hand.accuse()
    subject = hand.subject
    moved = Claim(
        subject.name, subject.epoch, pack(Peer("x", subject.address).address)[:-2] + b"\xff\xff", 0, State.ALIVE, b""
    )
    hand.feed(hand.members[0], claims=[moved])
    assert hand.node.statistics().watches == 0
