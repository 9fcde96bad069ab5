"""The part of `attacks.py` about many members that restart, and partitions that come and go."""

import math
from collections.abc import Callable, Iterator, Sequence
from random import Random

from attacks_ends import STEP, formed
from measuring import count, progress, section, settled, table

from swim_core import MemberDied, MemberRecovered, NameConflict, Rule
from swim_core.simulation import Process, Simulation

__all__ = ["flapping", "restarts"]

MEMBERS = 100
FLAPPING = 60  # members of a partition that comes and goes
LIMIT = 120.0


def restarts(seeds: int) -> None:
    """A hundred members restart, one by one or at once, at their old addresses or others, with clocks that are off."""
    section("All should agree within some seconds, and nobody meet its own past or be found dead while it runs")
    table("what|seed|agreed after|name conflicts|told dead, but by restart", _restarts(seeds))


def _restarts(seeds: int) -> Iterator[Sequence[object]]:
    for name, storm in STORMS.items():
        for seed in range(1, seeds + 1):
            progress(f"{name}, seed {seed}")
            yield name, seed, *_restart(name, storm, seed)


def _restart(name: str, storm: Callable[[Simulation, Random], None], seed: int) -> tuple[object, ...]:
    with formed(f"restarts/{name}/{seed}", MEMBERS) as simulation:
        began = simulation.now
        storm(simulation, Random(f"{name}/{seed}"))
        agreed = settled(simulation, simulation.agreed, LIMIT, STEP)
        simulation.run_for(10.0)
        told = [
            event
            for process in simulation.running()
            for time, event in process.events
            if time > max(began, process.started) and isinstance(event, MemberDied)
        ]
        return (
            "never" if math.isinf(agreed) else f"{agreed:.2f} s",
            count(simulation.running(), NameConflict),
            sum(event.evidence is None or event.evidence.rule is not Rule.RESTARTED for event in told),
        )


def _seeds(simulation: Simulation, besides: Process) -> list[Process]:
    return [process for process in simulation.running() if process is not besides][:3]


def _rolling(every: float, move: bool, clocks: float) -> Callable[[Simulation, Random], None]:
    """One after the other, with clocks that are off by up to this many seconds."""

    def storm(simulation: Simulation, random: Random) -> None:
        for process in list(simulation.running()):
            if clocks:
                simulation.step_clock(process, wall=random.uniform(-clocks, clocks))
            seeds = _seeds(simulation, process)
            simulation.move(process, join=seeds) if move else simulation.restart(process, join=seeds)
            simulation.run_for(every)

    return storm


def _at_once(down: float, move: float, clocks: float) -> Callable[[Simulation, Random], None]:
    """All at once, after this many seconds, a share of them at other addresses."""

    def storm(simulation: Simulation, random: Random) -> None:
        processes = list(simulation.running())
        for process in processes:
            simulation.crash(process)
        simulation.run_for(down)
        for process in processes:
            if clocks:
                simulation.step_clock(process, wall=random.uniform(-clocks, clocks))
            seeds = [seed for seed in processes[:3] if seed is not process]
            moves = process not in processes[:3] and random.random() < move
            simulation.move(process, join=seeds) if moves else simulation.restart(process, join=seeds)

    return storm


def _swaps(simulation: Simulation, random: Random) -> None:
    """Ten pairs take each other's addresses."""
    chosen = random.sample(list(simulation.running()), 20)
    stay = [process for process in simulation.running() if process not in chosen][:3]
    for one, other in zip(chosen[::2], chosen[1::2], strict=True):
        simulation.crash(other)
        simulation.move(one, address=other.address, join=stay)
        simulation.move(other, address=one.address, join=stay)


STORMS: dict[str, Callable[[Simulation, Random], None]] = {
    "one a second": _rolling(1.0, False, 0.0),
    "with new addresses": _rolling(1.0, True, 0.0),
    "ten a second, clocks off by up to a minute": _rolling(0.1, False, 60.0),
    "all at once": _at_once(0.0, 0.0, 0.0),
    "after 3 s, clocks off by up to half an hour": _at_once(3.0, 0.0, 1_800.0),
    "half with new addresses, clocks off by up to 30 s": _at_once(0.0, 0.5, 30.0),
    "all but the seeds with new addresses": _at_once(0.0, 1.0, 0.0),
    "ten pairs swap addresses": _swaps,
}


def flapping(seeds: int) -> None:
    """Sixty members are cut into halves and joined again, every 10 or 6 s, for two minutes."""
    section("All should agree at once each time; each flap of more than S costs each member a death and a recovery")
    table("every|seed|agreed after, at most|recoveries told|told dead after the last heal|sent/s, each", _flaps(seeds))


def _flaps(seeds: int) -> Iterator[Sequence[object]]:
    for every in (10.0, 6.0, 3.0):
        for seed in range(1, seeds + 1):
            progress(f"flapping every {every:g} s, seed {seed}")
            yield f"{every:g} s", seed, *_flap(every, seed)


def _flap(every: float, seed: int) -> tuple[object, ...]:
    with formed(f"flap/{every}/{seed}", FLAPPING, 0.01) as simulation:
        everybody = simulation.running()
        half = Random(seed).sample(list(everybody), FLAPPING // 2)
        began, sent, longest = simulation.now, simulation.network.traffic.sent, 0.0
        while simulation.now < began + 120.0:
            simulation.partition(half)
            simulation.run_for(every)
            simulation.heal()
            healed = simulation.now
            longest = max(longest, settled(simulation, simulation.agreed, every, STEP))
            simulation.run_for(max(0.0, healed + every - simulation.now))
        return (
            f"{longest:.2f} s",
            count(everybody, MemberRecovered, since=began),
            count(everybody, MemberDied, since=healed),
            f"{(simulation.network.traffic.sent - sent) / (simulation.now - began) / FLAPPING:.0f}",
        )
