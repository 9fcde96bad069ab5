"""How long to wait for an ACK, by the original's formula."""

from collections import deque
from math import floor, sqrt

from swim_core.rtt import Samples

from .config import SmudgeConfig

__all__ = ["RoundTrips"]

HISTORY = 50


class RoundTrips:
    """The last 50 round trips over all nodes, in whole ms.

    Attributes:
        samples: what was measured, in seconds, for statistics.
        timeout: T, seconds: floor(mean + 3 standard deviations) of the history.
    """

    def __init__(self, config: SmudgeConfig) -> None:
        self._floor = config.min_ping_time
        frontload = max(self._floor, config.ping_history_frontload)
        self._history = deque([frontload] * HISTORY)
        self._sum = frontload * HISTORY
        self._squares = frontload**2 * HISTORY
        self.samples = Samples()
        self.timeout = frontload / 1000

    def add(self, seconds: float) -> None:
        """Record a round trip; short ones count as ``min_ping_time``."""
        self.samples.add(seconds)
        new, old = max(self._floor, floor(seconds * 1000)), self._history.popleft()
        self._history.append(new)
        self._sum += new - old
        self._squares += new**2 - old**2
        deviation = sqrt(self._squares * HISTORY - self._sum**2) / HISTORY
        self.timeout = floor(self._sum / HISTORY + 3 * deviation) / 1000

    @property
    def relayed_timeout(self) -> float:
        """Seconds that a relay is given: 2T, less while T still stands on the frontload and not on what was measured.

        Never below twice ``min_ping_time``, which is what real relays are measured by.
        """
        p99 = self.samples.quantile(0.99)
        measured = self._floor / 1000 if p99 is None else max(2 * p99, self._floor / 1000)
        return 2 * (self.timeout if p99 is None else min(self.timeout, measured))
