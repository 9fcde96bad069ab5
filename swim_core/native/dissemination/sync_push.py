"""The last step of a sync: the asker pushes back the claims of which it holds a higher one (docs/protocol.md, section
5)."""

from collections.abc import Iterator, Mapping
from itertools import chain, islice

from msgspec import Raw

from swim_core.native.context import NodeContext
from swim_core.native.datagrams.outbox import chunks
from swim_core.native.table.entry import Entry
from swim_core.native.wire.claim import precedence
from swim_core.native.wire.messages import SyncPush

from .sync_pages import PAGE_OVERHEAD, Pages

__all__ = ["PushBack", "Shown"]

PUSHED_AT_ONCE = 8  # datagrams
PUSH_GAP = 0.02  # seconds until the next few
LOOKED_INTO = 4  # members a sync that the other side doesn't know, and that may have ended

Shown = tuple[int, int, bytes, int]
"""The precedence of a claim that the other side has."""


def _higher(entry: Entry, shown: Shown | None) -> bool:
    """Whether the other side lacks this claim and would take it: it drops the end of a member that it doesn't know."""
    return entry.live if shown is None else precedence(entry.claim) > shown


class PushBack:
    """Pushes what the other side lacks."""

    def __init__(self, context: NodeContext, pages: Pages) -> None:
        self._paths = context.paths
        self._timers = context.timers
        self._view_digest = context.table.view_digest
        self._outbox = context.outbox
        self._overhead = context.codec.overhead
        self._hub = context.hub
        self._own_name = context.table.local_name
        self._interval = context.config.probe_interval
        self._pages = pages
        self._latest: list[Raw] = []

    def send(self, differing: int, count: int, shown: Mapping[str, Shown], peer: Entry, now: float) -> bool:
        """Push the claims in buckets that differ.

        Args:
            differing: a bit for each bucket, set if it differs.
            count: how many buckets there are.
            shown: the claims that the other side has in those buckets, by name.
            peer: the other side.
            now: seconds.

        Returns:
            Whether they are others than those of the last push.
        """
        higher = [
            entry
            for index in range(count)
            if differing >> index & 1
            for entry in self._view_digest.entries(index, count)
            if _higher(entry, shown.get(entry.name))
        ]
        unknown = (entry for entry in higher if entry.name not in shown and self._is_doubtful(entry, now))
        for entry in islice(unknown, LOOKED_INTO):
            self._hub.unknown_elsewhere(entry, now)
        entries = [self._pages.encode(entry) for entry in higher]
        changed = entries != self._latest
        self._latest = entries
        size = self._paths.size(peer.address)
        self._push(chunks(entries, size - self._overhead - PAGE_OVERHEAD), peer, now)
        return changed

    def _is_doubtful(self, entry: Entry, now: float) -> bool:
        """Whether a member hasn't been heard here in this round: what came and went at once may be live here alone."""
        return entry.name != self._own_name and (entry.heard is None or now - entry.heard > self._interval)

    def _push(self, portions: Iterator[list[Raw]], peer: Entry, now: float) -> None:
        """Push a few portions, and the others a little later: the peer's socket has to hold them."""
        for portion in islice(portions, PUSHED_AT_ONCE):
            self._outbox.send(SyncPush(portion), peer, now)  # type: ignore[arg-type]
        following = next(portions, None)
        if following is not None and peer.live:
            self._timers.at(now + PUSH_GAP, lambda at: self._push(chain([following], portions), peer, at))
