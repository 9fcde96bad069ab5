"""Dead members are pinged now and then until they are forgotten, so that partitions heal."""

from math import inf

import msgspec

from swim_core.member import State
from swim_core.native.claims.local_member import LocalMember
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.gossip_queue import Piggyback
from swim_core.native.table.entry import Entry
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.datagram import encode_item

from .pings import Pings

__all__ = ["DeadProber"]

SOON = 1.0  # seconds between an ack and what was sent with it
FIRST = 2.0  # probe intervals after the death
TURN = 5.0  # seconds, at least T, between two pings to one dead member while its predecessors take turns
LOOKED_AT = 256  # dead members per round whose ring positions are looked up: half of a cluster may die at once


class _Try(msgspec.Struct):
    entry: Entry
    due: float
    delay: float
    told: Claim | None = None
    """This node's own claim at the last ping."""
    acked: float = -inf
    """When that ping was acked."""


class DeadProber:
    """Pings the dead members of which this node is a ring predecessor, after 2, 4 .. T, then every 5 s in turn.

    Cluster time determines whose turn it is. Otherwise all predecessors would ping members that died together, as in a
    partition, at the same time, and then nobody would for a while. In the end that makes 12 datagrams a minute for each
    dead member.

    The ping carries the accusation, for the member to refute if it is alive, and this node's own claim, since after a
    partition each side considers the other dead. The ack brings what that member holds of this node; if that must be
    refuted, another ping carries the refutation at once. So both are live again after two round trips, and the rest
    follows by floods and a sync. This node sends at most one such ping per round.
    """

    def __init__(self, context: NodeContext, local: LocalMember, pings: Pings) -> None:
        self._first = FIRST * context.config.probe_interval
        self._turn = max(TURN, context.config.probe_interval)
        self._clock = context.clock
        self._table = context.table
        self._topology = context.table.topology
        self._local = local
        self._pings = pings
        self._tries: dict[str, _Try] = {}

    def add(self, entry: Entry, now: float) -> None:
        """Plan pings to a member that was declared dead."""
        self._tries[entry.name] = _Try(entry, now + self._first, self._first)

    def on_round(self, now: float) -> None:
        """Ping one dead member that is due; those of which this node is not a predecessor go on waiting."""
        looked_at = 0
        for name, attempt in list(self._tries.items()):
            if self._table.get(name) is not attempt.entry or attempt.entry.claim.state is not State.DEAD:
                del self._tries[name]
            elif attempt.due <= now:
                turn = self._topology.turn_before(attempt.entry)
                attempt.due = now + self._wait(attempt, turn, now)
                looked_at += 1
                if turn is not None:
                    self._tell(attempt, now)
                    return
                if looked_at == LOOKED_AT:
                    return

    def _wait(self, attempt: _Try, turn: tuple[int, int] | None, now: float) -> float:
        """Seconds until the next ping, if this node is still a predecessor of the member then."""
        attempt.delay *= 2
        if attempt.delay <= self._turn:
            return attempt.delay
        attempt.delay = self._turn
        if turn is None:
            return self._turn * len(self._topology.rings)
        number, count = turn
        begins = (number + attempt.entry.phase / 2**64) * self._turn
        return (begins - self._clock.exact(now) / 1000) % (count * self._turn) or self._turn

    def answered(self, dead: Entry, now: float) -> None:
        """Handle an ack from a dead member: if this node had to refute its own death meanwhile, tell that member at
        once."""
        attempt = self._tries.get(dead.name)
        if attempt is None or attempt.told is None:
            return
        if attempt.told is not self._local.claim:
            self._tell(attempt, now)
        else:
            attempt.acked = now

    def refuted(self, now: float) -> None:
        """Handle a refutation by this node: the member that acked just before may have sent the accusation as well, in
        a datagram that arrived later."""
        for attempt in list(self._tries.values()):
            if now - attempt.acked < SOON:
                attempt.acked = -inf
                self._tell(attempt, now)

    def _tell(self, attempt: _Try, now: float) -> None:
        """Ping a dead member, with this node's own claim and the claim that it has about that member."""
        attempt.told = self._local.claim
        self._pings.send(attempt.entry, now, riding=Piggyback([encode_item(attempt.told)]))
