"""Discovery by multicast on the loopback interface: the group's socket, and nodes of both adapters around it."""

import logging
import os
import select
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import anyio
import pytest

import swim_anyio
import swim_threads
from support.fake_node import FakeConfig
from support.inside import group_descriptor
from support.loops import on_every_loop
from support.waiting import HERE, SOON, all_logged
from support.worlds import WORLDS, World
from swim_core import Address, Multicast, NodeCrashed
from swim_threads.sockets.multicast import MulticastSocket
from swim_threads.sockets.udp import UdpSocket

pytestmark = pytest.mark.sockets


def group(**settings: float) -> Multicast:
    """A group at a port that nobody else is using, so that concurrent runs don't meet."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.bind(("", 0))
        port = sock.getsockname()[1]
    return Multicast(ipv4=("239.255.77.77", port), ipv6=("ff15::77:77", port), **settings)  # type: ignore[arg-type]


class Ear:
    """A group's socket beside a node's, and what it has heard."""

    def __init__(self, settings: Multicast, host: str = "127.0.0.1", advertised: Address | None = None) -> None:
        self.own = UdpSocket.open(host, 0)
        try:
            self.group = MulticastSocket.open(settings, self.own, advertised or self.own.address)
        except BaseException:
            self.own.close()
            raise
        self.heard: list[tuple[bytes, Address]] = []

    def __enter__(self) -> "Ear":
        return self

    def __exit__(self, *error: object) -> None:
        self.own.close()
        self.group.close()

    def receive(self, limit: int = 64) -> bool:
        return self.group.receive(lambda data, source: self.heard.append((data, source)), limit)

    def ready(self, seconds: float = 0) -> bool:
        return bool(select.select([self.group], [], [], seconds)[0])

    def hear(self) -> bytes:
        """The next announcement."""
        assert self.ready(SOON), "nothing came"
        self.receive(1)
        return self.heard[-1][0]


@pytest.fixture(autouse=True, scope="module")
def loopback_takes_multicast() -> None:
    try:
        with Ear(group()) as ear:
            refused = ear.group.send(b"x")
            if refused or not ear.ready(1):
                pytest.skip(f"no multicast on the loopback interface: {refused or 'nothing comes'}")
    except OSError as error:
        pytest.skip(f"no multicast on the loopback interface: {error}")


# ---------------------------------------------------------------------- the socket


def test_all_of_a_host_hear_an_announcement_its_sender_too() -> None:
    settings = group()
    with Ear(settings) as a, Ear(settings) as b, Ear(group()) as other:
        assert a.group.send(b"hello") is None
        for ear in (a, b):
            assert ear.hear() == b"hello"
            assert ear.heard[0][1].host == "127.0.0.1"
        assert not other.ready()


def test_an_announcement_comes_from_where_the_node_listens() -> None:
    settings = group()
    with Ear(settings, "127.0.0.2") as a, Ear(settings) as b:
        a.group.send(b"hello")
        b.hear()
        assert b.heard[0][1].host == "127.0.0.2"


def test_under_a_wildcard_the_advertised_address_says_which_interface_is_meant() -> None:
    settings = group()
    with Ear(settings, "0.0.0.0", Address("127.0.0.1", 1)) as a, Ear(settings, "::", Address("127.0.0.1", 1)) as b:
        a.group.send(b"hello")
        assert b.hear() == b"hello"


def test_what_arrives_is_taken_in_portions() -> None:
    with Ear(group()) as ear:
        for number in range(5):
            ear.group.send(b"%d" % number)
        assert ear.ready(SOON)
        assert ear.receive(3)
        assert not ear.receive(3)
        assert [data for data, _ in ear.heard] == [b"0", b"1", b"2", b"3", b"4"]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows binds no group")
def test_what_is_sent_to_the_port_alone_does_not_come_in() -> None:
    settings = group()
    with Ear(settings) as ear, closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.sendto(b"from afar", ("127.0.0.1", settings.ipv4.port))
        ear.group.send(b"hello")
        assert ear.hear() == b"hello"


def test_it_stays_on_the_link_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    hops = []
    plain = socket.socket.setsockopt

    def setsockopt(sock: socket.socket, level: int, option: int, value: int) -> None:
        if (level, option) == (socket.IPPROTO_IP, socket.IP_MULTICAST_TTL):
            hops.append(value)
        plain(sock, level, option, value)

    for settings in (group(), group(hops=4)):
        with Ear(settings) as ear, monkeypatch.context() as patched:
            patched.setattr(socket.socket, "setsockopt", setsockopt)
            ear.group.send(b"hello")
    assert hops == [1, 4]


def test_a_failure_to_send_is_told_once() -> None:
    with Ear(group()) as ear:
        trouble = ear.group.send(bytes(70_000))
        assert trouble is not None
        assert f"announcements to {ear.group.group} don't leave this host" in trouble
        assert ear.group.send(bytes(70_000)) is None
        assert ear.group.send(b"hello") is None
        assert ear.hear() == b"hello"


def test_a_closed_one_says_so() -> None:
    with Ear(group()) as ear:
        ear.group.close()
        assert ear.group.fileno() == -1
        with pytest.raises(OSError, match="Bad file descriptor"):
            ear.receive()


# ---------------------------------------------------------------------- the adapters


@pytest.fixture(params=[name for name in WORLDS if name != "simulation"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with WORLDS[request.param]() as world:
        yield world


def test_nodes_without_seeds_find_each_other(world: World) -> None:
    settings = group(interval=0.5)
    nodes = [world.open(name, discover=settings) for name in "abc"]
    for node in nodes:
        assert [member.name for member in node.wait_for_members(3, SOON)] == ["a", "b", "c"]


def test_both_adapters_meet_in_one_group() -> None:
    settings = group(interval=0.5)
    with WORLDS["threads"]() as one, WORLDS["asyncio"]() as two, WORLDS["trio"]() as three:
        nodes = [world.open(f"n{number}", discover=settings) for number, world in enumerate((one, two, three))]
        for node in nodes:
            node.wait_for_members(3, SOON)


def test_clusters_of_another_label_stay_apart(world: World) -> None:
    settings = group(interval=0.1)
    a, b = (world.open(name, cluster=name, discover=settings) for name in "ab")
    world.wait(lambda: all(node.statistics().messages_sent.get("announce", 0) > 4 for node in (a, b)))
    assert len(a.members()) == len(b.members()) == 1


def test_who_is_not_told_to_discover_is_not_found(world: World) -> None:
    settings = group(interval=0.1)
    a, b = world.open("a", discover=settings), world.open("b")
    world.wait(lambda: a.statistics().messages_sent.get("announce", 0) > 4)
    assert len(a.members()) == len(b.members()) == 1


def test_where_the_group_can_not_be_had_one_warning_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    settings = group()
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as alone:
        alone.bind(("", settings.ipv4.port))  # and shares the port with nobody
        a = world.open("a", discover=settings)
    b = world.open("b", join=[a])
    a.wait_for_members(2, SOON)
    b.wait_for_members(2, SOON)
    all_logged()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "a: no discovery by multicast: Address already in use"
    ]


def test_where_announcements_do_not_leave_one_warning_is_logged(
    world: World, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a host without a multicast route; a test with two namespaces has that for real."""
    monkeypatch.setattr("swim_threads.sockets.multicast._target", lambda group, index: ("255.255.255.255", group.port))
    monkeypatch.setattr("swim_threads.sockets.multicast._bindable", lambda group, index: tuple(group))
    a = world.open("a", discover=group(interval=0.1))
    b = world.open("b", join=[a])
    world.wait(lambda: a.statistics().messages_sent.get("announce", 0) > 4)
    a.wait_for_members(2, SOON)
    b.wait_for_members(2, SOON)
    (warning,) = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert warning.startswith("a: announcements to 239.255.77.77:")


def test_the_configuration_of_a_protocol_may_want_it() -> None:
    config = FakeConfig(discovery=group())
    with swim_threads.open_node(HERE, config=config):
        wait(lambda: config.node.announcements)
    with swim_threads.open_node(HERE, config=config, discover=group()):
        wait(lambda: config.node.announcements)


def test_threads_hand_announcements_to_the_node_and_close_the_group() -> None:
    config = FakeConfig()
    with swim_threads.open_node(HERE, config=config, discover=group()) as node:
        wait(lambda: config.node.announcements)
        assert group_descriptor(node) >= 0
    data, source = config.node.announcements[0]
    assert data == b"here I am"
    assert source.host == "127.0.0.1"
    assert group_descriptor(node) == -1


def test_threads_a_node_that_fails_closes_the_group() -> None:
    config = FakeConfig(raises={"feed_announcement": ZeroDivisionError()})
    node = swim_threads.open_node(HERE, config=config, discover=group())
    wait(lambda: group_descriptor(node) == -1)
    with pytest.raises(NodeCrashed):
        node.members()
    node.close()


@pytest.mark.parametrize("method", ["create_node", "discover"])
def test_threads_a_node_that_can_not_start_leaves_nothing(method: str) -> None:
    config = FakeConfig(raises={method: ZeroDivisionError()})
    with pytest.raises(ZeroDivisionError):
        swim_threads.open_node(HERE, config=config, discover=group())


@on_every_loop
async def test_a_loop_hands_announcements_to_the_node_and_closes_the_group() -> None:
    config = FakeConfig()
    async with swim_anyio.open_node(HERE, config=config, discover=group()):
        with anyio.fail_after(SOON):
            while not config.node.announcements:
                await anyio.sleep(0.001)
    data, source = config.node.announcements[0]
    assert data == b"here I am"
    assert source.host == "127.0.0.1"


@on_every_loop
async def test_in_a_loop_a_node_that_fails_closes_the_group() -> None:
    config = FakeConfig(raises={"feed_announcement": ZeroDivisionError()})
    with pytest.raises(NodeCrashed):
        async with swim_anyio.open_node(HERE, config=config, discover=group()):
            await anyio.sleep(SOON)


@on_every_loop
async def test_in_a_loop_a_node_that_can_not_start_leaves_nothing() -> None:
    for method in ("create_node", "discover"):
        config = FakeConfig(raises={method: ZeroDivisionError()})
        with pytest.raises(ZeroDivisionError):
            async with swim_anyio.open_node(HERE, config=config, discover=group()):
                pass


@on_every_loop
async def test_in_a_loop_the_end_of_a_block_by_exception_closes_the_group() -> None:
    with pytest.raises(ZeroDivisionError):
        async with swim_anyio.open_node(HERE, config=FakeConfig(), discover=group()):
            raise ZeroDivisionError


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # from Python 3.12 on
@pytest.mark.parametrize("adapter", ["threads", "asyncio"])
def test_a_forked_child_gives_up_the_group(adapter: str) -> None:
    settings = group()

    def child_sees() -> int:
        """Whether a child holds a socket at the group's port, by its exit status."""
        child = os.fork()
        if child == 0:
            os._exit(int(any(_bound_to(fd, settings.ipv4) for fd in range(256))))
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    async def main() -> None:
        async with swim_anyio.open_node(HERE, config=FakeConfig(), discover=settings):
            assert any(_bound_to(fd, settings.ipv4) for fd in range(256))
            assert child_sees() == 0

    if adapter == "asyncio":
        anyio.run(main)
        return
    with swim_threads.open_node(HERE, config=FakeConfig(), discover=settings):
        assert any(_bound_to(fd, settings.ipv4) for fd in range(256))
        assert child_sees() == 0


def _bound_to(fd: int, address: Address) -> bool:
    try:
        sock = socket.socket(fileno=os.dup(fd))
    except OSError:
        return False
    with sock:
        return sock.family == socket.AF_INET and sock.getsockname() == address


def wait(condition: Callable[[], object]) -> None:
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end, "the condition was not met in time"
        time.sleep(0.002)
