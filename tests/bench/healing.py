"""How partitions heal whose only seed may be dead: the figures of docs/protocol.md, section 3.

    python tests/bench/healing.py                         # n = 3 to 32
    python tests/bench/healing.py --members 64 --cuts 10 30 --seeds 1
    python tests/bench/healing.py --flapping

A cluster forms at one seed, which dies 10 s before the cut, in the middle of it, or not at all. The members are cut
into two and three parts, at random, and joined again (``--flapping``: five times, with as long a time between). A row
gives, over all runs, the seconds of virtual time until all agree, and how many deaths of running members were told
after the network was whole again: later than one round trip (2 ms) and than 50 ms.
"""

import argparse
import itertools
from collections.abc import Iterator, Sequence
from random import Random

import attrs
from measuring import progress, section, settled, spread, table

from swim_core import MemberDied
from swim_core.simulation import Link, Simulation

ROUND_TRIP, SOON = 0.002, 0.05
LIMIT = 600.0
FLAPS = 5


@attrs.frozen
class Run:
    """What varies from run to run."""

    seed: int
    members: int
    cut: float
    loss: float
    death: str
    parts: int
    flaps: int


def parts(names: Sequence[str], count: int, random: Random) -> list[list[str]]:
    """The names, cut into this many parts of any size."""
    shuffled = random.sample(names, len(names))
    cuts = sorted(random.sample(range(1, len(names)), count - 1))
    return [shuffled[start:end] for start, end in itertools.pairwise([0, *cuts, len(names)])]


def heal(run: Run) -> tuple[float, list[float]]:
    """Seconds until all agree, and how late each death of a running member was told."""
    random = Random(repr(run))
    with Simulation(repr(run), link=Link(loss=run.loss)) as simulation:
        for number in range(run.members):
            simulation.add(f"m{number}", join=simulation.running()[:1])
            simulation.run_for(0.05)
        simulation.run_until(simulation.agreed, 60.0, every=0.25)
        simulation.run_for(5 * random.random())
        if run.death == "before":
            simulation.crash("m0")
            simulation.run_for(10.0)
        for flap in range(run.flaps):
            simulation.partition(*parts([process.label for process in simulation.running()], run.parts, random))
            simulation.run_for(run.cut / 2)
            if run.death == "during" and flap == 0:
                simulation.crash("m0")
            simulation.run_for(run.cut / 2)
            simulation.heal()
            whole = simulation.now
            if flap + 1 < run.flaps:
                simulation.run_for(run.cut)
        seconds = settled(simulation, simulation.agreed, LIMIT, every=0.1)
        running = {process.name for process in simulation.running()}
        late = [
            at - whole
            for process in simulation.running()
            for at, event in process.events
            if isinstance(event, MemberDied) and event.member.name in running and at > whole
        ]
        return seconds, late


def rows(options: argparse.Namespace) -> Iterator[list[object]]:
    for members, cut, loss in itertools.product(options.members, options.cuts, options.loss):
        runs = [
            Run(seed, members, cut, loss, death, count, FLAPS if options.flapping else 1)
            for seed in range(options.seeds)
            for death in ("before", "during", "never")
            for count in (2, 3)
            if members > count
        ]
        agreed, late = [], []
        for done, run in enumerate(runs):
            progress(f"{members} members, {cut:g} s, {loss:.0%}: {done} of {len(runs)}")
            seconds, deaths = heal(run)
            agreed.append(seconds)
            late += deaths
        after = [sum(seconds > bound for seconds in late) for bound in (ROUND_TRIP, SOON)]
        yield [members, f"{cut:g} s", f"{loss:.0%}", len(runs), spread(agreed, 1), *after]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--members", type=int, nargs="+", default=[3, 6, 16, 32])
    parser.add_argument("--cuts", type=float, nargs="+", default=[10.0, 60.0, 1800.0], help="seconds")
    parser.add_argument("--loss", type=float, nargs="+", default=[0.0, 0.2])
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--flapping", action="store_true", help="cut and heal five times")
    options = parser.parse_args()
    section("Flapping partitions" if options.flapping else "Partitions of clusters with one seed")
    header = "members | cut | loss | runs | all agree after, s: median / most | told dead after 2 ms | after 50 ms"
    table(header, rows(options))


if __name__ == "__main__":
    main()
