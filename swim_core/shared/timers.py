"""One heap of deadlines with cheap cancel.

A cancelled timer stays in the heap until it surfaces: cancelling is what nearly every probe timeout
ends in, and must cost nothing.
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush

import msgspec

__all__ = ["Timer", "Timers"]

FEW = 64  # cancelled timers that aren't worth cleaning up

Action = Callable[[float], None]


class Timer(msgspec.Struct, order=True):
    """A deadline and what to do then. In the order of time, then of ``number``: of their making."""

    at: float
    number: int
    action: Action | None
    timers: "Timers"

    def cancel(self) -> None:
        """Forget it; harmless after it ran."""
        if self.action is not None:
            self.action = None
            self.timers.cancelled += 1


class Timers:
    """Deadlines in order of time, and of their making where times are equal."""

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._made = 0
        self.cancelled = 0
        """Cancelled timers that are still in the heap."""

    def at(self, when: float, action: Action) -> Timer:
        """Call ``action(now)`` in the first `run` at or after ``when`` (seconds)."""
        if self.cancelled > FEW and self.cancelled > len(self._heap) // 2:
            self._clean()
        self._made += 1
        timer = Timer(when, self._made, action, self)
        heappush(self._heap, timer)
        return timer

    def _clean(self) -> None:
        """Drop the cancelled ones: far in the future, they would pile up."""
        self._heap = [timer for timer in self._heap if timer.action is not None]
        heapify(self._heap)
        self.cancelled = 0

    def clear(self) -> None:
        """Forget all of them."""
        for timer in self._heap:
            timer.action = None
        self._heap.clear()
        self.cancelled = 0

    def deadline(self) -> float | None:
        """When the next timer is due, or None."""
        heap = self._heap
        while heap and heap[0].action is None:
            heappop(heap)
            self.cancelled -= 1
        return heap[0].at if heap else None

    def run(self, now: float) -> None:
        """Run what is due. What a timer schedules for ``now`` or before runs at the next call."""
        heap = self._heap
        due: list[Timer] = []
        while heap and heap[0].at <= now:
            timer = heappop(heap)
            if timer.action is None:
                self.cancelled -= 1
            else:
                due.append(timer)
        for timer in due:
            action, timer.action = timer.action, None
            if action is None:
                self.cancelled = max(0, self.cancelled - 1)  # by one that ran before it, when it had left the heap
            else:
                action(now)
