"""One Smudge node driven by hand: messages and ticks in, messages and events out."""

from collections.abc import Callable
from typing import Any, TypeVar

import attrs

from swim_core import Address, Event, KernelEvidence, State
from swim_core.smudge import (
    BroadcastRecord,
    MemberRecord,
    Message,
    SmudgeConfig,
    SmudgeNode,
    Status,
    Verb,
    decode,
    encode,
)

UNIX_MS = 1_690_000_000_000  # heartbeats begin at 0
PORT = 9999
ME = Address("10.0.0.1", PORT)
T = 0.2  # seconds: how long a ping waits for its answer at first
RTT = 0.001

E = TypeVar("E")


def at(number: int) -> Address:
    """The address of the peer with that number, from 2 on."""
    return Address(f"10.0.0.{number}", PORT)


@attrs.frozen
class Sent:
    """What the node put out."""

    at: float
    to: Address
    message: Message
    data: bytes = attrs.field(repr=False)

    @property
    def verb(self) -> Verb:
        return self.message.verb

    @property
    def code(self) -> int:
        return self.message.code


class Hand:
    """A node, its clock, and all that came out of it."""

    def __init__(self, *, knows: int = 0, unix_ms: int = UNIX_MS, address: Address = ME, **config: Any) -> None:
        """Make a node that knows ``knows`` peers, from number 2 on, which answer its pings until told not to."""
        self.now = 0.0
        self.config = SmudgeConfig(**{"multicast_enabled": False, **config})
        self.address = address
        self.ipv6 = ":" in address.host
        self.node = SmudgeNode(address, config=self.config, now=0.0, entropy=bytes(32), unix_ms=unix_ms)
        self.answering: set[Address] = set()
        self.refusing: set[Address] = set()
        self.sent: list[Sent] = []
        self.events: list[Event] = []
        self._due: list[tuple[float, Callable[[], object]]] = []
        for number in range(2, 2 + knows):
            self.feed(at(number), Message(Verb.PING, PORT, 1))
            self.answering.add(at(number))
        if knows:
            self.run(1.0)
            self.clear()

    # in

    def feed(self, source: Address, message: Message, *, ephemeral: int = 40_000) -> list[Sent]:
        """Feed a message; returns what was sent at once."""
        return self.feed_bytes(encode(message, ipv6=self.ipv6), Address(source.host, ephemeral))

    def feed_bytes(self, data: bytes, source: Address) -> list[Sent]:
        self.node.feed_datagram(data, source, now=self.now)
        return self.drain()

    def tell(self, source: Address, *records: MemberRecord, code: int = 0) -> list[Sent]:
        """Feed gossip, in an ACK that answers nothing."""
        return self.feed(source, Message(Verb.ACK, PORT, code, records))

    def run(self, seconds: float) -> list[Sent]:
        """Let time pass; returns what was sent in it."""
        start, end = len(self.sent), self.now + seconds
        self.drain()
        while True:
            deadline = self.node.poll_deadline()
            self._due.sort(key=lambda item: item[0])
            arrival = self._due[0][0] if self._due else end + 1
            now = min(end, arrival, max(self.now, deadline) if deadline is not None else end)
            self.now = now
            if arrival <= now:
                self._due.pop(0)[1]()
            elif deadline is not None and deadline <= now:
                self.node.feed_tick(now=now)
            else:
                return self.sent[start:]
            self.drain()

    # out

    def drain(self) -> list[Sent]:
        new = []
        while (datagram := self.node.poll_datagram()) is not None:
            message = decode(datagram.payload, ipv6=self.ipv6)
            sent = Sent(self.now, datagram.destination, message, datagram.payload)
            new.append(sent)
            self._react(sent)
        while (event := self.node.poll_event()) is not None:
            self.events.append(event)
        self.sent += new
        return new

    def _react(self, sent: Sent) -> None:
        if sent.to in self.answering and sent.verb in (Verb.PING, Verb.NFPING):
            ack = Message(Verb.ACK, sent.to.port, sent.code)
            self._due.append((self.now + RTT, lambda: self.feed(sent.to, ack)))
        if sent.to in self.refusing:
            refused = KernelEvidence.REFUSED_UDP
            self._due.append(
                (self.now + RTT, lambda: self.node.feed_evidence(refused, sent.to, sent.data, now=self.now))
            )

    def clear(self) -> None:
        self.sent.clear()
        self.events.clear()

    def of(self, verb: Verb, to: Address | None = None) -> list[Sent]:
        """What was sent of a kind."""
        return [sent for sent in self.sent if sent.verb is verb and to in (None, sent.to)]

    def heard(self, kind: type[E]) -> list[E]:
        """The events of a class."""
        return [event for event in self.events if isinstance(event, kind)]

    def state(self, number: int) -> State | None:
        member = self.node.member(str(at(number)))
        return member.state if member is not None else None


def record(
    status: int, number: int, heartbeat: int, source: Address | None = None, *, address: Address | None = None
) -> MemberRecord:
    return MemberRecord(status, address or at(number), heartbeat, source)


def ping(
    code: int, *records: MemberRecord, verb: Verb = Verb.PING, broadcast: BroadcastRecord | None = None
) -> Message:
    return Message(verb, PORT, code, records, broadcast)


def pingreq(code: int, target: Address, heartbeat: int) -> Message:
    return Message(Verb.PINGREQ, PORT, code, (MemberRecord(Status.FORWARD_TO, target, heartbeat, None),))
