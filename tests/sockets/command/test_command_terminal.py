"""`swim agent` on a terminal of its own: the keys that send signals, job control, and a terminal that goes away."""

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from support.agents import QUICK, SWIM, environment
from swim_core import Key

pytestmark = [
    pytest.mark.sockets,
    pytest.mark.processes,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc; terminals of Linux"),
]

CTRL_C, CTRL_D = b"\x03", b"\x04"


class Terminal:
    """A terminal in which an agent runs as the foreground job, the only one.

    Attributes:
        pid: of the agent.
    """

    def __init__(self, pid: int, fd: int) -> None:
        self.pid = pid
        self._fd = fd
        self._seen = b""
        self._ended = False

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._fd, keys)

    def wait_for(self, text: bytes) -> None:
        """Read on until the agent has written this."""
        while text not in self._seen:
            self._seen += os.read(self._fd, 65_536)
        self._seen = self._seen.partition(text)[2]

    def wait(self, options: int = 0) -> int:
        """What becomes of the agent, as `os.waitpid` says."""
        _, status = os.waitpid(self.pid, options)
        self._ended = not os.WIFSTOPPED(status)
        return status

    def hang_up(self) -> None:
        """Close it."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def discard(self) -> None:
        """Close it, and end the agent if it still runs."""
        self.hang_up()
        if not self._ended:
            with suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)


@contextmanager
def terminal(script: str = 'exec "$@"') -> Iterator[Terminal]:
    """Start a shell script with an agent's command line in a new terminal."""
    ours, theirs = os.openpty()
    command = [*SWIM, "agent", "--bind", "127.0.0.1:0", "--name", "n1", *QUICK]
    pid = os.posix_spawn(
        sys.executable,
        [sys.executable, "-c", BECOME, os.ttyname(theirs), script, *command],
        environment(TERM="dumb"),
        setsid=True,
    )
    running = Terminal(pid, ours)
    try:
        yield running
    finally:
        running.discard()
        os.close(theirs)  # open till now: a terminal that nobody has open yet can't be read


BECOME = """
import fcntl, os, sys, termios
fd = os.open(sys.argv[1], os.O_RDWR)
fcntl.ioctl(fd, termios.TIOCSCTTY, 0)
for number in (0, 1, 2):
    os.dup2(fd, number)
os.execv("/bin/sh", ["sh", "-c", sys.argv[2], "sh", *sys.argv[3:]])
"""
"""Takes a terminal as its own, and becomes a shell."""


def test_ctrl_c_leaves() -> None:
    with terminal() as screen:
        screen.wait_for(b"started")
        screen.type(CTRL_C)
        screen.wait_for(b"(SIGINT)")
        assert os.waitstatus_to_exitcode(screen.wait()) == 130


def test_a_broadcast_that_is_typed_is_confirmed() -> None:
    with terminal() as screen:
        screen.wait_for(b"started")
        screen.type(b"broadcast hello\n")
        screen.wait_for(b"goes to 0 other members")
        screen.type(b"quit\n")
        screen.wait_for(b"(leave)")
        assert os.waitstatus_to_exitcode(screen.wait()) == 0


def test_a_stop_and_a_continuation() -> None:
    """What Ctrl-Z and `fg` are for a shell's job; the only process of a session can't be stopped by the key itself."""
    with terminal() as screen:
        screen.wait_for(b"started")
        os.kill(screen.pid, signal.SIGSTOP)
        assert os.WIFSTOPPED(screen.wait(os.WUNTRACED))
        os.kill(screen.pid, signal.SIGCONT)
        screen.type(b"members\n")
        screen.wait_for(b"1 live")
        screen.type(CTRL_C)
        assert os.waitstatus_to_exitcode(screen.wait()) == 130


def test_the_end_of_what_is_typed_is_not_the_end() -> None:
    with terminal() as screen:
        screen.wait_for(b"started")
        screen.type(CTRL_D)
        screen.type(CTRL_C)
        screen.wait_for(b"(SIGINT)")
        assert os.waitstatus_to_exitcode(screen.wait()) == 130


def test_a_terminal_that_goes_away_is_a_leave() -> None:
    with terminal() as screen:
        screen.wait_for(b"started")
        screen.hang_up()
        assert os.waitstatus_to_exitcode(screen.wait()) == 0


def test_so_it_is_for_one_that_has_a_key_file(tmp_path: Path) -> None:
    """To which SIGHUP alone means to read that again."""
    path = tmp_path / "swim.key"
    path.write_text(Key(bytes(range(32))).reveal())
    path.chmod(0o600)
    with terminal(f'export SWIM_KEY_FILE={path}; exec "$@"') as screen:
        screen.wait_for(b"started")
        os.kill(screen.pid, signal.SIGHUP)
        screen.type(b"members\n")
        screen.wait_for(b"1 live")
        screen.hang_up()
        assert os.waitstatus_to_exitcode(screen.wait()) == 0


def test_under_nohup_it_outlives_its_terminal() -> None:
    with terminal('trap "" HUP; exec "$@"') as screen:
        screen.wait_for(b"started")
        os.kill(screen.pid, signal.SIGHUP)
        screen.type(b"members\n")
        screen.wait_for(b"1 live")
        os.kill(screen.pid, signal.SIGTERM)
        screen.wait_for(b"(SIGTERM)")
        assert os.waitstatus_to_exitcode(screen.wait()) == 0


def test_as_a_background_job_the_terminal_stops_it_neither_for_reading_nor_for_writing() -> None:
    """A node that is stopped would soon be declared dead."""
    with terminal() as screen:
        screen.wait_for(b"started")
        (line,) = [line for line in Path(f"/proc/{screen.pid}/status").read_text().splitlines() if "SigIgn" in line]
        ignored = int(line.split()[1], 16)
        for number in (signal.SIGTTIN, signal.SIGTTOU):
            assert ignored >> (number - 1) & 1


def test_without_any_standard_input() -> None:
    with terminal('exec "$@" <&-') as screen:
        screen.wait_for(b"started")
        screen.type(CTRL_C)
        screen.wait_for(b"(SIGINT)")
        assert os.waitstatus_to_exitcode(screen.wait()) == 130
