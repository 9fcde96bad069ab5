"""User broadcasts: at most once to each member, repaired where a flood left a gap (docs/protocol.md, section 6)."""

from collections import OrderedDict
from itertools import chain, islice

import msgspec
from msgspec import Raw

from swim_core.counters import DropReason
from swim_core.errors import Overloaded, PayloadTooLarge
from swim_core.events import BroadcastReceived
from swim_core.native.claims.local_member import LocalMember
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.gossip_queue import Piggyback
from swim_core.native.datagrams.outbox import chunks
from swim_core.native.datagrams.reminders import Reminders
from swim_core.native.datagrams.sender import Sender
from swim_core.native.table.entry import Change, Entry
from swim_core.native.wire.claim import MAX_INCARNATION
from swim_core.native.wire.datagram import NIL, encode_item
from swim_core.native.wire.messages import Broadcast, Number, Want

from .gossip import Gossip
from .repair import Repair
from .streams import FAR, Stream, Streams
from .window import Window

__all__ = ["Broadcasts"]

ANSWER = 8  # datagrams, at most, in answer to one WANT: the asker asks again
LAST = 2**32 - 1  # the highest number of a run
WAIT = 5.0  # seconds for which a broadcast waits for the claim of its origin
ANEW = 1.0  # seconds, at least, until all numbers are told again: many members come back when a partition heals


class _Waiting(msgspec.Struct, frozen=True):
    """A broadcast from an origin that is not known yet."""

    since: float
    broadcast: Broadcast
    source: int


class Broadcasts:
    """Numbers this node's broadcasts, delivers those of others, and asks for missing ones."""

    def __init__(self, context: NodeContext, local: LocalMember, gossip: Gossip, reminders: Reminders) -> None:
        self._config = context.config
        self._timers = context.timers
        self._table = context.table
        self._local = local
        self._hashes = context.hashes
        self._gossip = gossip
        self._reminders = reminders
        self._outbox = context.outbox
        self._overhead = context.codec.overhead
        self._counters = context.counters
        self._emit = context.emit
        self._run = local.short_id
        self._number = 0
        self._anew = float("-inf")
        self._streams = Streams(context)
        self._retained: OrderedDict[tuple[int, int], tuple[float, Raw]] = OrderedDict()
        self._retained_bytes = 0
        self._waiting: OrderedDict[tuple[int, int], _Waiting] = OrderedDict()
        self._repair = Repair(context, gossip)
        self._coming = context.coming

    @property
    def retained(self) -> int:
        """Broadcasts kept for repair."""
        return len(self._retained)

    # ------------------------------------------------------------------ sending

    def broadcast(self, payload: bytes, now: float) -> int:
        """Number a broadcast of this node and tell it. Call `check` first."""
        if self._refresh() == LAST:  # all numbers of this run are used: begin another run
            self._local.raise_above(MAX_INCARNATION, now)
            self._gossip.tell_claim(self._local.claim, now, originator=True)
        claim = self._local.claim
        number = self._refresh() + 1
        self._number = number
        self._counters.broadcasts_sent += 1
        encoded = encode_item(Broadcast(claim.name, claim.epoch, number, payload))
        self._retain(self._run, number, encoded, now)
        self._gossip.tell_broadcast(self._run, number, encoded, now, originator=True)
        self._reminders.note(self._run, number, now)
        return number

    def check(self, payload: bytes) -> None:
        """Check that a payload could be broadcast now.

        Raises:
            NotRunning, NameTaken: see `LocalMember.check_running`.
            PayloadTooLarge: if it is over ``max_broadcast``.
            Overloaded: if ``max_pending`` items are already waiting.
        """
        self._local.check_running()
        if len(payload) > self._config.max_broadcast:
            raise PayloadTooLarge(
                f"a broadcast of {len(payload)} bytes: at most {self._config.max_broadcast} (max_broadcast)"
            )
        if self._gossip.full:
            raise Overloaded(f"{self._config.max_pending} items wait to be sent already (max_pending): try again later")

    def _refresh(self) -> int:
        """The number of this run's last broadcast. Numbers start from 1 again when this node takes a new epoch."""
        if self._run != self._local.short_id:
            self._run, self._number = self._local.short_id, 0
        return self._number

    # ------------------------------------------------------------------ receiving

    def receive(self, broadcast: Broadcast, now: float, *, source: int) -> None:
        """Take a broadcast from the run ``source``: relay, keep and deliver it, each at most once."""
        if broadcast.origin == self._local.name:
            self._counters.drop(DropReason.DUPLICATE)
            return
        origin = self._hashes.short_id(broadcast.origin, broadcast.epoch)
        key = origin, broadcast.number
        stream = self._streams.of(origin)
        if key in self._waiting or (stream is not None and not stream.window.fresh(broadcast.number)):
            self._counters.drop(DropReason.DUPLICATE)
            return
        if stream is None:
            self._coming.note(origin, broadcast.number, now)
            self._await_origin(key, _Waiting(now, broadcast, source))
            return
        if not stream.credible(broadcast.number, source):
            self._counters.drop(DropReason.FAR_NUMBER)
            return
        self._begin(stream, broadcast.number, now)
        self._relay(origin, broadcast, now)
        self._deliver(stream, broadcast, now)

    def _relay(self, origin: int, broadcast: Broadcast, now: float) -> None:
        encoded = encode_item(broadcast)
        self._retain(origin, broadcast.number, encoded, now)
        self._gossip.tell_broadcast(origin, broadcast.number, encoded, now)

    def _deliver(self, stream: Stream, broadcast: Broadcast, now: float) -> None:
        """Deliver a broadcast, unless it is larger than the application accepts; it is relayed in any case."""
        window = stream.window
        window.receive(broadcast.number)
        self._reminders.note(stream.run, window.highest, now)
        if len(broadcast.payload) > self._config.max_broadcast:
            self._counters.drop(DropReason.TOO_LARGE_PAYLOAD)
        else:
            self._counters.broadcasts_delivered += 1
            self._emit(BroadcastReceived(stream.origin, broadcast.number, broadcast.payload))
        self._repair.watch(stream, now)

    def _await_origin(self, key: tuple[int, int], waiting: _Waiting) -> None:
        broadcast, now = waiting.broadcast, waiting.since
        entry = self._table.get(broadcast.origin)
        if entry is not None and entry.claim.epoch > broadcast.epoch:
            self._counters.drop(DropReason.UNKNOWN_ORIGIN)  # a run that ended before this node knew it
            return
        if len(self._waiting) >= self._config.max_waiting_broadcasts:
            self._counters.drop(DropReason.UNKNOWN_ORIGIN)
            return
        self._relay(key[0], broadcast, now)
        self._waiting[key] = waiting
        self._timers.at(now + WAIT, lambda _: self._give_up_waiting(key, now))

    def _give_up_waiting(self, key: tuple[int, int], since: float) -> None:
        if key in self._waiting and self._waiting[key].since == since:
            del self._waiting[key]
            self._counters.drop(DropReason.UNKNOWN_ORIGIN)

    def on_change(self, change: Change, now: float) -> None:
        """Deliver what waited for the run of a claim that won; an older run's window is kept for a while."""
        if not change.new_run:
            if change.before is not None and change.claim.state.live and not change.before.state.live:
                self.remind_anew(now)
            return
        self._streams.end(change, now)
        origin = change.entry.short_id
        for key in [key for key in self._waiting if key[0] == origin]:
            waiting = self._waiting.pop(key)
            broadcast, stream = waiting.broadcast, self._streams.of(origin)
            if stream is None or not stream.window.fresh(broadcast.number):
                continue
            if not stream.credible(broadcast.number, waiting.source):
                self._counters.drop(DropReason.FAR_NUMBER)
                continue
            self._begin(stream, broadcast.number, now)
            self._deliver(stream, broadcast, now)

    def remind_anew(self, now: float) -> None:
        """Tell all numbers again, however old, because a member is back, or this node is back among the others."""
        if now - self._anew < ANEW:
            return
        self._anew = now
        for stream in self._streams.live():
            if stream.window.highest:
                self._reminders.note(stream.run, stream.window.highest, now)
        if self._refresh():
            self._reminders.note(self._run, self._number, now)

    def forget(self, entry: Entry, now: float) -> None:
        """Note that a member was forgotten."""
        self._streams.forget(entry, now)

    # ------------------------------------------------------------------ registers and repair

    def number_of(self, origin: int) -> int:
        """The highest number known from a run, for syncs."""
        if origin == self._local.short_id:
            return self._refresh()
        stream = self._streams.get(origin)
        return stream.window.known if stream is not None else 0

    def learn_number(self, number: Number, now: float, *, source: int, teller: Entry | None = None) -> None:
        """Take the highest number of a run: what is missing up to it will be asked for, unless it predates this node's
        joining.

        Args:
            number: the highest that the sender knows of the run.
            now: seconds.
            source: the short id of that run.
            teller: the member that says so and has the broadcast; it is asked first.
        """
        if not number.highest or number.origin == self._local.short_id:
            return
        stream = self._streams.of(number.origin)
        if stream is None:
            self._coming.note(number.origin, number.highest, now)
            return
        if not stream.credible(number.highest, source):
            self._counters.drop(DropReason.FAR_NUMBER)
            return
        self._begin(stream, number.highest, now)
        if number.highest > stream.window.known:
            stream.window.learn(number.highest)
            stream.teller = teller
            self._repair.watch(stream, now)

    def _begin(self, stream: Stream, number: int, now: float) -> None:
        """Regard nothing as missing that was made before this node came, or before the first news of a run that has
        said much."""
        before = number if stream.begins_at(number) else self._coming.before(stream.run, number, now)
        if before:
            stream.window.start_at(min(before, number + FAR))  # it may have been forged

    def wanted(self, want: Want, sender: Sender, now: float) -> None:
        """Send the retained ones of the broadcasts that somebody misses; a stranger gets at most as much as it sent."""
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
        """Drop what has been kept for long enough."""
        if self._retained:
            self._expire(now)
        if self._reminders.any:
            self._reminders.expire(now)
        if self._streams.any_ended:
            self._streams.expire(now)
