"""kqueue, over Linux' epoll: the part of Darwin's that Python's selectors and trio use.

By kqueue(2) of Darwin. DESCRIPTION: an event is an (ident, filter) pair; to add it again changes it and makes no second
one; changes are made before events are read; "close on a file descriptor will remove any kevents that reference the
descriptor"; EVFILT_READ and EVFILT_WRITE tell of a state for as long as it lasts, and set EV_EOF once the other side is
gone; EV_ONESHOT deletes what was told. RETURN VALUES: a change that fails is an event with EV_ERROR where there is room
for one, and else the error of the call. ERRORS: ENOENT for an event that is not there, EBADF for a bad descriptor.
"""

import errno
import os
import select
from collections.abc import Iterable
from typing import NamedTuple

__all__ = ["USED", "Kevent", "Kqueue", "install"]

READ, WRITE, PROC = -1, -2, -5  # all numbers are those of Darwin's <sys/event.h>
ADD, DELETE, ENABLE, DISABLE, ONESHOT, CLEAR, ERROR, EOF = 1, 2, 4, 8, 0x10, 0x20, 0x4000, 0x8000
NOTE_EXIT = 0x80000000

USED: list[int] = []
"""How many events each call of `Kqueue.control` returned."""

_epoll = select.epoll
_TELLING = {READ: select.EPOLLIN, WRITE: select.EPOLLOUT}
_GONE = select.EPOLLHUP | select.EPOLLERR


class Kevent(NamedTuple):
    """`select.kevent`."""

    ident: int
    filter: int = READ
    flags: int = ADD
    fflags: int = 0
    data: int = 0
    udata: int = 0


class Kqueue:
    """`select.kqueue`."""

    def __init__(self) -> None:
        self._epoll = _epoll()
        self._added: dict[int, dict[int, int]] = {}  # flags by filter, of each descriptor

    @property
    def closed(self) -> bool:
        return self._epoll.closed

    def fileno(self) -> int:
        return self._epoll.fileno()

    def close(self) -> None:
        self._epoll.close()

    def control(self, changes: Iterable[Kevent] | None, most: int, timeout: float | None = None) -> list[Kevent]:
        events = []
        for change in changes or ():
            try:
                self._change(change)
            except OSError as error:
                if most == 0:
                    raise
                events.append(change._replace(flags=ERROR, data=error.errno or 0))
        if most > len(events):
            for fd, mask in self._epoll.poll(0 if events else timeout, most):
                events += self._told(fd, mask)
        USED.append(len(events))
        for event in events[:most]:
            if event.flags & ONESHOT:
                self._change(event._replace(flags=DELETE))
        return events[:most]

    def _change(self, change: Kevent) -> None:
        added = self._added.setdefault(change.ident, {})
        if change.flags & DELETE:
            if added.pop(change.filter, None) is None:
                raise OSError(errno.ENOENT, os.strerror(errno.ENOENT))
        else:
            added[change.filter] = change.flags
        mask = sum(_TELLING[name] for name in added)
        try:
            if mask:
                self._epoll.modify(change.ident, mask)
            else:
                self._epoll.unregister(change.ident)
        except FileNotFoundError:  # a new descriptor, or one with the number of a closed one
            if change.flags & DELETE:
                raise
            self._added[change.ident] = {change.filter: change.flags}
            self._epoll.register(change.ident, _TELLING[change.filter])

    def _told(self, fd: int, mask: int) -> list[Kevent]:
        end = EOF if mask & _GONE else 0
        return [
            Kevent(fd, name, end | flags & ONESHOT)
            for name, flags in self._added[fd].items()
            if mask & (_TELLING[name] | _GONE)
        ]


def install() -> None:
    """Have this process's ``select`` look like Darwin's: with kqueue, and without epoll."""
    for name in [name for name in dir(select) if name.lower().startswith("epoll")]:
        delattr(select, name)
    flags = {"ADD": ADD, "DELETE": DELETE, "ENABLE": ENABLE, "DISABLE": DISABLE, "ONESHOT": ONESHOT, "CLEAR": CLEAR}
    names = {f"KQ_EV_{name}": value for name, value in {**flags, "ERROR": ERROR, "EOF": EOF}.items()}
    names |= {"KQ_FILTER_READ": READ, "KQ_FILTER_WRITE": WRITE, "KQ_FILTER_PROC": PROC, "KQ_NOTE_EXIT": NOTE_EXIT}
    for name, value in {**names, "kqueue": Kqueue, "kevent": Kevent}.items():
        setattr(select, name, value)
