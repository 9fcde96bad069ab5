"""User broadcasts: at most once to each member, repaired where a flood left a gap (docs/protocol.md, section 6)."""

from collections import OrderedDict
from itertools import chain, islice

from msgspec import Raw

from swim_core.errors import Overloaded, PayloadTooLarge
from swim_core.events import BroadcastReceived
from swim_core.native.claims.local_member import LocalMember
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.gossip_queue import Piggyback
from swim_core.native.datagrams.outbox import chunks
from swim_core.native.datagrams.sender import Sender
from swim_core.native.table.entry import Change, Entry
from swim_core.native.wire.claim import MAX_INCARNATION
from swim_core.native.wire.datagram import NIL, encode_item
from swim_core.native.wire.messages import Broadcast, Number, Want
from swim_core.shared.timers import Timer
from swim_core.statistics import DropReason

from .gossip import Gossip
from .repair import Repair, Stream
from .window import Window

__all__ = ["Broadcasts"]

ANNOUNCE = 1.0, 1.5  # seconds after the last broadcast until its number is told: seldom just as another is broadcast
OLD_RUN = 60.0  # seconds for which the window of an older run is kept
ANSWER = 8  # datagrams in answer to one WANT: the asker comes again
LAST = 2**32 - 1  # the highest number of a run
WAIT = 5.0  # seconds that a broadcast waits for the claim of its origin


class Broadcasts:
    """Numbers own broadcasts, delivers others', and asks for what is missing."""

    def __init__(self, context: NodeContext, local: LocalMember, gossip: Gossip) -> None:
        self._config = context.config
        self._timers = context.timers
        self._table = context.table
        self._local = local
        self._hashes = context.hashes
        self._random = context.random
        self._gossip = gossip
        self._outbox = context.outbox
        self._overhead = context.codec.overhead
        self._counters = context.counters
        self._emit = context.emit
        self._run = local.short_id
        self._number = 0
        self._announce: Timer | None = None
        self._streams: dict[int, Stream] = {}
        self._retained: OrderedDict[tuple[int, int], tuple[float, Raw]] = OrderedDict()
        self._retained_bytes = 0
        self._waiting: OrderedDict[tuple[int, int], tuple[float, Broadcast]] = OrderedDict()
        self._repair = Repair(context)
        self._older: dict[str, int] = {}  # by name, the one older run whose stream is kept

    @property
    def retained(self) -> int:
        """Broadcasts kept for repair."""
        return len(self._retained)

    # ------------------------------------------------------------------ sending

    def broadcast(self, payload: bytes, now: float) -> int:
        """Number a broadcast of this node and tell it; `check` it first."""
        if self._refresh() == LAST:  # all numbers of this run are used: begin another
            self._local.raise_above(MAX_INCARNATION, now)
            self._gossip.tell_claim(self._local.claim, now, originator=True)
        claim = self._local.claim
        number = self._refresh() + 1
        self._number = number
        self._counters.broadcasts_sent += 1
        encoded = encode_item(Broadcast(claim.name, claim.epoch, number, payload))
        self._retain(self._run, number, encoded, now)
        self._gossip.tell_broadcast(self._run, number, encoded, now, originator=True)
        if self._announce is not None:
            self._announce.cancel()
        self._announce = self._timers.at(now + self._random.uniform(*ANNOUNCE), self._announce_number)
        return number

    def check(self, payload: bytes) -> None:
        """Whether a payload could be broadcast now.

        Raises:
            PayloadTooLarge: if it is over ``max_broadcast``.
            Overloaded: if ``max_pending`` items wait already.
        """
        if len(payload) > self._config.max_broadcast:
            raise PayloadTooLarge(
                f"a broadcast of {len(payload)} bytes: at most {self._config.max_broadcast} (max_broadcast)"
            )
        if self._gossip.full:
            raise Overloaded(f"{self._config.max_pending} items wait to be sent already (max_pending): try again later")

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

    def _deliver(self, stream: Stream, broadcast: Broadcast, now: float) -> None:
        """Hand it to the application, unless it is larger than that agreed to; it was relayed all the same."""
        stream.window.receive(broadcast.number)
        if len(broadcast.payload) > self._config.max_broadcast:
            self._counters.drop(DropReason.TOO_LARGE_PAYLOAD)
        else:
            self._counters.broadcasts_delivered += 1
            self._emit(BroadcastReceived(stream.origin, broadcast.number, broadcast.payload))
        self._repair.watch(stream, now)

    def _stream(self, origin: int) -> Stream | None:
        """The stream of a run that is or was known; None while its claim has not come."""
        stream = self._streams.get(origin)
        if stream is None:
            entry = self._table.by_id(origin)
            if entry is not None and entry.short_id != self._local.short_id:
                stream = self._streams[origin] = Stream(origin, entry.origin)
        return stream

    def _await_origin(self, key: tuple[int, int], broadcast: Broadcast, now: float) -> None:
        entry = self._table.get(broadcast.origin)
        if entry is not None and entry.claim.epoch > broadcast.epoch:
            self._counters.drop(DropReason.UNKNOWN_ORIGIN)  # a run that ended before this node knew it
            return
        if len(self._waiting) >= self._config.max_waiting_broadcasts:
            self._counters.drop(DropReason.UNKNOWN_ORIGIN)
            return
        self._relay(key[0], broadcast, now)
        self._waiting[key] = (now, broadcast)
        self._timers.at(now + WAIT, lambda _: self._give_up_waiting(key, now))

    def _give_up_waiting(self, key: tuple[int, int], since: float) -> None:
        if key in self._waiting and self._waiting[key][0] == since:
            del self._waiting[key]
            self._counters.drop(DropReason.UNKNOWN_ORIGIN)

    def on_change(self, change: Change, now: float) -> None:
        """A claim changed: deliver what waited for its run; an older run's window is kept for a while."""
        before = change.before
        if not change.new_run:
            return
        if before is not None and before.epoch != change.claim.epoch:
            old = self._streams.get(change.before_id)
            if old is not None:
                self._end_stream(old, now)
        origin = change.entry.short_id
        for key in [key for key in self._waiting if key[0] == origin]:
            _, broadcast = self._waiting.pop(key)
            stream = self._stream(origin)
            if stream is not None and stream.window.fresh(broadcast.number):
                self._deliver(stream, broadcast, now)

    def _end_stream(self, stream: Stream, now: float) -> None:
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
        self._repair.watch(stream, now)

    def wanted(self, want: Want, sender: Sender, now: float) -> None:
        """Somebody misses broadcasts: send what is retained, to a stranger no more than it sent."""
        self._expire(now)
        numbers = chain.from_iterable(range(first, last + 1) for first, last in want.ranges)
        kept = (self._retained.get((want.origin, number)) for number in islice(numbers, Window.SIZE))
        found = [item[1] for item in kept if item is not None]
        room = self._outbox.room((sender.proven,)) if sender.proven is not None else self._outbox.room()
        if sender.budget is not None:
            room = min(room, sender.budget - self._overhead - len(NIL))
        for chunk in islice(chunks(found, room), ANSWER):
            if not self._outbox.reply(None, sender, now, riding=Piggyback(broadcasts=chunk)):
                return
            self._counters.broadcasts_resent += len(chunk)

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
