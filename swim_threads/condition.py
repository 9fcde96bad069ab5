"""Waiting for a change under a lock, safe from exceptions that a signal raises in the middle of it."""

import contextlib
import threading
import time
from collections.abc import Callable
from math import inf
from queue import Empty, SimpleQueue
from typing import TypeVar

__all__ = ["Condition"]

T = TypeVar("T")


class Condition:
    """What `threading.Condition` is for, where the main thread may be interrupted at any moment, as by Ctrl-C.

    A condition gives up its lock and takes it back in the middle of the caller's ``with``: an exception in between
    and nobody knows who holds it. So here the waiting is done outside the lock, for a bell of one's own, and a
    bell that was not rung for such an exception is rung at the next change.
    """

    def __init__(self, lock: threading.Lock) -> None:
        self._lock = lock
        self._bells: list[SimpleQueue[None]] = []

    def notify_all(self) -> None:
        """Something has changed. Under the lock."""
        for bell in self._bells:
            bell.put(None)

    def wait_for(self, answer: Callable[[], T], timeout: float | None = None) -> T:
        """Call ``answer`` under the lock, at once and after each change, until it is true.

        Args:
            answer: may change things, too. What it raises is raised.
            timeout: seconds; None waits for as long as it takes, 0 not at all.

        Returns:
            The last answer, which is not true if the time was up.
        """
        with self._lock:
            found = answer()
        if found or (timeout is not None and timeout <= 0):
            return found
        return self._wait_for(answer, inf if timeout is None else time.monotonic() + timeout)

    def _wait_for(self, answer: Callable[[], T], deadline: float) -> T:
        bell: SimpleQueue[None] = SimpleQueue()
        try:
            with self._lock:
                self._bells.append(bell)
            while True:
                with self._lock:
                    found = answer()
                remaining = deadline - time.monotonic()
                if found or remaining <= 0:
                    return found
                with contextlib.suppress(Empty):
                    bell.get(timeout=None if remaining == inf else remaining)
        finally:
            with self._lock:
                self._bells = [other for other in self._bells if other is not bell]
