"""News that can't wait for the next ping: sent at once, in messages that real nodes accept and don't answer.

An ACK with code 0 is such a message: real nodes send it themselves after each relayed ping. It matches no
request (codes of requests begin at 1), moves no heartbeat, and its records and broadcast count as in any other.
"""

from random import Random

from swim_core.address import Address
from swim_core.shared.rate_limit import RateLimit
from swim_core.shared.timers import Timer, Timers

from .broadcasts import Broadcasts, Told
from .codec import BroadcastRecord, Verb
from .gossip import Gossip
from .outbox import CARRIER_CODE, Outbox
from .peers import Peers, customary

__all__ = ["Push"]

WAVES = (0.2, 0.6, 1.5)  # seconds after the first wave: each makes up for losses of the one before
REPAIRS = 2  # nodes in each later wave
GATHER = 0.02  # seconds in which further changes join those about to be told
PAUSE = 0.1  # seconds between two tellings of changes
WIDE = 64  # nodes that are told of this node's own verdict at once, so that nobody waits for gossip
PUSHES = 500  # broadcasts a second that are passed on at once; more wait for messages that go out anyway


class Push:
    """Tells changes and broadcasts in datagrams of their own."""

    def __init__(
        self, peers: Peers, gossip: Gossip, broadcasts: Broadcasts, outbox: Outbox, timers: Timers, random: Random
    ) -> None:
        self._peers = peers
        self._gossip = gossip
        self._broadcasts = broadcasts
        self._outbox = outbox
        self._timers = timers
        self._random = random
        self._limit = RateLimit(PUSHES)
        self._planned: Timer | None = None
        self._last = float("-inf")

    # ------------------------------------------------------------------ changes

    def changed(self, now: float) -> None:
        """Tell k(n) others of a change of status soon."""
        if self._planned is None:
            self._planned = self._timers.at(max(now + GATHER, self._last + PAUSE), self._tell_changes)

    def verdict(self, now: float) -> None:
        """Tell everyone, or many, of this node's own verdict now."""
        self._last = now
        self._carry(WIDE)

    def _tell_changes(self, now: float) -> None:
        self._planned = None
        if len(self._gossip):
            self._last = now
            self._carry(customary(len(self._peers)))

    def _carry(self, count: int) -> None:
        live = self._peers.live
        for address in self._random.sample(live, min(count, len(live))):
            self._outbox.send(Verb.ACK, CARRIER_CODE, address)

    # ------------------------------------------------------------------ broadcasts

    def broadcast(self, record: BroadcastRecord, holders: tuple[Address, ...], now: float) -> None:
        """Tell a broadcast that is new here; ``holders`` are known to have it."""
        told = self._broadcasts.store(record, holders, now)
        if not self._limit.allow(now):
            return
        self._wave(told, customary(len(self._peers)))
        for wait in WAVES:
            if wait <= self._broadcasts.spread:
                self._timers.at(now + wait, lambda at: self._again(told, at))

    def _again(self, told: Told, now: float) -> None:
        self._broadcasts.expire(now)
        if told.until > now:
            self._wave(told, REPAIRS)

    def _wave(self, told: Told, count: int) -> None:
        """Send it to nodes that may miss it, first to those that it was not sent to yet.

        Nodes that have it send copies to others. So a node that missed it is soon the one that nobody knows to have it,
        and gets it from many.
        """
        candidates = [address for address in self._peers.live if self._broadcasts.may_miss(told, address)]
        self._random.shuffle(candidates)
        candidates.sort(key=lambda address: address in told.sent)
        for address in candidates[:count]:
            told.sent[address] = None
            self._outbox.send(Verb.ACK, CARRIER_CODE, address, broadcast=told.record)
