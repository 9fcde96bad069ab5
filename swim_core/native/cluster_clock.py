"""Cluster time: what members agree on to take their turns, never used to measure how long something took."""

from .wire.claim import MAX_MILLIS

__all__ = ["ClusterClock"]

JUMP = 3_600_000  # ms; a larger step forward needs witnesses, as do smaller ones that add up to more in that time
WITNESSES = 3
WITNESS_WINDOW = 10.0  # seconds


class ClusterClock:
    """Milliseconds that start at the wall clock handed in and run with the local clock, raised to the largest heard."""

    def __init__(self, unix_ms: int, now: float) -> None:
        self._base = float(unix_ms)
        self._since = now
        self._witnesses: dict[int, tuple[float, int]] = {}
        self.moved = 0
        """How often the clock was set: what was planned by it must be planned anew."""
        self._unwitnessed = 0.0  # ms gained without witnesses, less the time that has passed since
        self._gained_at = now

    def exact(self, now: float) -> float:
        """Cluster time at ``now``, in ms with a fraction."""
        return self._base + (now - self._since) * 1000.0

    def read(self, now: float) -> int:
        """Cluster time at ``now``, in whole ms."""
        return min(max(0, int(self._base + (now - self._since) * 1000.0)), MAX_MILLIS)

    def hear(self, cluster_ms: int, sender: int, members: int, now: float) -> bool:
        """Raise own time to ``cluster_ms``, as the sender with that short id showed it.

        A step of over an hour, or one that makes it over an hour within an hour, is taken when 3 senders, or
        all ``members`` - 1 others where there are fewer, showed one within 10 s; then the least that they
        agree on. A single liar can thus make the clock run at twice its speed, and no more.

        Returns:
            False if it was such a step and is not taken.
        """
        if cluster_ms <= self._base + (now - self._since) * 1000.0:
            return True  # as nearly always
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
        """Set the time, even backwards: for a node that knows no live member yet."""
        self._base, self._since = float(cluster_ms), now
        self._witnesses.clear()
        self.moved += 1
