"""The time of a simulated network, which is that of the trio run it is used in."""

import math
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

import trio

__all__ = ["TrioSchedule"]

_LAST = 1 << 60  # as in `Timeline`: added to the number of what comes at the end of an instant


class TrioSchedule:
    """A heap of things to happen, and one system task that sleeps until the next of them.

    Under a `MockClock` that jumps, sleeping costs nothing. The first thing that is scheduled in a run of trio starts
    the task, which ends with the run. What was still to happen then never does.
    """

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Callable[..., object], tuple[Any, ...]]] = []
        self._count = 0
        self._run: trio.lowlevel.TrioToken | None = None
        self._sleep = trio.CancelScope()

    @property
    def now(self) -> float:
        """trio's time, seconds; 0 outside of a run."""
        try:
            return trio.current_time()
        except RuntimeError:
            return 0.0

    def at(self, time: float, call: Callable[..., object], *arguments: Any) -> None:
        """Have ``call(*arguments)``, which must not raise, happen at ``time``, or as soon as possible."""
        self._push(time, 0, call, arguments)

    def at_end_of(self, time: float, call: Callable[..., object], *arguments: Any) -> None:
        """As `at`, but after everything else of that instant."""
        self._push(time, _LAST, call, arguments)

    def _push(self, time: float, late: int, call: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        run = trio.lowlevel.current_trio_token()
        if run is not self._run:
            self._run = run
            self._heap.clear()
            trio.lowlevel.spawn_system_task(self._go_on, name="simulated network")
        self._count += 1
        heappush(self._heap, (time, self._count + late, call, arguments))
        self._sleep.deadline = min(self._sleep.deadline, time)

    async def _go_on(self) -> None:
        heap = self._heap
        while True:
            with trio.CancelScope(deadline=heap[0][0] if heap else math.inf) as self._sleep:
                await trio.sleep_forever()
            now = self.now
            while heap and heap[0][0] <= now:
                _, _, call, arguments = heappop(heap)
                call(*arguments)
