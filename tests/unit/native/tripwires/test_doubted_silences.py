"""If a kernel was silent while its process lived, its next silence counts for nothing until it answers again."""

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from support.hand import Hand, Peer, peers
from swim_core import KernelEvidence, MemberDied, MemberRecovered, Rule, State
from swim_core.native.detection.tripwires import ASK_AGAIN, ASK_SOON
from swim_core.native.wire.claim import Verdict
from swim_core.native.wire.messages import KernelVerdict, PingReq, Poll, Vote

REACHABLE, SILENT = KernelEvidence.REACHABLE, KernelEvidence.KERNEL_SILENT
TEST_TAKES = 1.5  # seconds after which an adapter says that a kernel is silent


@pytest.fixture
def hand() -> Hand:
    """A node with a tripwire to its last peer, which falls silent and is accused by the first one."""
    accuser, *rest, subject = peers(4)
    made = Hand(knows=[accuser, *rest, subject])
    made.answering = [accuser, *rest]
    made.greet(subject)
    return made


def fall_silent(hand: Hand) -> KernelVerdict:
    """Let the kernel of the last peer answer nothing; returns what the node votes about it."""
    accuser, *_, subject = peers(4)
    hand.feed(accuser, PingReq(1, subject.claim()))
    hand.connects()
    hand.run(TEST_TAKES)
    hand.evidence(SILENT, subject.address)
    hand.clear()
    hand.feed(accuser, Poll(subject.short_id, 0, 7))
    return hand.messages(Vote, accuser)[-1].kernel


def answers(hand: Hand, subject: Peer) -> None:
    hand.feed(subject)


def refutes(hand: Hand, subject: Peer) -> None:
    """A member that was declared dead says that it lives."""
    die(hand, subject)
    hand.feed(subject, claims=[subject.claim(incarnation=1)])
    assert hand.happened(MemberRecovered)


def die(hand: Hand, subject: Peer) -> None:
    verdict = Verdict(1, Rule.HOST_GONE, 0)
    hand.feed(peers(4)[0], claims=[replace(subject.claim(state=State.DEAD), verdict=verdict)])
    assert hand.run(2.0, watch=lambda: bool(hand.happened(MemberDied)))


def tried_within(hand: Hand, seconds: float) -> list[float]:
    """When connections are tried, in seconds from now."""
    start, times = hand.now, list[float]()
    while hand.now - start < seconds:
        hand.run(0.1)
        if hand.connects():
            times.append(round(hand.now - start, 1))
    return times


@pytest.mark.parametrize("shows_life", [answers, refutes])
def test_who_shows_life_after_a_silence_of_its_kernel_is_not_believed_gone_by_the_next_one(
    hand: Hand, shows_life: Callable[[Hand, Peer], None]
) -> None:
    *_, subject = peers(4)
    assert fall_silent(hand) is KernelVerdict.SILENT
    shows_life(hand, subject)
    assert fall_silent(hand) is KernelVerdict.NONE


@pytest.mark.parametrize("again", ["a connection is answered", "a new tripwire is greeted"])
def test_until_the_kernel_answers(hand: Hand, again: str) -> None:
    *_, subject = peers(4)
    fall_silent(hand)
    answers(hand, subject)
    if again == "a connection is answered":
        hand.evidence(REACHABLE, subject.address)
    else:
        hand.answering = peers(4)
        hand.lose(subject)
        hand.run(1.0)
        hand.answering = peers(4)[:-1]
        hand.greet(subject)
    assert fall_silent(hand) is KernelVerdict.SILENT


def test_so_does_a_silence_that_is_known_only_after_its_process_answered(hand: Hand) -> None:
    accuser, *_, subject = peers(4)
    hand.feed(accuser, PingReq(1, subject.claim()))
    answers(hand, subject)
    hand.run(TEST_TAKES)
    hand.evidence(SILENT, subject.address)
    assert fall_silent(hand) is KernelVerdict.NONE


def test_the_kernel_is_asked_again_until_it_answers(hand: Hand) -> None:
    *_, subject = peers(4)
    fall_silent(hand)
    hand.answering = peers(4)
    answers(hand, subject)
    assert tried_within(hand, ASK_SOON + 2 * ASK_AGAIN + 0.5) == pytest.approx(
        [ASK_SOON, ASK_SOON + ASK_AGAIN, ASK_SOON + 2 * ASK_AGAIN], abs=0.11
    )
    hand.evidence(REACHABLE, subject.address)
    assert tried_within(hand, 2 * ASK_AGAIN) == []


@pytest.mark.parametrize("how", ["dead", "its tripwire broke"])
def test_nobody_asks_a_kernel_again_that_could_vouch_for_nothing(hand: Hand, how: str) -> None:
    *_, subject = peers(4)
    fall_silent(hand)
    if how == "dead":
        die(hand, subject)
    else:
        answers(hand, subject)
        hand.answering = peers(4)
        hand.lose(subject)
        hand.run(0.5)
    hand.connects()
    assert tried_within(hand, 2 * ASK_AGAIN) == []
