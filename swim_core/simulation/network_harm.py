"""Harm to the network of a cluster: partitions, cuts, and links that lose and reorder."""

from collections.abc import Sequence
from random import Random

from .link import Link
from .process import Process
from .simulation import Simulation

__all__ = ["NetworkHarm"]


class NetworkHarm:
    """Random acts of harm to a simulated network.

    Attributes:
        simulation: the simulation that is harmed.
        random: the source of everything random.
    """

    def __init__(self, simulation: Simulation, random: Random) -> None:
        self.simulation = simulation
        self.random = random
        self._link = simulation.network.link

    def some(self, processes: Sequence[Process], most: int) -> list[Process]:
        """At most ``most`` of them, in random order."""
        return self.random.sample(processes, min(len(processes), most))

    def partition(self) -> None:
        """Cut up to half of the running ones off from the others."""
        running = self.simulation.running()
        self.simulation.partition(self.random.sample(running, self.random.randint(1, max(1, len(running) // 2))))

    def heal(self) -> None:
        """End the partition and all cuts."""
        if not self.simulation.network.whole:
            self.simulation.faults["heal"] += 1
            self.simulation.heal()

    def cut(self) -> None:
        """Let nothing pass from one to another any longer."""
        if len(running := self.simulation.running()) >= 2:
            self.simulation.cut(*self.random.sample(running, 2))

    def deafen(self) -> None:
        """Cut all paths to one process, or all paths from it."""
        running = self.simulation.running()
        one, to_it = self.random.choice(running), self.random.random() < 0.5
        for other in running:
            if other is not one:
                ends = (other, one) if to_it else (one, other)
                self.simulation.network.cut(*(process.address for process in ends))
        self.simulation.faults["deafened" if to_it else "muted"] += 1
        self.simulation.network_changed()

    def mend(self) -> None:
        """Undo the oldest cut."""
        for source, destination in self.simulation.network.cuts[:1]:
            self.simulation.faults["mend"] += 1
            self.simulation.network.mend(source, destination)
            self.simulation.network_changed()

    def change_weather(self) -> None:
        """Let all links lose, repeat and reorder more, or less, than before."""
        link = Link(
            jitter=self.random.choice((0.0001, 0.002)),
            loss=self.random.choice((0.0, 0.01, 0.05, 0.09)),
            duplication=self.random.choice((0.0, 0.02, 0.2)),
            reordering=self.random.choice((0.0, 0.05)),
        )
        for kind in ("loss", "duplication", "reordering"):
            self.simulation.faults[kind] += getattr(link, kind) > 0
        self.simulation.set_link(link)

    def lose_a_fifth(self) -> None:
        """Let every link lose one datagram in five."""
        if not self.simulation.network.link.loss:
            self.simulation.faults["loss fifth"] += 1
            self.simulation.set_link(self._link.with_loss(0.2))
