"""What scenarios share: measuring when something became known, and waiting for it."""

from collections.abc import Iterable

from swim_core import Event, MemberDied
from swim_core.simulation import Process, Simulation

T = 1.0  # the probe interval of the lan preset, seconds
S = 5.0  # its stall tolerance


def knew(
    simulation: Simulation, kind: type[Event], name: str, since: float, limit: float, *, besides: str = ""
) -> list[float]:
    """How long after ``since`` each other running process got this event about ``name``; waits for the last one."""
    observers = [process for process in simulation.running() if process.name not in (name, besides)]

    def first(process: Process) -> float | None:
        return next((time for time in process.times(kind, name) if time >= since), None)

    simulation.run_until(lambda: all(first(process) is not None for process in observers), limit)
    return sorted(time - since for process in observers if (time := first(process)) is not None)


def deaths(simulation: Simulation, since: float = 0.0) -> list[tuple[str, float, str]]:
    """Which members were told of which deaths, and when."""
    return [
        (process.label, time, event.member.name)
        for process in simulation.processes.values()
        for time, event in process.events
        if isinstance(event, MemberDied) and time >= since
    ]


def labels(processes: Iterable[Process]) -> list[str]:
    """The labels of processes."""
    return [process.label for process in processes]
