"""Standard input, read by a daemon thread: the only way that works for terminals, pipes and files everywhere.

The thread sleeps in a read, which costs nothing, and never keeps the process alive. The end of the input only means
that there will be no more commands.
"""

import errno
import logging
import os
import select
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import CancelledError

from anyio.from_thread import BlockingPortal

from .commands import Lines

__all__ = ["serve_lines"]

log = logging.getLogger("swim_anyio.input")

CHUNK = 65_536
BACKGROUND_WAIT = 1.0  # seconds between looks at a terminal that belongs to another job
NONBLOCKING_WAIT = 0.1  # seconds between reads of a non-blocking input, since there is no way to wait for it


async def serve_lines(fd: int, handle: Callable[[bytes], Awaitable[None]], at_once: Callable[[bytes], bool]) -> None:
    """Handle the lines of ``fd`` one after the other, until cancelled or until the input ends.

    Args:
        fd: stays open and unchanged, since others may share it. It may be in non-blocking mode.
        handle: called in the loop with a line for which ``at_once`` returned False; must not raise.
        at_once: called first, in the reading thread, for what needs no task; must not raise.
    """
    async with BlockingPortal() as portal:
        thread = threading.Thread(target=_read, args=(fd, portal, handle, at_once), name="swim-stdin", daemon=True)
        thread.start()
        await portal.sleep_until_stopped()


def _read(
    fd: int, portal: BlockingPortal, handle: Callable[[bytes], Awaitable[None]], at_once: Callable[[bytes], bool]
) -> None:
    lines = Lines()
    try:
        while True:
            data = _next(fd)
            for line in lines.feed(data):
                if not at_once(line):
                    portal.call(handle, line)
            if not data:
                return portal.call(portal.stop)
    except (CancelledError, RuntimeError):  # the loop is on its way out, or gone
        return None


def _next(fd: int) -> bytes:
    """The next bytes; ``b""`` at the end, and also, with a warning in the log, if the input can't be read."""
    while True:
        try:
            return os.read(fd, CHUNK)
        except BlockingIOError:  # set by another process that shares it, whose business it is
            _wait_readable(fd)
        except OSError as error:
            if error.errno != errno.EIO or not os.isatty(fd):
                log.warning("standard input can't be read, so commands are ignored: %s", error.strerror)
                return b""
            time.sleep(BACKGROUND_WAIT)  # a background job: what is typed belongs to the shell (see below)


def _wait_readable(fd: int) -> None:
    if not hasattr(select, "poll"):
        time.sleep(NONBLOCKING_WAIT)
        return
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    poll.poll()


def ignore_terminal_stops() -> None:
    """While this is a background job, make terminal reads fail and writes succeed instead of stopping the process.

    A stopped node would be declared dead. (Writing stops a process only after ``stty tostop``.)
    """
    for name in ("SIGTTIN", "SIGTTOU"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
