"""A watch from the first unanswered ping to the verdict: one of eight members hangs."""

from swim_core import Evidence, MemberDied, MemberSuspected
from swim_core.simulation import Simulation

from .recording import Datagram, Recording
from .svg import Drawing

__all__ = ["Story", "draw", "story"]

MEMBERS = 8
HUNG = "node-3"
SECONDS = 7.0
LEFT, TOP, ROW, SECOND = 120.0, 60.0, 46.0, 82.0  # units: of the time axis, of the first row, between rows, a second


class Story:
    """What one member did from the moment that another hung.

    Attributes:
        accuser: who gave the verdict.
        helpers: whom it asked, in order.
        about: the datagrams that belong to its watch.
        suspected: when it held that one for suspect, seconds after it hung.
        died: when it declared it dead.
    """

    def __init__(self, recording: Recording, simulation: Simulation, evidence: Evidence) -> None:
        self.accuser = accuser = evidence.accuser
        self.about = [d for d in recording.sent if _belongs(d, accuser)]
        asked = [d.destination for d in self.about if d.message == "PingReq"]
        self.helpers = list(dict.fromkeys(asked))
        process = simulation.process(accuser)
        self.suspected = process.times(MemberSuspected, HUNG)[0] - recording.start
        self.died = process.times(MemberDied, HUNG)[0] - recording.start


def _belongs(datagram: Datagram, accuser: str) -> bool:
    if datagram.source == accuser:
        return datagram.message in ("PingReq", "Poll") or (datagram.message == "Ping" and datagram.destination == HUNG)
    return datagram.destination == accuser and datagram.message == "Vote"


def story() -> Story:
    """Stop a process for good, and follow the watch that ended in the verdict."""
    with Simulation(seed=4) as simulation:
        simulation.start_formed(MEMBERS)
        simulation.run_for(3.0)
        recording = Recording(simulation)
        simulation.pause(HUNG)
        simulation.run_for(SECONDS)
        evidence = simulation.process("node-0").node.explain(HUNG)
        assert evidence is not None
        return Story(recording, simulation, evidence)


def draw() -> str:
    """The picture, as SVG."""
    told = story()
    rows = {name: TOP + ROW * place for place, name in enumerate([HUNG, told.accuser, *told.helpers])}
    bottom = max(rows.values()) + 26
    drawing = Drawing("A timeline: a process hangs, one member watches it, three confirm, all know", 720, bottom + 62)
    t0 = min(d.time for d in told.about)
    drawing.band(_x(t0), TOP - 24, _x(told.died) - _x(t0), bottom - TOP + 24, "blue")
    for name, y in rows.items():
        _row(drawing, name, y, told)
    for datagram in told.about:
        _mark(drawing, datagram, rows)
    for time, what, colour in ((told.suspected, "SUSPECT", "orange"), (told.died, "DEAD", "red")):
        drawing.line(_x(time), TOP - 30, _x(time), bottom, colour)
        drawing.label(_x(time), TOP - 36, f"{what} {time:.2f} s", colour, anchor="middle")
    drawing.label(_x(0), TOP - 36, "hangs", anchor="middle")
    for second in range(int(SECONDS) + 1):
        drawing.label(_x(second), bottom + 16, f"{second} s", "faint", anchor="middle")
    _legend(drawing, bottom + 44)
    return drawing.text()


def _x(time: float) -> float:
    return LEFT + SECOND * time


def _row(drawing: Drawing, name: str, y: float, told: Story) -> None:
    role = {HUNG: "hung", told.accuser: "accuser"}.get(name, "helper")
    drawing.label(8, y - 2, name)
    drawing.label(8, y + 13, role, "faint")
    drawing.line(LEFT, y, _x(SECONDS), y, "faint", dashed=name == HUNG)


def _mark(drawing: Drawing, datagram: Datagram, rows: dict[str, float]) -> None:
    x, y = _x(datagram.time), rows[datagram.source]
    match datagram.message:
        case "Ping":
            drawing.arrow(x, y, x, rows[HUNG] + 10, "blue")
        case "PingReq":
            drawing.dot(x, rows[datagram.destination], "orange", radius=6.5)
        case "Poll":
            drawing.dot(x, rows[datagram.destination], "red", radius=6.5)
        case "Vote":
            drawing.dot(x, y, "green", radius=3.5)


def _legend(drawing: Drawing, y: float) -> None:
    x = 120.0
    for colour, words in (
        ("blue", "ping without answer"),
        ("orange", "asked to help (PING_REQ)"),
        ("green", "vote: silent"),
        ("red", "final POLL"),
    ):
        drawing.dot(x, y - 4, colour)
        drawing.label(x + 9, y, words)
        x += 26 + 7.0 * len(words)
