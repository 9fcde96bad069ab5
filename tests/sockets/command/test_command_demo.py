"""`swim demo` as a real run, cut short in every way; and its story told by agents that lie."""

import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from support.agents import PATIENCE, SWIM, environment
from swim_anyio.command.demo import story
from swim_anyio.command.demo.cluster import Agent, AgentFailed, Cluster
from swim_anyio.command.demo.story import Outcome, run_story

pytestmark = [
    pytest.mark.sockets,
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform == "win32", reason="the demo needs SIGSTOP"),
]

PR_SET_CHILD_SUBREAPER = 36
STEPS = ["form", "broadcast", "stall", "kill", "leave", "restart", "stop"]


@pytest.fixture
def demo() -> Iterator[Callable[..., "subprocess.Popen[str]"]]:
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [*SWIM, "demo", *arguments],
            env=environment(SWIM_JOIN="127.0.0.1:9", SWIM_BIND="127.0.0.1:x"),  # nothing to the demo's agents
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def until_gone(pids: list[int]) -> None:
    """Wait until no such process runs; one that its new parent has yet to reap counts as gone."""
    deadline = time.monotonic() + PATIENCE
    while left := [pid for pid in pids if _runs(pid)]:
        assert time.monotonic() < deadline, f"left behind: {left}"
        time.sleep(0.02)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.mark.parametrize("ignored", [False, True], ids=["", "nohup"])
def test_a_sealed_run_rotates_its_key(demo: Callable[..., "subprocess.Popen[str]"], ignored: bool) -> None:
    """With SIGHUP ignored, too: what a process ignores, those that it starts ignore as well."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
    process = demo("--sealed", "-n", "3", "--format", "json")
    signal.signal(signal.SIGHUP, before)
    output, errors = process.communicate(timeout=90)
    assert errors == ""
    rows = [json.loads(line) for line in output.splitlines()]
    assert rows[-1]["ok"]
    assert list(rows[-1]["steps"]) == [*STEPS[:2], "rotate", *STEPS[2:]]
    assert next(row for row in rows if row["step"] == "rotate")["rotated"]


def test_a_whole_run_holds(demo: Callable[..., "subprocess.Popen[str]"]) -> None:
    process = demo("--format", "json")
    output, errors = process.communicate(timeout=60)
    rows = [json.loads(line) for line in output.splitlines()]
    assert errors == ""
    assert [row["step"] for row in rows] == [*STEPS, "summary"]
    assert all(row["ok"] for row in rows), rows
    assert process.returncode == 0
    assert all(isinstance(row["t"], float) for row in rows)
    assert rows[-1]["steps"] == dict.fromkeys(STEPS, True)
    by_step = {row["step"]: row for row in rows}
    assert by_step["broadcast"]["heard"] == 4
    assert by_step["stall"]["dead_by"] == []
    assert by_step["kill"]["known_to"] == 4
    assert by_step["leave"]["known_to"] == by_step["restart"]["known_to"] == 3
    until_gone(list(by_step["form"]["pids"].values()))


@pytest.mark.parametrize(
    ("number", "status"),
    [
        (signal.SIGKILL, -9),
        (signal.SIGINT, 130),
        pytest.param(signal.SIGTERM, 143, marks=pytest.mark.slow),
        pytest.param(signal.SIGHUP, 129, marks=pytest.mark.slow),
    ],
)
def test_no_agent_outlives_a_demo_that_is_killed(
    demo: Callable[..., "subprocess.Popen[str]"], number: int, status: int
) -> None:
    process = demo("-n", "3", "--format", "json")
    assert process.stdout is not None
    pids: dict[str, int] = json.loads(process.stdout.readline())["pids"]
    process.stdout.readline()  # the broadcast: next an agent is stopped, and could do nothing by itself
    while _state(pids["n2"]) not in ("T", None):
        time.sleep(0.01)
    process.send_signal(number)
    _, errors = process.communicate(timeout=PATIENCE)
    assert (process.returncode, errors) == (status, "")
    until_gone(list(pids.values()))


@pytest.mark.skipif(sys.platform != "linux", reason="PR_SET_CHILD_SUBREAPER")
def test_no_agent_outlives_it_in_a_container_either(demo: Callable[..., "subprocess.Popen[str]"]) -> None:
    """Where init is in the same session the kernel wakes no stopped orphan, so the demo's own waker has to."""
    with adopting_orphans() as adopted:
        process = demo("-n", "3", "--format", "json")
        assert process.stdout is not None
        adopted += json.loads(process.stdout.readline())["pids"].values()
        process.stdout.readline()
        while _state(adopted[1]) != "T":
            time.sleep(0.01)
        process.kill()
        process.communicate(timeout=PATIENCE)
        until_gone(adopted)


@contextmanager
def adopting_orphans() -> Iterator[list[int]]:
    """Make this process the parent of what its descendants leave behind; reaps the processes that are listed."""
    adopt = ctypes.CDLL(None).prctl
    assert adopt(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    adopted: list[int] = []
    try:
        yield adopted
    finally:
        assert adopt(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) == 0
        for pid in adopted:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG) != (0, 0):
                pass


def _state(pid: int) -> str | None:
    stat = Path(f"/proc/{pid}/stat")
    return stat.read_text().rpartition(")")[2].split()[0] if stat.exists() else None


def test_a_closed_output_ends_the_demo(demo: Callable[..., "subprocess.Popen[str]"]) -> None:
    process = demo("-n", "3", "--format", "json")
    assert process.stdout is not None
    pids = json.loads(process.stdout.readline())["pids"]
    process.stdout.close()
    assert process.stderr is not None
    assert process.wait(PATIENCE) == 1
    assert process.stderr.read() == "swim: standard output was closed by its reader\n"
    until_gone(list(pids.values()))


LIAR = """
import json, sys, time
name = sys.argv[sys.argv.index("--name") + 1]
def say(**row):
    print(json.dumps({"t": time.time(), **row}), flush=True)
say(event="started", member=name, address="127.0.0.1:1")
for other in ("n1", "n2", "n3"):
    if other != name:
        say(event="alive", member=other)
if name == "n1":
    say(event="dead", member="n2")
    say(event="alive", member="n2")
for line in sys.stdin:
    if line == "leave\\n":
        sys.exit(7)
"""


class Told:
    """Keeps what is told."""

    pace = 0.0

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.headlines: list[str] = []

    def announce(self, text: str) -> None:
        self.headlines.append(text)

    def tell(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


def tell(program: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Outcome]:
    for constant, seconds in {"DEADLINE": 0.3, "RESTART_DEADLINE": 0.3, "STALL": 0.1}.items():
        monkeypatch.setattr(story, constant, seconds)
    told = Told()
    with Cluster(lambda: None, program=(sys.executable, "-c", program)) as cluster:
        outcomes = run_story(cluster, 3, told)
    assert outcomes == told.outcomes
    assert all(agent.process.returncode is not None for agent in cluster.agents.values())
    return {outcome.step: outcome for outcome in outcomes}


def test_what_does_not_hold_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = tell(LIAR, monkeypatch)
    assert {step: outcome.ok for step, outcome in outcomes.items()} == dict.fromkeys(STEPS, False) | {"form": True}
    assert outcomes["broadcast"].text == "n1 broadcast: only 0 of 2 heard it"
    assert outcomes["stall"].text == "n2 stalled for 0.1 s: 0 suspected it, 0 declared it dead; not all hear it again"
    assert outcomes["kill"].text == "n3 was killed: only 0 of 2 noticed"
    assert outcomes["leave"].facts["status"] == 7
    assert outcomes["stop"].facts["wrongly_dead"] == ["n2"]
    assert "-15" in str(outcomes["stop"].facts["statuses"])


def test_a_whole_run_takes_no_longer_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "WHOLE", 0.0)
    outcomes = tell(LIAR, monkeypatch)
    assert outcomes["form"].text == "n1 did not start"


def test_an_agent_that_ends_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = tell("import sys; sys.exit('swim: no luck today')", monkeypatch)
    assert list(outcomes) == ["form"]
    assert not outcomes["form"].ok
    assert outcomes["form"].text == "n1 ended: swim: no luck today"


def test_an_agent_that_does_not_leave_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swim_anyio.command.demo.cluster.FAREWELL", 0.1)
    with Cluster(lambda: None, program=(sys.executable, "-c", "import time; time.sleep(600)")) as cluster:
        agent = cluster.start("n1")
        assert not cluster.until(lambda: False, 0.05)
    assert agent.process.returncode == -signal.SIGKILL


def test_what_ends_the_waiting_lets_a_stopped_agent_go_on() -> None:
    class Enough(Exception):
        pass

    def pause() -> None:
        if agent.status == "stopped":
            raise Enough

    with Cluster(pause, program=(sys.executable, "-c", LIAR)) as cluster:
        agent: Agent = cluster.start("n1")
        cluster.until(lambda: bool(agent.address), PATIENCE)
        with pytest.raises(Enough), cluster.stopped(agent):
            cluster.until(lambda: False, PATIENCE)
        agent.command("leave")
        with pytest.raises(AgentFailed, match="n1 ended: status 7"):
            cluster.until(lambda: False, PATIENCE)


def test_records_are_found_by_time_and_value() -> None:
    agent = Agent("n1", None)  # type: ignore[arg-type]
    rows: list[dict[str, Any]] = [
        {"t": 1.0, "event": "alive", "member": "n2"},
        {"t": 2.0, "event": "suspect", "member": "n2"},
        {"t": 3.0, "event": "alive", "member": "n2"},
        {"t": 3.5, "event": "dead", "member": "n3"},
        {"t": 4.0, "event": "forgotten", "member": "n3"},
    ]
    for row in rows:
        agent.hear(json.dumps(row).encode())
    assert agent.beliefs == {"n2": "alive"}
    assert [row["t"] for row in agent.said("alive", member="n2", since=2.5)] == [3.0]
    assert agent.said("dead", member="n2") == []
