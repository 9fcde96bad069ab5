"""How long it takes until all know of a failure: runs of the simulator, with tripwires and without."""

from collections.abc import Callable

from swim_core import MemberDied, Rule
from swim_core.simulation import Simulation

__all__ = ["Failure", "measure", "rows"]

MEMBERS = 8
SEEDS = range(4)
LOST = "node-3"

Failure = Callable[[Simulation], None]

FAILURES: dict[str, Failure] = {
    "a process is killed": lambda simulation: simulation.crash(LOST),
    "the same behind a firewall that drops": lambda simulation: simulation.crash(LOST, refusals=False),
    "a host, or its cable, is lost": lambda simulation: simulation.lose_host(LOST),
    "a process hangs for good": lambda simulation: simulation.pause(LOST),
}


def measure(fail: Failure, seed: int, *, tripwires: bool) -> tuple[float, Rule]:
    """Seconds until the last of the others knows, and the rule of the verdict."""
    with Simulation(seed, tripwires=tripwires) as simulation:
        simulation.start_formed(MEMBERS)
        simulation.run_for(8 + seed * 0.23)  # at different moments of a round
        began = simulation.now
        fail(simulation)
        simulation.run_for(10.0)
        others = [process for process in simulation.running() if process.label != LOST]
        evidence = others[0].node.explain(LOST)
        assert evidence is not None
        assert evidence.rule is not None
        return max(process.times(MemberDied, LOST)[0] for process in others) - began, evidence.rule


def rows() -> list[list[str]]:
    """A head and a row for each failure, as texts."""
    found = [["what happens", "known to all, with tripwires", "without"]]
    for what, fail in FAILURES.items():
        found.append([what])
        for tripwires in (True, False):
            runs = [measure(fail, seed, tripwires=tripwires) for seed in SEEDS]
            times = sorted(time for time, _ in runs)
            names = "/".join(dict.fromkeys(rule.name for _, rule in runs))
            found[-1].append(f"{_said(times[0], times[-1])} ({names})")
    return found


def _said(least: float, most: float) -> str:
    if most < 0.1:
        return f"{least * 1000:.0f} to {most * 1000:.0f} ms"
    return f"{least:.1f} to {most:.1f} s"
