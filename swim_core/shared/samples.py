"""The latest samples of a quantity, sorted for quantiles, and a histogram of all samples."""

from array import array
from bisect import bisect_left, insort
from collections import deque
from math import inf

from swim_core.counters import BOUNDS, Histogram

__all__ = ["Samples"]


WINDOW = 256


class Samples:
    """The last 256 values, which are also kept sorted, and a histogram of all values.

    Args:
        most: larger values count as this one among the 256.
    """

    def __init__(self, most: float = inf) -> None:
        self._most = most
        self._samples: deque[float] = deque()
        self._sorted = array("d")  # contiguous: the numbers of a list are all over the memory
        self._counts = [0] * (len(BOUNDS) + 1)
        self._total = 0.0

    @property
    def histogram(self) -> Histogram:
        """The histogram of all values ever recorded, in full size."""
        return Histogram.of(self._counts, self._total)

    def add(self, value: float) -> None:
        """Record a value, in place of the oldest."""
        self._counts[bisect_left(BOUNDS, value)] += 1
        self._total += value
        value = min(value, self._most)
        if len(self._samples) == WINDOW:
            oldest = self._samples.popleft()
            del self._sorted[bisect_left(self._sorted, oldest)]
        self._samples.append(value)
        insort(self._sorted, value)

    def quantile(self, q: float) -> float | None:
        """The q-quantile, or None without samples. It is rounded down, so that one outlier among a hundred values does
        not count.
        """
        if not self._sorted:
            return None
        return self._sorted[int(q * (len(self._sorted) - 1))]
