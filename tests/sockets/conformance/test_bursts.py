"""Bursts of broadcasts, on every driver: each one that was accepted is delivered or reported lost."""

from collections.abc import Iterator

import pytest

from support.waiting import SOON
from support.worlds import WORLDS, World
from swim_core import BroadcastReceived, BroadcastsLost, Config, EventsLost, Overloaded

COUNT = 4_000  # four times what a receiver's window spans
ROOM = Config(event_buffer=4 * COUNT)


@pytest.fixture(
    params=[pytest.param(name, marks=[] if name == "simulation" else pytest.mark.sockets) for name in WORLDS]
)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with WORLDS[request.param]() as world:
        yield world


@pytest.mark.parametrize("size", [16, pytest.param(256, marks=pytest.mark.slow)])
def test_what_was_accepted_of_a_burst_is_delivered_or_told(world: World, size: int) -> None:
    ann, bob = world.open_cluster("ann", "bob", config=ROOM)
    events = bob.subscribe()
    accepted = []
    for _ in range(COUNT):
        try:
            accepted.append(ann.broadcast(bytes(size)))
        except Overloaded:
            break
    assert accepted == list(range(1, len(accepted) + 1))
    assert len(accepted) > COUNT / 2
    delivered: set[int] = set()
    told = 0
    while len(delivered) + told < len(accepted):
        event = events.get(SOON)
        assert not isinstance(event, EventsLost)
        if isinstance(event, BroadcastReceived):
            assert event.number not in delivered
            delivered.add(event.number)
        elif isinstance(event, BroadcastsLost):
            told += event.count
    assert len(delivered) + told == len(accepted)
    assert delivered <= set(accepted)
    assert bob.statistics().broadcasts_lost == told
    events.close()
