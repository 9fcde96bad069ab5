"""The components of a native node, put together: what arrives goes to whom it concerns, as does what they report.

No component knows another but those it was handed; what one finds out, and others must know, passes through here.
"""

from collections import deque
from collections.abc import Callable, Mapping
from hashlib import blake2b
from math import isfinite
from random import Random
from typing import Any

from swim_core.address import Address, unpack
from swim_core.errors import ConfigError, NameTaken, NotRunning
from swim_core.events import Event, MemberForgotten, Paused
from swim_core.member import State
from swim_core.native.table.entry import Change, Entry
from swim_core.native.table.member_table import MemberTable
from swim_core.shared.isolation import Isolation
from swim_core.shared.local_health import Limits, LocalHealth
from swim_core.shared.timers import Timers
from swim_core.statistics import Counters, DropReason

from .claims.corrections import Corrections
from .claims.flap_damping import FlapDamping
from .claims.local_member import LocalMember, Refutation
from .claims.merging import ClaimMerger
from .claims.name_dispute import NameDispute
from .claims.strangers import Strangers
from .claims.transitions import transition
from .cluster_clock import ClusterClock
from .context import NodeContext
from .datagrams.gossip_queue import GossipQueue
from .datagrams.inbox import Inbox
from .datagrams.outbox import Outbox
from .datagrams.path_sizes import PathSizes
from .datagrams.reminders import Reminders
from .datagrams.sender import Sender
from .detection.dead_prober import DeadProber
from .detection.evidence_log import EvidenceLog
from .detection.pings import Pings
from .detection.prober import Prober
from .detection.responder import Responder
from .detection.tripwires import Tripwires
from .detection.under_watch import UnderWatch
from .detection.watches import Watches
from .dissemination.broadcasts import Broadcasts
from .dissemination.gossip import Gossip
from .dissemination.sync import STABLE, Sync
from .joining.admission import Admission
from .joining.announcer import Announcer
from .joining.encounters import Encounters
from .joining.joiner import Joiner
from .joining.settings_check import SettingsCheck
from .round_trips import RoundTrips
from .settings import Settings
from .tools.server import ToolServer
from .wire import messages
from .wire.claim import Claim
from .wire.datagram import Codec, Envelope, Flags
from .wire.hashing import Hashes

__all__ = ["Assembly"]

# their senders are not asked who they are: they say so themselves, or are no members
_INTRODUCTIONS = (messages.Join, messages.JoinAck, messages.ClaimOf, messages.NotMe, messages.Ask, messages.Tell)
Handler = Callable[[Any, Sender, float], object]


class Assembly:
    """What a node is made of, and how its parts work together; `Node` is its public face."""

    def __init__(
        self,
        name: str,
        address: Address | tuple[str, int],
        *,
        config: Settings,
        now: float,
        entropy: bytes,
        unix_ms: int,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        if len(entropy) < 16:
            raise ConfigError(f"entropy must be at least 16 random bytes, not {len(entropy)}")
        if not isfinite(now):
            raise ConfigError(f"now must be seconds on a monotonic clock, not {now}")
        self._config = config
        self._events: deque[Event] = deque()
        self._has_left = False
        self._in_contact: Entry | None = None  # who was heard while this node was isolated
        hashes = Hashes(config.cluster, config.rings)
        codec = Codec(hashes.label)
        self._queue = GossipQueue(messages.MAX_DATAGRAM - codec.overhead)
        self._context = context = self._make_context(config, hashes, codec, now, entropy, unix_ms)
        self._table = context.table
        self._outbox = context.outbox
        self._timers = context.timers
        limits = Limits(config.probe_interval, config.pause_threshold, config.stall_tolerance)
        self._health = LocalHealth(
            limits, context.counters, now, deadline=context.timers.deadline, on_pause=self._paused
        )
        self._local = LocalMember(context, name, address, unix_ms=unix_ms, metadata=metadata or {}, now=now)
        self._inbox = Inbox(context.codec, context.table, context.counters)
        self._evidence_log = EvidenceLog(context.table)
        self._damping = FlapDamping(context, self._events.append)
        under_watch = UnderWatch()
        self._gossip = Gossip(context, self._queue, under_watch)
        self._corrections = Corrections(context)
        self._pings = Pings(context, self._health)
        self._dead_prober = DeadProber(context, self._local, self._pings)
        self._claims = ClaimMerger(
            context,
            self._local,
            self._corrections,
            pass_on=self._queue.claim,
            on_change=self._changed,
            on_own_name_claimed=self._own_name_claimed,
        )
        self._strangers = Strangers(context, self._claims, self._corrections)
        self._tripwires = Tripwires(
            context,
            self._local,
            self._health,
            self._evidence_log,
            probe=lambda entry, at: self._prober.probe(entry, at),
        )
        self._watches = Watches(
            context,
            self._local,
            self._corrections,
            self._strangers,
            self._pings,
            self._health,
            self._evidence_log,
            self._tripwires,
            under_watch,
            probe=lambda entry, at: self._prober.probe(entry, at),
            declare=self._declare,
        )
        self._broadcasts = Broadcasts(context, self._local, self._gossip, self._reminders)
        self._sync = Sync(context, number_of=self._broadcasts.number_of, receive=self._receive_paged)
        self._responder = Responder(context, self._local)
        self._tool_server = ToolServer(
            context,
            self._local,
            self._health,
            self._evidence_log,
            broadcast=self._broadcast,
            join=lambda seeds, at: self._joiner.add(seeds, at),
            unanswered=lambda: 0 < len(self._joiner.addresses) == len(self._joiner.unanswered),
        )
        self._isolation = Isolation(
            name,
            self._health,
            others=lambda: [entry.member for entry in context.table.others()],
            cluster_time=context.clock.read,
            emit=lambda event: self._damping.take(event, self._health.seen),
            on_reconnect=self._broadcasts.remind_anew,
        )
        settings_check = SettingsCheck(context)
        encounters = self._encounters = Encounters(context, self._local, now)
        secret = blake2b(entropy, digest_size=32, person=b"cookie").digest()
        self._admission = Admission(context, self._local, self._claims, secret, settings_check, encounters)
        self._joiner = Joiner(
            context,
            self._local,
            self._claims,
            settings_check,
            encounters,
            deaf=lambda: self._health.deaf,
            on_admitted=self._admitted,
        )
        self._dispute = NameDispute(context, self._local, self._events.append, ask=self._joiner.ask_once)
        self._announcer = Announcer(context, self._local, self._inbox, self._joiner)
        self._prober = Prober(
            context,
            self._pings,
            self._health,
            seeds=lambda: self._joiner.addresses,
            on_timeout=self._probe_failed,
            on_round=self._on_round,
            now=now,
        )
        self._handlers = self._make_handlers()
        self._prober.settle(now)

    def _make_context(
        self, config: Settings, hashes: Hashes, codec: Codec, now: float, entropy: bytes, unix_ms: int
    ) -> NodeContext:
        counters = Counters()
        paths = PathSizes(config.max_datagram, self._events.append)
        clock = ClusterClock(unix_ms, now)
        self._reminders = Reminders(config, clock)
        return NodeContext(
            config=config,
            timers=Timers(),
            clock=clock,
            hashes=hashes,
            codec=codec,
            table=MemberTable(config, hashes),
            outbox=Outbox(codec, paths, self._queue, self._reminders, counters, self._flags),
            paths=paths,
            rtt=RoundTrips(config),
            random=Random(int.from_bytes(entropy, "big")),
            counters=counters,
            emit=self._events.append,
        )

    def _make_handlers(self) -> dict[type, Handler]:
        return {
            messages.Ping: self._responder.pinged,
            messages.Ack: self._on_ack,
            messages.AckElsewhere: self._on_ack_elsewhere,
            messages.PingReq: self._watches.help,
            messages.Vote: self._watches.voted,
            messages.Poll: self._watches.polled,
            messages.Join: self._admission.asked,
            messages.JoinAck: self._joiner.answered,
            messages.SyncReq: self._sync.answer,
            messages.SyncPage: self._sync.page,
            messages.SyncPush: self._on_push,
            messages.WantClaim: self._responder.asked_for_claim,
            messages.Want: self._broadcasts.wanted,
            messages.ClaimOf: self._strangers.claimed,
            messages.NotMe: self._watches.not_me,
            messages.UserMessage: self._responder.messaged,
            messages.Ask: self._tool_server.asked,
            messages.Tell: lambda *_: self._context.counters.drop(DropReason.UNREQUESTED),  # for tools
            messages.Announce: lambda *_: self._context.counters.drop(DropReason.UNREQUESTED),  # its place is the group
        }

    # ------------------------------------------------------------------ routing

    def _paused(self, seconds: float) -> None:
        self._prober.drop()
        self._pings.drop()
        self._watches.pause()
        if seconds > self._health.long_pause:
            self._events.append(Paused(seconds))

    def _settle(self, now: float) -> None:
        if self._queue.any:
            self._gossip.settle(now)
        self._prober.settle(now)

    def _flags(self, now: float) -> int:
        stable = Flags.STABLE if now - self._table.digest_since >= STABLE else 0
        return stable | Flags.DEAF if self._health.deaf else stable

    def _route(self, sender: Sender, envelope: Envelope, now: float) -> None:
        message = envelope.message
        if sender.short_id == self._outbox.sender:
            self._context.counters.drop(DropReason.OWN)
            if isinstance(message, messages.Join):
                self._joiner.met_itself(message, now)
            return
        if self._local.rival is not None:
            self._dispute.heard(sender.short_id, sender.address)
        if self._local.rival is not None and not isinstance(message, messages.JoinAck | messages.Ask):
            self._context.counters.drop(DropReason.SUPERSEDED)
            own = [claim for claim in envelope.claims if claim.name == self._local.name]
            envelope = Envelope(sender.short_id, None, own)
        elif sender.proven is not None and sender.proven.live:
            self._hear(sender, sender.proven, now)
        if envelope.claims or envelope.numbers or envelope.broadcasts:
            self._take_in(envelope, sender, now)
        # a newer run by its own claim, or a run that is known at another address: it may have moved
        unknown = sender.proven is None or sender.proven.short_id != sender.short_id
        stranger = unknown and type(message) not in _INTRODUCTIONS
        if stranger and type(message) is not messages.Ping:
            self._corrections.ask_who(sender, now)  # first, since an answer may take all that a stranger is due
        if envelope.message is not None:
            self._handlers[type(message)](message, sender, now)
        for further in envelope.further:
            self._handlers[type(further)](further, sender, now)
        if stranger and type(message) is messages.Ping:
            self._corrections.ask_who(sender, now)
        if sender.proven is not None and not sender.proven.live:
            self._hear_of_the_dead(sender, sender.proven, message, now)

    def _take_in(self, envelope: Envelope, sender: Sender, now: float) -> None:
        if sender.proven is None:
            self._context.counters.drop(DropReason.STRANGER)  # what strangers say of themselves stands in messages
            return
        for claim in envelope.claims:
            self._claims.receive(claim, now, sender=sender)
        first_sync = self._sync.first_under_way
        for number in envelope.numbers:
            self._broadcasts.learn_number(number, now, first_sync=first_sync, teller=sender.proven)
        for broadcast in envelope.broadcasts:
            self._broadcasts.receive(broadcast, now, first_sync=first_sync)

    def _hear(self, sender: Sender, entry: Entry, now: float) -> None:
        """What the mere arrival of a live member's datagram tells, whatever stands in it."""
        self._health.hear(now)
        entry.heard = now
        if self._health.isolated:
            self._in_contact = entry
        if not sender.flags & Flags.DEAF:
            short_id = entry.short_id
            if short_id in self._prober.probes:
                self._prober.heard(short_id)
            if entry is self._prober.awaited:
                self._prober.showed_up(now)
            self._watches.heard(short_id, now)

    def _hear_of_the_dead(self, sender: Sender, entry: Entry, message: object, now: float) -> None:
        """One that is held gone speaks: let it know, unless it was told in the ack just sent, or in the ping that it
        answers."""
        told = type(message) is messages.Ack or (
            type(message) is messages.Ping and message.target == self._outbox.sender
        )
        if not told:
            self._corrections.send(entry.claim, sender, now)

    # ------------------------------------------------------------------ messages

    def _on_ack_elsewhere(self, ack: messages.AckElsewhere, sender: Sender, now: float) -> None:
        if self._on_ack(ack, sender, now):
            self._joiner.acked_elsewhere(unpack(ack.seen) if ack.seen else None, sender.address, now)

    def _on_ack(self, ack: messages.Ack | messages.AckElsewhere, sender: Sender, now: float) -> bool:
        """Whether it answers a ping of this node, which has not left."""
        if not self._pings.acked(ack.seq, sender.short_id, sender.address, now):
            self._context.counters.drop(DropReason.UNREQUESTED)
        elif not self._local.left:
            self._tripwires.answered(sender.short_id)
            if sender.entry is not None and not sender.entry.live:
                self._dead_prober.answered(sender.entry, now)
            if self._health.isolated:
                self._isolation.answered(now)
                self._sync.start_at_once(sender.member, now)
            self._sync.compare(ack.digest, sender, now)
            return True
        return False

    def _on_push(self, push: messages.SyncPush, sender: Sender, now: float) -> None:
        if sender.proven is None:
            self._context.counters.drop(DropReason.STRANGER)
        else:
            self._sync.pushed(push, now)

    def _receive_paged(self, entry: messages.PageEntry, first_sync: bool, now: float) -> bool:
        changed = self._claims.receive(entry.claim, now, paged=True)
        origin = self._context.hashes.short_id(entry.claim.name, entry.claim.epoch)
        number = messages.Number(origin, entry.number)
        self._broadcasts.learn_number(number, now, first_sync=first_sync)
        return changed

    # ------------------------------------------------------------------ what components report

    def _changed(self, change: Change, now: float, *, originator: bool = False) -> None:
        """A claim about another member won."""
        claim = change.claim
        self._evidence_log.note_change(change, now)
        self._watches.on_change(change, now)
        self._tripwires.on_change(change)
        self._broadcasts.on_change(change, now)
        if claim.state is State.DEAD:
            self._dead_prober.add(change.entry, now)
        if not claim.state.live:
            self._joiner.lost(change.entry.address, now)
        for event in transition(change.before, claim, self._evidence_log.evidence):
            self._damping.take(event, now)
        self._gossip.tell_claim(claim, now, originator=originator)

    def _declare(self, claim: Claim, now: float) -> None:
        """This node's own verdict on another."""
        change = self._table.merge(claim, now)
        if isinstance(change, Change):
            self._changed(change, now, originator=True)

    def _probe_failed(self, entry: Entry, sent: float, now: float) -> None:
        detail = f"sent {now - sent:.2f} s before, no answer"
        self._evidence_log.note(entry.name, "probe timed out", now, detail=detail, repeats=True)
        self._gossip.probe_failed(now)
        self._watches.accuse(entry, sent, now)

    def _tell_own_claim(self, now: float) -> None:
        self._gossip.tell_claim(self._local.claim, now, originator=True)

    def _own_name_claimed(self, refutation: Refutation, claim: Claim, sender: Sender | None, now: float) -> None:
        """Something was claimed about this node, by ``sender`` unless it stood in a sync or in the answer to a JOIN."""
        superseded = self._local.rival is not None
        self._prober.enabled = not self._local.silent
        if refutation is Refutation.CONFLICT:
            if not self._context.outbox.muted:
                self._gossip.tell_claim(claim, now)  # the last word: others must know the rival, or it can't die
                self._gossip.push_now(now)
                self._watches.stop()
                self._joiner.superseded(now)
                self._context.outbox.muted = True
                self._dispute.begin(claim, now)
            return
        if self._context.outbox.muted and not superseded:
            self._dispute.end()
        self._context.outbox.muted = superseded
        self._context.counters.refutations += 1
        self._tell_own_claim(now)
        if refutation is Refutation.WAS_DEAD and not self._local.left:
            self._dead_prober.refuted(now)
            self._broadcasts.remind_anew(now)
            self._sync.start_at_once(sender.member if sender is not None else None, now)

    def _admitted(self, sender: Sender, now: float) -> None:
        """A seed took this node in: hear it out."""
        entry = self._table.by_id(sender.short_id)
        if entry is not None and entry.live:
            self._sync.start(entry, now)

    def _on_round(self, now: float) -> None:
        """Housekeeping, once per probe interval."""
        if not self._local.silent:
            if self._health.isolated and self._in_contact is not None and self._in_contact.live:
                self._pings.send(self._in_contact, now)  # heard: does it hear, too?
            self._dead_prober.on_round(now)
            self._isolation.on_round(self._table.live_count, now)
            if self._health.deaf:
                self._joiner.deafened(now)
        self._broadcasts.on_round(now)
        self._encounters.on_round(now)
        for entry in self._table.expire(now):
            self._forgotten(entry, now)

    def _forgotten(self, entry: Entry, now: float) -> None:
        self._damping.take(MemberForgotten(entry.member), now)
        self._evidence_log.forget(entry.name)
        self._tripwires.forget(entry.short_id)
        self._broadcasts.forget(entry, now)

    def _goodbye_said(self, now: float) -> None:
        self._has_left = True

    # ------------------------------------------------------------------ what the face and tools ask for

    def _broadcast(self, payload: bytes, now: float) -> int:
        self._check_running()
        self._broadcasts.check(payload)
        now = self._health.advance(now)
        number = self._broadcasts.broadcast(bytes(payload), now)
        self._settle(now)
        return number

    def _check_running(self) -> None:
        if self._local.left:
            raise NotRunning("this node has left; make a new one to come back")
        if self._local.rival is not None:
            raise NameTaken(f"another live process owns the name {self._local.name!r}: choose another name")
