"""Nodes with tripwires on loopback: what is known of a process that ends, and how.

An interval of a minute leaves probes no part in it: what is known within seconds is known by a broken connection.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest

from support.inside import engine_of, parts_of
from support.paths import TESTS
from support.station import dial, fill_backlog
from support.tripwired import RARE, connected
from support.waiting import SOON, wait_until
from swim_core import Config, Event, MemberDied, MemberJoined, MemberLeft, Node, ProtocolNode, Rule, State
from swim_core.address import pack
from swim_core.native.wire.claim import Claim
from swim_threads import Subscription, ThreadNode, open_node
from swim_threads.sockets import tcp

pytestmark = pytest.mark.sockets

PATIENT = Config.lan(probe_interval=0.25, stall_tolerance=60.0, host_tolerance=1.0)  # with processes, not with hosts


@pytest.fixture(autouse=True)
def connections_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nodes of this process not wait a second for the rings to settle."""
    monkeypatch.setattr("swim_threads.sockets.tripwires.SETTLE", 0.05)


@pytest.fixture
def start() -> Iterator[Callable[..., ThreadNode]]:
    """Open nodes on a free port of loopback, by name and the node to join; closed at the end."""
    with ExitStack() as stack:

        def start(
            name: str, seed: ThreadNode | None = None, *, host: str = "127.0.0.1", config: Config = RARE
        ) -> ThreadNode:
            join = [seed.local.address] if seed else []
            node = open_node((host, 0), name=name, join=join, config=config)
            stack.callback(node.close)  # which bears with one that a test broke
            return node

        yield start


def wait_for(events: Subscription, kind: type[Event]) -> Event:
    while not isinstance(event := events.get(timeout=SOON), kind):
        pass
    return event


def require_known_by_its_connection(events: Subscription, name: str) -> None:
    """Expect that death next, on the kernels' evidence, after some node lost its connection: this one, or the one that
    voted unasked."""
    died = wait_for(events, MemberDied)
    assert isinstance(died, MemberDied)
    assert died.member.name == name
    assert died.evidence is not None
    assert died.evidence.rule is Rule.GONE
    seen = [observation.what for observation in died.evidence.observations]
    assert {"connection lost", "vote"} & set(seen) or died.evidence.accuser != "a"


VICTIM = """
import os, subprocess, sys, time
from support.inside import tripwires_of
from swim_core import Config
from swim_threads import open_node
from swim_threads.sockets import tcp
interval, stall, host = map(float, sys.argv[3:6])
config = Config.lan(probe_interval=interval, stall_tolerance=stall, host_tolerance=host)
tcp.BACKLOG = int(sys.argv[6])
node = open_node("127.0.0.1:0", name="victim", join=[sys.argv[1]], config=config)
node.wait_for_members(3, timeout=20)
tripwires = tripwires_of(node)
while tripwires.connected < 2 or len(tripwires.inbound) < 2:  # so that a child has copies of all
    time.sleep(0.01)
offspring = None
if sys.argv[2] == "fork":
    offspring = os.fork()
    if offspring == 0:
        sys.stdin.read()
        os._exit(0)
elif sys.argv[2] == "exec":
    offspring = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], close_fds=False).pid
print("up", flush=True)
sys.stdin.read()
"""


@contextmanager
def victim(
    seed: ThreadNode, offspring: str = "none", *, config: Config = RARE, backlog: int = tcp.BACKLOG
) -> Iterator[subprocess.Popen[bytes]]:
    """A member in a process of its own, with a child that outlives it until the test ends."""
    reading, writing = os.pipe()
    settings = [config.probe_interval, config.stall_tolerance, config.host_tolerance, backlog]
    command = [sys.executable, "-c", VICTIM, str(seed.local.address), offspring, *map(str, settings)]
    environ = {**os.environ, "PYTHONPATH": str(TESTS)}
    with subprocess.Popen(command, stdin=reading, stdout=subprocess.PIPE, env=environ) as process:
        os.close(reading)
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"up\n"
            yield process
        finally:
            process.kill()
            os.close(writing)  # which ends the child


@pytest.mark.processes
@pytest.mark.parametrize("offspring", ["none", "fork", "exec"])
def test_a_killed_process_is_known_by_its_connections(start: Callable[..., ThreadNode], offspring: str) -> None:
    """Even if a child lives on: a forked one closes its copies, and an executed one never had any."""
    if offspring == "fork" and not hasattr(os, "fork"):
        pytest.skip("nothing forks here")
    a = start("a")
    b = start("b", a)
    with victim(a, offspring) as process, a.subscribe() as events:
        wait_until(lambda: connected(a) == connected(b) == 2)
        process.kill()
        require_known_by_its_connection(events, "victim")
        b.wait_for_members(2)


@pytest.mark.processes
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says when the other kernel acked")
def test_a_stalled_process_whose_backlog_somebody_fills_is_not_taken_for_a_lost_host(
    start: Callable[..., ThreadNode],
) -> None:
    """Its kernel accepts no further connection, but still acks on existing ones."""
    a = start("a", config=PATIENT)
    b = start("b", a, config=PATIENT)
    with victim(a, config=PATIENT, backlog=2) as process, ExitStack() as stack:
        wait_until(lambda: connected(a) == connected(b) == 2)
        member = a.member("victim")
        assert member is not None
        process.send_signal(signal.SIGSTOP)
        fill_backlog(stack, member.address)
        wait_until(lambda: all(_saw(node, "victim", "reachable") for node in (a, b)))
        process.send_signal(signal.SIGCONT)
        wait_until(lambda: any(_saw(node, "victim", "answered") for node in (a, b)))
        for node in (a, b):
            assert not _saw(node, "victim", "declared dead")
            assert not _saw(node, "victim", "claimed dead")


def _saw(node: ThreadNode, name: str, what: str) -> bool:
    evidence = node.explain(name)
    return evidence is not None and what in [observation.what for observation in evidence.observations]


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_node_that_fails_is_known_by_its_connections(start: Callable[..., ThreadNode], host: str) -> None:
    """The process lives, but its node is gone without an announcement."""
    a = start("a", host=host)
    b, c = start("b", a, host=host), start("c", a, host=host)
    with a.subscribe() as events:
        wait_until(lambda: connected(a) == connected(b) == 2 and connected(c) == 2)
        engine_of(c).fail(RuntimeError("planted"))
        require_known_by_its_connection(events, "c")


def test_a_node_that_takes_a_new_epoch_is_connected_to_as_that(start: Callable[..., ThreadNode]) -> None:
    """That happens without an event: here somebody claims a later run of it, at its own address."""
    a = start("a")
    b = start("b", a)
    wait_until(lambda: connected(a) == connected(b) == 1)
    before = b.local
    claim = Claim("b", before.epoch + 1, pack(before.address), 0, State.ALIVE, b"", None)

    def receive(node: ProtocolNode, now: float) -> None:
        assert isinstance(node, Node)
        parts_of(node).claims.receive(claim, now)

    engine_of(b).act(receive)
    assert b.local.epoch > before.epoch
    greeting = engine_of(b).node.tripwire_plan.greeting
    wait_until(lambda: [peer.greeting for peer in engine_of(a).node.tripwire_plan.peers] == [greeting])
    wait_until(lambda: connected(a) == 1)


def test_who_leaves_breaks_no_tripwire(start: Callable[..., ThreadNode]) -> None:
    a = start("a")
    b, c = start("b", a), start("c", a)
    with a.subscribe() as events:
        wait_until(lambda: connected(a) == connected(b) == 2)
        c.close()
        left = wait_for(events, MemberLeft)
        assert isinstance(left, MemberLeft)
        wait_until(lambda: connected(a) == connected(b) == 1)
        for node in (a, b):
            evidence = node.explain("c")
            assert evidence is not None
            assert evidence.rule is Rule.LEFT
            assert "connection lost" not in [observation.what for observation in evidence.observations]


def test_without_tripwires_nothing_listens(start: Callable[..., ThreadNode]) -> None:
    with open_node("127.0.0.1:0", name="plain", config=RARE.replace(tripwires=False)) as plain:
        assert connected(plain) == 0
        with socket.socket() as probe:
            assert probe.connect_ex(plain.local.address) != 0


def test_a_port_taken_for_tcp_is_warned_of_and_gone_without(
    start: Callable[..., ThreadNode], caplog: pytest.LogCaptureFixture
) -> None:
    a = start("a")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with open_node(("127.0.0.1", port), name="b", join=[a.local.address], config=RARE) as b:
            b.wait_for_members(2, timeout=SOON)
            assert connected(b) == 0
            (warning,) = [record.getMessage() for record in caplog.records if "no tripwires" in record.getMessage()]
            assert f"127.0.0.1:{port}" in warning


def test_a_node_whose_port_is_flooded_with_connections_goes_on(start: Callable[..., ThreadNode]) -> None:
    a = start("a")
    for number in range(300):
        with dial(a.local.address, b"GET / HTTP/1.1\r\n\r\n" if number % 3 else b""):
            pass
    b = start("b", a)
    b.wait_for_members(2, timeout=SOON)
    with a.subscribe() as events:
        c = start("c", b)
        joined = wait_for(events, MemberJoined)
        assert isinstance(joined, MemberJoined)
        c.wait_for_members(3, timeout=SOON)


def test_a_new_run_at_the_old_address_is_connected_to_in_place_of_the_old(start: Callable[..., ThreadNode]) -> None:
    a = start("a")
    b = start("b", a)
    wait_until(lambda: connected(a) == 1)
    address = b.local.address
    with a.subscribe() as events:
        engine_of(b).fail(RuntimeError("planted"))
        b.close()
        with open_node(address, name="b", join=[a.local.address], config=RARE) as again:
            again.wait_for_members(2, timeout=SOON)
            joined = wait_for(events, MemberJoined)
            assert isinstance(joined, MemberJoined)
            assert joined.member.epoch == again.local.epoch
            wait_until(lambda: connected(again) == connected(a) == 1)
