"""Two rounds of probing among eight members: who meets whom, who of the two pings, and when."""

from math import cos, pi, sin

from swim_core.simulation import Simulation

from .recording import Recording
from .svg import Drawing

__all__ = ["draw", "rounds"]

MEMBERS = 8
RADIUS = 120.0


def rounds() -> tuple[list[tuple[str, str, float]], ...]:
    """The pings of two rounds, each as pinger, target and milliseconds since the round began."""
    with Simulation(seed=4) as simulation:
        simulation.start_formed(MEMBERS)
        simulation.run_for(2.9)  # pick up the rhythm; a round begins at 3.0
        recording = Recording(simulation)
        simulation.run_for(2.0)
    pings = [(d.source, d.destination, d.time) for d in recording.sent if d.message == "Ping"]
    first = [(a, b, 1000 * (time - 0.1)) for a, b, time in pings if time < 1.0]
    return first, [(a, b, 1000 * (time - 1.1)) for a, b, time in pings if time >= 1.0]


def draw() -> str:
    """The picture, as SVG."""
    first, second = rounds()
    order = sorted({name for a, b, _ in first for name in (a, b)})
    drawing = Drawing("Eight members in a circle; in each of two rounds four arrows make pairs of them", 720, 340)
    for pings, middle, title in ((first, 180.0, "one round"), (second, 540.0, "the next")):
        _circle(drawing, middle, 185.0, order, pings)
        drawing.label(middle, 22, title, anchor="middle")
    return drawing.text()


def _circle(drawing: Drawing, x: float, y: float, order: list[str], pings: list[tuple[str, str, float]]) -> None:
    places = {}
    for place, name in enumerate(order):
        angle = 2 * pi * place / len(order) - pi / 2
        places[name] = (x + RADIUS * cos(angle), y + RADIUS * sin(angle))
    for pinger, target, time in pings:
        drawing.arrow(*places[pinger], *places[target], "blue", short=9)
        for name in (pinger, target):
            to_x, to_y = places[name]
            drawing.dot(to_x, to_y, radius=6)
            text = f"{time:.0f} ms"
            drawing.label(x + (to_x - x) * 1.3, y + (to_y - y) * 1.16 + 4, text, "faint", anchor="middle")
