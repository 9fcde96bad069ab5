"""What a pump passes on between a node and its sockets, where the pace of engines would hide it."""

import select
import socket
import time
from collections.abc import Callable

import pytest

from support.fake_node import FakeNode
from support.station import LABEL, station
from support.waiting import SOON
from swim_core import (
    Address,
    AddressLike,
    Event,
    KernelEvidence,
    Member,
    MemberDied,
    MemberJoined,
    MemberLeft,
    MemberRecovered,
    MemberUpdated,
    TripwirePlan,
)
from swim_core.tripwire import greeting_of
from swim_threads.logs import Log
from swim_threads.pump import Pump
from swim_threads.resolver import Resolver
from swim_threads.sockets.poller import Poller
from swim_threads.sockets.tcp import open_pair

pytestmark = pytest.mark.sockets

BOB = Member("bob", Address("127.0.0.1", 9))
CONNECTED, LOST = KernelEvidence.CONNECTED, KernelEvidence.CONNECTION_LOST


class Suspicious(FakeNode):
    """Wants ``suspect``'s kernel asked once a tripwire is lost."""

    suspect: Address

    def feed_evidence(self, kind: KernelEvidence, destination: AddressLike, quoted: bytes = b"", *, now: float) -> None:
        super().feed_evidence(kind, destination, quoted, now=now)
        if kind is LOST:
            self.connects.append(self.suspect)


class Planning(FakeNode):
    """Counts how often its plan is read."""

    readings = 0

    @property
    def tripwire_plan(self) -> TripwirePlan:
        self.readings += 1
        return self.plan

    @tripwire_plan.setter
    def tripwire_plan(self, plan: TripwirePlan) -> None:
        self.plan = plan


@pytest.mark.parametrize(
    "event",
    [MemberDied(BOB), MemberJoined(BOB), MemberLeft(BOB), MemberRecovered(BOB), MemberUpdated(BOB, BOB)],
    ids=lambda event: event.kind,
)
def test_news_of_members_is_told_before_the_plan_of_tripwires_is_read_and_followed(event: Event) -> None:
    clock = [100.0]
    sock, listener, reason = open_pair("127.0.0.1", 0, tcp=True)
    assert listener is not None, reason
    node = Planning("ann", sock.address, 0.0, {})
    resolver = Resolver(sock.reachable_families, lambda deed: None, lambda notice: None)
    told: list[Event] = []
    pump = Pump(node, sock, resolver, Log("swim_threads", "ann"), clock=lambda: clock[0], on_event=told.append)
    poller = Poller()
    pump.lay_tripwires(listener, poller)
    try:
        with station(1) as there:
            node.plan = TripwirePlan(greeting_of(LABEL, 1), (there.tripwire,))
            node.readings = 0
            node.events.append(event)
            pump.settle()
            assert told == [event]
            assert not node.readings
            assert pump.deadline() <= 101.0
            clock[0] = 101.1
            pump.tick()
            end = time.monotonic() + SOON
            while not node.connections:
                assert time.monotonic() < end
                pump.receive(poller.wait(0.01), 10)
                there.spin()
    finally:
        pump.close(announce=True)
        poller.close()


def test_the_kernel_behind_a_broken_tripwire_is_asked_before_the_next_tick() -> None:
    """The core would probe that member at once, and its verdict must not wait until all that arrived was read."""
    clock = [100.0]
    sock, listener, reason = open_pair("127.0.0.1", 0, tcp=True)
    assert listener is not None, reason
    node = Suspicious("ann", sock.address, 0.0, {})
    resolver = Resolver(sock.reachable_families, lambda deed: None, lambda notice: None)
    pump = Pump(node, sock, resolver, Log("swim_threads", "ann"), clock=lambda: clock[0], on_event=lambda event: None)
    poller = Poller()
    pump.lay_tripwires(listener, poller)

    def until(condition: Callable[[], object], *, then: Callable[[], object] = lambda: None) -> None:
        end = time.monotonic() + SOON
        while not condition():
            assert time.monotonic() < end
            pump.receive(poller.wait(0.01), 10)
            then()

    try:
        with station(2) as there, socket.create_server(("127.0.0.1", 0)) as suspect:
            node.suspect = Address(*suspect.getsockname())
            node.tripwire_plan = TripwirePlan(greeting_of(LABEL, 1), (there.tripwire,))
            pump.tick()
            clock[0] += 2.0  # rewiring takes a while
            pump.tick()
            until(lambda: node.connections, then=there.spin)
            there.tripwires.close(announce=False)
            until(lambda: len(node.connections) > 1)
            assert [kind for kind, _, _ in node.connections[:2]] == [CONNECTED, LOST]
            assert select.select([suspect], [], [], SOON)[0], "nobody asked"
    finally:
        pump.close(announce=True)
        poller.close()
