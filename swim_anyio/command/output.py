"""The agent's standard output: it gets whole lines, never blocks the node, and makes the agent leave when closed.

A reader that stops reading must not stop the node, or it would soon be declared dead. So nothing is written until the
descriptor can take it; meanwhile the subscription drops the oldest events and says so. A full disk doesn't make the
agent leave either, since a disk that all agents share would then empty a cluster: lines are dropped and counted.
"""

import errno
import logging
import os
import select
import stat
import sys
import time

import anyio

from . import records
from .disk import FULL
from .records import Record
from .text import Renderer

__all__ = ["Output"]

log = logging.getLogger("swim_anyio.output")

CHUNK = 4_096  # a pipe that polls writable takes this much without blocking (PIPE_BUF on Linux)
GONE = {errno.EPIPE, errno.ECONNRESET, errno.EIO}  # the last: a terminal that hung up


class Output:
    """Writes records to a descriptor.

    Args:
        fd: stays open, and in blocking mode: others may share it.
        render: turns a record into a line.

    Attributes:
        failure: why nothing can be written any longer, unless the reader is simply gone. A disk too full for the
            first record is a failure; later lines are dropped, and a record `lost` precedes the next one written.
    """

    def __init__(self, fd: int, render: Renderer) -> None:
        self.failure: OSError | None = None
        self._fd = fd
        self._render = render
        self._lock = anyio.Lock(fast_acquire=True)  # only one task at a time may wait for the reader
        self._unwritten = bytearray()  # the rest of a line that was cut short goes before the next line
        self._newest = 0  # bytes of what was added last, lines lost before it included
        self._begun = False
        self._lost = 0  # lines, since the last one that was written
        self._telling = 0  # how many of these the last addition reports
        self._reason = ""  # for that
        self._poll = _poller(fd, getattr(select, "POLLOUT", 0))
        self._closed = anyio.Event()

    async def write(self, record: Record) -> None:
        """Write a record, waiting while the reader is slow. Does nothing once the output is closed."""
        self._add(record)
        if not self._write():
            async with self._lock:
                while not self._write():
                    await anyio.wait_writable(self._fd)

    async def wait_closed(self) -> None:
        """Wait until output is pointless: the reader is gone, or a write failed."""
        if sys.platform == "linux" and stat.S_ISFIFO(os.fstat(self._fd).st_mode):
            poll = _poller(self._fd, 0)
            assert poll is not None
            # the writing end of a pipe never has anything to read: it wakes up for an error only
            await anyio.wait_readable(self._fd)
            if poll.poll(0):
                return
        await self._closed.wait()

    def _add(self, record: Record) -> None:
        if self._closed.is_set():
            return
        lines = self._render(record)
        if self._lost:
            lines = self._render(records.lines_lost(self._lost, self._reason, t=time.time())) + lines
        self._telling, self._lost = self._lost, 0
        self._newest = len(lines)
        self._unwritten += lines

    def _write(self) -> bool:
        """Write as much as the descriptor takes now; False if something is left for later."""
        try:
            while self._unwritten:
                if self._poll is not None and not self._poll.poll(0):
                    return False
                self._write_some()
        except OSError as error:
            if error.errno in FULL and self._begun:
                self._drop(error)
            else:
                self._close(error)
        return True

    def _write_some(self) -> None:
        try:
            written = os.write(self._fd, self._unwritten[:CHUNK])
        except BlockingIOError:  # another process made it non-blocking, and it has filled up since
            return
        del self._unwritten[:written]
        self._begun = True

    def _drop(self, error: OSError) -> None:
        """Drop what was added last, unless part of it is already written, since the rest must then follow."""
        earlier = len(self._unwritten) - self._newest
        if earlier < 0:
            return
        del self._unwritten[earlier:]
        self._lost, self._reason = self._telling + 1, os.strerror(error.errno or 0)
        if not self._telling:
            log.warning("standard output: %s; lines that can't be written are dropped and counted", self._reason)

    def _close(self, error: OSError) -> None:
        if error.errno not in GONE:
            self.failure = OSError(error.errno, f"standard output: {error.strerror}")
        self._unwritten.clear()
        self._closed.set()


def _poller(fd: int, events: int) -> "select.poll | None":
    if not hasattr(select, "poll"):
        return None
    poll = select.poll()
    poll.register(fd, events)
    return poll
