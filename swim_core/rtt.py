"""Round trips, and how long to wait for an ack."""

from array import array
from bisect import bisect_left, insort
from collections import deque
from math import inf

from .config import Config
from .statistics import BOUNDS, Histogram

__all__ = ["RoundTrips", "Samples"]

WINDOW = 256
ENOUGH = 8  # samples before the estimate is trusted


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


class RoundTrips(Samples):
    """The last 256 round trips over all peers, in seconds.

    One estimate for all peers, since turns take each pair together only once in n rounds; a generous
    one, since a false timeout costs about eight datagrams and a slow one no time at all: deadlines are
    counted from the sending of the probe (detection.md, "Timeouts"). One over 0.5 T counts as 0.5 T: it was
    a stall of the other, and would stretch every deadline here for the next 256 samples.
    """

    def __init__(self, config: Config) -> None:
        super().__init__(most=config.max_probe_timeout)
        self._shortest, self._longest = config.min_probe_timeout, config.max_probe_timeout
        self._margin = config.verdict_margin

    @property
    def p99(self) -> float:
        """Seconds; 0 before there are enough samples."""
        count = len(self._sorted)
        return self._sorted[int(0.99 * (count - 1))] if count >= ENOUGH else 0.0

    @property
    def probe_timeout(self) -> float:
        """Seconds to wait for an ack: 3 x p99, within 0.2 to 0.5 T; 0.5 T before 8 samples."""
        if len(self._sorted) < ENOUGH:
            return self._longest
        return min(max(3 * self.p99, self._shortest), self._longest)

    @property
    def margin(self) -> float:
        """m in seconds: what is waited beyond S, so that an answer given at the last moment arrives."""
        return max(self.probe_timeout + max(2 * self.p99, 0.05), self._margin)
