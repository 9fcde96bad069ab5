"""A cluster that can be harmed: crashes, lost hosts, stalls, stepped clocks, cuts and partitions."""

from collections.abc import Iterable

from swim_core.address import canonical
from swim_core.keys import Keys
from swim_core.protocol import AddressLike

from .cluster import Cluster, Label
from .link import Link
from .process import Process, Stop

__all__ = ["Simulation"]


class Simulation(Cluster):
    """A cluster in virtual time, and the harm that can come to it; see `Cluster` for all the rest.

        with Simulation(seed=7) as simulation:
            simulation.start_formed(16)
            simulation.crash("node-3")
            simulation.run_until(simulation.agreed, limit=2.0)

    Each method counts what it did in `faults`.
    """

    # processes

    def crash(self, label: Label, *, refusals: bool = True) -> None:
        """Kill a process. Its host refuses what is sent to it, or says nothing if not ``refusals``."""
        process = self.process(label)
        self.network.close(process.address, refuses=refusals)
        self._ended(process, Stop.CRASHED if refusals else Stop.CRASHED_SILENTLY)

    def lose_host(self, label: Label) -> None:
        """The host of a process is gone at once, with every process on it."""
        host = self.process(label).address.host
        self.network.lose_host(host)
        for process in self.running():
            if process.address.host == host:
                self._ended(process, Stop.HOST_LOST)

    def restart(
        self, label: Label, *, address: AddressLike | None = None, join: Iterable[Label | AddressLike] = ()
    ) -> Process:
        """Start a process anew, killing it first if it runs: a new epoch, by the wall clock of its host.

        Args:
            label: of the process; its node keeps its name and settings, and its application starts anew.
            address: the one it had, by default.
            join: its seeds, by default the ones it had.
        """
        old = self.processes[label.label if isinstance(label, Process) else label]
        if old.running:
            self.crash(old)
        self.faults["restart"] += 1
        return self.add(
            old.name,
            label=old.label,
            address=address or old.address,
            join=tuple(join) or old.seeds,
            config=old.config,
            application=old.program,
            keys=old.keys,
        )

    def move(
        self, label: Label, *, address: AddressLike | None = None, join: Iterable[Label | AddressLike] = ()
    ) -> Process:
        """Start a process anew at another address, as a container is that was scheduled elsewhere; see `restart`.

        Args:
            label: of the process; it keeps its name.
            address: by default on a new host of its own.
            join: its seeds, by default the ones it had.
        """
        self.faults["move"] += 1
        return self.restart(label, address=address or self.new_address(), join=join)

    def change_address(self, label: Label, address: AddressLike | None = None) -> None:
        """Let the host of a running process get another address, a new one by default; its node is told.

        Nothing listens at the old address any more, and no kernel there refuses.
        """
        process = self.process(label)
        self.faults["address change"] += 1
        self.network.close(process.address, refuses=False)
        process.address = canonical(*address) if address else self.new_address()
        self.network.bind(process.address, process)
        process.do(lambda node, now: node.update_address(process.address, now=now))

    def pause(self, label: Label, seconds: float = float("inf")) -> None:
        """Stall a process: its datagrams queue, and nothing of it runs until it wakes. A longer stall wins."""
        process = self.process(label)
        self.faults["pause"] += 1
        until = self.now + seconds
        if process.paused and process.wakes_at >= until:
            return
        stalled = process.paused
        process.pause(until)
        if not stalled:
            for hook in self._hooks.on_pause:
                hook(process)
        if seconds < float("inf"):
            self._timeline.at(until, self._wake_at, process, until)

    def resume(self, label: Label) -> None:
        """Wake a stalled process now."""
        process = self.process(label)
        if process.paused:
            for hook in self._hooks.on_wake:
                hook(process)
            process.wake()

    def _wake_at(self, process: Process, until: float) -> None:
        if process.running and process.paused and process.wakes_at == until:
            self.resume(process)

    def step_clock(self, label: Label, *, wall: float = 0.0, monotonic: float = 0.0) -> None:
        """Let clocks of a process's host jump, forward or back, by seconds.

        Args:
            label: of the process; it may have ended.
            wall: shows at its next start only, since a node is told the wall clock once.
            monotonic: shows to the running process: forward like a stall (a suspended machine), back never in
                reality, but nodes promise to bear it.
        """
        process = self.processes[label.label if isinstance(label, Process) else label]
        self.faults["clock step"] += 1
        self.wall_offsets[process.label] += wall
        if monotonic:
            process.step_clock(monotonic)

    def set_keys(self, label: Label, keys: Keys) -> None:
        """Let a process hold other keys, after a restart too."""
        process = self.process(label)
        self.faults["keys"] += 1
        process.do(lambda node, now: node.set_keys(keys, now=now))
        process.keys = keys

    # the network

    def set_link(self, link: Link) -> None:
        """Let all links be like this from now on; for single ones see `Network.set_link`."""
        self.network.link = link
        self.network_changed()

    def cut(self, source: Label, destination: Label) -> None:
        """Nothing more passes from one process to the other; the way back is as before."""
        self.faults["cut"] += 1
        self.network.cut(self._address(source), self._address(destination))
        self.network_changed()

    def mend(self, source: Label, destination: Label) -> None:
        """Undo `cut`."""
        self.network.mend(self._address(source), self._address(destination))
        self.network_changed()

    def partition(self, *groups: Iterable[Label]) -> None:
        """Let datagrams pass within groups only; processes in none form one more group."""
        self.faults["partition"] += 1
        self.network.partition([[self._address(label) for label in group] for group in groups])
        self.network_changed()

    def heal(self) -> None:
        """Undo all cuts and the partition."""
        self.network.heal()
        self.network_changed()

    def network_changed(self) -> None:
        """Tell the observers, after changing `network` itself."""
        for hook in self._hooks.on_network:
            hook()
