"""Failure detection: pings, and the steps after which a node that does not answer is suspected and declared dead.

Four things differ from the original, none of which its nodes can see. A silent node is asked again, directly and
through relays, until all of them have failed; one relay's silence proves nothing. What others claim about a node is
checked before it is believed. Any datagram from a node proves that it is alive. And a node that hears nobody accuses
nobody: before a verdict it pings others, and one of them must have answered.
"""

from collections.abc import Callable
from math import inf
from random import Random

import msgspec

from swim_core.address import Address
from swim_core.counters import Counters
from swim_core.events import Event, MemberPinged
from swim_core.member import Rule
from swim_core.shared.local_health import SEVERAL, LocalHealth
from swim_core.shared.timers import Timer, Timers

from .codec import MemberRecord, Status, Verb
from .heartbeat import Heartbeat
from .outbox import Outbox
from .peers import Peer, Peers, customary
from .push import Push
from .roundtrips import RoundTrips
from .status import StatusRules

__all__ = ["Detector"]

ASKINGS = 3  # how often each relay is asked, with the same code, which a real relay takes for one request
SPACING = 0.06  # seconds between askings: a real relay's wait (150 ms) must not end before the next
REFUSALS = 2
APART = 0.03  # seconds between the first refusal and the last
UNREACHED = 0.15  # seconds without a relay's word that make two refusals a death
TESTS = 3  # nodes pinged at a time to learn whether this node hears at all
FRESH = 1.0  # seconds for which a refusal confirms what others claim


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


class _Doubt(msgspec.Struct, eq=False):
    """The check of what others claim about a node."""

    record: MemberRecord
    since: float
    timer: Timer


class Detector:
    """Pings nodes and judges those that don't answer."""

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
        self._counters = counters
        self._emit = emit
        self._health = health
        self._on_answer = on_answer
        self._last_answer = -inf
        self._pings: dict[tuple[Address, int], tuple[float, Timer]] = {}
        self._asked: dict[tuple[Address, int], Timer] = {}
        self._inquiries: dict[Address, _Inquiry] = {}
        self._doubts: dict[Address, _Doubt] = {}

    def __len__(self) -> int:
        """The nodes under investigation."""
        return len(self._inquiries.keys() | self._doubts.keys())

    def drop(self) -> None:
        """Forget everything that waits for an answer: this process stalled, so it heard none."""
        for _, timer in self._pings.values():
            timer.cancel()
        for doubt in self._doubts.values():
            doubt.timer.cancel()
        for inquiry in self._inquiries.values():
            if inquiry.timer is not None:
                inquiry.timer.cancel()
        self._pings.clear()
        self._doubts.clear()
        self._inquiries.clear()

    # ------------------------------------------------------------------ pings

    def ask(self, peer: Peer, now: float) -> None:
        """Ping a node for the application, which is told the outcome."""
        code = self.ping(peer.address, now)
        timer = self._timers.at(now + self._trips.patience, lambda _: self._tell(peer, code, None))
        self._asked[peer.address, code] = timer

    def _tell(self, peer: Peer, code: int, round_trip: float | None) -> None:
        timer = self._asked.pop((peer.address, code), None)
        if timer is not None:
            timer.cancel()
            self._emit(MemberPinged(peer.member, round_trip))

    def ping(self, address: Address, now: float, *, inquire: bool = True) -> int:
        """Send a PING with a fresh code, which is returned. A live node of the table that doesn't answer is
        investigated.

        If ``inquire`` is false it is not: an answer is welcome, but silence says nothing about that node.
        """
        code = self._heartbeat.next()
        peer = self._peers.get(address)
        if peer is not None:
            peer.unanswered += 1
        timer = self._timers.at(now + self._trips.patience, lambda at: self._late(address, code, at, inquire=inquire))
        self._pings[address, code] = (now, timer)
        self._outbox.send(Verb.PING, code, address)
        return code

    def greet(self, now: float) -> None:
        """Ping k(n) nodes after they are heard again: they may hold this one to be dead."""
        live = self._peers.live
        for address in self._random.sample(live, min(customary(len(self._peers)), len(live))):
            self.ping(address, now)

    def check(self, peer: Peer, now: float) -> None:
        """Ping a node out of turn: its answer refutes what is claimed about it.

        This happens at most once in half a timeout, whatever the reason.
        """
        if now - peer.checked < self._trips.patience / 2:
            return
        peer.checked = now
        self.ping(peer.address, now)

    def awaits(self, address: Address, code: int) -> bool:
        """Whether an ACK would answer a ping of this node."""
        return (address, code) in self._pings

    def answered(self, address: Address, code: int, now: float) -> None:
        """Take an ACK to a ping of this node, or from a relay whose ping was answered."""
        ping = self._pings.pop((address, code), None)
        peer = self._peers.get(address)
        if ping is not None:
            sent, timer = ping
            timer.cancel()
            self._trips.add(now - sent)
            self._note_answer(now)
            if peer is not None:
                peer.proven, peer.round_trip, peer.unanswered = True, now - sent, 0
                self._tell(peer, code, now - sent)
            return
        for inquiry in list(self._inquiries.values()):
            if inquiry.code == code and address in inquiry.relays:
                self._note_answer(now)
                self._statuses.note(inquiry.peer, "a relay reached it", now, str(address))
                self.lives(inquiry.peer, code)
                self._statuses.heard(inquiry.peer, code, now)

    def _note_answer(self, now: float) -> None:
        self._last_answer = now
        self._on_answer(now)

    def _late(self, address: Address, code: int, now: float, *, inquire: bool) -> None:
        ping = self._pings.pop((address, code), None)
        peer = self._peers.get(address)
        if ping is None or peer is None:
            return
        self._counters.probes_failed += 1
        if inquire and peer.live and peer.heard < ping[0] and not self._health.deaf:
            self._statuses.note(peer, "ping timed out", now, f"code {code}")
            self._inquire(peer, now)

    def lives(self, peer: Peer, code: int) -> bool:
        """End the investigation of a node that showed life and a code.

        Only a code above the claims of others settles these, since only such a code convinces them.

        Returns:
            Whether others doubted it and it settled that.
        """
        self._end_inquiry(peer)
        doubt = self._doubts.get(peer.address)
        if doubt is None or not code or not self._heartbeat.newer(code, doubt.record.heartbeat):
            return False
        self._end_doubt(peer)
        return True

    def forget(self, peer: Peer) -> None:
        """End the investigation of a node that is dead or removed."""
        self._end_inquiry(peer)
        self._end_doubt(peer)

    def _end_inquiry(self, peer: Peer) -> None:
        inquiry = self._inquiries.pop(peer.address, None)
        if inquiry is not None and inquiry.timer is not None:
            inquiry.timer.cancel()

    def _end_doubt(self, peer: Peer) -> None:
        doubt = self._doubts.pop(peer.address, None)
        if doubt is not None:
            doubt.timer.cancel()

    # ------------------------------------------------------------------ what others claim

    def rumour(self, peer: Peer, record: MemberRecord, now: float) -> None:
        """Check the claim that a node which seems alive is suspected or dead: it is believed if the node doesn't answer
        in time.

        A refusal by its kernel is answer enough.
        """
        doubt = self._doubts.get(peer.address)
        if (doubt is not None and now - max(doubt.since, peer.heard) >= self._trips.patience) or self._was_refused(
            peer, now
        ):
            self._believe(peer, record, now)
            return
        if doubt is None:
            timer = self._timers.at(now + self._trips.patience, lambda at: self._unanswered(peer, at))
            self._doubts[peer.address] = _Doubt(record, now, timer)
            for wait in (SPACING, 2 * SPACING):
                self._timers.at(now + wait, lambda at: self._check_again(peer, at))
        elif record.status > doubt.record.status:
            doubt.record = record
        self.check(peer, now)

    def _check_again(self, peer: Peer, now: float) -> None:
        if peer.address in self._doubts:
            self.ping(peer.address, now)

    def _unanswered(self, peer: Peer, now: float) -> None:
        """The doubt is kept, so that worse claims about the same silence need no second check."""
        doubt = self._doubts.get(peer.address)
        if doubt is not None and peer.heard > doubt.since:
            del self._doubts[peer.address]  # it is alive, though it has no code that says so to the others
        elif doubt is not None:
            self._believe(peer, doubt.record, now)

    def _believe(self, peer: Peer, record: MemberRecord, now: float) -> None:
        if self._peers.get(peer.address) is peer and record.status > peer.status:
            self._statuses.set(peer, Status(record.status), record.heartbeat, record.source, now)

    # ------------------------------------------------------------------ inquiries

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
        if inquiry.askings and self._hears_nobody_since(inquiry.since):
            others = [address for address in self._peers.live if address != peer.address]
            for address in self._random.sample(others, min(TESTS, len(others))):
                self.ping(address, now, inquire=False)
        if inquiry.askings < ASKINGS:
            target = MemberRecord(Status.FORWARD_TO, peer.address, inquiry.code, peer.source)
            for relay in inquiry.relays:
                self._outbox.send(Verb.PINGREQ, inquiry.code, relay, first=target)
        inquiry.askings += 1
        due = min(now + SPACING, inquiry.until)
        inquiry.timer = self._timers.at(due, lambda at: self._ask(inquiry, at))

    def _hears_nobody_since(self, since: float) -> bool:
        """Whether the trouble is more likely this node's own: there are several others, and none of them answers."""
        return len(self._peers.live) + 1 >= SEVERAL and self._last_answer < since

    def _refused_enough(self, inquiry: _Inquiry, now: float) -> bool:
        """Whether it was refused here twice, some time apart, and no relay has reached it."""
        refused = inquiry.refused
        apart = len(refused) >= REFUSALS and refused[-1] - refused[0] >= APART
        return apart and now - inquiry.since >= UNREACHED

    def _judge(self, inquiry: _Inquiry, now: float, *, gone: bool) -> None:
        peer, own = inquiry.peer, self._heartbeat.value
        if not gone and self._hears_nobody_since(inquiry.since):
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
        self._note_answer(now)
        if not peer.live:
            return
        self._statuses.note(peer, "refused", now, verb.name)
        peer.refused = now
        doubt = self._doubts.get(peer.address)
        if doubt is not None:
            self._believe(peer, doubt.record, now)
        if peer.live and verb is not Verb.NFPING and now - peer.checked >= self._trips.patience:
            peer.checked = now  # a kernel that refuses answers must not start a storm
            self._inquire(peer, now)
        inquiry = self._inquiries.get(peer.address)
        if inquiry is not None:
            inquiry.refused.append(now)

    def _was_refused(self, peer: Peer, now: float) -> bool:
        return peer.refused > peer.heard and now - peer.refused <= FRESH
