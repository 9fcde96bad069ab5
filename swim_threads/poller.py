"""Waits for sockets, for a while, or for another thread."""

import contextlib
import select
import socket

__all__ = ["Poller"]


class Poller:
    """Sleeps until one of its sockets is ready, a time has passed, or `wake` is called. Owned by one thread."""

    def __init__(self, *fds: int) -> None:
        """Watch ``fds``, which must stay open for as long as `wait` is called."""
        self._woken, self._waker = socket.socketpair()
        self._fds = fds
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._wake_fd = self._woken.fileno()
        self._poll = None
        if hasattr(select, "poll"):  # not on Windows; 2 us cheaper than `selectors` on each of a node's wake-ups
            self._poll = select.poll()
            for fd in (*fds, self._wake_fd):
                self._poll.register(fd, select.POLLIN)

    def wait(self, seconds: float | None) -> list[int]:
        """Sleep for at most ``seconds``, rounded up to a millisecond; None for as long as it takes.

        Returns:
            The watched sockets that have something: a datagram or an error.
        """
        if self._poll is not None:
            ready = [fd for fd, _ in self._poll.poll(None if seconds is None else max(0.0, seconds * 1_000))]
        else:
            ready = select.select([*self._fds, self._wake_fd], [], [], None if seconds is None else max(0.0, seconds))[
                0
            ]
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
