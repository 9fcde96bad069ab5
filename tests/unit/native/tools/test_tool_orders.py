"""What tools order besides broadcasts and joins: a ping, a message, the removal of a dead member; and statistics."""

from typing import cast

import pytest

from support.hand import Hand, peers
from support.inside import parts_of
from support.tool_client import LOCAL, REMOTE, ask_bytes, client, converse, told
from swim_core import DropReason, LeaveOrdered, MemberLeft, MemberRecovered, Rule, State
from swim_core.native.wire.answers import Done, EventsPage, FiguresPage, MembersPage
from swim_core.native.wire.messages import Ping, UserMessage
from swim_core.native.wire.queries import Ask, Tell, What, pack_letter

A, B, C = peers(3)
ORDERS = [(What.PING, b"p1"), (What.SEND, pack_letter("p1", b"hi")), (What.REMOVE, b"p2"), (What.LEAVE, b"")]


def done(hand: Hand, what: What, argument: bytes, *, seed: int = 1) -> Done:
    (page,) = told(hand, what, argument, seed=seed)
    return cast(Done, page)


def test_a_member_is_pinged_at_once_and_its_row_shows_the_answer() -> None:
    hand = Hand(knows=[A, B])
    before = len([sent for sent in hand.to(A) if isinstance(sent.message, Ping)])
    assert done(hand, What.PING, b"p1").done == 1
    assert len([sent for sent in hand.to(A) if isinstance(sent.message, Ping)]) == before + 1
    hand.run(0.1)
    pages = cast(list[MembersPage], told(hand, What.MEMBERS))
    (row,) = [row for page in pages for row in page.rows if row.claim.name == "p1"]
    assert (row.unanswered, row.round_trip) == (0, 1_000)


def test_a_message_is_sent_once_however_often_its_order_arrives() -> None:
    hand = Hand(knows=[A])
    asking = client(hand, What.SEND, pack_letter("p1", b"hello"))
    converse(hand, asking, deliver=lambda data: [data, data, data])
    letters = [sent.message for sent in hand.to(A) if isinstance(sent.message, UserMessage)]
    assert letters == [UserMessage(b"hello")]


@pytest.mark.parametrize(
    ("what", "argument", "refusal"),
    [
        (What.PING, b"nobody", "no other member 'nobody'"),
        (What.PING, b"me", "'me' is this node itself"),
        (What.SEND, pack_letter("nobody", b"x"), "no live member 'nobody'"),
        (What.SEND, pack_letter("p1", bytes(700)), "at most"),
        (What.SEND, b"\xc1", "that is no message"),
        (What.SEND, b"\x91" * 600, "that is no message"),
        (What.REMOVE, b"p1", "'p1' is live: only members that are dead are removed"),
        (What.REMOVE, b"me", "'me' is this node itself"),
        (What.REMOVE, b"\xff", "no other member"),
    ],
)
def test_what_can_not_be_done_is_refused_with_the_reason(what: What, argument: bytes, refusal: str) -> None:
    answer = done(Hand(knows=[A]), what, argument)
    assert answer.done is None
    assert refusal in answer.refusal


def test_a_dead_member_is_removed_for_all() -> None:
    hand = Hand(knows=[A, B, C])
    hand.feed(A, claims=[B.claim(State.DEAD, by=A.short_id, time=hand.cluster_time)])
    assert done(hand, What.REMOVE, b"p2").done == 1
    hand.run(0.1)
    said = [claim for sent in hand.sent for claim in sent.claims if claim.name == "p2" and claim.state is State.LEFT]
    assert {claim.verdict.rule for claim in said if claim.verdict} == {Rule.REMOVED}
    other = Hand(knows=[A, B, C])
    other.feed(A, claims=[said[0]])
    evidence = other.happened(MemberLeft)[0].evidence
    assert evidence is not None
    assert evidence.rule is Rule.REMOVED
    pages = cast(list[EventsPage], told(hand, What.EVENTS, seed=3))
    past = [(one.what, one.rule, one.accuser) for page in pages for one in page.events if one.member == "p2"]
    assert past == [("joined", None, ""), ("dead", Rule.GONE, "p1"), ("left", Rule.REMOVED, "me")]
    assert done(hand, What.REMOVE, b"p2", seed=2).done == 1


def test_a_removed_member_that_lives_comes_back() -> None:
    hand = Hand(knows=[A, B])
    hand.feed(A, claims=[B.claim(State.DEAD, time=hand.cluster_time)])
    done(hand, What.REMOVE, b"p2")
    hand.feed(B, claims=[B.claim(incarnation=1)])
    assert [event.member.name for event in hand.happened(MemberRecovered)] == ["p2"]
    accused = Hand(knows=[A])
    accused.feed(A, claims=[accused.own_claim(State.LEFT)])
    accused.run(0.1)
    assert any(
        claim.name == "me" and claim.state is State.ALIVE and claim.incarnation > 0
        for sent in accused.to(A)
        for claim in sent.claims
    )


@pytest.mark.parametrize(("what", "argument"), ORDERS)
def test_no_other_host_gives_orders_without_a_key(what: What, argument: bytes) -> None:
    hand = Hand(knows=[A])
    before = len(hand.sent)
    assert hand.feed_bytes(ask_bytes(hand, Ask(1, what, 0, argument)), REMOTE) == []
    assert len(hand.sent) == before
    answered = hand.feed_bytes(ask_bytes(hand, Ask(1, what, 0, argument)), LOCAL)
    assert any(isinstance(sent.message, Tell) for sent in answered)


def test_whether_to_leave_is_for_the_application_to_decide() -> None:
    hand = Hand(knows=[A])
    asking = client(hand, What.LEAVE)
    converse(hand, asking, deliver=lambda data: [data, data])
    assert hand.happened(LeaveOrdered) == [LeaveOrdered(LOCAL)]
    assert not hand.node.has_left
    hand.node.leave(now=hand.now)
    assert done(hand, What.LEAVE, b"", seed=2).refusal == "it has left"


def test_all_statistics_are_told_over_pages() -> None:
    hand = Hand(knows=[A, B])
    hand.run(5.0)
    for reason in DropReason:  # more than fits in one page
        parts_of(hand.node).context.counters.drop(reason)
    pages = cast(list[FiguresPage], told(hand, What.FIGURES))
    figures = {figure.name: figure.value for page in pages for figure in page.figures}
    expected = hand.node.statistics().to_dict()
    assert len(pages) > 1
    assert figures.keys() == expected.keys() - {"round_trips"}
    assert figures["members"] == expected["members"]
    assert figures["dropped"] == expected["dropped"]
