"""Virtual time: everything that is to happen, in order, on one heap."""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Protocol

__all__ = ["Schedule", "Timeline"]

_LAST = 1 << 60  # added to the sequence number of ticks: at one instant, arrivals come first


class Schedule(Protocol):
    """What a network needs of time: the present time, and calls at later times."""

    @property
    def now(self) -> float:
        """Seconds since some beginning."""

    def at(self, time: float, call: Callable[..., object], *arguments: Any) -> None:
        """Have ``call(*arguments)`` happen at ``time``, or as soon as possible if that has passed."""

    def at_end_of(self, time: float, call: Callable[..., object], *arguments: Any) -> None:
        """As `at`, but after everything else of that instant."""


class Timeline:
    """A clock that jumps to the next thing that happens, so that idle time costs nothing.

    Things scheduled for one instant happen in the order in which they were scheduled.

    Attributes:
        now: seconds since the simulation began.
        steps: how many things have happened.
    """

    __slots__ = ("_count", "_heap", "now", "steps")

    def __init__(self) -> None:
        self.now = 0.0
        self.steps = 0
        self._count = 0
        self._heap: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []

    def at(self, time: float, call: Callable[..., object], *arguments: Any) -> None:
        """Have ``call(*arguments)`` happen at ``time``, or now if that has passed."""
        self._count += 1
        heappush(self._heap, (time if time > self.now else self.now, self._count, call, arguments))

    def at_end_of(self, time: float, call: Callable[..., object], *arguments: Any) -> None:
        """As `at`, but after everything else of that instant: a timer waits for what has arrived."""
        self._count += 1
        heappush(self._heap, (time if time > self.now else self.now, self._count + _LAST, call, arguments))

    def step(self) -> bool:
        """Let the next thing happen; False if there was none."""
        if not self._heap:
            return False
        self.now, _, call, arguments = heappop(self._heap)
        self.steps += 1
        call(*arguments)
        return True

    def run_to(self, time: float) -> None:
        """Let everything up to and at ``time`` happen; the clock then shows ``time``."""
        heap = self._heap
        while heap and heap[0][0] <= time:
            self.now, _, call, arguments = heappop(heap)
            self.steps += 1
            call(*arguments)
        self.now = max(self.now, time)
