"""The native node: it routes each input to the components that own it, and gathers what they put out."""

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from math import isfinite
from random import Random
from typing import Any, NoReturn

from . import wire
from .address import Address, pack, reachable
from .admission import Admission
from .agreement import Agreement
from .announcer import Announcer
from .broadcast import Broadcasts
from .claims import Claims
from .clock import ClusterClock
from .common import Common
from .config import Config
from .corrections import Corrections
from .discovery import Multicast
from .errors import ConfigError, NotRunning, PayloadTooLarge, UnknownMember
from .events import (
    Datagram,
    DropReason,
    Event,
    Evidence,
    KernelEvidence,
    MemberForgotten,
    MessageReceived,
    NameConflict,
)
from .gossip import Gossip
from .hashing import Hashes
from .health import Health, Limits
from .inbox import Inbox
from .inquiry import Inquiry
from .introductions import Introductions
from .isolation import Isolation
from .join import Joiner
from .journal import Journal
from .jury import Jury
from .local import Hearing, Local, pack_metadata
from .member import Claim, Contact, Member, State
from .membership import Change, Entry, Membership, as_member
from .outbox import Outbox, Pending
from .pings import Pings
from .prober import Prober
from .responder import Responder
from .revival import Revival
from .roster import Roster
from .rtt import RoundTrips
from .sender import Sender
from .statistics import Counters, Statistics
from .sync import STABLE, Sync
from .timers import Timers
from .transitions import transition
from .tripwires import Tripwires
from .wiring import Wiring

__all__ = ["Node"]

# their senders are not asked who they are: they say so themselves, or are no members
_INTRODUCTIONS = (wire.Join, wire.JoinAck, wire.ClaimOf, wire.NotMe, wire.Ask, wire.Tell)
Handler = Callable[[Any, Sender, float], None]

GOODBYE = 0.25  # seconds until LEFT has been told three times


class Node:
    """One member of a cluster that speaks the native protocol; see `swim_core.ProtocolNode` for the face.

    Args:
        name: unique in the cluster, 1 to 64 bytes of printable UTF-8.
        address: what others reach it at; numeric, with a port.
        config: settings.
        now: seconds on the caller's monotonic clock.
        entropy: at least 16, best 32 random bytes: everything random comes from them.
        unix_ms: the wall clock, ms since 1970; for the epoch and the first cluster time.
        metadata: strings that others see in `Member.metadata`.

    Raises:
        ConfigError: if an argument can't be used.
        PayloadTooLarge: if the metadata is over ``max_metadata`` bytes packed.
    """

    def __init__(
        self,
        name: str,
        address: Address | tuple[str, int],
        *,
        config: Config,
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
        self._pending = Pending()
        self._common = common = self._make_common(config, now, entropy, unix_ms)
        self._membership = common.membership
        self._outbox = common.outbox
        self._timers = common.timers
        limits = Limits(config.probe_interval, config.pause_threshold, config.stall_tolerance)
        self._health = Health(limits, common.counters, now, deadline=self.poll_deadline, on_pause=self._paused)
        self._local = Local(common, name, address, unix_ms=unix_ms, metadata=metadata or {}, now=now)
        self._inbox = Inbox(common)
        self._journal = Journal(common.membership)
        self._gossip = Gossip(common, self._pending)
        self._corrections = Corrections(common)
        self._pings = Pings(common)
        self._revival = Revival(common, self._pings)
        self._claims = Claims(
            common, self._local, self._corrections, on_change=self._changed, on_hearing=self._heard_of_itself
        )
        self._tripwires = Tripwires(
            common, self._local, self._health, self._journal, probe=lambda entry, at: self._prober.probe(entry, at)
        )
        self._jury = Jury(
            common,
            self._local,
            self._corrections,
            self._pings,
            self._health,
            self._journal,
            self._tripwires,
            declare=self._declare,
        )
        self._broadcasts = Broadcasts(common, self._local, self._gossip)
        self._sync = Sync(common, number_of=self._broadcasts.number_of, receive=self._receive_paged)
        self._responder = Responder(common, self._local)
        self._inquiry = Inquiry(
            common,
            self._local,
            self._health,
            self._journal,
            broadcast=lambda payload, now: self.broadcast(payload, now=now),
        )
        self._introductions = Introductions(common, self._claims, self._corrections, self._pings, self._jury)
        self._isolation = Isolation(
            name,
            self._health,
            others=lambda: [entry.member for entry in common.membership.others()],
            cluster_time=common.clock.read,
            emit=common.emit,
            on_reconnect=self._sync.start_with_anyone,
        )
        agreement = Agreement(common)
        secret = blake2b(entropy, digest_size=32, person=b"cookie").digest()
        self._admission = Admission(common, self._local, self._claims, secret, agreement)
        self._joiner = Joiner(common, self._local, self._claims, agreement, on_admitted=self._admitted)
        self._announcer = Announcer(common, self._local, self._inbox, self._joiner)
        self._prober = Prober(
            common,
            self._pings,
            self._health,
            seeds=lambda: self._joiner.addresses,
            on_timeout=self._probe_failed,
            on_round=self._on_round,
            now=now,
        )
        self._handlers = self._make_handlers()
        self._prober.settle(now)

    def _make_common(self, config: Config, now: float, entropy: bytes, unix_ms: int) -> Common:
        hashes = Hashes(config.cluster, config.rings)
        counters = Counters()
        return Common(
            config=config,
            timers=Timers(),
            clock=ClusterClock(unix_ms, now),
            hashes=hashes,
            membership=Membership(config, hashes),
            outbox=Outbox(hashes.label, config.max_datagram, self._pending, counters, self._flags),
            rtt=RoundTrips(config),
            random=Random(int.from_bytes(entropy, "big")),
            counters=counters,
            emit=self._events.append,
        )

    def _make_handlers(self) -> dict[type, Handler]:
        return {
            wire.Ping: self._responder.pinged,
            wire.Ack: self._on_ack,
            wire.PingReq: self._jury.help,
            wire.Vote: self._jury.voted,
            wire.Poll: self._jury.polled,
            wire.Join: self._admission.asked,
            wire.JoinAck: self._joiner.answered,
            wire.SyncReq: self._sync.answer,
            wire.SyncPage: self._sync.page,
            wire.SyncPush: self._on_push,
            wire.WantClaim: self._responder.asked_for_claim,
            wire.Want: self._broadcasts.wanted,
            wire.ClaimOf: self._introductions.claimed,
            wire.NotMe: self._introductions.not_me,
            wire.UserMessage: self._responder.messaged,
            wire.Ask: self._inquiry.asked,
            wire.Tell: lambda *_: self._common.counters.drop(DropReason.UNREQUESTED),  # for tools
            wire.Announce: lambda *_: self._common.counters.drop(DropReason.UNREQUESTED),  # its place is the group
        }

    # ------------------------------------------------------------------ inputs

    def feed_datagram(self, data: bytes, source: Address | tuple[str, int], *, now: float) -> None:
        """Bytes arrived; see `ProtocolNode.feed_datagram`."""
        now = self._health.advance(now)
        opened = self._inbox.open(data, source)
        if opened is not None:
            self._route(*opened, now)
            self._settle(now)

    def feed_announcement(self, data: bytes, source: Address | tuple[str, int], *, now: float) -> None:
        """Bytes arrived at the multicast group; see `ProtocolNode.feed_announcement`."""
        now = self._health.advance(now)
        self._announcer.receive(data, source, now)
        self._settle(now)

    def feed_evidence(
        self, kind: KernelEvidence, destination: Address | tuple[str, int], quoted: bytes = b"", *, now: float
    ) -> None:
        """The kernel said something; see `ProtocolNode.feed_evidence`."""
        now = self._health.advance(now)
        try:
            address = reachable(destination)
        except ConfigError:
            self._common.counters.drop(DropReason.BAD_SOURCE)
            return
        if kind is KernelEvidence.REFUSED_UDP:
            short_id = self._pings.refused(address, quoted)
            entry = self._membership.by_id(short_id) if short_id is not None else None
            if short_id is None:
                self._common.counters.drop(DropReason.FORGED_EVIDENCE)
            elif entry is not None and entry.live:
                self._jury.evidence(entry, kind, now)
        elif kind in (KernelEvidence.CONNECTED, KernelEvidence.CONNECTION_LOST):
            entry = self._tripwires.entry_of(quoted, address)
            if entry is not None:
                self._tripwires.feed(entry, kind, now)
        elif (entry := self._membership.live_at(address)) is not None:
            self._jury.evidence(entry, kind, now)
        self._settle(now)

    def feed_tick(self, *, now: float) -> None:
        """The clock; see `ProtocolNode.feed_tick`."""
        now = self._health.advance(now)
        self._timers.run(now)
        self._settle(now)

    # ------------------------------------------------------------------ intents

    def join(self, addresses: Iterable[Address | tuple[str, int]], *, now: float) -> None:
        """Ask seeds to let this node in; see `ProtocolNode.join`."""
        if self._local.left:
            raise NotRunning("this node has left; make a new one to come back")
        seeds = list(dict.fromkeys(reachable(address) for address in addresses))
        now = self._health.advance(now)
        self._joiner.join(seeds, now)
        self._settle(now)

    def discover(self, multicast: Multicast, *, now: float) -> None:
        """Announce this node to a multicast group; see `ProtocolNode.discover`."""
        if self._local.left:
            raise NotRunning("this node has left; make a new one to come back")
        now = self._health.advance(now)
        self._announcer.start(multicast, now)
        self._settle(now)

    def enable_tripwires(self, *, now: float) -> None:
        """Keep connections and have some tried; see `ProtocolNode.enable_tripwires`."""
        self._health.advance(now)
        self._tripwires.enabled = self._config.tripwires

    def broadcast(self, payload: bytes, *, now: float) -> int:
        """Tell every member; see `ProtocolNode.broadcast`."""
        self._check_running()
        self._broadcasts.check(payload)
        now = self._health.advance(now)
        number = self._broadcasts.broadcast(bytes(payload), now)
        self._settle(now)
        return number

    def send(self, to: str | Member, payload: bytes, *, now: float) -> None:
        """Tell one member; see `ProtocolNode.send`."""
        self._check_running()
        if len(payload) > self._config.max_broadcast:
            raise PayloadTooLarge(
                f"a message of {len(payload)} bytes: at most {self._config.max_broadcast} (max_broadcast)"
            )
        entry = self._membership.get(to if isinstance(to, str) else to.name)
        if entry is None or not entry.live or (isinstance(to, Member) and to.epoch != entry.claim.epoch):
            raise UnknownMember(f"no live member {to!r}: members() lists those there are")
        now = self._health.advance(now)
        if entry.name == self._local.name:
            self._events.append(MessageReceived(entry.origin, bytes(payload)))
        else:
            self._common.outbox.send(wire.UserMessage(bytes(payload)), entry, now)

    def update_metadata(self, metadata: Mapping[str, str], *, now: float) -> None:
        """Replace this node's metadata; see `ProtocolNode.update_metadata`."""
        self._check_running()
        pack_metadata(metadata, self._config.max_metadata)
        now = self._health.advance(now)
        if self._local.set_metadata(metadata, now) is not None:
            self._tell_own_claim(now)
            self._settle(now)

    def ping(self, name: str, *, now: float) -> None:
        """Ping a member out of turn; see `ProtocolNode.ping`."""
        self._check_running()
        entry = self._other(name)
        now = self._health.advance(now)
        self._pings.ask(entry, now)
        if entry.live:
            self._prober.expect(entry, now)
        self._settle(now)

    def remove(self, name: str, *, now: float) -> None:
        """Forget a member that is dead or has left; see `ProtocolNode.remove`."""
        self._check_running()
        entry = self._other(name)
        if entry.live:
            raise UnknownMember(
                f"{name!r} is live, and would be back with the next word of it: only others are removed"
            )
        now = self._health.advance(now)
        self._membership.forget(entry)
        self._forgotten(entry)
        self._settle(now)

    def set_state(self, name: str, state: State, *, now: float) -> NoReturn:
        """Not in this protocol; see `ProtocolNode.set_state`."""
        raise ConfigError(
            "the native protocol judges by evidence alone: a state can't be set (explain() says why it is)"
        )

    def leave(self, *, now: float) -> None:
        """Say goodbye; see `ProtocolNode.leave`."""
        if self._local.left:
            return
        now = self._health.advance(now)
        self._joiner.stop()
        self._announcer.stop()
        self._prober.enabled = False
        self._jury.stop()
        anybody = self._membership.live_count > 1 and self._local.rival is None
        self._local.leave(now)
        self._has_left = not anybody
        if anybody:
            self._tell_own_claim(now)
            self._gossip.push_now(now)
            self._common.timers.at(now + GOODBYE, self._goodbye_said)
        self._settle(now)

    def roster(self, members: Iterable[Member]) -> Roster:
        """What `adopt` takes, made once for all nodes of a cluster: ``members``, live, each name once."""
        limit = self._config.max_metadata
        pairs = (
            (Claim(m.name, m.epoch, pack(m.address), m.incarnation, State.ALIVE, pack_metadata(m.metadata, limit)), m)
            for m in members
        )
        return Roster(pairs, self._common.hashes, self._config.rings)

    def adopt(self, roster: Roster, *, now: float) -> None:
        """Hold the members of a roster, this node among them, as after long acquaintance, and raise no events: for
        simulations that begin with a formed cluster. Nobody else may be known yet."""
        now = self._health.advance(now)
        self._membership.hold_all(roster, now)
        self._sync.first_done = True
        self._settle(now)

    # ------------------------------------------------------------------ outputs

    def poll_datagram(self) -> Datagram | None:
        """The next datagram to send, or None."""
        return self._outbox.queue.popleft() if self._outbox.queue else None

    def poll_event(self) -> Event | None:
        """The next event, or None."""
        return self._events.popleft() if self._events else None

    def poll_deadline(self) -> float | None:
        """When to tick at the latest, in seconds, or None."""
        return self._timers.deadline()

    def poll_connect(self) -> Address | None:
        """The next address to try a TCP connection to, or None; see `ProtocolNode.poll_connect`."""
        return self._tripwires.poll()

    # ------------------------------------------------------------------ views

    @property
    def wiring(self) -> Wiring:
        """Whom to keep a TCP connection to; see `ProtocolNode.wiring`."""
        return self._tripwires.wiring

    @property
    def local(self) -> Member:
        """This node itself."""
        return self._local.member

    @property
    def has_left(self) -> bool:
        """Whether the goodbye has been said; see `ProtocolNode.has_left`."""
        return self._has_left

    def members(self, *, gone: bool = False) -> tuple[Member, ...]:
        """The members by name; see `ProtocolNode.members`."""
        return (self.local,) if self._health.alone and not gone else self._membership.members(gone=gone)

    def member(self, name: str) -> Member | None:
        """The member of that name, live or gone, or None."""
        entry = self._membership.get(name)
        return entry.member if entry is not None else None

    def explain(self, name: str) -> Evidence | None:
        """What stands behind a member's state; see `ProtocolNode.explain`."""
        entry = self._membership.get(name)
        return self._journal.evidence(entry.claim) if entry is not None else None

    def contact(self, name: str, *, now: float) -> Contact | None:
        """What this node has had to do with another member; see `ProtocolNode.contact`."""
        entry = self._membership.get(name)
        return entry.contact(max(now, self._health.seen)) if entry is not None else None

    def statistics(self) -> Statistics:
        """Counters and sizes of this moment."""
        return Statistics(
            **self._common.counters.snapshot(),
            members=self._membership.states(),
            deaf=self._health.deaf,
            isolated=self._health.isolated,
            superseded=self._local.rival is not None,
            watches=len(self._jury),
            pending=len(self._pending),
            retained_broadcasts=self._broadcasts.retained,
            round_trips=self._common.rtt.histogram,
            rtt_p50=self._common.rtt.quantile(0.5),
            rtt_p99=self._common.rtt.quantile(0.99),
            cluster_time=self._common.clock.read(self._health.seen),
        )

    # ------------------------------------------------------------------ routing

    def _paused(self) -> None:
        self._prober.drop()
        self._pings.drop()
        self._jury.pause()

    def _settle(self, now: float) -> None:
        if self._pending.any:
            self._gossip.settle(now)
        self._prober.settle(now)

    def _flags(self, now: float) -> int:
        stable = wire.Flags.STABLE if now - self._membership.digest_since >= STABLE else 0
        return stable | wire.Flags.DEAF if self._health.deaf else stable

    def _route(self, sender: Sender, envelope: wire.Envelope, now: float) -> None:
        message = envelope.message
        if sender.short_id == self._outbox.sender:
            self._common.counters.drop(DropReason.OWN)
            if isinstance(message, wire.Join):
                self._joiner.met_itself(message, now)
            return
        if self._local.rival is not None and not isinstance(message, wire.JoinAck | wire.Ask):
            self._common.counters.drop(DropReason.SUPERSEDED)
            own = [claim for claim in envelope.claims if claim.name == self._local.name]
            envelope = wire.Envelope(sender.short_id, None, own)
        elif sender.proven is not None:
            self._hear(sender, sender.proven, now)
        if envelope.claims or envelope.numbers or envelope.broadcasts:
            self._take_in(envelope, sender, now)
        unknown = sender.entry is None or sender.entry.short_id != sender.short_id  # a newer run, by its own claim
        stranger = unknown and type(message) not in _INTRODUCTIONS
        if stranger and type(message) is not wire.Ping:
            self._corrections.ask_who(sender, now)  # first, since an answer may take all that a stranger is due
        if envelope.message is not None:
            self._handlers[type(message)](message, sender, now)
        if stranger and type(message) is wire.Ping:
            self._corrections.ask_who(sender, now)

    def _take_in(self, envelope: wire.Envelope, sender: Sender, now: float) -> None:
        if sender.proven is None:
            self._common.counters.drop(DropReason.STRANGER)  # what strangers say of themselves stands in messages
            return
        for claim in envelope.claims:
            self._claims.receive(claim, now, sender=sender)
        for number in envelope.numbers:
            self._broadcasts.learn_number(number, now)
        for broadcast in envelope.broadcasts:
            self._broadcasts.receive(broadcast, now)

    def _hear(self, sender: Sender, entry: Entry, now: float) -> None:
        """What the mere arrival of a member's datagram tells, whatever stands in it."""
        if not entry.live:
            self._corrections.send(entry.claim, sender, now)
            return
        self._health.hear(now)
        entry.heard = now
        if not sender.flags & wire.Flags.DEAF:
            short_id = entry.short_id
            if short_id in self._prober.probes:
                self._prober.heard(short_id)
            self._jury.heard(short_id, now)

    # ------------------------------------------------------------------ messages

    def _on_ack(self, ack: wire.Ack, sender: Sender, now: float) -> None:
        if not self._pings.acked(ack.seq, sender.short_id, sender.address, now):
            self._common.counters.drop(DropReason.UNREQUESTED)
        elif not self._local.left:
            self._tripwires.answered(sender.short_id)
            if self._health.isolated:
                self._isolation.answered(now)
            self._sync.compare(ack.digest, sender, now)

    def _on_push(self, push: wire.SyncPush, sender: Sender, now: float) -> None:
        if sender.proven is None:
            self._common.counters.drop(DropReason.STRANGER)
        else:
            self._sync.pushed(push, now)

    def _receive_paged(self, entry: wire.PageEntry, first_sync: bool, now: float) -> bool:
        changed = self._claims.receive(entry.claim, now, paged=True)
        origin = self._common.hashes.short_id(entry.claim.name, entry.claim.epoch)
        number = wire.Number(origin, entry.number)
        self._broadcasts.learn_number(number, now, first_sync=first_sync, tell=False)
        return changed

    # ------------------------------------------------------------------ what components report

    def _changed(self, change: Change, now: float) -> None:
        """A claim about another member won."""
        claim = change.claim
        self._journal.note_change(change, now)
        self._jury.on_change(change, now)
        self._tripwires.on_change(change)
        self._broadcasts.on_change(change, now)
        if claim.state is State.DEAD:
            self._revival.add(change.entry, now)
        if not claim.state.live:
            self._joiner.lost(change.entry.address, now)
        self._events.extend(transition(change.before, claim, self._journal.evidence))
        self._gossip.tell_claim(claim, now)

    def _declare(self, claim: Claim, now: float) -> None:
        """This node's own verdict on another."""
        change = self._membership.merge(claim, now)
        if isinstance(change, Change):
            self._changed(change, now)
            self._gossip.tell_claim(claim, now, originator=True)

    def _probe_failed(self, entry: Entry, sent: float, now: float) -> None:
        detail = f"sent {now - sent:.2f} s before, no answer"
        self._journal.note(entry.name, "probe timed out", now, detail=detail, repeats=True)
        self._jury.accuse(entry, sent, now)

    def _tell_own_claim(self, now: float) -> None:
        self._gossip.tell_claim(self._local.claim, now, originator=True)

    def _heard_of_itself(self, hearing: Hearing, claim: Claim, now: float) -> None:
        """Something was claimed about this node."""
        superseded = self._local.rival is not None
        self._prober.enabled = not self._local.silent
        if hearing is Hearing.CONFLICT:
            if not self._common.outbox.muted:
                self._events.append(NameConflict(as_member(claim)))
                self._gossip.tell_claim(claim, now)  # the last word: others must know the rival, or it can't die
                self._gossip.push_now(now)
                self._jury.stop()
                self._joiner.superseded(now)
            self._common.outbox.muted = True
            return
        self._common.outbox.muted = superseded
        self._common.counters.refutations += 1
        self._tell_own_claim(now)
        if hearing is Hearing.WAS_DEAD and not self._local.left:
            self._sync.start_with_anyone(now)

    def _admitted(self, sender: Sender, now: float) -> None:
        """A seed took this node in: hear it out."""
        entry = self._membership.by_id(sender.short_id)
        if entry is not None and entry.live:
            self._sync.start(entry, now)

    def _on_round(self, now: float) -> None:
        """Housekeeping, once per probe interval."""
        if not self._local.silent:
            self._revival.on_round(now)
            self._isolation.on_round(self._membership.live_count, now)
        self._broadcasts.on_round(now)
        for entry in self._membership.expire(now):
            self._forgotten(entry)

    def _forgotten(self, entry: Entry) -> None:
        self._events.append(MemberForgotten(entry.member))
        self._journal.forget(entry.name)
        self._tripwires.forget(entry.short_id)
        self._broadcasts.forget(entry)

    def _goodbye_said(self, now: float) -> None:
        self._has_left = True

    def _other(self, name: str) -> Entry:
        entry = self._membership.get(name)
        if entry is None or name == self._local.name:
            raise UnknownMember(f"no other member {name!r}: members(gone=True) lists those there are")
        return entry

    def _check_running(self) -> None:
        if self._local.left:
            raise NotRunning("this node has left; make a new one to come back")
        if self._local.rival is not None:
            raise NotRunning(f"another live process owns the name {self._local.name!r}: choose another name")
