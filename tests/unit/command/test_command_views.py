"""How the demo is shown: plain lines, JSON lines, and a table that fits 80 columns."""

import json
from io import StringIO
from types import SimpleNamespace
from typing import Any, cast

import pytest
from rich.console import Console

from swim_anyio.command.demo.cluster import Agent, Cluster
from swim_anyio.command.demo.story import Outcome
from swim_anyio.command.demo.table import LiveView, beliefs_table
from swim_anyio.command.demo.views import JsonView, PlainView, summary

HELD = Outcome("kill", True, 0.5, "n3 was killed", {"known_to": 4})
FAILED = Outcome("stall", False, 8.0, "n2 stalled", {"dead_by": ["n1"]})


def cluster_of(count: int) -> Cluster:
    names = [f"n{number}" for number in range(1, count + 1)]
    agents = {
        name: Agent(name, cast(Any, SimpleNamespace(pid=1_234_567)), "127.0.0.1:65535", "starting") for name in names
    }
    for agent in agents.values():
        agent.beliefs = dict.fromkeys(names, "suspect")
    history = [("n1", {"t": 0.0, "event": "suspect", "member": "n2"})] * 100
    return cast(Cluster, SimpleNamespace(agents=agents, history=history))


def rendered(console: Console, what: Any) -> list[str]:
    with console.capture() as capture:
        console.print(what)
    return capture.get().splitlines()


@pytest.mark.parametrize(("count", "word"), [(3, "suspect"), (5, "suspect"), (6, " S"), (10, " S"), (20, " S")])
def test_the_table_fits_80_columns(count: int, word: str) -> None:
    console = Console(width=80, file=StringIO(), color_system=None)
    lines = rendered(console, beliefs_table(list(cluster_of(count).agents.values())))
    assert len(lines) == count + 2
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    for number in range(1, count + 1):
        assert str(number) in lines[0]
        assert lines[number + 1].startswith(f"n{number} ")
        assert lines[number + 1].count(word) == count - 1
        assert lines[number + 1].count(" -") == 1
        assert "65535" in lines[number + 1]


@pytest.mark.parametrize("count", [5, 20])
def test_a_frame_fits_the_screen_and_shows_what_goes_on(count: int) -> None:
    file = StringIO()
    console = Console(width=80, height=24, file=file, force_terminal=True, color_system=None)
    with LiveView(console) as view:
        view.refresh(cluster_of(count))
        view.announce("n3 is killed")
        frame = file.getvalue().split("\x1b[2K")[-1]
        view.tell(HELD)
        view.tell(FAILED)
        view.conclude([HELD, FAILED], 9.0)
    assert "n3 is killed" in file.getvalue()
    assert frame.count("\n") <= 24
    last = file.getvalue()[file.getvalue().rindex("Failed: stall, in 9.0 s.") :]
    assert "ok      n3 was killed" in last
    assert "FAILED  n2 stalled" in last


def test_plain_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with PlainView() as view:
        view.announce("n3 is killed")
        view.tell(HELD)
        view.tell(FAILED)
        view.conclude([HELD, FAILED], 9.0)
    assert capsys.readouterr().out.splitlines() == [
        "ok      kill       n3 was killed",
        "FAILED  stall      n2 stalled",
        "Failed: stall, in 9.0 s.",
    ]


def test_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    with JsonView() as view:
        view.announce("n3 is killed")
        view.tell(HELD)
        view.conclude([HELD, FAILED], 9.0)
    first, last = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert isinstance(first.pop("t"), float)
    assert first == {"step": "kill", "ok": True, "seconds": 0.5, "text": "n3 was killed", "known_to": 4}
    assert isinstance(last.pop("t"), float)
    assert last == {"step": "summary", "ok": False, "seconds": 9.0, "steps": {"kill": True, "stall": False}}


def test_the_summary_names_what_failed() -> None:
    assert summary([HELD], 5.26) == "Everything went as it should, in 5.3 s."
    assert summary([HELD, FAILED], 5.26) == "Failed: stall, in 5.3 s."
