"""The effects of a datagram: on the sender's status, through its records and its broadcast, and the answer."""

from collections.abc import Callable
from ipaddress import ip_address

import attrs

from swim_core.address import Address, is_loopback
from swim_core.counters import Counters, DropReason
from swim_core.events import BroadcastReceived, Event, Origin
from swim_core.shared.rate_limit import RateLimit

from .broadcasts import Broadcasts, Memory
from .codec import BroadcastRecord, MemberRecord, Message, Status, Verb
from .detector import Detector
from .heartbeat import Heartbeat
from .outbox import Outbox
from .peers import Peer, Peers, usable
from .push import Push
from .relay import Relay
from .status import StatusRules

__all__ = ["STATUSES", "Receiver", "may_broadcast"]

STATUSES = (Status.ALIVE, Status.SUSPECTED, Status.DEAD)
RESTART = 16  # by how much a node's own pings fall back only if it started anew: datagrams overtake by less
WELCOMES = 20  # newcomers a second that are told of everyone at once: the answer is larger than the question


def may_broadcast(origin: Address) -> bool:
    """Whether real nodes take its broadcasts: they take a first byte of 0 for no origin, and drop the datagram."""
    return ip_address(origin.host).packed[0] != 0


class Receiver:
    """Takes in what datagrams say, and answers them."""

    def __init__(
        self,
        local: Address,
        peers: Peers,
        heartbeat: Heartbeat,
        statuses: StatusRules,
        detector: Detector,
        relay: Relay,
        broadcasts: Broadcasts,
        outbox: Outbox,
        push: Push,
        counters: Counters,
        emit: Callable[[Event], None],
    ) -> None:
        self._local = local
        self._ipv6 = ":" in local.host
        self._peers = peers
        self._heartbeat = heartbeat
        self._statuses = statuses
        self._detector = detector
        self._pings = detector.pings
        self._doubts = detector.doubts
        self._relay = relay
        self._broadcasts = broadcasts
        self._outbox = outbox
        self._push = push
        self._counters = counters
        self._emit = emit
        self._memory = Memory()
        self._welcomes = RateLimit(WELCOMES)

    def receive(self, sender: Address, message: Message, now: float) -> None:
        """A datagram of a node, in the order that real nodes keep: its sender, its records, its broadcast, its verb."""
        known = self._peers.get(sender)
        newcomer = known is None or not known.live  # one that restarted is still considered dead
        proven = (known is not None and known.proven) or self._pings.awaits(sender, message.code)
        if message.code:
            self._heartbeat.follow(message.code - 1, sender, proven=proven, now=now)
        peer = self.hear(sender, message.code, now)
        for record in message.members:
            self._learn(record, sender, now, proven=proven)
        if peer is not None and message.verb is Verb.PING:
            self._watch_restart(peer, self._heartbeat.credible(message.code), now)
        if message.broadcast is not None:
            self._deliver(message.broadcast, sender, now)
        match message.verb:
            case Verb.PING | Verb.NFPING:
                welcome = newcomer and self._welcomes.allow(now)
                self._outbox.send(Verb.ACK, message.code, sender, everyone=welcome)
            case Verb.ACK:
                self._detector.answered(sender, message.code, now)
                self._relay.answered(sender, message.code)
            case Verb.PINGREQ if message.members[0].status == Status.FORWARD_TO:
                target, code = message.members[0].address, message.members[0].heartbeat
                credible = self._heartbeat.follow(code, sender, proven=proven, now=now)
                self._relay.asked(sender, target, code, now, credible=credible)

    def hear(self, sender: Address, code: int, now: float) -> Peer | None:
        """Note that a node is alive, which makes it a member."""
        peer = self._peers.get(sender)
        if peer is None:
            if self._peers.full:
                self._make_room()
            peer = self._statuses.met(sender, code, now)
            if peer is None:
                return None
        peer.heard = now
        doubted = self._detector.lives(peer, code)
        self._statuses.heard(peer, code, now)
        if doubted:
            self._statuses.dispute(peer, now)
        if peer.status is not Status.ALIVE:  # started anew, with codes below the claim against it
            self._pings.check(peer, now)
        return peer

    def _make_room(self) -> None:
        """A node that shows itself takes the place of a dead one, or of one that others invented."""
        spare = self._peers.spare()
        if spare is not None:
            self._detector.forget(spare)
            self._statuses.remove(spare)

    def _watch_restart(self, peer: Peer, code: int, now: float) -> None:
        """Codes of one process's pings never fall; after a restart its broadcasts count from 1 again."""
        if code + RESTART < peer.pinged:
            self._memory.restarted(peer.address, now)
            peer.pinged = code
        peer.pinged = max(peer.pinged, code)

    def _learn(self, record: MemberRecord, sender: Address, now: float, *, proven: bool) -> None:
        """One member record."""
        if record.status not in STATUSES or not usable(record.address, self._ipv6):
            return
        if is_loopback(record.address) and not is_loopback(self._local):  # it means another host there than here
            self._counters.drop(DropReason.LOOPBACK)
            return
        peer = self._peers.get(record.address)
        if not self._heartbeat.follow(record.heartbeat, sender, proven=proven, now=now):
            self._counters.drop(DropReason.TIME_JUMP)
            if peer is not None and peer.live and record.status != Status.ALIVE:
                self._pings.check(peer, now)  # good enough as a hint, since codes of real nodes follow any forger's
            return
        if record.address == self._local:
            self._object(record, sender, now)
            return
        if record.source is not None and (":" in record.source.host) is not self._ipv6:
            record = attrs.evolve(record, source=None)  # IPv4 wrapped in IPv6 crashes real nodes that pass it on
        newer = self._heartbeat.newer
        if peer is None:
            self._statuses.learn(record, now)
        elif record.status == Status.ALIVE:
            if peer.status is not Status.ALIVE and newer(record.heartbeat, peer.heartbeat):
                self._detector.lives(peer, record.heartbeat)
                self._statuses.set(peer, Status.ALIVE, record.heartbeat, record.source, now)
        elif record.status > peer.status and (
            record.heartbeat == peer.heartbeat or newer(record.heartbeat, peer.heartbeat)
        ):
            self._doubts.told(peer, record, now)
        elif record.status == Status.SUSPECTED and not peer.live and newer(record.heartbeat, peer.heartbeat):
            self._pings.check(peer, now)  # somebody has seen it alive since it was considered dead

    def _object(self, record: MemberRecord, sender: Address, now: float) -> None:
        """Answer a claim about this node itself with a code above the claim, which shows believers that this node is
        alive."""
        if record.status != Status.ALIVE:
            self._counters.refutations += 1
            accuser = self._peers.get(record.source) if record.source is not None else None
            accuser = accuser or self._peers.get(sender)
            if accuser is not None:
                self._pings.check(accuser, now)

    def _deliver(self, record: BroadcastRecord, sender: Address, now: float) -> None:
        """Take a broadcast, which may be a copy or an invalid one."""
        if not usable(record.origin, self._ipv6) or not may_broadcast(record.origin):
            self._counters.drop(DropReason.BAD_SOURCE)
        elif record.origin == self._local:
            self._counters.drop(DropReason.DUPLICATE)
        elif self._memory.fresh(record, now):
            self._push.broadcast(record, (record.origin, sender), now)
            self._counters.broadcasts_delivered += 1
            origin = record.origin if self._peers.get(record.origin) is not None else None
            self._emit(BroadcastReceived(Origin(str(record.origin), 0, origin), record.index, record.payload))
        else:
            self._counters.drop(DropReason.DUPLICATE)
            self._broadcasts.copy_of(record, sender)
