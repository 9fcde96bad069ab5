"""Harm to a cluster, drawn from a seed: the acts that make up scenarios."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random

from swim_core.errors import SwimError

from .liar import Liar
from .link import Link
from .network_harm import NetworkHarm
from .process import Process
from .simulation import Simulation

__all__ = ["Act", "Acts", "Harm"]

Act = Callable[["Harm"], None]
"""Does one kind of harm once."""
Acts = Sequence[tuple[int, Act]]
"""Acts by weight: how often each is done, compared with the others."""

DUPLICATE = "'s namesake"  # in the label of a process that has another's name
LIES_AT_ONCE = 8


class Harm(NetworkHarm):
    """Does random acts of harm to a simulation, each counted in its `faults`.

    It keeps within the bounds in which the protocol's promises hold: acts that end single processes leave two thirds
    of all running, and a stall lasts at most ``longest_stall`` seconds.

    Attributes:
        longest_stall: seconds.
    """

    def __init__(self, simulation: Simulation, acts: Acts, *, longest_stall: float, seed: object = None) -> None:
        """Prepare to do ``acts``.

        Args:
            simulation: whose processes may run already.
            acts: what to do, by weight.
            longest_stall: seconds.
            seed: of the acts; the simulation's by default.
        """
        super().__init__(simulation, Random(f"{simulation.seed if seed is None else seed}/harm"))
        self._acts = acts
        self.longest_stall = longest_stall
        self._most = 2 * len(simulation.processes)
        self._joined = 0
        self._slow: list[Process] = []
        self._liar: tuple[Process, Liar] | None = None

    def play(self, seconds: float, *, every: float = 1.0) -> None:
        """Let ``seconds`` of virtual time pass, and do an act every ``every`` seconds, on average."""
        simulation, end = self.simulation, self.simulation.now + seconds
        weights = [weight for weight, _ in self._acts]
        while (gap := self.random.expovariate(1 / every)) + simulation.now < end:
            simulation.run_for(gap)
            [(_, act)] = self.random.choices(self._acts, weights)
            act(self)
        simulation.run_for(end - simulation.now)

    def end(self) -> None:
        """Undo lasting harm: cuts, links, stalls, namesakes and hostile members. Processes that have ended stay
        ended."""
        simulation = self.simulation
        if self._liar is not None and self._liar[0].running:
            simulation.crash(self._liar[0], refusals=self.random.random() < 0.5)
        for name in dict.fromkeys(process.name for process in simulation.running()):
            self._leave_one(name)
        simulation.heal()
        simulation.set_link(self._link)
        for process in self._slow:
            self._quicken(process)
        for process in simulation.running():
            simulation.resume(process)

    # choosing processes

    def awake(self) -> list[Process]:
        """Those that run and do not stall, leave or lie."""
        liar = self._liar[0] if self._liar is not None else None
        return [p for p in self.simulation.running() if not p.paused and not p.leaving and p is not liar]

    def _expendable(self) -> Process | None:
        """A process that may end, since enough others run; None if too few do."""
        running = self.simulation.running()
        enough = (len(running) - 1) * 3 >= 2 * len(self.simulation.processes)
        process = self.random.choice(running) if enough else None
        return None if self._liar is not None and process is self._liar[0] else process

    # single processes

    def stall(self) -> None:
        """Stall up to three at once, and now and then a quarter of all."""
        seconds = self.random.uniform(0.1, self.longest_stall)
        awake = self.awake()
        for process in self.some(awake, self.random.choice((1, 1, 1, 2, 3, len(awake) // 4))):
            self.simulation.pause(process, seconds)

    def suspend(self) -> None:
        """Let a machine sleep for up to a minute, or its clock go back."""
        if awake := self.awake():
            process = self.random.choice(awake)
            self.simulation.step_clock(process, monotonic=self.random.uniform(-2.0, 60.0))

    def step_wall_clock(self) -> None:
        """Set the wall clock of a host off by up to an hour, which shows at the next start there."""
        label = self.random.choice(list(self.simulation.processes))
        self.simulation.step_clock(label, wall=self.random.choice((-3_600.0, -10.0, 10.0, 3_000.0)))

    def reset_connections(self) -> None:
        """Where there are tripwires, break the TCP connections of one process or of all, as middleboxes do."""
        if self.simulation.wires is not None:
            one = self.random.choice(self.simulation.running())
            self.simulation.wires.reset(*([one] if self.random.random() < 0.7 else []))

    def crash(self) -> None:
        """Kill one."""
        if process := self._expendable():
            self.simulation.crash(process, refusals=self.random.random() < 0.7)

    def lose_host(self) -> None:
        """Lose the host of one."""
        if process := self._expendable():
            self.simulation.lose_host(process)

    def leave(self) -> None:
        """Have one say goodbye."""
        process = self._expendable()
        if process and not process.paused and not process.leaving:
            self.simulation.leave(process)

    def restart(self) -> None:
        """Restart one that has ended."""
        liar = self._liar[0] if self._liar is not None else None
        ended = [p for p in self.simulation.processes.values() if not p.running and p is not liar]
        if ended:
            self.simulation.restart(self.random.choice(ended), join=self.awake()[:3])

    def bounce(self) -> None:
        """Kill one and restart it at once."""
        if process := self._expendable():
            self.simulation.restart(process, join=self._seeds(process))

    def move(self) -> None:
        """Restart one at another address, or two at each other's."""
        awake = self.awake()
        if len(awake) < 3:
            return
        one, other = self.random.sample(awake, 2)
        if self.random.random() < 0.7:
            self.simulation.move(one, join=self._seeds(one))
            return
        seeds = self._seeds(one, other)
        self.simulation.crash(other)
        self.simulation.move(one, address=other.address, join=seeds)
        self.simulation.move(other, address=one.address, join=seeds)

    def _seeds(self, *besides: Process) -> list[Process]:
        """Seeds for a process that joins. Those of a host that moves would be of no use."""
        return self.some([p for p in self.awake() if p not in besides], 3)

    # more and more of them

    def join(self) -> None:
        """Start a new one, unless there are already twice as many as at first."""
        if (awake := self.awake()) and len(self.simulation.processes) < self._most:
            self._newcomer(awake)
            self.simulation.faults["join"] += 1

    def come_and_go(self) -> None:
        """Start a new one that leaves or crashes while it joins, or before all others have met it."""
        if (awake := self.awake()) and len(self.simulation.processes) < self._most:
            process = self._newcomer(awake)
            self.simulation.faults["came and went"] += 1
            how = self.random.choice((self.simulation.leave, self.simulation.crash, self.simulation.lose_host))
            self.simulation.after(self.random.choice((0.01, 0.1, 1.0)) * self.random.random(), self._go, process, how)

    def _go(self, process: Process, how: Callable[[Process], None]) -> None:
        if process.running and not process.leaving:
            how(process)

    def join_slowly(self) -> None:
        """Start a new one at the end of a slow and lossy line, which starts slowly."""
        if (awake := self.awake()) and len(self.simulation.processes) < self._most:
            process = self._newcomer(awake)
            self.simulation.faults["slow join"] += 1
            link = Link(delay=self.random.uniform(0.05, 0.2), jitter=0.01, loss=self.random.uniform(0.0, 0.1))
            self.simulation.network.set_link(process.address, None, link)
            self.simulation.network.set_link(None, process.address, link)
            self._slow.append(process)
            if self.random.random() < 0.5:
                self.simulation.pause(process, self.random.uniform(0.1, self.longest_stall / 2))

    def _quicken(self, process: Process) -> None:
        self.simulation.network.set_link(process.address, None, None)
        self.simulation.network.set_link(None, process.address, None)

    def _newcomer(self, seeds: Sequence[Process]) -> Process:
        self._joined += 1
        return self.simulation.add(f"newcomer-{self._joined}", join=self.some(seeds, 2))

    def duplicate(self) -> None:
        """Start a second process with the name of a running one, or end one of two namesakes."""
        simulation = self.simulation
        names = list(dict.fromkeys(process.name for process in self.awake()))
        if not names:
            return
        name = self.random.choice(names)
        if len(simulation.named(name)) > 1:
            self._leave_one(name)
        elif f"{name}{DUPLICATE}" not in simulation.processes and 3 * self._namesakes() < len(names):
            simulation.add(name, label=f"{name}{DUPLICATE}", join=self._seeds(*simulation.named(name)))
            simulation.faults["duplicate name"] += 1

    def _namesakes(self) -> int:
        return sum(process.label.endswith(DUPLICATE) for process in self.simulation.running())

    def _leave_one(self, name: str) -> None:
        """Kill all but one of that name."""
        namesakes = list(self.simulation.named(name))
        self.random.shuffle(namesakes)
        for process in namesakes[1:]:
            self.simulation.crash(process)

    def mass_restart(self) -> None:
        """Kill all within a moment, then restart all under their names."""
        processes = self.awake()
        self.simulation.faults["mass restart"] += 1
        for process in processes:
            self.simulation.crash(process)
        self.simulation.run_for(self.random.choice((0.0, 0.5, 3.0)))
        for process in processes:
            self.simulation.restart(process, join=[p for p in processes[:3] if p is not process])
            self.simulation.run_for(self.random.choice((0.0, 0.0, 0.05)))

    def mass_crash(self) -> None:
        """Kill three in ten at once, after restarting those that are still down from an earlier time."""
        simulation = self.simulation
        for process in [p for p in simulation.processes.values() if not p.running]:
            simulation.restart(process, join=self.awake()[:3])
        simulation.run_for(self.random.uniform(5.0, 8.0))
        awake = self.awake()
        simulation.faults["mass crash"] += 1
        refusals = self.random.random() < 0.5
        for process in self.some(awake, max(1, 3 * len(awake) // 10)):
            simulation.crash(process, refusals=refusals)

    # what applications do meanwhile

    def broadcast(self) -> None:
        """Have some broadcast, and now and then broadcast a lot."""
        for process in self.awake()[: self.random.randint(1, 3)]:
            for _ in range(self.random.choice((1, 1, 2, 20))):
                try:
                    self.simulation.broadcast(process, self.random.randbytes(self.random.randint(0, 200)))
                except (
                    SwimError
                ):  # too much is waiting already, or another process took its name: applications must cope with that
                    break
                self.simulation.faults["broadcast"] += 1

    def change_metadata(self) -> None:
        """Have one change its metadata."""
        if awake := self.awake():
            with suppress(SwimError):  # another process took its name
                self.simulation.update_metadata(self.random.choice(awake), {"mood": str(self.random.random())})
                self.simulation.faults["metadata"] += 1

    # ill will

    def lie(self) -> None:
        """Have a hostile member, the same one each time, say anything at all."""
        if self._liar is None:
            process = self.random.choice(self.awake())
            self._liar = process, Liar(self.simulation, process, self.random)
        process, liar = self._liar
        for _ in range(self.random.randint(1, LIES_AT_ONCE)):
            self.simulation.faults["lie"] += 1
            liar.lie()
