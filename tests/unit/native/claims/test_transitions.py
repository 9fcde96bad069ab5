"""Which events a change of claims raises: every pair of claims of one name, against the list in section 1."""

from itertools import product

import pytest

from support.hand import Hand, peer
from swim_core import (
    Evidence,
    MemberDied,
    MemberJoined,
    MemberLeft,
    MemberRecovered,
    MemberSuspected,
    MemberUpdated,
    Rule,
    State,
)
from swim_core.address import Address, pack
from swim_core.native.claims.transitions import transition
from swim_core.native.wire.claim import Claim, Verdict, precedence

ALIVE, SUSPECT, DEAD, LEFT = State
TOP = 2**32 - 1
HERE, THERE = pack(Address("10.0.0.1", 1)), pack(Address("10.0.0.2", 1))


def claim(
    state: State, *, epoch: int = 1, address: bytes = HERE, incarnation: int = 0, metadata: bytes = b"\x80"
) -> Claim:
    verdict = None if state is ALIVE else Verdict(7, Rule.SILENT, 42)
    return Claim("x", epoch, address, incarnation, state, metadata if state.live else None, verdict)


def witness(of: Claim) -> Evidence:
    return Evidence(of.verdict.rule if of.verdict else None, "accuser", of.verdict.time if of.verdict else 0)


def kinds(before: Claim | None, after: Claim) -> list[type]:
    return [type(event) for event in transition(before, after, witness)]


SAME_RUN: dict[tuple[State, State], list[type]] = {
    # (held, heard at a higher precedence in the same run): the events
    (ALIVE, ALIVE): [],
    (ALIVE, SUSPECT): [MemberSuspected],
    (ALIVE, DEAD): [MemberDied],
    (ALIVE, LEFT): [MemberLeft],
    (SUSPECT, ALIVE): [MemberRecovered],
    (SUSPECT, SUSPECT): [],
    (SUSPECT, DEAD): [MemberDied],
    (SUSPECT, LEFT): [MemberLeft],
    (DEAD, ALIVE): [MemberRecovered],
    (DEAD, SUSPECT): [MemberRecovered, MemberSuspected],
    (DEAD, DEAD): [],
    (DEAD, LEFT): [],
    (LEFT, ALIVE): [MemberRecovered],
    (LEFT, SUSPECT): [MemberRecovered, MemberSuspected],
    (LEFT, DEAD): [],
    (LEFT, LEFT): [],
}

NEW_RUN: dict[tuple[State, State], list[type]] = {
    (ALIVE, ALIVE): [MemberDied, MemberJoined],
    (ALIVE, SUSPECT): [MemberDied, MemberJoined, MemberSuspected],
    (ALIVE, DEAD): [MemberDied],
    (ALIVE, LEFT): [MemberLeft],
    (SUSPECT, ALIVE): [MemberDied, MemberJoined],
    (SUSPECT, SUSPECT): [MemberDied, MemberJoined, MemberSuspected],
    (SUSPECT, DEAD): [MemberDied],
    (SUSPECT, LEFT): [MemberLeft],
    (DEAD, ALIVE): [MemberJoined],
    (DEAD, SUSPECT): [MemberJoined, MemberSuspected],
    (DEAD, DEAD): [],
    (DEAD, LEFT): [],
    (LEFT, ALIVE): [MemberJoined],
    (LEFT, SUSPECT): [MemberJoined, MemberSuspected],
    (LEFT, DEAD): [],
    (LEFT, LEFT): [],
}


@pytest.mark.parametrize(("before", "after"), SAME_RUN)
def test_events_of_a_higher_incarnation_in_the_same_run(before: State, after: State) -> None:
    assert kinds(claim(before), claim(after, incarnation=1)) == SAME_RUN[before, after]


@pytest.mark.parametrize(("before", "after"), [pair for pair in SAME_RUN if pair[1] > pair[0]])
def test_events_of_a_worse_state_at_the_same_incarnation(before: State, after: State) -> None:
    assert kinds(claim(before), claim(after)) == SAME_RUN[before, after]


@pytest.mark.parametrize(("before", "after"), NEW_RUN)
@pytest.mark.parametrize("newer", [{"epoch": 2}, {"epoch": 2, "address": THERE}])
def test_events_of_a_newer_run(before: State, after: State, newer: dict[str, int]) -> None:
    assert kinds(claim(before), claim(after, **newer)) == NEW_RUN[before, after]  # type: ignore[arg-type]


@pytest.mark.parametrize(("before", "after"), SAME_RUN)
def test_a_run_that_has_moved_is_updated_besides(before: State, after: State) -> None:
    told: list[type] = list(SAME_RUN[before, after])
    if before.live and after.live:
        at = int(told[:1] == [MemberRecovered])
        told = [*told[:at], MemberUpdated, *told[at:]]
    assert kinds(claim(before), claim(after, incarnation=1, address=THERE)) == told


@pytest.mark.parametrize("before", [ALIVE, SUSPECT])
def test_a_newer_epoch_from_the_top_of_the_incarnations_is_an_update(before: State) -> None:
    assert kinds(claim(before, incarnation=TOP), claim(ALIVE, epoch=2)) == [MemberUpdated]
    assert kinds(claim(before, incarnation=TOP), claim(SUSPECT, epoch=2)) == [MemberUpdated, MemberSuspected]


@pytest.mark.parametrize("before", [DEAD, LEFT])
def test_a_gone_member_comes_back_from_the_top_as_a_newcomer(before: State) -> None:
    assert kinds(claim(before, incarnation=TOP), claim(ALIVE, epoch=2)) == [MemberJoined]


@pytest.mark.parametrize(
    ("state", "expected"),
    [(ALIVE, [MemberJoined]), (SUSPECT, [MemberJoined, MemberSuspected]), (DEAD, []), (LEFT, [])],
)
def test_events_of_an_unknown_name(state: State, expected: list[type]) -> None:
    assert kinds(None, claim(state)) == expected


def test_new_metadata_is_an_update() -> None:
    other = b"\x81\xa1k\xa1v"
    assert kinds(claim(ALIVE), claim(ALIVE, incarnation=1, metadata=other)) == [MemberUpdated]
    assert kinds(claim(SUSPECT), claim(ALIVE, incarnation=1, metadata=other)) == [MemberRecovered, MemberUpdated]
    assert kinds(claim(ALIVE), claim(SUSPECT, incarnation=1, metadata=other)) == [MemberUpdated, MemberSuspected]


def test_every_event_shows_the_member_as_it_is_after_the_change() -> None:
    everything = [claim(*parts[:1], epoch=parts[1], incarnation=parts[2]) for parts in product(State, (1, 2), (0, 1))]
    for before, after in product(everything, repeat=2):
        if precedence(after) <= precedence(before):
            continue
        *first, last = [*transition(before, after, witness), None]
        for event in (*first, last):
            if event is None:
                continue
            member = event.member  # type: ignore[union-attr]
            replaced = isinstance(event, MemberDied) and after.state.live
            assert member.epoch == (before.epoch if replaced else after.epoch)
            assert member.state == (DEAD if replaced else after.state)


def test_events_that_judge_carry_the_evidence() -> None:
    for before, after in [(ALIVE, SUSPECT), (ALIVE, DEAD), (ALIVE, LEFT)]:
        (event,) = transition(claim(before), claim(after), witness)
        assert event.evidence == witness(claim(after))  # type: ignore[union-attr]
    died, _ = transition(claim(ALIVE), claim(ALIVE, epoch=2), witness)
    assert isinstance(died, MemberDied)
    assert died.evidence is not None
    assert died.evidence.rule is Rule.RESTARTED


def test_no_event_is_about_the_node_itself() -> None:
    friend = peer(1)
    hand = Hand(knows=[friend])
    hand.feed(friend, claims=[hand.own_claim(SUSPECT)])
    hand.feed(friend, claims=[hand.own_claim(DEAD)])
    hand.node.update_metadata({"k": "v"}, now=hand.now)
    hand.run(2.0)
    hand.node.leave(now=hand.now)
    hand.collect()
    hand.run(1.0)
    assert not hand.events


def test_a_node_raises_these_events_for_claims_that_arrive() -> None:
    friend, subject = peer(1), peer(2)
    hand = Hand(knows=[friend])
    told = []
    for state, incarnation in [(ALIVE, 0), (SUSPECT, 0), (ALIVE, 1), (SUSPECT, 1), (DEAD, 1), (LEFT, 1), (ALIVE, 2)]:
        time = hand.cluster_time
        hand.feed(friend, claims=[subject.claim(state, incarnation=incarnation, time=time)])
        told.append([type(event) for event in hand.events])
        hand.events.clear()
    assert told == [
        [MemberJoined],
        [MemberSuspected],
        [MemberRecovered],
        [MemberSuspected],
        [MemberDied],
        [],
        [MemberRecovered],
    ]
