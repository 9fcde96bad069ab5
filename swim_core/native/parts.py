"""The parts of a native node, each made from those above it in this file.

A part is handed the parts that it asks or commands. What it reports goes to the hub, which knows all parts.
"""

from collections import deque
from collections.abc import Mapping
from math import isfinite
from random import Random
from typing import TYPE_CHECKING

import msgspec

from swim_core.address import Address
from swim_core.counters import Counters
from swim_core.errors import ConfigError
from swim_core.events import Event
from swim_core.keys import Keys
from swim_core.shared.journal import Journal
from swim_core.shared.local_health import Limits, LocalHealth
from swim_core.shared.rate_limit import RateLimit
from swim_core.shared.timers import Timers
from swim_core.shared.unguessable import Unguessable, derived

from .claims.corrections import Corrections
from .claims.flap_damping import FlapDamping
from .claims.hearsay import Hearsay
from .claims.local_member import LocalMember
from .claims.merging import ClaimMerger
from .claims.name_dispute import NameDispute
from .claims.strangers import Strangers
from .cluster_clock import ClusterClock
from .coming import Coming
from .context import NodeContext
from .datagrams.gossip_queue import GossipQueue
from .datagrams.inbox import Inbox
from .datagrams.outbox import Outbox
from .datagrams.path_sizes import PathSizes
from .datagrams.reminders import Reminders
from .detection.dead_prober import DeadProber
from .detection.evidence_log import EvidenceLog
from .detection.pings import Pings
from .detection.prober import Prober
from .detection.responder import Responder
from .detection.search import Search
from .detection.tripwires import Tripwires
from .detection.under_watch import UnderWatch
from .detection.watches import Watches
from .dissemination.broadcasts import Broadcasts
from .dissemination.gossip import Gossip
from .dissemination.sync import Sync
from .farewell import Farewell
from .gauges import Gauges, remind_of_plain
from .hub import Hub
from .joining.admission import Admission
from .joining.announcer import Announcer
from .joining.encounters import Encounters
from .joining.joiner import Joiner
from .joining.settings_check import SettingsCheck
from .round_trips import RoundTrips
from .settings import Settings
from .table.member_table import MemberTable
from .tools.introduction import Introduction
from .tools.orders import Orders
from .tools.server import ToolServer
from .verbs import Verbs
from .wire.datagram import Codec
from .wire.messages import MAX_DATAGRAM

if TYPE_CHECKING:  # only with keys
    from .datagrams.seal_check import SealCheck

__all__ = ["NodeArguments", "Parts"]

TROUBLE, TROUBLE_AT_ONCE = 130, 30  # datagrams a second about members that may be gone; beyond it some are left out


class NodeArguments(msgspec.Struct, frozen=True):
    """The arguments of a node; see `Node`.

    Raises:
        ConfigError: if the time or the entropy can't be used.
    """

    name: str
    address: Address | tuple[str, int]
    config: Settings
    now: float
    entropy: bytes
    unix_ms: int
    metadata: Mapping[str, str]
    keys: Keys | None

    def __post_init__(self) -> None:
        if len(self.entropy) < 16:
            raise ConfigError(f"entropy must be at least 16 random bytes, not {len(self.entropy)}")
        if not isfinite(self.now):
            raise ConfigError(f"now must be seconds on a monotonic clock, not {self.now}")


class Parts:
    """All components of one node. Only the hub makes them work together."""

    def __init__(self, hub: Hub, start: NodeArguments) -> None:
        now = start.now
        self.events: deque[Event] = deque()
        context = self.context = self._make_context(hub, start)
        health, queue = self.health, self.queue
        local = self.local = LocalMember(
            context, start.name, start.address, unix_ms=start.unix_ms, metadata=start.metadata, now=now
        )

        corrections = self.corrections = Corrections(context)
        hearsay = self.hearsay = Hearsay(context, local)
        claims = self.claims = ClaimMerger(context, local, corrections, hearsay, queue)
        self.strangers = Strangers(context, claims, corrections)
        journal = self.journal = Journal(start.name)
        self.damping = FlapDamping(context)
        self.dispute = NameDispute(context, local)

        under_watch = UnderWatch()
        gossip = self.gossip = Gossip(context, queue, under_watch, health)
        broadcasts = self.broadcasts = Broadcasts(context, local, gossip, self.reminders)
        self.sync = Sync(context, claims, hearsay, broadcasts)

        log = self.evidence_log = EvidenceLog(context.table)
        pings = self.pings = Pings(context, health)
        prober = self.prober = Prober(context, pings, health, now)
        self.search = Search(context, pings)
        self.dead_prober = DeadProber(context, local, pings)
        self.responder = Responder(context, local)
        tripwires = self.tripwires = Tripwires(context, local, health, log, prober)
        watches = self.watches = Watches(
            context, local, corrections, hearsay, self.strangers, pings, health, log, tripwires, under_watch, prober
        )

        secret = derived(start.entropy, b"cookie")
        settings_check = SettingsCheck(context)
        encounters = self.encounters = Encounters(context, local, now)
        self.admission = Admission(context, local, claims, secret, settings_check, encounters)
        joiner = self.joiner = Joiner(context, local, claims, health, settings_check, encounters)
        self.inbox = self._make_inbox(now)
        announcer = self.announcer = Announcer(context, local, self.inbox, joiner)

        verbs = self.verbs = Verbs(context, local, health, pings, prober)
        gauges = self.gauges = Gauges(context, local, health, queue, hearsay, broadcasts, tripwires, watches, joiner)
        self.farewell = Farewell(context, local, hearsay, gossip, prober, watches, joiner, announcer)
        introduction = Introduction(context, local, health, joiner)
        orders = Orders(context, introduction, local, broadcasts, joiner, verbs, secret)
        self.tool_server = ToolServer(context, introduction, gauges, log, journal, orders)

    def _make_context(self, hub: Hub, start: NodeArguments) -> NodeContext:
        """What all other parts stand on; the table and what fills datagrams belong to it."""
        config, now = start.config, start.now
        counters, timers = Counters(), Timers()
        hashes = config.hashes()
        clock = ClusterClock(start.unix_ms, now)
        sealer = None
        if start.keys is not None:
            from .datagrams.seal_check import make_sealer  # what few nodes need, no other loads

            sealer = make_sealer(start.keys, config, clock, start.entropy)
        codec = Codec(hashes.label, sealer)
        table = self.table = MemberTable(config, hashes)
        limits = Limits(config.probe_interval, config.pause_threshold, config.stall_tolerance)
        health = self.health = LocalHealth(limits, counters, now, timers, on_pause=hub.paused)
        queue = self.queue = GossipQueue(MAX_DATAGRAM - codec.overhead)
        reminders = self.reminders = Reminders(config, clock)
        paths = PathSizes(config.max_datagram)
        self.outbox = Outbox(codec, paths, queue, reminders, counters, table.view_digest, health)
        return NodeContext(
            config=config,
            timers=timers,
            clock=clock,
            hashes=hashes,
            codec=codec,
            sealer=sealer,
            table=table,
            outbox=self.outbox,
            paths=paths,
            rtt=RoundTrips(config),
            random=Random(int.from_bytes(derived(start.entropy, b"chance"), "big")),
            unguessable=Unguessable(start.entropy),
            counters=counters,
            emit=self.events.append,
            coming=Coming(config.max_members),
            hub=hub,
            trouble=RateLimit(TROUBLE, TROUBLE_AT_ONCE),
        )

    def _make_inbox(self, now: float) -> Inbox:
        context, config = self.context, self.context.config
        largest = max(config.max_received, config.max_datagram)
        return Inbox(context.codec, context.table, context.counters, self._make_seal_check(now), largest=largest)

    def _make_seal_check(self, now: float) -> "SealCheck | None":
        context = self.context
        sealer = context.sealer
        if sealer is None:
            return None
        from .datagrams.seal_check import SealCheck

        tolerance = context.config.first_contact
        seals = SealCheck(sealer, context.clock, context.table, self.joiner, tolerance=tolerance, events=self.events)
        if sealer.plain:
            remind_of_plain(sealer, context, now)
        return seals
