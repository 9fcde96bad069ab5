"""Standard input and output as others leave them to the command: non-blocking, unreadable, shared, full."""

import os
import subprocess
import sys
from typing import Any

import pytest

from support.agents import PATIENCE, SWIM, environment

pytestmark = [pytest.mark.processes, pytest.mark.skipif(sys.platform == "win32", reason="descriptors of POSIX")]
AGENT = [*SWIM, "agent", "--bind", "127.0.0.1:0", "--name", "x"]


def started(stdin: Any) -> subprocess.Popen[str]:
    options: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen(AGENT, stdin=stdin, env=environment(), **options)
    assert process.stdout is not None
    process.stdout.readline()
    return process


@pytest.mark.parametrize("terminal", [False, True])
def test_a_non_blocking_input_is_obeyed(terminal: bool) -> None:
    """O_NONBLOCK belongs to the open file: any process that shares it, a shell or node.js, may set it."""
    ours, theirs = os.openpty() if terminal else reversed(os.pipe())
    try:
        os.set_blocking(theirs, False)
        with started(theirs) as process:
            for line in (b"members\n", b"leave\n"):
                os.write(ours, line)
            stdout, stderr = process.communicate(timeout=PATIENCE)
    finally:
        os.close(ours)
        os.close(theirs)
    assert process.returncode == 0, stderr
    assert "x" in stdout


def test_an_input_that_can_not_be_read_is_told_and_the_agent_stays() -> None:
    write_only = os.open(os.devnull, os.O_WRONLY)
    with started(write_only) as process:
        os.close(write_only)
        assert process.stderr is not None
        assert (
            process.stderr.readline()
            == "swim: WARNING: standard input can't be read, so commands are ignored: Bad file descriptor\n"
        )
        assert process.poll() is None
        process.terminate()
        assert process.wait(PATIENCE) == 0


MAIN = """
import errno, os, sys
from swim_anyio.__main__ import main

class Keeping:
    # keeps what it could not write, and tries again at each flush, as streams do from Python 3.13 on
    def __init__(self, stream):
        self.stream, self.kept = stream, False
    def __getattr__(self, name):
        return getattr(self.stream, name)
    def flush(self):
        if self.kept and not os.path.samestat(os.fstat(self.fileno()), os.stat(os.devnull)):
            raise OSError(errno.ENOSPC, "kept")
        self.attempt(self.stream.flush)
    def write(self, text):
        return self.attempt(self.stream.write, text)
    def attempt(self, act, *arguments):
        try:
            return act(*arguments)
        except OSError:
            self.kept = True
            raise

sys.stdout, sys.stderr = Keeping(sys.stdout), Keeping(sys.stderr)
status = main()
sys.stdout.flush(), sys.stderr.flush()  # what the interpreter does at its end
assert sys.stdout.kept or sys.stderr.kept
os._exit(status)
"""


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
@pytest.mark.parametrize(("option", "stream", "status"), [("--version", "stdout", 1), ("--nonsense", "stderr", 2)])
def test_nothing_is_left_for_the_interpreter_to_flush_at_its_end(option: str, stream: str, status: int) -> None:
    """From Python 3.13 on a stream keeps what it could not write: the end would be another line, and status 120."""
    with open("/dev/full", "wb") as full:
        other = "stderr" if stream == "stdout" else "stdout"
        streams: dict[str, Any] = {stream: full, other: subprocess.PIPE}
        command = [sys.executable, "-c", MAIN, option]
        ended = subprocess.run(command, env=environment(), timeout=PATIENCE, check=False, **streams)
    assert ended.returncode == status


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no /dev/full here")
def test_output_that_is_gone_is_one_line_and_one_status() -> None:
    with open("/dev/full", "wb") as full:
        options: dict[str, Any] = {"stdout": full, "stderr": subprocess.PIPE, "text": True}
        ended = subprocess.run([*SWIM, "--version"], env=environment(), timeout=PATIENCE, check=False, **options)
    assert (ended.returncode, ended.stderr) == (1, "swim: standard output: No space left on device\n")
