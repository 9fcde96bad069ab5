"""The command line: version, help, and one clear line for whatever can't be done."""

import os
import re
import socket
import subprocess
import sys

import pytest
from command_processes import PATIENCE, SWIM, environment

from swim_anyio.command.entry import run

pytestmark = pytest.mark.processes

BIND = ["--bind", "127.0.0.1:0"]


def swim(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*SWIM, *arguments],
        env=environment(COLUMNS="80", **variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def swim_here(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], *arguments: str, **variables: str
) -> "subprocess.CompletedProcess[str]":
    """The same within this process, which is quicker."""
    for name in [name for name in os.environ if name.startswith("SWIM_")]:
        monkeypatch.delenv(name)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    status = run(list(arguments))
    return subprocess.CompletedProcess(arguments, status, *capfd.readouterr())


def complaint(result: "subprocess.CompletedProcess[str]") -> str:
    """The one line on standard error; nothing on standard output."""
    assert result.stdout == ""
    assert result.stderr.startswith("swim: ")
    assert result.stderr.count("\n") == 1
    assert result.returncode in (1, 2)
    return result.stderr


def test_version() -> None:
    result = swim("--version")
    assert (result.returncode, result.stderr) == (0, "")
    name, version = result.stdout.split()
    assert name == "swim"
    assert version[0].isdigit()


@pytest.mark.parametrize("command", [[], ["agent"], ["demo"]])
def test_help_fits_a_screen_and_shows_how(command: list[str]) -> None:
    result = swim(*command, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    example = re.search(rf"(Example|Try): +swim {command[0] if command else 'demo'}", result.stdout)
    assert example


def test_nothing_at_all_is_help() -> None:
    assert swim().stdout == swim("--help").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["agnt"], "agnt"),
        (["agent", "--bnd", "x"], "--bnd"),
        (["agent", "extra"], "extra"),
        (["agent", "--bind", "127.0.0.1:port"], "bind: '127.0.0.1:port'"),
        (["agent", "--bind", "127.0.0.1:70000"], "0 to 65535"),
        (["agent", *BIND, "--join", "n1:"], "join"),
        (["agent", *BIND, "--join", "127.0.0.1:0"], "a seed can't have port 0"),
        (["agent", *BIND, "--name", ""], "name"),
        (["agent", *BIND, "--name", "a\nb"], "name"),
        (["agent", *BIND, "--advertise", "0.0.0.0"], "advertise"),
        (["agent", *BIND, "--metadata", "role"], "--metadata takes KEY=VALUE, not 'role'"),
        (["agent", *BIND, "--metadata", "role=" + "x" * 600], "512"),
        (["agent", *BIND, "--cluster", "x" * 65], "cluster"),
        (["agent", *BIND, "--preset", "moon"], "--preset"),
        (["agent", *BIND, "--probe-interval", "soon"], "--probe-interval"),
        (["agent", *BIND, "--probe-interval", "0"], "probe_interval must be a number from 0.02 to 60"),
        (["agent", *BIND, "--probe-interval", "nan"], "probe_interval"),
        (["agent", *BIND, "--probe-interval", "4"], "stall_tolerance (5 s) must be at least two probe intervals (8 s)"),
        (["agent", *BIND, "--preset", "local", "--probe-interval", "2"], "(set by --preset local)"),
        (["agent", *BIND, "--max-broadcast", "5000"], "max_datagram"),
        (["agent", *BIND, "--backend", "twisted"], "--backend"),
        (["agent", *BIND, "--format", "xml"], "--format"),
        (["agent", *BIND, "--log-level", "loud"], "--log-level"),
        (["agent", "--bind", "198.51.100.1:0"], "198.51.100.1:0"),
        (["agent", "--bind", "no-such-host.invalid:0"], "no-such-host.invalid"),
        (["demo", "-n", "2"], "-n"),
        (["demo", "-n", "21"], "-n"),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(
    arguments: list[str], says: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    assert says in complaint(swim_here(monkeypatch, capfd, *arguments))


@pytest.mark.parametrize(
    "variable", ["SWIM_BIND", "SWIM_JOIN", "SWIM_NAME", "SWIM_CLUSTER", "SWIM_PRESET", "SWIM_MAX_BROADCAST"]
)
def test_bad_variables_are_named(
    variable: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    bad = {"SWIM_BIND": "127.0.0.1:port", "SWIM_JOIN": "127.0.0.1:0"}.get(variable, "\t" * 70)
    bind = [] if variable == "SWIM_BIND" else BIND
    assert variable in complaint(swim_here(monkeypatch, capfd, "agent", *bind, **{variable: bad}))


def test_a_port_in_use() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        assert address in complaint(swim("agent", "--bind", address))


@pytest.mark.skipif(sys.platform == "win32", reason="closes descriptors as shells of POSIX do")
def test_no_standard_output_at_all() -> None:
    result = subprocess.run(
        ["/bin/sh", "-c", '"$@" >&-', "sh", *SWIM, "agent", *BIND],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert complaint(result) == "swim: standard output is closed: there is nowhere to report to\n"


@pytest.mark.parametrize(
    ("missing", "arguments"),
    [
        ("typer", ["--help"]),
        ("anyio", ["agent", *BIND]),
        ("trio", ["agent", *BIND, "--backend", "trio"]),
    ],
)
def test_without_the_extra_it_says_what_to_install(missing: str, arguments: list[str]) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from swim_anyio.__main__ import main; sys.exit(main())"
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment(), capture_output=True, text=True, check=False
    )
    assert complaint(result) == f'swim: {missing} is missing: pip install "swim-membership[cli]"\n'
    assert result.returncode == 1


def test_lines_for_programs_need_no_rich() -> None:
    code = """
import sys
sys.modules["rich"] = None
from swim_anyio.__main__ import main
sys.exit(main())
"""
    result = subprocess.run(
        [sys.executable, "-c", code, "agent", *BIND, "--format", "json"],
        env=environment(),
        input="leave\n",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert '"stopped"' in result.stdout
