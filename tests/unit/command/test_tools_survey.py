"""Views side by side: who is near whom, and who doesn't hear whom."""

from typing import Any, cast

import pytest
from msgspec.structs import replace

from support.hand import RTT, Hand, Peer, peer, peers
from support.tool_client import told
from swim_anyio.command.tools.info import read_info, tell_info
from swim_anyio.command.tools.reachability import hearings, tell_reachability
from swim_anyio.command.tools.reading import View, read_view
from swim_anyio.command.tools.rtt import rtt_record, tell_rtt
from swim_anyio.command.tools.survey import NEEDED, Survey
from swim_core import State
from swim_core.native.wire.answers import FiguresPage
from swim_core.native.wire.queries import What

ME = peer(0, "me")
A, B, C = peers(3)


def view(hand: Hand) -> View:
    return read_view(told(hand, What.EVERYONE))


def surveyed(**hands: "Hand | None") -> Survey:
    views = {name: None if hand is None else view(hand) for name, hand in hands.items()}
    first = next(found for found in views.values() if found is not None)
    return Survey(first, views)


def settled(*knows: Peer) -> Hand:
    hand = Hand(knows=knows)
    hand.run(10.0)
    return hand


def test_members_that_answer_are_heard() -> None:
    found = surveyed(me=settled(A, B))
    assert [(hearing.hears, hearing.unmet, hearing.deaf_to) for hearing in hearings(found)] == [(["p1", "p2"], [], {})]
    assert tell_reachability(found) == "1 of 1 members hear all others."


def test_a_cut_shows_from_the_side_that_does_not_hear() -> None:
    here, there = settled(A, B), settled(A)
    here.feed(A, claims=[B.claim(State.DEAD, time=here.cluster_time)])
    there.feed(A, claims=[B.claim()])
    there.answering = [A, B]
    there.run(10.0)
    found = surveyed(me=here, p1=there, p3=None)
    lines = tell_reachability(found).split("\n")
    assert lines[0].startswith("me does not hear p2: dead, last heard ")
    assert lines[-2].startswith("1 of 2 members hear all others")
    assert lines[-1] == f"No answer from p3. {NEEDED}"


def test_one_that_is_unknown_or_does_not_answer_is_not_heard() -> None:
    here, there = settled(A, B), settled(A, B, C)
    here.answering = [A]
    here.run(2.5)
    (hearing, _) = hearings(surveyed(me=here, p1=there))
    assert hearing.deaf_to["p3"] == "doesn't know it"
    assert hearing.deaf_to["p2"].startswith(("2 pings unanswered", "suspect", "3 pings unanswered"))
    assert hearing.hears == ["p1"]


def test_many_are_not_all_spelt_out() -> None:
    here, there = settled(A), settled(*peers(9))
    lines = tell_reachability(surveyed(me=here, p1=there)).split("\n")
    assert [line for line in lines if line.startswith("me does not hear")][-1] == "me does not hear 5 others either"


def test_the_nearest_come_first() -> None:
    hand = settled(*peers(5))
    members = cast("list[dict[str, Any]]", rtt_record(surveyed(me=hand, p1=None))["members"])
    measured = {member["name"]: member["round_trips"] for member in members}
    assert measured["me"] == pytest.approx({f"p{n}": RTT for n in range(1, 6)})
    assert measured["p1"] == pytest.approx({"me": RTT})
    header, row, *_ = tell_rtt(surveyed(me=hand)).split("\n")
    assert header.split() == ["NAME", "MEDIAN", "NEAREST", "FARTHEST"]
    assert row.split()[:2] == ["me", "1.00ms"]


def test_whoever_has_measured_nothing_has_a_dash() -> None:
    assert tell_rtt(surveyed(me=Hand())).split("\n")[1].split() == ["me", "-", "-", "-"]


def test_statistics_for_people_leave_out_what_did_not_happen() -> None:
    hand = settled(A, B)
    info = read_info(cast("list[FiguresPage]", told(hand, What.FIGURES)))
    lines = tell_info(info).split("\n")
    assert lines[:2] == [f"me at {hand.me.address}", "members      3 alive"]
    assert "round trips  median 1.00ms, 99 of 100 within 1.00ms" in lines
    assert not [line for line in lines if line.startswith(("deaths", "pauses", "dropped"))]
    hand.feed(A, claims=[B.claim(State.DEAD, time=hand.cluster_time)])
    told_after = tell_info(read_info(cast("list[FiguresPage]", told(hand, What.FIGURES)))).split("\n")
    assert told_after[1:3] == ["members      2 alive, 1 dead", "deaths       1 gone"]


def test_a_member_of_another_release_may_have_fewer_statistics() -> None:
    info = read_info(cast("list[FiguresPage]", told(settled(A), What.FIGURES)))
    assert tell_info(replace(info, figures={})).split("\n")[0].startswith("me at ")
