"""One heap of deadlines with cheap cancel.

A cancelled timer remains in the heap until it surfaces: nearly every probe timeout is cancelled, so that must cost
nothing.
"""

from collections.abc import Callable
from heapq import heapify, heappop, heappush

import msgspec

__all__ = ["Timer", "Timers"]

FEW = 64  # this many cancelled timers aren't worth a clean-up

Action = Callable[[float], None]


class Timer(msgspec.Struct, order=True):
    """A deadline and an action. Timers are ordered by time, then by ``number``, in the order in which they were
    made."""

    at: float
    number: int
    action: Action | None
    timers: "Timers"

    def cancel(self) -> None:
        """Cancel it; harmless after it ran."""
        if self.action is not None:
            self.action = None
            self.timers.cancelled += 1


class Timers:
    """Deadlines in order of time, and in the order in which they were made if times are equal."""

    def __init__(self) -> None:
        self._heap: list[Timer] = []
        self._made = 0
        self.cancelled = 0
        """The number of cancelled timers that are still in the heap."""

    def at(self, when: float, action: Action) -> Timer:
        """Call ``action(now)`` in the first `run` at or after ``when`` (seconds)."""
        if self.cancelled > FEW and self.cancelled > len(self._heap) // 2:
            self._clean()
        self._made += 1
        timer = Timer(when, self._made, action, self)
        heappush(self._heap, timer)
        return timer

    def _clean(self) -> None:
        """Drop cancelled timers, which would pile up if they are far in the future."""
        self._heap = [timer for timer in self._heap if timer.action is not None]
        heapify(self._heap)
        self.cancelled = 0

    def clear(self) -> None:
        """Cancel all timers."""
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
        """Run what is due. What these timers schedule for ``now`` or earlier runs at the next call."""
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
                self.cancelled = max(
                    0, self.cancelled - 1
                )  # one that ran before it may have cancelled it, when it had left the heap
            else:
                action(now)
