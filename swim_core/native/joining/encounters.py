"""Clusters that meet: whether their clocks are days apart, and whether they were formed without each other."""

from math import inf

from swim_core.address import Address
from swim_core.events import ClocksDiffer, ClustersMet
from swim_core.native.claims.local_member import DAY, LocalMember
from swim_core.native.context import NodeContext
from swim_core.native.wire.messages import Join, JoinAck

__all__ = ["Encounters"]

AGAIN = 60.0  # seconds until the same is reported again
FORMED = 10.0  # seconds with other members after which a node knows its whole cluster


class Encounters:
    """Checks what JOIN and JOIN_ACK say about their sender's cluster, and reports what is odd, once a minute."""

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
        """The number of members in the cluster that this node has been in for some time; 1 if it is alone or has just
        come."""
        return self._table.live_count if now - self._alone >= FORMED else 1

    def same_time(self, theirs: Join | JoinAck, address: Address, now: float) -> bool:
        """Whether the clocks of both clusters are close enough for one cluster.

        A node that is alone takes the time of a seed, even if somebody may have seen its claim, as when it was pinged
        first. A seed that is behind can't hold that, since it is from beyond to all members there; and one that is
        ahead finds it old, so that this node refutes what is held of it. But it takes nobody in on such terms then.

        The other cluster would refuse claims of the one that is ahead, so only one of them would list both.
        """
        ahead = (theirs.time - self._clock.read(now)) if theirs.time else 0
        alone = self._table.live_count == 1 and theirs.time <= self._clock.latest(now)
        takes_time = isinstance(theirs, JoinAck)
        if abs(ahead) <= DAY or (alone and (takes_time or not self._outbox.spoken)):
            return True
        if now - self._clocks_told >= AGAIN:
            self._clocks_told = now
            self._emit(ClocksDiffer(address, ahead / 1000))
        return False

    def meet(self, name: str, members: int, address: Address, now: float) -> None:
        """Check whether a node that was let in here, or lets this one in, belongs to a separate cluster of ``members``.

        Members of a partitioned cluster know each other's names. Call this before that node becomes known.
        """
        ours = self.formed(now)
        strange = self._table.get(name) is None and members > 1 and ours > 1
        if strange and now - self._met_told >= AGAIN:
            self._met_told = now
            self._emit(ClustersMet(self._local.address, ours, address, members))
