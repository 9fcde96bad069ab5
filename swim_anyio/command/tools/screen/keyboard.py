"""The keys of a terminal, one by one, without waiting for a line. Afterwards the terminal is as it was."""

import codecs
import os
import re
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from types import TracebackType
from typing import Any, Self

import anyio

try:
    import termios
    import tty
except ImportError:  # Windows
    termios = None  # type: ignore[assignment]

__all__ = ["Keyboard", "keys_in"]

SEQUENCE = re.compile(r"\x1b(?:\[[0-9;]*[A-Za-z~]|O[A-Za-z])|[\s\S]")
NAMES = {
    "\x1b": "escape",
    "\r": "enter",
    "\n": "enter",
    "\x7f": "backspace",
    "\b": "backspace",
    "\x1a": "suspend",
    **{f"\x1b{lead}{letter}": name for lead in "[O" for letter, name in
       {"A": "up", "B": "down", "H": "home", "F": "end"}.items()},
    **{f"\x1b[{number}~": name for number, name in
       {1: "home", 4: "end", 5: "page up", 6: "page down", 7: "home", 8: "end"}.items()},
}  # fmt: skip


def keys_in(text: str) -> Iterator[str]:
    """The keys in what a terminal sent: names such as "up" and "enter", and printable characters. Others are left
    out."""
    for sequence in SEQUENCE.findall(text):
        key = NAMES.get(sequence, sequence)
        if (len(key) > 1 and key != sequence) or (key.isprintable() and len(key) == 1):
            yield key


class Keyboard:
    """Standard input, if it is a terminal and this process is in its foreground. Use it as a context manager.

    Attributes:
        there: whether there are keys to read.
    """

    def __init__(self) -> None:
        self._fd = -1 if sys.stdin is None else sys.stdin.fileno()
        self.there = termios is not None and _is_ours(self._fd)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._before: list[Any] = []

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.end()

    def begin(self) -> None:
        """Get keys at once and without an echo. Ctrl-C stays a signal; Ctrl-Z becomes a key, see `suspend`."""
        if self.there:
            self._before = termios.tcgetattr(self._fd)
            tty.setcbreak(self._fd)
            mode = termios.tcgetattr(self._fd)
            mode[tty.CC][termios.VSUSP] = b"\0"
            termios.tcsetattr(self._fd, termios.TCSANOW, mode)

    def end(self) -> None:
        """Make the terminal as it was."""
        if self._before:
            with suppress(termios.error):  # it is closed
                termios.tcsetattr(self._fd, termios.TCSADRAIN, self._before)
            self._before = []

    async def read(self) -> list[str]:
        """The next keys, once there are some; none at the end of the input, and if it can't be read."""
        while True:
            try:
                await anyio.wait_readable(self._fd)
                data = os.read(self._fd, 1_024)
            except OSError:
                return []
            if not data:
                return []
            if keys := [*keys_in(self._decoder.decode(data))]:
                return keys

    def suspend(self) -> None:
        """Stop all processes of the job, as Ctrl-Z does; returns once they are continued."""
        self.end()
        os.kill(0, signal.SIGTSTP)
        self.begin()


def _is_ours(fd: int) -> bool:
    """Whether it is a terminal from which this process may read without being stopped."""
    try:
        if not os.isatty(fd):
            return False
        return os.tcgetpgrp(fd) == os.getpgrp()
    except OSError:  # not the terminal that controls this process, so that nothing stops it
        return fd >= 0
