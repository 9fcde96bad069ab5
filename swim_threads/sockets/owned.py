"""Sockets that belong to this process alone: no child has them, however it is made.

A copy in a child would keep the port of a parent that was killed. Then nothing would show the death, and nobody could
bind the port. A program that a child executes has no copies, since Python closes all descriptors then. But a fork alone
copies all of them, at any moment, since another thread may fork between the system call that makes a socket and the
next line of Python.
"""

import os
import socket
import threading
from contextlib import suppress
from typing import Any
from weakref import WeakSet

__all__ = ["Socket", "pair", "take_over"]

_owned: "WeakSet[Socket]" = WeakSet()
_changing = threading.RLock()
"""Held while a descriptor is made or closed (a few microseconds) and during every fork, so that the child knows them
all.

It can be taken twice, in case a signal handler forks while it is held."""


class Socket(socket.socket):
    """A socket that is closed in the child of every fork. The sockets that it accepts are too."""

    def __init__(self, family: int, kind: int, *, fileno: int | None = None) -> None:
        """A new socket, or the one that ``fileno`` already is.

        Raises:
            OSError: if this process or the system has no descriptors left.
        """
        with _changing:
            _owned.add(self)
            super().__init__(family, kind, fileno=fileno)

    def accept(self) -> tuple["Socket", Any]:
        """As of any socket."""
        with _changing:
            accepted, source = super().accept()
            return _adopt(accepted), source

    def close(self) -> None:
        """As of any socket."""
        with _changing:
            super().close()


def pair() -> tuple[Socket, Socket]:
    """Two connected sockets.

    Raises:
        OSError: if this process or the system has no descriptors left.
    """
    with _changing:
        one, other = socket.socketpair()
        return _adopt(one), _adopt(other)


def take_over(sock: socket.socket) -> Socket:
    """The socket that ``sock`` was, which is no longer one."""
    with _changing:
        return _adopt(sock)


def _adopt(sock: socket.socket) -> Socket:
    return Socket(sock.family, sock.type, fileno=sock.detach())


def _after_fork_in_child() -> None:
    try:
        for sock in list(_owned):
            if (fileno := sock.detach()) >= 0:
                os.close(fileno)
    finally:
        _release()


def _release() -> None:
    with suppress(RuntimeError):  # the fork had begun before this module was there to take the lock
        _changing.release()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(before=_changing.acquire, after_in_parent=_release, after_in_child=_after_fork_in_child)
