"""A crash, and when each of the others knows of it: a run of the simulator."""

from swim_core import MemberDied
from swim_core.simulation import Simulation

from .svg import Drawing

__all__ = ["draw", "heard"]

NAMES = ("ann", "bob", "eve", "joe", "kim")
VICTIM = "eve"
SEED = 5
LEFT, WIDTH, TOP, ROW = 60, 600, 34, 30
BEFORE, AFTER = 4.0, 8.0  # milliseconds to show


def heard() -> dict[str, float]:
    """Milliseconds from the crash until each of the others knew."""
    with Simulation(SEED, tripwires=True) as simulation:
        simulation.start_formed(len(NAMES))
        simulation.run_for(8.0)
        names = dict(zip(sorted(process.label for process in simulation.running()), NAMES, strict=True))
        victim = next(label for label, name in names.items() if name == VICTIM)
        began = simulation.now
        simulation.crash(victim)
        simulation.run_for(2.0)
        others = [process for process in simulation.running() if process.label != victim]
        return {names[p.label]: 1000 * (p.times(MemberDied, victim)[0] - began) for p in others}


def draw() -> str:
    """A line for each member; a dot where it knows."""
    times = heard()
    drawing = Drawing("A process is killed, and the four others know of it within milliseconds", 720, 220)

    def x(milliseconds: float) -> float:
        return LEFT + WIDTH * (milliseconds + BEFORE) / (BEFORE + AFTER)

    for number, name in enumerate(NAMES):
        y = TOP + ROW * number
        drawing.label(8, y + 4, name, "red" if name == VICTIM else "")
        if name == VICTIM:
            drawing.line(LEFT, y, x(0), y, "red")
            drawing.dot(x(0), y, "red")
            drawing.label(x(0) + 10, y + 4, "kill -9", "red")
            continue
        drawing.line(LEFT, y, LEFT + WIDTH, y, "faint")
        drawing.dot(x(times[name]), y, "blue")
        drawing.label(x(times[name]) + 10, y + 14, f"knows after {times[name]:.1f} ms", "blue")
    drawing.line(x(0), TOP - 14, x(0), TOP + ROW * len(NAMES) - 10, "faint", dashed=True)
    return drawing.text()
