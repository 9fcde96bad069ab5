"""What a node keeps of the past, counts of deaths, and tells tools that ask what happened."""

import gc
import tracemalloc
from typing import cast

import pytest

from support.accuser import Accuser
from support.hand import EPOCH, UNIX_MS, Hand, peers
from support.tool_client import told
from swim_core import Address, Config, Evidence, Member, MemberDied, MemberJoined, Rule, State
from swim_core.address import pack
from swim_core.native.wire.answers import EventsPage, Happened
from swim_core.native.wire.claim import pack_metadata
from swim_core.native.wire.queries import EVER, What, pack_age, unpack_age
from swim_core.shared.journal import CHANGES, VERDICTS, Journal

A, B, C = peers(3)


def happened(hand: Hand, *, age: int = EVER) -> list[Happened]:
    pages = cast(list[EventsPage], told(hand, What.EVENTS, pack_age(age)))
    return [one for page in pages for one in page.events]


def test_a_death_learnt_from_others_is_kept_and_counted() -> None:
    hand = Hand(knows=[A, B, C])
    hand.run(5.0)
    at = hand.cluster_time
    hand.feed(A, claims=[B.claim(State.DEAD, by=C.short_id, rule=Rule.GONE, time=at)])
    last = happened(hand)[-1]
    assert (last.what, last.member, last.rule, last.accuser) == ("dead", "p2", Rule.GONE, "p3")
    assert (last.address, last.epoch, last.time) == (pack(B.address), B.epoch, at)
    assert last.at == hand.cluster_time
    statistics = hand.node.statistics()
    assert (statistics.deaths[Rule.GONE], statistics.verdicts.get(Rule.GONE, 0)) == (1, 0)


def test_a_verdict_of_its_own_is_both_a_verdict_and_a_death() -> None:
    hand = Accuser(6)
    hand.accuse()
    hand.until(lambda: hand.verdict() is State.DEAD, 8.0)
    statistics = hand.node.statistics()
    assert (statistics.deaths[Rule.SILENT], statistics.verdicts[Rule.SILENT]) == (1, 1)
    assert [one.what for one in happened(hand) if one.member == "p6"] == ["joined", "suspect", "dead"]


def test_damping_hides_nothing_from_the_past() -> None:
    hand = Hand(knows=[A, B], config=Config(flap_damping=30.0))
    for incarnation in range(8):
        hand.feed(A, claims=[B.claim(State.DEAD, incarnation=incarnation, time=hand.cluster_time)])
        hand.feed(B, claims=[B.claim(incarnation=incarnation + 1)])
    assert hand.node.statistics().events_damped > 0
    assert sum(one.what == "dead" for one in happened(hand)) == 8
    assert sum(hand.node.statistics().deaths.values()) == 8


def test_only_what_is_recent_enough() -> None:
    hand = Hand(knows=[A, B, C])
    hand.run(1.0)
    hand.feed(A, claims=[B.claim(State.LEFT)])
    hand.run(10.0)
    hand.feed(A, claims=[C.claim(State.LEFT)])
    assert [one.member for one in happened(hand, age=5_000)] == ["p3"]
    assert [one.member for one in happened(hand, age=10_500)] == ["p2", "p3"]
    assert len(happened(hand)) > 2


def test_many_changes_push_out_no_verdict_and_pages_hold_all_in_order() -> None:
    hand = Hand(knows=[A, B])
    hand.feed(A, claims=[B.claim(State.LEFT)])
    for incarnation in range(CHANGES + 20):
        hand.feed(A, claims=[A.claim(incarnation=incarnation, metadata=pack_metadata({"n": str(incarnation)}, 512))])
    kept = happened(hand)
    assert len(kept) == CHANGES + 1
    assert kept[0].what == "left"
    assert [one.incarnation for one in kept[1:]] == list(range(20, CHANGES + 20))


def test_what_is_kept_is_bounded() -> None:
    hand = Hand(knows=[A, B])
    for incarnation in range(VERDICTS + 10):
        hand.feed(A, claims=[B.claim(State.DEAD, incarnation=incarnation, time=hand.cluster_time)])
        hand.feed(B, claims=[B.claim(incarnation=incarnation + 1)])
    assert sum(one.what == "dead" for one in happened(hand)) == VERDICTS


def test_a_full_past_takes_less_than_half_a_megabyte() -> None:
    """With the longest names there can be, each of another member: 339 kB in November 2026."""
    journal = Journal("me")
    gc.collect()
    tracemalloc.start()
    for number in range(2 * VERDICTS):
        one = Member(f"{number:064}", Address("10.0.0.1", number + 1), EPOCH + number)
        journal.take(MemberDied(one, Evidence(Rule.GONE, f"{number:<64}", UNIX_MS + number)), float(number), UNIX_MS)
        journal.take(MemberJoined(one), float(number), UNIX_MS)
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(list(journal.since(0, 0.0))) == VERDICTS + CHANGES
    assert size < 500_000


def test_isolation_is_part_of_the_past() -> None:
    hand = Hand(knows=peers(5))
    hand.answering = []
    hand.run(30.0)
    own = [one for one in happened(hand) if one.member == "me"]
    assert [(one.what, one.address) for one in own] == [("isolated", None)]
    assert hand.node.statistics().deaths[Rule.ISOLATED] == 5


@pytest.mark.parametrize("argument", [b"", b"\xc1", b"\x91" * 600, b"\xa1x", b"\xff", pack_age(5) + b"\0"])
def test_an_age_that_is_none_asks_for_all(argument: bytes) -> None:
    hand = Hand(knows=[A])
    (page,) = cast(list[EventsPage], told(hand, What.EVENTS, argument))
    assert [one.member for one in page.events] == ["p1"]


def test_ages_fit_their_field() -> None:
    assert [unpack_age(pack_age(age)) for age in (-5, 0, 7, EVER, EVER * 9)] == [0, 0, 7, EVER, EVER]
    assert unpack_age(b"") == EVER
