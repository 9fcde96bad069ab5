"""A pseudo-terminal that controls a command, for tests of what is drawn and of what keys do."""

import contextlib
import os
import struct
import subprocess
import sys
import threading
from typing import Any

from support.agents import PATIENCE, environment

if sys.platform != "win32":
    import fcntl
    import pty
    import termios

__all__ = ["ALTERNATE", "RESTORED", "Terminal"]

ALTERNATE, RESTORED = b"\x1b[?1049h", b"\x1b[?1049l"


class Terminal:
    """A terminal of 80 by 24 characters that controls a command, and what that wrote there since the last `wait_for`.

    Args:
        command: the whole command line.
        variables: of its environment.
        options: for `subprocess.Popen`.
    """

    def __init__(self, command: list[str], variables: dict[str, str] | None = None, **options: Any) -> None:
        self._fd, self._inner = pty.openpty()
        fcntl.ioctl(self._inner, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        self.before = termios.tcgetattr(self._inner)
        inner = self._inner
        self.process = subprocess.Popen(
            command,
            **{"stdin": inner, "stdout": inner, "stderr": inner, **options},
            env={**environment(TERM="xterm"), **(variables or {})},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(inner, termios.TIOCSCTTY, 0),
        )
        self.written = self._new = b""
        self._news = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # its end
            while data := os.read(self._fd, 65_536):
                with self._news:
                    self.written += data
                    self._new += data
                    self._news.notify_all()

    def type(self, keys: bytes) -> None:
        """Press keys."""
        os.write(self._fd, keys)

    def wait_for(self, text: bytes) -> None:
        """Wait until it has written this since the last call."""
        with self._news:
            assert self._news.wait_for(lambda: text in self._new, PATIENCE), self._new
            self._new = self._new.partition(text)[2]

    def is_as_before(self) -> bool:
        """Whether lines and what is typed are treated as at the start, and the cursor and the screen are back."""
        shown = self.written.rfind(b"\x1b[?25h") >= self.written.rfind(b"\x1b[?25l")
        first = self.written.rfind(RESTORED) >= self.written.rfind(ALTERNATE)
        return shown and first and termios.tcgetattr(self._inner) == self.before

    def end(self) -> int:
        """Wait for its end; returns the exit status."""
        status = self.process.wait(PATIENCE)
        self.before_closing = self.is_as_before()
        os.close(self._inner)
        self._reader.join(PATIENCE)
        os.close(self._fd)
        return status
