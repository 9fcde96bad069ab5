"""Cluster time: what members agree on to take their turns, never used to measure how long something took."""

from .wire.claim import MAX_MILLIS

__all__ = ["ClusterClock"]

JUMP = 3_600_000  # ms; a larger step forward needs witnesses, and so do smaller ones that add up to more in that time
WITNESSES = 3
WITNESS_WINDOW = 10.0  # seconds
RELEASED = 1_793_491_200_000  # ms: 1 November 2026; a host without a clock of its own begins in 1970
AHEAD = 315_360_000_000  # ms: 10 years; no clock that has only gone wrong is further ahead, and names stay free


class ClusterClock:
    """Milliseconds that start at the wall clock handed in and run with the local clock, raised to the largest heard."""

    def __init__(self, unix_ms: int, now: float) -> None:
        self._base = float(unix_ms)
        self._since = self._began = now
        self._latest = min(max(unix_ms, RELEASED) + AHEAD, MAX_MILLIS)
        self._witnesses: dict[int, tuple[float, int]] = {}
        self.moved = 0
        """How often the clock was set: whatever was planned by it must then be planned anew."""
        self._unwitnessed = 0.0  # ms gained without witnesses, less the time that has passed since
        self._gained_at = now

    def exact(self, now: float) -> float:
        """Cluster time at ``now``, in ms with a fraction."""
        return self._base + (now - self._since) * 1000.0

    def read(self, now: float) -> int:
        """Cluster time at ``now``, in whole ms."""
        return min(max(0, int(self._base + (now - self._since) * 1000.0)), MAX_MILLIS)

    def latest(self, now: float) -> int:
        """The latest time, in whole ms, that others can make this clock show: 10 years beyond the wall clock that it
        began with."""
        return self._latest + int((now - self._began) * 1000.0)

    def hear(self, cluster_ms: int, sender: int, members: int, now: float) -> bool:
        """Raise this clock to ``cluster_ms``, which the sender with that short id showed.

        A step of over an hour, or one that makes the steps of an hour add up to more than that, is taken only when 3
        senders (or all ``members`` - 1 others, if there are fewer) have shown one within 10 s; the clock then takes the
        smallest. So a single liar can make the clock run at twice its speed at most.

        Returns:
            False if this was such a step and was not taken; no step beyond `latest` is.
        """
        if cluster_ms <= self._base + (now - self._since) * 1000.0:
            return True  # as nearly always
        if cluster_ms > self.latest(now):
            return False
        ahead = cluster_ms - self.read(now)
        self._unwitnessed = max(0.0, self._unwitnessed - (now - self._gained_at) * 1000.0)
        self._gained_at = now
        if self._unwitnessed + ahead <= JUMP:
            self._unwitnessed += ahead
        else:
            self._witnesses = {k: v for k, v in self._witnesses.items() if now - v[0] <= WITNESS_WINDOW}
            self._witnesses[sender] = (now, cluster_ms)
            if len(self._witnesses) < max(1, min(WITNESSES, members - 1)):
                return False
            cluster_ms = min(time for _, time in self._witnesses.values())
        self.adopt(cluster_ms, now)
        return True

    def adopt(self, cluster_ms: int, now: float) -> None:
        """Set the time, even backwards, though never beyond `latest`; for a node that knows no live member yet."""
        self._base, self._since = float(min(cluster_ms, self.latest(now))), now
        self._witnesses.clear()
        self.moved += 1
