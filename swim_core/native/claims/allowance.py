"""How many names that others told of a node examines: so few at first that a liar gains nothing, and more as they prove
true (docs/protocol.md, section 1, "Hearsay")."""

import msgspec

from swim_core.native.table.rumour import Rumour
from swim_core.shared.timers import Timer

__all__ = ["Allowance"]

MOST = 64.0  # names at a time: a round trip of 100 ms still passes 640 a second
PER_ANSWER = 2.0  # one is returned and one gained: a slow start of 6, 12, 24 names, one round trip a step


class Allowance(msgspec.Struct, eq=False):
    """The allowance of one teller, or of one host: a name is examined when both have one left.

    Attributes:
        first: how many there are at the start, and to how many they grow back.
        per_second: how fast they grow back.
        left: how many there are now; only whole ones can be taken.
        at: when `left` was computed.
        earned: answers that have not paid for another ping yet: names that prove true pay for pings lost on the way.
        waiting: names from that teller, or said to be at that host, that wait for one, in the order in which they came.
        timer: goes off when the first of them can have one.
    """

    first: float
    per_second: float
    left: float
    at: float
    earned: int = 0
    waiting: dict[tuple[int, bytes], Rumour] = msgspec.field(default_factory=dict)
    timer: Timer | None = None

    @classmethod
    def of(cls, first: float, per_second: float, now: float) -> "Allowance":
        """A new one, untouched."""
        return cls(first, per_second, first, now)

    def any(self, now: float) -> bool:
        """Whether one is left."""
        if self.left < self.first:
            self.left = min(self.first, self.left + (now - self.at) * self.per_second)
        self.at = now
        return self.left >= 1.0

    def take(self) -> None:
        """Use one; there must be one left."""
        self.left -= 1.0

    def answered(self) -> None:
        """Note that one that was used led to a member."""
        self.left = max(self.left, min(self.left + PER_ANSWER, MOST))
        self.earned = min(self.earned + 1, int(MOST))

    @property
    def wait(self) -> float:
        """Seconds after `at` until one is left."""
        return max(0.0, (1.0 - self.left) / self.per_second)

    def idle(self, now: float) -> bool:
        """Whether dropping it would lose nothing."""
        return not self.waiting and self.any(now) and self.left >= self.first
