"""The timeline of `swim events`: what several members remember of the same things, put together."""

import json
from typing import cast

import pytest
from msgspec.structs import replace

from support.hand import EPOCH, Hand, Peer, peers
from support.tool_client import told
from swim_anyio.command.records import to_json
from swim_anyio.command.tools.events import Timeline, merged, tell_timeline, timeline_record
from swim_anyio.command.tools.reading import read_view
from swim_anyio.command.tools.survey import NEEDED
from swim_core import Address, Rule, State
from swim_core.native.wire.answers import EventsPage
from swim_core.native.wire.queries import What

A, B, C = peers(3)
LATE = Peer("late", Address("10.0.0.9", 7946), EPOCH + (1 << 40))


def memory(hand: Hand) -> list[EventsPage]:
    return cast(list[EventsPage], told(hand, What.EVENTS))


def timeline(hand: Hand, **others: "Hand | None") -> Timeline:
    """The view of ``hand``, and what it and the others remember; None for one that doesn't answer."""
    answers = {name: None if other is None else memory(other) for name, other in others.items()}
    return merged(read_view(told(hand, What.MEMBERS)), {"me": memory(hand), **answers})


def dead(peer: Peer, hand: Hand, *, by: Peer = C, rule: Rule = Rule.GONE) -> None:
    hand.feed(A, claims=[peer.claim(State.DEAD, by=by.short_id, rule=rule, time=hand.cluster_time)])


def test_what_several_remember_stands_there_once() -> None:
    here, there = Hand(knows=[A, B, C]), Hand(knows=[A, B, C])
    for hand in (here, there):
        hand.run(2.0)
        dead(B, hand)
    found = timeline(here, p1=there)
    (death,) = [event for event in found.events if event.what == "dead"]
    assert (death.member, death.rule, death.accuser, death.address) == ("p2", Rule.GONE, "p3", B.address)
    assert (death.seen_by, death.missed_by) == (["me", "p1"], [])
    assert found.answered == ["me", "p1"]


@pytest.mark.parametrize(
    ("apart", "rule", "count"), [(4.0, Rule.GONE, 1), (4.0, Rule.RESTARTED, 2), (60.0, Rule.GONE, 2)]
)
def test_like_verdicts_at_about_the_same_time_are_one_death(apart: float, rule: Rule, count: int) -> None:
    """A partition and a crash within it are two events."""
    here, there = Hand(knows=[A, B, C]), Hand(knows=[A, B, C])
    for hand, wait, accuser, reason in ((here, 2.0, C, rule), (there, 2.0 + apart, A, Rule.GONE)):
        hand.run(wait)
        dead(B, hand, by=accuser, rule=reason)
    deaths = [event for event in timeline(there, p1=here).events if event.what == "dead"]
    assert [event.accuser for event in deaths] == ["p3", "p1"][:count]
    assert [event.seen_by for event in deaths] == ([["me", "p1"]] if count == 1 else [["p1"], ["me"]])


def test_whom_a_cut_off_member_counts_as_dead_is_its_own_affair() -> None:
    here, there = Hand(knows=peers(5)), Hand(knows=peers(5))
    for hand in (here, there):
        hand.answering = []
        hand.run(30.0)
    deaths = [event for event in timeline(here, p1=there).events if event.what == "dead"]
    assert len(deaths) == 10
    assert all(event.rule is Rule.ISOLATED and len(event.seen_by) == 1 and not event.missed_by for event in deaths)


def test_where_the_network_was_cut_it_says_who_does_not_know() -> None:
    here, there = Hand(knows=[A, B, C]), Hand(knows=[A, B, C])
    for hand in (here, there):
        hand.run(2.0)
    dead(B, here)
    found = timeline(here, p1=there, p3=None)
    line = next(line for line in tell_timeline(found).split("\n") if "dead" in line)
    assert line.endswith("dead       p2: process ended without a goodbye, says p3 (unknown to p1)")
    assert len(line) <= 100
    last = tell_timeline(found).split("\n")[-1]
    assert last.endswith(f"as 2 of 3 live members remember them. No answer from p3. {NEEDED}")
    assert "--key-file" in last


def test_an_accuser_that_one_does_not_know_has_the_name_that_another_knows() -> None:
    here, there = Hand(knows=[A, B]), Hand(knows=[A, B, C])
    for hand in (here, there):
        dead(B, hand)
    (death,) = [event for event in timeline(here, p1=there).events if event.what == "dead"]
    assert death.accuser == "p3"


def test_whoever_came_later_only_found_the_others_there() -> None:
    here, there = Hand(knows=[A, LATE]), Hand(knows=[A])
    there.run(9.0)
    there.feed(A, claims=[C.claim()])
    joined = [event.member for event in timeline(here, late=there).events if event.what == "joined"]
    assert "p3" not in joined
    assert "late" in joined


def test_on_a_terminal_long_lines_are_wrapped_below_what_happened() -> None:
    here, there = Hand(knows=peers(14)), Hand(knows=peers(14))
    for hand in (here, there):
        hand.run(2.0)
    dead(B, here)
    found = timeline(here, **{f"p{number}": there for number in range(4, 14)}, p3=None)
    lines = tell_timeline(found, 80).split("\n")
    at = next(number for number, line in enumerate(lines) if "dead" in line)
    assert lines[at].endswith("p2: process ended without a goodbye, says p3 (unknown")
    assert lines[at + 1] == " " * 25 + "to p4, p5, p6 and 7 more)"
    assert all(len(line) <= 80 for line in lines)
    assert " ".join(" ".join(lines).split()) == " ".join(tell_timeline(found).split())


def test_a_line_for_each_event_below_its_day() -> None:
    hand = Hand(knows=[A, B, LATE])
    hand.feed(A, claims=[B.claim(State.LEFT)])
    view = replace(read_view(told(hand, What.MEMBERS)), t=1_700_000_000.5)
    lines = tell_timeline(merged(view, {"me": memory(hand)})).split("\n")
    assert lines[0] in ("2023-11-14", "2023-11-15")
    assert [line.split()[1:] for line in lines[1:-1]] == [["joined", "late"], ["left", "p2"]]
    assert lines[-1] == "2 events, as 1 of 1 live members remember them."


def test_a_suspicion_that_a_death_followed_is_left_out_for_people() -> None:
    hand = Hand(knows=[A, B, C])
    hand.run(2.0)
    for peer, state in ((B, State.SUSPECT), (C, State.SUSPECT), (B, State.DEAD)):
        hand.feed(A, claims=[peer.claim(state, by=A.short_id, time=hand.cluster_time)])
        hand.run(1.0)
    found = timeline(hand)
    told_of = [line.split()[1:3] for line in tell_timeline(found).split("\n")[1:-1]]
    assert told_of[-2:] == [["suspect", "p3:"], ["dead", "p2:"]]
    assert tell_timeline(found).endswith(f"\n{len(told_of)} events, as 1 of 1 live members remember them.")
    assert [event.what for event in found.events].count("suspect") == 2


def test_a_timeline_for_programs() -> None:
    hand = Hand(knows=[A, B, C])
    hand.run(2.0)
    dead(B, hand)
    record = json.loads(to_json(timeline_record(timeline(hand, p1=None))))
    assert (record["event"], record["asked"]["name"]) == ("events", "me")
    assert (record["answered"], record["silent"]) == (["me"], ["p1"])
    assert record["events"][-1] | {"t": 0} == {
        "t": 0,
        "event": "dead",
        "member": "p2",
        "address": str(B.address),
        "rule": "gone",
        "accuser": "p3",
        "missed_by": [],
        "seen_by": ["me"],
    }
