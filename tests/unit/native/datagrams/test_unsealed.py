"""The notice of datagrams that could not be opened: at once, then once a minute, for 16 addresses at most."""

from collections import deque

from swim_core import Address, DropReason, Event, Unsealed
from swim_core.native.datagrams.unsealed import UnsealedNotices

DATA = bytes.fromhex("0101a6215e9a")
HERE = Address("10.0.0.1", 7946)


def test_it_is_told_at_once_and_then_once_a_minute_with_the_count() -> None:
    events: deque[Event] = deque()
    notices = UnsealedNotices(events)
    for second in range(130):
        notices.note(DropReason.UNKNOWN_KEY, DATA, HERE, float(second))
    counts = [event.count for event in events if isinstance(event, Unsealed)]
    assert counts == [1, 60, 60]
    assert events[0] == Unsealed(HERE, DropReason.UNKNOWN_KEY, "a6215e9a", 1)


def test_an_attacker_that_invents_addresses_is_told_sixteen_times_a_minute() -> None:
    events: deque[Event] = deque()
    notices = UnsealedNotices(events)
    for second in range(120):
        for number in range(100):
            notices.note(DropReason.NOT_SEALED, DATA, (f"10.1.{second}.{number}", 7946), float(second))
    assert len(events) == 32


def test_copies_and_what_is_not_of_this_protocol_are_counted_alone() -> None:
    events: deque[Event] = deque()
    notices = UnsealedNotices(events)
    for reason in (DropReason.REPLAYED, DropReason.BAD_HEADER, DropReason.OTHER_CLUSTER, DropReason.UNDECODABLE):
        notices.note(reason, DATA, HERE, 1.0)
    notices.note(DropReason.NOT_SEALED, DATA, ("no address", 7946), 1.0)
    assert not events
