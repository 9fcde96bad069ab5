"""Section 1, "Hearsay": what a third party says makes nobody a member, rule by rule."""

from collections.abc import Sequence
from functools import partial

import pytest

from support.hand import EPOCH, UNIX_MS, Hand, Peer, peer, peers
from swim_core import BroadcastsLost, DropReason, KernelEvidence, MemberJoined, MemberRecovered, State
from swim_core.address import Address, pack, unpack
from swim_core.native.wire.messages import (
    Ack,
    AckElsewhere,
    Broadcast,
    ClaimOf,
    KernelVerdict,
    NotMe,
    Number,
    PageEntry,
    Ping,
    PingReq,
    Poll,
    SyncPage,
    SyncPush,
    SyncReq,
    Vote,
    VoteKind,
    Want,
    WantClaim,
)

A, B, C = peers(3)
NEW = peer(100)


def doubting(members: Sequence[Peer] = (A, B, C), **settings: object) -> Hand:
    """A node that gets no answers from members that others told it of, unless the test gives them."""
    hand = Hand(knows=members, **settings)  # type: ignore[arg-type]
    hand.hearsay = False
    hand.run(2.0)
    hand.clear()
    return hand


def examined(hand: Hand, who: Peer = NEW) -> list[Ping]:
    return hand.messages(Ping, who)


def ghosts(count: int, first: int = 1_000) -> list[Peer]:
    """Members that don't exist, each at a host of its own."""
    return [peer(first + number, name=f"ghost-{first + number}") for number in range(count)]


def tell(hand: Hand, teller: Peer, told: Sequence[Peer]) -> None:
    for start in range(0, len(told), 20):
        hand.push(teller, told[start : start + 20])


# ---------------------------------------------------------------------- G1, G2: aside until it answers


def test_whom_another_tells_of_is_pinged_and_nobodys_member_until_it_answers() -> None:
    hand = doubting()
    digest = hand.digest()
    hand.feed(A, claims=[NEW.claim()])
    assert hand.state(NEW) is None
    assert hand.digest() == digest
    assert not hand.told(NEW.name)
    assert not hand.events
    assert hand.node.statistics().rumours == 1
    (ping,) = examined(hand)
    assert ping.target == NEW.short_id
    hand.feed(NEW, Ack(ping.seq, 0))
    assert hand.state(NEW) is State.ALIVE
    assert [event.member.name for event in hand.happened(MemberJoined)] == [NEW.name]
    assert hand.told(NEW.name, A, B, C)
    assert hand.node.statistics().rumours == 0
    assert not hand.node.statistics().dropped


@pytest.mark.parametrize("how", ["page", "push"])
def test_what_a_sync_tells_is_hearsay_too_and_its_number_is_learned_with_it(how: str) -> None:
    hand = doubting()
    entry = PageEntry(NEW.claim(), 3)
    if how == "push":
        hand.feed(A, SyncPush([entry]))
    else:
        hand.feed(A, claims=[hand.own_claim(State.DEAD)])
        hand.feed(A, SyncPage(hand.messages(SyncReq)[-1].id, None, b"\1", [entry]))
    assert hand.state(NEW) is None
    hand.feed(NEW, Ack(examined(hand)[0].seq, 0))
    assert hand.state(NEW) is State.ALIVE
    hand.run(0.4)
    assert Want(NEW.short_id, [(1, 3)]) in hand.messages(Want)


def test_a_newcomer_misses_nothing_that_was_said_before_it_came_by_one_who_answers_later() -> None:
    """A member's claim and broadcast arrive in the first sync, and its ack after that."""
    hand = Hand()
    hand.hearsay = False
    request = hand.come_by(B)
    hand.feed(B, broadcasts=[Broadcast(A.name, A.epoch, 700, b"x")])
    hand.feed(B, SyncPage(request.id, None, b"\1", [PageEntry(A.claim(), 700)]))
    hand.feed(A, Ack(examined(hand, A)[0].seq, 0))
    hand.answering = [A, B]
    hand.run(10.0)
    assert not hand.messages(Want)
    assert not hand.happened(BroadcastsLost)


def test_only_an_ack_with_the_seq_from_that_address_and_run_proves_anything() -> None:
    hand = doubting()
    hand.feed(A, claims=[NEW.claim()])
    (ping,) = examined(hand)
    hand.feed(NEW, Ack(ping.seq ^ 1, 0))
    hand.feed(NEW, Ack(ping.seq, 0), at=Address("10.0.0.77", 7946))
    hand.feed(peer(100, epoch=NEW.epoch + 1), Ack(ping.seq, 0))
    hand.feed(NEW)
    hand.feed(NEW, Ping(7, hand.short_id, UNIX_MS))
    assert hand.state(NEW) is None
    hand.feed(NEW, Ack(ping.seq, 0))
    assert hand.state(NEW) is State.ALIVE


def test_the_ping_leaves_room_to_ask_who_pings_beside_the_ack() -> None:
    hand, other = doubting(name="member"), Hand("p100", address=NEW.address)
    hand.feed(A, claims=[Peer("p100", NEW.address, other.me.epoch).claim()])
    sent = next(sent for sent in hand.to(NEW) if isinstance(sent.message, Ping))
    replies = [reply.message for reply in other.feed_bytes(sent.payload, hand.me.address)]
    (reply,) = replies
    assert isinstance(reply, AckElsewhere)
    assert unpack(reply.seen) == hand.me.address
    assert reply.nonce


def test_a_stranger_that_is_examined_is_not_asked_who_it_is() -> None:
    hand = doubting()
    hand.feed(A, claims=[NEW.claim()])
    (ping,) = examined(hand)
    hand.feed(NEW, Ping(7, hand.short_id, UNIX_MS), claims=[NEW.claim()])
    (ack,) = hand.messages(AckElsewhere)
    assert not ack.nonce
    assert not hand.messages(WantClaim)
    hand.feed(NEW, Ack(ping.seq, 0))
    assert hand.state(NEW) is State.ALIVE


def test_who_says_who_it_is_needs_no_ping_any_more() -> None:
    hand = doubting()
    hand.feed(NEW, Ping(7, hand.short_id, UNIX_MS), claims=[NEW.claim()])
    (ack,) = hand.messages(AckElsewhere, NEW)
    hand.feed(A, claims=[NEW.claim()])
    hand.feed(NEW, ClaimOf(ack.nonce, NEW.claim()))
    assert hand.state(NEW) is State.ALIVE
    hand.answering = [A, B, C, NEW]
    hand.run(0.9)
    assert hand.node.statistics().rumours == 0
    hand.feed(NEW, Ack(examined(hand)[0].seq, 0))
    assert not hand.dropped(DropReason.UNREQUESTED)


@pytest.mark.parametrize("known", [False, True])
def test_an_ack_that_asks_is_answered_by_whom_it_lets_in_and_who_was_let_in_meanwhile(known: bool) -> None:
    hand = doubting()
    hand.feed(A, claims=[NEW.claim()])
    (ping,) = examined(hand)
    if known:
        hand.introduce(NEW)
        assert hand.state(NEW) is State.ALIVE
    assert not hand.messages(ClaimOf)
    hand.feed(NEW, AckElsewhere(ping.seq, 0, pack(hand.me.address), 4_711))
    assert hand.state(NEW) is State.ALIVE
    assert hand.messages(ClaimOf, NEW) == [ClaimOf(4_711, hand.own_claim())]


@pytest.mark.parametrize("sender", [A, NEW])
def test_an_ack_that_answers_nothing_may_not_ask(sender: Peer) -> None:
    hand = doubting()
    hand.feed(sender, AckElsewhere(99, 0, pack(hand.me.address), 4_711), claims=[C.claim()] * 3)
    assert not hand.messages(ClaimOf)


def test_a_forged_address_does_not_hide_the_true_one() -> None:
    hand = doubting()
    forged = Peer(NEW.name, Address("10.9.9.9", 1), NEW.epoch)
    hand.feed(A, claims=[forged.claim(incarnation=9)])
    hand.feed(B, claims=[NEW.claim()])
    hand.feed(NEW, Ack(examined(hand)[0].seq, 0))
    assert hand.held(NEW).address == NEW.address


def test_claims_of_who_is_live_go_as_ever() -> None:
    hand = doubting()
    hand.feed(A, claims=[B.claim(incarnation=3), C.claim(State.SUSPECT)])
    assert hand.held(B).incarnation == 3
    assert hand.state(C) is State.SUSPECT


def test_who_is_gone_comes_back_by_its_own_word_or_answer() -> None:
    hand = doubting()
    for gone in (B, C):
        hand.feed(A, claims=[gone.claim(State.LEFT)])
    hand.feed(A, claims=[B.claim(incarnation=1)])
    assert hand.state(B) is State.LEFT
    hand.feed(C, claims=[C.claim(incarnation=1)])
    assert hand.state(C) is State.ALIVE
    hand.feed(B, Ack(examined(hand, B)[-1].seq, 0))
    assert hand.state(B) is State.ALIVE
    assert len(hand.happened(MemberRecovered)) == 2


def test_a_higher_incarnation_takes_the_place_of_what_is_kept_and_a_death_ends_it() -> None:
    hand = doubting()
    hand.feed(A, claims=[NEW.claim()])
    hand.feed(A, claims=[NEW.claim(incarnation=4)])
    hand.feed(NEW, Ack(examined(hand)[0].seq, 0))
    assert hand.held(NEW).incarnation == 4
    other = peer(101)
    hand.feed(A, claims=[other.claim()])
    hand.feed(B, claims=[other.claim(State.DEAD)])
    assert hand.node.statistics().rumours == 0
    assert hand.dropped(DropReason.RUMOUR) == 1


def test_one_that_does_not_answer_is_asked_three_times_rests_and_is_forgotten() -> None:
    hand = doubting()
    hand.feed(A, claims=[NEW.claim()])
    hand.run(9.0)
    assert len(examined(hand)) == 3
    hand.feed(A, claims=[NEW.claim()])
    hand.feed(A, claims=[NEW.claim()])
    hand.run(0.5)
    assert len(examined(hand)) == 4  # when it is mentioned again, it is asked once more
    hand.run(10.0)
    assert (hand.node.statistics().rumours, hand.dropped(DropReason.RUMOUR)) == (0, 1)
    hand.feed(A, claims=[NEW.claim()])
    assert len(examined(hand)) == 5


def test_a_late_ack_is_as_good() -> None:
    hand = doubting()
    hand.feed(A, claims=[NEW.claim()])
    hand.run(5.0)
    hand.feed(NEW, Ack(examined(hand)[0].seq, 0))
    assert hand.state(NEW) is State.ALIVE


def test_where_the_kernel_says_that_nobody_is_there_it_asks_once_and_believes_no_witness() -> None:
    hand = doubting()
    hand.feed(A, claims=[NEW.claim()])
    sent = next(sent for sent in hand.to(NEW) if isinstance(sent.message, Ping))
    hand.evidence(KernelEvidence.REFUSED_UDP, NEW.address, sent.payload)
    hand.feed(B, claims=[NEW.claim()])
    hand.run(5.0)
    assert len(examined(hand)) == 1
    assert hand.state(NEW) is None
    assert not hand.dropped(DropReason.FORGED_EVIDENCE)


def test_nobody_is_examined_at_this_nodes_own_address() -> None:
    hand = doubting()
    hand.feed(A, claims=[Peer("other", hand.me.address).claim()])
    assert not hand.sent
    hand.feed(B, claims=[Peer("other", hand.me.address).claim()])
    hand.answering = [A, B, C]
    hand.run(11.0)
    assert hand.node.statistics().rumours == 0
    assert hand.dropped(DropReason.RUMOUR) == 1


# ---------------------------------------------------------------------- who is asked about one it does not know


def test_a_helper_says_that_one_it_does_not_know_does_not_answer() -> None:
    """Where most members are newcomers, nobody else could confirm that a member ended before they came."""
    hand = doubting()
    hand.answering = [A, B, C]
    hand.feed(A, PingReq(1, NEW.claim()))
    hand.run(5.2)
    (first,) = hand.messages(Vote, A)
    assert (first.subject, first.kind, first.silence, first.kernel) == (
        NEW.short_id,
        VoteKind.SILENT,
        0,
        KernelVerdict.NONE,
    )
    hand.feed(A, PingReq(2, NEW.claim()))
    hand.feed(A, Poll(NEW.short_id, 0, 77))
    votes = hand.messages(Vote, A)[1:]
    assert [vote.nonce for vote in votes] == [0, 77]
    assert all(vote.silence == 5_200 for vote in votes)
    assert len(examined(hand)) == 4


def refuse(hand: Hand) -> None:
    """A kernel says that nobody listens where NEW was pinged last."""
    last = [sent for sent in hand.to(NEW) if isinstance(sent.message, Ping)][-1]
    hand.evidence(KernelEvidence.REFUSED_UDP, NEW.address, last.payload)


def test_a_helper_says_that_nobody_listens_where_one_is_said_to_be_that_came_and_went() -> None:
    """Only its seed had met it, and couldn't have declared it dead before S had passed."""
    hand = doubting()
    hand.answering = [A, B, C]
    hand.feed(A, claims=[NEW.claim()])
    refuse(hand)
    hand.run(0.45)
    hand.feed(A, PingReq(1, NEW.claim()))
    assert [vote.kernel for vote in hand.messages(Vote, A)] == [KernelVerdict.NONE]  # one may be a firewall's
    assert len(examined(hand)) == 2
    refuse(hand)
    assert [vote.kernel for vote in hand.messages(Vote, A)] == [KernelVerdict.NONE, KernelVerdict.REFUSED]
    hand.feed(A, Poll(NEW.short_id, 0, 77))
    assert (hand.messages(Vote, A)[-1].nonce, hand.messages(Vote, A)[-1].kernel) == (77, KernelVerdict.REFUSED)


def test_two_refusals_in_one_burst_are_one() -> None:
    hand = doubting()
    hand.feed(A, PingReq(1, NEW.claim()))
    refuse(hand)
    hand.run(0.3)
    hand.feed(A, PingReq(2, NEW.claim()))
    assert len(examined(hand)) == 1
    assert {vote.kernel for vote in hand.messages(Vote, A)} == {KernelVerdict.NONE}


def test_who_did_not_ask_is_not_told_that_nobody_listens_there() -> None:
    hand = doubting()
    hand.answering = [A, B, C]
    hand.feed(B, claims=[NEW.claim()])
    refuse(hand)
    hand.run(2.0)
    hand.feed(B, claims=[NEW.claim()])
    assert len(examined(hand)) == 2
    refuse(hand)
    assert not hand.messages(Vote)


@pytest.mark.parametrize("where", ["here", "elsewhere"])
def test_a_helper_says_that_another_run_is_there(where: str) -> None:
    hand = doubting()
    there = hand.me.address if where == "here" else NEW.address
    subject, other = Peer("subject", there), Peer("other", there)
    hand.feed(A, PingReq(1, subject.claim()))
    if where == "elsewhere":
        hand.feed(other, NotMe(examined(hand)[0].seq, other.claim()))
        assert hand.state(other) is State.ALIVE
        hand.feed(A, PingReq(2, subject.claim()))
    assert hand.messages(Vote, A)[-1].kernel is KernelVerdict.REFUSED
    hand.feed(A, Poll(subject.short_id, 0, 77))
    vote = hand.messages(Vote, A)[-1]
    assert (vote.nonce, vote.kernel) == (77, KernelVerdict.REFUSED)
    assert hand.state(subject) is None


def test_a_helper_need_not_ask_where_it_hears_a_later_run_however_many_it_is_asked_about() -> None:
    """One that was cut off while all others were replaced asks about each, and has credit for six."""
    later = [Peer(f"new-{other.name}", other.address, epoch=EPOCH + 1) for other in peers(20)[3:]]
    unheard = peer(60)
    hand = doubting([A, B, C, *later, unheard])
    hand.answering = [A, B, C, *later]
    hand.run(30.0)
    hand.clear()
    for number, other in enumerate(later):
        hand.feed(A, PingReq(number, Peer(f"old-{number}", other.address).claim()))
        hand.run(0.1)  # within what a helper says at once
    votes = {vote.subject: vote.kernel for vote in hand.messages(Vote, A)}
    assert len(later) > 10
    assert list(votes.values()) == [KernelVerdict.REFUSED] * len(later)

    for at in (unheard.address, later[0].address):
        hand.feed(A, PingReq(99, Peer("even later", at, epoch=EPOCH + 2).claim()))
        assert hand.messages(Vote, A)[-1].kernel is KernelVerdict.NONE


def test_a_later_run_that_was_not_heard_proves_nothing() -> None:
    later = Peer("later", NEW.address, epoch=EPOCH + 1)
    hand = Hand(knows=[A, B, C, later])
    hand.hearsay, hand.answering = False, [A, B, C]
    hand.run(2.0)
    hand.clear()
    hand.feed(A, PingReq(1, NEW.claim()))
    assert hand.state(later) is State.ALIVE
    assert [vote.kernel for vote in hand.messages(Vote, A)] == [KernelVerdict.NONE]
    assert examined(hand)


def test_nothing_is_said_of_one_that_nobody_told_of() -> None:
    hand = doubting()
    hand.feed(A, Poll(NEW.short_id, 0, 77))
    assert not hand.sent
    assert hand.dropped(DropReason.STRANGER) == 1


# ---------------------------------------------------------------------- G3: credit


def test_a_teller_has_six_examined_and_then_three_a_minute() -> None:
    hand = doubting()
    tell(hand, A, ghosts(200))
    asked = {sent.to for sent in hand.sent if isinstance(sent.message, Ping)} - {each.address for each in (A, B, C)}
    assert len(asked) == 6
    hand.clear_sent()
    hand.answering = [A, B, C]
    hand.run(60.0)
    asked = {sent.to for sent in hand.sent if isinstance(sent.message, Ping)} - {each.address for each in (A, B, C)}
    assert len(asked) <= 6 + 3
    assert hand.state(A) is State.ALIVE


def test_one_who_tells_the_truth_has_ever_more_examined() -> None:
    hand = doubting()
    members = ghosts(60)
    tell(hand, A, members)
    rounds = []
    while len(hand.live()) < 64:
        pings = [(sent.to, sent.message.seq) for sent in hand.sent if isinstance(sent.message, Ping)]
        hand.clear_sent()
        for where, seq in pings:
            for member in (member for member in members if member.address == where):
                hand.feed(member, Ack(seq, 0))
        rounds.append(len(pings))
        assert pings
    assert rounds[:4] == [6, 12, 24, 18]


def test_nobodys_queue_delays_whom_another_tells_of() -> None:
    hand = doubting()
    tell(hand, A, [*ghosts(200), NEW])
    assert not examined(hand)
    hand.feed(B, claims=[NEW.claim()])
    assert len(examined(hand)) == 1


@pytest.mark.parametrize("waits", [False, True])
def test_of_many_that_a_flood_tells_of_four_are_pinged_and_the_others_have_time_to_ping(waits: bool) -> None:
    hand = doubting()
    many = ghosts(7)
    for number, ghost in enumerate(many):
        hand.feed((A, B)[number % 2], claims=[ghost.claim()])
    assert [bool(examined(hand, ghost)) for ghost in many] == [True] * 4 + [False] * 3
    hand.feed(C, claims=[many[4].claim()])  # one more that tells of it is no reason to hurry
    if not waits:
        hand.feed(many[4], Ping(7, hand.short_id, UNIX_MS), claims=[many[4].claim()])
        hand.feed(many[4], ClaimOf(hand.messages(AckElsewhere)[0].nonce, many[4].claim()))
        hand.push(A, [many[5]])  # in a sync there is nothing to wait for
        assert examined(hand, many[5])
    hand.run(0.045)
    assert not examined(hand, many[6])
    hand.run(0.06)
    assert [bool(examined(hand, ghost)) for ghost in many[4:]] == [waits, True, True]
    hand.run(2.0)
    hand.clear_sent()
    hand.feed(A, claims=[NEW.claim()])
    assert examined(hand)


def test_what_is_kept_of_one_teller_is_bounded_and_goes_with_it() -> None:
    hand = doubting()
    tell(hand, A, ghosts(1_500))
    assert 1_024 <= hand.node.statistics().rumours <= 1_024 + 6
    assert hand.dropped(DropReason.RUMOUR) == 1_500 - hand.node.statistics().rumours
    hand.feed(B, claims=[A.claim(State.LEFT)])
    hand.node.remove(A.name, now=hand.now)
    assert hand.node.statistics().rumours <= 6


def test_a_host_where_nobody_answered_is_sent_few_pings_whoever_tells_of_it() -> None:
    hand = doubting(peers(64))
    there = [Peer(f"ghost-{port}", Address("10.77.0.1", port)) for port in range(1, 101)]
    for teller in peers(64):
        hand.feed(teller, claims=[there[int(teller.name[1:])].claim()])
    assert len([sent for sent in hand.sent if sent.to.host == "10.77.0.1"]) == 1
    hand.answering = peers(64)
    hand.run(60.0)
    sent = [sent.size for sent in hand.sent if sent.to.host == "10.77.0.1"]
    assert len(sent) <= 2
    assert sum(sent) * 64 < 10_000


def test_a_host_where_members_answer_is_sent_more() -> None:
    hand = doubting(peers(64))
    there = [Peer(f"new-{port}", Address("10.77.0.1", port)) for port in range(1, 41)]
    hand.hearsay = True
    tell(hand, A, there)
    assert len(hand.live()) == 65 + 40


# ---------------------------------------------------------------------- G4: witnesses


def test_one_that_is_out_of_reach_is_let_in_at_the_word_of_two_members() -> None:
    hand = doubting()
    hand.feed(A, claims=[NEW.claim()])
    hand.run(3.0)
    hand.feed(A, claims=[NEW.claim()])
    hand.run(1.0)
    assert hand.state(NEW) is None
    hand.feed(B, claims=[NEW.claim()])
    assert hand.state(NEW) is State.ALIVE


def test_they_are_a_minority_of_those_who_were_never_heard() -> None:
    hand = doubting()
    for ghost in ghosts(6):
        for teller in (A, B):
            hand.feed(teller, claims=[ghost.claim()])
    hand.answering = [A, B, C]
    hand.run(4.0)
    assert len(hand.live()) == 4 + 1


# ---------------------------------------------------------------------- G5, G6, and large clusters


def test_who_met_many_syncs_when_no_more_come() -> None:
    for many in (False, True):
        hand = doubting()
        hand.hearsay = True
        tell(hand, A, ghosts(8 if many else 7))
        hand.answering = [A, B, C, *ghosts(8)]
        hand.clear_sent()
        hand.run(0.3)
        assert len(hand.messages(SyncReq)) == many


def test_what_is_pending_rides_on_a_hundred_datagrams_a_second() -> None:
    hand = Hand(knows=peers(30))
    hand.run(2.0)
    hand.clear()
    for number in range(1_000):
        hand.node.broadcast(b"x" * 200, now=hand.now)
        hand.feed(A, Ping(number, hand.short_id, UNIX_MS))
    acks = [sent for sent in hand.sent if isinstance(sent.message, Ack)]
    assert len(acks) == 1_000
    assert sum(bool(sent.envelope.broadcasts) for sent in acks) == 16


def test_a_newcomer_to_many_is_not_pinged_by_all_at_once() -> None:
    times = []
    for seed in range(8):
        hand = Hand(knows=peers(300), seed=seed)
        hand.hearsay = False
        start = hand.now
        hand.feed(A, claims=[peer(500).claim()])
        assert not examined(hand, peer(500))
        hand.until(partial(examined, hand, peer(500)), 1.0)
        times.append(hand.now - start)
    assert len({round(time, 6) for time in times}) == 8
    assert max(times) <= 0.016


def test_numbers_of_a_claim_that_is_kept_aside_are_nobodys() -> None:
    hand = doubting()
    hand.feed(A, claims=[NEW.claim()], numbers=[Number(NEW.short_id, 9)])
    hand.run(1.0)
    assert not hand.messages(Want)


def test_one_that_did_not_answer_is_asked_anew_when_it_pings_itself() -> None:
    """As after a partition: its own ping pays for this one, which takes the place of the question who it is."""
    hand = doubting()
    hand.feed(A, claims=[NEW.claim()])
    hand.run(3.0)
    assert len(examined(hand)) >= 1
    hand.clear()
    hand.feed(NEW, Ping(7, hand.short_id, UNIX_MS))
    (ping,) = examined(hand)
    assert not hand.messages(WantClaim, NEW)
    hand.feed(NEW, Ping(8, hand.short_id, UNIX_MS))
    assert len(examined(hand)) == 1, "once at a time"
    hand.feed(NEW, Ack(ping.seq, 0))
    assert hand.state(NEW) is State.ALIVE
