"""`swim agent` as real processes: what it prints, what it obeys, and how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.agents import PATIENCE, QUICK, SWIM, AgentProcess, agents, environment
from support.waiting import wait_until
from swim_core import Key

pytestmark = [
    pytest.mark.sockets,
    pytest.mark.processes,
    pytest.mark.skipif(sys.platform == "win32", reason="signals and ptys of POSIX"),
]

Start = Callable[..., AgentProcess]
both_backends = pytest.mark.parametrize("backend", ["asyncio", "trio"])


@pytest.fixture
def start() -> Iterator[Start]:
    with agents() as start_agent:
        yield start_agent


@both_backends
def test_a_life_from_join_to_leave(start: Start, backend: str) -> None:
    n1 = start("n1", "--backend", backend)
    n2 = start("n2", "--backend", backend, "--metadata", "role=cache", join=n1)
    assert n1.wait_for("alive", member="n2")["address"] == n2.address
    n2.wait_for("alive", member="n1")
    assert n1.records[0]["event"] == "started"
    assert isinstance(n1.records[0]["t"], float)
    n1.command("broadcast grüße an alle".encode())
    assert n2.wait_for("broadcast", member="n1")["data"] == "grüße an alle"
    n2.command(b"send n1 \xff\x00")
    assert n1.wait_for("message", member="n2")["data_base64"] == "/wA="
    n1.command(b"members")
    assert n1.wait_for("members")["members"] == [
        {"name": "n1", "address": n1.address, "state": "alive"},
        {"name": "n2", "address": n2.address, "state": "alive", "metadata": {"role": "cache"}},
    ]
    n2.command(b"leave")
    assert n2.end() == 0
    n1.wait_for("left", member="n2")
    assert n1.end(signal.SIGTERM) == 0
    assert n1.records[-1] == {"t": n1.records[-1]["t"], "event": "stopped", "member": "n1", "reason": "SIGTERM"}
    assert n2.records[-1]["reason"] == "leave"
    assert not n1.heard("alive", member="n1")
    assert not n1.heard("broadcast")


def test_a_kill_is_a_death_with_its_reason(start: Start) -> None:
    n1 = start("n1")
    n2, n3 = start("n2", join=n1), start("n3", join=n1)
    for watcher in (n1, n3):
        watcher.wait_for("alive", member="n2")
    n1.wait_for("alive", member="n3")
    n3.wait_for("alive", member="n1")
    n2.process.kill()
    for watcher in (n1, n3):
        death = watcher.wait_for("dead", member="n2")
        assert death["rule"] in ("gone", "silent")
        assert death["accuser"] in ("n1", "n3")
        assert not watcher.heard("left")


@both_backends
def test_ctrl_c_leaves(start: Start, backend: str) -> None:
    n1 = start("n1")
    n2 = start("n2", "--backend", backend, join=n1)
    n1.wait_for("alive", member="n2")
    n2.wait_for("alive", member="n1")  # it answers others before it watches for signals
    assert n2.end(signal.SIGINT) == 130
    assert n2.records[-1]["reason"] == "SIGINT"
    n1.wait_for("left", member="n2")


@both_backends
def test_a_second_ctrl_c_ends_at_once(start: Start, backend: str) -> None:
    n1 = start("n1", "--backend", backend)
    n2 = start("n2", join=n1)  # to whom a goodbye has to be said for a while
    n1.wait_for("alive", member="n2")
    n2.wait_for("alive", member="n1")
    n1.process.send_signal(signal.SIGINT)
    n2.wait_for("left", member="n1")
    assert n1.end(signal.SIGINT) == -signal.SIGINT
    assert not n1.heard("stopped")


def test_a_closed_output_ends_it_with_a_leave(start: Start) -> None:
    n1 = start("n1")
    n2 = start("n2", join=n1, listen=False)
    n1.wait_for("alive", member="n2")
    assert n2.process.stdout is not None
    n2.process.stdout.close()
    assert n2.end() == 0
    n1.wait_for("left", member="n2")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")
def test_a_full_disk_is_a_failure() -> None:
    with open("/dev/full", "wb") as full:
        result = subprocess.run(
            [*SWIM, "agent", "--bind", "127.0.0.1:0", *QUICK],
            env=environment(),
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
    assert result.stderr == "swim: standard output: No space left on device\n"
    assert result.returncode == 1


def test_a_disk_that_fills_up_drops_lines_and_the_member_stays(start: Start, tmp_path: Path) -> None:
    import resource  # of POSIX only

    room = 4_096
    path = tmp_path / "agent.log"
    with path.open("ab") as output:
        n1 = start("n1")
        full = subprocess.Popen(
            [
                *SWIM,
                "agent",
                "--bind",
                "127.0.0.1:0",
                "--name",
                "full",
                "--join",
                n1.address,
                "--format",
                "json",
                *QUICK,
            ],
            env=environment(PYTHONDONTWRITEBYTECODE="1"),
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.PIPE,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (room, room)),
        )
    try:
        assert full.stdin is not None
        assert full.stderr is not None
        n1.wait_for("alive", member="full")
        for number in range(4):
            full.stdin.write(b"x" * (room // 3) + b"\nbroadcast %d\n" % number)
            full.stdin.flush()
            n1.wait_for("broadcast", data=str(number))
        assert b"standard output: File too large" in full.stderr.readline()
        os.truncate(path, 0)  # somebody makes room
        full.stdin.write(b"members\nbroadcast done\n")
        full.stdin.flush()
        n1.wait_for("broadcast", data="done")
        assert not n1.heard("left")
        full.send_signal(signal.SIGTERM)
        assert full.wait(PATIENCE) == 0
        assert full.stderr.read() == b"", "one warning"
    finally:
        full.kill()
        full.communicate()
    lost, *others = [json.loads(line) for line in path.read_bytes().splitlines()[1:]]  # after the one cut short
    assert (lost["event"], lost["reason"]) == ("lost", "File too large")
    assert lost["count"] >= 2
    assert [line["event"] for line in others if line["event"] in ("members", "stopped")] == ["members", "stopped"]


@both_backends
def test_the_end_of_the_input_is_not_the_end(start: Start, backend: str) -> None:
    n1 = start("n1", "--backend", backend)
    n1.wait_for("started")
    assert n1.process.stdin is not None
    n1.process.stdin.write(b"members")  # the last line may lack its newline
    n1.process.stdin.close()
    n1.wait_for("members")
    start("n2", join=n1)
    n1.wait_for("alive", member="n2")
    assert n1.end(signal.SIGTERM) == 0


def test_what_one_may_type_besides(start: Start) -> None:
    n1 = start("n1", "--metadata", "role=web")
    n2 = start("n2", join=n1)
    n1.wait_for("alive", member="n2")
    n1.command(b"help")
    assert "why NAME" in n1.wait_for("help")["commands"]
    n1.command(b"ping n2")
    assert n1.wait_for("pinged", member="n2")["round_trip"] > 0
    n1.command(b"why n2")
    story = n1.wait_for("why", member="n2")
    assert (story["state"], story["address"]) == ("alive", n2.address)
    n1.command(b"metadata zone=a role=")
    assert n1.wait_for("metadata")["metadata"] == {"zone": "a"}
    n2.wait_for("updated", member="n1", metadata={"zone": "a"})
    n2.process.kill()
    n1.wait_for("dead", member="n2")
    n1.command(b"why n2")
    story = n1.wait_for("why", member="n2", state="dead")
    assert story["accuser"] == "n1"
    assert all(abs(one["t"] - story["t"]) < 60 for one in story["observations"])
    for line in (b"why nobody", b"ping nobody"):
        n1.records.clear()
        n1.command(line)
        assert "nobody" in n1.wait_for("error")["reason"]
    n1.command(b"quit")
    assert n1.wait_for("stopped")["reason"] == "leave"


def test_a_bad_line_is_reported_and_harms_nothing(start: Start) -> None:
    n1 = start("n1")
    for line, reason in [
        (b"brodcast x", "write: broadcast TEXT"),
        (b"send nobody x", "nobody"),
        (b"broadcast " + b"x" * 300, "256"),
        (b"broadcast " + b"x" * 100_000, "65536"),
    ]:
        n1.records.clear()
        n1.command(line)
        assert reason in n1.wait_for("error")["reason"]
    n1.command(b"")
    n1.command(b"members")
    n1.wait_for("members")
    assert n1.end(signal.SIGTERM) == 0


def test_who_does_not_read_does_not_stop_the_node(start: Start) -> None:
    n1 = start("n1", listen=False)
    assert n1.process.stdout is not None
    address = json.loads(n1.process.stdout.readline())["address"]
    n1.command(b"\n".join([b"members"] * 5_000))  # answers that fill the pipe, several times
    n2 = start("n2", "--join", address)
    n2.wait_for("alive", member="n1")
    n3 = start("n3", "--join", address)  # only n1 can tell n3 of n2
    n3.wait_for("alive", member="n2")
    assert not n2.heard("dead")
    assert n1.end(signal.SIGTERM) == 0


def test_an_ignored_hangup_stays_ignored(start: Start) -> None:
    n1 = start("n1", preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    n1.wait_for("started")
    n1.process.send_signal(signal.SIGHUP)
    n1.command(b"members")
    n1.wait_for("members")
    assert n1.end(signal.SIGTERM) == 0


def test_a_hangup_leaves(start: Start) -> None:
    n1 = start("n1")
    n1.wait_for("started")
    assert n1.end(signal.SIGHUP) == 0
    assert n1.records[-1]["reason"] == "SIGHUP"


@pytest.mark.parametrize("driver", ["loop", "thread"])
def test_with_a_key_file_a_hangup_reads_it_at_once(start: Start, tmp_path: Path, driver: str) -> None:
    """Each time: what is looked at every five seconds is complained of once as long as it stays the same."""
    path = tmp_path / "swim.key"
    path.write_text(Key(bytes(range(32))).reveal())
    path.chmod(0o600)
    n1 = start("n1", "--key-file", str(path), variables={"SWIM_DRIVER": driver})
    n1.wait_for("started")
    path.write_text("swim1_oops")
    assert n1.process.stderr is not None
    for _ in range(3):
        n1.process.send_signal(signal.SIGHUP)
        assert b"the keys stay as they are: line 1 of" in n1.process.stderr.readline()
    assert n1.end(signal.SIGTERM) == 0


@both_backends
def test_a_broken_lifeline_leaves(start: Start, backend: str) -> None:
    lifeline, hold = os.pipe()
    n1 = start("n1", "--backend", backend, "--lifeline", str(lifeline), pass_fds=[lifeline])
    os.close(lifeline)
    n1.wait_for("started")
    os.close(hold)
    assert n1.end() == 0
    assert n1.records[-1]["reason"] == "lifeline closed"


def test_a_seed_that_cannot_be_resolved_is_tried_again() -> None:
    process = subprocess.Popen(
        [*SWIM, "agent", "--bind", "127.0.0.1:0", "--join", "no-such-host.invalid", "--log-level", "warning"],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert b"started" in process.stdout.readline()
        warning = process.stderr.readline().decode()
        assert warning.startswith("swim: WARNING: ")
        assert "no-such-host.invalid" in warning
        process.terminate()
        assert process.wait(PATIENCE) == 0


@both_backends
def test_who_is_started_again_finds_those_that_it_remembers(backend: str, tmp_path: Path) -> None:
    file = str(tmp_path / "peers")
    with agents() as start:
        ann = start("ann")
        first = start("bob", "--peers", file, "--backend", backend, join=ann)
        first.wait_for("alive", member="ann")
        wait_until(lambda: os.path.exists(file))
        assert first.end(signal.SIGTERM) == 0
        again = start("bob", "--peers", file, "--backend", backend)
        again.wait_for("alive", member="ann")


@both_backends
def test_a_name_server_that_does_not_answer_delays_no_end(backend: str) -> None:
    code = """
import os, socket, sys, threading
look_up = socket.getaddrinfo
def hang(host, *rest, **options):
    if "slow.invalid" in str(host) and threading.current_thread() is not threading.main_thread():
        os.write(1, b"asked\\n")  # in one piece: the agent writes lines of its own
        threading.Event().wait()
    return look_up(host, *rest, **options)
socket.getaddrinfo = hang
from swim_anyio.__main__ import main
sys.exit(main())
"""
    arguments = ["--bind", "127.0.0.1:0", "--join", "slow.invalid", "--backend", backend]
    process = subprocess.Popen(
        [sys.executable, "-c", code, "agent", *arguments], env=environment(), stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        try:
            assert "asked" in {process.stdout.readline().split()[-1] for _ in range(2)}
            process.terminate()
            assert "(SIGTERM)" in process.stdout.readline()
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()


def test_lines_for_people_are_plain_where_there_is_no_terminal() -> None:
    process = subprocess.Popen(
        [*SWIM, "agent", "--bind", "127.0.0.1:0", "--name", "n1", *QUICK],
        env=environment(FORCE_COLOR="1"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    with process:
        output, _ = process.communicate(b"nonsense\nleave\n", PATIENCE)
    first, second, third = output.decode().splitlines()
    assert "  started    n1 at 127.0.0.1:" in first
    assert "  error      'nonsense' is not a command, or not complete" in second
    assert "  stopped    n1 (leave)" in third
    assert "\x1b" not in output.decode()


@pytest.mark.parametrize(("extra", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)])
def test_lines_for_people_have_colours_on_a_terminal(extra: dict[str, str], coloured: bool) -> None:
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [*SWIM, "agent", "--bind", "127.0.0.1:0", "--name", "n1", *QUICK],
        env=environment(**{"TERM": "xterm-256color", **extra}),
        stdin=subprocess.PIPE,
        stdout=theirs,
    )
    os.close(theirs)
    with process:
        process.communicate(b"leave\n", PATIENCE)
    assert process.returncode == 0
    output = b""
    try:
        while data := os.read(ours, 65_536):
            output += data
    except OSError:  # how Linux says that the other end is closed
        pass
    finally:
        os.close(ours)
    assert b"started" in output
    assert (b"\x1b[" in output and b"32m" in output) is coloured


@both_backends
def test_the_service_manager_hears_when_the_agent_is_ready_and_when_it_leaves(
    start: Start, backend: str, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "n"))
        manager.settimeout(PATIENCE)
        n1 = start("n1", "--backend", backend, variables={"NOTIFY_SOCKET": str(tmp_path / "n")})
        assert manager.recv(99) == b"READY=1"
        assert n1.end(signal.SIGTERM) == 0  # at once: who is ready obeys signals
        assert manager.recv(99) == b"STOPPING=1"
