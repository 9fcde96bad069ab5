"""A node in a loop of one's own: `Driver`. What all adapters promise is in `conformance/`, which runs over it, too."""

import os
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from support.inside import socket_of
from support.waiting import HERE, wait_until
from swim_core import BindError, Config, ConfigError, Event, MemberDied, MemberJoined, MemberLeft, NotRunning, Rule
from swim_core.embedding.host_port import HostPort
from swim_threads.driver import Driver

pytestmark = pytest.mark.sockets

QUICK = Config.local(probe_interval=0.1, stall_tolerance=2.0)


@pytest.fixture
def udp() -> Iterator[Callable[..., socket.socket]]:
    """Makes UDP sockets of the user's."""
    made: list[socket.socket] = []

    def make(kind: int = socket.SOCK_DGRAM, family: int = socket.AF_INET, bind: Any = HERE) -> socket.socket:
        made.append(socket.socket(family, kind))
        if bind is not None:
            made[-1].bind(bind)
        return made[-1]

    yield make
    for sock in made:
        sock.close()


def turn_until(condition: Callable[[], object], *nodes: Driver) -> None:
    """The loop: waits for sockets and clocks, and gives turns."""

    def turns() -> object:
        timeouts = [timeout for node in nodes if (timeout := node.timeout()) is not None]
        select.select(nodes, [], [], min(timeouts, default=1.0))
        for node in nodes:
            node.turn()
        return condition()

    wait_until(turns)


def test_events_come_by_turns_and_by_nothing_else() -> None:
    told: list[Event] = []
    with (
        Driver(HERE, name="ann", config=QUICK) as ann,
        Driver(HERE, name="bob", config=QUICK, on_event=told.append) as bob,
    ):
        bob.join(ann.local.address)
        ann.broadcast(b"nobody is there yet")
        assert told == []
        assert bob.timeout() == 0.0
        turn_until(lambda: len(ann.members()) == len(bob.members()) == 2, ann, bob)
        assert "ann" in [event.member.name for event in told if isinstance(event, MemberJoined)]


def test_what_on_event_raises_comes_out_and_the_next_turn_goes_on() -> None:
    told: list[Event] = []

    def first_raises(event: Event) -> None:
        told.append(event)
        if len(told) == 1:
            raise ZeroDivisionError

    with Driver(HERE, name="ann", config=QUICK) as ann, Driver(HERE, config=QUICK, on_event=first_raises) as bob:
        bob.join(ann.local.address)
        with pytest.raises(ZeroDivisionError):
            turn_until(lambda: told, ann, bob)
        turn_until(lambda: any(isinstance(event, MemberJoined) for event in told), ann, bob)


def test_a_goodbye_takes_some_turns() -> None:
    told: list[Event] = []
    with Driver(HERE, name="ann", config=QUICK, on_event=told.append) as ann, Driver(HERE, name="bob") as bob:
        bob.join(ann.local.address)
        turn_until(lambda: len(ann.members()) == len(bob.members()) == 2, ann, bob)
        bob.leave()
        assert not bob.has_left
        turn_until(lambda: bob.has_left, ann, bob)
    assert MemberLeft in {type(event) for event in told}


def test_a_crash_is_found_by_what_the_kernel_says() -> None:
    told: list[Event] = []
    with Driver(HERE, name="ann", config=QUICK, on_event=told.append) as ann:
        bob = Driver(HERE, name="bob", join=ann.local.address, config=QUICK)
        turn_until(lambda: len(ann.members()) == len(bob.members()) == 2, ann, bob)
        socket_of(bob).close()  # as when its process ends
        turn_until(lambda: any(isinstance(event, MemberDied) for event in told), ann)
    (died,) = [event for event in told if isinstance(event, MemberDied)]
    assert died.evidence is not None
    assert died.evidence.rule is Rule.GONE


def test_who_waits_in_another_task_is_told_of_an_earlier_deadline() -> None:
    earlier: list[float | None] = []
    with Driver(HERE, config=QUICK, on_earlier=lambda: earlier.append(node.timeout())) as node:
        turn_until(lambda: node.timeout() != 0.0, node)
        asleep = node.timeout()
        assert earlier == []
        node.join(("127.0.0.1", 9))
        (until,) = earlier
        assert until is not None
        assert asleep is None or until < asleep
        node.timeout()
        node.update_metadata({"k": "v"})  # nobody has to wake up for that


@pytest.mark.parametrize(
    ("family", "bind"), [(socket.AF_INET, HERE), (socket.AF_INET6, ("::1", 0)), (socket.AF_INET6, ("::", 0))]
)
def test_a_socket_of_ones_own_is_taken_over(
    family: int, bind: HostPort, udp: Callable[..., socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    given = udp(family=family, bind=bind)
    port = given.getsockname()[1]
    with Driver(given, name="ann", config=QUICK, advertise="[::1]" if ":" in bind[0] else None) as ann:
        assert ann.local.address.port == port
        assert given.fileno() == -1
        with Driver("[::1]:0" if ":" in bind[0] else HERE, join=ann.local.address, config=QUICK) as bob:
            turn_until(lambda: len(ann.members()) == len(bob.members()) == 2, ann, bob)
    assert ann.fileno() == -1


def test_a_socket_that_does_not_fit_is_refused_and_stays_as_it_is(udp: Callable[..., socket.socket]) -> None:
    for given, says in ((udp(socket.SOCK_STREAM), "give a UDP socket"), (udp(bind=None), "not bound")):
        with pytest.raises(ConfigError, match=says):
            Driver(given)
        assert given.fileno() >= 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"join": "seed.example"}, "join: 'seed.example' is a name"),
        ({"bind": "localhost:0"}, "bind: 'localhost' is a name"),
        ({"advertise": "me.example"}, "advertise: 'me.example' is a name"),
        ({"on_event": 5}, "function"),
        ({"on_earlier": 5}, "function"),
        ({"config": {}}, "config: give Config.lan()"),
    ],
)
def test_what_is_no_use_is_refused_by_name(arguments: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        Driver(**{"bind": HERE, **arguments})


def test_a_port_in_use_leaves_nothing_behind() -> None:
    with Driver(HERE) as node, pytest.raises(BindError, match="in use"):
        Driver(node.local.address)


def test_joining_a_name_later_is_refused_too() -> None:
    with Driver(HERE) as node, pytest.raises(ConfigError, match="is a name"):
        node.join("seed.example")


def test_after_the_end_there_are_views_and_nothing_else() -> None:
    node = Driver(HERE, name="ann")
    node.close()
    node.close()
    assert node.has_left
    assert (node.local.name, node.members()) == ("ann", ())
    assert "closed" in repr(node)
    for call in (node.turn, node.leave, lambda: node.broadcast(b"x"), lambda: node.join("127.0.0.1:1")):
        with pytest.raises(NotRunning):
            call()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_has_nothing_of_it() -> None:
    with closing(Driver(HERE)) as node:
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                node.turn()
            except NotRunning:
                status = 0
            finally:
                os._exit(status)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
        node.turn()


def test_the_zone_of_a_seed_says_through_which_interface_to_reach_it() -> None:
    index, zone = socket.if_nameindex()[0]
    try:
        node = Driver("[::]:0", join=[f"[fe80::1%{zone}]:7946"], insecure=True)
    except BindError:
        pytest.skip("no IPv6 here")
    with node:
        assert socket_of(node).scope_of("fe80::1") == index
