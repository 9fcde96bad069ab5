"""Drivers for loops that are not the standard library's: gevent and Twisted."""

import os
import subprocess
import sys

import pytest

from support.inside import engine_of
from support.paths import ROOT, TESTS
from support.waiting import HERE, SOON

pytestmark = pytest.mark.sockets


@pytest.mark.parametrize("name", ["gevent", "twisted"])
def test_it_takes_some_60_lines(name: str) -> None:
    lines = (ROOT / "swim_threads" / "contrib" / f"{name}.py").read_text().splitlines()
    assert sum(1 for line in lines if line.strip()) < 70


def test_greenlets_wait_for_members_and_for_the_goodbye() -> None:
    gevent = pytest.importorskip("gevent")
    from swim_threads import Event, MemberJoined, MemberLeft, NotRunning
    from swim_threads.contrib.gevent import GeventNode

    told: list[type[Event]] = []

    def slow_and_broken(event: Event) -> None:
        gevent.sleep(0.001)  # it may wait: the protocol goes on
        told.append(type(event))
        if isinstance(event, MemberJoined):
            raise gevent.GreenletExit  # a greenlet's quiet end; any other exception is printed

    with GeventNode(HERE, name="ann", on_event=slow_and_broken) as ann:
        with GeventNode(HERE, name="bob", join=ann.local.address) as bob:
            assert len(bob.wait_for_members(2, SOON)) == 2
            assert len(ann.wait_for_members(2, SOON)) == 2
            with pytest.raises(TimeoutError, match="fewer than 3 members after 0"):
                bob.wait_for_members(3, 0.01)
            bob.leave()
            assert bob.has_left
        bob.close()
        with pytest.raises(NotRunning):
            bob.wait_for_members(3)
        with gevent.Timeout(SOON):
            while MemberLeft not in told:
                gevent.sleep(0.001)
    assert told == [MemberJoined, MemberLeft]


def test_no_moment_with_enough_members_is_missed_by_a_waiting_greenlet() -> None:
    gevent = pytest.importorskip("gevent")
    from swim_core import Address
    from swim_threads import Member, MemberJoined, MemberLeft
    from swim_threads.contrib.gevent import GeventNode

    bob = Member("bob", Address("127.0.0.1", 9))
    with GeventNode(HERE, name="ann") as ann:
        waiting = gevent.spawn(ann.wait_for_members, 2, SOON)
        gevent.sleep(0)  # it waits now
        engine_of(ann).events += [MemberJoined(bob), MemberLeft(bob)]  # both in one turn, before any waiting greenlet's
        ann.turn()
        assert [member.name for member in waiting.get(timeout=SOON)] == ["ann", "bob"]


def test_a_node_that_fails_is_closed_and_told_to_waiting_greenlets(capsys: pytest.CaptureFixture[str]) -> None:
    gevent = pytest.importorskip("gevent")
    from swim_core import NodeCrashed
    from swim_threads.contrib.gevent import GeventNode

    with GeventNode(HERE, name="ann") as ann:
        waiting = gevent.spawn(ann.wait_for_members, 2, SOON)
        gevent.sleep(0)  # it waits now
        with pytest.raises(NodeCrashed):
            engine_of(ann).act(lambda *_: 1 // 0)
        with pytest.raises(NodeCrashed):
            waiting.get(timeout=SOON)
        assert ann.fileno() < 0
    assert "ZeroDivisionError" in capsys.readouterr().err  # gevent prints how greenlets end


PATCHED = """
from gevent import monkey
monkey.patch_all()
import gevent
from swim_threads.contrib.gevent import GeventNode

heard = gevent.event.Event()
with GeventNode("127.0.0.1:0", on_event=lambda event: "broadcast" in str(event) and heard.set()) as ann:
    with GeventNode("127.0.0.1:0", join=ann.local.address) as bob:
        bob.wait_for_members(2, 40), ann.wait_for_members(2, 40)
        bob.broadcast(b"hello")
        assert heard.wait(40)
        bob.leave()
print("fine")
"""


@pytest.mark.processes
def test_greenlets_where_the_standard_library_is_patched() -> None:
    pytest.importorskip("gevent")
    command = [sys.executable, "-W", "error", "-c", PATCHED]
    done = subprocess.run(command, capture_output=True, text=True, timeout=2 * SOON)
    assert (done.stdout, done.stderr) == ("fine\n", "")


STOPPING = """
from twisted.internet import reactor
from swim_threads import BroadcastReceived, MemberJoined, MemberLeft
from swim_threads.contrib.twisted import TwistedNode

def on_event(event):
    if isinstance(event, MemberJoined):
        ann.broadcast(b"hello")
        raise ZeroDivisionError("a bug")  # which is logged, and the next event comes
    if isinstance(event, MemberLeft):
        print("bob left, ann has", len(ann.members()))
        ann.leave().addCallback(lambda _: (print("ann left"), ann.close(), reactor.stop()))

def heard(event):
    if isinstance(event, BroadcastReceived):
        bob.leave().addCallback(lambda _: bob.close())

ann = TwistedNode(reactor, "127.0.0.1:0", name="ann", on_event=on_event)
bob = TwistedNode(reactor, "127.0.0.1:0", name="bob", join=ann.local.address, on_event=heard)
eve = TwistedNode(reactor, "127.0.0.1:0", name="eve")  # which the reactor ends
reactor.run()
print([node.fileno() for node in (ann, bob, eve)])
"""


FAILING = """
from twisted.internet import reactor
from swim_core import NodeCrashed
from swim_threads.contrib.twisted import TwistedNode
from support.inside import engine_of

def fail():
    try:
        engine_of(ann).act(lambda *_: 1 // 0)
    except NodeCrashed:
        look()

def look():
    reactor.callLater(0.001, look) if ann.fileno() >= 0 else reactor.stop()

ann = TwistedNode(reactor, "127.0.0.1:0", name="ann")
reactor.callWhenRunning(fail)
reactor.run()
print("closed")
"""


@pytest.mark.processes
def test_a_node_that_fails_under_twisted_is_closed() -> None:
    pytest.importorskip("twisted")
    done = subprocess.run(
        [sys.executable, "-c", FAILING],
        capture_output=True,
        text=True,
        timeout=SOON,
        check=True,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    assert done.stdout == "closed\n"


@pytest.mark.processes
def test_a_reactor_gives_turns_and_waits_for_the_goodbye() -> None:
    pytest.importorskip("twisted")
    done = subprocess.run([sys.executable, "-c", STOPPING], capture_output=True, text=True, timeout=SOON, check=True)
    assert done.stdout == "bob left, ann has 1\nann left\n[-1, -1, -1]\n"
    assert "Unhandled" not in done.stderr
