"""TCP as far as tripwires need it: kernels that accept, refuse or say nothing, and connections that break.

This stands in for the TCP side of an adapter. It leaves out greetings that wait at a stalled process: the connection is
tried again instead. `Wires.firewalled` stands for a full backlog.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Protocol

from swim_core.address import Address
from swim_core.protocol import KernelEvidence
from swim_core.tripwire import NO_TRIPWIRES, Tripwire, TripwirePlan

from .network import TEARDOWN, Network
from .observer import Observer
from .process import Process, Stop

__all__ = ["Wires"]

TEST_TIMEOUT = 1.5  # seconds, as in the adapters
RESENDS = (0.0, 1.0)  # seconds at which a SYN is sent
FRESH, ATTEMPTS = 0.008, 6  # seconds until another socket is tried, and how many may be, as in the adapters
ASKED_TO_ACK = (0.0, 1.0)  # seconds at which the kernel at the other end of a tripwire is asked for an ack
IDLE, INTERVAL, LONGEST_SILENCE = 30.0, 2.0, 40.0  # seconds of keepalive, as in the adapters: when it ends a connection
FIN_RESENDS = (0.0, 0.2, 0.6, 1.4)  # seconds at which the kernel of a killed process says so
SETTLE = 1.0  # seconds until a change of the rings is acted on
BACKOFF, LONGEST_BACKOFF = 1.0, 60.0  # seconds until a connection that failed is tried again


class _Test:
    """The test of a kernel: how many connections are under way, and whether it acked on an existing one."""

    def __init__(self, now: float) -> None:
        self.latest = now
        self.attempts = 1
        self.acked = False


class Surroundings(Protocol):
    """What the connections use of the simulation around them."""

    @property
    def seed(self) -> object: ...

    @property
    def network(self) -> Network: ...

    @property
    def faults(self) -> Counter[str]: ...

    @property
    def now(self) -> float: ...

    def after(self, seconds: float, call: Callable[..., object], *arguments: Any) -> None: ...


class Wires(Observer):
    """The connections of all processes whose settings have tripwires on.

    Attributes:
        firewalled: addresses to which no new connection gets through; existing ones continue.
        closed: addresses where nobody listens for connections, since another program has the port, say.
        dark: addresses to and from which TCP no longer passes; existing connections end by keepalive.
    """

    def __init__(self, cluster: Surroundings) -> None:
        self._cluster = cluster
        self._network = cluster.network
        self.firewalled: dict[Address, None] = {}
        self.closed: dict[Address, None] = {}
        self.dark: dict[Address, None] = {}
        self._random = Random(f"{cluster.seed}/wires")
        self._plan: dict[Process, TripwirePlan] = {}
        self._kept: dict[Process, dict[Tripwire, Process]] = {}
        self._acked: dict[tuple[Process, Tripwire], float] = {}  # of those kept, when the kernel there acked last
        self._trying: dict[tuple[Process, Tripwire], float] = {}  # those not kept, with the wait before the next try
        self._tests: dict[tuple[Process, Address], _Test] = {}  # under way

    def kept(self, process: Process) -> tuple[Process, ...]:
        """The processes to which this one has a tripwire."""
        return tuple(self._kept.get(process, {}).values())

    def reset(self, *processes: Process) -> None:
        """Break the connections of these processes, or all, like a middlebox that forgets them or restarts."""
        self._cluster.faults["connection reset"] += 1
        for owner, tripwire, other in list(self._connections()):
            if not processes or owner in processes or other in processes:
                del self._kept[owner][tripwire]
                self._cluster.after(self._random.uniform(0.0, 0.01), self._lose, owner, tripwire)

    def _connections(self) -> Iterator[tuple[Process, Tripwire, Process]]:
        for owner, kept in self._kept.items():
            for tripwire, other in kept.items():
                yield owner, tripwire, other

    # ------------------------------------------------------------------ hooks

    def on_start(self, process: Process) -> None:
        if process.config.tripwires:
            self._plan[process], self._kept[process] = NO_TRIPWIRES, {}
            process.do(lambda node, now: node.enable_tripwires(now=now))

    def on_turn(self, process: Process) -> None:
        if process not in self._plan:
            return
        while (address := process.node.poll_connect()) is not None:
            self._test(process, address)
        plan = process.node.tripwire_plan
        if plan is not self._plan[process]:
            self._plan[process] = plan
            self._cluster.after(SETTLE, self._rewire, process, plan)

    def on_stop(self, process: Process, how: Stop) -> None:
        self._plan.pop(process, None)
        self._kept.pop(process, None)
        silent = how in (Stop.HOST_LOST, Stop.CRASHED_SILENTLY)  # those at the other end notice nothing
        for owner, tripwire, _ in [found for found in self._connections() if found[2] is process and not silent]:
            del self._kept[owner][tripwire]
            if how is Stop.LEFT:  # announced
                self._retry(owner, tripwire)
            else:
                self._tell_end(process.address, owner, tripwire)

    # ------------------------------------------------------------------ asking a kernel

    def _test(self, process: Process, address: Address) -> None:
        now = self._cluster.now
        test = self._tests.get((process, address))
        if test is None:
            test = self._tests[process, address] = _Test(now)
            self._cluster.after(TEST_TIMEOUT, self._give_up, process, address, test)
            for delay in ASKED_TO_ACK:
                self._cluster.after(delay, self._ask_to_ack, process, address, test)
        elif now - test.latest >= FRESH and test.attempts < ATTEMPTS:
            test.latest = now
            test.attempts += 1
        else:
            return
        for delay in RESENDS:
            self._cluster.after(delay, self._send_syn, process, address, test)

    def _ask_to_ack(self, process: Process, address: Address, test: _Test) -> None:
        """A live kernel acks on a tripwire even if its process stalls and its backlog is full."""
        wired = any(other.address == address and other.running for other in self.kept(process))
        if wired and self._acks(process.address, address):
            test.acked = True

    def _acks(self, here: Address, there: Address) -> bool:
        """Whether a packet and its ack get through."""
        return self._transit(here, there) is not None and self._transit(there, here) is not None

    def _transit(self, source: Address, destination: Address) -> float | None:
        """How long one packet takes, if it arrives."""
        if source in self.dark or destination in self.dark:
            return None
        return self._network.transit(source, destination)

    def _give_up(self, process: Process, address: Address, test: _Test) -> None:
        outcome = KernelEvidence.REACHABLE if test.acked else KernelEvidence.KERNEL_SILENT
        self._end_test(process, address, test, outcome)

    def _send_syn(self, process: Process, address: Address, test: _Test) -> None:
        there = self._reach(process, address)
        if there is not None and self._tests.get((process, address)) is test:
            self._cluster.after(there, self._answer_syn, process, address, test)

    def _answer_syn(self, process: Process, address: Address, test: _Test) -> None:
        outcome = self._kernel_at(address)
        back = self._transit(address, process.address)
        if outcome is not None and back is not None:
            self._cluster.after(back, self._end_test, process, address, test, outcome)

    def _kernel_at(self, address: Address) -> KernelEvidence | None:
        if self._network.accepts(address) and address not in self.closed:
            return KernelEvidence.REACHABLE
        return KernelEvidence.REFUSED_TCP if self._network.refuses(address) else None

    def _end_test(self, process: Process, address: Address, test: _Test, outcome: KernelEvidence) -> None:
        if self._tests.get((process, address)) is test:
            del self._tests[process, address]
            process.evidence(outcome, address)

    def _reach(self, process: Process, address: Address) -> float | None:
        """How long a SYN takes, if it arrives."""
        return None if address in self.firewalled else self._transit(process.address, address)

    # ------------------------------------------------------------------ keeping connections

    def _rewire(self, process: Process, plan: TripwirePlan) -> None:
        if self._plan.get(process) is not plan:  # it changed again, or the process ended
            return
        kept = self._kept[process]
        for tripwire in [tripwire for tripwire in kept if tripwire not in plan.peers]:
            del kept[tripwire]
        for tripwire in plan.peers:
            if tripwire not in kept and (process, tripwire) not in self._trying:
                self._trying[process, tripwire] = BACKOFF
                self._connect(process, tripwire)

    def _connect(self, process: Process, tripwire: Tripwire) -> None:
        if not self._wants(process, tripwire):
            self._trying.pop((process, tripwire), None)
            return
        there = self._reach(process, tripwire.address)
        back = self._transit(tripwire.address, process.address)
        if process.paused or there is None or back is None:
            self._retry(process, tripwire)
        else:
            self._cluster.after(2 * (there + back), self._greet, process, tripwire)

    def _greet(self, process: Process, tripwire: Tripwire) -> None:
        other = None if tripwire.address in self.closed else self._network.endpoint(tripwire.address)
        if not isinstance(other, Process) or not self._greets(other, tripwire) or not self._wants(process, tripwire):
            self._retry(process, tripwire)
            return
        self._trying.pop((process, tripwire), None)
        self._kept[process][tripwire] = other
        self._stand(process, tripwire)
        process.evidence(KernelEvidence.CONNECTED, tripwire.address, tripwire.greeting)

    def _stand(self, process: Process, tripwire: Tripwire) -> None:
        """The kernel there acked. It is asked again once the connection has been idle for long."""
        self._acked[process, tripwire] = now = self._cluster.now
        self._cluster.after(IDLE, self._keep_alive, process, tripwire, now)

    def _keep_alive(self, process: Process, tripwire: Tripwire, acked: float) -> None:
        if self._acked.get((process, tripwire)) != acked:  # another one stands
            return
        other = self._kept.get(process, {}).get(tripwire)
        if other is None:
            del self._acked[process, tripwire]
        elif self._network.endpoint(tripwire.address) is other and self._acks(process.address, tripwire.address):
            self._stand(process, tripwire)
        elif self._cluster.now - acked < LONGEST_SILENCE:
            self._cluster.after(INTERVAL, self._keep_alive, process, tripwire, acked)
        else:
            del self._kept[process][tripwire], self._acked[process, tripwire]
            self._lose(process, tripwire)

    def _greets(self, other: Process, tripwire: Tripwire) -> bool:
        return not other.paused and other.node.tripwire_plan.greeting == tripwire.greeting

    def _wants(self, process: Process, tripwire: Tripwire) -> bool:
        """Whether the connection is wanted and missing."""
        wanted = tripwire in self._plan.get(process, NO_TRIPWIRES).peers
        return wanted and tripwire not in self._kept[process]

    def _retry(self, process: Process, tripwire: Tripwire) -> None:
        wait = self._trying.get((process, tripwire), BACKOFF)
        self._trying[process, tripwire] = min(2 * wait, LONGEST_BACKOFF)
        self._cluster.after(wait, self._connect, process, tripwire)

    def _tell_end(self, source: Address, owner: Process, tripwire: Tripwire) -> None:
        """The kernel of a killed process tells the other end, several times if need be."""
        teardown = self._random.uniform(*TEARDOWN)
        for delay in FIN_RESENDS:
            there = self._transit(source, owner.address)
            if there is not None:
                self._cluster.after(teardown + delay + there, self._lose, owner, tripwire)
                return
        self._retry(owner, tripwire)

    def _lose(self, owner: Process, tripwire: Tripwire) -> None:
        if owner.running:
            self._retry(owner, tripwire)
            owner.evidence(KernelEvidence.CONNECTION_LOST, tripwire.address, tripwire.greeting)
