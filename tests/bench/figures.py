"""The tables and pictures of docs/performance.md that the simulator gives, as Markdown.

    python tests/bench/figures.py clusters --members 16 128 --runs 20
    python tests/bench/figures.py clusters --members 1000 --runs 5
    python tests/bench/figures.py large --members 2000 5000 10000
    python tests/bench/figures.py stalls
    python tests/bench/figures.py pictures

Virtual time throughout: the figures depend on the seeds alone, not on the machine, save what simulating the large ones
takes.
"""

import argparse
import resource
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from measuring import progress, share, table

from swim_anyio.command.experiments.plots import drawer
from swim_anyio.command.experiments.units import say_duration
from swim_core import Config, Event, MemberDied, MemberUpdated
from swim_core.simulation import Link, Process, Simulation
from swim_core.simulation.study import Experiment, Run, Setting, Summary, conduct

LOSSES = (0.0, 0.05, 0.2)
EXPERIMENTS = (Experiment.KILL, Experiment.HANG, Experiment.HOST_LOSS, Experiment.UPDATE, Experiment.IDLE)
BLOCKED = (2.0, 4.9, 8.0, 16.0)  # seconds, as in the design's tables
STALLING = (4, 8, 16, 32)
RUNNING = (1.0, 0.05)  # seconds between two stalls of a member
LONG = 180.0  # seconds of one cell of the stall experiment
N = 128
IDLE = 10.0  # seconds of a large cluster in which its load is measured


def setting(members: int, loss: float, *, tripwires: bool = True) -> Setting:
    """A cluster on a local network, after as long as it takes to know round trips."""
    return Setting(
        members=members,
        config=Config.lan(tripwires=tripwires),
        link=Link(loss=loss),
        warm_up=30.0,
        duration=20.0 if members <= N else 5.0,
    )


def clusters(members: list[int], runs: int) -> None:
    """How soon ends and updates are known to the last member, and what it costs."""

    def rows() -> Iterator[tuple[str, ...]]:
        for size in members:
            for loss in LOSSES:
                for experiment in EXPERIMENTS:
                    done = []
                    for seed in range(runs if experiment is not Experiment.IDLE else 1):
                        progress(f"{size} members, {loss:.0%} lost, {experiment.value} {seed}")
                        done.append(conduct(experiment, setting(size, loss), seed))
                    yield row(size, loss, experiment, Summary.of(done))

    progress("")
    table("members|loss|what|half know|all know|p99|never|false deaths|datagrams each|bytes each", rows())


def row(size: int, loss: float, experiment: Experiment, summary: Summary) -> tuple[str, ...]:
    """Load per second for an idle cluster, in all for what has an end."""
    seconds = summary.seconds if experiment is Experiment.IDLE else 1.0
    unit = "/s" if experiment is Experiment.IDLE else ""
    return (
        str(size),
        f"{loss:.0%}",
        experiment.value,
        say_duration(summary.median),
        say_duration(summary.last),
        say_duration(summary.last_p99),
        str(summary.missing),
        str(summary.false_deaths),
        f"{summary.datagrams / seconds:.1f}{unit}",
        f"{summary.bytes / seconds:.0f}{unit}",
    )


def large(members: list[int]) -> None:
    """What the simulator takes for clusters of thousands, each in a process of its own, and how these do."""

    def rows() -> Iterator[tuple[str, ...]]:
        for size in members:
            for tripwires in (True, False):
                progress(f"{size} members, tripwires {'on' if tripwires else 'off'}")
                with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
                    yield process.submit(one_large, size, tripwires).result()

    progress("")
    table("members|tripwires|crash: all|update: all|idle, each: datagrams|CPU|memory at most", rows())


def one_large(size: int, tripwires: bool) -> tuple[str, ...]:
    """A cluster that starts formed, idles, suffers a crash, hears of an update, and agrees in the end."""
    simulation = Simulation(1, config=Config.lan(tripwires=tripwires), tripwires=tripwires)
    members = simulation.start_formed(size)
    simulation.run_for(5.0)  # until tripwires stand
    before = simulation.network.traffic.sent
    simulation.run_for(IDLE)
    idle = (simulation.network.traffic.sent - before) / size / IDLE
    simulation.crash(members[size // 2])
    crash = until_told(simulation, MemberDied, members[size // 2])
    simulation.update_metadata(members[0], {"role": "cache"})
    update = until_told(simulation, MemberUpdated, members[0])
    simulation.run_for(5.0)
    if not simulation.agreed():
        raise SystemExit(f"{size} members do not agree")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    durations = (say_duration(crash), say_duration(update))
    return (
        str(size),
        "on" if tripwires else "off",
        *durations,
        f"{idle:.1f}/s",
        f"{time.process_time():.0f} s",
        f"{peak:.0f} MB",
    )


def until_told(simulation: Simulation, kind: type[Event], about: Process) -> float:
    """Seconds from now until the last of the others is told that of ``about``."""
    since = simulation.now
    others = [process for process in simulation.running() if process is not about]
    simulation.run_until(lambda: all(process.times(kind, about.name) for process in others), limit=30.0)
    return max(at for process in others for at in process.times(kind, about.name)) - since


class Stalls:
    """Members that stall again and again, and who took them, or others, for dead."""

    def __init__(self, stalling: int, blocked: float, running: float) -> None:
        self.blocked, self.running = blocked, running
        self.simulation = Simulation(
            f"{stalling}/{blocked}/{running}", link=Link(loss=0.01), config=Config.lan(), tripwires=True
        )
        members = self.simulation.start_formed(N)
        self.simulation.run_for(20.0)
        self.begun = self.simulation.now
        self.stalls = self.buried = 0
        self.stalling = members[:stalling]
        self.healthy = members[stalling:]
        for number, process in enumerate(self.stalling):
            self.simulation.after(blocked * number / stalling, self._stall, process)
        self.simulation.run_for(LONG)

    def _stall(self, process: Process) -> None:
        since = self.simulation.now
        self.stalls += 1
        self.simulation.pause(process, self.blocked)
        self.simulation.after(self.blocked, self._awake, process, since)

    def _awake(self, process: Process, since: float) -> None:
        self.buried += any(time >= since for other in self.healthy for time in other.times(MemberDied, process.name))
        self.simulation.after(self.running, self._stall, process)

    def false_deaths(self) -> tuple[int, int]:
        """Times that members which did not stall were taken for dead: by others of them, and by anybody."""
        sound = {process.name for process in self.healthy}

        def count(observers: list[Process]) -> int:
            return sum(
                isinstance(event, MemberDied) and event.member.name in sound and time >= self.begun
                for process in observers
                for time, event in process.events
            )

        by_healthy = count(self.healthy)
        return by_healthy, by_healthy + count(self.stalling)


def stalls() -> None:
    """The stall experiment of the design: false deaths, and stalls taken for deaths by sound members."""

    def rows() -> Iterator[tuple[str, ...]]:
        for blocked in BLOCKED:
            for stalling in STALLING:
                cells = []
                for running in RUNNING:
                    progress(f"{stalling} of {N} blocked for {blocked} s, {running} s apart")
                    cells.append(Stalls(stalling, blocked, running))
                by_healthy = sum(cell.false_deaths()[0] for cell in cells)
                by_any = sum(cell.false_deaths()[1] for cell in cells)
                buried, all_stalls = sum(cell.buried for cell in cells), sum(cell.stalls for cell in cells)
                yield f"{blocked:g} s", str(stalling), str(by_healthy), str(by_any), share(buried, all_stalls)

    progress("")
    table("blocked for|members|sound ones declared dead, by sound ones|by anybody|stalls declared deaths", rows())


def pictures(into: Path) -> None:
    """What `swim simulate --plot` draws, of 64 members, with tripwires and without."""
    for tripwires in (True, False):
        path = into / f"performance-{'tripwires' if tripwires else 'plain'}.svg"
        draw = drawer(path)
        results: dict[Experiment, list[Run]] = {}
        here = setting(64, 0.0, tripwires=tripwires)
        for experiment in (Experiment.KILL, Experiment.HANG, Experiment.HOST_LOSS, Experiment.UPDATE):
            progress(f"{path}: {experiment.value}")
            results[experiment] = [conduct(experiment, here, seed) for seed in range(20)]
        results[Experiment.IDLE] = [conduct(Experiment.IDLE, here, 0)]  # whose panel takes runs of its own
        draw(here, results)
    progress("")


def main() -> None:
    """Print a table, or draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["clusters", "large", "stalls", "pictures"])
    parser.add_argument("--members", type=int, nargs="+", default=[16, 128])
    parser.add_argument("--runs", type=int, default=20)
    parser.add_argument("--into", type=Path, default=Path("docs/figures"))
    arguments = parser.parse_args()
    if arguments.what == "clusters":
        clusters(arguments.members, arguments.runs)
    elif arguments.what == "large":
        large(arguments.members)
    elif arguments.what == "stalls":
        stalls()
    else:
        pictures(arguments.into)


if __name__ == "__main__":
    main()
