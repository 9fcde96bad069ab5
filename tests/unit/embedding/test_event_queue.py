"""The bounded queue behind a subscription: it keeps the order, drops the oldest, and first reports a loss, once."""

from hypothesis import given
from hypothesis import strategies as st

from swim_core import EventsLost, Isolated, Member, MemberJoined, Reconnected
from swim_core.address import Address
from swim_core.embedding.event_queue import EventQueue


def joined(number: int) -> MemberJoined:
    return MemberJoined(Member(f"m{number}", Address("127.0.0.1", 1)))


def test_events_come_out_in_order() -> None:
    queue = EventQueue(8)
    queue.push(Isolated())
    queue.push(Reconnected())
    assert len(queue) == 2
    assert (queue.pop(), queue.pop(), queue.pop()) == (Isolated(), Reconnected(), None)
    assert len(queue) == 0


def test_a_full_queue_drops_the_oldest_and_says_so_once_and_first() -> None:
    queue = EventQueue(2)
    for number in range(5):
        queue.push(joined(number))
    assert len(queue) == 3
    assert queue.pop() == EventsLost(3)
    assert queue.pop() == joined(3)
    queue.push(joined(5))
    queue.push(joined(6))
    assert [queue.pop() for _ in range(4)] == [EventsLost(1), joined(5), joined(6), None]


@given(st.integers(1, 5), st.lists(st.booleans()))
def test_every_event_is_delivered_or_counted_as_lost(limit: int, pushes: list[bool]) -> None:
    queue, pushed, accounted = EventQueue(limit), 0, 0

    def take() -> bool:
        nonlocal accounted
        event = queue.pop()
        if isinstance(event, EventsLost):
            accounted += event.count
        elif event is not None:
            assert event == joined(accounted)
            accounted += 1
        return event is not None

    for push in pushes:
        if push:
            queue.push(joined(pushed))
            pushed += 1
        else:
            take()
        assert len(queue) <= limit + 1
    while take():
        pass
    assert accounted == pushed
