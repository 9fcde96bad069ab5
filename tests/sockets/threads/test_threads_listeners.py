"""Listeners that are given to `open_node`: they exist before the node does, so they miss nothing."""

import threading

import pytest

from support.fake_node import FakeConfig, FakeNode
from support.waiting import HERE, wait_until
from swim_core import (
    Address,
    BroadcastReceived,
    ConfigError,
    Event,
    Member,
    MemberJoined,
    Origin,
    State,
    on_broadcast,
    on_status,
)
from swim_threads import open_node

FRIEND = Member("friend", Address("127.0.0.1", 4711))


class Busy(FakeConfig):
    """Makes a node that has an event from the very start, which it raises once it joins."""

    def create_node(self, *args: object, **keywords: object) -> FakeNode:
        node = super().create_node(*args, **keywords)  # type: ignore[arg-type]
        node.events += [MemberJoined(FRIEND), BroadcastReceived(Origin("friend", 0, None), 1, b"hello")]
        node.others.append(FRIEND)
        return node


@pytest.mark.sockets
def test_those_given_to_open_node_miss_nothing() -> None:
    states: list[tuple[str, State]] = []
    told: list[bytes] = []
    every: list[Event] = []
    listeners = [
        on_status(lambda member, state: states.append((member.name, state))),
        on_broadcast(lambda broadcast: told.append(broadcast.payload)),
        every.append,
    ]
    with open_node(HERE, join=[FRIEND.address], config=Busy(), listeners=listeners):
        wait_until(lambda: told and len(every) == 2)
    assert (states, told) == ([("friend", State.ALIVE)], [b"hello"])


@pytest.mark.sockets
def test_nothing_is_left_where_one_is_refused_or_the_address_is_taken() -> None:
    before = set(threading.enumerate())
    with pytest.raises(ConfigError, match="listeners"):
        open_node(HERE, listeners=[7])  # type: ignore[list-item]
    assert set(threading.enumerate()) <= before  # the thread that writes logs may end meanwhile


@pytest.mark.sockets
def test_what_is_no_function_is_refused_at_once() -> None:
    with open_node(HERE, name="ann") as node:
        for add in (node.add_listener, node.add_status_listener, node.add_broadcast_listener):
            with pytest.raises(ConfigError, match="function"):
                add(5)  # type: ignore[arg-type]
