"""A cluster of nodes in virtual time: starts it, runs it, looks at it, replays it."""

from collections import Counter
from collections.abc import Iterable, Mapping
from random import Random
from typing import cast

from swim_core.address import Address, canonical
from swim_core.keys import Keys
from swim_core.member import Member
from swim_core.native.config import Config
from swim_core.protocol import AddressLike, ProtocolConfig

from .agreement import agree
from .application import Program
from .formed import CanAdopt, formed_by, without_collections
from .link import Link
from .network import Network
from .observer import Observer
from .process import Hooks, Process, SimulationError, Stop
from .tripwires import Wires
from .virtual_time import VirtualTime

__all__ = ["Cluster", "Label"]

START_MS = 1_700_000_000_000  # the wall clock at virtual time 0
PORT = 7946
SEEDS = 3  # how many others a member of a cluster that starts formed knows as seeds

Label = str | Process


class Cluster(VirtualTime):
    """Any number of nodes, of any protocol, on one simulated network.

    Time is virtual: ``run_for`` and similar methods jump from one event to the next. Everything random comes from
    ``seed``, so a run is a function of the seed and of the calls made; `digest` shows whether two runs were the same.

    Attributes:
        seed: the seed that it was made with.
        config: the settings of nodes that are given none of their own.
        application: the application of nodes that are given none of their own.
        network: links, cuts and traffic, by address.
        processes: the latest run of each process, by label and in order of first start; it may have ended.
        faults: how often each kind of fault happened, and how often members left.
        judged: how often observers judged what they watch, by kind.
        excused: how often they did not, because a disturbance excuses it.
    """

    def __init__(
        self,
        seed: object = 0,
        *,
        config: ProtocolConfig | None = None,
        application: Program | None = None,
        link: Link | None = None,
        clock_skew: float = 0.02,
        tripwires: bool = False,
        keys: Keys | None = None,
    ) -> None:
        """Make an empty simulation.

        Args:
            seed: any value; its text is what counts.
            config: settings of the nodes; the native protocol on a local network by default.
            application: called with the `SimulatedNode` of each process that starts, at each start, and makes what
                is told its events; without one, nothing runs on the nodes.
            link: between any two addresses; by default a healthy local network.
            clock_skew: seconds by which wall clocks are off, at most, either way.
            keys: of all nodes, which then seal what they say, as real ones do; costs a third more time.
            tripwires: let nodes whose settings say so keep TCP connections too, as the adapters do; costs a little.
        """
        super().__init__(replay=f"Simulation(seed={seed!r})")
        self.seed = seed
        self.config: ProtocolConfig = config or Config.lan()
        self.application = application
        self.keys = keys
        self.network: Network = Network(seed, link=link, timeline=self._timeline)
        self.processes: dict[str, Process] = {}
        self.faults: Counter[str] = Counter()
        self.judged: Counter[str] = Counter()
        self.excused: Counter[str] = Counter()
        self._hooks = Hooks()
        self.wires: Wires | None = Wires(self) if tripwires else None
        """The TCP connections of all processes; None if nodes do without."""
        if self.wires is not None:
            self.watch(self.wires)
        self._clock_skew = clock_skew
        self.wall_offsets: dict[str, float] = {}
        """Seconds by which the wall clock of each process is ahead, by label: drawn at its start where it isn't set."""
        self._by_name: dict[str, dict[Process, None]] = {}
        self._hosts = 0

    # views

    @property
    def digest(self) -> str:
        """A hash, in hex, of every arrival and every event so far. It is equal for equal runs."""
        return self.network.digest

    def running(self) -> list[Process]:
        """The processes that have not ended, including those that are stalled or leaving."""
        return [process for process in self.processes.values() if process.running]

    def process(self, label: Label) -> Process:
        """The running process with that label.

        Raises:
            SimulationError: if there is none.
        """
        process = label if isinstance(label, Process) else self.processes.get(label)
        if process is None or not process.running:
            raise SimulationError(f"no process {label} is running")
        return process

    def named(self, name: str) -> tuple[Process, ...]:
        """The running processes whose node has that name, oldest first: one, unless a name was used twice."""
        return tuple(self._by_name.get(name, ()))

    def agreed(self) -> bool:
        """Whether every running node sees exactly the running ones as live, each as it describes itself."""
        return agree([process for process in self.running() if not process.leaving])

    def watch(self, *observers: Observer) -> None:
        """Call the hooks of ``observers`` from now on, and first those for processes that are already running."""
        for observer in observers:
            observer.attach(self._hooks)
            for process in self.running():
                observer.on_start(process)

    def calm(self) -> None:
        """Tell the observers that from now on everything must hold that must hold in the end (`Observer.on_calm`)."""
        with self._signed():
            for hook in self._hooks.on_calm:
                hook()

    # starting

    def add(
        self,
        name: str,
        *,
        label: str | None = None,
        address: AddressLike | None = None,
        join: Iterable[Label | AddressLike] = (),
        config: ProtocolConfig | None = None,
        metadata: Mapping[str, str] | None = None,
        application: Program | None = None,
        keys: Keys | None = None,
    ) -> Process:
        """Start a process.

        Args:
            name: the name of its node.
            label: its label in this simulation, if two processes share a name.
            address: its address; by default on a host of its own.
            join: its seeds, as labels or addresses.
            config: its settings, instead of the simulation's.
            metadata: the metadata of its node.
            application: its application, instead of the simulation's.
            keys: its keys, instead of the simulation's.

        Raises:
            SimulationError: if a process with that label is running.
        """
        process = self._start(name, label or name, address, join, config or self.config, metadata, keys or self.keys)
        self._run_program(process, application or self.application)
        process.do(lambda node, now: node.join(process.seeds, now=now) if process.seeds else None)
        return process

    def _start(
        self,
        name: str,
        label: str,
        address: AddressLike | None,
        join: Iterable[Label | AddressLike],
        config: ProtocolConfig,
        metadata: Mapping[str, str] | None,
        keys: Keys | None,
    ) -> Process:
        previous = self.processes.get(label)
        if previous is not None and previous.running:
            raise SimulationError(f"{label} is running")
        bound = canonical(*address) if address else self.new_address()
        run = previous.run + 1 if previous else 0
        random = Random(f"{self.seed}/{label}/{run}")
        if label not in self.wall_offsets:
            self.wall_offsets[label] = random.uniform(-self._clock_skew, self._clock_skew)
        offset = random.uniform(0.0, 100_000.0)
        unix_ms = START_MS + int((self.now + self.wall_offsets[label]) * 1000)
        now, entropy = self.now + offset, random.randbytes(32)
        node = config.create_node(name, bound, now=now, entropy=entropy, unix_ms=unix_ms, metadata=metadata, keys=keys)
        seeds = tuple(self._address(seed) for seed in join)
        process = Process(
            label,
            run,
            node,
            config,
            bound,
            seeds,
            network=self.network,
            hooks=self._hooks,
            clock_offset=offset,
            on_left=self._on_left,
        )
        process.keys = keys
        self._started(process)
        return process

    def _started(self, process: Process) -> None:
        self.network.bind(process.address, process)
        self.processes[process.label] = process
        self._by_name.setdefault(process.name, {})[process] = None  # Smudge names its nodes itself
        for hook in self._hooks.on_start:
            hook(process)

    def _run_program(self, process: Process, program: Program | None) -> None:
        if program is not None:
            process.start_program(program, Random(f"{self.seed}/{process.label}/{process.run}/application"))

    def form(self, count: int, *, limit: float = 60.0, spacing: float = 0.01, seeds: int = SEEDS) -> list[Process]:
        """Start ``count`` processes that really join, through the first ``seeds``, and run until all agree.

        Raises:
            TimeoutError: if they don't within ``limit`` seconds.
        """
        processes: list[Process] = []
        for name in self._names(count):
            processes.append(self.add(name, join=processes[:seeds]))
            self.run_for(spacing)
        self.run_until(self.agreed, limit, every=0.05)
        return processes

    @without_collections()
    def start_formed(self, count: int) -> list[Process]:
        """Start ``count`` processes that have long known each other, without a datagram.

        All members are there when their applications start, and raise no events. The nodes need the methods
        ``formed_cluster(members)`` and ``adopt(formed, *, now)``, which `swim_core.Node` has.

        Raises:
            SimulationError: if the protocol's nodes have no such methods.
        """
        processes = [self._start(name, name, None, (), self.config, None, self.keys) for name in self._names(count)]
        if not processes:
            return processes
        formed = formed_by(processes)
        for process in processes:
            process.do(lambda node, now: cast(CanAdopt, node).adopt(formed, now=now))
            self._run_program(process, self.application)
            process.seeds = tuple(p.address for p in processes[: SEEDS + 1] if p is not process)[:SEEDS]
            process.do(lambda node, now, seeds=process.seeds: node.join(seeds, now=now))  # type: ignore[misc]
        return processes

    def _names(self, count: int) -> list[str]:
        return [f"node-{number}" for number in range(len(self.processes), len(self.processes) + count)]

    def new_address(self) -> Address:
        """An address on a host on which nothing runs yet."""
        self._hosts += 1
        return Address(f"10.{self._hosts >> 16 & 255}.{self._hosts >> 8 & 255}.{self._hosts & 255}", PORT)

    def _address(self, where: Label | AddressLike) -> Address:
        if isinstance(where, Process):
            return where.address
        return self.processes[where].address if isinstance(where, str) else canonical(*where)

    # what applications do

    def broadcast(self, label: Label, payload: bytes) -> int:
        """Let a node broadcast; returns the broadcast's number."""
        return self.process(label).broadcast(payload)

    def send(self, label: Label, to: str | Member, payload: bytes) -> None:
        """Let a node send a message to one member."""
        self.process(label).do(lambda node, now: node.send(to, payload, now=now))

    def update_metadata(self, label: Label, metadata: Mapping[str, str]) -> None:
        """Let a node change its metadata."""
        self.process(label).update_metadata(metadata)

    def leave(self, label: Label) -> None:
        """Let a node say goodbye; its process ends when the goodbye has been sent."""
        self.process(label).leave()

    def _ended(self, process: Process, how: Stop) -> None:
        self.faults[how.value] += 1
        process.stop()
        del self._by_name[process.name][process]
        for hook in self._hooks.on_stop:
            hook(process, how)

    def _on_left(self, process: Process) -> None:
        self.network.close(process.address)
        self._ended(process, Stop.LEFT)
