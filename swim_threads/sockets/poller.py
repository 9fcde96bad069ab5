"""Waits for sockets, a deadline or another thread."""

import contextlib
import select

from .owned import pair

__all__ = ["Poller"]


class Poller:
    """Sleeps until one of its sockets is ready, a time has passed, or `wake` is called. Owned by one thread."""

    def __init__(self, *fds: int) -> None:
        """Watch ``fds``, each until it is unwatched, which must be before it is closed."""
        self._woken, self._waker = pair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._wake_fd = self._woken.fileno()
        self._readers: dict[int, None] = {}
        self._writers: dict[int, None] = {}
        # not on Windows; 2 us cheaper than `selectors` on each of a node's wake-ups
        self._poll = select.poll() if hasattr(select, "poll") else None
        for fd in (*fds, self._wake_fd):
            self.watch(fd)

    def watch(self, fd: int, *, writable: bool = False) -> None:
        """Wait for ``fd`` to be readable or, in place of that, writable; a failed connection is both."""
        if self._poll is not None:
            self._poll.register(fd, select.POLLOUT if writable else select.POLLIN)
        else:
            self.unwatch(fd)
            (self._writers if writable else self._readers)[fd] = None

    def unwatch(self, fd: int) -> None:
        """Stop waiting for ``fd``; harmless if it wasn't watched."""
        if self._poll is not None:
            with contextlib.suppress(KeyError):
                self._poll.unregister(fd)
        else:
            self._readers.pop(fd, None)
            self._writers.pop(fd, None)

    def wait(self, seconds: float | None) -> list[int]:
        """Sleep for at most ``seconds``, rounded up to a millisecond; None for as long as it takes.

        Returns:
            The watched sockets that have something: a datagram, room, or an error.
        """
        if self._poll is not None:
            ready = [fd for fd, _ in self._poll.poll(None if seconds is None else max(0.0, seconds * 1_000))]
        else:
            timeout = None if seconds is None else max(0.0, seconds)
            readable, writable, failed = select.select(self._readers, self._writers, self._writers, timeout)
            ready = list(dict.fromkeys(readable + writable + failed))
        if self._wake_fd in ready:
            ready.remove(self._wake_fd)
            with contextlib.suppress(BlockingIOError):
                while self._woken.recv(4_096):
                    pass
        return ready

    def wake(self) -> None:
        """End the wait of the owner's thread, or its next one. For any thread; after `close` it does nothing."""
        with contextlib.suppress(OSError):  # full: a wake-up is pending already
            self._waker.send(b"\0")

    def close(self) -> None:
        """Release what `wake` needs; the watched sockets stay open."""
        self._woken.close()
        self._waker.close()
