"""Waiting for a change under a lock, safe from exceptions that a signal handler raises meanwhile."""

import threading
import time
from collections.abc import Callable
from math import inf
from typing import TypeVar

__all__ = ["Condition"]

T = TypeVar("T")


class Condition:
    """Like `threading.Condition`, but safe if the main thread is interrupted at any moment, for example by Ctrl-C.

    A condition gives up its lock and takes it back in the middle of the caller's ``with``; after an exception in
    between nobody knows who holds it. So here each thread waits outside the lock, for a bell of its own that rings
    once. A bell left behind by such an exception is removed by the next change.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._bells: dict[threading.Lock, None] = {}

    def notify_all(self) -> None:
        """Wake the waiting threads. Call it under the lock, and where no signal handler interrupts it. If it is broken
        off, since the caller's stack is used up, the next call wakes those that are left."""
        for bell in self._bells:
            if bell.locked():
                bell.release()
        self._bells.clear()

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
        while True:
            bell = threading.Lock()
            bell.acquire()
            try:
                with self._lock:
                    found = answer()
                    self._bells[bell] = None
                remaining = deadline - time.monotonic()
                if found or remaining <= 0:
                    return found
                bell.acquire(timeout=min(remaining, every, threading.TIMEOUT_MAX))
            finally:
                with self._lock:
                    self._bells.pop(bell, None)
