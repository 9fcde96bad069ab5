"""Strangers at the tripwire port of a running node: they keep no member out, and hide no crash."""

import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from support.waiting import SOON, wait_until
from support.worlds import ThreadsWorld
from swim_core import Address, Key, Keys, Member, MemberDied
from swim_core.handshake import RANDOM_SIZE, Outgoing
from swim_core.native.cluster_clock import ClusterClock
from swim_core.native.sealing.ring import KeyRing, key_id
from swim_core.native.sealing.seal import Sealer
from swim_core.native.sealing.tripwire_seal import KeysForTripwires
from swim_core.native.wire.hashing import Hashes
from swim_core.tripwire import Tripwire, TripwirePlan, greeting_of
from swim_threads.sockets import tripwire_listener

pytestmark = [
    pytest.mark.sockets,
    pytest.mark.skipif(sys.platform != "linux", reason="all of 127.0.0.0/8 is this host's"),
]
KEYS = Keys([Key(bytes(range(32)))])
HELLO = b"SWIM\2" + key_id(next(iter(KEYS)), "").to_bytes(4, "big")


@pytest.fixture(params=[None, KEYS], ids=["plain", "sealed"])
def keys(request: pytest.FixtureRequest) -> Keys | None:
    found: Keys | None = request.param
    return found


@contextmanager
def opening_and_closing(to: Address) -> Iterator[list[int]]:
    """One host connects and closes for as long as this stands; yields how many were made so far."""
    stop, made = threading.Event(), [0]

    def flood() -> None:
        while not stop.wait(0.001):
            with suppress(OSError), socket.create_connection(to, 0.05, ("127.0.0.66", 0)):
                made[0] += 1

    thread = threading.Thread(target=flood)
    thread.start()
    try:
        yield made
    finally:
        stop.set()
        thread.join()


def test_a_tripwire_stands_while_one_host_opens_and_closes_connections(keys: Keys | None) -> None:
    """It stood after more than 25 s, in a queue behind the flood; without one after 1.4 s, as now."""
    with ThreadsWorld() as world:
        ann = world.open("ann", keys=keys)
        with opening_and_closing(ann.local.address) as made:
            wait_until(lambda: made[0] >= 200)
            bob = world.open("bob", join=[ann], keys=keys)
            wait_until(lambda: bob.statistics().tripwires == 1)
            before = made[0]
            wait_until(lambda: made[0] > before)  # the flood goes on


SAID: dict[str, Callable[[int], bytes]] = {
    "nothing": lambda number: b"",
    "a plain greeting": lambda number: greeting_of(0, number),
    "half a hello": lambda number: HELLO + number.to_bytes(8, "big"),
    "a wrong proof": lambda number: HELLO + number.to_bytes(8, "big") + bytes(16) + bytes(16),
}


@pytest.mark.parametrize("said", SAID.values(), ids=SAID)
def test_256_strangers_take_no_place_and_hide_no_crash(said: Callable[[int], bytes]) -> None:
    with ThreadsWorld() as world, ExitStack() as stack:
        ann = world.open("ann", keys=KEYS)
        bob = world.open("bob", join=[ann], keys=KEYS)
        wait_until(lambda: ann.statistics().tripwires == bob.statistics().tripwires == 1)
        for number in range(256):
            source = (f"127.0.0.{2 + number % 16}", 0)
            sock = stack.enter_context(socket.create_connection(ann.local.address, SOON, source))
            with suppress(OSError):
                sock.sendall(said(number))
        eve = world.open("eve", join=[ann], keys=KEYS)
        wait_until(lambda: all(node.statistics().tripwires == 2 for node in (ann, bob, eve)))
        events = ann.subscribe()
        bob.kill()
        while not isinstance(event := events.get(SOON), MemberDied):
            pass
        assert event.member.name == "bob"


def test_who_greeted_with_a_key_that_was_dropped_keeps_no_place_from_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tripwire_listener, "MAX_PER_HOST", 3)
    old, new = (Key(bytes(range(number, number + 32))) for number in (0, 50))
    with ThreadsWorld() as world, ExitStack() as stack:
        ann = world.open("ann", keys=Keys([new, old]))
        for number in range(3):
            stack.enter_context(greeted(ann.local, Keys([old]), 1_000 + number))
        ann.set_keys(Keys([new]))
        bob = world.open("bob", join=[ann], keys=Keys([new]))
        wait_until(lambda: bob.statistics().tripwires == 1)


def greeted(member: Member, keys: Keys, run: int) -> socket.socket:
    """A connection that greeted a member in the name of that run."""
    sealer = Sealer(KeyRing(keys, ""), ClusterClock(0, 0.0), counter=1, most_runs=1)
    hashes = Hashes("", 4)
    plan = TripwirePlan(greeting_of(hashes.label, run), (), KeysForTripwires(sealer))
    peer = greeting_of(hashes.label, hashes.short_id(member.name, member.epoch))
    handshake = Outgoing(plan, Tripwire(member.address, peer), bytes(RANDOM_SIZE))
    sock = socket.create_connection(member.address, SOON)
    sock.sendall(handshake.opening)
    heard = b""
    while (proof := handshake.take(heard)) is None:
        heard += sock.recv(handshake.size - len(heard))
    sock.sendall(proof)
    return sock
