"""Anti-entropy: two members whose view digests differ exchange what differs (docs/protocol.md, section 5).

The asker sends a digest for each bucket of the phase order. The answerer pages through the buckets that differ. The
asker then pushes back the claims of which it holds a higher one. The cursor is a position in the phase order, so the
answerer keeps no state, and a newcomer may ask another member for each page.
"""

import msgspec

from swim_core.counters import DropReason
from swim_core.events import PathNarrow
from swim_core.native.claims.hearsay import Hearsay
from swim_core.native.claims.merging import ClaimMerger
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.path_sizes import SURE
from swim_core.native.datagrams.sender import Sender
from swim_core.native.table.entry import Entry
from swim_core.native.table.view_digest import STABLE
from swim_core.native.wire.claim import precedence
from swim_core.native.wire.datagram import Flags, encode_item
from swim_core.native.wire.messages import MAX_BUCKETS, Number, PageEntry, SyncPage, SyncPush, SyncReq
from swim_core.shared.timers import Timer

from .broadcasts import Broadcasts
from .sync_pages import PADDING, Pages
from .sync_push import PushBack, Shown

__all__ = ["Sync"]

SOON = 1.0  # seconds since the last sync, when both digests are stable
LATER = 3.0  # seconds since the last sync in any case; doubles while syncs change nothing
LATEST = 60.0
PER_BUCKET = 16
TRIES = 3  # at least, or as many as there are sizes to try; one more by a newcomer, which waits less for the first
PATIENCE = 3  # probe timeouts, for an answer
ONE_BUCKET = 64  # up to this many members one bucket is enough
REQUEST_OVERHEAD, DIGEST = 40, 9  # bytes of a request besides its digests, and of each digest


def bucket_count(members: int, size: int) -> int:
    """The number of buckets for which an asker with ``claims`` claims sends digests, in ``size`` bytes."""
    fitting = (size - REQUEST_OVERHEAD) // DIGEST
    return 1 if members <= ONE_BUCKET else min(MAX_BUCKETS, -(-members // PER_BUCKET), max(1, fitting))


class _Exchange(msgspec.Struct):
    """One sync under way, at the asker."""

    id: int
    peer: Entry
    buckets: list[int]
    cursor: int
    rung: int
    size: int
    tries: int = 0
    shown: dict[str, Shown] = msgspec.field(default_factory=dict)
    pages: int = 0
    differing: int = 0
    changed: bool = False
    timer: Timer | None = None


class Sync:
    """Decides when to sync, asks, and takes what comes back.

    Attributes:
        pages: answers other members' requests.
    """

    def __init__(self, context: NodeContext, claims: ClaimMerger, hearsay: Hearsay, broadcasts: Broadcasts) -> None:
        self._paths = context.paths
        # so that no peer can go on sending pages without end
        self._max_pages = context.config.max_members + context.config.max_tombstones
        self._timers = context.timers
        self._table = context.table
        self._view_digest = context.table.view_digest
        self._hashes = context.hashes
        self._outbox = context.outbox
        self._overhead = context.codec.overhead
        self._rtt = context.rtt
        self._random = context.random
        self._unguessable = context.unguessable
        self._counters = context.counters
        self._emit = context.emit
        self._claims = claims
        self._hearsay = hearsay
        self._broadcasts = broadcasts
        self._exchange: _Exchange | None = None
        self._last = float("-inf")
        self._urgent = float("-inf")
        self._patience = LATER
        self._patience_digest = 0
        self.pages = Pages(context, broadcasts)
        self._push = PushBack(context, self.pages)
        self._coming = context.coming

    # ------------------------------------------------------------------ when

    def compare(self, digest: int, sender: Sender, now: float) -> None:
        """Sync with a live member whose digest differs, as its ack shows, if it is time.

        A newcomer whose first sync got lost does so where the digests are equal, too: it has met the others, but not
        heard how much they had broadcast before it came.
        """
        ours = self._view_digest
        if digest == ours.value and self._coming.settled:
            return
        peer = sender.member
        if peer is None:
            return
        stable = now - ours.since >= STABLE
        if digest == ours.value and self._coming.at is None:  # the first member of a cluster has nothing to learn
            self._coming.settled = stable and self._exchange is None
            return
        if digest == ours.value and self._exchange is not None:
            return  # the first sync is under way
        if ours.value != self._patience_digest:
            self._patience, self._patience_digest = LATER, ours.value
        both_stable = stable and sender.flags & Flags.STABLE
        waited = now - self._last
        patient = self._patience > LATER
        if waited >= self._patience or (both_stable and waited >= SOON and not patient):
            self.start(peer, now)

    def start_at_once(self, other_side: Entry | None, now: float) -> None:
        """Sync because this node missed something: with the member that showed it, else with the one under way, else
        with anyone.

        Not again within a second.
        """
        teller = None if self._exchange is None else self._exchange.peer
        live = (entry for entry in (other_side, teller) if entry is not None and entry.live)
        peer = next(live, None) or self._table.topology.any_other(self._random)
        if peer is not None and now - self._urgent >= SOON:
            self._urgent = now
            self.start(peer, now)

    def start(self, peer: Entry, now: float) -> None:
        """Sync with a member instead of one with which a sync is under way."""
        self._stop()
        self._last = now
        self._counters.syncs += 1
        rung = self._paths.first_try(peer.address, now)
        self._exchange = _Exchange(self._unguessable.u32(), peer, [], 0, rung, self._paths.ladder[rung])
        self._digest(self._exchange)
        self._ask(now)

    def _digest(self, exchange: _Exchange) -> None:
        """Digests of as many buckets as a request of that size has room for; the answer goes by the same number.

        A newcomer asks for everything: what it has met in the meantime, it knows without the numbers of its broadcasts.
        """
        count = bucket_count(len(self._view_digest.everyone), exchange.size)
        if count != len(exchange.buckets):
            held = self._view_digest.bucket
            exchange.buckets = [0 if self._coming.newcomer else held(index, count) for index in range(count)]

    def _cancel_timer(self) -> None:
        if self._exchange is not None and self._exchange.timer is not None:
            self._exchange.timer.cancel()

    def _stop(self) -> None:
        self._cancel_timer()
        self._exchange = None

    # ------------------------------------------------------------------ asking

    def _ask(self, now: float) -> None:
        exchange = self._exchange
        if exchange is None:
            return
        ladder = self._paths.ladder
        newcomer = self._coming.newcomer
        if exchange.tries >= max(TRIES + newcomer, len(ladder) - exchange.rung) or not exchange.peer.live:
            self._stop()
            return
        # a newcomer is in a hurry: if its first request stays unanswered, the next one is as short as can be
        step = len(ladder) if newcomer and not exchange.pages else 1
        exchange.size = ladder[min(exchange.rung + step * exchange.tries, len(ladder) - 1)]
        exchange.tries += 1
        patience = min(exchange.tries, PATIENCE) if newcomer else PATIENCE
        if not exchange.pages:
            self._digest(exchange)
        request = SyncReq(exchange.id, exchange.buckets, exchange.cursor)
        padding = max(0, exchange.size - self._overhead - len(encode_item(request)) - PADDING)
        request = SyncReq(exchange.id, exchange.buckets, exchange.cursor, bytes(padding))
        self._outbox.send(request, exchange.peer, now, limit=exchange.size)
        exchange.timer = self._timers.at(now + patience * self._rtt.probe_timeout, self._ask)

    def page(self, page: SyncPage, sender: Sender, now: float) -> None:
        """Take a page, and ask for the next one or push back."""
        exchange = self._exchange
        if exchange is None or page.id != exchange.id or exchange.peer.address != sender.address:
            self._counters.drop(DropReason.UNREQUESTED)
            return
        if page.cursor is not None and page.cursor <= exchange.cursor:
            self._counters.drop(DropReason.DUPLICATE)  # a copy, or the answer to a repeated request
            return
        self._took(exchange, now)
        exchange.differing |= int.from_bytes(page.differing, "little")
        for entry in page.entries:
            exchange.changed |= self._receive(entry, exchange.peer, now)
            if self._table.get(entry.claim.name) is not None:
                exchange.shown[entry.claim.name] = precedence(entry.claim)
        if self._exchange is not exchange:
            return  # the page said that this node is dead, so it has begun to ask another member
        exchange.pages += 1
        if page.cursor is None:
            count = len(exchange.buckets)
            exchange.changed |= self._push.send(exchange.differing, count, exchange.shown, exchange.peer, now)
            self._finish(exchange, now)
        elif exchange.pages < self._max_pages:
            self._ask_on(exchange, page.cursor, now)
        else:
            self._stop()

    def _took(self, exchange: _Exchange, now: float) -> None:
        """Note that a request of that size was answered: those for the following pages begin with it."""
        peer = exchange.peer
        tried, exchange.rung = exchange.rung, self._paths.ladder.index(exchange.size)
        if exchange.rung > tried or not exchange.rung:
            smaller = self._paths.passed(peer.address, exchange.size, now)
            if smaller == SURE:
                self._emit(PathNarrow(peer.address, exchange.size))
            elif 0 < smaller < SURE:
                self._timers.at(now + SOON, lambda at: self._verify(peer, at))

    def _verify(self, peer: Entry, now: float) -> None:
        """Ask a member again in full size: that only smaller requests were answered may have been chance."""
        if peer.live and self._exchange is None:
            self._paths.forget(peer.address)
            self.start(peer, now)

    def _ask_on(self, exchange: _Exchange, cursor: int, now: float) -> None:
        self._cancel_timer()
        exchange.cursor, exchange.tries = cursor, 0
        if self._coming.newcomer:  # a newcomer spreads its requests over the members that it has learned of
            exchange.peer = self._table.topology.any_other(self._random) or exchange.peer
        wait = self._table.growth.wait(now, share=0.1)
        if wait:
            exchange.timer = self._timers.at(now + wait, self._ask)
        else:
            self._ask(now)

    def _finish(self, exchange: _Exchange, now: float) -> None:
        self._stop()
        self._coming.settled = True
        if exchange.changed:
            self._patience = LATER
        else:
            self._patience = min(2 * self._patience, LATEST)
        self._patience_digest = self._view_digest.value

    def pushed(self, push: SyncPush, sender: Sender, now: float) -> None:
        """Take the higher claims that the other side of a sync pushes back."""
        if sender.proven is None:
            self._counters.drop(DropReason.STRANGER)
            return
        for entry in push.entries:
            self._receive(entry, sender.proven, now)

    def _receive(self, entry: PageEntry, teller: Entry, now: float) -> bool:
        """Take a claim and its number; returns whether the claim changed anything."""
        changed = self._claims.receive(entry.claim, now, teller=teller)
        run = self._hashes.short_id(entry.claim.name, entry.claim.epoch)
        number = Number(run, entry.number)
        self._broadcasts.learn_number(number, now, source=teller.short_id)
        self._hearsay.learn_number(run, entry)
        return changed
