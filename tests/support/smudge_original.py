"""A scripted model of the original, its defects included, from the specification alone: company for nodes of ours.

It keeps what peers can tell by its datagrams and what an operator sees of it: one accusation for each silent relay,
equal heartbeats accepted both ways, own entry set by hearsay, two sends a change, broadcasts newest first, and
datagrams dropped whole for a broadcast that it can't take. What would crash a real node raises.
"""

from collections.abc import Iterable, Mapping
from ipaddress import ip_address
from math import floor, log
from random import Random
from statistics import fmean, pstdev
from typing import Any

import attrs

from support.recording import RecordingNode
from swim_core import Address, AddressLike, BroadcastReceived, Datagram, Member, MemberDied, Origin, State
from swim_core.address import reachable
from swim_core.keys import Keys
from swim_core.shared.timers import Timers
from swim_core.smudge import (
    BroadcastRecord,
    DecodeError,
    MemberRecord,
    Message,
    Status,
    Verb,
    decode,
    encode,
)

MAX_PAYLOAD = 256
RETRIES = 10


def _nowhere(origin: Address) -> bool:
    return ip_address(origin.host).packed[0] == 0


@attrs.define(eq=False)
class _Entry:
    status: int
    heartbeat: int
    source: Address | None
    emit: int = 0
    retry: int = 1
    countdown: int = 2


@attrs.define(eq=False)
class _Pending:
    kind: str
    sent: float
    target: Address
    requester: Address | None = None


class OriginalNode(RecordingNode):
    """One real node. Its table holds itself and the dead too."""

    def __init__(self, address: Address, interval: float, now: float, entropy: bytes, unix_ms: int) -> None:
        super().__init__(str(address), address, unix_ms, entropy)
        self.itself = Member(str(address), address)
        self.address = address
        self.random = Random(entropy)
        self.timers = Timers()
        self.interval = interval
        self.heartbeat = 0
        self.table: dict[Address, _Entry] = {address: _Entry(Status.ALIVE, 0, address)}
        self.recent: dict[Address, None] = {}
        self.pending: dict[tuple[Address, int], _Pending] = {}
        self.trip_history = [200] * 50
        self.round: list[Address] = []
        self.drawn: set[Address] = set()
        self.ipv6 = ":" in address.host
        self.lost: list[bytes] = []
        self.index = 0
        self.stored: dict[tuple[Address, int], list[Any]] = {}
        self.changes: list[tuple[float, Address, int]] = []
        self.timers.at(now, self._ping_next)
        self.timers.at(now + 0.1, self._check)

    # the face

    def feed_datagram(self, data: bytes, source: AddressLike, *, now: float) -> None:
        try:
            message = decode(data, ipv6=self.ipv6)
        except DecodeError:
            self.lost.append(data)
            return
        told = message.broadcast
        if told is not None and (len(told.payload) > MAX_PAYLOAD or not told.origin.port or _nowhere(told.origin)):
            self.lost.append(data)  # whole, so that a ping stays unanswered
            return
        if message.verb is Verb.PINGREQ and not message.members:
            raise RuntimeError(f"a real node would have crashed: {data.hex()}")
        self._receive(Address(source[0], message.sender_port), message, now)

    def feed_tick(self, *, now: float) -> None:
        self.timers.run(now)

    def poll_deadline(self) -> float | None:
        return self.timers.deadline()

    def join(self, addresses: Iterable[AddressLike], *, now: float) -> None:
        for address in map(reachable, addresses):
            self.table.setdefault(address, _Entry(Status.ALIVE, 0, None))

    def broadcast(self, payload: bytes, *, now: float) -> int:
        self.index += 1
        record = BroadcastRecord(self.address, self.index, payload)
        self.stored[self.address, self.index] = [self._k, record]
        return self.index

    def members(self, *, gone: bool = False) -> tuple[Member, ...]:
        live = (Status.ALIVE, Status.SUSPECTED)
        return tuple(Member(str(a), a) for a, e in self.table.items() if gone or e.status in live)

    # sending

    @property
    def _k(self) -> int:
        return floor(2.5 * log(len(self.table)) + 0.5)

    def _send(self, verb: Verb, code: int, to: Address, first: tuple[MemberRecord, ...] = ()) -> None:
        others = [a for a in self.table if a not in (to, self.address)]
        chosen = sorted((a for a in self.recent if a in others), key=lambda a: -self.table[a].emit)[: self._k]
        for address in chosen:
            self.table[address].emit -= 2
            if self.table[address].emit <= 0:
                self.recent.pop(address)
        chosen = chosen or self.random.sample(others, min(self._k, len(others)))
        records = [MemberRecord(e.status, a, e.heartbeat, e.source) for a in chosen for e in [self.table[a]]]
        message = Message(verb, self.address.port, code, (*first, *records), self._emission())
        self.out.append(Datagram(encode(message, ipv6=self.ipv6), to))

    def _emission(self) -> BroadcastRecord | None:
        if not self.stored:
            return None
        best = max(self.stored.values(), key=lambda item: item[0])
        best[0] -= 1
        record: BroadcastRecord = best[1]
        if best[0] <= -100:
            del self.stored[record.origin, record.index]
        return record if best[0] >= 0 else None

    # receiving

    def _receive(self, sender: Address, message: Message, now: float) -> None:
        self.heartbeat = max(self.heartbeat, message.code - 1)
        for record in message.members:
            self._learn(record, now)
        known = self.table.get(sender)
        if known is None:
            self.table[sender] = _Entry(Status.UNKNOWN, 0, None)
            self._set(sender, Status.ALIVE, message.code, self.address, now)
        elif message.code > known.heartbeat:
            self._set(sender, Status.ALIVE, message.code, self.address, now)
        if message.broadcast is not None:
            self._deliver(message.broadcast)
        if message.verb in (Verb.PING, Verb.NFPING):
            self._send(Verb.ACK, message.code, sender)
        elif message.verb is Verb.ACK:
            self._acked(sender, message.code, now)
        elif message.members[0].status == Status.FORWARD_TO:
            target, code = message.members[0].address, message.members[0].heartbeat
            self.pending[target, code] = _Pending("N", now, target, sender)
            self._send(Verb.NFPING, code, target)

    def _learn(self, record: MemberRecord, now: float) -> None:
        known = self.table.get(record.address)
        if record.status == Status.FORWARD_TO or (known is not None and record.heartbeat < known.heartbeat):
            return
        if record.status == Status.DEAD and record.address == self.address:
            return
        self.table.setdefault(record.address, _Entry(Status.UNKNOWN, 0, None))
        status = Status.ALIVE if known is None and record.status == Status.UNKNOWN else record.status
        self._set(record.address, status, record.heartbeat, record.source, now)

    def _set(self, address: Address, status: int, heartbeat: int, source: Address | None, now: float) -> None:
        entry = self.table[address]
        if entry.status == status:
            return
        entry.status, entry.heartbeat, entry.source, entry.emit = status, heartbeat, source, self._k
        entry.retry, entry.countdown = 1, 2
        self.recent[address] = None
        self.changes.append((now, address, status))
        if status == Status.DEAD:
            self.told.append(MemberDied(Member(str(address), address, state=State.DEAD)))

    def _deliver(self, record: BroadcastRecord) -> None:
        key = (record.origin, record.index)
        if key not in self.stored:
            self.stored[key] = [self._k, record]
            if record.origin != self.address:
                self.told.append(BroadcastReceived(Origin(str(record.origin), 0, None), record.index, record.payload))

    def _acked(self, sender: Address, code: int, now: float) -> None:
        pending = self.pending.pop((sender, code), None)
        if pending is None:
            return
        if pending.kind == "P":
            self.trip_history = [*self.trip_history[1:], max(150, floor((now - pending.sent) * 1000))]
        elif pending.kind == "N" and pending.requester is not None:
            self._send(Verb.ACK, code, pending.requester)
        elif pending.kind == "R":
            self._send(Verb.ACK, 0, pending.target)

    # time

    def _ping_next(self, now: float) -> None:
        self.timers.at(now + self.interval, self._ping_next)
        fresh = not self.round or self.drawn != self.table.keys()
        if fresh:
            self._draw()
        if not self._ping_one_due(now) and not fresh:  # a whole round of none that is due takes one interval
            self._draw()
            self._ping_one_due(now)

    def _draw(self) -> None:
        self.drawn = set(self.table)
        self.round = [a for a in self.table if a != self.address]
        self.random.shuffle(self.round)

    def _ping_one_due(self, now: float) -> bool:
        while self.round:
            target = self.round.pop()
            if self._is_due(target):
                self.heartbeat = (self.heartbeat + 1) % 2**32
                self.pending[target, self.heartbeat] = _Pending("P", now, target)
                self._send(Verb.PING, self.heartbeat, target)
                return True
        return False

    def _is_due(self, target: Address) -> bool:
        entry = self.table[target]
        if entry.status != Status.DEAD:
            return True
        entry.countdown -= 1
        if entry.countdown:
            return False
        entry.retry += 1
        if entry.retry > RETRIES:
            del self.table[target]
            self.recent.pop(target, None)
            return False
        entry.countdown = 2**entry.retry
        return True

    def _check(self, now: float) -> None:
        self.timers.at(now + 0.1, self._check)
        timeout = floor(fmean(self.trip_history) + 3 * pstdev(self.trip_history)) / 1000
        for key, pending in list(self.pending.items()):
            if now - pending.sent > timeout * (2 if pending.kind == "R" else 1):
                del self.pending[key]
                self._late(pending, now)

    def _late(self, pending: _Pending, now: float) -> None:
        if pending.kind != "P":
            self._accuse(pending.target, now)
            return
        target = pending.target
        relays = [a for a, e in self.table.items() if e.status != Status.DEAD and a not in (target, self.address)]
        for relay in self.random.sample(relays, min(self._k, len(relays))):
            self.pending[relay, self.heartbeat] = _Pending("R", now, target)
            source = self.table[target].source if target in self.table else None
            first = MemberRecord(Status.FORWARD_TO, target, self.heartbeat, source)
            self._send(Verb.PINGREQ, self.heartbeat, relay, (first,))
        if not relays and target in self.table:
            self._set(target, Status.DEAD, self.heartbeat, self.address, now)

    def _accuse(self, target: Address, now: float) -> None:
        entry = self.table.get(target)
        if entry is not None and entry.status != Status.DEAD:
            worse = Status.DEAD if entry.status == Status.SUSPECTED else Status.SUSPECTED
            self._set(target, worse, self.heartbeat, self.address, now)


@attrs.frozen(kw_only=True)
class OriginalConfig:
    """Makes real nodes, or peers of another kind that is derived from them."""

    kind: type[OriginalNode] = OriginalNode
    interval: float = 0.5
    event_buffer: int = 16
    tripwires: bool = False
    discovery: None = None
    join_backoff_max: float = 60.0
    listen: None = None
    seeds: tuple[tuple[str, int], ...] = ()

    def create_node(
        self,
        name: str,
        address: AddressLike,
        *,
        now: float,
        entropy: bytes,
        unix_ms: int,
        metadata: Mapping[str, str] | None = None,
        keys: Keys | None = None,
    ) -> OriginalNode:
        return self.kind(reachable(address), self.interval, now, entropy, unix_ms)
