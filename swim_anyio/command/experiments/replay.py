"""`swim simulate --html`: one run to look at, in a file that needs nothing else and asks nobody."""

import base64
import hashlib
import re
from collections import deque
from importlib.resources import files
from typing import Any

import msgspec

from swim_core import Address, Event, MemberDied, MemberLeft, MemberRecovered, MemberSuspected, MemberUpdated
from swim_core.simulation import Process, Simulation
from swim_core.simulation.observer import Observer
from swim_core.simulation.study import Experiment, Run, Setting, conduct

from .captions import say_delay

__all__ = ["record_run"]

MOST = 20_000  # datagrams that a file holds, some 25 bytes each; what was sent later is left out
WORDS: dict[type[Event], str] = {
    MemberSuspected: "suspect",
    MemberDied: "dead",
    MemberLeft: "left",
    MemberRecovered: "alive",
    MemberUpdated: "updated",
}


class Recorder(Observer):
    """Writes down what is sent, when it arrives, and what members are told."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._since = simulation.now
        self.names = [process.name for process in simulation.running()]
        self._number = {process.address: number for number, process in enumerate(simulation.running())}
        self.sent: list[list[float | None]] = []
        self.told: list[list[Any]] = []
        self.stops: list[list[Any]] = []
        self.left_out = 0
        self._under_way: dict[tuple[Address, Address, bytes], deque[int]] = {}

    def on_send(self, process: Process, destination: Address, payload: bytes) -> None:
        if len(self.sent) >= MOST:
            self.left_out += 1
            return
        if destination in self._number:
            self._under_way.setdefault((process.address, destination, payload), deque()).append(len(self.sent))
            self.sent.append([self._now(), None, self._number[process.address], self._number[destination]])

    def on_receive(self, process: Process, payload: bytes, source: Address) -> None:
        waiting = self._under_way.get((source, process.address, payload))
        if waiting:
            self.sent[waiting.popleft()][1] = self._now()

    def on_event(self, process: Process, event: Event) -> None:
        word = WORDS.get(type(event))
        if word is not None:
            member = getattr(event, "member")  # noqa: B009  # all of these have one
            self.told.append([self._now(), self._number[process.address], word, member.name])

    def on_stop(self, process: Process, how: object) -> None:
        self.stops.append([self._now(), self._number[process.address], "ended"])

    def on_pause(self, process: Process) -> None:
        self.stops.append([self._now(), self._number[process.address], "hangs"])

    def on_wake(self, process: Process) -> None:
        self.stops.append([self._now(), self._number[process.address], "goes on"])

    def _now(self) -> float:
        return round(self._simulation.now - self._since, 6)


def record_run(experiment: Experiment, setting: Setting, seed: int) -> tuple[Run, bytes]:
    """Conduct an experiment, and return what it showed with a page of it."""
    recorders: list[Recorder] = []

    def watch(simulation: Simulation) -> None:
        recorders.append(Recorder(simulation))
        simulation.watch(recorders[0])

    run = conduct(experiment, setting, seed, watch=watch)
    recorder = recorders[0]
    told = {
        "title": f"{experiment.value}: {setting.members} members, seed {seed}",
        "network": f"{setting.link.loss:.0%} lost, {say_delay(setting.link)} one way",
        "seconds": max([run.seconds, *(event[0] for event in recorder.told)]),
        "names": recorder.names,
        "sent": recorder.sent,
        "told": recorder.told,
        "stops": recorder.stops,
        "left_out": recorder.left_out,
    }
    return run, _page(msgspec.json.encode(told).decode())


def _page(data: str) -> bytes:
    """The page with its style, its script and the run inside, and a policy that allows exactly these."""
    static, here = files("swim_anyio") / "asgi" / "static", files("swim_anyio") / "command" / "experiments"
    style = (static / "page.css").read_text() + (here / "replay.css").read_text()
    library = re.sub(r"^export ", "", (static / "dom.js").read_text(), flags=re.MULTILINE)
    script = library + (here / "replay.js").read_text()
    policy = f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)}; base-uri 'none'"
    page = (here / "replay.html").read_text()
    parts = {"POLICY": policy, "STYLE": style, "SCRIPT": script, "DATA": data.replace("<", "\\u003c")}
    return re.sub(r"\{\{([A-Z]+)\}\}", lambda found: parts[found[1]], page).encode()


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
