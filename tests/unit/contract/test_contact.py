"""Verbs for single members: pinging one, its contacts with this node, forgetting one that is gone."""

import pytest

from support.hand import RTT, Hand, Peer, Sent, peer, peers
from swim_core import (
    Contact,
    MemberForgotten,
    MemberPinged,
    MemberRecovered,
    NotRunning,
    NotSupported,
    Rule,
    State,
)
from swim_core import UnknownMember as Unknown
from swim_core.native.wire.messages import Ack, Ping

A, B, C = peers(3)


def contact(hand: Hand, name: str) -> Contact:
    found = hand.node.contact(name, now=hand.now)
    assert found is not None
    return found


def pings(hand: Hand, to: Peer) -> list[Sent]:
    """What a ping by the application sends at once."""
    hand.node.ping(to.name, now=hand.now)
    return [sent for sent in hand.collect() if isinstance(sent.message, Ping) and sent.to == to.address]


def test_a_ping_out_of_turn_is_answered() -> None:
    hand = Hand(knows=[A, B])
    assert len(pings(hand, A)) == 1
    hand.run(2 * RTT)
    (told,) = hand.happened(MemberPinged)
    assert (told.member.name, told.round_trip) == (A.name, contact(hand, A.name).round_trip)
    assert contact(hand, A.name).round_trip == pytest.approx(RTT)


def test_a_ping_that_nobody_answers_is_told_once_and_looked_into() -> None:
    hand = Hand(knows=[A, B])
    hand.answering.remove(A)
    hand.node.ping(A.name, now=hand.now)
    hand.run(0.6)
    assert [event.round_trip for event in hand.happened(MemberPinged)] == [None]
    assert hand.node.statistics().watches == 1
    assert contact(hand, A.name).unanswered > 1


def test_no_ping_is_told_of_that_was_not_asked_for() -> None:
    hand = Hand(knows=[A, B])
    hand.run(5.0)
    assert hand.messages(Ping)
    assert hand.happened(MemberPinged) == []


def test_a_late_answer_to_a_ping_is_not_told_again() -> None:
    hand = Hand(knows=[A, B])
    hand.answering.remove(A)
    (ping,) = (sent.message for sent in pings(hand, A))
    assert isinstance(ping, Ping)
    hand.run(0.6)
    hand.feed(A, Ack(ping.seq, hand.digest()))
    assert [event.round_trip for event in hand.happened(MemberPinged)] == [None]
    assert contact(hand, A.name).unanswered == 0


def test_a_pause_of_this_node_leaves_nobody_waiting() -> None:
    hand = Hand(knows=[A, B])
    hand.answering.clear()
    hand.node.ping(A.name, now=hand.now)
    hand.sleep(30.0)
    hand.run(0.1)
    assert [event.round_trip for event in hand.happened(MemberPinged)] == [None]


def test_contact_begins_anew_with_each_run() -> None:
    hand = Hand(knows=[A, B])
    hand.node.ping(A.name, now=hand.now)
    hand.run(3.0)
    before = contact(hand, A.name)
    assert before.heard is not None
    assert 0.0 <= before.heard <= 3.0
    assert before.age >= 3.0
    hand.feed(B, None, claims=[peer(1, epoch=A.epoch + 2**16).claim()])
    assert contact(hand, A.name) == Contact(age=0.0)


def test_ages_go_on_between_inputs() -> None:
    hand = Hand(knows=[A])
    first, later = (hand.node.contact(A.name, now=hand.now + delay) for delay in (0.0, 5.0))
    assert first is not None
    assert later is not None
    assert later.age == pytest.approx(first.age + 5.0)
    assert contact(hand, A.name).age == pytest.approx(first.age)


def test_of_itself_a_node_knows_its_age_only() -> None:
    hand = Hand(knows=[A])
    hand.run(2.0)
    own = contact(hand, hand.me.name)
    assert own == Contact(age=own.age)
    assert own.age >= 2.0
    assert hand.node.contact("nobody", now=hand.now) is None


def test_who_is_gone_can_be_forgotten_and_stays_so() -> None:
    hand = Hand(knows=[A, B])
    hand.feed(B, None, claims=[A.claim(State.DEAD, rule=Rule.GONE)])
    hand.node.remove(A.name, now=hand.now)
    hand.collect()
    assert [event.member.name for event in hand.happened(MemberForgotten)] == [A.name]
    assert hand.node.member(A.name) is None
    hand.feed(B, None, claims=[A.claim(State.DEAD, rule=Rule.GONE)])
    hand.run(70.0)
    assert hand.node.member(A.name) is None
    assert hand.messages(Ping, A) == []


def test_who_lives_is_not_forgotten() -> None:
    hand = Hand(knows=[A])
    with pytest.raises(Unknown, match="is live"):
        hand.node.remove(A.name, now=hand.now)
    assert hand.state(A) is State.ALIVE


def test_states_rest_on_evidence() -> None:
    hand = Hand(knows=[A])
    with pytest.raises(NotSupported, match="evidence"):
        hand.node.set_state(A.name, State.DEAD, now=hand.now)
    assert hand.state(A) is State.ALIVE


def test_the_dead_can_be_pinged_too() -> None:
    hand = Hand(knows=[A, B])
    hand.feed(B, None, claims=[A.claim(State.DEAD)])
    pings(hand, A)
    hand.run(2 * RTT)
    assert [type(event.round_trip) for event in hand.happened(MemberPinged)] == [float]
    assert hand.happened(MemberRecovered) == []  # only a higher claim revives a member, not an ack


@pytest.mark.parametrize("name", ["me", "nobody"])
def test_only_others_that_are_known(name: str) -> None:
    hand = Hand("me", knows=[A])
    for intent in (hand.node.ping, hand.node.remove):
        with pytest.raises(Unknown):
            intent(name, now=hand.now)


def test_not_after_the_goodbye() -> None:
    hand = Hand(knows=[A])
    hand.node.leave(now=hand.now)
    for intent in (hand.node.ping, hand.node.remove):
        with pytest.raises(NotRunning):
            intent(A.name, now=hand.now)
