"""The latest samples of a quantity in order, for quantiles, and a histogram of all of them."""

from array import array
from bisect import bisect_left, insort
from collections import deque
from math import inf

from swim_core.statistics import BOUNDS, Histogram

__all__ = ["Samples"]


WINDOW = 256


class Samples:
    """The last 256 values, also kept in order; and how often which were seen.

    Args:
        most: what larger ones count as among the 256.
    """

    def __init__(self, most: float = inf) -> None:
        self._most = most
        self._samples: deque[float] = deque()
        self._sorted = array("d")  # side by side: a list of numbers would be looked for all over the memory
        self._counts = [0] * (len(BOUNDS) + 1)
        self._total = 0.0

    @property
    def histogram(self) -> Histogram:
        """Of all values ever, as they were: none counts as less than it is."""
        return Histogram.of(self._counts, self._total)

    def add(self, value: float) -> None:
        """Record a value; the oldest makes room."""
        self._counts[bisect_left(BOUNDS, value)] += 1
        self._total += value
        value = min(value, self._most)
        if len(self._samples) == WINDOW:
            oldest = self._samples.popleft()
            del self._sorted[bisect_left(self._sorted, oldest)]
        self._samples.append(value)
        insort(self._sorted, value)

    def quantile(self, q: float) -> float | None:
        """The q-quantile, or None without samples: no higher than the last value below which a share q lies, so
        that one outlier among a hundred values does not count.
        """
        if not self._sorted:
            return None
        return self._sorted[int(q * (len(self._sorted) - 1))]
