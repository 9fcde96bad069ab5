"""Invented heartbeats: they prevent neither detection nor revival, and move no counter near its top."""

import pytest

from support.inside import smudge_parts_of
from support.smudge_forger import FAR, FORGERIES, NEAR_TOP
from support.smudge_hand import ME, PORT, Hand, at, ping, pingreq, record
from swim_core import Address, DropReason, MemberDied, MemberRecovered, MemberSuspected, State
from swim_core.smudge import Message, Status, Verb, encode_announcement
from swim_core.smudge.heartbeat import MEMBER, SEEDS, STEPS, STRANGER, TOP, Heartbeat

STRANGE, PROVEN = at(66), at(6)
KILLED = 4.0  # seconds in which a death among six is seen

Forgeries = pytest.mark.parametrize("forgery", FORGERIES)
Forgers = pytest.mark.parametrize("forger", [STRANGE, PROVEN], ids=["a stranger", "a member"])


def largest_code(hand: Hand) -> int:
    return max(sent.code for sent in hand.of(Verb.PING))


def check_detection(hand: Hand) -> None:
    """A node that falls silent is dead soon, and alive as soon as it says a word again."""
    hand.run(2.0)
    hand.clear()
    hand.answering.discard(at(2))
    hand.run(KILLED)
    assert [event.member.name for event in hand.heard(MemberDied) if event.member.name == str(at(2))]
    hand.answering.add(at(2))
    hand.feed(at(2), ping(1))
    hand.run(0.1)
    assert hand.state(2) is State.ALIVE
    hand.node.set_state(str(at(3)), State.DEAD, now=hand.now)
    hand.run(30.0)
    assert hand.state(3) is State.ALIVE  # it only answers: dead nodes are pinged now and then


@Forgers
@Forgeries
def test_whatever_heartbeats_others_make_up_deaths_and_revivals_are_seen(forgery: str, forger: Address) -> None:
    hand = Hand(knows=5)
    for message in FORGERIES[forgery](forger, ME, at(4)):
        hand.feed(forger, message)
    hand.answering.add(forger)
    hand.run(3.0)  # by now each has answered a ping
    for message in FORGERIES[forgery](forger, ME, at(4)):
        hand.feed(forger, message)
    hand.run(1.0)
    assert largest_code(hand) < NEAR_TOP
    assert not [r for s in hand.sent for r in s.message.members if r.heartbeat >= NEAR_TOP]
    assert not [s for s in hand.sent if s.verb is Verb.NFPING and s.code >= NEAR_TOP]
    check_detection(hand)


def test_three_who_forge_together_get_no_further_than_a_node_may_start() -> None:
    hand = Hand(knows=5)
    for code in (*range(0, 2**32, 2**26), *FAR):
        for number in (4, 5, 6):
            hand.feed(at(number), ping(code + number if code < TOP - 9 else code))
    hand.run(2.0)
    assert largest_code(hand) < NEAR_TOP
    check_detection(hand)


def test_an_announcement_moves_nothing() -> None:
    hand = Hand(knows=5)
    for code in FAR:
        hand.node.feed_announcement(encode_announcement("smudge", ping(code)), STRANGE, now=hand.now)
    hand.run(2.0)
    assert largest_code(hand) < 100
    check_detection(hand)


def test_how_far_others_may_take_it_is_bounded_in_each_step_and_over_time() -> None:
    heartbeat, now = Heartbeat(0), 0.0
    assert not heartbeat.follow(STRANGER + 1, STRANGE, proven=False, now=now)
    assert not heartbeat.follow(MEMBER + 1, PROVEN, proven=True, now=now)
    assert heartbeat.value == 0
    assert heartbeat.follow(MEMBER // 2, PROVEN, proven=True, now=now)
    assert not heartbeat.follow(MEMBER + 9, PROVEN, proven=True, now=now)
    for now in range(1, 10_000):
        for step in (MEMBER, STRANGER, 2**10, 1):
            heartbeat.follow(heartbeat.value + step, PROVEN, proven=True, now=float(now))
    assert MEMBER < heartbeat.value <= MEMBER + STEPS * 10_000


def test_codes_at_the_speed_of_the_fastest_node_are_followed_for_ever() -> None:
    heartbeat = Heartbeat(0)
    for step in range(200_000):
        assert heartbeat.follow(MEMBER + step, PROVEN, proven=True, now=1.01 * step / STEPS)
    assert heartbeat.value == MEMBER + 199_999


def test_three_witnesses_move_it_to_the_least_of_them_and_not_beyond_where_a_node_may_start() -> None:
    for claim, followed in ((SEEDS - 9, True), (SEEDS + 1, False)):
        heartbeat = Heartbeat(0)
        for number in range(3):
            heartbeat.follow(claim + number, at(number + 2), proven=True, now=float(number))
        assert heartbeat.value == (claim if followed else 0)


def test_at_the_top_the_counter_begins_again_and_detection_goes_on() -> None:
    """As a real node's does, except that 0 is left out, since with it gossip would look like an answer."""
    hand = Hand(knows=5)
    counter = smudge_parts_of(hand.node).heartbeat
    for left in (2, 7, 12):
        counter.value = TOP - left
        hand.node.set_state(str(at(5)), State.DEAD, now=hand.now)
        hand.answering.discard(at(2))
        hand.run(KILLED)
        assert counter.value < 100
        assert hand.state(2) is State.DEAD
        hand.answering.add(at(2))
        hand.run(30.0)
        assert (hand.state(2), hand.state(5)) == (State.ALIVE, State.ALIVE)
        assert 0 not in {sent.code for sent in hand.of(Verb.PING)}


def test_news_from_before_the_top_is_old_and_from_after_it_new() -> None:
    hand = Hand(knows=4)
    counter = smudge_parts_of(hand.node).heartbeat
    counter.value = TOP - 1
    hand.node.set_state(str(at(3)), State.DEAD, now=hand.now)
    counter.next()
    counter.next()
    assert counter.value == 1
    hand.tell(at(2), record(Status.ALIVE, 3, 1))
    assert hand.state(3) is State.ALIVE
    hand.tell(at(2), record(Status.DEAD, 3, TOP - 1))
    assert hand.state(3) is State.ALIVE


def test_an_answer_to_an_own_ping_is_no_relays_word() -> None:
    hand = Hand(knows=4)
    hand.answering.discard(at(2))
    while not hand.of(Verb.PINGREQ, at(3)):
        hand.run(0.05)
    code = hand.of(Verb.PINGREQ, at(3))[-1].code
    smudge_parts_of(hand.node).heartbeat.value = code - 1
    hand.node.ping(str(at(3)), now=hand.now)
    hand.drain()
    assert hand.of(Verb.PING, at(3))[-1].code == code
    hand.feed(at(3), Message(Verb.ACK, PORT, code))
    evidence = hand.node.explain(str(at(2)))
    assert evidence is not None
    assert "a relay reached it" not in [observation.what for observation in evidence.observations]
    hand.run(4.0)
    assert hand.state(2) is State.DEAD


def test_a_relay_pings_with_no_code_that_would_drag_its_target_and_answers_with_the_one_asked() -> None:
    hand = Hand(knows=2)
    (sent,) = hand.feed(at(2), pingreq(TOP, at(9), TOP))
    assert (sent.verb, sent.to) == (Verb.NFPING, at(9))
    assert sent.code < 100
    answers = hand.feed(at(9), Message(Verb.ACK, PORT, sent.code))
    assert (Verb.ACK, at(2), TOP) in [(s.verb, s.to, s.code) for s in answers]


def test_a_claim_too_far_ahead_is_not_believed_but_looked_into() -> None:
    """Real nodes follow any forger, but what they then say of a death is still true."""
    hand = Hand(knows=5)
    hand.answering.discard(at(4))
    sent = hand.tell(at(2), record(Status.DEAD, 4, TOP, at(2)))
    assert (Verb.PING, at(4)) in [(s.verb, s.to) for s in sent]
    assert hand.node.statistics().dropped == {DropReason.TIME_JUMP: 1}
    hand.run(1.5)
    assert hand.state(4) is State.DEAD
    hand.tell(at(2), record(Status.DEAD, 3, TOP, at(2)))
    hand.run(1.5)
    assert not [event for event in hand.heard(MemberSuspected) if event.member.name == str(at(3))]
    assert not hand.heard(MemberRecovered)


def test_a_pings_own_answer_makes_its_records_count() -> None:
    """A seed is not a member yet when its first ACK arrives, which names all the others."""
    hand = Hand()
    hand.node.join([at(2)], now=hand.now)
    (asked,) = [s for s in hand.drain() if s.verb is Verb.PING]
    hand.feed(at(2), Message(Verb.ACK, PORT, asked.code, (record(Status.ALIVE, 3, 2**27),)))
    assert hand.state(3) is State.ALIVE
