"""How long to wait for an ACK, by the original's formula."""

from collections import deque
from math import floor, sqrt

from swim_core.shared.samples import Samples

from .settings import SmudgeSettings

__all__ = ["RoundTrips"]

HISTORY = 50


class RoundTrips:
    """The last 50 round trips over all nodes, in whole ms.

    Attributes:
        samples: what was measured, in seconds, for statistics.
        timeout: T, seconds: floor(mean + 3 standard deviations) of the history.
    """

    def __init__(self, config: SmudgeSettings) -> None:
        self._floor = max(1, config.min_ping_time)
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
    def patience(self) -> float:
        """Seconds until a node that has not answered is asked again: T, less while T stands on the frontload.

        Never below ``min_ping_time``. Asking early costs a few datagrams and accuses nobody.
        """
        p99 = self.samples.quantile(0.99)
        return self.timeout if p99 is None else min(self.timeout, max(2 * p99, self._floor / 1000))
