"""Broadcasts: which are known, which nodes have them, and which to attach to a message."""

from collections import OrderedDict
from itertools import takewhile
from math import inf
from zlib import crc32

import msgspec

from swim_core.address import Address

from .codec import BroadcastRecord
from .peers import Peers, customary

__all__ = ["Broadcasts", "Memory", "Told"]

FORGET = 600.0  # seconds without a copy: a real node's backlog of a thousand, highest count first, lasts that long
RESTARTED = 100.0  # likewise for a node that restarted and counts from 1 again; real nodes took 85 s over fifty
PER_ORIGIN = 4_096
ORIGINS = 1_024
STORED = 1_024  # broadcasts still being told; both bound what a flood costs
TELL_FOR = 60.0  # seconds
SPREAD = 2.0  # seconds for a broadcast to get everywhere: it is told in waves, the last after 1.5 s
REMEMBERED = 20  # intervals; real nodes forget a broadcast after fifty and then take a copy for news


class Memory:
    """Which broadcasts have been seen, bounded by time and size. Indices follow no order: any u32 may come next.

    Real nodes that restart count from 1 again, usually without a sign that others could see. So the payload counts,
    too: one index with two payloads is two broadcasts.
    """

    def __init__(self) -> None:
        self._origins: OrderedDict[Address, OrderedDict[tuple[int, int], float]] = OrderedDict()

    def fresh(self, record: BroadcastRecord, now: float) -> bool:
        """Whether a broadcast is seen for the first time; it is remembered until no copy came for long."""
        seen = self._origins.setdefault(record.origin, OrderedDict())
        self._origins.move_to_end(record.origin)
        if len(self._origins) > ORIGINS:
            self._origins.popitem(last=False)
        key = (record.index, crc32(record.payload))
        fresh = key not in seen
        seen[key] = now
        seen.move_to_end(key)
        _expire(seen, now - FORGET, PER_ORIGIN)
        return fresh

    def restarted(self, origin: Address, now: float) -> None:
        """Forget the indices of a node that counts from 1 again, except those of which copies may still arrive."""
        if origin in self._origins:
            _expire(self._origins[origin], now - RESTARTED, PER_ORIGIN)


def _expire(seen: OrderedDict[tuple[int, int], float], before: float, limit: int) -> None:
    while seen and (len(seen) > limit or next(iter(seen.values())) < before):
        seen.popitem(last=False)


class Told(msgspec.Struct, eq=False):
    """A broadcast that is being told.

    Attributes:
        record: what is sent.
        until: when to stop.
        spread: by when it is everywhere; nodes that come later are not to get it.
        left: how many more times it is attached to messages that go out anyway.
        known: the nodes that have it: its origin, and those that sent a copy.
        sent: the nodes to which this one has sent it.
    """

    record: BroadcastRecord
    until: float
    spread: float
    left: int
    known: dict[Address, None]
    sent: dict[Address, None] = msgspec.field(default_factory=dict)


class Broadcasts:
    """The broadcasts being told to nodes that were members when these came here, and to no later ones.

    Real nodes would take one that they have forgotten for news, and a node that restarted has had it before.

    Attributes:
        spread: seconds for a broadcast to get everywhere.
    """

    def __init__(self, peers: Peers, interval: float) -> None:
        self.spread = min(SPREAD, REMEMBERED * interval)
        self._peers = peers
        self._told: dict[BroadcastRecord, Told] = {}  # oldest first; an OrderedDict would hash each one looked at

    def __len__(self) -> int:
        return len(self._told)

    @property
    def full(self) -> bool:
        """Whether as many are being told as are allowed."""
        return len(self._told) >= STORED

    def store(self, record: BroadcastRecord, holders: tuple[Address, ...], now: float) -> Told:
        """Tell a broadcast from now on; ``holders`` have it. If there are too many, the oldest is dropped."""
        left, known = customary(len(self._peers)), dict.fromkeys(holders)
        told = Told(record, until=now + TELL_FOR, spread=now + self.spread, left=left, known=known)
        self._told[record] = told
        if len(self._told) > STORED:
            del self._told[next(iter(self._told))]
        return told

    def copy_of(self, record: BroadcastRecord, holder: Address) -> None:
        """Note that the sender of a copy has it."""
        told = self._told.get(record)
        if told is not None:
            told.known[holder] = None

    def expire(self, now: float) -> None:
        """Stop telling what has been told for long enough."""
        for record in [*takewhile(lambda record: self._told[record].until <= now, self._told)]:
            del self._told[record]

    def may_miss(self, told: Told, address: Address) -> bool:
        """Whether a node is to get a broadcast and is not known to have it."""
        return self._came(address) <= told.spread and address not in told.known

    def _came(self, address: Address) -> float:
        peer = self._peers.get(address)
        return inf if peer is None else peer.came

    def attach(self, to: Address, room: int) -> BroadcastRecord | None:
        """The broadcast told least often among those that ``to`` may miss and was not sent.

        None if there is none, or none whose payload fits in ``room`` bytes.
        """
        best, came = None, self._came(to)
        for told in self._told.values():
            if not told.left or came > told.spread or len(told.record.payload) > room:
                continue
            if to in told.known or to in told.sent:
                continue
            if best is None or told.left > best.left:
                best = told
        if best is None:
            return None
        best.left -= 1
        best.sent[to] = None
        return best.record
