"""`swim simulate --html`: a run in one file, which loads nothing else."""

import base64
import hashlib
import json
import re

import pytest

from swim_anyio.command.experiments import replay
from swim_anyio.command.experiments.replay import record_run
from swim_core import Config
from swim_core.simulation import Link
from swim_core.simulation.study import Experiment, Setting, conduct

SETTING = Setting(members=8, config=Config.lan(), link=Link(delay=0.0003, loss=0.05))


def page_of(experiment: Experiment) -> str:
    return record_run(experiment, SETTING, 3)[1].decode()


def between(page: str, start: str, end: str) -> str:
    found = re.search(re.escape(start) + "(.*?)" + re.escape(end), page, re.DOTALL)
    assert found is not None
    return found[1]


def run_in(page: str) -> dict[str, list[list[object]]]:
    found: dict[str, list[list[object]]] = json.loads(between(page, 'id="run">', "</script>"))
    return found


def digest(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def test_the_policy_allows_what_the_file_brings_and_nothing_else() -> None:
    page = page_of(Experiment.KILL)
    script, style = between(page, '<script type="module">', "</script>"), between(page, "<style>", "</style>")
    policy = between(page, 'Content-Security-Policy" content="', '"')
    wanted = f"default-src 'none'; script-src {digest(script)}; style-src {digest(style)}; base-uri 'none'"
    assert policy == wanted
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)|src=|href=|import ", page)
    assert "{{" not in page.replace("${{", "")
    assert len(page) < 60_000


def test_it_shows_what_the_run_did() -> None:
    told, _ = record_run(Experiment.KILL, SETTING, 3)
    assert told == conduct(Experiment.KILL, SETTING, 3)  # observing changes nothing
    run = run_in(page_of(Experiment.KILL))
    deaths = sorted(float(str(event[0])) for event in run["told"] if event[2] == "dead" and event[3] == "node-0")
    assert deaths == [round(time, 6) for time in told.told]
    assert run["stops"] == [[0.0, 0, "ended"]]
    arrived = [(sent, arrival) for sent, arrival, *_ in run["sent"] if arrival is not None]
    assert arrived
    assert all(float(str(arrival)) > float(str(sent)) for sent, arrival in arrived)
    assert any(arrival is None for _, arrival, *_ in run["sent"])  # the dead one gets none


def test_a_long_run_leaves_datagrams_out_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replay, "MOST", 10)
    run = run_in(page_of(Experiment.HANG))
    assert len(run["sent"]) <= 10
    assert run["left_out"]
