"""The native node: the public face of its parts, which a `Router` connects."""

from collections.abc import Iterable, Mapping
from typing import NoReturn

from swim_core.address import Address, pack, reachable
from swim_core.counters import DropReason
from swim_core.discovery import Multicast
from swim_core.errors import ConfigError, NotRunning, NotSupported
from swim_core.events import Event, Evidence, KeysChanged, Past
from swim_core.keys import Keys
from swim_core.member import Contact, Member, State
from swim_core.plain_data import octets
from swim_core.protocol import Datagram, KernelEvidence, Losses
from swim_core.statistics import Statistics
from swim_core.tripwire import TripwirePlan

from .parts import NodeArguments
from .router import Router
from .settings import Settings
from .table.formed_cluster import FormedCluster, TableSource
from .wire.claim import Claim, pack_metadata

__all__ = ["Node"]


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
        self._parts.verbs.send(to, payload, now)
        self._router.settle(self._health.seen)

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
        self._parts.verbs.ping(name, now)
        self._router.settle(self._health.seen)

    def remove(self, name: str, *, now: float) -> None:
        """Forget a member that is dead or has left; see `ProtocolNode.remove`."""
        self._parts.verbs.remove(name, now)
        self._router.settle(self._health.seen)

    def force_leave(self, name: str, *, now: float) -> None:
        """Have all members consider a dead one as having left; see `ProtocolNode.force_leave`."""
        self._parts.verbs.force_leave(name, now)
        self._router.settle(self._health.seen)

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
        from .sealing.ring import KeyRing  # loaded already by a node that has keys, and by no other

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
        self._parts.farewell.begin(now)
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
        self._parts.context.coming.settled = True
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
        return self._parts.farewell.said

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

    def history(self, *, since: int = 0) -> tuple[Past, ...]:
        """What happened to members lately; see `ProtocolNode.history`."""
        return tuple(self._parts.journal.since(since))

    def rings(self) -> tuple[tuple[str, ...], ...]:
        """The live members in the order of each flood ring; see `ProtocolNode.rings`."""
        return tuple(tuple(entry.name for entry in ring) for ring in self._table.topology.rings)

    def statistics(self) -> Statistics:
        """The counters and sizes at this moment."""
        return self._parts.gauges.statistics()
