"""Clusters that meet: whose clocks are days apart, and which of two was formed without the other."""

from math import inf

from swim_core.address import Address
from swim_core.events import ClocksDiffer, ClustersMet
from swim_core.native.claims.local_member import DAY, LocalMember
from swim_core.native.context import NodeContext
from swim_core.native.wire.messages import Join, JoinAck

__all__ = ["Encounters"]

AGAIN = 60.0  # seconds until the same is told again
FORMED = 10.0  # seconds in company after which a node knows its whole cluster


class Encounters:
    """Looks at what JOIN and JOIN_ACK say of the cluster that they come from, and tells what is odd, once a minute."""

    def __init__(self, context: NodeContext, local: LocalMember, now: float) -> None:
        self._clock = context.clock
        self._table = context.table
        self._local = local
        self._outbox = context.outbox
        self._emit = context.emit
        self._clocks_told = self._met_told = -inf
        self._alone = now

    def on_round(self, now: float) -> None:
        """Housekeeping, once per probe interval."""
        if self._table.live_count == 1:
            self._alone = now

    def formed(self, now: float) -> int:
        """The members of the cluster that this node is in for some time; 1 while it is alone, or just coming."""
        return self._table.live_count if now - self._alone >= FORMED else 1

    def same_time(self, theirs: Join | JoinAck, address: Address, now: float) -> bool:
        """Whether the clocks of both clusters are near enough for one.

        A node that is alone takes the other's time, unless others may have its claim already, made at another time.

        Claims of the one that is ahead would be refused in the other, so that only one of them would list both.
        """
        ahead = (theirs.time - self._clock.read(now)) if theirs.time else 0
        newcomer = self._table.live_count == 1 and not self._outbox.spoken and theirs.time <= self._clock.latest(now)
        if abs(ahead) <= DAY or newcomer:
            return True
        if now - self._clocks_told >= AGAIN:
            self._clocks_told = now
            self._emit(ClocksDiffer(address, ahead / 1000))
        return False

    def meet(self, name: str, members: int, address: Address, now: float) -> None:
        """A node of a cluster of so many ``members`` was let in here, or lets this one in: is it a stranger's cluster?

        Members that were parted know each other's names. To be called before that node is.
        """
        ours = self.formed(now)
        strange = self._table.get(name) is None and members > 1 and ours > 1
        if strange and now - self._met_told >= AGAIN:
            self._met_told = now
            self._emit(ClustersMet(self._local.address, ours, address, members))
