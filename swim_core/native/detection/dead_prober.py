"""Dead members are tried again, ever more rarely, until they are forgotten: so partitions heal."""

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
LONGEST = 5.0  # seconds between two tries of one dead member, whichever of its predecessors tries
LOOKED_AT = 256  # dead members per round whose place on the rings is looked at: half of a cluster may die at once


class _Try(msgspec.Struct):
    entry: Entry
    due: float
    delay: float
    told: Claim | None = None
    """This node's own claim as of the last ping."""
    acked: float = -inf
    """When that was acked."""


class DeadProber:
    """Pings the dead members of which this node is a ring predecessor, 2, 4, 8 .. T after the death.

    In the end a dead member is pinged every 5 s, by its predecessors on the rings in turn: 12 datagrams a minute.
    The ping carries the accusation, for the member to refute if it lives, and this node's own claim, since after a
    partition each holds the other dead. The ack brings what that one holds of this node; if that has to be refuted,
    another ping tells the refutation at once. So both are live again after two round trips, and the rest follows by
    floods and a sync. One such ping leaves this node per round in all.
    """

    def __init__(self, context: NodeContext, local: LocalMember, pings: Pings) -> None:
        self._interval = context.config.probe_interval
        self._table = context.table
        self._topology = context.table.topology
        self._local = local
        self._pings = pings
        self._tries: dict[str, _Try] = {}

    def add(self, entry: Entry, now: float) -> None:
        """A member was declared dead."""
        delay = FIRST * self._interval
        self._tries[entry.name] = _Try(entry, now + delay, delay)

    def on_round(self, now: float) -> None:
        """Try one dead member whose time has come; those that others stand before just wait on."""
        looked_at = 0
        for name, attempt in list(self._tries.items()):
            if self._table.get(name) is not attempt.entry or attempt.entry.claim.state is not State.DEAD:
                del self._tries[name]
            elif attempt.due <= now:
                attempt.delay = min(2 * attempt.delay, max(self._longest(), self._interval))
                attempt.due = now + attempt.delay
                looked_at += 1
                if self._topology.precedes(attempt.entry):
                    self._tell(attempt, now)
                    return
                if looked_at == LOOKED_AT:
                    return

    def _longest(self) -> float:
        return LONGEST * min(len(self._topology.rings), self._table.live_count)

    def answered(self, dead: Entry, now: float) -> None:
        """A dead member acked a ping; if this node had to refute its own death meanwhile, tell it so at once."""
        attempt = self._tries.get(dead.name)
        if attempt is None or attempt.told is None:
            return
        if attempt.told is not self._local.claim:
            self._tell(attempt, now)
        else:
            attempt.acked = now

    def refuted(self, now: float) -> None:
        """This node answered the news of its own death: who acked just before may have sent it besides, and it came
        later."""
        for attempt in list(self._tries.values()):
            if now - attempt.acked < SOON:
                attempt.acked = -inf
                self._tell(attempt, now)

    def _tell(self, attempt: _Try, now: float) -> None:
        """Ping a member that is held dead, with this node's own claim and what is held of that one."""
        attempt.told = self._local.claim
        self._pings.send(attempt.entry, now, riding=Piggyback([encode_item(attempt.told)]))
