"""One node driven by hand: crafted datagrams and ticks in, decoded datagrams and events out.

`Hand` holds the node and the clock. `Peer` is a member that exists only as the datagrams that a test feeds in
its name; those in `Hand.answering` acknowledge the node's pings by themselves, a millisecond later.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import count
from math import inf
from typing import Any, TypeVar

import attrs
from msgspec.structs import replace

from support.datagrams import flags_of, opened, pack_datagram
from swim_core import Address, Config, Event, KernelEvidence, Member, Node, Rule, State
from swim_core.address import pack, unpack
from swim_core.native.wire.claim import Claim, Verdict
from swim_core.native.wire.datagram import NIL, Envelope, encode_item
from swim_core.native.wire.hashing import Hashes
from swim_core.native.wire.messages import (
    Ack,
    Broadcast,
    Join,
    JoinAck,
    Message,
    Number,
    PageEntry,
    Ping,
    SyncPage,
    SyncPush,
    SyncReq,
)
from swim_core.tripwire import greeting_of

UNIX_MS = 1_700_000_000_000
EPOCH = UNIX_MS << 16
HASHES = Hashes("", 4)
RTT = 0.001

M = TypeVar("M")


@attrs.frozen
class Sent:
    """A datagram that the node put out, decoded."""

    at: float
    to: Address
    size: int
    flags: int
    envelope: Envelope
    payload: bytes = attrs.field(repr=False)

    @property
    def message(self) -> Message | None:
        return self.envelope.message

    @property
    def claims(self) -> list[Claim]:
        return self.envelope.claims


@attrs.define(eq=False)
class Peer:
    """A member whose datagrams the test writes."""

    name: str
    address: Address
    epoch: int = EPOCH
    incarnation: int = 0
    metadata: bytes = b""
    hashes: Hashes = HASHES

    @property
    def short_id(self) -> int:
        return self.hashes.short_id(self.name, self.epoch)

    def claim(
        self,
        state: State = State.ALIVE,
        *,
        incarnation: int | None = None,
        by: int = 1,
        rule: Rule | None = None,
        time: int = UNIX_MS,
        metadata: bytes | None = None,
    ) -> Claim:
        """What is claimed of this peer; the verdict, where the state takes one, is by the short id ``by``."""
        usual = {State.SUSPECT: Rule.SUSPICION, State.DEAD: Rule.GONE, State.LEFT: Rule.LEFT}
        verdict = None if state is State.ALIVE else Verdict(by, usual[state] if rule is None else rule, time)
        live = state in (State.ALIVE, State.SUSPECT)
        return Claim(
            self.name,
            self.epoch,
            pack(self.address),
            self.incarnation if incarnation is None else incarnation,
            state,
            (self.metadata if metadata is None else metadata) if live else None,
            verdict,
        )

    def datagram(
        self,
        message: Message | None = None,
        *,
        claims: Iterable[Claim] = (),
        numbers: Iterable[Number] = (),
        broadcasts: Iterable[Broadcast] = (),
        flags: int = 0,
    ) -> bytes:
        """The bytes of a datagram of this peer."""
        return pack_datagram(
            self.hashes.label,
            flags,
            self.short_id,
            NIL if message is None else encode_item(message),
            [encode_item(claim) for claim in claims],
            [encode_item(number) for number in numbers],
            [encode_item(broadcast) for broadcast in broadcasts],
        )


def peer(number: int, name: str | None = None, **fields: Any) -> Peer:
    """The peer with that number, 1 to 60,000, which is in its name and its address."""
    return Peer(name or f"p{number}", Address(f"10.0.{number // 250}.{number % 250 + 2}", 7946), **fields)


def peers(count: int, first: int = 1) -> list[Peer]:
    return [peer(number) for number in range(first, first + count)]


class Hand:
    """A node, its clock, and all that came out of it since the last `clear`."""

    def __init__(
        self,
        name: str = "me",
        *,
        knows: Sequence[Peer] = (),
        config: Config | None = None,
        now: float = 0.0,
        seed: int = 0,
        unix_ms: int = UNIX_MS,
        metadata: dict[str, str] | None = None,
        address: tuple[str, int] = ("10.0.0.1", 7946),
    ) -> None:
        self.now = now
        self.config = config or Config.lan()
        self.hashes = Hashes(self.config.cluster, self.config.rings)
        self.node = Node(
            name,
            address,
            config=self.config,
            now=now,
            entropy=seed.to_bytes(32, "big"),
            unix_ms=unix_ms,
            metadata=metadata,
        )
        self.answering: list[Peer] = []
        self.hearsay = True
        self._views: dict[tuple[str, int, int], int] = {}
        self._told_of: dict[int, Claim] = {}  # by short id, the peers that are claimed to live
        self.reaction: Callable[[Sent], object] | None = None
        self.sent: list[Sent] = []
        self.events: list[Event] = []
        self.event_times: list[float] = []
        self._due: list[tuple[float, int, Callable[[], object]]] = []
        self._order = count()
        if knows:
            for known in knows:
                self.introduce(known)
            self.feed(knows[0])
            self.answering = list(knows)
            self.run(0.3)
            self.clear()

    # ------------------------------------------------------------------ in

    def feed(
        self, source: Peer, message: Message | None = None, *, at: Address | None = None, **parts: Any
    ) -> list[Sent]:
        """Feed a datagram of a peer, from its address or ``at``; returns what the node sent at once."""
        entries = message.entries if isinstance(message, SyncPage | SyncPush) else ()
        self.exist(*parts.get("claims", ()), *(entry.claim for entry in entries))
        return self.feed_bytes(source.datagram(message, **parts), at or source.address)

    def push(self, source: Peer, told: Iterable[Peer]) -> list[Sent]:
        """Feed what a peer tells of others in a sync; returns what the node sent at once."""
        return self.feed(source, SyncPush([PageEntry(each.claim(), 0) for each in told]))

    def exist(self, *claims: Claim) -> None:
        """Have the node see these members alive."""
        for claim in claims:
            self._told_of[self.hashes.short_id(claim.name, claim.epoch)] = claim

    def introduce(self, newcomer: Peer, *, members: int = 1) -> None:
        """Have a stranger join, in both steps, from a cluster with ``members`` members. Anybody who is known can bring
        the claims of others."""
        interval, stall = round(self.config.probe_interval * 1000), round(self.config.stall_tolerance * 1000)
        join = Join(1, newcomer.name, interval, self.config.rings, stall, 1200, padding=bytes(700), members=members)
        replies = [sent.message for sent in self.feed(newcomer, join) if isinstance(sent.message, JoinAck)]
        self.feed(newcomer, replace(join, cookie=replies[0].cookie, claim=newcomer.claim()))

    def come_by(self, seed: Peer) -> SyncReq:
        """Have the node ask a seed, which lets it in; returns the sync that it then asks for."""
        self.node.join([seed.address], now=self.now)
        self.collect()
        for cookie in (b"cookie", None):
            join = next(sent.message for sent in reversed(self.sent) if sent.to == seed.address)
            assert isinstance(join, Join)
            own = None if cookie else seed.claim()
            self.feed(seed, JoinAck(join.seq, cookie, self.cluster_time, 1000, 4, 5000, None, own))
        return self.messages(SyncReq)[-1]

    def feed_bytes(self, data: bytes, source: Address | tuple[str, int]) -> list[Sent]:
        self.node.feed_datagram(data, source, now=self.now)
        return self.collect()

    def evidence(self, kind: KernelEvidence, about: Address, quoted: bytes = b"") -> list[Sent]:
        self.node.feed_evidence(kind, about, quoted, now=self.now)
        return self.collect()

    def greet(self, who: Peer) -> None:
        """Have a peer greet a tripwire of the node."""
        self.node.enable_tripwires(now=self.now)
        self.evidence(KernelEvidence.CONNECTED, who.address, self.greeting(who))

    def lose(self, who: Peer) -> list[Sent]:
        """Break that tripwire."""
        return self.evidence(KernelEvidence.CONNECTION_LOST, who.address, self.greeting(who))

    def greeting(self, who: Peer) -> bytes:
        """What a peer says first on a connection."""
        return greeting_of(self.hashes.label, who.short_id)

    def connects(self) -> list[Address]:
        """The addresses to which the node has wanted connections since the last call."""
        return list(iter(self.node.poll_connect, None))

    def run(self, seconds: float, *, watch: Callable[[], object] | None = None) -> bool:
        """Let time pass, tick by tick and ack by ack; stops early, and returns True, when ``watch`` holds."""
        end = self.now + seconds
        while True:
            deadline = self.node.poll_deadline()
            next_tick = inf if deadline is None else deadline
            next_due = self._due[0][0] if self._due else inf
            if min(next_tick, next_due) > end:
                break
            if next_due <= next_tick:
                at, _, action = heapq.heappop(self._due)
                self.now = max(self.now, at)
                action()
            else:
                self.now = max(self.now, next_tick)
                self.node.feed_tick(now=self.now)
                self.collect()
            if watch is not None and watch():
                return True
        self.now = end
        return False

    def until(self, condition: Callable[[], object], limit: float) -> float:
        """Let time pass until a condition holds; returns how long it took, and fails after ``limit`` seconds."""
        start = self.now
        assert condition() or self.run(limit, watch=condition), f"did not happen within {limit} s"
        return self.now - start

    def after(self, seconds: float, action: Callable[[], object]) -> None:
        """Do something once this much more time has passed in `run`."""
        heapq.heappush(self._due, (self.now + seconds, next(self._order), action))

    def sleep(self, seconds: float) -> None:
        """Pause the process: what is due meanwhile is not done."""
        self.now += seconds

    # ------------------------------------------------------------------ out

    def collect(self) -> list[Sent]:
        """Drain the node; returns the datagrams."""
        fresh = []
        while (datagram := self.node.poll_datagram()) is not None:
            flags = flags_of(datagram.payload)
            sent = Sent(
                self.now,
                datagram.destination,
                len(datagram.payload),
                flags,
                opened(datagram.payload),
                datagram.payload,
            )
            fresh.append(sent)
            self._answer(sent)
            if self.reaction is not None:
                self.reaction(sent)
        self.sent += fresh
        while (event := self.node.poll_event()) is not None:
            self.events.append(event)
            self.event_times.append(self.now)
        return fresh

    def _answer(self, sent: Sent) -> None:
        if not isinstance(sent.message, Ping):
            return
        told = self._told_of.get(sent.message.target)
        if self.hearsay and told is not None and unpack(told.address) == sent.to:
            member = self.node.member(told.name)
            if member is None or not member.state.live:
                self.feed(Peer(told.name, sent.to, told.epoch), Ack(sent.message.seq, self.digest()))
                return
        for answerer in self.answering:
            if (answerer.address, answerer.short_id) == (sent.to, sent.message.target):
                ack = Ack(sent.message.seq, self.digest())
                self.after(RTT, partial(self.feed, answerer, ack))

    def clear_sent(self) -> None:
        """Forget what was sent so far."""
        self.sent.clear()

    def clear(self) -> None:
        """Forget what came out so far."""
        self.sent.clear()
        self.events.clear()
        self.event_times.clear()

    def to(self, *receivers: Peer) -> list[Sent]:
        """What was sent to these peers."""
        addresses = {receiver.address for receiver in receivers}
        return [sent for sent in self.sent if sent.to in addresses]

    def messages(self, kind: type[M], *receivers: Peer) -> list[M]:
        """Messages of one kind that were sent, to these peers or to anybody."""
        sent = self.to(*receivers) if receivers else self.sent
        return [item.message for item in sent if isinstance(item.message, kind)]

    def told(self, name: str, *receivers: Peer) -> list[Claim]:
        """The claims about a name that were sent, to these peers or to anybody."""
        sent = self.to(*receivers) if receivers else self.sent
        return [claim for item in sent for claim in item.claims if claim.name == name]

    def happened(self, kind: type[M]) -> list[M]:
        """Events of one kind."""
        return [event for event in self.events if isinstance(event, kind)]

    # ------------------------------------------------------------------ views

    @property
    def me(self) -> Member:
        return self.node.local

    @property
    def short_id(self) -> int:
        return self.hashes.short_id(self.me.name, self.me.epoch)

    @property
    def as_peer(self) -> Peer:
        """The node itself, as others know it."""
        return Peer(self.me.name, self.me.address, self.me.epoch)

    @property
    def cluster_time(self) -> int:
        """Cluster time, ms, as of the last input."""
        return self.node.statistics().cluster_time

    def digest(self) -> int:
        """The view digest of this node's live members, computed from what it shows."""
        digest = 0
        for member in self.live():
            key = member.name, member.epoch, member.incarnation
            view = self._views.get(key)
            if view is None:  # kept here, since the cache of `Hashes` is too small for some thousand in turn
                view = self._views[key] = self.hashes.view(*key)
            digest ^= view
        return digest

    def live(self) -> list[Member]:
        return [member for member in self.node.members(gone=True) if member.state.live]

    def state(self, who: Peer) -> State | None:
        member = self.node.member(who.name)
        return None if member is None else member.state

    def held(self, who: Peer) -> Member:
        member = self.node.member(who.name)
        assert member is not None
        return member

    def dropped(self, reason: Any) -> int:
        return self.node.statistics().dropped.get(reason, 0)

    def own_claim(
        self, state: State = State.ALIVE, *, incarnation: int | None = None, epoch: int | None = None, by: int = 1
    ) -> Claim:
        """A claim about the node itself, as others would make it."""
        me = self.me
        subject = Peer(me.name, me.address, me.epoch if epoch is None else epoch)
        return subject.claim(state, incarnation=me.incarnation if incarnation is None else incarnation, by=by)

    def deaths_told(self) -> Iterator[Claim]:
        return (claim for sent in self.sent for claim in sent.claims if claim.state is State.DEAD)
