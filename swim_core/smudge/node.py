"""The Smudge node: the public face of its parts."""

from collections.abc import Iterable
from math import isfinite
from random import Random

from swim_core.address import Address, reachable
from swim_core.counters import DropReason
from swim_core.discovery import Multicast
from swim_core.errors import ConfigError, NotRunning, Overloaded, PayloadTooLarge, UnknownMember
from swim_core.events import Event, Evidence, Past
from swim_core.member import Contact, Member, State
from swim_core.plain_data import octets
from swim_core.protocol import Datagram, KernelEvidence, Losses
from swim_core.shared.journal import Journal
from swim_core.statistics import Statistics

from .codec import BroadcastRecord, verb_of
from .parts import Parts
from .peers import STATUSES, Peer, usable
from .receiver import may_broadcast
from .settings import SmudgeSettings
from .unsupported import Unsupported

__all__ = ["SmudgeNode"]


class SmudgeNode(Unsupported):
    """One member of a cluster that speaks Smudge's protocol; see `swim_core.ProtocolNode` for the interface.

    Every member's name is the ``host:port`` of its address. Members have epoch 0, incarnation 0 and no metadata. The
    numbers of broadcasts are Smudge's indices, which start from the time of day and not from 1. There are no messages
    to single members, and no goodbye: a node that leaves falls silent.

    Args:
        address: where others reach it; numeric, with a port. Its IP version is that of the cluster.
        config: settings.
        now: seconds on the caller's monotonic clock.
        entropy: at least 16 and preferably 32 random bytes, from which everything random is derived.
        unix_ms: the wall clock, in ms since 1970. The heartbeat and the broadcast index start from it, so that this
            node is newer than an earlier process at its address.

    Raises:
        ConfigError: if an argument is invalid.
    """

    def __init__(
        self, address: Address | tuple[str, int], *, config: SmudgeSettings, now: float, entropy: bytes, unix_ms: int
    ) -> None:
        if len(entropy) < 16:
            raise ConfigError(f"entropy must be at least 16 random bytes, not {len(entropy)}")
        if not isfinite(now):
            raise ConfigError(f"now must be seconds on a monotonic clock, not {now}")
        self._local = local = reachable(address)
        self._ipv6 = ":" in local.host
        if not usable(local, self._ipv6):
            raise ConfigError(f"{local} is not an address that other nodes could send to")
        self._config = config
        self._started = now
        self._left = False
        self._index = unix_ms & 0xFFFF_FFFF
        self._parts = parts = Parts(local, config, now, Random(int.from_bytes(entropy, "big")), unix_ms)
        self._counters = parts.counters
        self._timers = parts.timers
        self._events = parts.events
        self._journal = Journal(str(local))
        self._peers = parts.peers
        self._health = parts.health
        self._inbox = parts.inbox
        self._outbox = parts.outbox
        self._receiver = parts.receiver
        self._statuses = parts.statuses
        self._broadcasts = parts.broadcasts

    # ------------------------------------------------------------------ inputs

    def feed_datagram(self, data: bytes, source: Address | tuple[str, int], *, now: float) -> None:
        """Bytes arrived; see `ProtocolNode.feed_datagram`."""
        now = self._advance(now)
        opened = None if self._left else self._inbox.open(data, source)
        if opened is not None:
            self._receiver.receive(*opened, now)

    def feed_announcement(self, data: bytes, source: Address | tuple[str, int], *, now: float) -> None:
        """Bytes arrived at the multicast group; see `ProtocolNode.feed_announcement`.

        They introduce their sender, whatever else they say.
        """
        now = self._advance(now)
        opened = None if self._left else self._inbox.open_announcement(data, source)
        if opened is not None:
            sender, message = opened
            peer = self._receiver.hear(sender, message.code, now)
            if peer is not None and not peer.proven:
                self._parts.pings.check(peer, now)

    def feed_evidence(
        self, kind: KernelEvidence, destination: Address | tuple[str, int], quoted: bytes = b"", *, now: float
    ) -> None:
        """A kernel reported something; see `ProtocolNode.feed_evidence`. Only refused datagrams count here."""
        now = self._advance(now)
        try:
            peer = self._peers.get(reachable(destination))
        except ConfigError:
            self._counters.drop(DropReason.BAD_SOURCE)
            return
        if self._left or kind is not KernelEvidence.REFUSED_UDP or peer is None:
            return
        if any(quoted.startswith(header) for header in peer.headers):
            self._parts.detector.refused(peer, verb_of(quoted), now)
        else:
            self._counters.drop(DropReason.FORGED_EVIDENCE)

    def feed_losses(self, losses: Losses) -> None:
        """The system lost datagrams; see `ProtocolNode.feed_losses`."""
        self._counters.lose(losses.unsent, losses.unsent_bytes, losses.overflowed)

    def feed_tick(self, *, now: float) -> None:
        """Time passed; see `ProtocolNode.feed_tick`."""
        self._timers.run(self._advance(now))

    # ------------------------------------------------------------------ intents

    def join(self, addresses: Iterable[Address | tuple[str, int]], *, now: float) -> None:
        """Ping seeds until they answer; see `ProtocolNode.join`.

        Addresses of the other IP version, which a name may well have too, are passed over.
        """
        self._check_running()
        seeds = [reachable(address) for address in addresses]
        self._parts.seeds.join([seed for seed in seeds if usable(seed, self._ipv6)], self._advance(now))

    def discover(self, multicast: Multicast, *, now: float) -> None:
        """Announce this node to a multicast group; see `ProtocolNode.discover`."""
        self._check_running()
        self._parts.announce_to(multicast, self._advance(now))

    def broadcast(self, payload: bytes, *, now: float) -> int:
        """Tell every member; see `ProtocolNode.broadcast`.

        Raises:
            ConfigError: at an IPv6 address that begins with a zero byte, such as ::1: real nodes drop every
                datagram with a broadcast from there.
            PayloadTooLarge: if it is over ``max_broadcast_bytes``.
            Overloaded: if too much is being told already.
            NotRunning: after `leave`.
        """
        self._check_running()
        if not may_broadcast(self._local):
            raise ConfigError(f"real Smudge nodes refuse all broadcasts from {self._local.host}: use another address")
        payload = octets(payload)
        if len(payload) > self._config.max_broadcast_bytes:
            limit = self._config.max_broadcast_bytes
            raise PayloadTooLarge(f"a broadcast of {len(payload)} bytes: at most {limit} (max_broadcast_bytes)")
        now = self._advance(now)
        self._broadcasts.expire(now)
        if self._broadcasts.full:
            raise Overloaded(f"{len(self._broadcasts)} broadcasts are being told already: try again later")
        self._index = (self._index + 1) & 0xFFFF_FFFF
        self._counters.broadcasts_sent += 1
        record = BroadcastRecord(self._local, self._index, payload)
        self._parts.push.broadcast(record, (self._local,), now)
        return self._index

    def leave(self, *, now: float) -> None:
        """Fall silent: this protocol has no goodbye, so the others find out by themselves."""
        self._advance(now)
        self._left = True
        self._parts.silence()

    def ping(self, name: str, *, now: float) -> None:
        """Ping one member now; see `ProtocolNode.ping`."""
        self._check_running()
        peer = self._named(name)
        self._parts.pings.ask(peer, self._advance(now))

    def remove(self, name: str, *, now: float) -> None:
        """Forget a member, on this node only; see `ProtocolNode.remove`."""
        self._check_running()
        peer = self._named(name)
        self._advance(now)
        self._parts.detector.forget(peer)
        self._statuses.remove(peer)

    def set_state(self, name: str, state: State, *, now: float) -> None:
        """Set a member's state and tell the others; see `ProtocolNode.set_state`."""
        self._check_running()
        if state not in STATUSES:
            raise ConfigError(f"Smudge's members are ALIVE, SUSPECT or DEAD, not {state!r}")
        peer = self._named(name)
        self._statuses.set(peer, STATUSES[state], self._parts.heartbeat.value, self._local, self._advance(now))

    # ------------------------------------------------------------------ outputs

    def poll_datagram(self) -> Datagram | None:
        """The next datagram to send, or None."""
        return self._outbox.poll()

    def poll_event(self) -> Event | None:
        """The next event, or None."""
        if not self._events:
            return None
        event, seen = self._events.popleft(), self._health.seen
        self._journal.take(event, seen, self._parts.wall_ms(seen))
        return event

    def poll_deadline(self) -> float | None:
        """The latest time for the next tick, in seconds; None for never."""
        return self._timers.deadline()

    # ------------------------------------------------------------------ views

    @property
    def local(self) -> Member:
        """This node itself; always ALIVE, whatever others claim."""
        return Member(str(self._local), self._local)

    @property
    def has_left(self) -> bool:
        """Whether `leave` was called: there is no goodbye to wait for."""
        return self._left

    def members(self, *, gone: bool = False) -> tuple[Member, ...]:
        """The members by name; see `ProtocolNode.members`."""
        if self._health.alone and not gone:
            return (self.local,)
        others = [peer.member for peer in self._peers if gone or peer.live]
        return tuple(sorted([self.local, *others], key=lambda member: member.name))

    def member(self, name: str) -> Member | None:
        """The member with that name, live or dead; None if it is unknown."""
        peer = self._peers.named(name)
        return peer.member if peer is not None else self.local if name == str(self._local) else None

    def explain(self, name: str) -> Evidence | None:
        """The evidence for a member's state; see `ProtocolNode.explain`. The accuser is the node that claimed it."""
        peer = self._peers.named(name)
        if peer is not None:
            return self._statuses.evidence(peer)
        return Evidence(None, "", 0) if name == str(self._local) else None

    def contact(self, name: str, *, now: float) -> Contact | None:
        """This node's own contact with a member; see `ProtocolNode.contact`."""
        now = max(now, self._health.seen)
        peer = self._peers.named(name)
        if peer is not None:
            return peer.contact(now)
        return Contact(age=now - self._started) if name == str(self._local) else None

    def history(self, *, since: int = 0) -> tuple[Past, ...]:
        """What happened to members lately; see `ProtocolNode.history`."""
        return tuple(self._journal.since(since))

    def statistics(self) -> Statistics:
        """A snapshot of counters and sizes; ``cluster_time`` is the wall clock."""
        return self._parts.statistics()

    # ------------------------------------------------------------------ time

    def _advance(self, now: float) -> float:
        """Note the time. A late tick means that this process stalled, for which it accuses nobody."""
        return self._health.advance(now)

    # ------------------------------------------------------------------ help

    def _check_running(self) -> None:
        if self._left:
            raise NotRunning("this node has left; make a new one to come back")

    def _named(self, name: str) -> Peer:
        peer = self._peers.named(name)
        if peer is None:
            raise UnknownMember(f"no other member {name!r}, live or gone")
        return peer
