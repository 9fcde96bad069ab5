"""Work that is done in a thread which no signal handler interrupts, and threads that are seen to begin."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Errand", "Worker", "in_main_thread"]

T = TypeVar("T")


def in_main_thread() -> bool:
    """Whether the caller runs where Python calls signal handlers, which may raise at any instruction of it."""
    return threading.get_ident() == threading.main_thread().ident


class Errand(Generic[T]):
    """Work for another thread, and its outcome. The work is done even if the waiting thread is interrupted."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._result: list[T] = []
        self._error: BaseException | None = None
        self._undone = threading.Lock()  # the lightest thing to wait for
        self._undone.acquire()

    def run(self) -> None:
        """Do it, once. Never raises."""
        try:
            self._result.append(self._work())
        except BaseException as error:
            self._error = error
        finally:
            self._undone.release()

    def wait(self, seconds: float) -> bool:
        """Wait until it is done; False if it is not yet."""
        return self._undone.acquire(timeout=seconds)

    def outcome(self) -> T:
        """What the work returned, or raise what it raised."""
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # its traceback leads back here
        return self._result[0]


class Worker(threading.Thread):
    """A daemon thread that has begun when `begin` returns.

    A trace function that raises (`threading.settrace`) may end a thread before its first instruction.
    """

    def __init__(self, work: Callable[[], None], name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._work = work
        self._begun = threading.Event()

    def begin(self) -> None:
        """Start it.

        Raises:
            RuntimeError: if there is no thread to be had, or it ended at once.
        """
        self.start()
        while not self._begun.wait(0.1):
            if not self.is_alive() and not self._begun.is_set():
                raise RuntimeError(f"the thread {self.name!r} ended before it began: threading.excepthook was told why")

    def run(self) -> None:
        """What the thread does."""
        self._begun.set()
        self._work()
