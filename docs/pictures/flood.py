"""A broadcast as it floods: when it reached each of 72 members, and from whom first."""

from swim_core.simulation import Simulation

from .recording import Datagram, Recording
from .svg import Drawing

__all__ = ["arrivals", "draw"]

MEMBERS = 72  # with fewer, the origin tells all itself
ORIGIN = "node-0"
LEFT, TOP, ROW, WIDTH = 70.0, 30.0, 6.0, 620.0


def arrivals() -> list[Datagram]:
    """Every datagram that carried the broadcast, in order of arrival."""
    with Simulation(seed=4) as simulation:
        simulation.start_formed(MEMBERS)
        simulation.run_for(3.25)  # a moment without pings, which the news would ride on
        recording = Recording(simulation)
        simulation.broadcast(ORIGIN, b"hello")
        simulation.run_for(0.015)  # before the origin repeats it
    return [datagram for datagram in recording.delivered if datagram.envelope.broadcasts]


def draw() -> str:
    """The picture, as SVG."""
    all_of_them = arrivals()
    reached: dict[str, float] = {ORIGIN: 0.0}
    first: list[Datagram] = []
    for datagram in all_of_them:
        if datagram.destination not in reached:
            reached[datagram.destination] = datagram.time
            first.append(datagram)
    places = {name: TOP + ROW * place for place, name in enumerate(reached)}
    end = max(datagram.time for datagram in all_of_them)
    bottom = max(places.values()) + 16
    drawing = Drawing("A broadcast spreads: 72 members by the time at which it reached them", 720, bottom + 44)

    def x(time: float) -> float:
        return LEFT + WIDTH * time / end

    for name, y in places.items():
        drawing.line(x(reached[name]), y, x(end), y, "faint")
    for datagram in all_of_them:
        drawing.dot(x(datagram.time), places[datagram.destination], "faint", radius=2)
    for datagram in first:
        y = places[datagram.destination]
        drawing.line(x(reached[datagram.source]), places[datagram.source], x(datagram.time), y, "blue")
    for name, time in reached.items():
        drawing.dot(x(time), places[name], "red" if name == ORIGIN else "")
    drawing.label(8, places[ORIGIN] + 4, "origin", "red")
    for tenth in range(0, int(end * 10_000) + 1, 5):
        drawing.label(x(tenth / 10_000), bottom + 14, f"{tenth / 10:.1f} ms", "faint", anchor="middle")
    drawing.label(LEFT, bottom + 36, _summary(reached, all_of_them))
    return drawing.text()


def _summary(reached: dict[str, float], all_of_them: list[Datagram]) -> str:
    last = max(reached.values()) * 1000
    return f"{len(reached)} members reached after {last:.1f} ms; {len(all_of_them)} datagrams, small dots the copies"
