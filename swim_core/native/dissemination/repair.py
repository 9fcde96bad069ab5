"""Asking again for broadcasts that a flood missed (docs/protocol.md, section 6)."""

from swim_core.events import BroadcastsLost
from swim_core.native.context import NodeContext
from swim_core.native.table.entry import Entry
from swim_core.native.wire.messages import MAX_RANGES, Want
from swim_core.shared.timers import Timer

from .gossip import Gossip
from .streams import Stream

__all__ = ["Repair"]

PATIENCE = 0.3  # seconds for a gap to close by itself, and for an answer to come
PROMPT = 0.1  # seconds until the next WANT if the last one was answered: a whole window then comes within 4 s
TRIES = 8  # without progress; with 3, at 10 % loss one delivery in 120,000 was given up although peers had it
ALONE = 2  # tries in which one member is asked; after those, two are: packets are getting lost, or few members have it
AT_ONCE = 16  # streams asked about in one go; after a partition there may be as many gaps as members
GAP = 0.02  # seconds until the next go
DRAWS = 8  # members drawn to find one that was not asked yet


class Repair:
    """Sends WANT for gaps that remain open, to one member after the other, and gives up in the end."""

    def __init__(self, context: NodeContext, gossip: Gossip) -> None:
        self._gossip = gossip
        self._timers = context.timers
        self._table = context.table
        self._outbox = context.outbox
        self._random = context.random
        self._counters = context.counters
        self._emit = context.emit
        self._gaps: dict[int, Stream] = {}
        self._timer: Timer | None = None

    def watch(self, stream: Stream, now: float) -> None:
        """Check a stream for a gap, after a broadcast of it came or is known to exist."""
        if stream.due is None and not stream.window.complete():
            stream.due = now + PATIENCE
            stream.missing, stream.patient_until = 0, now
            stream.begin_anew()
            self._gaps[stream.run] = stream
            self._plan(stream.due)

    def _plan(self, at: float) -> None:
        if self._timer is None or self._timer.at > at:
            if self._timer is not None:
                self._timer.cancel()
            self._timer = self._timers.at(at, self._run)

    def _run(self, now: float) -> None:
        self._timer = None
        due = [stream for stream in self._gaps.values() if stream.due is not None and stream.due <= now]
        for stream in due[:AT_ONCE]:
            stream.due = self._ask(stream, now)
            if stream.due is None:
                del self._gaps[stream.run]
        if len(due) > AT_ONCE:
            self._plan(now + GAP)
        elif self._gaps:
            self._plan(min(stream.due for stream in self._gaps.values() if stream.due is not None))

    def _ask(self, stream: Stream, now: float) -> float | None:
        """Report what is lost and ask for what is missing; returns when to look again, None if nothing is missing or
        everything was tried.
        """
        window = stream.window
        if window.lost:
            self._tell(stream, window.report())
        if window.complete():
            return None
        missing = window.missing_count
        if missing < stream.missing:
            stream.begin_anew()
        elif now < stream.patient_until:
            return stream.patient_until
        stream.missing = missing
        stream.tries += 1
        if stream.tries > TRIES or not self._want(stream, now):
            self._tell(stream, window.skip())
            return None
        stream.patient_until = now + PATIENCE
        return now + (PATIENCE if self._gossip.busy else PROMPT)

    def _want(self, stream: Stream, now: float) -> bool:
        """Send WANT to the next one or two members; False if there is nobody to ask."""
        want = Want(stream.run, stream.window.missing(MAX_RANGES))
        for _ in range(1 if stream.tries <= ALONE else 2):
            peer = self._peer(stream)
            if peer is None:
                return False
            stream.asked.append(peer.short_id)
            self._outbox.send(want, peer, now)
        return True

    def _tell(self, stream: Stream, lost: int) -> None:
        self._counters.broadcasts_lost += lost
        self._emit(BroadcastsLost(stream.origin, lost))

    def _peer(self, stream: Stream) -> Entry | None:
        """The member to ask next: one that says it has the broadcast, then the origin, then one that was not asked yet
        (as far as a few draws tell), then anybody.
        """
        asked = stream.asked
        for first in (stream.teller, self._table.by_id(stream.run)):
            if first is not None and first.live and first.short_id not in asked:
                return first
        peer = None
        for _ in range(DRAWS):
            peer = self._table.topology.any_other(self._random) or peer
            if peer is None or peer.short_id not in asked:
                return peer
        return peer
