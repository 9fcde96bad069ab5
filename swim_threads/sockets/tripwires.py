"""Tripwires on real sockets: idle connections to ring successors, and connections made to ask a kernel.

The core says which to keep and where to try (`ProtocolNode.tripwire_plan`, `poll_connect`); what the kernels say goes
back to it. All sockets here are non-blocking and belong to one thread, which calls `ready` and `turn`.
"""

import random
from collections import deque
from collections.abc import Callable
from math import inf
from os import urandom

from swim_core import Address, KernelEvidence, Tripwire, TripwirePlan
from swim_core.handshake import RANDOM_SIZE, Outgoing

from .alarms import Alarms
from .keepalive import ask_for_acks, keep_alive, last_ack
from .routes import family_of
from .tcp import Dial, TcpListener
from .tripwire_listener import TripwireListener, Watcher

__all__ = ["OnEvidence", "Tripwires"]

OnEvidence = Callable[[KernelEvidence, Address, bytes], None]
"""Called with what a kernel reported, the address, and the greeting of the tripwire concerned."""

TEST_TIMEOUT = 1.5  # seconds for a connection to be answered: a lost SYN is sent again after 1 s
GREETING_TIMEOUT = 10.0  # seconds for a connection to be greeted: the process there may stall
SETTLE = 1.0  # seconds from a change of the rings to the rewiring, so that a cluster that starts rewires once
BACKOFF, LONGEST_BACKOFF = 1.0, 60.0  # seconds until a connection that failed is tried again, doubled each time
LONG = 60.0  # seconds after which the end of a connection is not a failure: middleboxes drop idle ones
MAX_TESTS = 128  # tests under way at once; after a mass crash the core asks again
FRESH = 0.008  # seconds to wait for a connection before a fresh one is tried, if another is wanted
ATTEMPTS = 6  # connections in one test


class _Wire:
    """One connection to keep, in its present attempt."""

    def __init__(self, tripwire: Tripwire, dial: Dial) -> None:
        self.tripwire = tripwire
        self.dial = dial
        self.fd = dial.sock.fileno()
        self.handshake: Outgoing | None = None
        self.heard = b""
        self.greeted_at = inf


class _Test:
    """A test of a kernel: the connections under way, the first of which to be answered decides."""

    def __init__(self, now: float) -> None:
        self.begun = self.latest = now
        self.dials: list[Dial] = []


class Tripwires:
    """Keeps the tripwires of one node, and accepts those of others.

    Attributes:
        inbound: the connections of others.
    """

    def __init__(self, listener: TcpListener, watcher: Watcher, plan: TripwirePlan, on_evidence: OnEvidence) -> None:
        self._families = listener.families
        self._listener = listener
        self._watcher = watcher
        self._on_evidence = on_evidence
        self._alarms = Alarms()
        self.inbound = TripwireListener(listener, watcher, self._alarms, plan)
        self._plan = plan
        self._wires: dict[Tripwire, _Wire] = {}
        self._backoff: dict[Tripwire, float] = {}
        self._tests: dict[Address, _Test] = {}
        self._handlers: dict[int, Callable[[float], None]] = {}
        self._wanted: deque[Address] = deque()

    @property
    def deadline(self) -> float:
        """When to call `turn` at the latest."""
        return -inf if self._wanted else self._alarms.next

    @property
    def connected(self) -> int:
        """How many of the kept connections were greeted."""
        return sum(wire.greeted_at < inf for wire in self._wires.values())

    @property
    def connecting(self) -> int:
        """How many connections to keep are in the making."""
        return len(self._wires) - self.connected

    # ------------------------------------------------------------------ what the node wants; for any thread

    def test(self, address: Address) -> None:
        """Try a connection in the next `ask` or `turn`; a fresh one, if one that is under way was not answered at
        once."""
        self._wanted.append(address)

    def rewire(self, plan: TripwirePlan, now: float) -> None:
        """Keep the connections of another plan, a little later."""
        if plan is not self._plan:
            self._plan = self.inbound.tripwire_plan = plan
            self.rewire_soon(now)

    def rewire_soon(self, now: float) -> None:
        """The plan may have changed: `rewire` is called with it before `turn`, which then follows it."""
        if "rewire" not in self._alarms:
            self._alarms.set("rewire", now + SETTLE, self._rewire)

    # ------------------------------------------------------------------ what the thread does

    def ready(self, fd: int, now: float) -> None:
        """Handle a watched socket that is ready, or was a moment ago."""
        if not self.inbound.ready(fd, now):
            handler = self._handlers.get(fd)
            if handler is not None:
                handler(now)

    def ask(self, now: float) -> None:
        """Try the connections that are wanted, as soon as one has broken: unlike a deadline, that need not wait until
        all that came was read."""
        for _ in range(len(self._wanted)):
            self._try(self._wanted.popleft(), now)

    def turn(self, now: float) -> None:
        """Do what is due."""
        self.ask(now)
        if now >= self._alarms.next:
            self._alarms.run(now)

    def close(self, *, announce: bool) -> None:
        """Close all; with ``announce`` those who are connected learn that this is no crash."""
        self.inbound.close(announce=announce)
        for wire in self._wires.values():
            wire.dial.close()
        for test in self._tests.values():
            for dial in test.dials:
                dial.close()
        self._wires.clear()
        self._tests.clear()

    # ------------------------------------------------------------------ asking a kernel

    def _try(self, address: Address, now: float) -> None:
        test = self._tests.get(address) or _Test(now)
        if test.dials and (now - test.latest < FRESH or len(test.dials) == ATTEMPTS):
            return
        under_way = sum(len(other.dials) for other in self._tests.values())
        if under_way >= MAX_TESTS or family_of(address.host) not in self._families:
            return
        dial = self._dial(address)
        if dial is None:
            return
        if not test.dials:
            self._begin_test(address, test, now)
        test.latest = now
        test.dials.append(dial)
        self._watch(dial, lambda now: self._check(address, test, dial, now))
        self._check(address, test, dial, now)  # a kernel on this very host has answered already

    def _begin_test(self, address: Address, test: _Test, now: float) -> None:
        self._tests[address] = test
        no_answer = KernelEvidence.KERNEL_SILENT
        self._alarms.set(test, now + TEST_TIMEOUT, lambda now: self._end_test(address, test, no_answer, now))
        for wire in self._wires_to(address):
            ask_for_acks(wire.dial.sock)

    def _check(self, address: Address, test: _Test, dial: Dial, now: float) -> None:
        outcome = dial.outcome()
        if outcome is not None:
            self._end_test(address, test, outcome, now)

    def _end_test(self, address: Address, test: _Test, outcome: KernelEvidence, now: float) -> None:
        del self._tests[address]
        self._alarms.drop(test)
        for dial in test.dials:
            self._forget(dial)
        if outcome is KernelEvidence.KERNEL_SILENT and self._acked(address, now - test.begun):
            outcome = KernelEvidence.REACHABLE
        for wire in self._wires_to(address):
            keep_alive(wire.dial.sock)
        if outcome is not KernelEvidence.NONE:
            self._on_evidence(outcome, address, b"")

    def _acked(self, address: Address, within: float) -> bool:
        """Whether the kernel there acked on a tripwire: the host is alive, and the backlog of its process is full."""
        ages = [last_ack(wire.dial.sock) for wire in self._wires_to(address)]
        return any(age is not None and age < within for age in ages)

    def _wires_to(self, address: Address) -> list[_Wire]:
        return [wire for wire in self._wires.values() if wire.tripwire.address == address and wire.greeted_at < inf]

    # ------------------------------------------------------------------ keeping connections

    def _rewire(self, now: float) -> None:
        wanted = [peer for peer in self._plan.peers if family_of(peer.address.host) in self._families]
        for tripwire in [tripwire for tripwire in self._wires if tripwire not in wanted]:
            self._forget(self._wires.pop(tripwire).dial)
        for tripwire in [tripwire for tripwire in self._backoff if tripwire not in wanted]:
            del self._backoff[tripwire]
            self._alarms.drop(tripwire)
        for tripwire in wanted:
            if tripwire not in self._wires and tripwire not in self._alarms:
                self._connect(tripwire, now)

    def _connect(self, tripwire: Tripwire, now: float) -> None:
        dial = self._dial(tripwire.address)
        if dial is None:
            self._retry(tripwire, now)
            return
        wire = self._wires[tripwire] = _Wire(tripwire, dial)
        self._watch(dial, lambda now: self._advance(wire, now))
        self._alarms.set(dial, now + GREETING_TIMEOUT, lambda now: self._fail(wire, now))
        self._advance(wire, now)

    def _advance(self, wire: _Wire, now: float) -> None:
        """Handle the ready socket of a wire: it connected, was greeted, or broke."""
        if wire.handshake is None:
            outcome = wire.dial.outcome()
            if outcome is KernelEvidence.REACHABLE:
                self._greet(wire, now)
            elif outcome is not None:
                self._fail(wire, now)
            return
        try:
            data = wire.dial.sock.recv(wire.handshake.size + 1)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if wire.greeted_at == inf:
            self._take_greeting(wire, wire.handshake, data, now)
        else:
            self._fail(wire, now, lost=not data)  # announced, or something that no member says

    def _greet(self, wire: _Wire, now: float) -> None:
        wire.handshake = Outgoing(self._plan, wire.tripwire, urandom(RANDOM_SIZE))
        try:
            wire.dial.sock.send(wire.handshake.opening)
        except OSError:
            self._fail(wire, now)
            return
        self._watcher.watch(wire.fd)

    def _take_greeting(self, wire: _Wire, handshake: Outgoing, data: bytes, now: float) -> None:
        tripwire = wire.tripwire
        wire.heard += data
        try:
            answer = handshake.take(wire.heard)
            if answer:
                wire.dial.sock.send(answer)
        except (ValueError, OSError):
            self._fail(wire, now)
            return
        if answer is not None:
            wire.greeted_at = now
            self._alarms.drop(wire.dial)
            keep_alive(wire.dial.sock)
            self._on_evidence(KernelEvidence.CONNECTED, tripwire.address, tripwire.greeting)
        elif not data:
            self._fail(wire, now)

    def _fail(self, wire: _Wire, now: float, *, lost: bool = False) -> None:
        """Try again later after a connection failed or ended; report it if it was lost without an announcement."""
        tripwire = wire.tripwire
        del self._wires[tripwire]
        self._forget(wire.dial)
        if now - wire.greeted_at >= LONG:
            self._backoff.pop(tripwire, None)
        self._retry(tripwire, now)
        if lost:
            self._on_evidence(KernelEvidence.CONNECTION_LOST, tripwire.address, tripwire.greeting)

    def _retry(self, tripwire: Tripwire, now: float) -> None:
        wait = self._backoff.get(tripwire, BACKOFF)
        self._backoff[tripwire] = min(2 * wait, LONGEST_BACKOFF)
        self._alarms.set(tripwire, now + wait * random.uniform(0.75, 1.25), lambda now: self._connect(tripwire, now))

    # ------------------------------------------------------------------ sockets

    def _dial(self, address: Address) -> Dial | None:
        try:
            return Dial(address, self._listener.scope_of(address.host), self._listener.source)
        except OSError:  # no more file descriptors: no evidence of anybody's death
            return None

    def _watch(self, dial: Dial, handler: Callable[[float], None]) -> None:
        fd = dial.sock.fileno()
        self._handlers[fd] = handler
        self._watcher.watch(fd, writable=True)

    def _forget(self, dial: Dial) -> None:
        fd = dial.sock.fileno()
        self._handlers.pop(fd, None)
        self._watcher.unwatch(fd)
        self._alarms.drop(dial)
        dial.close()
