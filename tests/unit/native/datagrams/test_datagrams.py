"""Section 2, rule by rule: which senders are heard, answered and corrected, and how much strangers may be sent."""

from itertools import pairwise

import msgspec
import pytest

from support.hand import EPOCH, UNIX_MS, Hand, Peer, Sent, peer, peers
from swim_core import (
    Address,
    BroadcastReceived,
    Config,
    DropReason,
    KernelEvidence,
    MemberJoined,
    MessageReceived,
    State,
)
from swim_core.address import unpack
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.datagram import Flags
from swim_core.native.wire.messages import (
    Ack,
    AckElsewhere,
    Broadcast,
    ClaimOf,
    Join,
    JoinAck,
    Message,
    NotMe,
    Number,
    Ping,
    PingReq,
    Poll,
    SyncPage,
    SyncPush,
    SyncReq,
    UserMessage,
    Vote,
    VoteKind,
    Want,
    WantClaim,
)

A, B, C = peers(3)
STRANGER = peer(9)
AFAR = Address("10.7.7.7", 7)


def corrections(sent: list[Sent]) -> list[Sent]:
    return [item for item in sent if item.flags & Flags.CORRECTION]


# ------------------------------------------------------------------ pings


def test_a_ping_for_this_run_is_acked_with_its_seq_and_the_view_digest() -> None:
    hand = Hand(knows=[A, B])
    (sent,) = hand.feed(A, Ping(77, hand.short_id, UNIX_MS))
    assert sent.to == A.address
    assert sent.message == Ack(77, hand.digest())
    assert sent.envelope.sender == hand.short_id


def test_a_ping_for_another_run_is_answered_with_who_is_here_and_not_acked() -> None:
    hand = Hand(knows=[A])
    old_run = hand.hashes.short_id("me", hand.me.epoch - 1)
    (sent,) = hand.feed(A, Ping(77, old_run, UNIX_MS))
    assert isinstance(sent.message, NotMe)
    assert sent.message.seq == 77
    assert sent.message.claim is not None
    assert (sent.message.claim.name, sent.message.claim.epoch) == ("me", hand.me.epoch)


def test_a_stranger_is_told_who_is_here_if_that_is_no_longer_than_its_ping() -> None:
    hand = Hand(knows=[A])
    (sent,) = hand.feed(STRANGER, Ping(77, 12345, UNIX_MS))
    assert sent.message == NotMe(77)
    padding = [Broadcast("p9", EPOCH, 1, bytes(100))]
    answers = [sent.message for sent in hand.feed(peer(10), Ping(78, 12345, UNIX_MS), broadcasts=padding)]
    assert isinstance(answers[0], NotMe)
    assert answers[0].claim is not None


def test_an_accusation_is_answered_with_an_ack_only() -> None:
    """Only claims raise incarnations."""
    hand = Hand(knows=[A])
    (sent,) = hand.feed(A, Ping(1, hand.short_id, UNIX_MS, 0))
    assert isinstance(sent.message, Ack)
    assert not sent.claims
    assert hand.me.incarnation == 0


def test_the_stable_flag_means_a_digest_unchanged_for_half_a_second() -> None:
    hand = Hand(knows=[A])
    hand.run(1.0)
    hand.feed(A, claims=[B.claim()])
    (sent,) = [s for s in hand.feed(A, Ping(1, hand.short_id, UNIX_MS)) if isinstance(s.message, Ack)]
    assert not sent.flags & Flags.STABLE
    hand.run(0.45)
    (sent,) = [s for s in hand.feed(A, Ping(2, hand.short_id, UNIX_MS)) if isinstance(s.message, Ack)]
    assert not sent.flags & Flags.STABLE
    hand.run(0.06)
    (sent,) = [s for s in hand.feed(A, Ping(3, hand.short_id, UNIX_MS)) if isinstance(s.message, Ack)]
    assert sent.flags & Flags.STABLE


# ------------------------------------------------------------------ unknown senders


def test_an_unknown_sender_is_answered_and_asked_for_its_claim() -> None:
    hand = Hand(knows=[A])
    room = [Broadcast("p9", EPOCH, 1, bytes(100))]
    sent = hand.feed(STRANGER, Ping(5, hand.short_id, hand.cluster_time), broadcasts=room)
    (answer,) = [item.message for item in sent if item.to == STRANGER.address]
    assert isinstance(answer, AckElsewhere)
    assert unpack(answer.seen) == STRANGER.address
    hand.feed(STRANGER, ClaimOf(answer.nonce, STRANGER.claim()))
    assert hand.state(STRANGER) is State.ALIVE


def asked(hand: Hand, who: Peer) -> WantClaim:
    """The question who a stranger is, caused by one of its datagrams."""
    hand.feed(who, UserMessage(bytes(100)))
    return hand.messages(WantClaim, who)[-1]


def test_a_stranger_that_answers_with_its_claim_is_known() -> None:
    hand = Hand(knows=[A])
    hand.feed(STRANGER, ClaimOf(asked(hand, STRANGER).nonce, STRANGER.claim()))
    assert hand.state(STRANGER) is State.ALIVE
    assert len(hand.happened(MemberJoined)) == 1


@pytest.mark.parametrize("wrong", ["nonce", "claim", "run", "address", "state", "twice", "source"])
def test_a_claim_is_believed_of_the_stranger_that_was_asked_only(wrong: str) -> None:
    hand = Hand(knows=[A])
    question, claim, source = asked(hand, STRANGER), STRANGER.claim(), STRANGER
    nonce = question.nonce ^ (wrong == "nonce")
    if wrong == "claim":
        claim = peer(8).claim()
    elif wrong == "run":
        claim = peer(9, epoch=EPOCH + 1).claim()
    elif wrong == "address":
        claim = Peer("p9", AFAR).claim()
    elif wrong == "state":
        claim = A.claim(State.DEAD, time=hand.cluster_time)
    elif wrong == "source":
        source = peer(10)
    elif wrong == "twice":
        hand.feed(STRANGER, ClaimOf(nonce, peer(8).claim()))
    hand.feed(source, ClaimOf(nonce, claim))
    assert len(hand.node.members()) == 2
    assert hand.state(A) is State.ALIVE
    assert not hand.events


def test_what_strangers_claim_beside_their_message_is_dropped_and_counted() -> None:
    hand = Hand(knows=[A])
    hand.feed(STRANGER, claims=[STRANGER.claim(), B.claim()], numbers=[Number(A.short_id, 7)])
    assert hand.state(STRANGER) is None
    assert hand.state(B) is None
    assert hand.dropped(DropReason.STRANGER) == 1
    hand.run(1.0)
    assert not [sent for sent in hand.sent if sent.claims or sent.envelope.numbers]


def test_from_an_unknown_sender_nothing_reaches_the_application() -> None:
    hand = Hand(knows=[A])
    hand.feed(STRANGER, UserMessage(b"x"))
    hand.feed(STRANGER, broadcasts=[Broadcast("p1", A.epoch, 1, b"x"), Broadcast("p9", EPOCH, 1, b"x")])
    hand.run(1.0)
    assert not hand.happened(MessageReceived)
    assert not hand.happened(BroadcastReceived)
    assert hand.dropped(DropReason.STRANGER)


def test_a_known_sender_is_asked_nothing() -> None:
    hand = Hand(knows=[A])
    hand.feed(A, Ping(1, hand.short_id, UNIX_MS))
    hand.introduce(STRANGER)
    hand.feed(STRANGER, UserMessage(b"x"))
    assert not hand.messages(WantClaim)


def test_want_claim_is_answered_with_the_claim_held() -> None:
    hand = Hand(knows=[A, B])
    hand.feed(A, WantClaim(B.short_id, 2))
    assert hand.messages(ClaimOf, A) == [ClaimOf(2, B.claim())]
    hand.clear()
    hand.feed(A, WantClaim(hand.short_id, 3))
    (answer,) = hand.messages(ClaimOf, A)
    assert (answer.nonce, answer.claim.epoch) == (3, hand.me.epoch)
    hand.clear()
    hand.feed(A, WantClaim(12345, 2))
    assert not hand.sent


@pytest.mark.parametrize("message", [UserMessage(b"x"), PingReq(1, B.claim()), Poll(B.short_id, 0, 1)])
def test_a_known_short_id_from_another_address_is_a_stranger(message: Message) -> None:
    hand = Hand(knows=[A, B])
    hand.feed(A, message, at=AFAR)
    assert hand.dropped(DropReason.STRANGER) == 1
    assert not hand.events
    assert {type(sent.message) for sent in hand.sent} <= {WantClaim}, "it may have moved: it is asked who it is"
    assert {sent.to for sent in hand.sent} <= {AFAR}


# ------------------------------------------------------------------ proof of life


def watched() -> Hand:
    hand = Hand(knows=[A, B])
    hand.answering = [A]
    hand.until(lambda: bool(hand.node.statistics().watches), 5.0)
    return hand


@pytest.mark.parametrize("message", [None, UserMessage(b"x"), Ping(1, 12345, UNIX_MS), WantClaim(1, 2)])
def test_any_datagram_whose_short_id_and_source_match_ends_the_watch(message: Message | None) -> None:
    hand = watched()
    hand.feed(B, message)
    assert hand.node.statistics().watches == 0
    hand.run(0.2)
    assert hand.state(B) is State.ALIVE


def test_a_datagram_from_another_address_or_under_another_id_ends_no_watch() -> None:
    hand = watched()
    hand.feed(B, UserMessage(b"x"), at=AFAR)
    hand.feed(peer(2, epoch=EPOCH + 1), at=B.address)
    assert hand.node.statistics().watches == 1


def test_a_deaf_ping_is_no_proof_of_life_but_is_answered() -> None:
    hand = watched()
    sent = hand.feed(B, Ping(1, hand.short_id, UNIX_MS), flags=Flags.DEAF)
    assert hand.node.statistics().watches == 1
    assert any(isinstance(item.message, Ack) and item.to == B.address for item in sent)


def test_states_fall_only_to_a_higher_claim() -> None:
    """An ack proves that its sender lives, and changes no state."""
    hand = Hand(knows=[A, B])
    hand.feed(A, claims=[B.claim(State.SUSPECT, time=hand.cluster_time)])
    hand.run(3.0)
    assert hand.state(B) is State.SUSPECT
    hand.feed(B, claims=[B.claim()])
    assert hand.state(B) is State.SUSPECT
    hand.feed(B, claims=[B.claim(incarnation=1)])
    assert hand.state(B) is State.ALIVE


# ------------------------------------------------------------------ corrections


def wrong(hand: Hand) -> Claim:
    """A belief that needs correcting: an older run of the node."""
    return hand.own_claim(epoch=hand.me.epoch - 5)


def test_a_correction_is_never_caused_by_one() -> None:
    hand = Hand(knows=[A, B])
    hand.feed(A, claims=[B.claim(State.DEAD, time=hand.cluster_time)])
    hand.node.update_metadata({"k": "v"}, now=hand.now)
    hand.run(2.0)
    hand.clear()
    for source in (A, B, STRANGER):
        padding = [wrong(hand), hand.own_claim(State.SUSPECT, incarnation=0), peer(7).claim(), peer(8).claim()]
        hand.feed(source, Ping(1, 12345, hand.cluster_time), flags=Flags.CORRECTION, claims=padding)
        hand.feed(source, PingReq(1, B.claim()), flags=Flags.CORRECTION)
    assert not corrections(hand.sent)


def test_at_most_one_correction_goes_to_an_address_per_half_interval() -> None:
    hand = Hand(knows=[A])
    hand.run(2.0)
    hand.clear()
    start = hand.now
    for _ in range(40):
        hand.feed(A, claims=[wrong(hand)])
        hand.run(0.1)
    times = [item.at for item in corrections(hand.sent)]
    assert len(times) == 8
    assert all(b - a >= 0.5 - 1e-9 for a, b in pairwise(times))
    assert times[0] == start
    assert hand.dropped(DropReason.RATE_LIMITED) == 32


def test_at_most_50_corrections_a_second_leave_in_all() -> None:
    """In the long run; a burst of one second's worth may come at once."""
    others = peers(300)
    hand = Hand(knows=others)
    hand.run(2.0)
    hand.clear()
    for step in range(100):
        for source in others[step % 10 :: 10]:
            hand.feed(source, claims=[wrong(hand)])
        hand.run(0.05)
    assert 240 <= len(corrections(hand.sent)) <= 50 * 5 + 50


@pytest.mark.parametrize("padding", [0, 20, 40, 60, 80, 120, 200])
def test_a_correction_to_no_live_member_is_never_longer_than_its_cause(padding: int) -> None:
    hand = Hand(knows=[A, B], metadata={"k": "v" * 50})
    hand.feed(A, claims=[B.claim(State.LEFT)])
    hand.run(1.0)
    hand.clear()
    cause = B.datagram(UserMessage(bytes(padding)))
    sent = hand.feed_bytes(cause, B.address)
    assert sum(item.size for item in sent) <= len(cause)
    assert bool(corrections(sent)) is (padding >= 40)


def test_a_member_held_dead_is_told_so_in_no_more_bytes_than_it_sent() -> None:
    hand = Hand(knows=[A, B])
    hand.feed(A, claims=[B.claim(State.DEAD, time=hand.cluster_time)])
    hand.run(1.0)
    hand.clear()
    hand.feed(B, UserMessage(bytes(200)))
    (told,) = corrections(hand.sent)
    assert [(claim.name, claim.state) for claim in told.claims] == [("p2", State.DEAD)]
    assert told.to == B.address
    assert not hand.happened(MessageReceived)
    hand.run(1.0)
    hand.clear()
    cause = B.datagram(Ping(1, 12345, UNIX_MS))
    hand.feed_bytes(cause, B.address)
    assert all(item.size <= len(cause) for item in hand.to(B) if item.at == hand.now)


def test_a_lower_claim_about_this_node_is_corrected() -> None:
    hand = Hand(knows=[A], metadata={"k": "v"})
    hand.feed(A, claims=[hand.own_claim(epoch=hand.me.epoch - 5)])
    (told,) = corrections(hand.sent)
    assert [(claim.name, claim.epoch) for claim in told.claims] == [("me", hand.me.epoch)]


def test_a_request_about_a_member_held_gone_is_answered_with_that_claim() -> None:
    for state in (State.DEAD, State.LEFT):
        hand = Hand(knows=[A, B])
        end = B.claim(state, time=hand.cluster_time)
        hand.feed(A, claims=[end])
        hand.run(1.0)
        hand.clear()
        hand.feed(A, PingReq(1, B.claim()))
        assert end in hand.told("p2", A)
        assert not hand.messages(Vote)
        assert hand.node.statistics().watches == 0


# ------------------------------------------------------------------ how much strangers get

REQUESTS: list[Message] = [
    Ping(1, 2, UNIX_MS),
    Join(1, "p9", 1000, 4, 5000, 1200),
    Join(1, "p9", 1000, 4, 5000, 1200, b"bad cookie", STRANGER.claim()),
    SyncReq(1, [0], 0),
    SyncReq(1, [0] * 64, 0),
    WantClaim(A.short_id, 2),
    Want(A.short_id, [(1, 50)]),
    PingReq(1, A.claim()),
    Poll(A.short_id, 0, 1),
    Vote(A.short_id, 0, 0, VoteKind.SILENT, 9),
    SyncPush([]),
    UserMessage(b""),
    SyncPage(1, None, b"", []),
    ClaimOf(1, STRANGER.claim()),
    NotMe(1),
    JoinAck(1, b"c", UNIX_MS, 1000, 4, 5000),
    Ack(1, 2),
]


def padded(message: Message, size: int) -> Message:
    fields = type(message).__struct_fields__
    return msgspec.structs.replace(message, padding=bytes(size)) if "padding" in fields else message


@pytest.mark.parametrize("size", [0, 30, 100, 250, 700, 1100, 5000])
@pytest.mark.parametrize("request_", REQUESTS, ids=lambda message: type(message).__name__)
def test_all_that_answers_a_stranger_is_together_no_longer_than_its_request(request_: Message, size: int) -> None:
    known = [peer(number, metadata=b"\x81\xa1k\xd9\x20" + b"v" * 32) for number in range(10, 60)]
    hand = Hand(knows=[A, *known], metadata={"k": "v" * 40})
    for number in range(1, 40):
        hand.feed(A, broadcasts=[Broadcast("p1", A.epoch, number, bytes(60))])
        hand.run(0.03)
    hand.run(2.0)
    for source in (STRANGER, A):
        hand.clear()
        data = source.datagram(padded(request_, size))
        sent = hand.feed_bytes(data, AFAR)
        assert sum(item.size for item in sent) <= len(data)
        assert {item.to for item in sent} <= {AFAR}
        hand.run(3.0)
        assert sum(item.size for item in hand.sent if item.to == AFAR) <= len(data)


# ------------------------------------------------------------------ sizes


def test_no_datagram_is_over_1200_bytes() -> None:
    others = [peer(number, metadata=b"\x81\xa1k\xda\x01\x90" + b"v" * 400) for number in range(1, 80)]
    hand = Hand(knows=others[:2])
    for start in range(2, 79, 3):
        hand.feed(others[0], SyncPush([]), claims=[other.claim() for other in others[start : start + 3]])
    for number in range(20):
        hand.node.broadcast(bytes([number]) * 256, now=hand.now)
    hand.feed(others[0], SyncReq(1, [0], 0, bytes(900)))
    hand.collect()
    hand.answering = others
    hand.run(5.0)
    hand.node.leave(now=hand.now)
    hand.collect()
    hand.run(1.0)
    assert max(item.size for item in hand.sent) <= 1200
    assert max(item.size for item in hand.sent) > 1000


def test_a_relay_ignores_its_own_limit() -> None:
    hand = Hand(knows=[A, B], config=Config.lan(max_datagram=800, max_metadata=200))
    large = peer(7, metadata=b"\x81\xa1k\xda\x01\xf4" + b"v" * 500)
    hand.feed(A, claims=[large.claim()])
    assert hand.state(large) is State.ALIVE
    hand.run(0.1)
    assert large.claim() in hand.told("p7", B)


def test_messages_are_counted_by_kind() -> None:
    hand = Hand(knows=[A])
    before = hand.node.statistics()
    hand.feed(A, Ping(1, hand.short_id, UNIX_MS))
    hand.feed(A, UserMessage(b"x"))
    hand.feed(A)
    after = hand.node.statistics()
    assert after.messages_received["ping"] == before.messages_received.get("ping", 0) + 1
    assert after.messages_received["user_message"] == 1
    assert after.messages_received["gossip"] == before.messages_received.get("gossip", 0) + 1
    assert after.messages_sent["ack"] == 1
    assert after.datagrams_sent == before.datagrams_sent + 1
    assert after.datagrams_received == before.datagrams_received + 3


def test_an_answer_to_nothing_is_counted_and_dropped() -> None:
    hand = Hand(knows=[A])
    hand.run(2.0)
    hand.feed(A, Ack(12345, hand.digest()))
    hand.feed(A, JoinAck(12345, b"c", UNIX_MS, 1000, 4, 5000))
    hand.feed(A, SyncPage(12345, None, b"", []))
    assert hand.dropped(DropReason.UNREQUESTED) == 3
    assert hand.node.statistics().rtt_p50 is not None


def test_an_ack_counts_only_from_whom_was_asked() -> None:
    hand = Hand(knows=[A, B])
    hand.answering = []
    hand.until(lambda: bool(hand.messages(Ping)), 3.0)
    sent = next(item for item in hand.sent if isinstance(item.message, Ping))
    asked, other = (A, B) if sent.to == A.address else (B, A)
    ack = Ack(sent.message.seq, hand.digest())  # type: ignore[union-attr]
    hand.feed(other, ack)
    hand.feed(asked, ack, at=AFAR)
    assert hand.dropped(DropReason.UNREQUESTED) == 2
    hand.feed(asked, ack)
    hand.feed(asked, ack)
    assert hand.dropped(DropReason.UNREQUESTED) == 3


def test_evidence_that_quotes_nothing_that_was_sent_is_dropped() -> None:
    hand = Hand(knows=[A, B])
    hand.answering = []
    hand.until(lambda: bool(hand.messages(Ping)), 3.0)
    sent = next(item for item in hand.sent if isinstance(item.message, Ping))
    other = B.address if sent.to == A.address else A.address
    for quoted in (
        b"",
        b"x" * 42,
        sent.payload[:5],
        sent.payload[:12] + bytes([sent.payload[12] ^ 1]) + sent.payload[13:],
    ):
        hand.evidence(KernelEvidence.REFUSED_UDP, sent.to, quoted)
    hand.evidence(KernelEvidence.REFUSED_UDP, other, sent.payload)
    assert hand.dropped(DropReason.FORGED_EVIDENCE) == 5
    assert hand.node.statistics().watches == 0
    hand.evidence(KernelEvidence.REFUSED_UDP, sent.to, sent.payload)
    assert hand.node.statistics().watches == 1


def test_growth_is_limited_to_1024_new_members_a_second() -> None:
    """In the long run; one second's worth may come at once."""
    hand = Hand(knows=[A])
    newcomers = peers(1_800, first=100)
    for start in range(0, 1_800, 20):
        hand.feed(A, claims=[newcomer.claim() for newcomer in newcomers[start : start + 20]])
        hand.run(0.005)
    hand.run(0.2)  # in which the last ones are asked
    joined = len(hand.happened(MemberJoined))
    assert 1_024 + 400 <= joined <= 1_024 + 680  # in 0.45 s, and 0.2 s
    assert hand.dropped(DropReason.GROWTH_LIMIT) == 1_800 - joined
