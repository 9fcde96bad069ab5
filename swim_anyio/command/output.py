"""Standard output as the agent needs it: whole lines at once, never blocking the node, closed means leave.

A reader that stops reading must not stop the node, or it would soon be declared dead. So nothing is
written before the descriptor can take it; meanwhile the subscription drops the oldest events and says so.
"""

import errno
import os
import select
import stat
import sys

import anyio

from .records import Record
from .text import Renderer

__all__ = ["Output"]

CHUNK = 4_096  # a pipe that polls writable takes this much without blocking (PIPE_BUF on Linux)
GONE = {errno.EPIPE, errno.ECONNRESET, errno.EIO}  # the last: a terminal that hung up


class Output:
    """Writes records to a descriptor.

    Args:
        fd: stays open, and in blocking mode: others may share it.
        render: makes a line of a record.

    Attributes:
        failure: why nothing can be written any more, unless the reader is simply gone.
    """

    def __init__(self, fd: int, render: Renderer) -> None:
        self.failure: OSError | None = None
        self._fd = fd
        self._render = render
        self._lock = anyio.Lock(fast_acquire=True)
        self._unwritten = bytearray()  # the rest of a line whose writing was cancelled goes before the next one
        self._poll = _poller(fd, getattr(select, "POLLOUT", 0))
        self._closed = anyio.Event()

    async def write(self, record: Record) -> None:
        """Write a record, waiting while the reader is slow. Once the output is closed, does nothing."""
        if self._closed.is_set():
            return
        async with self._lock:
            self._unwritten += self._render(record)
            while self._unwritten:
                await self._until_writable()
                try:
                    written = os.write(self._fd, self._unwritten[:CHUNK])
                except BlockingIOError:  # somebody else made it non-blocking, and it filled up since
                    continue
                except OSError as error:
                    if error.errno not in GONE:
                        self.failure = OSError(error.errno, f"standard output: {error.strerror}")
                    self._unwritten.clear()
                    self._closed.set()
                    return
                del self._unwritten[:written]

    async def wait_closed(self) -> None:
        """Wait until nobody can read what is written: the reader is gone, or a write failed."""
        if sys.platform == "linux" and stat.S_ISFIFO(os.fstat(self._fd).st_mode):
            poll = _poller(self._fd, 0)
            assert poll is not None
            # the writing end of a pipe never has anything to read: it wakes up for an error only
            await anyio.wait_readable(self._fd)
            if poll.poll(0):
                return
        await self._closed.wait()

    async def _until_writable(self) -> None:
        if self._poll is not None and not self._poll.poll(0):
            await anyio.wait_writable(self._fd)


def _poller(fd: int, events: int) -> "select.poll | None":
    if not hasattr(select, "poll"):
        return None
    poll = select.poll()
    poll.register(fd, events)
    return poll
