"""The examples of the documentation as processes, and what they print."""

import io
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from support.agents import environment
from support.paths import DOCS
from swim_core import Config
from swim_threads import ThreadNode

__all__ = ["CONFIG", "EXAMPLES", "PATIENCE", "QUICK", "Example", "Start", "joining", "starting"]

PROGRAMS = [path for path in sorted((DOCS / "examples").glob("*.py")) if not path.stem.startswith("test_")]
EXAMPLES = {path.stem: path for path in PROGRAMS}
PATIENCE = 30.0  # seconds: for the slowest machine; nothing waits so long on another
CONFIG = Config(probe_interval=0.2, stall_tolerance=2.0)  # of members in the process of the tests
QUICK = {
    "SWIM_PROBE_INTERVAL": "0.2",
    "SWIM_STALL_TOLERANCE": "2",
    "SMUDGE_HEARTBEAT_MILLIS": "100",
    "SMUDGE_MULTICAST_ENABLED": "false",
    "PYTHONUNBUFFERED": "1",
}


class Example:
    """An example as a process, and what it prints."""

    def __init__(self, command: list[str], variables: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            command,
            env=environment(**{**QUICK, **variables}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.lines: list[str] = []
        self.errors: list[str] = []
        self._news = threading.Condition()
        readers = ((self.process.stdout, self.lines), (self.process.stderr, self.errors))
        self._readers = [threading.Thread(target=self._read, args=reader, daemon=True) for reader in readers]
        for reader in self._readers:
            reader.start()

    def wait_for(self, pattern: str, *, after: int = 0) -> re.Match[str]:
        """The first line that matches, once it is printed, on either output; ``after`` that many lines of the first."""
        found: list[re.Match[str]] = []

        def printed() -> bool:
            lines = (*self.lines[after:], *self.errors)
            found[:] = [match for line in lines if (match := re.search(pattern, line))]
            return bool(found)

        with self._news:
            assert self._news.wait_for(printed, PATIENCE), (pattern, self.lines, self.errors)
        return found[0]

    def say(self, line: str) -> None:
        """Type a line."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def end(self, number: signal.Signals | None = signal.SIGINT) -> None:
        """Press Ctrl-C, or send another signal or none, and check that it ends as it should, without a word."""
        if number is not None:
            self.process.send_signal(number)
        assert self.process.wait(PATIENCE) == 0, self.errors
        self._close()
        assert "Traceback" not in "".join(self.errors)

    def kill(self) -> None:
        """kill -9; harmless on one that has ended."""
        self.process.kill()
        self.process.wait(PATIENCE)
        self._close()

    def _close(self) -> None:
        for reader in self._readers:
            reader.join(PATIENCE)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()

    def _read(self, pipe: io.TextIOBase, lines: list[str]) -> None:
        for line in pipe:
            with self._news:
                lines.append(line.rstrip("\n"))
                self._news.notify_all()


Start = Callable[..., Example]


def joining(seed: ThreadNode) -> dict[str, str]:
    """The environment of a program whose processes join this member."""
    return {"SWIM_BIND": "127.0.0.1:0", "SWIM_JOIN": str(seed.local.address)}


@contextmanager
def starting() -> Iterator[Start]:
    """Starts an example with its arguments, or another command; kills what is left at the end."""
    started: list[Example] = []

    def begin(name: str, *arguments: str, command: list[str] | None = None, **variables: str) -> Example:
        command = command or [sys.executable, "-W", "error", str(EXAMPLES[name])]
        started.append(Example([*command, *arguments], variables))
        return started[-1]

    try:
        yield begin
    finally:
        for example in started:
            example.kill()
