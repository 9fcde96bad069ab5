"""Asking again for broadcasts that a flood missed (docs/protocol.md, section 6)."""

import msgspec

from swim_core.events import BroadcastsLost, Origin
from swim_core.native.context import NodeContext
from swim_core.native.table.entry import Entry
from swim_core.native.wire.messages import MAX_RANGES, Want
from swim_core.shared.timers import Timer

from .window import Window

__all__ = ["Repair", "Stream"]

PATIENCE = 0.3  # seconds that a gap is given to close by itself, and an answer to come
TRIES = 8  # without progress; with 3, one delivery in 120,000 was given up at 10 % loss though peers had it
AT_ONCE = 16  # streams asked for in one go; after a partition there may be as many gaps as members
GAP = 0.02  # seconds until the next go
DRAWS = 8  # members drawn to find one that was not asked yet


class Stream(msgspec.Struct):
    """What one run of one member has broadcast, as seen here.

    Attributes:
        run: its short id.
        origin: its name, epoch and address.
        window: which numbers came.
        told: the highest number told on.
        due: when to ask for what is missing, None while nothing is.
        missing: how many were, when last asked.
        asked: short ids of those asked since there was progress.
        ended: when a newer run took over, None while it is the latest.
    """

    run: int
    origin: Origin
    window: Window = msgspec.field(default_factory=Window)
    told: int = 0
    due: float | None = None
    missing: int = 0
    asked: list[int] = msgspec.field(default_factory=list)
    ended: float | None = None


class Repair:
    """Sends WANT for gaps that stay open, to one member after the other, and gives up in the end."""

    def __init__(self, context: NodeContext) -> None:
        self._timers = context.timers
        self._table = context.table
        self._outbox = context.outbox
        self._random = context.random
        self._counters = context.counters
        self._emit = context.emit
        self._gaps: dict[int, Stream] = {}
        self._timer: Timer | None = None

    def watch(self, stream: Stream, now: float) -> None:
        """Something of a stream came, or is known to exist: is there a gap?"""
        if stream.due is None and not stream.window.complete:
            stream.due = now + PATIENCE
            stream.asked.clear()
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
        """Ask for what is missing; returns when to look again, None if nothing is or all was tried."""
        if stream.window.complete:
            return None
        missing = stream.window.missing_count
        if missing < stream.missing:
            stream.asked.clear()
        stream.missing = missing
        peer = self._peer(stream.run, stream.asked) if len(stream.asked) < TRIES else None
        if peer is None:
            lost = stream.window.skip()
            self._counters.broadcasts_lost += lost
            self._emit(BroadcastsLost(stream.origin, lost))
            return None
        stream.asked.append(peer.short_id)
        self._outbox.send(Want(stream.run, stream.window.missing(MAX_RANGES)), peer, now)
        return now + PATIENCE

    def _peer(self, run: int, asked: list[int]) -> Entry | None:
        """The origin first, then whoever was not asked yet, as far as a few draws tell, then anybody again."""
        origin = self._table.by_id(run)
        if origin is not None and origin.live and run not in asked:
            return origin
        peer = None
        for _ in range(DRAWS):
            peer = self._table.any_other(self._random) or peer
            if peer is None or peer.short_id not in asked:
                return peer
        return peer
