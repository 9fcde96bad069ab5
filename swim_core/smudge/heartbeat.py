"""The heartbeat counter: runs at the speed of the cluster's fastest node, and lets no forger drag it away."""

from swim_core.address import Address

__all__ = ["TOP", "Heartbeat"]

TOP = 2**32 - 1
EPOCH_MS = 1_690_000_000_000  # July 2023
PER_TICK_MS = 125  # 8 a second: faster than the pings of any but very hasty clusters
SEEDS = 3 << 30  # reached in 2036; then restarted nodes wait for an answer to a ping, as those of real ones do
STRANGER = 1 << 16  # 9 hours of pings at 500 ms
MEMBER = 1 << 28  # by which a new start may be ahead of a cluster that has run for a year at 500 ms
WITNESSES = 3
WITNESS_WINDOW = 10.0  # seconds


class Heartbeat:
    """A u32 that starts at the time of day, so that a restarted node's codes are above those it died with.

    Attributes:
        value: the largest code used or adopted.
    """

    def __init__(self, unix_ms: int) -> None:
        self.value = max(0, unix_ms - EPOCH_MS) // PER_TICK_MS % SEEDS
        self._witnesses: dict[Address, tuple[float, int]] = {}

    def next(self) -> int:
        """The code of one more ping; never lower than an earlier one."""
        self.value = min(self.value + 1, TOP)
        return self.value

    def outbid(self, claim: int) -> None:
        """Be no lower than a claim about this node, so that its next code is above it."""
        self.value = max(self.value, min(claim, TOP - 1))

    def plausible(self, heartbeat: int) -> bool:
        """Whether a claim can be of this cluster's time: one from far ahead could never be refuted."""
        return heartbeat - self.value <= MEMBER

    def hear(self, code: int, sender: Address, *, proven: bool, now: float) -> None:
        """Follow the code of a message, bounded: by little for strangers, by more for nodes that answer pings.

        A larger step is taken when three such nodes showed one within ten seconds; then the least of them.
        """
        ahead = code - 1 - self.value
        if ahead > (MEMBER if proven else STRANGER):
            if not proven:
                return
            self._witnesses = {a: w for a, w in self._witnesses.items() if now - w[0] <= WITNESS_WINDOW}
            self._witnesses[sender] = (now, code)
            if len(self._witnesses) < WITNESSES:
                return
            code = min(code for _, code in self._witnesses.values())
            self._witnesses.clear()
        self.value = max(self.value, code - 1)
