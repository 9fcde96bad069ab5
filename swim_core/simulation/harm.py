"""Harm that can come to a cluster, drawn from a seed: the acts that scenarios are made of."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random

from swim_core.errors import SwimError

from .liar import Liar
from .link import Link
from .process import Process
from .simulation import Simulation

__all__ = ["Act", "Acts", "Harm"]

Act = Callable[["Harm"], None]
"""Does one kind of harm, once."""
Acts = Sequence[tuple[int, Act]]
"""Acts by weight: how often each is done, compared with the others."""

DUPLICATE = "'s namesake"  # in the label of a process that was given another's name
LIES_AT_ONCE = 8


class Harm:
    """Does random acts of harm to a simulation, each counted in its `faults`.

    Some bounds are kept, within which the protocol's promises hold: acts that end single processes leave two thirds
    of all running, and stalls last for ``longest_stall`` at most.
    """

    def __init__(self, simulation: Simulation, acts: Acts, *, longest_stall: float, seed: object = None) -> None:
        """Prepare to do ``acts``.

        Args:
            simulation: whose processes may run already.
            acts: what to do, by weight.
            longest_stall: seconds.
            seed: of the acts; the simulation's by default.
        """
        self._simulation = simulation
        self._acts = acts
        self._longest_stall = longest_stall
        self._random = Random(f"{simulation.seed if seed is None else seed}/harm")
        self._link = simulation.network.link
        self._most = 2 * len(simulation.processes)
        self._joined = 0
        self._slow: list[Process] = []
        self._liar: tuple[Process, Liar] | None = None

    def play(self, seconds: float, *, every: float = 1.0) -> None:
        """Let ``seconds`` of virtual time pass, and do an act every ``every`` seconds, on average."""
        simulation, end = self._simulation, self._simulation.now + seconds
        weights = [weight for weight, _ in self._acts]
        while (gap := self._random.expovariate(1 / every)) + simulation.now < end:
            simulation.run_for(gap)
            [(_, act)] = self._random.choices(self._acts, weights)
            act(self)
        simulation.run_for(end - simulation.now)

    def end(self) -> None:
        """Undo what lasts: cuts, links, stalls, namesakes, and whoever is hostile. Who has ended stays so."""
        simulation = self._simulation
        if self._liar is not None and self._liar[0].running:
            simulation.crash(self._liar[0], refusals=self._random.random() < 0.5)
        for name in dict.fromkeys(process.name for process in simulation.running()):
            self._leave_one(name)
        simulation.heal()
        simulation.set_link(self._link)
        for process in self._slow:
            self._quicken(process)
        for process in simulation.running():
            simulation.resume(process)

    # whom

    def _awake(self) -> list[Process]:
        liar = self._liar[0] if self._liar is not None else None
        return [p for p in self._simulation.running() if not p.paused and not p.leaving and p is not liar]

    def _expendable(self) -> Process | None:
        """One that may end: enough others run."""
        running = self._simulation.running()
        enough = (len(running) - 1) * 3 >= 2 * len(self._simulation.processes)
        process = self._random.choice(running) if enough else None
        return None if self._liar is not None and process is self._liar[0] else process

    def _some(self, processes: Sequence[Process], most: int) -> list[Process]:
        return self._random.sample(processes, min(len(processes), most))

    # single processes

    def stall(self) -> None:
        """Up to three at once, now and then a quarter of all."""
        seconds = self._random.uniform(0.1, self._longest_stall)
        awake = self._awake()
        for process in self._some(awake, self._random.choice((1, 1, 1, 2, 3, len(awake) // 4))):
            self._simulation.pause(process, seconds)

    def suspend(self) -> None:
        """A machine that sleeps for up to a minute, or a clock that goes back."""
        if awake := self._awake():
            process = self._random.choice(awake)
            self._simulation.step_clock(process, monotonic=self._random.uniform(-2.0, 60.0))

    def step_wall_clock(self) -> None:
        """By as much as an hour, which shows at the next start."""
        label = self._random.choice(list(self._simulation.processes))
        self._simulation.step_clock(label, wall=self._random.choice((-3_600.0, -10.0, 10.0, 3_000.0)))

    def reset_connections(self) -> None:
        """Break the TCP connections of one process, or all there are, as middleboxes do; where there are tripwires."""
        if self._simulation.wires is not None:
            one = self._random.choice(self._simulation.running())
            self._simulation.wires.reset(*([one] if self._random.random() < 0.7 else []))

    def crash(self) -> None:
        """Kill one."""
        if process := self._expendable():
            self._simulation.crash(process, refusals=self._random.random() < 0.7)

    def lose_host(self) -> None:
        """Take one away with its host."""
        if process := self._expendable():
            self._simulation.lose_host(process)

    def leave(self) -> None:
        """Have one say goodbye."""
        process = self._expendable()
        if process and not process.paused and not process.leaving:
            self._simulation.leave(process)

    def restart(self) -> None:
        """Start one anew that has ended."""
        liar = self._liar[0] if self._liar is not None else None
        ended = [p for p in self._simulation.processes.values() if not p.running and p is not liar]
        if ended:
            self._simulation.restart(self._random.choice(ended), join=self._awake()[:3])

    def bounce(self) -> None:
        """Kill one and start it anew at once."""
        if process := self._expendable():
            self._simulation.restart(process, join=self._seeds(process))

    def move(self) -> None:
        """Start one anew at another address, or two at each other's."""
        awake = self._awake()
        if len(awake) < 3:
            return
        one, other = self._random.sample(awake, 2)
        if self._random.random() < 0.7:
            self._simulation.move(one, join=self._seeds(one))
            return
        seeds = self._seeds(one, other)
        self._simulation.crash(other)
        self._simulation.move(one, address=other.address, join=seeds)
        self._simulation.move(other, address=one.address, join=seeds)

    def _seeds(self, *besides: Process) -> list[Process]:
        """Some to join by; addresses of those that move are of no use."""
        return self._some([p for p in self._awake() if p not in besides], 3)

    # more and more of them

    def join(self) -> None:
        """Start a new one, as long as there are not twice as many as at first."""
        if (awake := self._awake()) and len(self._simulation.processes) < self._most:
            self._newcomer(awake)
            self._simulation.faults["join"] += 1

    def join_slowly(self) -> None:
        """The same at the end of a slow and lossy line, and with a slow start."""
        if (awake := self._awake()) and len(self._simulation.processes) < self._most:
            process = self._newcomer(awake)
            self._simulation.faults["slow join"] += 1
            link = Link(delay=self._random.uniform(0.05, 0.2), jitter=0.01, loss=self._random.uniform(0.0, 0.1))
            self._simulation.network.set_link(process.address, None, link)
            self._simulation.network.set_link(None, process.address, link)
            self._slow.append(process)
            if self._random.random() < 0.5:
                self._simulation.pause(process, self._random.uniform(0.1, self._longest_stall / 2))

    def _quicken(self, process: Process) -> None:
        self._simulation.network.set_link(process.address, None, None)
        self._simulation.network.set_link(None, process.address, None)

    def _newcomer(self, seeds: Sequence[Process]) -> Process:
        self._joined += 1
        return self._simulation.add(f"newcomer-{self._joined}", join=self._some(seeds, 2))

    def duplicate(self) -> None:
        """Start another process with the name of one that runs, or end one of two namesakes."""
        simulation = self._simulation
        names = list(dict.fromkeys(process.name for process in self._awake()))
        if not names:
            return
        name = self._random.choice(names)
        if len(simulation.named(name)) > 1:
            self._leave_one(name)
        elif f"{name}{DUPLICATE}" not in simulation.processes and 3 * self._namesakes() < len(names):
            simulation.add(name, label=f"{name}{DUPLICATE}", join=self._seeds(*simulation.named(name)))
            simulation.faults["duplicate name"] += 1

    def _namesakes(self) -> int:
        return sum(process.label.endswith(DUPLICATE) for process in self._simulation.running())

    def _leave_one(self, name: str) -> None:
        """Kill all but one of that name."""
        namesakes = list(self._simulation.named(name))
        self._random.shuffle(namesakes)
        for process in namesakes[1:]:
            self._simulation.crash(process)

    def mass_restart(self) -> None:
        """Kill all within a moment, then start all anew, with the names they had."""
        processes = self._awake()
        self._simulation.faults["mass restart"] += 1
        for process in processes:
            self._simulation.crash(process)
        self._simulation.run_for(self._random.choice((0.0, 0.5, 3.0)))
        for process in processes:
            self._simulation.restart(process, join=[p for p in processes[:3] if p is not process])
            self._simulation.run_for(self._random.choice((0.0, 0.0, 0.05)))

    def mass_crash(self) -> None:
        """Kill three in ten at once; whoever of an earlier such time is away still comes back first."""
        simulation = self._simulation
        for process in [p for p in simulation.processes.values() if not p.running]:
            simulation.restart(process, join=self._awake()[:3])
        simulation.run_for(self._random.uniform(5.0, 8.0))
        awake = self._awake()
        simulation.faults["mass crash"] += 1
        refusals = self._random.random() < 0.5
        for process in self._some(awake, max(1, 3 * len(awake) // 10)):
            simulation.crash(process, refusals=refusals)

    # the network

    def partition(self) -> None:
        """Part up to half of the running ones from the others."""
        running = self._simulation.running()
        self._simulation.partition(self._random.sample(running, self._random.randint(1, max(1, len(running) // 2))))

    def heal(self) -> None:
        """End the partition and all cuts."""
        if not self._simulation.network.whole:
            self._simulation.faults["heal"] += 1
            self._simulation.heal()

    def cut(self) -> None:
        """Let nothing more pass from one to another."""
        if len(running := self._simulation.running()) >= 2:
            self._simulation.cut(*self._random.sample(running, 2))

    def deafen(self) -> None:
        """Cut all ways to one, or all ways from one."""
        running = self._simulation.running()
        one, to_it = self._random.choice(running), self._random.random() < 0.5
        for other in running:
            if other is not one:
                ends = (other, one) if to_it else (one, other)
                self._simulation.network.cut(*(process.address for process in ends))
        self._simulation.faults["deafened" if to_it else "muted"] += 1
        self._simulation.network_changed()

    def mend(self) -> None:
        """Undo the oldest cut."""
        for source, destination in self._simulation.network.cuts[:1]:
            self._simulation.faults["mend"] += 1
            self._simulation.network.mend(source, destination)
            self._simulation.network_changed()

    def change_weather(self) -> None:
        """Let all links lose, repeat and reorder more, or less, than before."""
        link = Link(
            jitter=self._random.choice((0.0001, 0.002)),
            loss=self._random.choice((0.0, 0.01, 0.05, 0.09)),
            duplication=self._random.choice((0.0, 0.02, 0.2)),
            reordering=self._random.choice((0.0, 0.05)),
        )
        for kind in ("loss", "duplication", "reordering"):
            self._simulation.faults[kind] += getattr(link, kind) > 0
        self._simulation.set_link(link)

    def lose_a_fifth(self) -> None:
        """Let every link lose one datagram in five."""
        if not self._simulation.network.link.loss:
            self._simulation.faults["loss fifth"] += 1
            self._simulation.set_link(self._link.with_loss(0.2))

    # what applications do meanwhile

    def broadcast(self) -> None:
        """Have some broadcast, now and then a lot."""
        for process in self._awake()[: self._random.randint(1, 3)]:
            for _ in range(self._random.choice((1, 1, 2, 20))):
                try:
                    self._simulation.broadcast(process, self._random.randbytes(self._random.randint(0, 200)))
                except SwimError:  # too much waits already, or another process took its name: the caller's to bear
                    break
                self._simulation.faults["broadcast"] += 1

    def change_metadata(self) -> None:
        """Have one say something else of itself."""
        if awake := self._awake():
            with suppress(SwimError):  # another process took its name
                self._simulation.update_metadata(self._random.choice(awake), {"mood": str(self._random.random())})
                self._simulation.faults["metadata"] += 1

    # ill will

    def lie(self) -> None:
        """Have a member that has turned hostile, the same one each time, say anything at all."""
        if self._liar is None:
            process = self._random.choice(self._awake())
            self._liar = process, Liar(self._simulation, process, self._random)
        process, liar = self._liar
        for _ in range(self._random.randint(1, LIES_AT_ONCE)):
            self._simulation.faults["lie"] += 1
            liar.lie()
