"""How many names that others told of a node examines: so few at first that a liar gains nothing, and more as they prove
true (docs/protocol.md, section 1, "Hearsay")."""

import msgspec

from swim_core.native.context import NodeContext
from swim_core.native.table.rumour import Rumour
from swim_core.shared.timers import Timer

__all__ = ["Allowance", "Allowances"]

MOST = 64.0  # names at a time: a round trip of 100 ms still passes 640 a second
CREDIT, CREDIT_PER_SECOND = 6.0, 1 / 20  # names of one teller that are examined
# Pings a minute from all members together to a host where nobody has answered: under 10 kB, whoever hears of it.
HOST_PINGS = 128
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


class Allowances:
    """The allowances of all tellers and hosts."""

    def __init__(self, context: NodeContext) -> None:
        self._most = context.config.max_members
        self._table = context.table
        self._tellers: dict[str, Allowance] = {}
        self._hosts: dict[bytes, Allowance] = {}

    def teller(self, name: str, now: float) -> Allowance:
        """The allowance of the teller of that name."""
        allowance = self._tellers.get(name)
        if allowance is None:
            allowance = self._tellers[name] = Allowance.of(CREDIT, CREDIT_PER_SECOND, now)
        return allowance

    def tellers(self, rumour: Rumour) -> list[Allowance]:
        """The allowances of the members that tell it, as far as they are remembered."""
        return [self._tellers[name] for name in rumour.tellers if name in self._tellers]

    def host(self, rumour: Rumour, now: float) -> Allowance:
        """The allowance of the host where a run is said to be. It goes by the IPv4 address, or by the IPv6 network of
        64 bits, in which a host can take any address."""
        address = rumour.claim.address
        host = address[:-2] if len(address) == 6 else address[:8]
        allowance = self._hosts.get(host)
        if allowance is None:
            if len(self._hosts) >= self._most:
                self._hosts = {key: kept for key, kept in self._hosts.items() if not kept.idle(now)}
            share = max(1, HOST_PINGS // max(1, self._table.live_count - 1))
            allowance = self._hosts[host] = Allowance.of(max(1.0, share / 2), share / 120, now)
        return allowance

    def forget(self, name: str) -> Allowance | None:
        """Drop the allowance of a forgotten member, and return it."""
        allowance = self._tellers.pop(name, None)
        if allowance is not None and allowance.timer is not None:
            allowance.timer.cancel()
        return allowance
