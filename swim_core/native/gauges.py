"""The gauges among the statistics, read from the parts of a node when a snapshot is made."""

from typing import TYPE_CHECKING

from swim_core.events import PlainAccepted
from swim_core.shared.local_health import LocalHealth
from swim_core.statistics import Statistics

from .claims.hearsay import Hearsay
from .claims.local_member import LocalMember
from .context import NodeContext
from .datagrams.gossip_queue import GossipQueue
from .detection.tripwires import Tripwires
from .detection.watches import Watches
from .dissemination.broadcasts import Broadcasts
from .joining.joiner import Joiner
from .table.member_table import MemberTable

if TYPE_CHECKING:  # only with keys
    from .sealing.seal import Sealer

__all__ = ["Gauges", "remind_of_plain", "unlike"]

REMIND = 3_600.0  # seconds between two reminders that plain datagrams are taken


class Gauges:
    """Reads them, and makes the snapshot."""

    def __init__(
        self,
        context: NodeContext,
        local: LocalMember,
        health: LocalHealth,
        queue: GossipQueue,
        hearsay: Hearsay,
        broadcasts: Broadcasts,
        tripwires: Tripwires,
        watches: Watches,
        joiner: Joiner,
    ) -> None:
        self._context = context
        self._local = local
        self._health = health
        self._queue = queue
        self._hearsay = hearsay
        self._broadcasts = broadcasts
        self._tripwires = tripwires
        self._watches = watches
        self._joiner = joiner

    def statistics(self) -> Statistics:
        """Counters and gauges at this moment."""
        context, health, joiner, tripwires = self._context, self._health, self._joiner, self._tripwires
        table, sealer = context.table, context.sealer
        plain, other = (0, 0) if sealer is None else unlike(sealer, table)
        return Statistics(
            **context.counters.snapshot(),
            datagrams_newer=context.codec.newer,
            members=table.states(),
            deaf=health.deaf,
            isolated=health.isolated,
            superseded=self._local.rival is not None,
            seen_elsewhere=joiner.seen_elsewhere(health.seen),
            sealed=sealer is not None,
            key={} if sealer is None else sealer.ring.ids,
            members_plain=plain,
            members_other_key=other,
            runs_known=0 if sealer is None else len(sealer.runs),
            seeds=len(joiner.addresses),
            seeds_unanswered=len(joiner.unanswered),
            narrow_paths=len(context.paths),
            rumours=len(self._hearsay),
            watches=len(self._watches),
            tripwires=tripwires.standing,
            tripwires_missing=len(tripwires.tripwire_plan.peers) - tripwires.standing,
            pending=len(self._queue),
            retained_broadcasts=self._broadcasts.retained,
            round_trips=context.rtt.histogram,
            rtt_p50=context.rtt.quantile(0.5),
            rtt_p99=context.rtt.quantile(0.99),
            cluster_time=context.clock.read(health.seen),
        )


def unlike(sealer: "Sealer", table: MemberTable) -> tuple[int, int]:
    """How many live members were last heard in plain text, and how many prefer another key than this node."""
    heard = (entry for entry in table.topology.others() if entry.live and entry.heard is not None)
    runs = [sealer.runs.get(entry.short_id) for entry in heard]
    plain = sum(run is None or not run.sealed for run in runs)
    return plain, sum(run is not None and not sealer.agrees(run) for run in runs)


def remind_of_plain(sealer: "Sealer", context: NodeContext, now: float) -> None:
    """Tell the application every hour from now on that plain datagrams are taken too."""

    def remind(at: float) -> None:
        context.emit(PlainAccepted(unlike(sealer, context.table)[0]))
        remind_of_plain(sealer, context, at)

    context.timers.at(now + REMIND, remind)
