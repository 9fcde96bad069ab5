"""The answering side of a sync: a page of the claims that differ, as many as fit (docs/protocol.md, section 5)."""

from msgspec import Raw

from swim_core.counters import DropReason
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.sender import Sender
from swim_core.native.table.entry import Entry
from swim_core.native.wire.datagram import encode_item
from swim_core.native.wire.messages import PageEntry, SyncPage, SyncReq
from swim_core.shared.rate_limit import RateLimit

from .broadcasts import Broadcasts

__all__ = ["PADDING", "PAGE_OVERHEAD", "Pages"]

PAGE_OVERHEAD = 48  # bytes of a page besides its entries
SMALLEST_ENTRY = 26  # bytes: a name of one letter, IPv4, no metadata
STRANGERS = 20  # requests a second that are answered to senders that are not members, live or gone
PADDING = 4  # bytes, some of which its length takes
WHOLE = 1 << 64


class Pages:
    """Answers requests, and keeps nothing about them."""

    def __init__(self, context: NodeContext, broadcasts: Broadcasts) -> None:
        self._paths = context.paths
        self._view_digest = context.table.view_digest
        self._outbox = context.outbox
        self._overhead = context.codec.overhead
        self._counters = context.counters
        self._broadcasts = broadcasts
        self._strangers = RateLimit(STRANGERS)

    def answer(self, request: SyncReq, sender: Sender, now: float) -> None:
        """Send the page that a request asks for. It is no larger than the request, so that forging a stranger's address
        gains nothing, and because that size has just passed the path from this member."""
        if sender.proven is None and not self._strangers.allow(now):
            self._counters.drop(DropReason.RATE_LIMITED)
            return
        limit = self._paths.limit if sender.budget is None else min(self._paths.limit, sender.budget)
        if request.padding and sender.budget is None:
            self._paths.stated(sender.address, self._overhead + len(encode_item(request)) + PADDING, now)
            limit = self._paths.size(sender.address)
        room = limit - self._overhead - PAGE_OVERHEAD
        if room >= SMALLEST_ENTRY or sender.budget is None:  # otherwise nothing fits, and looking is what costs
            self._outbox.reply(self._page(request, room), sender, now)

    def _page(self, request: SyncReq, room: int) -> SyncPage:
        """The entries from the cursor on that fit; buckets after the last one are compared for the next page."""
        count = len(request.buckets)
        differing = 0
        entries: list[Raw] = []
        for index in range(request.cursor * count // WHOLE, count):
            if self._view_digest.bucket(index, count) == request.buckets[index]:
                continue
            differing |= 1 << index
            for entry in self._view_digest.entries(index, count, request.cursor):
                encoded = self.encode(entry)
                if len(encoded) > room:
                    bitmap = differing.to_bytes((count + 7) // 8, "little")
                    return SyncPage(request.id, entry.phase, bitmap, entries)  # type: ignore[arg-type]
                room -= len(encoded)
                entries.append(encoded)
        return SyncPage(request.id, None, differing.to_bytes((count + 7) // 8, "little"), entries)  # type: ignore[arg-type]

    def encode(self, entry: Entry) -> Raw:
        """A member's claim with the number of its last broadcast."""
        return encode_item(PageEntry(entry.claim, self._broadcasts.number_of(entry.short_id)))
