"""Many sockets behind one that an event loop watches."""

import contextlib
import select

__all__ = ["EpollWatcher"]


class EpollWatcher:
    """Watches the sockets of a node's tripwires, as `swim_threads.sockets.tripwire_listener.Watcher` asks.

    An epoll is itself readable when something in it is. So the loop watches one descriptor, as for any socket, however
    many connections come and go. Only Linux has epoll; elsewhere a node within the loop has no tripwires.
    """

    available = hasattr(select, "epoll")

    def __init__(self) -> None:
        self._epoll = select.epoll()

    def fileno(self) -> int:
        """The descriptor for the loop to watch."""
        return self._epoll.fileno()

    def ready(self) -> list[int]:
        """The sockets that have something."""
        return [fd for fd, _ in self._epoll.poll(0)]

    def watch(self, fd: int, *, writable: bool = False) -> None:
        """Wait for a socket to be readable or, in place of that, writable."""
        event = select.EPOLLOUT if writable else select.EPOLLIN
        try:
            self._epoll.register(fd, event)
        except FileExistsError:
            self._epoll.modify(fd, event)

    def unwatch(self, fd: int) -> None:
        """Stop waiting for it; harmless if it wasn't watched."""
        with contextlib.suppress(FileNotFoundError):
            self._epoll.unregister(fd)

    def close(self) -> None:
        """Close the epoll, and take nothing out of it: in the child of a fork it is the parent's, too."""
        self._epoll.close()
