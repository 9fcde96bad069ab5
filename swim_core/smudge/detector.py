"""Failure detection: pings, and the steps after which a node that does not answer is suspected and declared dead.

Four things differ from the original, none of which its nodes can see. A silent node is asked again, directly and
through relays, until all of them have failed; one relay's silence proves nothing. What others claim about a node is
checked before it is believed. Any datagram from a node proves that it is alive. And a node that hears nobody accuses
nobody: before a verdict it pings others, and one of them must have answered.
"""

from collections.abc import Callable
from random import Random

import msgspec

from swim_core.address import Address
from swim_core.counters import Counters
from swim_core.events import Event
from swim_core.member import Rule
from swim_core.shared.local_health import LocalHealth
from swim_core.shared.timers import Timer, Timers

from .codec import MemberRecord, Status, Verb
from .doubts import SPACING, Doubts
from .heartbeat import Heartbeat
from .outbox import Outbox
from .peers import Peer, Peers, customary
from .pings import Pings
from .push import Push
from .roundtrips import RoundTrips
from .status import StatusRules

__all__ = ["Detector"]

ASKINGS = 3  # how often each relay is asked, with the same code, which a real relay takes for one request
REFUSALS = 2
APART = 0.03  # seconds between the first refusal and the last
UNREACHED = 0.15  # seconds without a relay's word that make two refusals a death
TESTS = 3  # nodes pinged at a time to learn whether this node hears at all


class _Inquiry(msgspec.Struct, eq=False):
    """The investigation of a node that has not answered: the first part ends in suspicion, the second in death."""

    peer: Peer
    code: int = 0
    pinged: int = 0
    since: float = 0.0
    until: float = 0.0
    relays: dict[Address, None] = msgspec.field(default_factory=dict)
    askings: int = 0
    refused: list[float] = msgspec.field(default_factory=list)
    timer: Timer | None = None


class Detector:
    """Investigates nodes that don't answer, and judges them.

    Attributes:
        pings: all pings of this node.
        doubts: what others claim.
    """

    def __init__(
        self,
        local: Address,
        peers: Peers,
        heartbeat: Heartbeat,
        trips: RoundTrips,
        statuses: StatusRules,
        outbox: Outbox,
        push: Push,
        timers: Timers,
        random: Random,
        counters: Counters,
        emit: Callable[[Event], None],
        health: LocalHealth,
        on_answer: Callable[[float], None],
    ) -> None:
        self._local = local
        self._peers = peers
        self._heartbeat = heartbeat
        self._trips = trips
        self._statuses = statuses
        self._outbox = outbox
        self._push = push
        self._timers = timers
        self._random = random
        self._health = health
        self._inquiries: dict[Address, _Inquiry] = {}
        self.pings = Pings(
            peers,
            heartbeat,
            trips,
            outbox,
            timers,
            random,
            counters,
            emit,
            on_answer=on_answer,
            on_silence=self._unanswered,
        )
        self.doubts = Doubts(peers, heartbeat, trips, statuses, timers, self.pings)

    def __len__(self) -> int:
        """The nodes under investigation."""
        return len(self._inquiries.keys() | self.doubts.addresses)

    def drop(self) -> None:
        """Forget everything that waits for an answer: this process stalled, so it heard none."""
        self.pings.drop()
        self.doubts.drop()
        for inquiry in self._inquiries.values():
            if inquiry.timer is not None:
                inquiry.timer.cancel()
        self._inquiries.clear()

    # ------------------------------------------------------------------ signs of life

    def answered(self, address: Address, code: int, now: float) -> None:
        """Take an ACK to a ping of this node, or from a relay whose ping was answered."""
        if self.pings.answered(address, code, now):
            return
        for inquiry in list(self._inquiries.values()):
            if inquiry.code == code and address in inquiry.relays:
                self.pings.note_answer(now)
                self._statuses.note(inquiry.peer, "a relay reached it", now, str(address))
                self.lives(inquiry.peer, code)
                self._statuses.heard(inquiry.peer, code, now)

    def lives(self, peer: Peer, code: int) -> bool:
        """End the investigation of a node that showed life and a code.

        Returns:
            Whether others doubted it and that settled it (`Doubts.settle`).
        """
        self._end_inquiry(peer)
        return self.doubts.settle(peer, code)

    def forget(self, peer: Peer) -> None:
        """End the investigation of a node that is dead or removed."""
        self._end_inquiry(peer)
        self.doubts.end(peer)

    def _end_inquiry(self, peer: Peer) -> None:
        inquiry = self._inquiries.pop(peer.address, None)
        if inquiry is not None and inquiry.timer is not None:
            inquiry.timer.cancel()

    # ------------------------------------------------------------------ inquiries

    def _unanswered(self, peer: Peer, code: int, sent: float, now: float) -> None:
        if peer.live and peer.heard < sent and not self._health.deaf:
            self._statuses.note(peer, "ping timed out", now, f"code {code}")
            self._inquire(peer, now)

    def _inquire(self, peer: Peer, now: float) -> None:
        if peer.address not in self._inquiries:
            inquiry = self._inquiries[peer.address] = _Inquiry(peer)
            self._begin(inquiry, now)

    def _begin(self, inquiry: _Inquiry, now: float) -> None:
        peer = inquiry.peer
        others = [address for address in self._peers.live if address != peer.address]
        relays = self._random.sample(others, min(customary(len(self._peers)), len(others)))
        inquiry.relays = dict.fromkeys(relays)
        inquiry.code = inquiry.pinged = self._heartbeat.next()
        inquiry.askings = 0
        inquiry.since, inquiry.until = now, now + 2 * self._trips.patience
        self._ask(inquiry, now)

    def _ask(self, inquiry: _Inquiry, now: float) -> None:
        """Ping it again, and have relays ping it, until the time is over."""
        peer = inquiry.peer
        if self._peers.get(peer.address) is not peer or not peer.live:
            self.forget(peer)
            return
        gone = self._refused_enough(inquiry, now)
        if gone or now >= inquiry.until:
            self._judge(inquiry, now, gone=gone)
            return
        if inquiry.pinged != self._heartbeat.value:
            inquiry.pinged = self._heartbeat.next()
        self._outbox.send(Verb.PING, inquiry.pinged, peer.address)
        if inquiry.askings and self.pings.nobody_answers_since(inquiry.since):
            others = [address for address in self._peers.live if address != peer.address]
            for address in self._random.sample(others, min(TESTS, len(others))):
                self.pings.ping(address, now, inquire=False)
        if inquiry.askings < ASKINGS:
            target = MemberRecord(Status.FORWARD_TO, peer.address, inquiry.code, peer.source)
            for relay in inquiry.relays:
                self._outbox.send(Verb.PINGREQ, inquiry.code, relay, first=target)
        inquiry.askings += 1
        due = min(now + SPACING, inquiry.until)
        inquiry.timer = self._timers.at(due, lambda at: self._ask(inquiry, at))

    def _refused_enough(self, inquiry: _Inquiry, now: float) -> bool:
        """Whether it was refused here twice, some time apart, and no relay has reached it."""
        refused = inquiry.refused
        apart = len(refused) >= REFUSALS and refused[-1] - refused[0] >= APART
        return apart and now - inquiry.since >= UNREACHED

    def _judge(self, inquiry: _Inquiry, now: float, *, gone: bool) -> None:
        peer, own = inquiry.peer, self._heartbeat.value
        if not gone and self.pings.nobody_answers_since(inquiry.since):
            self._statuses.note(peer, "nobody answers", now)
            self._inquiries.pop(peer.address, None)
            return
        if peer.status is Status.ALIVE:
            self._statuses.note(peer, "all relays failed", now, f"{len(inquiry.relays)} asked")
            self._statuses.set(peer, Status.SUSPECTED, own, self._local, now, Rule.SUSPICION)
            if not gone:
                self._push.verdict(now)
                self._begin(inquiry, now)
                return
        self._statuses.set(peer, Status.DEAD, own, self._local, now, Rule.GONE if gone else Rule.SILENT)
        self._push.verdict(now)
        self.forget(peer)

    def refused(self, peer: Peer, verb: Verb, now: float) -> None:
        """Take a kernel's report that nobody listens at a node's address, in answer to a datagram of that verb.

        A refused NFPING is investigated by the node that asked for it. Like an answer, a kernel's report shows that the
        path is open in both directions.
        """
        self.pings.note_answer(now)
        if not peer.live:
            return
        self._statuses.note(peer, "refused", now, verb.name)
        peer.refused = now
        self.doubts.refused(peer, now)
        if peer.live and verb is not Verb.NFPING and now - peer.checked >= self._trips.patience:
            peer.checked = now  # a kernel that refuses answers must not start a storm
            self._inquire(peer, now)
        inquiry = self._inquiries.get(peer.address)
        if inquiry is not None:
            inquiry.refused.append(now)
