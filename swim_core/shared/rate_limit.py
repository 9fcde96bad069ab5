"""A token bucket, for the limits on what others can make this node send."""

__all__ = ["RateLimit"]


class RateLimit:
    """At most ``rate`` a second in the long run, and ``burst`` at once (by default one second's worth)."""

    def __init__(self, rate: float, burst: int | None = None) -> None:
        self._rate = rate
        self._burst = float(burst or rate)
        self._tokens = self._burst
        self._at = 0.0

    def _refill(self, now: float) -> None:
        if now > self._at:
            tokens = self._tokens + (now - self._at) * self._rate
            self._tokens = tokens if tokens < self._burst else self._burst
        self._at = now

    def allow(self, now: float, count: int = 1) -> bool:
        """Whether ``count`` more are allowed now; if so, they are counted."""
        self._refill(now)
        if self._tokens < count:
            return False
        self._tokens -= count
        return True

    def spend(self, now: float, count: int = 1) -> None:
        """Count ``count`` more whether they are allowed or not. At most one burst is owed."""
        self._refill(now)
        self._tokens = max(self._tokens - count, -self._burst)

    def book(self, now: float) -> float:
        """Book the next one that is allowed, now or later; returns when that is. Call `give_back` if it isn't used."""
        self._refill(now)
        self._tokens -= 1
        return now + max(0.0, -self._tokens / self._rate)

    def give_back(self) -> None:
        """Return one that was booked but isn't used."""
        self._tokens = min(self._burst, self._tokens + 1)

    def wait(self, now: float, share: float = 0.0) -> float:
        """Seconds until one more is allowed and the bucket holds ``share`` (0 to 1) of its capacity; 0 if that is
        now."""
        self._refill(now)
        return max(0.0, (max(1.0, share * self._burst) - self._tokens) / self._rate)
