"""The native node: the public face of its parts, which a `Router` connects."""

from collections.abc import Iterable, Mapping
from typing import NoReturn

from msgspec.structs import replace

from swim_core.address import Address, pack, reachable
from swim_core.discovery import Multicast
from swim_core.errors import ConfigError, NotRunning, NotSupported, PayloadTooLarge, UnknownMember
from swim_core.events import Event, Evidence, KeysChanged, MessageReceived
from swim_core.keys import Keys
from swim_core.member import Contact, Member, Rule, State
from swim_core.native.table.entry import Entry
from swim_core.plain_data import octets
from swim_core.protocol import Datagram, KernelEvidence, Losses
from swim_core.statistics import DropReason, Statistics
from swim_core.tripwire import TripwirePlan

from .datagrams.seal_check import unlike
from .parts import NodeArguments
from .router import Router
from .sealing.ring import KeyRing
from .settings import Settings
from .table.formed_cluster import FormedCluster, TableSource
from .wire.claim import Claim, Verdict, pack_metadata
from .wire.messages import UserMessage

__all__ = ["Node"]

GOODBYE = 0.25  # seconds until LEFT has been told three times


class Node:
    """One member of a cluster that speaks the native protocol; see `swim_core.ProtocolNode` for the face.

    Args:
        name: unique in the cluster, 1 to 64 bytes of printable UTF-8.
        address: where others reach it; numeric, with a port.
        config: settings.
        now: seconds on the caller's monotonic clock.
        entropy: at least 16 and preferably 32 random bytes, from which everything random is derived.
        unix_ms: the wall clock, ms since 1970; for the epoch and the first cluster time.
        metadata: strings that others see in `Member.metadata`.
        keys: seal what this node sends and open what it receives; without keys, datagrams are plain text.

    Raises:
        ConfigError: if an argument can't be used, or the package that keys need is missing.
        PayloadTooLarge: if the metadata takes more than ``max_metadata`` bytes when packed.
    """

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
        keys: Keys | None = None,
    ) -> None:
        self._router = Router(NodeArguments(name, address, config, now, entropy, unix_ms, metadata or {}, keys))
        self._reports = self._router.reports
        self._parts = parts = self._router.parts
        self._config = config
        self._table = parts.table
        self._local = parts.local
        self._health = parts.health
        self._inbox = parts.inbox
        self._datagrams = parts.outbox.queue
        self._timers = parts.context.timers
        self._has_left = False
        parts.orders.verbs = self
        parts.tool_server.figures = self.statistics

    # ------------------------------------------------------------------ inputs

    def feed_datagram(self, data: bytes, source: Address | tuple[str, int], *, now: float) -> None:
        """Take a datagram; see `ProtocolNode.feed_datagram`."""
        now = self._health.advance(now)
        opened = self._inbox.open(data, source, now)
        if opened is not None:
            self._router.route(*opened, now)
            self._router.settle(now)

    def feed_announcement(self, data: bytes, source: Address | tuple[str, int], *, now: float) -> None:
        """Take a datagram sent to the multicast group; see `ProtocolNode.feed_announcement`."""
        now = self._health.advance(now)
        self._parts.announcer.receive(data, source, now)
        self._router.settle(now)

    def feed_evidence(
        self, kind: KernelEvidence, destination: Address | tuple[str, int], quoted: bytes = b"", *, now: float
    ) -> None:
        """Take what a kernel reported; see `ProtocolNode.feed_evidence`."""
        now = self._health.advance(now)
        try:
            address = reachable(destination)
        except ConfigError:
            self._parts.context.counters.drop(DropReason.BAD_SOURCE)
            return
        self._router.evidence(kind, address, quoted, now)
        self._router.settle(now)

    def feed_losses(self, losses: Losses) -> None:
        """Count datagrams that the system lost; see `ProtocolNode.feed_losses`."""
        self._parts.context.counters.lose(losses.unsent, losses.unsent_bytes, losses.overflowed)

    def feed_tick(self, *, now: float) -> None:
        """Do what is due; see `ProtocolNode.feed_tick`."""
        now = self._health.advance(now)
        self._timers.run(now)
        self._router.settle(now)

    # ------------------------------------------------------------------ intents

    def join(self, addresses: Iterable[Address | tuple[str, int]], *, now: float) -> None:
        """Ask seeds to let this node in; see `ProtocolNode.join`."""
        if self._local.left:
            raise NotRunning("this node has left; make a new one to come back")
        seeds = list(dict.fromkeys(reachable(address) for address in addresses))
        now = self._health.advance(now)
        self._parts.joiner.join(seeds, now)
        self._router.settle(now)

    def discover(self, multicast: Multicast, *, now: float) -> None:
        """Announce this node to a multicast group; see `ProtocolNode.discover`."""
        if self._local.left:
            raise NotRunning("this node has left; make a new one to come back")
        now = self._health.advance(now)
        self._parts.announcer.start(multicast, now)
        self._router.settle(now)

    def enable_tripwires(self, *, now: float) -> None:
        """Keep tripwires and try connections; see `ProtocolNode.enable_tripwires`."""
        self._health.advance(now)
        self._parts.tripwires.enabled = self._config.tripwires

    def broadcast(self, payload: bytes, *, now: float) -> int:
        """Send a payload to every member; see `ProtocolNode.broadcast`."""
        broadcasts, payload = self._parts.broadcasts, octets(payload)
        broadcasts.check(payload)
        now = self._health.advance(now)
        number = broadcasts.broadcast(payload, now)
        self._router.settle(now)
        return number

    def send(self, to: str | Member, payload: bytes, *, now: float) -> None:
        """Send a payload to one member; see `ProtocolNode.send`."""
        self._local.check_running()
        payload = octets(payload)
        if len(payload) > self._config.max_broadcast:
            raise PayloadTooLarge(
                f"a message of {len(payload)} bytes: at most {self._config.max_broadcast} (max_broadcast)"
            )
        if not isinstance(to, str | Member):
            raise UnknownMember(f"no live member {to!r}: give a name, or one of members()")
        entry = self._table.get(to if isinstance(to, str) else to.name)
        if entry is None or not entry.live or (isinstance(to, Member) and to.epoch != entry.claim.epoch):
            raise UnknownMember(f"no live member {to!r}: members() lists them")
        now = self._health.advance(now)
        if entry.name == self._local.name:
            self._parts.events.append(MessageReceived(entry.origin, payload))
        else:
            self._parts.outbox.send(UserMessage(payload), entry, now)

    def update_metadata(self, metadata: Mapping[str, str], *, now: float) -> None:
        """Replace this node's metadata; see `ProtocolNode.update_metadata`."""
        self._local.check_running()
        pack_metadata(metadata, self._config.max_metadata)
        now = self._health.advance(now)
        if self._local.set_metadata(metadata, now) is not None:
            self._reports.tell_own_claim(now)
            self._router.settle(now)

    def update_address(self, address: Address | tuple[str, int], *, now: float) -> None:
        """Tell the others that this node is reached at another address from now on; see
        `ProtocolNode.update_address`."""
        self._local.check_running()
        where = reachable(address)
        now = self._health.advance(now)
        if self._local.move(where, now) is not None:
            self._reports.tell_own_claim(now)
            self._router.settle(now)

    def ping(self, name: str, *, now: float) -> None:
        """Ping a member out of turn; see `ProtocolNode.ping`."""
        self._local.check_running()
        entry = self._other(name)
        now = self._health.advance(now)
        self._parts.pings.ask(entry, now)
        if entry.live:
            self._parts.prober.expect(entry, now)
        self._router.settle(now)

    def remove(self, name: str, *, now: float) -> None:
        """Forget a member that is dead or has left; see `ProtocolNode.remove`."""
        self._local.check_running()
        entry = self._other(name)
        if entry.live:
            raise UnknownMember(
                f"{name!r} is live, so the next news of it would bring it back: only members that are gone are removed"
            )
        now = self._health.advance(now)
        self._table.forget(entry)
        self._reports.forgotten(entry, now)
        self._router.settle(now)

    def bury(self, name: str, *, now: float) -> None:
        """Tell all members that a dead one has gone for good, so that nobody looks for it any longer.

        If it is alive after all, it refutes that as soon as it hears of it, and is back.

        Raises:
            UnknownMember: if it is unknown, this node itself, or live.
            NotRunning: if this node has left.
        """
        self._local.check_running()
        entry = self._other(name)
        if entry.live:
            raise UnknownMember(f"{name!r} is live: only members that are dead are removed")
        now = self._health.advance(now)
        claim = entry.claim
        if claim.state is State.DEAD:
            verdict = Verdict(self._local.short_id, Rule.REMOVED, self._parts.context.clock.read(now))
            self._reports.verdict_given(replace(claim, state=State.LEFT, verdict=verdict), now)
        self._router.settle(now)

    def set_state(self, name: str, state: State, *, now: float) -> NoReturn:
        """Not supported by this protocol; see `ProtocolNode.set_state`."""
        raise NotSupported(
            "the native protocol judges by evidence alone: a state can't be set (explain() says why it is)"
        )

    def set_keys(self, keys: Keys, *, now: float) -> None:
        """Hold other keys from now on; see `ProtocolNode.set_keys`."""
        context = self._parts.context
        if context.sealer is None:
            raise ConfigError(
                'this node was made without keys and can\'t take any now: start it anew with keys, and plain="accept"'
                " until all members have some"
            )
        ring = KeyRing(keys, self._config.cluster)
        self._health.advance(now)
        held = tuple(f"{key.id:08x}" for key in ring.ordered)
        if held != tuple(f"{key.id:08x}" for key in context.sealer.ring.ordered):
            context.sealer.use(ring)
            context.emit(KeysChanged(held[0], held))

    def leave(self, *, now: float) -> None:
        """Say goodbye; see `ProtocolNode.leave`."""
        if self._local.left:
            return
        now = self._health.advance(now)
        parts = self._parts
        parts.announcer.stop()
        parts.prober.enabled = False
        parts.watches.stop()
        parts.hearsay.stop()
        anybody = self._table.has_others and self._local.rival is None
        self._local.leave(now)
        entering = parts.joiner.leave(now)
        if anybody:
            self._reports.tell_own_claim(now)
            parts.gossip.push_now(now)
        self._has_left = not (anybody or entering)
        if not self._has_left:
            self._timers.at(now + GOODBYE, self._goodbye_said)
        self._router.settle(now)

    def formed_cluster(self, members: Iterable[Member]) -> FormedCluster:
        """Make what `adopt` takes, once for all nodes of a cluster. ``members`` are live, and each name occurs once."""
        limit = self._config.max_metadata
        claims = (
            Claim(m.name, m.epoch, pack(m.address), m.incarnation, State.ALIVE, pack_metadata(m.metadata, limit))
            for m in members
        )
        return FormedCluster(claims, self._parts.context.hashes, self._config.rings)

    def adopt(self, formed: TableSource, *, now: float) -> None:
        """Take over the members of a formed cluster as if long known, without events about them.

        For simulations that begin with one. This node must be among the members, and know nobody else yet.
        """
        now = self._health.advance(now)
        self._table.hold_all(formed, now)
        self._parts.sync.first_done = True
        self._router.settle(now)

    # ------------------------------------------------------------------ outputs

    def poll_datagram(self) -> Datagram | None:
        """The next datagram to send, or None."""
        return self._datagrams.popleft() if self._datagrams else None

    def poll_event(self) -> Event | None:
        """The next event, or None."""
        events = self._parts.events
        return events.popleft() if events else None

    def poll_deadline(self) -> float | None:
        """The latest time for the next tick, in seconds, or None."""
        return self._timers.deadline()

    def poll_connect(self) -> Address | None:
        """The next address to try a TCP connection to, or None; see `ProtocolNode.poll_connect`."""
        return self._parts.tripwires.poll()

    # ------------------------------------------------------------------ views

    @property
    def tripwire_plan(self) -> TripwirePlan:
        """The members to keep TCP connections to; see `ProtocolNode.tripwire_plan`."""
        return self._parts.tripwires.tripwire_plan

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
        return (self.local,) if self._health.alone and not gone else self._table.members(gone=gone)

    def member(self, name: str) -> Member | None:
        """The member of that name, live or gone, or None."""
        entry = self._table.get(name)
        return entry.member if entry is not None else None

    def explain(self, name: str) -> Evidence | None:
        """The evidence for a member's state; see `ProtocolNode.explain`."""
        entry = self._table.get(name)
        return self._parts.evidence_log.evidence(entry.claim) if entry is not None else None

    def contact(self, name: str, *, now: float) -> Contact | None:
        """This node's own contact with another member; see `ProtocolNode.contact`."""
        entry = self._table.get(name)
        return entry.contact(max(now, self._health.seen)) if entry is not None else None

    def statistics(self) -> Statistics:
        """The counters and sizes at this moment."""
        parts = self._parts
        context, joiner, tripwires = parts.context, parts.joiner, parts.tripwires
        sealer = context.sealer
        plain, other = (0, 0) if sealer is None else unlike(sealer, self._table)
        return Statistics(
            **context.counters.snapshot(),
            datagrams_newer=context.codec.newer,
            members=self._table.states(),
            deaf=self._health.deaf,
            isolated=self._health.isolated,
            superseded=self._local.rival is not None,
            seen_elsewhere=joiner.seen_elsewhere(self._health.seen),
            sealed=sealer is not None,
            key={} if sealer is None else sealer.ring.ids,
            members_plain=plain,
            members_other_key=other,
            runs_known=0 if sealer is None else len(sealer.runs),
            seeds=len(joiner.addresses),
            seeds_unanswered=len(joiner.unanswered),
            narrow_paths=len(context.paths),
            rumours=len(parts.hearsay),
            watches=len(parts.watches),
            tripwires=tripwires.standing,
            tripwires_missing=len(tripwires.tripwire_plan.peers) - tripwires.standing,
            pending=len(parts.queue),
            retained_broadcasts=parts.broadcasts.retained,
            round_trips=context.rtt.histogram,
            rtt_p50=context.rtt.quantile(0.5),
            rtt_p99=context.rtt.quantile(0.99),
            cluster_time=context.clock.read(self._health.seen),
        )

    # ------------------------------------------------------------------ beneath

    def _goodbye_said(self, now: float) -> None:
        self._has_left = True

    def _other(self, name: str) -> Entry:
        entry = self._table.get(name)
        if entry is None or name == self._local.name:
            raise UnknownMember(f"no other member {name!r}: members(gone=True) lists them")
        return entry
