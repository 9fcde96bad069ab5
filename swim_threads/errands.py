"""Work for a thread that no signal handler interrupts, and threads that are known to have started."""

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Errand", "Worker", "in_main_thread"]

T = TypeVar("T")


def in_main_thread() -> bool:
    """Whether the caller is in the main thread, where Python calls signal handlers, which may raise at any
    instruction."""
    return threading.get_ident() == threading.main_thread().ident


class Errand(Generic[T]):
    """Work for another thread, and its outcome. The work gets done even if the waiting thread is interrupted."""

    def __init__(self, work: Callable[[], T]) -> None:
        self._work = work
        self._result: list[T] = []
        self._error: BaseException | None = None
        self._undone = threading.Lock()  # the cheapest thing to wait for
        self._undone.acquire()

    def run(self) -> None:
        """Do the work, once. Never raises."""
        try:
            self._result.append(self._work())
        except BaseException as error:
            self._error = error
        finally:
            self._undone.release()

    def wait(self, seconds: float) -> bool:
        """Wait until the work is done; False if it is not done in time."""
        return self._undone.acquire(timeout=seconds)

    def outcome(self) -> T:
        """Return what the work returned, or raise what it raised."""
        if self._error is not None:
            try:
                raise self._error
            finally:
                self._error = None  # its traceback leads back here
        return self._result[0]


class Worker(threading.Thread):
    """A daemon thread that is running when `begin` returns.

    A trace function that raises (`threading.settrace`) may end a thread before its first instruction.
    """

    def __init__(self, work: Callable[[], None], name: str) -> None:
        super().__init__(name=name, daemon=True)
        self._work = work
        self._begun = threading.Event()

    def begin(self) -> None:
        """Start it.

        Raises:
            RuntimeError: if no thread can be started, or it ended at once.
        """
        self.start()
        while not self._begun.wait(0.1):
            if not self.is_alive() and not self._begun.is_set():
                raise RuntimeError(f"the thread {self.name!r} ended before it began: threading.excepthook was told why")

    def run(self) -> None:
        """What the thread does."""
        self._begun.set()
        self._work()
