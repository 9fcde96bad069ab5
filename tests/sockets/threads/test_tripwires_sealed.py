"""Tripwires of sealed nodes, on real sockets: they stand, reveal a crash, and admit nobody without a key."""

import contextlib
import socket
from collections.abc import Iterator

import pytest

from support.waiting import SOON, wait_until
from support.worlds import QUICK, WORLDS, Node, World
from swim_core import Config, Key, Keys, MemberDied
from swim_core.tripwire import greeting_of

pytestmark = pytest.mark.sockets
OLD, NEW = Key(bytes(range(32))), Key(bytes(range(50, 82)))
ACCEPT = Config.local(probe_interval=0.1, stall_tolerance=0.5, verdict_margin=0.05, plain="accept")


@pytest.fixture(params=["threads", "asyncio", "trio-loop"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with WORLDS[request.param]() as world:
        yield world


def stand(*nodes: Node) -> None:
    wait_until(lambda: all(node.statistics().tripwires == len(nodes) - 1 for node in nodes))


def test_they_stand_and_tell_of_a_crash(world: World) -> None:
    nodes = [world.open("ann", keys=Keys([OLD]))]
    nodes += [world.open(name, join=nodes, keys=Keys([NEW, OLD])) for name in ("bob", "eve")]
    stand(*nodes)
    events = nodes[0].subscribe()
    nodes[2].kill()
    while not isinstance(events.get(SOON), MemberDied):
        pass


def test_they_stand_between_plain_and_sealed_ones_while_that_is_accepted(world: World) -> None:
    plain = world.open("ann", config=QUICK)
    both = world.open("bob", join=[plain], config=ACCEPT, keys=Keys([OLD]))
    stand(plain, both)


@pytest.mark.parametrize("said", [greeting_of(0, 5), b"SWIM\x02" + bytes(28), b"GET / HTTP/1.0\r\n\r\n", bytes(60)])
def test_a_stranger_is_shown_the_door_without_a_word(world: World, said: bytes) -> None:
    node = world.open("ann", keys=Keys([OLD]))
    with socket.create_connection(node.local.address, timeout=SOON) as sock:
        sock.sendall(said)
        with contextlib.suppress(ConnectionResetError):
            assert sock.recv(100) == b""
