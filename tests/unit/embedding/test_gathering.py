"""The moment with enough members is not missed, however late the waiting thread wakes up."""

from swim_core import (
    Address,
    Event,
    EventsLost,
    Isolated,
    Member,
    MemberDied,
    MemberJoined,
    MemberLeft,
    MemberRecovered,
)
from swim_core.embedding.gathering import Gathering


def member(name: str) -> Member:
    return Member(name, Address("127.0.0.1", 9))


def gathered(count: int, *events: Event, present: tuple[str, ...] = ("a",)) -> tuple[bool, list[str]]:
    gathering = Gathering(count, lambda: map(member, present))
    for event in events:
        gathering.take(event)
    return gathering.enough, [each.name for each in gathering.members]


def test_those_who_are_there_already_may_be_enough() -> None:
    assert gathered(2, present=("b", "a")) == (True, ["a", "b"])


def test_what_follows_the_moment_changes_nothing() -> None:
    came_and_went = MemberJoined(member("b")), MemberLeft(member("b"))
    assert gathered(2, *came_and_went, MemberJoined(member("c"))) == (True, ["a", "b"])


def test_members_that_go_before_it_no_longer_count() -> None:
    for gone in (MemberLeft(member("b")), MemberDied(member("b"))):
        assert gathered(3, MemberJoined(member("b")), gone, MemberJoined(member("c"))) == (False, ["a", "c"])
    assert gathered(3, gone, Isolated(), MemberRecovered(member("b")), MemberJoined(member("c")))[0]


def test_an_event_about_one_who_is_known_changes_nothing() -> None:
    assert gathered(2, MemberJoined(member("a")), MemberLeft(member("b"))) == (False, ["a"])


def test_after_lost_events_the_members_are_looked_up() -> None:
    assert gathered(2, MemberJoined(member("b")), present=()) == (False, ["b"])
    assert gathered(3, MemberLeft(member("a")), EventsLost(1), MemberJoined(member("c")), present=("a", "b"))[0]
