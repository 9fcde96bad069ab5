"""Waiting for a change under a lock, safe from exceptions that a signal handler raises meanwhile."""

import os
import select
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from math import inf
from typing import Protocol, TypeVar

__all__ = ["Condition"]

T = TypeVar("T")

LONGEST = 1e6  # seconds in one wait, which must fit what the system calls take; a longer one consists of several


class _Bell(Protocol):
    """What one thread waits for. It may be rung late, when nobody waits any longer: then the next wait is short."""

    def ring(self) -> None: ...

    def wait(self, seconds: float) -> None: ...


class _LockBell:
    def __init__(self) -> None:
        self._silent = threading.Lock()
        self._silent.acquire()

    def ring(self) -> None:
        with suppress(RuntimeError):  # it rings already
            self._silent.release()

    def wait(self, seconds: float) -> None:
        self._silent.acquire(timeout=seconds)


if sys.platform == "linux":

    class _EventBell:
        """Rings without the interpreter's lock, which the woken thread needs first of all.

        A thread that releases a `threading.Lock` holds the interpreter. If all processors are busy, it may well have to
        stop there, in favour of others, and the woken one waits for its turn twice.
        """

        _fd = -1

        def __init__(self) -> None:
            self._fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._poll = select.poll()
            self._poll.register(self._fd, select.POLLIN)

        def ring(self) -> None:
            os.eventfd_write(self._fd, 1)

        def wait(self, seconds: float) -> None:
            if self._poll.poll(seconds * 1_000):
                os.eventfd_read(self._fd)

        def __del__(self, close: Callable[[int], None] = os.close) -> None:
            if self._fd >= 0:  # closed only here, when nobody is left who could ring what the number means by then
                close(self._fd)


def _new_bell() -> _Bell:
    if sys.platform == "linux":
        with suppress(OSError, AttributeError):  # no more file descriptors; no poll, which eventlet takes away
            return _EventBell()
    return _LockBell()


class Condition:
    """Like `threading.Condition`, but safe if the main thread is interrupted at any moment, as by Ctrl-C.

    A condition gives up its lock and takes it back in the middle of the caller's ``with``; after an exception in
    between nobody knows who holds it. So here each thread waits outside the lock, for a bell of its own. A bell left
    behind by such an exception is removed by the next change.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._bells: dict[_Bell, None] = {}
        self._due: deque[_Bell] = deque()

    def notify_all(self) -> None:
        """Wake the waiting threads. Call it under the lock, and where no signal handler interrupts it."""
        self.note()
        self.ring()

    def note(self) -> None:
        """Have the next `ring` wake those who wait now. Call it as `notify_all`."""
        bells, self._bells = self._bells, {}
        self._due.extend(bells)

    def ring(self) -> None:
        """Wake those who waited at the last `note`: best without the lock, since they need it."""
        with suppress(IndexError):
            while True:
                self._due.popleft().ring()

    def wait_for(self, answer: Callable[[], T], timeout: float | None = None, *, every: float = inf) -> T:
        """Call ``answer`` under the lock, at once and after each change, until it is true.

        Args:
            answer: may also change things, in a single step. Its exceptions are raised.
            timeout: seconds; None waits for as long as it takes, 0 not at all.
            every: seconds after which to call it again without a change.

        Returns:
            The last answer, which is false if the time was up.
        """
        with self._lock:
            found = answer()
        if found or (timeout is not None and timeout <= 0):
            return found
        return self._wait_for(answer, inf if timeout is None else time.monotonic() + timeout, every)

    def _wait_for(self, answer: Callable[[], T], deadline: float, every: float) -> T:
        bell = _new_bell()
        try:
            while True:
                with self._lock:
                    found = answer()
                    self._bells[bell] = None
                remaining = deadline - time.monotonic()
                if found or remaining <= 0:
                    return found
                bell.wait(min(remaining, every, LONGEST))
        finally:
            with self._lock:
                self._bells.pop(bell, None)
