"""docs/coming-from-smudge.md: nothing that Smudge exports is left out, and the Python twin of the Go program runs."""

import os
import re
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import attrs
import pytest

from support.paths import DOCS
from support.waiting import SOON
from swim_core.smudge import SmudgeConfig

PAGE = (DOCS / "coming-from-smudge.md").read_text()
SNIPPETS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)

FUNCTIONS = [
    "Begin",
    "CreateNodeByAddress",
    "CreateNodeByIP",
    "AddNode",
    "RemoveNode",
    "UpdateNodeStatus",
    "PingNode",
    "AllNodes",
    "HealthyNodes",
    "GetLocalIP",
    "GetNowInMillis",
    "BroadcastBytes",
    "BroadcastString",
    "AddBroadcastListener",
    "AddStatusListener",
    "SetLogThreshold",
    "SetLogger",
]
METHODS = [
    "n.Address",
    "n.IP",
    "n.Port",
    "n.Status",
    "n.StatusSource",
    "n.Age",
    "n.Timestamp",
    "n.Touch",
    "n.PingMillis",
    "n.EmitCounter",
    "b.Bytes",
    "b.Origin",
    "b.Index",
    "b.Label",
]
LEVELS = ["LogAll", "LogTrace", "LogDebug", "LogInfo", "LogWarn", "LogError", "LogFatal", "LogOff"]
VARIABLES = [
    "CLUSTER_NAME",
    "HEARTBEAT_MILLIS",
    "INITIAL_HOSTS",
    "LISTEN_PORT",
    "LISTEN_IP",
    "MAX_BROADCAST_BYTES",
    "MULTICAST_ENABLED",
    "MULTICAST_ADDRESS",
    "MULTICAST_PORT",
    "MULTICAST_ANNOUNCE_INTERVAL",
    "MIN_PING_TIME",
    "PING_HISTORY_FRONTLOAD",
]
ROWS = [line for line in PAGE.splitlines() if line.startswith("| `")]


@pytest.mark.parametrize("exported", [f"`{name}(" for name in FUNCTIONS + METHODS] + [f"`{name}`" for name in LEVELS])
def test_each_export_has_a_row(exported: str) -> None:
    assert sum(exported in row.split("|")[1] for row in ROWS) == 1


@pytest.mark.parametrize("variable", VARIABLES)
def test_each_variable_has_a_row_with_its_field(variable: str) -> None:
    (row,) = (row for row in ROWS if f"`SMUDGE_{variable}`" in row)
    assert f"`{variable.lower()}`" in row
    assert variable.lower() in attrs.fields_dict(SmudgeConfig)


@contextmanager
def run_twin(**variables: str) -> Iterator[subprocess.Popen[str]]:
    """The Python twin as a process; its lines come out as they are printed."""
    (program,) = (snippet for snippet in SNIPPETS if "sys.stdin" in snippet)
    environ = {**os.environ, "PYTHONUNBUFFERED": "1", "SMUDGE_MULTICAST_ENABLED": "false", **variables}
    process = subprocess.Popen(
        [sys.executable, "-c", program], env=environ, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def next_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], SOON)
    assert ready, "nothing was printed"
    return process.stdout.readline().rstrip("\n")


@pytest.mark.sockets
@pytest.mark.processes
def test_the_python_twin_talks_to_its_like() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    seed = f"127.0.0.1:{port}"
    with (
        run_twin(SMUDGE_LISTEN_PORT=port) as first,
        run_twin(SMUDGE_LISTEN_PORT="0", SMUDGE_INITIAL_HOSTS=seed) as second,
    ):
        assert next_line(second) == f"{seed} ALIVE"
        newcomer, state = next_line(first).split()
        assert state == "ALIVE"
        assert second.stdin is not None
        second.stdin.write("x" * 300 + "\nhello\n")
        second.stdin.flush()
        assert "at most 256" in next_line(second)
        assert next_line(first) == f"{newcomer}: hello"
        for process in (first, second):
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(SOON) == 0
