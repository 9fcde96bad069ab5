"""The life of a sealed cluster with every way to run a node: simulator, threads, asyncio, uvloop and trio, with both
drivers, and a loop of one's own. The file of keys has tests beside threads' (`test_key_file.py`).
"""

from collections.abc import Iterator

import pytest

from support.waiting import SOON
from support.worlds import WORLDS, DriverWorld, Subscription, World
from swim_core import (
    BroadcastReceived,
    DropReason,
    Event,
    Key,
    Keys,
    MemberDied,
    MemberJoined,
    MemberLeft,
    MessageReceived,
    State,
    Unsealed,
)

OLD, NEW, OTHER = (Key(bytes(range(number, number + 32))) for number in (0, 50, 100))
EVERY = {**WORLDS, "driver": DriverWorld}


@pytest.fixture(
    params=[pytest.param(name, marks=[] if name == "simulation" else pytest.mark.sockets) for name in EVERY]
)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with EVERY[request.param]() as world:
        yield world


def first(events: Subscription, kind: type[Event]) -> Event:
    while not isinstance(event := events.get(SOON), kind):
        pass
    return event


def test_members_speak_die_come_back_and_leave(world: World) -> None:
    ann, bob, cho = world.open_cluster("ann", "bob", "cho", keys=Keys([OLD]))
    assert all(node.statistics().sealed for node in (ann, bob, cho))
    events = bob.subscribe()
    ann.broadcast(b"to all")
    heard = first(events, BroadcastReceived)
    assert isinstance(heard, BroadcastReceived)
    assert heard.payload == b"to all"
    ann.send("bob", b"to one")
    message = first(events, MessageReceived)
    assert isinstance(message, MessageReceived)
    assert message.payload == b"to one"
    address = cho.local.address
    cho.kill()
    first(events, MemberDied)
    again = world.open("cho", bind=address, join=[ann], keys=Keys([OLD]))
    first(events, MemberJoined)
    again.wait_for_members(3, SOON)
    again.leave()
    first(events, MemberLeft)
    world.wait(lambda: [member.name for member in ann.members()] == ["ann", "bob"])


def test_a_key_is_rotated_under_members_that_go_on(world: World) -> None:
    ann, bob = world.open_cluster("ann", "bob", keys=Keys([OLD]))
    events = bob.subscribe()
    for keys in (Keys([NEW, OLD]), Keys([NEW])):
        for node in (ann, bob):
            node.set_keys(keys)
        world.wait(lambda: ann.statistics().members_other_key == bob.statistics().members_other_key == 0)
        ann.broadcast(b"%d" % len(keys))
        first(events, BroadcastReceived)
    newcomer = world.open("cho", join=[bob], keys=Keys([NEW]))
    newcomer.wait_for_members(3, SOON)
    late = world.open("late", join=[bob], keys=Keys([OLD]))  # with the file of before
    world.wait(lambda: bob.statistics().dropped.get(DropReason.UNKNOWN_KEY))
    assert [member.name for member in late.members()] == ["late"]
    assert all(member.state is State.ALIVE for member in bob.members())


def test_strangers_are_told_of_and_not_let_in(world: World) -> None:
    ann, bob = world.open_cluster("ann", "bob", keys=Keys([OLD]))
    events = ann.subscribe()
    strangers = [world.open("eve", join=[ann], keys=Keys([OTHER])), world.open("joe", join=[ann])]
    reasons: set[DropReason] = set()
    while len(reasons) < 2:
        notice = first(events, Unsealed)
        assert isinstance(notice, Unsealed)
        assert notice.address in [stranger.local.address for stranger in strangers]
        reasons.add(notice.reason)
    assert reasons == {DropReason.UNKNOWN_KEY, DropReason.NOT_SEALED}
    for node in (ann, bob):
        assert [member.name for member in node.members(gone=True)] == ["ann", "bob"]
    assert [len(stranger.members()) for stranger in strangers] == [1, 1]
