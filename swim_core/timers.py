"""One heap of deadlines with cheap cancel.

A cancelled timer stays in the heap until it surfaces: cancelling is what nearly every probe timeout
ends in, and must cost nothing.
"""

from collections.abc import Callable
from heapq import heappop, heappush

__all__ = ["Timer", "Timers"]

Action = Callable[[float], None]


class Timer:
    """A deadline and what to do then."""

    __slots__ = ("action", "at")

    def __init__(self, at: float, action: Action) -> None:
        self.at = at
        self.action: Action | None = action

    def cancel(self) -> None:
        """Forget it; harmless after it ran."""
        self.action = None


class Timers:
    """Deadlines in order of time, and of their making where times are equal."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Timer]] = []
        self._made = 0

    def at(self, when: float, action: Action) -> Timer:
        """Call ``action(now)`` in the first `run` at or after ``when`` (seconds)."""
        timer = Timer(when, action)
        self._made += 1
        heappush(self._heap, (when, self._made, timer))
        return timer

    def deadline(self) -> float | None:
        """When the next timer is due, or None."""
        heap = self._heap
        while heap and heap[0][2].action is None:
            heappop(heap)
        return heap[0][0] if heap else None

    def run(self, now: float) -> None:
        """Run what is due. What a timer schedules for ``now`` or before runs at the next call."""
        heap = self._heap
        due: list[Timer] = []
        while heap and heap[0][0] <= now:
            due.append(heappop(heap)[2])
        for timer in due:
            action, timer.action = timer.action, None
            if action is not None:
                action(now)
