"""How many names a node looks into at the word of others: so few at first that a liar gains nothing, more as they prove
true (docs/protocol.md, section 1, "Hearsay")."""

import msgspec

from swim_core.native.table.rumour import Rumour
from swim_core.shared.timers import Timer

__all__ = ["Allowance"]

MOST = 64.0  # names at a time: a round trip of 100 ms still passes 640 a second
PER_ANSWER = 2.0  # one is given back and one is gained: a slow start, 6, 12, 24 names, one round trip a step


class Allowance(msgspec.Struct, eq=False):
    """Of one teller, or of one host: a name is examined when both have one left.

    Attributes:
        first: that there are at the start, and that it grows back to.
        per_second: at which it does.
        left: now; whole ones can be taken.
        at: when that was so.
        earned: answers that paid for no other ping yet: what proves true pays for what is lost on the way.
        waiting: names that were told or are said to be there, in the order of coming, and wait for one.
        timer: when the first of them has waited for long enough.
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
        """Use one, which is left."""
        self.left -= 1.0

    def answered(self) -> None:
        """One that was used led to a member."""
        self.left = max(self.left, min(self.left + PER_ANSWER, MOST))
        self.earned = min(self.earned + 1, int(MOST))

    @property
    def wait(self) -> float:
        """Seconds from `at` on until one is left."""
        return max(0.0, (1.0 - self.left) / self.per_second)

    def idle(self, now: float) -> bool:
        """Whether nothing would be forgotten with it."""
        return not self.waiting and self.any(now) and self.left >= self.first
