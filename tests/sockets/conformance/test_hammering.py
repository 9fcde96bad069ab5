"""Eight threads use a node's whole public face during a flood of garbage: calls fail only as documented."""

import random
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import pytest

from support.waiting import HERE, SOON
from support.worlds import WORLDS, Node
from swim_core import BroadcastReceived, Overloaded, SwimError

pytestmark = pytest.mark.sockets

REAL = [name for name in WORLDS if name != "simulation"]
THREADS = 8


@pytest.mark.parametrize("name", ["threads", "asyncio", "trio-loop", "uvloop-loop"])
def test_a_hammered_node_does_what_it_is_asked(name: str) -> None:
    hammered(name, rounds=10)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", REAL)
def test_a_node_hammered_for_a_minute_does_what_it_is_asked(name: str) -> None:
    hammered(name, rounds=10**9, seconds=60.0)


def hammered(name: str, rounds: int, seconds: float = SOON) -> None:
    with WORLDS[name]() as world:
        ann, bob = world.open_cluster("ann", "bob")
        end = time.monotonic() + seconds
        with flooded(ann), ThreadPoolExecutor(THREADS) as threads:
            made = [threads.submit(hammer, ann, number, rounds, end) for number in range(THREADS)]
            assert sum(future.result() for future in made) > THREADS
        world.wait(lambda: len(ann.members()) == len(bob.members()) == 2)
        heard = bob.subscribe()
        tell(ann, b"the last")
        while not (isinstance(event := heard.get(SOON), BroadcastReceived) and event.payload == b"the last"):
            pass
        heard.close()


@contextmanager
def flooded(node: Node) -> Iterator[None]:
    """A stranger keeps sending garbage to the node."""
    address, over, chance = node.local.address, threading.Event(), random.Random(1)

    def flood() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(HERE)
            while not over.wait(0.001):
                for _ in range(10):
                    sock.sendto(chance.randbytes(chance.randrange(1_400)), address)

    stranger = threading.Thread(target=flood)
    stranger.start()
    try:
        yield
    finally:
        over.set()
        stranger.join()


def hammer(node: Node, number: int, rounds: int, end: float) -> int:
    """Make all calls in this thread's own order, again and again; returns how many were made."""
    chance, made = random.Random(number), 0
    for _ in range(rounds):
        calls = list(deeds(node, number))
        chance.shuffle(calls)
        for call in calls:
            if time.monotonic() > end:
                return made
            call()
            made += 1
    return made


def deeds(node: Node, number: int) -> Iterator[Callable[[], object]]:
    yield lambda: [member.name for member in node.members(gone=True)]
    yield lambda: (node.member("bob"), node.member("nobody"), node.explain("bob"), node.contact("bob"))
    yield lambda: (node.statistics(), node.local)
    yield lambda: tell(node, b"%d" % number)
    yield lambda: accept(lambda: node.send("bob", b"to you"), Overloaded)
    yield lambda: node.update_metadata({"thread": str(number)})
    yield lambda: node.wait_for_members(2, SOON)
    yield lambda: node.ping("bob")
    yield lambda: node.join([node.local.address])
    yield lambda: accept(lambda: node.remove("nobody"), SwimError)
    yield lambda: subscribe(node)


def subscribe(node: Node) -> None:
    events = node.subscribe(current=True)
    events.get(SOON)
    events.close()


def tell(node: Node, payload: bytes) -> None:
    """Broadcast it, as soon as there is room."""
    while True:
        try:
            node.broadcast(payload)
        except Overloaded:
            time.sleep(0.001)
        else:
            return


def accept(call: Callable[[], object], documented: type[SwimError]) -> None:
    """Make a call that may well be refused with one of these errors."""
    with suppress(documented):
        call()
