"""How soon crashes are known, in the simulator: the figures of docs/protocol.md.

    python tests/bench/detection.py                # N = 128, no loss
    python tests/bench/detection.py --members 16 128 1000 --loss 0 0.05 0.2 --seeds 60
    python tests/bench/detection.py --tripwires --only kill host

Each seed forms a cluster, lets it run so that round trips are known and the crash falls anywhere in an
interval, ends one process, and waits until every other member was told. Seconds are virtual; a table row
states the median and 99th percentile, over the seeds, of the moment when the last member knew.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial

from swim_core import Config, MemberDied, MemberUpdated
from swim_core.simulation import Link, Simulation

VICTIM = "node-1"
ROWS = ("kill", "host", "update")


def last_to_know(simulation: Simulation, kind: type, since: float, limit: float) -> float:
    """Seconds until the last running process was told about the victim."""
    others = [process for process in simulation.running() if process.name != VICTIM]

    def knew() -> bool:
        return all(any(at >= since for at in process.times(kind, VICTIM)) for process in others)

    simulation.run_until(knew, limit)
    return max(next(at for at in process.times(kind, VICTIM) if at >= since) for process in others) - since


def crash(seed: int, members: int, loss: float, tripwires: bool, *, refusals: bool) -> float:
    """One crash, or the loss of a host, which looks like one without refusals; seconds until the last member knew."""
    name = f"{seed}/{members}/{loss}/{refusals}"
    with Simulation(name, link=Link(loss=loss), tripwires=tripwires) as simulation:
        simulation.start_formed(members)
        warm = 30.0 if members <= 128 else 3.0
        simulation.run_for(warm + seed * 0.6180339887 % 8.0)
        simulation.crash(VICTIM, refusals=refusals)
        return last_to_know(simulation, MemberDied, simulation.now, 60.0)


def update(seed: int, members: int, loss: float) -> float:
    """One change of metadata; ms until the last member knew, 1 ms a hop."""
    with Simulation(f"{seed}/{members}/{loss}/update", link=Link.exact(0.001).with_loss(loss)) as simulation:
        simulation.start_formed(members)
        simulation.run_for(1.0)
        changed = simulation.now
        simulation.update_metadata(VICTIM, {"changed": "yes"})
        return 1000 * last_to_know(simulation, MemberUpdated, changed, 60.0)


def idle_minute(members: int) -> tuple[float, float]:
    """Wall seconds that a formed, idle cluster takes to simulate for 60 s, and datagrams per member and second."""
    with Simulation(1) as simulation:
        simulation.start_formed(members)
        start = time.perf_counter()
        simulation.run_for(60.0)
        return time.perf_counter() - start, simulation.network.traffic.sent / 60.0 / members


def spread(values: list[float]) -> str:
    """Median and 99th percentile."""
    ordered = sorted(values)
    return f"{statistics.median(ordered):.3g} | {ordered[min(len(ordered) - 1, int(0.99 * len(ordered)))]:.3g}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, nargs="+", default=[128])
    parser.add_argument("--loss", type=float, nargs="+", default=[0.0])
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--tripwires", action="store_true", help="with TCP connections beside the datagrams")
    parser.add_argument("--only", choices=ROWS, nargs="+", default=ROWS, help="what to measure")
    arguments = parser.parse_args()
    wired = arguments.tripwires
    config = Config.lan()
    print(f"T = {config.probe_interval:g} s, S = {config.stall_tolerance:g} s, {arguments.seeds} seeds a row\n")
    print("| N | loss | what | median | p99 |\n|---|---|---|---|---|")
    for members in arguments.members:
        for loss in arguments.loss:
            rows: dict[str, tuple[str, Callable[[int], float]]] = {
                "kill": (
                    "crash, refused (s)",
                    partial(crash, members=members, loss=loss, tripwires=wired, refusals=True),
                ),
                "host": (
                    "crash, silent (s)",
                    partial(crash, members=members, loss=loss, tripwires=wired, refusals=False),
                ),
                "update": ("update, 1 ms a hop (ms)", partial(update, members=members, loss=loss)),
            }
            for what, measure in (rows[row] for row in arguments.only):
                values = []
                for seed in range(arguments.seeds):
                    values.append(measure(seed))
                    print(f"\r{what} {seed + 1}/{arguments.seeds} ", end="", file=sys.stderr, flush=True)
                print("\r" + " " * 40 + "\r", end="", file=sys.stderr, flush=True)
                print(f"| {members} | {loss:.0%} | {what} | {spread(values)} |", flush=True)
    for members in arguments.members:
        seconds, datagrams = idle_minute(members)
        print(f"\n{members} members, idle, 60 s: simulated in {seconds:.1f} s, {datagrams:.2f} datagrams/s/member")


if __name__ == "__main__":
    main()
