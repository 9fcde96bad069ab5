"""`swim why` without a name: the last death that anybody knows of, and who is asked about it."""

from typing import cast

import pytest

from support.hand import Hand, Peer, peers
from support.tool_client import told
from swim_anyio.command.tools.events import Timeline, merged
from swim_anyio.command.tools.latest import last_death, witness
from swim_anyio.command.tools.reading import read_view
from swim_core import Rule, State, SwimError
from swim_core.native.wire.answers import EventsPage
from swim_core.native.wire.queries import What

A, B, C, D = peers(4)


def memory(hand: Hand) -> list[EventsPage]:
    return cast(list[EventsPage], told(hand, What.EVENTS))


def timeline(hand: Hand, **others: "Hand | None") -> Timeline:
    """What ``hand``, which is asked first, and the others remember; None for one that doesn't answer."""
    answers = {name: None if other is None else memory(other) for name, other in others.items()}
    return merged(read_view(told(hand, What.MEMBERS)), {"me": memory(hand), **answers})


def dies(peer: Peer, *hands: Hand, by: Peer = A, at: int | None = None) -> None:
    for hand in hands:
        time = hand.cluster_time if at is None else at
        hand.feed(A, claims=[peer.claim(State.DEAD, by=by.short_id, rule=Rule.GONE, time=time)])


def test_it_is_the_one_with_the_latest_verdict() -> None:
    hand = Hand(knows=[A, B, C])
    early = hand.cluster_time
    hand.run(3.0)
    dies(C, hand)
    dies(B, hand, at=early)
    assert last_death(timeline(hand)).member == "p3"


def test_one_that_only_others_know_of_counts_and_they_are_asked() -> None:
    here, there = Hand(knows=[A, B, C, D]), Hand(knows=[A, B, C, D])
    dies(B, here, there)
    for hand in (here, there):
        hand.run(20.0)
    dies(C, there, by=D)
    found = timeline(here, p1=there)
    death = last_death(found)
    assert (death.member, witness(death, found)) == ("p3", "p1")


@pytest.mark.parametrize(("accuser", "asked"), [(A, "p1"), (D, "me")])
def test_who_declared_it_is_asked_if_that_one_answers(accuser: Peer, asked: str) -> None:
    here, there = Hand(knows=[A, B, C, D]), Hand(knows=[A, B, C, D])
    dies(B, here, there, by=accuser)
    found = timeline(here, p1=there, p4=None)
    assert witness(last_death(found), found) == asked


def test_whom_one_that_was_cut_off_counts_as_dead_comes_after_all_others() -> None:
    here, there = Hand(knows=peers(5)), Hand(knows=peers(5))
    dies(B, here)
    there.answering = []
    for hand in (here, there):
        hand.run(30.0)
    found = timeline(here, p1=there)
    assert {event.rule for event in found.events if event.what == "dead"} == {Rule.GONE, Rule.ISOLATED}
    assert last_death(found).rule is Rule.GONE
    assert last_death(timeline(there)).rule is Rule.ISOLATED


def test_without_a_death_a_name_is_needed() -> None:
    hand = Hand(knows=[A, B])
    with pytest.raises(SwimError, match=r"^me remembers no death; give the name of a member$"):
        last_death(timeline(hand))
    found = timeline(hand, p1=Hand(knows=[B]), p2=None)
    with pytest.raises(SwimError, match=r"^none of 2 members remembers a death; .* [(]No answer from p2. .*[^.][)]$"):
        last_death(found)
