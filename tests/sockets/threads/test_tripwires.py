"""Tripwires on real sockets: greetings, announced and sudden ends, bounds on strangers, tests of kernels."""

import errno
import os
import socket
import sys
from contextlib import ExitStack

import pytest

from support.inside import accepted_sockets, kept_sockets
from support.station import LABEL, Station, dial, fill_backlog, run_until, station
from swim_core import Address, KernelEvidence, Tripwire, TripwirePlan
from swim_core.tripwire import greeting_of
from swim_threads.sockets import keepalive, tcp, tripwire_listener, tripwires
from swim_threads.sockets.alarms import Alarms
from swim_threads.sockets.owned import Socket
from swim_threads.sockets.tcp import Dial, TcpListener, open_pair
from swim_threads.sockets.tripwire_listener import TripwireListener
from swim_threads.sockets.udp import UdpSocket

pytestmark = pytest.mark.sockets

CONNECTED, LOST = KernelEvidence.CONNECTED, KernelEvidence.CONNECTION_LOST
REACHABLE, REFUSED, SILENT = KernelEvidence.REACHABLE, KernelEvidence.REFUSED_TCP, KernelEvidence.KERNEL_SILENT


def ended(sock: socket.socket) -> bool:
    """Whether the other side has closed a connection."""
    sock.settimeout(0.01)
    try:
        return sock.recv(100) == b""
    except TimeoutError:
        return False
    except ConnectionResetError:
        return True


# ------------------------------------------------------------------ keeping connections


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_connection_is_kept_once_the_right_run_has_greeted(host: str) -> None:
    with station(1, host=host) as here, station(2, host=host) as there:
        here.wire(there.tripwire)
        run_until(lambda: here.said, here, there)
        assert here.said == [(CONNECTED, there.address, there.greeting)]
        assert here.tripwires.connected == 1
        assert there.inbound == 1
        assert there.said == []


@pytest.mark.parametrize("theirs", [greeting_of(LABEL, 99), greeting_of(LABEL + 1, 2)])
def test_another_run_or_cluster_is_no_tripwire_and_is_tried_again_later_and_later(theirs: bytes) -> None:
    with station(1) as here, station(2) as there:
        there.tripwires.rewire(TripwirePlan(theirs, ()), there.now)
        here.wire(there.tripwire)
        waits: list[float] = []
        for _ in range(9):
            run_until(lambda: not here.tripwires.connecting, here, there)
            waits.append(here.tripwires.deadline - here.now)
            here.pass_time(waits[-1])
        assert waits == pytest.approx([1, 2, 4, 8, 16, 32, 60, 60, 60], rel=0.26)
        assert here.said == []


def test_an_end_without_a_word_is_a_loss() -> None:
    with station(1) as here:
        there = Station(2)
        here.wire(there.tripwire)
        run_until(lambda: here.said, here, there)
        there.close(announce=False)
        run_until(lambda: len(here.said) > 1, here)
        assert here.said[1:] == [(LOST, there.address, there.greeting)]
        assert here.tripwires.connected == 0


def test_an_announced_end_is_none() -> None:
    with station(1) as here:
        there = Station(2)
        here.wire(there.tripwire)
        run_until(lambda: here.said, here, there)
        there.close(announce=True)
        run_until(lambda: here.tripwires.connected == 0, here)
        assert here.kinds == [CONNECTED]


def test_what_is_no_longer_to_be_kept_is_closed_after_a_while_and_nobody_takes_it_for_an_end() -> None:
    with station(1) as here, station(2) as old, station(3) as new:
        here.wire(old.tripwire)
        run_until(lambda: here.said, here, old)
        here.tripwires.rewire(TripwirePlan(here.greeting, (new.tripwire,)), here.now)
        here.pass_time(0.9)
        assert here.tripwires.connected == 1
        here.pass_time(0.2)
        run_until(lambda: old.inbound == 0 and len(here.said) == 2, here, old, new)
        assert here.said[1:] == [(CONNECTED, new.address, new.greeting)]
        assert old.said == []


def test_many_changes_within_a_second_cause_one_rewiring() -> None:
    with station(1) as here, station(2) as there:
        for run in range(10, 20):
            here.tripwires.rewire(
                TripwirePlan(here.greeting, (Tripwire(there.address, greeting_of(LABEL, run)),)), here.now
            )
            here.pass_time(0.05)
        here.tripwires.rewire(TripwirePlan(here.greeting, (there.tripwire,)), here.now)
        here.pass_time(0.6)
        run_until(lambda: here.said, here, there)
        assert here.kinds == [CONNECTED]
        assert there.wakes <= 4


def test_a_connection_that_stood_for_long_is_made_again_soon() -> None:
    """A middlebox that forgets idle connections costs one test each time, and the next attempts come no later."""
    with station(1) as here:
        there = Station(2)
        here.wire(there.tripwire)
        for _ in range(3):
            run_until(lambda: here.tripwires.connected, here, there)
            here.now += tripwires.LONG
            there.close(announce=False)
            run_until(lambda: not here.tripwires.connected, here)
            assert here.tripwires.deadline - here.now < 1.3 * tripwires.BACKOFF
            there = Station(2, port=there.address.port)
            here.pass_time(1.3)
        there.close()
        assert here.kinds == 3 * [CONNECTED, LOST]


def test_who_is_connected_but_never_greeted_is_given_up() -> None:
    """Whatever listens there, or a process that stalls."""
    with station(1) as here, socket.create_server(("127.0.0.1", 0)) as mute:
        address = Address(*mute.getsockname())
        here.wire(Tripwire(address, greeting_of(LABEL, 2)))
        here.settle()
        here.pass_time(tripwires.GREETING_TIMEOUT + 0.1)
        assert here.tripwires.deadline - here.now < 2.0
        assert here.said == []


# ------------------------------------------------------------------ asking a kernel


def test_a_kernel_accepts_for_a_process_that_does_nothing_and_refuses_for_none() -> None:
    with station(1) as here, socket.create_server(("127.0.0.1", 0)) as stalled:
        address = Address(*stalled.getsockname())
        here.tripwires.test(address)
        assert here.tripwires.deadline == -float("inf")
        run_until(lambda: here.said, here)
        stalled.close()
        here.tripwires.test(address)
        run_until(lambda: len(here.said) == 2, here)
        assert here.said == [(REACHABLE, address, b""), (REFUSED, address, b"")]
        assert here.tripwires.deadline == float("inf")


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[Dial]:
    """The connections that are tried from now on; none is ever answered."""
    made: list[Dial] = []

    class Unanswered(Dial):
        def __init__(self, address: Address, scope_id: int, source: str | None) -> None:
            super().__init__(address, scope_id)
            made.append(self)

        def outcome(self) -> KernelEvidence | None:
            return None

    monkeypatch.setattr(tripwires, "Dial", Unanswered)
    return made


def test_no_answer_in_time_is_silence_however_often_it_is_asked_meanwhile(attempts: list[Dial]) -> None:
    with station(1) as here, station(2) as there:
        for _ in range(3):
            here.tripwires.test(there.address)
        here.tripwires.turn(here.now)
        assert len(attempts) == 1
        here.now += tripwires.TEST_TIMEOUT - 0.1
        here.tripwires.test(there.address)
        here.tripwires.turn(here.now)
        assert len(attempts) == 2
        assert here.said == []
        here.now += 0.1
        here.tripwires.turn(here.now)
        assert here.said == [(SILENT, there.address, b"")]
        assert all(attempt.sock.fileno() == -1 for attempt in attempts)
        assert here.tripwires.deadline == float("inf")


def test_a_fresh_connection_is_tried_where_one_was_not_answered_at_once_and_any_of_them_tells(
    attempts: list[Dial], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first SYN was lost, and would be repeated only after a second."""
    with station(1) as here, station(2) as there:
        here.tripwires.test(there.address)
        here.tripwires.turn(here.now)
        monkeypatch.setattr(tripwires, "Dial", Dial)
        here.now += 2 * tripwires.FRESH
        here.tripwires.test(there.address)
        run_until(lambda: here.said, here)
        assert here.said == [(REACHABLE, there.address, b"")]
        assert attempts[0].sock.fileno() == -1


def test_fresh_connections_are_bounded_in_each_test_and_in_all(
    attempts: list[Dial], monkeypatch: pytest.MonkeyPatch
) -> None:
    with station(1) as here, station(2) as there, station(3) as other:
        for _ in range(2 * tripwires.ATTEMPTS):
            here.tripwires.test(there.address)
            here.tripwires.turn(here.now)
            here.now += 2 * tripwires.FRESH
        assert len(attempts) == tripwires.ATTEMPTS
        monkeypatch.setattr(tripwires, "MAX_TESTS", tripwires.ATTEMPTS + 1)
        for _ in range(3):
            here.tripwires.test(other.address)
            here.tripwires.turn(here.now)
            here.now += 2 * tripwires.FRESH
        assert len(attempts) == tripwires.ATTEMPTS + 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says when the other kernel acked")
def test_a_kernel_that_acks_on_a_tripwire_lives_though_the_backlog_of_its_process_is_full(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Somebody who fills the backlog must not make a stalled process look like a lost host."""
    monkeypatch.setattr(tcp, "BACKLOG", 2)
    with ExitStack() as stack:
        here, stalled = stack.enter_context(station(1)), stack.enter_context(station(2))
        here.wire(stalled.tripwire)
        run_until(lambda: here.said, here, stalled)
        (wire,) = kept_sockets(here.tripwires)
        fill_backlog(stack, stalled.address)
        run_until(lambda: acked(wire) > 0.2, here)
        here.tripwires.test(stalled.address)
        run_until(lambda: acked(wire) < 0.2, here)  # within a second, after which the connection counts as idle
        here.pass_time(tripwires.TEST_TIMEOUT)
        assert here.said[1:] == [(REACHABLE, stalled.address, b"")]
        assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE) == keepalive.IDLE
        assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT) == keepalive.COUNT


@pytest.mark.skipif(sys.platform != "linux", reason="as it is said there")
def test_a_tripwire_ends_40_s_after_the_last_ack_and_the_end_that_accepted_it_asks_rarely() -> None:
    """However often the kernel was asked: the tripwire of a lost host must stand while that host is judged."""
    with station(1) as here, station(2) as there:
        here.wire(there.tripwire)
        run_until(lambda: here.said, here, there)
        (wire,) = kept_sockets(here.tripwires)
        (accepted,) = accepted_sockets(there.tripwires)
        of_wire, of_accepted = (
            [sock.getsockopt(socket.IPPROTO_TCP, option) for option in (socket.TCP_KEEPIDLE, socket.TCP_USER_TIMEOUT)]
            for sock in (wire, accepted)
        )
        assert of_wire == [30, 40_000]
        assert of_accepted == [300, 0]


def acked(wire: socket.socket) -> float:
    age = keepalive.last_ack(wire)
    assert age is not None
    return age


@pytest.mark.parametrize("age", [1.51, None])
def test_an_ack_from_before_or_none_to_be_had_leaves_it_at_silence(
    age: float | None, attempts: list[Dial], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost host, or a system other than Linux."""
    with station(1) as here, station(2) as there, monkeypatch.context() as patch:
        patch.setattr(tripwires, "Dial", Dial)
        here.wire(there.tripwire)
        run_until(lambda: here.said, here, there)
        patch.undo()
        monkeypatch.setattr(tripwires, "last_ack", lambda sock: age)
        here.tripwires.test(there.address)
        here.tripwires.turn(here.now)
        here.now += tripwires.TEST_TIMEOUT
        here.tripwires.turn(here.now)
        assert here.said[1:] == [(SILENT, there.address, b"")]
        assert here.tripwires.connected == 1
        assert attempts


def test_no_more_descriptors_is_no_evidence(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.EMFILE, "too many")

    with station(1) as here, station(2) as there, monkeypatch.context() as patch:
        patch.setattr("swim_threads.sockets.tcp.Socket", fail)
        here.tripwires.test(there.address)
        here.wire(there.tripwire)
        assert here.said == []
        patch.undo()
        here.pass_time(1.3)
        run_until(lambda: here.said, here, there)
        assert here.kinds == [CONNECTED]


@pytest.mark.parametrize(
    ("number", "meaning"),
    [
        (errno.ECONNREFUSED, REFUSED),
        (errno.ETIMEDOUT, SILENT),
        (errno.EHOSTUNREACH, SILENT),
        (errno.ENETUNREACH, KernelEvidence.NONE),
        (errno.EADDRNOTAVAIL, KernelEvidence.NONE),
        (errno.EACCES, KernelEvidence.NONE),
    ],
)
def test_what_an_error_says_of_the_kernel_there(
    number: int, meaning: KernelEvidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No route, or no permission, is this host's own trouble."""
    monkeypatch.setattr(socket.socket, "connect_ex", lambda sock, target: number)
    attempt = Dial(Address("127.0.0.1", 9), 0)
    assert attempt.outcome() is meaning
    attempt.close()


def test_a_connection_to_itself_is_a_refusal() -> None:
    """TCP connects a port to itself where nobody listens, and ports of the ephemeral range are chosen at random."""
    with station(1) as here:
        attempt = Dial(here.address, 0)
        attempt.close()
        with Socket(socket.AF_INET, socket.SOCK_STREAM) as own:
            own.bind(("127.0.0.1", 0))
            own.connect(own.getsockname())
            attempt.sock = own
            assert attempt.outcome() is REFUSED


def test_addresses_of_a_family_out_of_reach_are_left_alone() -> None:
    with station(1) as here:
        here.tripwires.test(Address("::1", 9))
        here.wire(Tripwire(Address("::1", 9), greeting_of(LABEL, 2)))
        assert here.said == []
        assert here.tripwires.deadline == float("inf")


# ------------------------------------------------------------------ strangers


@pytest.mark.parametrize(
    "say", [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", greeting_of(LABEL + 1, 2), bytes(17), b"\x16\x03\x01" * 6]
)
def test_who_says_something_else_gets_nothing(say: bytes) -> None:
    with station(1) as here, dial(here.address, say) as stranger:
        run_until(lambda: ended(stranger), here)
        assert here.inbound == 0
        assert here.said == []


def test_who_says_nothing_or_half_a_greeting_is_dropped_after_two_seconds() -> None:
    with station(1) as here, dial(here.address) as mute, dial(here.address, here.greeting[:9]) as slow:
        run_until(lambda: here.inbound == 2, here)
        here.pass_time(1.9)
        assert here.inbound == 2
        here.pass_time(0.2)
        assert here.inbound == 0
        assert ended(mute)
        assert ended(slow)


def test_a_greeting_may_come_in_pieces() -> None:
    with station(1) as here, dial(here.address) as slow:
        for byte in here.greeting:
            slow.sendall(bytes([byte]))
            here.settle()
        slow.settimeout(5)
        assert slow.recv(100) == here.greeting
        assert here.inbound == 1


def test_who_goes_on_talking_after_the_greeting_is_dropped() -> None:
    with station(1) as here, dial(here.address, here.greeting + b"and now for something else") as talker:
        run_until(lambda: here.inbound == 0 and here.wakes >= 2, here)
        assert here.said == []
        talker.close()


def test_who_never_reads_is_sent_one_greeting_and_costs_nothing_more() -> None:
    with station(1) as here, dial(here.address, here.greeting):
        run_until(lambda: here.inbound == 1, here)
        here.settle()
        wakes = here.wakes
        here.pass_time(100_000.0)
        assert here.wakes == wakes
        assert here.inbound == 1


def test_one_host_has_so_many_connections_and_no_more() -> None:
    with ExitStack() as stack:
        here = stack.enter_context(station(1))
        socks = []
        for _ in range(tripwire_listener.MAX_PER_HOST + 5):
            socks.append(stack.enter_context(dial(here.address, here.greeting)))
            here.settle()
            here.pass_time(0.1)
        run_until(lambda: here.inbound == tripwire_listener.MAX_PER_HOST and ended(socks[-1]), here)
        here.settle()
        assert here.inbound == tripwire_listener.MAX_PER_HOST
        assert not ended(socks[0]) or here.greeting
        socks[0].close()
        run_until(lambda: here.inbound == tripwire_listener.MAX_PER_HOST - 1, here)
        with dial(here.address, here.greeting) as later:
            later.settimeout(0.02)
            run_until(lambda: here.inbound == tripwire_listener.MAX_PER_HOST, here)


def test_all_hosts_together_have_a_bound_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tripwire_listener, "MAX_CONNECTIONS", 3)
    with ExitStack() as stack:
        here = stack.enter_context(station(1))
        socks = [stack.enter_context(dial(here.address, here.greeting)) for _ in range(5)]
        run_until(lambda: ended(socks[-1]), here)
        assert here.inbound == 3


def test_a_flood_of_one_host_is_closed_and_keeps_no_other_waiting() -> None:
    """Forty at once, then twenty a second; a member at another address of this host greets in between."""
    with ExitStack() as stack:
        here = stack.enter_context(station(1))
        flood = [stack.enter_context(dial(here.address)) for _ in range(tripwire_listener.AT_ONCE + 100)]
        other = socket.create_connection(here.address, source_address=("127.0.0.2", 0))
        stack.enter_context(other)
        other.sendall(here.greeting)
        run_until(lambda: here.tripwires.inbound.greeted == 1, here)
        assert here.inbound <= tripwire_listener.MAX_UNGREETED + 1
        assert sum(ended(sock) for sock in flood) >= 100
        here.pass_time(1.0)
        later = [stack.enter_context(dial(here.address)) for _ in range(30)]
        run_until(lambda: sum(ended(sock) for sock in later) >= 10, here)


class Waiting:
    """A listener with waiting connections, each from an address that the test chooses."""

    def __init__(self, stack: ExitStack, real: TcpListener) -> None:
        self._stack, self._real = stack, real
        self.left: list[tuple[socket.socket, str]] = []

    def come(self, host: str) -> socket.socket:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self.left.append((ours, host))
        return self._stack.enter_context(theirs)

    def accept(self) -> tuple[socket.socket, str] | None:
        return self.left.pop(0) if self.left else None

    def fileno(self) -> int:
        return self._real.fileno()

    def close(self) -> None:
        self._real.close()


@pytest.mark.parametrize(
    ("hosts", "one"),
    [
        ([f"2001:db8:0:7:{n:x}::{n:x}" for n in range(1, 101)], True),
        ([f"2001:db8:0:{n:x}::1" for n in range(1, 101)], False),
        ([f"192.0.2.{n}" for n in range(1, 101)], False),
        (["192.0.2.1"] * 100, True),
    ],
    ids=["one network of IPv6", "many networks", "many hosts of IPv4", "one host"],
)
def test_the_addresses_that_one_host_may_take_count_as_one(hosts: list[str], one: bool) -> None:
    """With IPv6 a host may take any address of a network of 64 bits: counted one by one, its flood would never end."""
    with ExitStack() as stack:
        here = stack.enter_context(station(1))
        waiting = Waiting(stack, here.listener)
        plan = TripwirePlan(here.greeting, ())
        inbound = TripwireListener(waiting, here.poller, Alarms(), plan)  # type: ignore[arg-type]
        stack.callback(inbound.close, announce=False)
        for host in hosts:
            waiting.come(host)
        while waiting.left:
            inbound.ready(here.listener.fileno(), here.now)
        late = waiting.come(hosts[-1])
        inbound.ready(here.listener.fileno(), here.now)
        assert ended(late) is one


def test_of_those_that_do_not_greet_the_oldest_of_the_busiest_host_goes_first() -> None:
    with ExitStack() as stack:
        here = stack.enter_context(station(1))
        patient = socket.create_connection(here.address, source_address=("127.0.0.2", 0))
        stack.enter_context(patient)
        run_until(lambda: here.inbound == 1, here)
        socks = [stack.enter_context(dial(here.address)) for _ in range(tripwire_listener.MAX_UNGREETED + 2)]
        run_until(lambda: ended(socks[2]), here)
        here.settle()
        assert here.inbound == tripwire_listener.MAX_UNGREETED
        assert [ended(sock) for sock in (patient, *socks[:5])] == [False, True, True, True, False, False]
        here.pass_time(tripwire_listener.GREETING_TIMEOUT + 0.1)
        assert here.inbound == 0


def test_out_of_descriptors_it_takes_a_breath_and_does_not_spin(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: TcpListener) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    with station(1) as here, dial(here.address, here.greeting):
        with monkeypatch.context() as patch:
            patch.setattr(TcpListener, "accept", fail)
            run_until(lambda: here.wakes == 1, here)
            assert here.spin(0.05) == []
        here.pass_time(tripwire_listener.BREATHER)
        run_until(lambda: here.inbound == 1, here)


# ------------------------------------------------------------------ where it listens


def test_a_dual_stack_wildcard_takes_both_families() -> None:
    with station(1, host="::") as here:
        if not here.udp.dual_stack:
            pytest.skip("no dual stack")
        for number, host in enumerate(("127.0.0.1", "::1"), 1):
            with station(2, host=host) as there:
                there.tripwires.test(Address(host, here.address.port))
                run_until(lambda there=there: there.said, here, there)  # type: ignore[misc]
                assert there.kinds == [REACHABLE]
                here.tripwires.test(there.address)
                run_until(lambda number=number: len(here.said) == number, here, there)  # type: ignore[misc]
        assert here.kinds == [REACHABLE, REACHABLE]


def test_a_port_that_is_taken_for_tcp_leaves_a_node_without_tripwires() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        sock, listener, reason = open_pair("127.0.0.1", port, tcp=True)
        sock.close()
        assert listener is None
        assert reason is not None
        assert reason.startswith(f"127.0.0.1:{port} can't be had for TCP: ")


@pytest.mark.parametrize(("taken", "found"), [(3, True), (tcp.PORTS_TRIED, False)])
def test_where_the_system_chooses_the_port_some_are_tried(
    taken: int, found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []
    real = TcpListener.open.__func__  # type: ignore[attr-defined]

    def sometimes(cls: type[TcpListener], beside: UdpSocket) -> TcpListener:
        tried.append(beside.address.port)
        if len(tried) <= taken:
            raise OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))
        return real(cls, beside)  # type: ignore[no-any-return]

    monkeypatch.setattr(TcpListener, "open", classmethod(sometimes))
    sock, listener, reason = open_pair("127.0.0.1", 0, tcp=True)
    sock.close()
    assert sock.address.port == tried[-1]
    assert (listener is not None) is found
    assert (reason is None) is found
    if listener is not None:
        listener.close()


def test_without_tcp_nothing_listens() -> None:
    sock, listener, reason = open_pair("127.0.0.1", 0, tcp=False)
    with socket.socket() as probe:
        assert probe.connect_ex(sock.address) == errno.ECONNREFUSED
    sock.close()
    assert (listener, reason) == (None, None)


def test_a_listener_that_fails_leaves_nothing_open() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        sock = UdpSocket.open("127.0.0.1", taken.getsockname()[1])
        with pytest.raises(OSError, match="in use"):
            TcpListener.open(sock)
        sock.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere loopback has one address")
@pytest.mark.parametrize(
    ("source", "seen"), [("127.0.0.3", "127.0.0.3"), ("192.0.2.1", "127.0.0.1"), ("::1", "127.0.0.1")]
)
def test_a_connection_comes_from_the_address_that_is_advertised_where_it_can(source: str, seen: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        attempt = Dial(Address(*server.getsockname()), 0, source)
        accepted, peer = server.accept()
        assert peer[0] == seen
        accepted.close()
        attempt.close()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere loopback has one address")
def test_a_listener_under_a_wildcard_connects_from_where_its_node_speaks() -> None:
    sock, listener, _ = open_pair("0.0.0.0", 0, tcp=True)
    assert listener is not None
    assert listener.source is None
    sock.speak_from("127.0.0.3")
    assert listener.source == "127.0.0.3"
    listener.close()
    sock.close()
