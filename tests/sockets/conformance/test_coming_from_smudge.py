"""docs/coming-from-smudge.md: nothing that Smudge exports is left out, and the programs run, with every adapter."""

import os
import re
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

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
    (row,) = (row for row in ROWS if row.startswith(f"| `SMUDGE_{variable}` |"))
    assert f"`{variable.lower()}`" in row
    assert variable.lower() in attrs.fields_dict(SmudgeConfig)


PROGRAMS = {
    "threads": ("swim_threads", "", ""),
    "asyncio": ("import anyio", "", ""),
    "trio": ("import anyio", "anyio.run(main)", 'anyio.run(main, backend="trio")'),
    "the bare core": ("poll_datagram", "", ""),
}
"""How each is recognised, and what is replaced in it."""


def program(kind: str) -> str:
    sign, old, new = PROGRAMS[kind]
    found: str
    (found,) = (snippet for snippet in SNIPPETS if "sys.stdin" in snippet and sign in snippet)
    assert old in found
    return found.replace(old, new) if old else found


@contextmanager
def run_twin(kind: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """A program of the page as a process; its lines come out as they are printed."""
    environ = {**os.environ, "PYTHONUNBUFFERED": "1", "SMUDGE_MULTICAST_ENABLED": "false", **variables}
    command = [sys.executable, "-c", program(kind)]
    # without a buffer, so that what waits in it is not hidden from `select`
    process = subprocess.Popen(command, env=environ, bufsize=0, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with process:
        try:
            yield process
        finally:
            process.kill()


def next_line(process: subprocess.Popen[bytes]) -> str:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], SOON)
    assert ready, "nothing was printed"
    return process.stdout.readline().decode().rstrip("\n")


def type_in(process: subprocess.Popen[bytes], text: str) -> None:
    assert process.stdin is not None
    process.stdin.write(text.encode())


@pytest.mark.sockets
@pytest.mark.processes
@pytest.mark.parametrize("kind", PROGRAMS)
def test_each_program_talks_to_its_like_and_to_the_first(kind: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    seed = f"127.0.0.1:{port}"
    with (
        run_twin(kind, SMUDGE_LISTEN_PORT=port) as first,
        run_twin(kind, SMUDGE_LISTEN_PORT="0", SMUDGE_INITIAL_HOSTS=seed) as second,
    ):
        assert next_line(second) == f"{seed} ALIVE"
        newcomer, state = next_line(first).split()
        assert state == "ALIVE"
        type_in(second, "x" * 300 + "\nhello\n")
        assert "at most 256" in next_line(second)
        assert next_line(first) == f"{newcomer}: hello"
        type_in(first, "and to you\n")
        assert next_line(second) == f"{seed}: and to you"
        for process in (first, second):
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(SOON) == 0


@pytest.mark.sockets
@pytest.mark.processes
def test_the_four_programs_form_one_cluster() -> None:
    with ExitStack() as stack:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            port = str(free.getsockname()[1])
        first = stack.enter_context(run_twin("threads", SMUDGE_LISTEN_PORT=port))
        others = [
            stack.enter_context(run_twin(kind, SMUDGE_LISTEN_PORT="0", SMUDGE_INITIAL_HOSTS=f"127.0.0.1:{port}"))
            for kind in ("asyncio", "trio", "the bare core")
        ]
        for process in (first, *others):
            assert all(next_line(process).endswith(" ALIVE") for _ in range(3))
        type_in(first, "to all\n")
        assert [next_line(process) for process in others] == [f"127.0.0.1:{port}: to all"] * 3
