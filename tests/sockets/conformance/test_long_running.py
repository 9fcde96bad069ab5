"""Processes that live long, on every driver: memory, descriptors and threads stay as they are."""

import gc
import os
import random
import socket
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator

import pytest

from support.hand import UNIX_MS, Peer, peers
from support.waiting import SOON
from support.worlds import WORLDS, Node, World, close_all
from swim_core import Config, MemberJoined
from swim_core.native.wire.messages import Ping

pytestmark = [pytest.mark.sockets, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]
LAN = Config()  # a hundred nodes share one core, or one loop
REAL = [name for name in WORLDS if name != "simulation"]


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_a_flooded_node_grows_in_nothing() -> None:
    flooded("threads", 6_000)


@pytest.mark.slow
@pytest.mark.timeout(1_200)
@pytest.mark.parametrize("name", REAL)
def test_a_node_flooded_for_minutes_grows_in_nothing(name: str) -> None:
    flooded(name, 1_000_000)


def flooded(name: str, datagrams: int) -> None:
    """A node holds as much after the whole flood as after a third of it."""
    with WORLDS[name]() as world:
        ann, bob = world.open_cluster("ann", "bob")
        world.wait(lambda: ann.statistics().tripwires == bob.statistics().tripwires == 1)
        flood = Flood(world, ann, bob)
        there = descriptors()
        tracemalloc.start()
        try:
            flood.go_on(datagrams // 3)
            before, threads = held(), threading.active_count()
            flood.go_on(datagrams - datagrams // 3)
            world.wait(lambda: descriptors() <= there)  # connections of strangers are closed
            growth = held() - before
            assert threading.active_count() == threads
        finally:
            tracemalloc.stop()
            flood.close()
        # the broadcasts of the last minute are kept: how many these are depends on how busy the machine is
        assert growth < 500_000, f"{growth} bytes more after {datagrams} datagrams"
        assert len(ann.members()) == 2
        assert ann.statistics().datagrams_unsent.keys() <= {"EAGAIN"}


def held() -> int:
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


class Flood:
    """Strangers that connect, and send garbage, datagrams that are from no member, and claims about members."""

    def __init__(self, world: World, target: Node, witness: Node) -> None:
        self._world, self._target, self._witness = world, target, witness
        self._address = target.local.address
        self._random = random.Random(1)
        self._sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(16)]
        self._makers: list[Callable[[Peer], bytes]] = [
            lambda _: self._random.randbytes(self._random.randrange(1_400)),
            lambda stranger: stranger.datagram(Ping(self._random.getrandbits(32), 1, UNIX_MS)),
            lambda stranger: stranger.datagram(claims=[stranger.claim()]),
            lambda stranger: stranger.datagram(Ping(1, 1, UNIX_MS))[: self._random.randrange(1, 40)],
        ]
        self._strangers = peers(2_000)

    def go_on(self, datagrams: int) -> None:
        """Send this many, as fast as they are read, while the target is in use."""
        before = self._arrived()
        for number in range(0, datagrams, 100):
            for _ in range(100):
                payload = self._random.choice(self._makers)(self._random.choice(self._strangers))
                self._random.choice(self._sockets).sendto(payload, self._address)
            with socket.create_connection(self._address) as connection:
                connection.send(b"GET / HTTP/1.1\r\n\r\n")
            if number % 1_000 == 0:
                self._witness.broadcast(b"%d" % number)
            self._world.wait(lambda least=before + number + 100: self._arrived() >= least)  # type: ignore[misc]

    def _arrived(self) -> int:
        statistics = self._target.statistics()
        return statistics.datagrams_received + statistics.datagrams_overflowed

    def close(self) -> None:
        for sock in self._sockets:
            sock.close()


@pytest.fixture(params=["threads", "asyncio", "trio-loop"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with WORLDS[request.param]() as world:
        yield world


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_hundred_nodes_in_one_process_come_and_go(world: World) -> None:
    there, threads = descriptors(), set(threading.enumerate())
    nodes = [world.open("node-0", config=LAN)]
    events = nodes[0].subscribe()
    nodes += [world.open(f"node-{number}", join=nodes[:1], config=LAN) for number in range(1, 100)]
    joined: set[str] = set()
    while len(joined) < 99:
        if isinstance(event := events.get(SOON), MemberJoined):
            joined.add(event.member.name)
    world.wait(lambda: all(len(node.members()) == 100 for node in nodes))
    events.close()
    close_all(nodes)
    assert descriptors() == there
    assert {thread for thread in set(threading.enumerate()) - threads if thread.name.startswith("swim")} == set()
