"""What becomes of the advertised address as the host's own addresses come and go; the host is scripted."""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import closing
from ipaddress import ip_address

import pytest

from support.fake_node import FakeConfig, FakeNode
from swim_core import (
    Address,
    BindError,
    ConfigError,
    Isolated,
    JoinAttempt,
    Member,
    NameTaken,
    NotSupported,
    SeenElsewhere,
)
from swim_threads import open_node, own_address
from swim_threads.own_address import LOOK_EVERY, OwnAddress
from swim_threads.sockets import interfaces
from swim_threads.sockets.interfaces import LocalAddress, likely_hosts, named_host
from swim_threads.sockets.routes import is_local, route_source
from swim_threads.sockets.udp import UdpSocket

SEED = Address("10.0.0.1", 7946)


class Kernel:
    """The addresses of a host, and the one that all routes start from."""

    def __init__(self) -> None:
        self.hosts: list[str] = []
        self.source: str | None = None

    def move(self, host: str | None, *, routed: bool = True) -> None:
        """Give the host this address and no other."""
        self.hosts = [] if host is None else [host]
        self.source = host if routed else None

    def is_local(self, host: str) -> bool:
        return host in self.hosts or host.startswith("127.")

    def route_source(self, destination: Address) -> str | None:
        return "127.0.0.1" if destination.host.startswith("127.") else self.source


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    made = Kernel()
    monkeypatch.setattr(own_address, "is_local", made.is_local)
    monkeypatch.setattr(own_address, "route_source", made.route_source)
    monkeypatch.setattr(own_address, "likely_hosts", lambda: made.hosts)
    return made


@pytest.fixture
def sock() -> Iterator[UdpSocket]:
    with closing(UdpSocket.open("0.0.0.0", 0)) as it:
        yield it


def node_of(own: OwnAddress) -> FakeNode:
    return FakeNode("ann", own.address, 0.0, {})


def test_a_new_address_of_the_host_is_told_to_the_node(kernel: Kernel, sock: UdpSocket) -> None:
    kernel.move("10.0.0.7")
    own = OwnAddress(sock, None, [SEED])
    node = node_of(own)
    assert own.follow(node, 1.0) is None
    assert own.due == 1.0 + LOOK_EVERY
    kernel.move("10.0.0.8")
    notice = own.follow(node, 2.0)
    assert notice is not None
    assert "10.0.0.7" in notice.text
    assert "10.0.0.8" in notice.text
    assert own.address == node.local.address == Address("10.0.0.8", sock.address.port)


def test_an_address_that_is_still_there_is_kept_whatever_the_routes_say(kernel: Kernel, sock: UdpSocket) -> None:
    kernel.move("10.0.0.7")
    own = OwnAddress(sock, None, [SEED])
    kernel.hosts, kernel.source = ["10.0.0.7", "10.0.0.8"], "10.0.0.8"
    assert own.follow(node_of(own), 1.0) is None
    assert own.address.host == "10.0.0.7"


def test_without_a_network_the_old_address_stays_for_it_may_come_back(kernel: Kernel, sock: UdpSocket) -> None:
    kernel.move("10.0.0.7")
    own = OwnAddress(sock, None, [])
    kernel.move(None)
    assert own.follow(node_of(own), 1.0) is None
    assert own.address.host == "10.0.0.7"


def test_a_guess_gives_way_to_a_route_but_to_no_other_guess(kernel: Kernel, sock: UdpSocket) -> None:
    kernel.move("10.0.0.7", routed=False)
    own = OwnAddress(sock, None, [SEED])
    node = node_of(own)
    assert own.choice.doubtful
    kernel.hosts = ["10.0.0.6", "10.0.0.7"]
    assert own.follow(node, 1.0) is None
    kernel.source = "10.0.0.6"
    assert own.follow(node, 2.0) is not None
    assert own.address.host == "10.0.0.6"
    assert not own.choice.doubtful


def test_a_node_that_is_still_alone_asks_its_seeds_again_from_where_it_is_now(kernel: Kernel, sock: UdpSocket) -> None:
    own = OwnAddress(sock, None, [SEED])
    node = node_of(own)
    assert own.address.host == "127.0.0.1"
    own.heard(JoinAttempt((Address("127.0.1.1", 7946), SEED)))
    kernel.move("10.0.0.7")
    own.follow(node, 1.0)
    assert [list(seeds) for seeds in node.joins] == [[("127.0.1.1", 7946), SEED]]
    node.others = [Member("bob", SEED)]
    kernel.move("10.0.0.8")
    own.follow(node, 2.0)
    assert len(node.joins) == 1


def test_ones_own_name_among_the_seeds_never_leads_back_to_loopback(kernel: Kernel, sock: UdpSocket) -> None:
    own = OwnAddress(sock, None, [])
    own.heard(JoinAttempt((Address("127.0.1.1", 7946),)))
    assert own.follow(node_of(own), 1.0) is None
    kernel.move("10.0.0.7")
    assert own.follow(node_of(own), 2.0) is not None
    assert own.address.host == "10.0.0.7"


def test_a_join_attempt_isolation_and_what_others_see_are_reasons_to_look_at_once(
    kernel: Kernel, sock: UdpSocket
) -> None:
    kernel.move("10.0.0.7")
    own = OwnAddress(sock, None, [SEED])
    for event in (JoinAttempt((SEED,)), Isolated(), SeenElsewhere(SEED, SEED, SEED)):
        own.follow(node_of(own), 5.0)
        assert own.due > 5.0
        own.heard(event)
        assert own.due < 5.0


def test_without_a_descriptor_to_look_with_nothing_is_concluded(
    kernel: Kernel, sock: UdpSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even that the address is gone: a busy program that lacks descriptors for a moment would lose its members."""
    kernel.move("10.0.0.7")
    own = OwnAddress(sock, None, [SEED])
    node = node_of(own)
    kernel.move("10.0.0.8")
    with monkeypatch.context() as patch:
        patch.setattr(own_address, "is_local", is_local)
        patch.setattr(own_address, "route_source", route_source)
        patch.setattr("swim_threads.sockets.routes.Socket", no_more_sockets)
        assert own.follow(node, 1.0) is None
        assert own.address.host == node.local.address.host == "10.0.0.7"
    assert own.due == 1.0 + LOOK_EVERY
    assert own.follow(node, own.due) is not None
    assert own.address.host == "10.0.0.8"


def no_more_sockets(*_: object) -> UdpSocket:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def test_what_was_asked_for_is_never_left(kernel: Kernel, sock: UdpSocket) -> None:
    own = OwnAddress(sock, Address("192.0.2.1", 0), [SEED])
    assert not own.follows
    own.heard(JoinAttempt((SEED,)))
    assert own.due == float("inf")


def test_where_members_are_their_addresses_the_operator_is_told_once(kernel: Kernel, sock: UdpSocket) -> None:
    kernel.move("10.0.0.7")
    own = OwnAddress(sock, None, [SEED])
    node = node_of(own)
    node.raises["update_address"] = NotSupported("no")
    kernel.move("10.0.0.8")
    notice = own.follow(node, 1.0)
    assert notice is not None
    assert "restart" in notice.text
    assert own.due == float("inf")
    assert own.address.host == "10.0.0.7"
    own.heard(Isolated())
    assert own.due == float("inf")


def test_a_node_that_may_not_speak_moves_later(kernel: Kernel, sock: UdpSocket) -> None:
    kernel.move("10.0.0.7")
    own = OwnAddress(sock, None, [SEED])
    node = node_of(own)
    node.raises["update_address"] = NameTaken("it is")
    kernel.move("10.0.0.8")
    assert own.follow(node, 1.0) is None
    del node.raises["update_address"]
    assert own.follow(node, 2.0) is not None


def test_likely_hosts_come_first_and_what_others_never_reach_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [
        ("lo", "127.0.0.1"),
        ("docker0", "172.17.0.1"),
        ("eth0", "fe80::1"),
        ("eth0", "10.0.0.7"),
        ("eth1", "8.8.4.4"),
    ]
    found = tuple(LocalAddress(name, ip_address(host)) for name, host in listed)
    monkeypatch.setattr(interfaces, "local_addresses", lambda: found)
    assert likely_hosts() == ["8.8.4.4", "10.0.0.7", "172.17.0.1"]
    assert found[2].host == "fe80::1%eth0"


def test_this_host_has_a_loopback_address() -> None:
    assert "127.0.0.1" in [local.host for local in interfaces.local_addresses()]


def test_a_system_that_does_not_tell_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise OSError("no")

    monkeypatch.setattr("ifaddr.get_adapters", refuse)
    assert interfaces.local_addresses() == ()


LISTED = [
    ("lo", "127.0.0.1"),
    ("eth0", "fe80::1"),
    ("eth0", "fd00::7"),
    ("eth0", "10.0.0.7"),
    ("eth1", "10.1.0.7"),
    ("eth1", "10.1.0.8"),
    ("eth2", "fe80::2"),
    ("eth3", "fe80::3"),
    ("eth3", "fd00::3"),
]


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> None:
    found = tuple(LocalAddress(name, ip_address(host)) for name, host in LISTED)
    monkeypatch.setattr(interfaces, "local_addresses", lambda: found)
    monkeypatch.setattr(interfaces, "_is_interface", lambda name: name.startswith("eth"))


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("eth0", "10.0.0.7"),
        ("eth2", "fe80::2%eth2"),
        ("eth3", "fd00::3"),
        ("10.0.0.0/16", "10.0.0.7"),
        ("127.0.0.0/8", "127.0.0.1"),
        ("fd00::7/128", "fd00::7"),
        ("example.org", None),
    ],
)
def test_an_interface_or_a_network_means_the_one_address_there(listed: None, name: str, host: str | None) -> None:
    assert named_host(name) == host


@pytest.mark.parametrize("name", ["eth1", "10.0.0.0/8"])
def test_several_addresses_are_told(listed: None, name: str) -> None:
    with pytest.raises(ConfigError, match=rf"bind: {name} has several .*10\.1\.0\.7 \(eth1\), 10\.1\.0\.8 \(eth1\)"):
        named_host(name)


@pytest.mark.parametrize("name", ["eth9", "192.168.0.0/16"])
def test_if_there_is_none_what_there_is_is_told(listed: None, name: str) -> None:
    with pytest.raises(BindError, match=rf"{name} has no address of this host, which has 127\.0\.0\.1 \(lo\), .*eth3"):
        named_host(name)


def test_a_network_that_is_none_is_no_host_either() -> None:
    with pytest.raises(ConfigError, match="bind: "):
        named_host("a/b")


@pytest.mark.skipif(sys.platform != "linux", reason="interfaces have other names elsewhere")
@pytest.mark.parametrize("bind", ["lo:0", "127.0.0.0/8:0"])
def test_a_node_listens_there(bind: str) -> None:
    with open_node(bind, config=FakeConfig()) as node:
        assert node.local.address.host == "127.0.0.1"
