"""The tripwires of a node within the event loop: all their sockets behind one that the loop watches."""

import contextlib
import select

from swim_core import ProtocolNode
from swim_threads.sockets.tcp import TcpListener
from swim_threads.sockets.tripwires import OnEvidence, Tripwires

__all__ = ["Connections"]


class Connections:
    """The TCP side of a node whose loop reads and keeps time.

    An epoll is itself readable when something in it is. So the loop watches one descriptor, as for any socket, however
    many connections come and go. Only Linux has epoll; elsewhere a node within the loop has no tripwires.
    """

    available = hasattr(select, "epoll")

    def __init__(self, core: ProtocolNode, listener: TcpListener, on_evidence: OnEvidence, *, now: float) -> None:
        """Take over ``listener``; ``on_evidence`` gets what kernels report."""
        self._core = core
        self._epoll = select.epoll()
        core.enable_tripwires(now=now)
        self._tripwires = Tripwires(listener, self, core.tripwire_plan, on_evidence)

    @property
    def deadline(self) -> float:
        """When to call `turn` at the latest."""
        return self._tripwires.deadline

    @property
    def connected(self) -> int:
        """How many of the kept connections were greeted."""
        return self._tripwires.connected

    def fileno(self) -> int:
        """The descriptor for the loop to watch."""
        return self._epoll.fileno()

    def readable(self, now: float) -> None:
        """Something is ready."""
        for fd, _ in self._epoll.poll(0):
            self._tripwires.ready(fd, now)
        self._tripwires.ask(now)

    def turn(self, now: float) -> None:
        """Do what is wanted and due."""
        self._tripwires.turn(now)

    def take_wishes(self, now: float, *, rewire: bool) -> None:
        """Note which connections the node wants to try and, with ``rewire``, which it wants to keep."""
        while (address := self._core.poll_connect()) is not None:
            self._tripwires.test(address)
        if rewire:
            self._tripwires.rewire(self._core.tripwire_plan, now)

    def close(self, *, announce: bool) -> None:
        """Close all, announced or not."""
        self._tripwires.close(announce=announce)
        self._epoll.close()

    def disown(self) -> None:
        """In the child of a fork: take nothing out of the epoll, which is the parent's, too."""
        self._epoll.close()

    def watch(self, fd: int, *, writable: bool = False) -> None:
        """For the tripwires: see `swim_threads.sockets.tripwire_listener.Watcher`."""
        event = select.EPOLLOUT if writable else select.EPOLLIN
        try:
            self._epoll.register(fd, event)
        except FileExistsError:
            self._epoll.modify(fd, event)

    def unwatch(self, fd: int) -> None:
        """For the tripwires."""
        with contextlib.suppress(FileNotFoundError):
            self._epoll.unregister(fd)
