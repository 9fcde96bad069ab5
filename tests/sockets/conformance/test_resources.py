"""When a process or its host runs out of something, on every driver: nothing spins, and nothing is lost silently."""

import errno
import os
import resource
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Any

import pytest

import swim_threads
from support.inside import engine_of
from support.waiting import SOON
from support.worlds import WORLDS, LoopNode, Node, World, close_all
from swim_core import BindError, BroadcastReceived, MemberDied, MemberLeft, ProtocolNode
from swim_threads.sockets import tripwire_listener
from swim_threads.sockets.owned import Socket

pytestmark = [pytest.mark.sockets, pytest.mark.skipif(sys.platform != "linux", reason="Linux' errors and limits")]


@pytest.fixture(params=[name for name in WORLDS if name != "simulation"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with WORLDS[request.param]() as world:
        yield world


def core_of(node: Node) -> ProtocolNode:
    if isinstance(node, LoopNode):
        return engine_of(node.node).core
    assert isinstance(node, swim_threads.ThreadNode)
    return engine_of(node).node


def hold(node: Node, deed: Callable[[], object]) -> None:
    """Keep the node from doing anything else while ``deed`` runs."""
    if isinstance(node, LoopNode):
        node.call(engine_of(node.node).look, lambda _: deed())
    else:
        assert isinstance(node, swim_threads.ThreadNode)
        engine_of(node).look(lambda _: deed())


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOBUFS])
def test_sends_that_the_system_refuses_are_counted_and_not_as_sent(
    world: World, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused: list[int] = []  # ports

    def sendto(sock: socket.socket, payload: bytes, target: Any) -> int:
        if sock.getsockname()[1] in refused:
            raise OSError(number, os.strerror(number))
        return socket.socket.sendto(sock, payload, target)

    monkeypatch.setattr(Socket, "sendto", sendto, raising=False)
    name = errno.errorcode[number]
    ann, bob = world.open_cluster("ann", "bob")
    refused.append(ann.local.address.port)
    world.wait(lambda: ann.statistics().datagrams_unsent.get(name))
    before = ann.statistics()
    world.wait(lambda: ann.statistics().datagrams_unsent[name] > before.datagrams_unsent[name] + 1)
    after = ann.statistics()
    assert after.datagrams_unsent.keys() == {name}
    assert after.datagrams_sent == before.datagrams_sent
    assert after.bytes_sent == before.bytes_sent
    assert sum(after.messages_sent.values()) == after.datagrams_sent + after.datagrams_unsent[name]
    refused.clear()
    world.wait(lambda: ann.statistics().datagrams_sent > after.datagrams_sent)
    world.wait(lambda: len(ann.members()) == len(bob.members()) == 2)


def test_what_comes_while_the_receive_buffer_is_full_is_counted_and_told(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    ann, bob = world.open_cluster("ann", "bob")

    there = ann.local.address  # a node that is held up can't be asked

    def flood() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for _ in range(1_000):
                stranger.sendto(bytes(1_000), there)

    hold(ann, flood)
    world.wait(lambda: ann.statistics().datagrams_overflowed)
    statistics = ann.statistics()
    assert statistics.datagrams_received + statistics.datagrams_overflowed >= 1_000
    assert bob.statistics().datagrams_overflowed == 0
    world.wait(lambda: "since the receive buffer" in caplog.text)
    told = [record for record in caplog.records if getattr(record, "event", "") == "overflowed"]
    assert [(record.levelname, getattr(record, "node", "")) for record in told] == [("WARNING", "ann")]
    assert {member.name for member in ann.members()} == {"ann", "bob"}


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    """This process can't open another descriptor until it closes one."""
    lowest = os.dup(0)
    os.close(lowest)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_without_descriptors_a_node_goes_on_and_does_not_spin(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that can't be accepted stays in the queue and keeps the listener ready all the time."""
    refused: list[Socket] = []

    def accept(sock: Socket) -> tuple[Socket, Any]:
        try:
            return real(sock)
        except OSError as error:
            if error.errno == errno.EMFILE:
                refused.append(sock)
            raise

    real = Socket.accept
    monkeypatch.setattr(Socket, "accept", accept)
    monkeypatch.setattr(tripwire_listener, "BREATHER", inf)
    ann, bob = world.open_cluster("ann", "bob")
    events = ann.subscribe()
    with socket.socket() as stranger:
        stranger.setblocking(False)
        with no_more_descriptors():
            stranger.connect_ex(tuple(ann.local.address))
            world.wait(lambda: refused)
            for number in range(20):
                bob.broadcast(b"%d" % number)
                while not isinstance(event := events.get(SOON), BroadcastReceived):
                    assert not isinstance(event, MemberDied)
            assert len(refused) == 1
    events.close()


def test_a_node_that_finds_no_descriptors_is_not_opened_and_leaves_none(world: World) -> None:
    ann = world.open("ann")
    before = set(os.listdir("/proc/self/fd"))
    spare = [os.dup(0) for _ in range(8)]
    try:
        for _ in range(len(spare)):  # wherever it is interrupted
            with no_more_descriptors(), pytest.raises(BindError):
                world.open("bob")
            os.close(spare.pop())
    finally:
        for descriptor in spare:
            os.close(descriptor)
    assert set(os.listdir("/proc/self/fd")) == before
    assert ann.members()


def test_many_nodes_say_goodbye_at_the_same_time(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    ann, *others = world.open_cluster("ann", "bob", "cyd", "dee", "eve")
    cores = [core_of(node) for node in others]
    too_late: list[bool] = []

    def leave(core: Any, *, now: float) -> None:
        too_late.append(any(other.has_left for other in cores))
        real(core, now=now)

    events = ann.subscribe()
    real = type(cores[0]).leave
    monkeypatch.setattr(type(cores[0]), "leave", leave)
    close_all(others)
    assert too_late[: len(others)] == [False] * len(others)
    close_all(others)  # which is nothing more
    left: set[str] = set()
    while len(left) < len(others):
        if isinstance(event := events.get(SOON), MemberLeft):
            left.add(event.member.name)
    assert [member.name for member in ann.members()] == ["ann"]
