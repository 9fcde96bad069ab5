"""Virtual time for those who run a simulation: let it pass, schedule what is to happen, replay a failure."""

from collections.abc import Callable
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from .timeline import Timeline

__all__ = ["VirtualTime"]


class VirtualTime:
    """Time that jumps from one event to the next.

    Exceptions that leave a run, or a ``with`` block around it, carry the moment and the seed in a note.

    Attributes:
        replay: how to repeat this run, for failure messages.
    """

    def __init__(self, replay: str) -> None:
        self.replay = replay
        self._timeline = Timeline()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is not None:
            self._sign(error)

    @property
    def now(self) -> float:
        """Virtual time in seconds since the start."""
        return self._timeline.now

    @property
    def steps(self) -> int:
        """How many events have happened: arrivals, ticks, wakes, and calls scheduled by hand."""
        return self._timeline.steps

    def step(self) -> bool:
        """Process the next event, however far away; False if there is none."""
        with self._signed():
            return self._timeline.step()

    def run_for(self, seconds: float) -> None:
        """Let virtual time pass."""
        with self._signed():
            self._timeline.run_to(self.now + seconds)

    def run_until(self, predicate: Callable[[], bool], limit: float = 60.0, every: float = 0.01) -> float:
        """Let virtual time pass until ``predicate()`` is true; returns how long that took, in seconds.

        Args:
            predicate: asked at once, and then every ``every`` seconds: ask of recorded events for exact times.
            limit: seconds.
            every: seconds.

        Raises:
            TimeoutError: if it is not true within ``limit``.
        """
        start = self.now
        end = start + limit  # compared directly: by a rounding error, now - start might never reach limit
        with self._signed():
            while not predicate():
                if self.now >= end:
                    raise TimeoutError(f"not within {limit} s: {getattr(predicate, '__qualname__', predicate)}")
                self._timeline.run_to(min(self.now + every, end))
        return self.now - start

    def at(self, time: float, call: Callable[..., object], *arguments: Any) -> None:
        """Schedule ``call(*arguments)`` for a virtual time, for example a fault of a script."""
        self._timeline.at(time, call, *arguments)

    def after(self, seconds: float, call: Callable[..., object], *arguments: Any) -> None:
        """Schedule ``call(*arguments)`` for that much later."""
        self._timeline.at(self.now + seconds, call, *arguments)

    @contextmanager
    def _signed(self) -> Any:
        try:
            yield
        except BaseException as error:
            self._sign(error)
            raise

    def _sign(self, error: BaseException) -> None:
        note = f"at {self.now:.6f} s of virtual time; replay: {self.replay}"
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)
