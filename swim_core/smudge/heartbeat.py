"""The heartbeat counter, which runs at the speed of the cluster's fastest node and can't be dragged away by a
forger."""

from swim_core.address import Address
from swim_core.shared.rate_limit import RateLimit

__all__ = ["TOP", "Heartbeat"]

TOP = 2**32 - 1
EPOCH_MS = 1_690_000_000_000  # July 2023
PER_TICK_MS = 125  # 8 a second: faster than the pings of any but very hasty clusters
SEEDS = 3 << 30  # reached in 2036; then restarted nodes wait for an answer to a ping, as those of real ones do
STRANGER = 1 << 16  # 9 hours of pings at 500 ms
MEMBER = 1 << 28  # by which a new start may be ahead of a cluster that has run for a year at 500 ms
STEPS = 100  # a second, in the long run: no node pings more often (`heartbeat_millis`)
WITNESSES = 3
WITNESS_WINDOW = 10.0  # seconds


class Heartbeat:
    """A u32 that starts at the time of day, so that a restarted node's codes are above those with which it died.

    Everything that others say is measured by it. A heartbeat ahead of it is either followed or not believed. So no
    heartbeat that this node stores is above its own next code, which outbids whatever is held against anybody. How far
    others may raise it is bounded, in each step and over time: wherever a forger takes it, nodes that start anew can
    follow.

    Attributes:
        value: the largest code used or followed.
    """

    def __init__(self, unix_ms: int) -> None:
        self.value = max(0, unix_ms - EPOCH_MS) // PER_TICK_MS % SEEDS
        self._steps = RateLimit(STEPS, burst=MEMBER)
        self._witnesses: dict[Address, tuple[float, int]] = {}

    def next(self) -> int:
        """A new code, for the next ping. After the top comes 1, as at a real node's start; 0 answers nothing."""
        self.value = self.value % TOP + 1
        return self.value

    def follow(self, claim: int, sender: Address, *, proven: bool, now: float) -> bool:
        """Follow a claim about any node if it can be of this cluster's time; returns whether this counter is now no
        lower.

        One step is small for strangers, and larger for nodes that answer pings. A still larger one is
        taken when three such nodes made such claims within ten seconds: to the least of them, and to none that is
        higher than a node could have started at.
        """
        step = claim - self.value
        if step <= 0:
            return True
        if step <= (MEMBER if proven else STRANGER) and self._steps.allow(now, step):
            self.value = claim
        elif proven and claim <= SEEDS:
            self._witness(claim, sender, now)
        return claim <= self.value

    def _witness(self, claim: int, sender: Address, now: float) -> None:
        self._witnesses = {a: w for a, w in self._witnesses.items() if now - w[0] <= WITNESS_WINDOW}
        self._witnesses[sender] = (now, claim)
        if len(self._witnesses) >= WITNESSES:
            self.value = min(claim for _, claim in self._witnesses.values())
            self._witnesses.clear()

    def credible(self, code: int) -> int:
        """A code limited for storage: one from far ahead would shield its node from all later claims."""
        return min(code, self.value + 1)

    def newer(self, heartbeat: int, than: int) -> bool:
        """Whether a heartbeat beats a stored one. A stored one from before the counter's top loses to all others."""
        return heartbeat > than or than > self.value + 1
