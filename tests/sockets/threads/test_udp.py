"""The UDP socket: datagrams both ways in every family, refusals and their causes, errors that affect nobody else."""

import errno
import logging
import os
import select
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest

from support.inside import prefer_source
from support.outsider import KEY
from support.waiting import HERE, SOON, wait_until
from swim_core import Address, BindError, ConfigError, Keys, Losses
from swim_threads import open_node
from swim_threads.sockets import udp, zones
from swim_threads.sockets.routes import family_of, route_source
from swim_threads.sockets.udp import UdpSocket

pytestmark = pytest.mark.sockets
needs_error_queue = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has an error queue")

PAIRS = [("127.0.0.1", "127.0.0.1"), ("::1", "::1"), ("::", "127.0.0.1"), ("::", "::1"), ("0.0.0.0", "127.0.0.1")]
IDS = ["v4", "v6", "dual to v4", "dual to v6", "v4 wildcard"]


class Ear:
    """A socket, and what it has received."""

    def __init__(self, host: str, port: int = 0) -> None:
        self.socket = UdpSocket.open(host, port)
        self.datagrams: list[tuple[bytes, Address]] = []
        self.refused: list[tuple[Address, bytes]] = []

    def on_datagram(self, data: bytes, source: Address) -> None:
        self.datagrams.append((data, source))

    def on_refused(self, destination: Address, quoted: bytes) -> None:
        self.refused.append((destination, quoted))

    def send(self, payload: bytes, destination: Address) -> bool:
        return self.socket.send(payload, destination, self.on_refused)

    def receive(self, limit: int = 64) -> bool:
        return self.socket.receive(self.on_datagram, self.on_refused, limit)

    def receive_until(self, done: Callable[[], bool]) -> None:
        """Receive whenever the kernel says there is something, until ``done``."""
        while not done():
            assert select.select([self.socket], [], [], SOON)[0], "nothing came"
            self.receive()

    def ready(self) -> bool:
        return bool(select.select([self.socket], [], [], 0)[0])

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def ear() -> Iterator[Ear]:
    with closing(Ear("127.0.0.1")) as it:
        yield it


def unused(host: str) -> Address:
    """An address on which nobody listens (any more)."""
    with closing(UdpSocket.open(host, 0)) as sock:
        return sock.address


@pytest.mark.parametrize(("host", "peer_host"), PAIRS, ids=IDS)
def test_datagrams_go_both_ways_with_canonical_sources(host: str, peer_host: str) -> None:
    with closing(Ear(host)) as one, closing(Ear(peer_host)) as two:
        port = one.socket.address.port
        assert one.socket.address == (host, port)
        assert port > 0
        assert one.send(b"hello", two.socket.address)
        two.receive_until(lambda: bool(two.datagrams))
        assert two.datagrams == [(b"hello", Address(peer_host, port))]
        assert two.send(b"", Address(peer_host, port))
        one.receive_until(lambda: bool(one.datagrams))
        assert one.datagrams == [(b"", two.socket.address)]
        assert type(one.datagrams[0][1]) is Address


@needs_error_queue
@pytest.mark.parametrize(("host", "peer_host"), PAIRS, ids=IDS)
def test_a_refused_datagram_is_reported_with_its_destination_and_its_bytes(host: str, peer_host: str) -> None:
    with closing(Ear(host)) as ear:
        dead = unused(peer_host)
        assert ear.send(b"is anybody there?", dead)
        ear.receive_until(lambda: bool(ear.refused))
        assert ear.refused == [(dead, b"is anybody there?")]
        assert ear.socket.saw_errors
        assert not ear.ready()
        assert not ear.receive()
        assert len(ear.refused) == 1


@needs_error_queue
def test_an_error_of_one_destination_costs_no_other_its_datagram(ear: Ear) -> None:
    with closing(Ear("127.0.0.1")) as peer:
        dead = unused("127.0.0.1")
        for number in range(100):
            assert ear.send(b"lost", dead)
            assert ear.send(b"%d" % number, peer.socket.address)
        peer.receive_until(lambda: len(peer.datagrams) == 100)
        assert [data for data, _ in peer.datagrams] == [b"%d" % number for number in range(100)]
        ear.receive_until(lambda: len(ear.refused) == 100)
        assert not ear.ready()


@needs_error_queue
def test_an_error_queue_full_of_refusals_is_emptied_and_datagrams_come_through(ear: Ear) -> None:
    with closing(Ear("127.0.0.1")) as peer, socket.socket(fileno=os.dup(ear.socket.fileno())) as raw:
        dead = unused("127.0.0.1")
        for _ in range(1_000):  # by hand, since our own send would drain the queue
            try:
                raw.sendto(b"x", dead)
            except ConnectionRefusedError:
                continue
        assert ear.ready()
        while ear.receive():
            pass
        assert len(ear.refused) > 100
        assert {destination for destination, _ in ear.refused} == {dead}
        assert not ear.ready(), "errors that are left make a busy loop"
        assert peer.send(b"and this comes in", ear.socket.address), "errors that are left eat the receive buffer"
        ear.receive_until(lambda: bool(ear.datagrams))


@needs_error_queue
def test_a_send_into_a_full_error_queue_empties_it_and_goes_out(ear: Ear) -> None:
    with closing(Ear("127.0.0.1")) as peer, socket.socket(fileno=os.dup(ear.socket.fileno())) as raw:
        dead = unused("127.0.0.1")
        for _ in range(501):  # an odd number leaves an error pending, as each second call reports one and sends nothing
            try:
                raw.sendto(b"x", dead)
            except ConnectionRefusedError:
                continue
        assert ear.send(b"this goes out", peer.socket.address)
        peer.receive_until(lambda: bool(peer.datagrams))
        assert len(ear.refused) > 100


@needs_error_queue
def test_datagrams_behind_an_error_are_received_in_the_same_go(ear: Ear) -> None:
    with closing(Ear("127.0.0.1")) as peer:
        ear.send(b"x", unused("127.0.0.1"))
        assert peer.send(b"y", ear.socket.address)
        assert not ear.receive()
        assert ear.refused
        assert ear.datagrams == [(b"y", peer.socket.address)]
        assert ear.socket.saw_errors


def test_receive_yields_at_its_limit(ear: Ear) -> None:
    with closing(Ear("127.0.0.1")) as peer:
        for number in range(5):
            peer.send(b"%d" % number, ear.socket.address)
        assert ear.receive(limit=3)
        assert len(ear.datagrams) == 3
        assert not ear.receive(limit=3)
        assert [data for data, _ in ear.datagrams] == [b"0", b"1", b"2", b"3", b"4"]
        assert not ear.socket.saw_errors


def test_what_the_network_does_not_take_is_dropped_without_raising(ear: Ear) -> None:
    here = ear.socket.address
    assert not ear.send(b"x" * 65_508, here), "more than UDP carries"
    assert not ear.send(b"x", Address("127.0.0.1", 0)), "no such port"
    assert not ear.send(b"x", Address("255.255.255.255", 9)), "not permitted"
    assert not ear.send(b"x", Address("::1", here.port)), "another family"
    with closing(Ear("::1")) as v6:
        assert not v6.send(b"x", here)
    assert ear.send(b"x" * 65_507, here)
    ear.receive_until(lambda: bool(ear.datagrams))
    assert len(ear.datagrams[0][0]) == 65_507


@pytest.mark.parametrize(
    ("number", "tries", "told"),
    [
        (errno.ENETUNREACH, udp.SEND_ATTEMPTS, True),  # perhaps an earlier datagram's error, and this one wasn't tried
        (errno.EHOSTUNREACH, udp.SEND_ATTEMPTS, True),
        (errno.ECONNRESET, udp.SEND_ATTEMPTS, False),  # Windows, of earlier ones: it says nothing of this destination
        (errno.EPERM, 1, True),
        (errno.ENOBUFS, 1, False),  # it passes
        (errno.EAGAIN, 1, False),
    ],
)
def test_a_datagram_that_the_system_refuses_is_dropped_and_counted(
    ear: Ear, number: int, tries: int, told: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def fail(payload: bytes, _: object) -> int:
        tried.append(payload)
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(ear.socket, "_sendto", fail)
    assert ear.socket.losses() is None
    assert not ear.send(b"four", ear.socket.address)
    assert len(tried) == tries
    assert ear.socket.unsent
    assert ear.socket.losses() == Losses({errno.errorcode[number]: 1}, 4, 0)
    assert not ear.socket.unsent
    assert ear.socket.losses() is None
    assert (ear.socket.trouble() is not None) == told


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_what_comes_while_the_receive_buffer_is_full_is_counted_and_told_once(ear: Ear) -> None:
    with closing(Ear("127.0.0.1")) as peer:
        sent = 0
        for _ in range(2):
            while (losses := ear.socket.losses()) is None:
                peer.send(bytes(8_192), ear.socket.address)
                sent += 1
            assert losses == Losses({}, 0, 1)
            while ear.receive():
                pass
        assert len(ear.datagrams) == sent - 2
    trouble = ear.socket.trouble()
    assert trouble is not None
    assert "1 datagrams were lost, since the receive buffer" in trouble.text
    assert ear.socket.trouble() is None


def test_a_port_in_use_is_said_clearly_and_leaves_nothing_behind(ear: Ear) -> None:
    host, port = ear.socket.address
    before = set(os.listdir("/proc/self/fd")) if sys.platform == "linux" else set()
    with pytest.raises(BindError, match=rf"127\.0\.0\.1:{port} is in use: choose another port, or port 0") as caught:
        UdpSocket.open(host, port)
    assert caught.value.errno == errno.EADDRINUSE
    with pytest.raises(BindError, match="in use"):
        UdpSocket.open("::", port)  # dual-stack: the IPv4 port counts
    if sys.platform == "linux":
        assert set(os.listdir("/proc/self/fd")) == before


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("198.51.100.77", "not an address of this host"),
        ("fe80::77", "needs its zone, as in fe80::77%eth0"),
        ("fe80::77%nosuchlink", "can't be bound"),
    ],
)
def test_an_address_that_cannot_be_had_is_a_bind_error(host: str, words: str) -> None:
    with pytest.raises(BindError, match=words):
        UdpSocket.open(host, 0)


def test_a_name_or_a_wrong_port_is_a_config_error() -> None:
    for host, port in (("localhost", 0), ("127.0.0.1", 65_536), ("127.0.0.1", -1)):
        with pytest.raises(ConfigError):
            UdpSocket.open(host, port)


def test_a_closed_socket_says_so_and_closing_twice_is_fine(ear: Ear) -> None:
    here = ear.socket.address
    ear.close()
    ear.close()
    assert ear.socket.fileno() == -1
    assert ear.socket.address == here
    with pytest.raises(OSError, match="Bad file descriptor"):
        ear.send(b"x", here)
    with pytest.raises(OSError, match="Bad file descriptor"):
        ear.receive()


def link_local_address() -> tuple[str, str] | None:
    """A link-local address of this host and its zone."""
    for index, zone in socket.if_nameindex():
        with open("/proc/net/if_inet6") as table:
            for line in table:
                packed, number, _, scope, *_ = line.split()
                if int(number, 16) == index and scope == "20":
                    return socket.inet_ntop(socket.AF_INET6, bytes.fromhex(packed)), zone
    return None


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_link_local_socket_sends_within_its_zone_and_hands_out_addresses_without() -> None:
    found = link_local_address()
    if found is None:
        pytest.skip("no link-local address here")
    host, zone = found
    with closing(Ear(f"{host}%{zone}")) as one, closing(Ear(f"{host}%{socket.if_nametoindex(zone)}")) as two:
        assert one.socket.address.host == host
        assert one.send(b"x", two.socket.address)
        two.receive_until(lambda: bool(two.datagrams))
        assert two.datagrams == [(b"x", one.socket.address)]
        dead = two.socket.address
        two.close()
        assert one.send(b"refused", dead)
        one.receive_until(lambda: bool(one.refused))
        assert one.refused == [(dead, b"refused")]


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_wildcard_socket_sends_into_the_zone_of_a_seed_and_back_to_where_a_datagram_came_from() -> None:
    found = link_local_address()
    if found is None:
        pytest.skip("no link-local address here")
    host, zone = found
    with closing(Ear("::")) as wild, closing(Ear(f"{host}%{zone}")) as bound, closing(Ear("::")) as other:
        there = Address(host, wild.socket.address.port)
        assert wild.socket.scope_of(host) == 0
        wild.socket.note_zone("fe80::1")
        wild.socket.note_zone("fe80::1%nosuchlink")
        wild.socket.note_zone(f"{host}%{zone}")
        assert wild.send(b"x", bound.socket.address)
        bound.receive_until(lambda: bool(bound.datagrams))
        assert bound.datagrams == [(b"x", there)]
        assert route_source(bound.socket.address, scope_id=wild.socket.scope_of(host)) == host
        assert wild.socket.scope_of("fe80::77") == socket.if_nametoindex(zone), "of which only others tell"
        assert wild.socket.scope_of("2001:db8::1") == 0

        assert bound.send(b"y", Address(host, other.socket.address.port))
        other.receive_until(lambda: bool(other.datagrams))
        assert other.send(b"z", bound.socket.address)


def test_the_interfaces_of_forged_sources_fill_no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zones, "MAX_HOSTS", 10)
    known = zones.Zones(0)
    hosts = [f"fe80::{number:x}" for number in range(100)]
    for host in hosts:
        known.heard(host, 3)
    assert [host for host in hosts if known.scope_of(host)] == hosts[-10:]


def test_families() -> None:
    assert family_of("::1") == socket.AF_INET6
    for host, families in (
        ("127.0.0.1", [socket.AF_INET]),
        ("::1", [socket.AF_INET6]),
        ("::", [socket.AF_INET6, socket.AF_INET]),
    ):
        with closing(UdpSocket.open(host, 0)) as sock:
            assert list(sock.reachable_families) == families
            assert sock.family == families[0]
            assert sock.dual_stack == (len(families) == 2)


def test_the_source_of_a_route() -> None:
    assert route_source(Address("127.0.0.1", 7946)) == "127.0.0.1"
    assert route_source(Address("127.0.0.9", 0)) == "127.0.0.1"
    assert route_source(Address("::1", 7946)) == "::1"
    assert route_source(Address("fe80::1", 7946)) is None, "which link?"
    for family in (socket.AF_INET, socket.AF_INET6):
        source = route_source(None, family)
        assert source is None or family_of(source) == family


needs_pktinfo = pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a wildcard socket choose")
HOME, SECOND_HOME = "127.0.0.3", "127.0.0.5"


@needs_pktinfo
@pytest.mark.parametrize("wildcard", ["0.0.0.0", "::"])
def test_a_wildcard_speaks_from_the_address_that_is_advertised(wildcard: str) -> None:
    with closing(Ear(wildcard)) as one, closing(Ear("127.0.0.1")) as two:
        one.socket.speak_from(HOME)
        assert one.socket.source == HOME
        assert one.send(b"hello", two.socket.address)
        two.receive_until(lambda: bool(two.datagrams))
        assert two.datagrams == [(b"hello", Address(HOME, one.socket.address.port))]


@needs_pktinfo
@pytest.mark.parametrize("wildcard", ["0.0.0.0", "::"])
def test_a_wildcard_answers_from_the_address_that_was_asked_and_only_answers(wildcard: str) -> None:
    with closing(Ear(wildcard)) as one, closing(Ear("127.0.0.1")) as two:
        one.socket.speak_from(HOME)
        port = one.socket.address.port

        def answer(_: bytes, source: Address) -> None:
            one.send(b"I", source)

        assert two.send(b"who is there?", Address(SECOND_HOME, port))
        assert select.select([one.socket], [], [], SOON)[0]
        one.socket.receive(answer, one.on_refused, 1)
        assert one.send(b"and now", two.socket.address)
        two.receive_until(lambda: len(two.datagrams) == 2)
        assert two.datagrams == [(b"I", Address(SECOND_HOME, port)), (b"and now", Address(HOME, port))]


@needs_pktinfo
def test_destinations_of_the_other_ip_version_are_reached_as_the_kernel_likes() -> None:
    with closing(Ear("::")) as one, closing(Ear("::1")) as two:
        one.socket.speak_from(HOME)
        assert one.send(b"hello", two.socket.address)
        two.receive_until(lambda: bool(two.datagrams))
        assert two.datagrams == [(b"hello", Address("::1", one.socket.address.port))]


@needs_pktinfo
def test_a_source_that_is_gone_costs_no_datagram() -> None:
    with closing(Ear("0.0.0.0")) as one, closing(Ear("127.0.0.1")) as two:
        prefer_source(one.socket, "192.0.2.1")  # an address of the host until a moment ago
        assert one.send(b"hello", two.socket.address)
        two.receive_until(lambda: bool(two.datagrams))
        assert two.datagrams == [(b"hello", Address("127.0.0.1", one.socket.address.port))]


def test_only_an_address_of_this_host_is_spoken_from_and_only_by_a_wildcard() -> None:
    with closing(UdpSocket.open("0.0.0.0", 0)) as wildcard, closing(UdpSocket.open("127.0.0.1", 0)) as bound:
        for host in ("192.0.2.1", "::1"):
            wildcard.speak_from(host)
            assert wildcard.source is None
        bound.speak_from("127.0.0.1")
        assert bound.source is None


def refuse_options(monkeypatch: pytest.MonkeyPatch) -> None:
    """Options that older kernels and sandboxes don't know."""
    real = socket.socket.setsockopt
    optional = {(socket.IPPROTO_IP, 11), (socket.IPPROTO_IPV6, 25), (socket.IPPROTO_IP, 8), (socket.IPPROTO_IPV6, 49)}

    def setsockopt(sock: socket.socket, level: int, option: int, value: int) -> None:
        if (level, option) in optional:
            raise OSError(errno.ENOPROTOOPT, "Protocol not available")
        real(sock, level, option, value)

    monkeypatch.setattr(socket.socket, "setsockopt", setsockopt)


@needs_error_queue
@pytest.mark.parametrize("keys", [None, KEY], ids=["plain", "sealed"])
def test_nodes_meet_and_part_where_options_are_refused(keys: Keys | None, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_options(monkeypatch)
    with (
        open_node(HERE, name="ann", keys=keys) as ann,
        open_node(HERE, name="bob", join=[ann.local.address], keys=keys) as bob,
    ):
        bob.wait_for_members(2, timeout=SOON)
        bob.broadcast(b"news")
        bob.leave()
        wait_until(lambda: len(ann.members()) == 1)


@needs_error_queue
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0", "::"])
def test_options_that_a_system_refuses_are_done_without(
    host: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """As sandboxes do that pretend to be Linux: only speed and the choice of a source address are lost."""
    refuse_options(monkeypatch)
    caplog.set_level(logging.DEBUG)
    with closing(Ear(host)) as one, closing(Ear("127.0.0.1")) as two:
        one.socket.speak_from(HOME)
        assert one.send(b"hello", two.socket.address)
        two.receive_until(lambda: bool(two.datagrams))
    assert "no error queue" in caplog.text
    assert {record.levelno for record in caplog.records} == {logging.DEBUG}


@pytest.mark.skipif(sys.platform != "linux", reason="what the kernel says of it is Linux'")
def test_a_destination_that_nothing_ever_gets_to_is_told_once_with_the_reason(ear: Ear) -> None:
    for _ in range(3):
        assert not ear.send(b"x", Address("198.51.100.1", 7946))
    trouble = ear.socket.trouble()
    assert trouble is not None
    assert "nothing sent to 198.51.100.1:7946 leaves this host" in trouble.text
    assert "bound to 127.0.0.1, a loopback address" in trouble.text
    assert "or 0.0.0.0" in trouble.text
    assert ear.socket.trouble() is None
    for number in range(100):
        ear.send(b"x", Address("198.51.100.2", 1 + number))
    assert sum(1 for _ in iter(ear.socket.trouble, None)) == 7


def test_a_datagram_that_is_too_long_says_so_and_no_more(ear: Ear) -> None:
    assert not ear.send(b"x" * 70_000, Address("127.0.0.1", 9))
    trouble = ear.socket.trouble()
    assert trouble is not None
    assert trouble.text.endswith(os.strerror(errno.EMSGSIZE))
