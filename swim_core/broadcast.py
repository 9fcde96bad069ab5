"""User broadcasts: at most once to each member, repaired where a flood left a gap (docs/protocol.md, section 6)."""

from collections import OrderedDict
from itertools import islice

import msgspec
from msgspec import Raw

from .common import Common
from .errors import PayloadTooLarge
from .events import BroadcastReceived, BroadcastsLost, DropReason, Origin
from .gossip import Gossip
from .local import Local
from .membership import Change, Entry
from .outbox import OVERHEAD, Load
from .sender import Sender
from .sync import chunks
from .timers import Timer
from .window import Window
from .wire import MAX_RANGES, Broadcast, Number, Want, encode_item

__all__ = ["Broadcasts"]

PATIENCE = 0.3  # seconds that a gap is given to close by itself, and an answer to come
TRIES = 8  # for what is missing; with 3, one delivery in 120,000 was given up at 10 % loss though peers had it
ANNOUNCE = 1.0  # seconds after the last broadcast until its number is told
OLD_RUN = 60.0  # seconds for which the window of an older run is kept
ANSWER = 8  # datagrams in answer to one WANT: the asker comes again
WAIT = 5.0  # seconds that a broadcast waits for the claim of its origin


class _Stream(msgspec.Struct):
    """What one run of one member has broadcast, as seen here."""

    origin: Origin
    window: Window = msgspec.field(default_factory=Window)
    told: int = 0  # the highest number told on
    due: float | None = None  # when to ask for what is missing
    missing: int = 0  # when last asked
    asked: list[int] = msgspec.field(default_factory=list)
    ended: float | None = None  # when a newer run took over


class Broadcasts:
    """Numbers own broadcasts, delivers others', and asks for what is missing."""

    def __init__(self, common: Common, local: Local, gossip: Gossip) -> None:
        self._config = common.config
        self._timers = common.timers
        self._membership = common.membership
        self._local = local
        self._hashes = common.hashes
        self._gossip = gossip
        self._outbox = common.outbox
        self._random = common.random
        self._counters = common.counters
        self._emit = common.emit
        self._run = local.short_id
        self._number = 0
        self._announce: Timer | None = None
        self._streams: dict[int, _Stream] = {}
        self._retained: OrderedDict[tuple[int, int], tuple[float, Raw]] = OrderedDict()
        self._retained_bytes = 0
        self._waiting: OrderedDict[tuple[int, int], tuple[float, Broadcast]] = OrderedDict()
        self._repair: Timer | None = None
        self._older: dict[str, int] = {}  # by name, the one older run whose stream is kept

    @property
    def retained(self) -> int:
        """Broadcasts kept for repair."""
        return len(self._retained)

    # ------------------------------------------------------------------ sending

    def broadcast(self, payload: bytes, now: float) -> int:
        """Number a broadcast of this node and tell it; `check` it first."""
        claim = self._local.claim
        number = self._refresh() + 1
        self._number = number
        encoded = encode_item(Broadcast(claim.name, claim.epoch, number, payload))
        self._retain(self._run, number, encoded, now)
        self._gossip.tell_broadcast(self._run, number, encoded, now, originator=True)
        if self._announce is not None:
            self._announce.cancel()
        self._announce = self._timers.at(now + ANNOUNCE, self._announce_number)
        return number

    def check(self, payload: bytes) -> None:
        """Whether a payload could be broadcast now.

        Raises:
            PayloadTooLarge: if it is over ``max_broadcast``, or ``max_pending`` items wait already.
        """
        if len(payload) > self._config.max_broadcast:
            raise PayloadTooLarge(
                f"a broadcast of {len(payload)} bytes: at most {self._config.max_broadcast} (max_broadcast)"
            )
        if self._gossip.full:
            raise PayloadTooLarge(f"{self._config.max_pending} items wait to be sent already (max_pending)")

    def _announce_number(self, now: float) -> None:
        self._announce = None
        if self._refresh():
            self._gossip.tell_number(self._run, self._number, now)
            self._gossip.settle(now)

    def _refresh(self) -> int:
        """The number of this run's last broadcast: they start at 1 again when this node takes a new epoch."""
        if self._run != self._local.short_id:
            self._run, self._number = self._local.short_id, 0
        return self._number

    # ------------------------------------------------------------------ receiving

    def receive(self, broadcast: Broadcast, now: float) -> None:
        """A broadcast arrived: relay it, keep it, deliver it, each at most once."""
        if broadcast.origin == self._local.name:
            self._counters.drop(DropReason.DUPLICATE)
            return
        origin = self._hashes.short_id(broadcast.origin, broadcast.epoch)
        key = origin, broadcast.number
        stream = self._stream(origin)
        if key in self._waiting or (stream is not None and not stream.window.fresh(broadcast.number)):
            self._counters.drop(DropReason.DUPLICATE)
            return
        if stream is None:
            self._await_origin(key, broadcast, now)
            return
        self._relay(origin, broadcast, now)
        self._deliver(stream, broadcast, now)

    def _relay(self, origin: int, broadcast: Broadcast, now: float) -> None:
        encoded = encode_item(broadcast)
        self._retain(origin, broadcast.number, encoded, now)
        self._gossip.tell_broadcast(origin, broadcast.number, encoded, now)

    def _deliver(self, stream: _Stream, broadcast: Broadcast, now: float) -> None:
        """Hand it to the application, unless it is larger than that agreed to; it was relayed all the same."""
        stream.window.receive(broadcast.number)
        if len(broadcast.payload) > self._config.max_broadcast:
            self._counters.drop(DropReason.TOO_LARGE_PAYLOAD)
        else:
            self._counters.broadcasts_delivered += 1
            self._emit(BroadcastReceived(stream.origin, broadcast.number, broadcast.payload))
        self._watch_gaps(stream, now)

    def _stream(self, origin: int) -> _Stream | None:
        """The stream of a run that is or was known; None while its claim has not come."""
        stream = self._streams.get(origin)
        if stream is None:
            entry = self._membership.by_id(origin)
            if entry is not None and entry.short_id != self._local.short_id:
                stream = self._streams[origin] = _Stream(entry.origin)
        return stream

    def _await_origin(self, key: tuple[int, int], broadcast: Broadcast, now: float) -> None:
        entry = self._membership.get(broadcast.origin)
        if entry is not None and entry.claim.epoch > broadcast.epoch:
            self._counters.drop(DropReason.UNKNOWN_ORIGIN)  # a run that ended before this node knew it
            return
        if len(self._waiting) >= self._config.max_waiting_broadcasts:
            self._counters.drop(DropReason.UNKNOWN_ORIGIN)
            return
        self._relay(key[0], broadcast, now)
        self._waiting[key] = (now, broadcast)
        self._timers.at(now + WAIT, lambda at: self._give_up_waiting(key))

    def _give_up_waiting(self, key: tuple[int, int]) -> None:
        if self._waiting.pop(key, None) is not None:
            self._counters.drop(DropReason.UNKNOWN_ORIGIN)

    def on_change(self, change: Change, now: float) -> None:
        """A claim changed: deliver what waited for its run; an older run's window is kept for a while."""
        before = change.before
        if not change.new_run:
            return
        if before is not None and before.epoch != change.claim.epoch:
            old = self._streams.get(self._hashes.short_id(before.name, before.epoch))
            if old is not None:
                self._end_stream(old, now)
        origin = change.entry.short_id
        for key in [key for key in self._waiting if key[0] == origin]:
            _, broadcast = self._waiting.pop(key)
            stream = self._stream(origin)
            if stream is not None and stream.window.fresh(broadcast.number):
                self._deliver(stream, broadcast, now)

    def _end_stream(self, stream: _Stream, now: float) -> None:
        """A newer run took over: its window is kept for a while, that of the run before it no longer."""
        origin = stream.origin
        self._streams.pop(self._older.get(origin.name, 0), None)
        self._older[origin.name] = self._hashes.short_id(origin.name, origin.epoch)
        stream.ended = now

    def forget(self, entry: Entry) -> None:
        """A member was forgotten."""
        self._streams.pop(entry.short_id, None)
        self._streams.pop(self._older.pop(entry.name, 0), None)

    # ------------------------------------------------------------------ registers and repair

    def number_of(self, origin: int) -> int:
        """The highest number known of a run, for syncs."""
        if origin == self._local.short_id:
            return self._refresh()
        stream = self._streams.get(origin)
        return stream.window.known if stream is not None else 0

    def learn_number(self, number: Number, now: float, *, first_sync: bool = False, tell: bool = True) -> None:
        """A register arrived: what is missing up to it will be asked for, unless it predates this node's joining."""
        if not number.highest or number.origin == self._local.short_id:
            return
        stream = self._stream(number.origin)
        if stream is None:
            return
        if first_sync:
            stream.window.start_at(number.highest)
        if number.highest <= stream.window.known and number.highest <= stream.told:
            return
        stream.window.learn(number.highest)
        if tell and number.highest > stream.told:
            stream.told = number.highest
            self._gossip.tell_number(number.origin, number.highest, now)
        self._watch_gaps(stream, now)

    def _watch_gaps(self, stream: _Stream, now: float) -> None:
        if not stream.window.complete and stream.due is None:
            stream.due = now + PATIENCE
            stream.asked.clear()
            self._plan_repair()

    def _plan_repair(self) -> None:
        dues = [stream.due for stream in self._streams.values() if stream.due is not None]
        if dues and (self._repair is None or self._repair.at > min(dues)):
            if self._repair is not None:
                self._repair.cancel()
            self._repair = self._timers.at(min(dues), self._repair_due)

    def _repair_due(self, now: float) -> None:
        self._repair = None
        for origin, stream in self._streams.items():
            if stream.due is not None and stream.due <= now:
                self._repair_stream(origin, stream, now)
        self._plan_repair()

    def _repair_stream(self, origin: int, stream: _Stream, now: float) -> None:
        stream.due = None
        if stream.window.complete:
            return
        missing = stream.window.missing_count
        if missing < stream.missing:  # a peer had some: the tries count anew
            stream.asked.clear()
        stream.missing = missing
        peer = self._peer(origin, stream.asked) if len(stream.asked) < TRIES else None
        if peer is None:
            lost = stream.window.skip()
            self._counters.broadcasts_lost += lost
            self._emit(BroadcastsLost(stream.origin, lost))
            return
        stream.asked.append(peer.short_id)
        stream.due = now + PATIENCE
        self._outbox.send(Want(origin, stream.window.missing(MAX_RANGES)), peer, now)

    def _peer(self, origin: int, asked: list[int]) -> Entry | None:
        entry = self._membership.by_id(origin)
        if entry is not None and entry.live and origin not in asked:
            return entry
        others = list(self._membership.others())
        fewest = min((asked.count(other.short_id) for other in others), default=0)
        return self._random.choice([o for o in others if asked.count(o.short_id) == fewest]) if others else None

    def wanted(self, want: Want, sender: Sender, now: float) -> None:
        """Somebody misses broadcasts: send what is retained, to a stranger no more than it sent."""
        self._expire(now)
        found: list[Raw] = []
        for first, last in want.ranges:
            for number in range(first, min(last, first + Window.SIZE - 1) + 1):
                kept = self._retained.get((want.origin, number))
                if kept is not None:
                    found.append(kept[1])
        room = (self._config.max_datagram if sender.budget is None else sender.budget) - OVERHEAD - 1
        for chunk in islice(chunks(found, room), ANSWER):
            if not self._outbox.reply(None, sender, now, load=Load(broadcasts=chunk)):
                return

    # ------------------------------------------------------------------ keeping

    def _retain(self, origin: int, number: int, encoded: Raw, now: float) -> None:
        if (origin, number) in self._retained:
            return
        self._retained[origin, number] = (now, encoded)
        self._retained_bytes += len(encoded)
        self._expire(now)

    def _expire(self, now: float) -> None:
        config = self._config
        while self._retained:
            at, encoded = next(iter(self._retained.values()))
            if (
                len(self._retained) <= config.max_retained_broadcasts
                and self._retained_bytes <= config.max_retained_bytes
                and now - at < config.retain_broadcasts
            ):
                return
            self._retained.popitem(last=False)
            self._retained_bytes -= len(encoded)

    def on_round(self, now: float) -> None:
        """Let go of what has been kept long enough."""
        if self._retained:
            self._expire(now)
        if self._older:
            self._expire_older(now)

    def _expire_older(self, now: float) -> None:
        for name, origin in list(self._older.items()):
            stream = self._streams.get(origin)
            if stream is None or stream.ended is None or now - stream.ended >= OLD_RUN:
                self._streams.pop(origin, None)
                del self._older[name]
