"""Pings to other nodes, and what their answers show."""

from collections.abc import Callable
from math import inf
from random import Random

from swim_core.address import Address
from swim_core.counters import Counters
from swim_core.events import Event, MemberPinged
from swim_core.shared.local_health import SEVERAL
from swim_core.shared.timers import Timer, Timers

from .codec import Verb
from .heartbeat import Heartbeat
from .outbox import Outbox
from .peers import Peer, Peers, customary
from .roundtrips import RoundTrips

__all__ = ["Pings"]

Silence = Callable[[Peer, int, float, float], None]
"""Called with a node that did not answer a ping, the ping's code, when it was sent, and the time."""


class Pings:
    """Sends pings and waits for their answers, each with a code of its own.

    Args:
        on_answer: called with the time whenever a node answers this one.
        on_silence: called when no answer has come in time, unless the ping was not to inquire.
    """

    def __init__(
        self,
        peers: Peers,
        heartbeat: Heartbeat,
        trips: RoundTrips,
        outbox: Outbox,
        timers: Timers,
        random: Random,
        counters: Counters,
        emit: Callable[[Event], None],
        *,
        on_answer: Callable[[float], None],
        on_silence: Silence,
    ) -> None:
        self._peers = peers
        self._heartbeat = heartbeat
        self._trips = trips
        self._outbox = outbox
        self._timers = timers
        self._random = random
        self._counters = counters
        self._emit = emit
        self._on_answer = on_answer
        self._on_silence = on_silence
        self._last_answer = -inf
        self._pings: dict[tuple[Address, int], tuple[float, Timer]] = {}
        self._asked: dict[tuple[Address, int], Timer] = {}

    def drop(self) -> None:
        """Forget those that wait for an answer."""
        for _, timer in self._pings.values():
            timer.cancel()
        self._pings.clear()

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
        """Ping k(n) nodes after they are heard again: they may consider this one dead."""
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

    def answered(self, address: Address, code: int, now: float) -> bool:
        """Take an ACK; returns whether it answers a ping."""
        ping = self._pings.pop((address, code), None)
        if ping is None:
            return False
        sent, timer = ping
        timer.cancel()
        self._trips.add(now - sent)
        self.note_answer(now)
        peer = self._peers.get(address)
        if peer is not None:
            peer.proven, peer.round_trip, peer.unanswered = True, now - sent, 0
            self._tell(peer, code, now - sent)
        return True

    def note_answer(self, now: float) -> None:
        """Note that a node, or the kernel there, answered this one: the path is open in both directions."""
        self._last_answer = now
        self._on_answer(now)

    def nobody_answers_since(self, since: float) -> bool:
        """Whether the trouble is more likely this node's own: there are several others, and none of them answers."""
        return len(self._peers.live) + 1 >= SEVERAL and self._last_answer < since

    def _late(self, address: Address, code: int, now: float, *, inquire: bool) -> None:
        ping = self._pings.pop((address, code), None)
        peer = self._peers.get(address)
        if ping is None or peer is None:
            return
        self._counters.probes_failed += 1
        if inquire:
            self._on_silence(peer, code, ping[0], now)
