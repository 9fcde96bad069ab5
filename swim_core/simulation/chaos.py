"""Seeded chaos, then calm: every kind of harm in random order, with all invariants on watch."""

from collections import Counter
from collections.abc import Callable
from random import Random

import attrs

from swim_core.errors import SwimError
from swim_core.protocol import ProtocolConfig

from .invariants import Bounds, watch_all
from .link import Link
from .process import Process
from .simulation import Simulation

__all__ = ["Chaos", "Report"]


@attrs.frozen(kw_only=True)
class Report:
    """What one run of chaos did.

    Attributes:
        steps: how many things happened.
        faults: how often each kind of harm was done, by name in order of names.
        recovery: seconds of calm until all agreed.
        digest: equal for equal runs.
    """

    steps: int
    faults: Counter[str]
    recovery: float
    digest: str


@attrs.frozen(kw_only=True)
class Chaos:
    """A script of harm, drawn from ``seed``: the same one does the same run. Each does some kinds of harm only.

    At least two thirds of the members run at any time, stalls stay below the stall tolerance, and losses
    below one in ten: what the protocol promises holds all the time, so every invariant is on watch.

    Attributes:
        seed: a whole number.
        members: how many there are at first.
        seconds: of virtual time in which harm is done.
        every: seconds between two harms, on average.
        calm: seconds within which all must agree again afterwards.
        config: of the nodes; the native protocol on a local network by default.
        bounds: what the protocol promises; the native protocol's by default.
    """

    seed: int = 0
    members: int = 8
    seconds: float = 60.0
    every: float = 1.0
    calm: float = 180.0
    config: ProtocolConfig | None = None
    bounds: Bounds = attrs.Factory(Bounds)

    @property
    def replay(self) -> str:
        """The command that does this run again, given the default settings."""
        return (
            f"python -m swim_core.simulation --runs 1 --seed {self.seed} --members {self.members}"
            f" --seconds {self.seconds:g}"
        )

    def run(self) -> Report:
        """Form the cluster, harm it, let it recover, and ask the invariants.

        Raises:
            InvariantViolated: if one does not hold; its notes say when, and how to replay.
            TimeoutError: if the members don't agree in time.
        """
        simulation = Simulation(self.seed, config=self.config)
        simulation.replay = self.replay
        with simulation:
            watch_all(simulation, self.bounds)
            simulation.form(self.members)
            _Script(self, simulation).play()
            recovery = simulation.run_until(simulation.agreed, self.calm, every=0.25)
            simulation.run_for(self.bounds.death_known)
            simulation.calm()
        faults = Counter({kind: simulation.faults[kind] for kind in sorted(simulation.faults)})
        return Report(steps=simulation.steps, faults=faults, recovery=recovery, digest=simulation.digest)


class _Script:
    def __init__(self, chaos: Chaos, simulation: Simulation) -> None:
        self._chaos = chaos
        self._simulation = simulation
        self._random = Random(f"{chaos.seed}/chaos")
        self._joined = chaos.members
        everyday: list[tuple[int, Callable[[], None]]] = [
            (8, self._broadcast),
            (6, self._restart),
            (3, self._heal),
            (3, self._mend),
        ]
        harm: list[tuple[int, Callable[[], None]]] = [
            (6, self._pause),
            (3, self._crash),
            (2, self._lose_host),
            (2, self._leave),
            (2, self._join),
            (2, self._partition),
            (3, self._cut),
            (3, self._change_weather),
            (2, self._change_metadata),
            (1, self._step_wall_clock),
            (1, self._suspend),
        ]
        # Each run leaves some kinds out: what one kind excuses (a partition excuses much) others then show.
        self._acts = everyday + [act for act in harm if self._random.random() < 0.6]

    def play(self) -> None:
        """Do harm for the time given, then end all harm that lasts."""
        simulation, end = self._simulation, self._simulation.now + self._chaos.seconds
        weights = [weight for weight, _ in self._acts]
        while (gap := self._random.expovariate(1 / self._chaos.every)) + simulation.now < end:
            simulation.run_for(gap)
            [(_, act)] = self._random.choices(self._acts, weights)
            act()
        simulation.run_for(end - simulation.now)
        simulation.heal()
        simulation.set_link(Link())
        for process in simulation.running():
            simulation.resume(process)

    def _awake(self) -> list[Process]:
        return [p for p in self._simulation.running() if not p.paused and not p.leaving]

    def _expendable(self) -> Process | None:
        """One that may end: enough others run."""
        running = self._simulation.running()
        enough = (len(running) - 1) * 3 >= 2 * len(self._simulation.processes)
        return self._random.choice(running) if enough else None

    def _pause(self) -> None:
        # Losses eat into the margin of a stall, so the longest stay well below the tolerance.
        seconds = self._random.uniform(0.1, 0.8 * self._chaos.bounds.stall_tolerance)
        awake = self._awake()
        for process in self._random.sample(awake, min(len(awake), self._random.choice((1, 1, 1, 2, 3)))):
            self._simulation.pause(process, seconds)

    def _suspend(self) -> None:
        if awake := self._awake():
            process = self._random.choice(awake)
            self._simulation.step_clock(process, monotonic=self._random.uniform(-2.0, 60.0))

    def _crash(self) -> None:
        if process := self._expendable():
            self._simulation.crash(process, refusals=self._random.random() < 0.7)

    def _lose_host(self) -> None:
        if process := self._expendable():
            self._simulation.lose_host(process)

    def _restart(self) -> None:
        ended = [p for p in self._simulation.processes.values() if not p.running]
        if ended:
            seeds = self._awake()[:3]
            self._simulation.restart(self._random.choice(ended), join=seeds)

    def _leave(self) -> None:
        process = self._expendable()
        if process and not process.paused and not process.leaving:
            self._simulation.leave(process)

    def _join(self) -> None:
        if (awake := self._awake()) and self._joined < 2 * self._chaos.members:
            self._simulation.add(f"node-{self._joined}", join=self._random.sample(awake, min(2, len(awake))))
            self._simulation.faults["join"] += 1
            self._joined += 1

    def _partition(self) -> None:
        running = self._simulation.running()
        self._simulation.partition(self._random.sample(running, self._random.randint(1, max(1, len(running) // 2))))

    def _heal(self) -> None:
        if not self._simulation.network.whole:
            self._simulation.faults["heal"] += 1
            self._simulation.heal()

    def _cut(self) -> None:
        if len(running := self._simulation.running()) >= 2:
            self._simulation.cut(*self._random.sample(running, 2))

    def _mend(self) -> None:
        for source, destination in self._simulation.network.cuts[:1]:
            self._simulation.faults["mend"] += 1
            self._simulation.network.mend(source, destination)
            self._simulation.network_changed()

    def _change_weather(self) -> None:
        link = Link(
            jitter=self._random.choice((0.0001, 0.002)),
            loss=self._random.choice((0.0, 0.01, 0.05, 0.09)),
            duplication=self._random.choice((0.0, 0.02, 0.2)),
            reordering=self._random.choice((0.0, 0.05)),
        )
        for kind in ("loss", "duplication", "reordering"):
            self._simulation.faults[kind] += getattr(link, kind) > 0
        self._simulation.set_link(link)

    def _broadcast(self) -> None:
        for process in self._awake()[: self._random.randint(1, 3)]:
            for _ in range(self._random.choice((1, 1, 2, 20))):
                try:
                    self._simulation.broadcast(process, self._random.randbytes(self._random.randint(0, 200)))
                except SwimError:  # too much waits already, or another process took its name: the caller's to bear
                    break
                self._simulation.faults["broadcast"] += 1

    def _change_metadata(self) -> None:
        if awake := self._awake():
            self._simulation.faults["metadata"] += 1
            self._simulation.update_metadata(self._random.choice(awake), {"mood": str(self._random.random())})

    def _step_wall_clock(self) -> None:
        label = self._random.choice(list(self._simulation.processes))
        self._simulation.step_clock(label, wall=self._random.choice((-3_600.0, -10.0, 10.0, 3_000.0)))
