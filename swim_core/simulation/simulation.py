"""A cluster with faults: crashes, lost hosts, stalls, clock jumps, cuts and partitions."""

from collections.abc import Iterable

from swim_core.address import canonical
from swim_core.keys import Keys
from swim_core.protocol import AddressLike

from .cluster import Cluster, Label
from .link import Link
from .process import Process, Stop

__all__ = ["Simulation"]


class Simulation(Cluster):
    """A cluster in virtual time, and the faults that it can suffer; see `Cluster` for everything else.

        with Simulation(seed=7) as simulation:
            simulation.start_formed(16)
            simulation.crash("node-3")
            simulation.run_until(simulation.agreed, limit=2.0)

    Each method counts what it did in `faults`.
    """

    # processes

    def crash(self, label: Label, *, refusals: bool = True) -> None:
        """Kill a process. Its host refuses datagrams that are sent to it, or, without ``refusals``, ignores them."""
        process = self.process(label)
        self.network.tear_down(process.address, refuses=refusals)
        self._ended(process, Stop.CRASHED if refusals else Stop.CRASHED_SILENTLY)

    def lose_host(self, label: Label) -> None:
        """Remove the host of a process at once, with every process on it."""
        host = self.process(label).address.host
        self.network.lose_host(host)
        for process in self.running():
            if process.address.host == host:
                self._ended(process, Stop.HOST_LOST)

    def restart(
        self, label: Label, *, address: AddressLike | None = None, join: Iterable[Label | AddressLike] = ()
    ) -> Process:
        """Start a process again, killing it first if it runs. It gets a new epoch, by the wall clock of its host.

        Args:
            label: the process; its node keeps its name and settings, and its application starts again.
            address: its address; by default the one it had.
            join: its seeds; by default the ones it had.
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
        """Start a process again at another address, like a container that is scheduled elsewhere; see `restart`.

        Args:
            label: the process; it keeps its name.
            address: its address; by default on a new host of its own.
            join: its seeds; by default the ones it had.
        """
        self.faults["move"] += 1
        return self.restart(label, address=address or self.new_address(), join=join)

    def change_address(self, label: Label, address: AddressLike | None = None) -> None:
        """Give the host of a running process another address, by default a new one, and tell its node.

        Afterwards nothing listens at the old address, and no kernel refuses datagrams there.
        """
        process = self.process(label)
        self.faults["address change"] += 1
        self.network.close(process.address, refuses=False)
        process.address = canonical(*address) if address else self.new_address()
        self.network.bind(process.address, process)
        process.do(lambda node, now: node.update_address(process.address, now=now))

    def pause(self, label: Label, seconds: float = float("inf")) -> None:
        """Stall a process: its datagrams queue, and it doesn't run until it wakes. The longer of two stalls counts."""
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
        """Let the clocks of a process's host jump, by seconds, forwards or backwards.

        Args:
            label: the process; it may have ended.
            wall: a jump of the wall clock; it only shows at the next start, since a node reads the wall clock once.
            monotonic: a jump of the running process's clock. Forwards it is like a stall (a suspended machine).
                Backwards never happens in reality, but nodes promise to tolerate it.
        """
        process = self.processes[label.label if isinstance(label, Process) else label]
        self.faults["clock step"] += 1
        self.wall_offsets[process.label] += wall
        if monotonic:
            process.step_clock(monotonic)

    def set_keys(self, label: Label, keys: Keys) -> None:
        """Give a process other keys, which it keeps after a restart."""
        process = self.process(label)
        self.faults["keys"] += 1
        process.do(lambda node, now: node.set_keys(keys, now=now))
        process.keys = keys

    # the network

    def set_link(self, link: Link) -> None:
        """Make all links like this from now on; for single ones see `Network.set_link`."""
        self.network.link = link
        self.network_changed()

    def cut(self, source: Label, destination: Label) -> None:
        """Let nothing pass from one process to the other; the way back is unchanged."""
        self.faults["cut"] += 1
        self.network.cut(self._address(source), self._address(destination))
        self.network_changed()

    def mend(self, source: Label, destination: Label) -> None:
        """Undo `cut`."""
        self.network.mend(self._address(source), self._address(destination))
        self.network_changed()

    def partition(self, *groups: Iterable[Label]) -> None:
        """Let datagrams pass within groups only; processes in no group form another one."""
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
