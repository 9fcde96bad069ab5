"""Whatever can't be done ends with one line that says what to do, and a status that is not 0; never with a traceback.

The tools that ask a member have a list of their own, in test_command_tools.py.
"""

import errno
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from support.agents import PATIENCE, SWIM, environment
from swim_anyio.command import entry
from swim_anyio.command.advice import advised
from swim_anyio.command.choices import Protocol
from swim_anyio.command.entry import run
from swim_core import BindError, SwimError

pytestmark = pytest.mark.processes

AGENT = ["agent", "--bind", "127.0.0.1:0"]
METRICS = [*AGENT, "--http"]
FAILED, MISUSED = 1, 2
posix = pytest.mark.skipif(sys.platform == "win32", reason="descriptors and shells of POSIX")


def complaint(stdout: str, stderr: str, status: int) -> str:
    """The one line on standard error; nothing on standard output."""
    assert stdout == ""
    assert stderr.startswith("swim: ")
    assert stderr.count("\n") == 1
    assert stderr.endswith("\n")
    assert status in (FAILED, MISUSED)
    return stderr.removeprefix("swim: ").removesuffix("\n")


CASES: list[tuple[list[str], int, str]] = [
    # unknown commands and options
    (["agnt"], MISUSED, "No such command 'agnt'"),
    (["agent", "--bnd", "x"], MISUSED, "No such option: --bnd (Possible options: --backend, --bind, --on)"),
    (["agent", "extra"], MISUSED, "extra"),
    (["agent", "--join"], MISUSED, "'--join' requires an argument"),
    (["agent", "--no-tripwires=yes"], MISUSED, "'--no-tripwires' does not take a value"),
    (["--version", "extra"], MISUSED, "No such command 'extra'"),
    # where to listen
    (["agent", "--bind", ""], MISUSED, "bind: '' is not an address: write HOST:PORT"),
    (["agent", "--bind", "127.0.0.1:port"], MISUSED, "bind: '127.0.0.1:port' is not an address: its port must be"),
    (["agent", "--bind", "127.0.0.1:70000"], MISUSED, "0 to 65535"),
    (["agent", "--bind", "127.0.0.1:-1"], MISUSED, "0 to 65535"),
    (["agent", "--bind", "::1:17946"], MISUSED, "bind: '::1:17946' is not an address: write [IPv6]:PORT"),
    (["agent", "--bind", "[::1:0"], MISUSED, "write [IPv6]:PORT"),
    (["agent", "--bind", "::1:7946"], FAILED, "(an IPv6 address with a port is written [::1]:7946)"),
    (["agent", "--bind", "198.51.100.1:0"], FAILED, "198.51.100.1:0 is not an address of this host"),
    (["agent", "--bind", "no-such-host.invalid:0"], FAILED, "'no-such-host.invalid', the host to listen on, does not"),
    (["agent", "--bind", "a..b:0"], FAILED, "'a..b', the host to listen on, does not resolve"),
    # whom to join, and who this is
    ([*AGENT, "--join", "n1:"], MISUSED, "join: 'n1:' is not an address"),
    ([*AGENT, "--join", "127.0.0.1:0"], MISUSED, "a seed can't have port 0"),
    ([*AGENT, "--name", ""], MISUSED, "name"),
    ([*AGENT, "--name", "a\nb"], MISUSED, "name: a name holds printable characters only"),
    ([*AGENT, "--name", "x" * 65], MISUSED, "name: a name has 1 to 64 bytes of UTF-8, not 65"),
    ([*AGENT, "--name", "\udcff"], MISUSED, "name: a name holds printable characters only"),
    ([*AGENT, "--advertise", "0.0.0.0"], MISUSED, "advertise"),
    ([*AGENT, "--advertise", "no-such-host.invalid"], MISUSED, "advertise: 'no-such-host.invalid' does not resolve"),
    ([*AGENT, "--metadata", "role"], MISUSED, "--metadata takes KEY=VALUE, not 'role'"),
    ([*AGENT, "--metadata", "=x"], MISUSED, "--metadata takes KEY=VALUE, not '=x'"),
    ([*AGENT, "--metadata", "role=" + "x" * 600], FAILED, "at most 512 (max_metadata)"),
    ([*AGENT, "--metadata", "role=\udcff"], MISUSED, "metadata must be text that UTF-8 can encode"),
    ([*AGENT, "--cluster", "x" * 65], MISUSED, "cluster must be at most 64 bytes"),
    ([*AGENT, "--discover", "magic"], MISUSED, "'--discover': 'magic' is not "),
    # the protocol
    ([*AGENT, "--protocol", "raft"], MISUSED, "'--protocol': 'raft' is not one of 'native', 'smudge'"),
    ([*AGENT, "--protocol", "smudge", "--preset", "wan"], MISUSED, "--preset"),
    ([*AGENT, "--preset", "moon"], MISUSED, "'--preset': 'moon' is not one of 'local', 'lan', 'wan'"),
    ([*AGENT, "--preset", "local", "--probe-interval", "2"], MISUSED, "(set by --preset local)"),
    ([*AGENT, "--probe-interval", "soon"], MISUSED, "--probe-interval"),
    ([*AGENT, "--probe-interval", "0"], MISUSED, "probe_interval must be a number from 0.02 to 60"),
    ([*AGENT, "--probe-interval", "nan"], MISUSED, "probe_interval"),
    ([*AGENT, "--probe-interval", "1e400"], MISUSED, "not inf"),
    ([*AGENT, "--probe-interval", "4"], MISUSED, "stall_tolerance (5 s) must be at least two probe intervals (8 s)"),
    ([*AGENT, "--max-broadcast", "5000"], MISUSED, "max_datagram"),
    ([*AGENT, "--max-broadcast", "many"], MISUSED, "--max-broadcast"),
    # the process
    ([*AGENT, "--backend", "twisted"], MISUSED, "'--backend': 'twisted' is not one of 'asyncio', 'trio'"),
    ([*AGENT, "--format", "xml"], MISUSED, "'--format': 'xml' is not one of 'text', 'json'"),
    ([*AGENT, "--log-level", "loud"], MISUSED, "--log-level"),
    ([*AGENT, "--log-format", "xml"], MISUSED, "--log-format"),
    ([*AGENT, "--lifeline", "7777"], MISUSED, "--lifeline: 7777 is not an open file descriptor"),
    # where to serve metrics
    ([*METRICS, "9100"], MISUSED, "--http takes HOST:PORT or [IPv6]:PORT, not '9100'; port 0 means any free port"),
    ([*METRICS, "127.0.0.1"], MISUSED, "--http takes HOST:PORT"),
    ([*METRICS, "::1"], MISUSED, "--http takes HOST:PORT or [IPv6]:PORT, not '::1'"),
    ([*METRICS, ":9100"], MISUSED, "--http: ':9100' is not an address"),
    ([*METRICS, "127.0.0.1:http"], MISUSED, "--http: '127.0.0.1:http' is not an address"),
    ([*METRICS, "198.51.100.1:0"], FAILED, "http: 198.51.100.1:0 is not an address of this host"),
    ([*METRICS, "no-such-host.invalid:0"], FAILED, "http: 'no-such-host.invalid' does not resolve"),
    # the demo
    (["demo", "-n", "2"], MISUSED, "'-n'"),
    (["demo", "-n", "21"], MISUSED, "'-n'"),
]


@pytest.mark.parametrize(("arguments", "status", "says"), CASES)
def test_one_line_says_what_is_wrong(
    arguments: list[str], status: int, says: str, here: None, capfd: pytest.CaptureFixture[str]
) -> None:
    found = run(arguments)
    assert says in complaint(*capfd.readouterr(), found)
    assert found == status


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without settings."""
    for name in [name for name in os.environ if name.startswith("SWIM_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("SWIM_BIND", "127.0.0.1:port"),
        ("SWIM_JOIN", "127.0.0.1:0"),
        ("SWIM_NAME", "\t"),
        ("SWIM_NAME", "\udcff"),
        ("SWIM_CLUSTER", "\t"),
        ("SWIM_PRESET", "moon"),
        ("SWIM_MAX_BROADCAST", "many"),
        ("SWIM_PROBE_INTERVAL", "soon"),
    ],
)
def test_a_variable_that_can_not_be_used_is_named(
    variable: str, value: str, here: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(variable, value)
    status = run(["agent"] if variable == "SWIM_BIND" else AGENT)
    assert variable in complaint(*capfd.readouterr(), status)
    assert status == MISUSED


@contextmanager
def taken(family: int, kind: int, host: str) -> Iterator[int]:
    """A port that somebody else has."""
    with socket.socket(family, kind) as sock:
        sock.bind((host, 0))
        if kind == socket.SOCK_STREAM:
            sock.listen()
        yield sock.getsockname()[1]


@pytest.mark.parametrize(
    ("family", "bind", "listens", "join"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET, "0.0.0.0", "0.0.0.0", "127.0.0.1"),
        (socket.AF_INET6, "[::1]", "::1", "[::1]"),
    ],
)
def test_a_port_in_use_may_be_a_members_to_join(
    family: int, bind: str, listens: str, join: str, here: None, capfd: pytest.CaptureFixture[str]
) -> None:
    with taken(family, socket.SOCK_DGRAM, listens) as port:
        status = run(["agent", "--bind", f"{bind}:{port}"])
    assert complaint(*capfd.readouterr(), status) == (
        f"{bind}:{port} is in use; to join the member there, run: swim agent --bind {bind}:0 --join {join}:{port}"
    )


def test_a_port_for_metrics_in_use(here: None, capfd: pytest.CaptureFixture[str]) -> None:
    with taken(socket.AF_INET, socket.SOCK_STREAM, "127.0.0.1") as port:
        status = run([*METRICS, f"127.0.0.1:{port}"])
    assert f"http: 127.0.0.1:{port} is in use: choose another port" in complaint(*capfd.readouterr(), status)


@pytest.mark.parametrize(
    ("number", "library", "says"),
    [
        (errno.EACCES, "binding 127.0.0.1:80 is not permitted", ": use a port from 1024 up, or 0 for any free one"),
        (errno.EACCES, "binding 127.0.0.1:8080 is not permitted", ""),
        (errno.EADDRNOTAVAIL, "192.0.2.1:80 is not an address of this host", ""),
        (errno.EACCES, "http: binding 127.0.0.1:80 is not permitted: ports below 1024 often need privileges", ""),
    ],
)
def test_advice_on_addresses(number: int, library: str, says: str) -> None:
    assert advised(BindError(number, library), Protocol.NATIVE).strerror == library + says


def test_advice_keeps_to_the_protocol() -> None:
    error = advised(BindError(errno.EADDRINUSE, "0.0.0.0:9999 is in use: ..."), Protocol.SMUDGE)
    assert "swim agent --protocol smudge --bind 0.0.0.0:0 --join 127.0.0.1:9999" in str(error.strerror)


def test_what_a_member_refuses_with_reaches_no_terminal_as_it_is(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def refused(_: list[str]) -> int:
        raise SwimError("ann refuses to broadcast: \x1b]0;owned\x07\x9b31m\u202e\rswim: fine")

    monkeypatch.setattr(entry, "_run", refused)
    status = run(["broadcast", "hi"])
    said = complaint(*capfd.readouterr(), status)
    assert said == r"ann refuses to broadcast: \x1b]0;owned\x07\x9b31m\u202e swim: fine"


@posix
@pytest.mark.parametrize(
    ("script", "says"),
    [
        ('"$@" agent --bind 127.0.0.1:0 >&-', "standard output is closed, so there is nowhere to print to"),
        ('"$@" --help >/dev/full', "standard output: No space left on device"),
        ('"$@" --version >/dev/full', "standard output: No space left on device"),
        ('"$@" agent --bind 127.0.0.1:0 --format json >/dev/full', "standard output: No space left on device"),
        ('ulimit -n 8; "$@" agent --bind 127.0.0.1:0', "Too many open files"),
        ('ulimit -n 10; "$@" agent --bind 127.0.0.1:0 --http 127.0.0.1:0', "Too many open files"),
    ],
)
def test_an_environment_that_does_not_allow_it(script: str, says: str) -> None:
    assert says in complaint(*shell(script))


@posix
@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["agent", "--help"]])
def test_nobody_reads_what_is_printed(arguments: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        result = subprocess.run(
            [*SWIM, *arguments], env=environment(), stdout=closed, stderr=subprocess.PIPE, text=True, check=False
        )
    assert complaint("", result.stderr, result.returncode) == "standard output was closed by its reader"


@posix
@pytest.mark.parametrize("redirection", ["2>&-", "2>/dev/full"])
def test_who_can_not_be_told_gets_the_status(redirection: str) -> None:
    assert shell(f'"$@" agnt {redirection}') == ("", "", MISUSED)


@pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")
def test_no_socket_gets_the_number_of_a_standard_descriptor_that_is_closed() -> None:
    """What others print to standard error would go out to the members."""
    script = 'exec "$@" agent --bind 127.0.0.1:0 --name n <&- 2>&-'
    agent = subprocess.Popen(
        ["/bin/sh", "-c", script, "sh", *SWIM], env=environment(), stdout=subprocess.PIPE, text=True
    )
    assert agent.stdout is not None
    try:
        assert "started" in agent.stdout.readline()
        assert [os.readlink(f"/proc/{agent.pid}/fd/{number}") for number in (0, 2)] == ["/dev/null"] * 2
        agent.terminate()
        assert agent.wait(PATIENCE) == 0
    finally:
        agent.kill()
        agent.wait()
        agent.stdout.close()


def shell(script: str) -> tuple[str, str, int]:
    """Standard output and error, and the status."""
    result = subprocess.run(
        ["/bin/sh", "-c", script, "sh", *SWIM],
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return result.stdout, result.stderr, result.returncode


@pytest.mark.parametrize(
    ("missing", "arguments"),
    [
        ("typer", ["--help"]),
        ("anyio", AGENT),
        ("trio", [*AGENT, "--backend", "trio"]),
        ("prometheus_client", [*METRICS, "127.0.0.1:0"]),
    ],
)
def test_without_the_extra_it_says_what_to_install(missing: str, arguments: list[str]) -> None:
    code = f"import sys; sys.modules[{missing!r}] = None; from swim_anyio.__main__ import main; sys.exit(main())"
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments], env=environment(), capture_output=True, text=True, check=False
    )
    line = complaint(result.stdout, result.stderr, result.returncode)
    assert line == f'{missing} is missing: pip install "swim-membership[cli]"'
    assert result.returncode == FAILED
