"""Nodes of the threads adapter on loopback, with the native protocol."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from support.waiting import SOON
from swim_core import (
    BroadcastReceived,
    Config,
    Event,
    MemberDied,
    MemberJoined,
    MemberLeft,
    MemberUpdated,
    MessageReceived,
    PayloadTooLarge,
    State,
    UnknownMember,
)
from swim_threads import Subscription, ThreadNode, open_node

pytestmark = pytest.mark.sockets

FAST = Config.local(probe_interval=0.1, stall_tolerance=1.0)


@pytest.fixture
def start() -> Iterator[Callable[..., ThreadNode]]:
    """Open nodes on a free port of loopback, by name and the node to join; closed at the end."""
    with ExitStack() as stack:

        def start(
            name: str, seed: ThreadNode | None = None, *, host: str = "127.0.0.1", advertise: str | None = None
        ) -> ThreadNode:
            join = [seed.local.address] if seed else []
            node = open_node((host, 0), name=name, join=join, config=FAST, advertise=advertise)
            return stack.enter_context(node)

        yield start


def wait_for(events: Subscription, *kinds: type[Event]) -> Event:
    """The next event of one of ``kinds``."""
    while not isinstance(event := events.get(timeout=SOON), kinds):
        pass
    return event


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_three_nodes_find_each_other_through_one_seed(start: Callable[..., ThreadNode], host: str) -> None:
    a = start("a", host=host)
    b, c = start("b", a, host=host), start("c", a, host=host)
    for node in (a, b, c):
        assert [member.name for member in node.wait_for_members(3, timeout=SOON)] == ["a", "b", "c"]
        assert all(member.address.host == host for member in node.members())
    seen = b.member("c")
    assert seen is not None
    assert seen.address == c.local.address


def test_a_dual_stack_node_joins_both_worlds(start: Callable[..., ThreadNode]) -> None:
    v4 = start("v4")
    dual = start("dual", v4, host="::", advertise="127.0.0.1")
    assert dual.local.address.host == "127.0.0.1"
    for node in (v4, dual):
        node.wait_for_members(2, timeout=SOON)


def test_broadcasts_and_messages_arrive_once(start: Callable[..., ThreadNode]) -> None:
    a = start("a")
    b, c = start("b", a), start("c", a)
    for node in (a, b, c):
        node.wait_for_members(3, timeout=SOON)
    with b.subscribe() as at_b, c.subscribe() as at_c, a.subscribe() as at_a:
        assert a.broadcast(b"hello") == 1
        for events in (at_b, at_c):
            event = wait_for(events, BroadcastReceived)
            assert isinstance(event, BroadcastReceived)
            assert (event.origin.name, event.number, event.payload) == ("a", 1, b"hello")
        b.send("c", b"psst")
        message = wait_for(at_c, MessageReceived, BroadcastReceived)
        assert isinstance(message, MessageReceived)
        assert (message.origin.name, message.payload) == ("b", b"psst")
        b.send(a.local, b"you")
        assert isinstance(wait_for(at_a, MessageReceived, BroadcastReceived), MessageReceived)
    with pytest.raises(UnknownMember):
        a.send("nobody", b"x")
    with pytest.raises(PayloadTooLarge):
        a.broadcast(bytes(FAST.max_broadcast + 1))


def test_metadata_travels_and_changes(start: Callable[..., ThreadNode]) -> None:
    a = start("a")
    b = open_node(("127.0.0.1", 0), name="b", join=[a.local.address], config=FAST, metadata={"role": "cache"})
    with b, a.subscribe(current=True) as events:
        joined = wait_for(events, MemberJoined)
        assert isinstance(joined, MemberJoined)
        assert dict(joined.member.metadata) == {"role": "cache"}
        b.wait_for_members(2, timeout=SOON)
        b.update_metadata({"role": "draining"})
        updated = wait_for(events, MemberUpdated)
        assert isinstance(updated, MemberUpdated)
        assert dict(updated.member.metadata) == {"role": "draining"}


def test_a_node_that_leaves_is_known_to_have_left(start: Callable[..., ThreadNode]) -> None:
    a = start("a")
    b = start("b", a)
    states: list[tuple[str, State]] = []
    left = threading.Event()

    def listen(member: object, state: State) -> None:
        states.append((getattr(member, "name", ""), state))
        if state is State.LEFT:
            left.set()

    a.add_status_listener(listen)
    a.wait_for_members(2, timeout=SOON)
    b.wait_for_members(2, timeout=SOON)
    b.close()
    assert left.wait(SOON)
    assert states[-1] == ("b", State.LEFT)
    assert [member.name for member in a.members()] == ["a"]
    assert [(member.name, member.state) for member in a.members(gone=True)] == [
        ("a", State.ALIVE),
        ("b", State.LEFT),
    ]
    assert a.explain("b") is not None


def test_an_exception_in_the_body_still_says_goodbye(start: Callable[..., ThreadNode]) -> None:
    a = start("a")
    b = open_node(("127.0.0.1", 0), name="b", join=[a.local.address], config=FAST)
    b.wait_for_members(2, timeout=SOON)
    a.wait_for_members(2, timeout=SOON)
    with a.subscribe() as events:
        with pytest.raises(ZeroDivisionError), b:
            raise ZeroDivisionError
        assert isinstance(wait_for(events, MemberDied, MemberLeft), MemberLeft)


VICTIM = """
import sys
from swim_core import Config
from swim_threads import open_node
config = Config.local(probe_interval=0.1, stall_tolerance=1.0)
node = open_node(("127.0.0.1", 0), name="victim", join=sys.argv[1], config=config)
node.wait_for_members(3)
print("up", flush=True)
sys.stdin.read()
"""


@pytest.mark.processes
def test_a_killed_process_is_declared_dead_and_says_why(start: Callable[..., ThreadNode]) -> None:
    a = start("a")
    b = start("b", a)
    with (
        a.subscribe() as events,
        subprocess.Popen(
            [sys.executable, "-c", VICTIM, str(a.local.address)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as victim,
    ):
        assert victim.stdout is not None
        assert victim.stdout.readline() == b"up\n"
        for node in (a, b):
            node.wait_for_members(3, timeout=SOON)
        victim.kill()
        died = wait_for(events, MemberDied)
        assert isinstance(died, MemberDied)
        assert died.member.name == "victim"
        assert died.evidence is not None
        assert died.evidence.accuser in ("a", "b")


def test_many_threads_may_use_one_node(start: Callable[..., ThreadNode]) -> None:
    a = start("a")
    b = start("b", a)
    a.wait_for_members(2, timeout=SOON)
    b.wait_for_members(2, timeout=SOON)
    with b.subscribe() as events:

        def work() -> None:
            for _ in range(20):
                a.broadcast(b"x")
                a.members()
                a.statistics()

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        numbers = set()
        for _ in range(80):
            event = wait_for(events, BroadcastReceived)
            assert isinstance(event, BroadcastReceived)
            numbers.add(event.number)
        assert numbers == set(range(1, 81))
