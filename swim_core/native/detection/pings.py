"""Pings under way: which ack answers which ping, how long that took, and which refusal quotes a ping."""

from math import inf

import msgspec

from swim_core.address import Address
from swim_core.events import MemberPinged
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.gossip_queue import Piggyback
from swim_core.native.table.entry import Entry
from swim_core.native.wire.messages import Ping
from swim_core.shared.local_health import LocalHealth
from swim_core.shared.timers import Timer

__all__ = ["Pings"]

MAX_KNOWN = 1_024  # pings remembered for late acks; bounds the memory of a node whose peers don't answer


class _Sent(msgspec.Struct):
    to: Entry
    short_id: int
    address: Address
    at: float
    accused: bool
    head: bytes
    refused: bool = False


class Pings:
    """Sends pings and recognises what comes back."""

    def __init__(self, context: NodeContext, health: LocalHealth) -> None:
        self._health = health
        self._longest = context.config.max_probe_timeout
        self._unguessable = context.unguessable
        self._clock = context.clock
        self._outbox = context.outbox
        self._quoted = context.codec.quoted
        self._rtt = context.rtt
        self._timers = context.timers
        self._emit = context.emit
        self._sent: dict[int, _Sent] = {}
        self._asked: dict[int, Timer] = {}

    def ask(self, to: Entry, now: float) -> None:
        """Ping a member for the application, which is told the outcome."""
        seq = self.send(to, now)
        if seq is not None:
            self._asked[seq] = self._timers.at(now + self._rtt.probe_timeout, lambda _: self._tell(seq, to, None))

    def _tell(self, seq: int, to: Entry, round_trip: float | None) -> None:
        timer = self._asked.pop(seq, None)
        if timer is not None:
            timer.cancel()
            self._emit(MemberPinged(to.member, round_trip))

    def send(self, to: Entry, now: float, *, accused: int | None = None, riding: Piggyback | None = None) -> int | None:
        """Ping a member; ``accused`` is the incarnation under watch. Returns the seq; None if it may not be sent."""
        seq = self._unguessable.u32()
        short_id = to.short_id
        if accused is not None and riding is None:
            riding = Piggyback()  # no pending items: a path that swallows large datagrams must kill nobody
        data = self._outbox.send(Ping(seq, short_id, self._clock.read(now), accused), to, now, riding=riding)
        if data is None:
            return None
        to.unanswered += 1
        self._sent[seq] = _Sent(to, short_id, to.address, now, accused is not None, data[: self._quoted])
        if len(self._sent) > MAX_KNOWN:
            del self._sent[next(iter(self._sent))]
        return seq

    def acked(self, seq: int, short_id: int, source: Address, now: float) -> bool:
        """Whether an ack answers a ping of this node. If so, the round trip of a probe is recorded. Those of a watch's
        pings are not: a member that stalled answers them all late and at once when it wakes.
        """
        sent = self._sent.get(seq)
        if sent is None or sent.short_id != short_id or sent.address != source:
            return False
        del self._sent[seq]
        to, round_trip = sent.to, now - sent.at
        if to.short_id == short_id:
            to.round_trip, to.unanswered = round_trip, 0
        self._health.answered(short_id, in_time=round_trip <= self._longest)
        if not sent.accused:
            self._rtt.add(round_trip)
        if self._asked:
            self._tell(seq, to, round_trip)
        return True

    def other_answered(self, seq: int, source: Address) -> int | None:
        """The short id of the run for which a ping was meant that another run at its address answered; None if there
        was none."""
        sent = self._sent.get(seq)
        if sent is None or sent.address != source:
            return None
        del self._sent[seq]
        return sent.short_id

    def refused(self, destination: Address, quoted: bytes) -> int | None:
        """The short id of the run for which a refused ping was meant; None if no such ping was sent there.

        Each ping is refused once. An ack still counts, since whoever reads the path can forge a refusal.
        """
        if len(quoted) < self._quoted:
            return None
        for seq in reversed(self._sent):
            sent = self._sent[seq]
            if not sent.refused and sent.address == destination and quoted.startswith(sent.head):
                sent.refused = True
                return sent.short_id
        return None

    def unanswered_since(self, to: Entry, now: float) -> float:
        """When the first ping was sent of those to that run since it was last heard; ``now`` if none was."""
        since, heard = now, -inf if to.heard is None else to.heard
        for sent in reversed(self._sent.values()):
            if sent.at < heard:
                break
            if sent.short_id == to.short_id:
                since = sent.at
        return since

    def drop(self) -> None:
        """Forget all pings: this node paused, and they would measure the pause."""
        self._sent.clear()
