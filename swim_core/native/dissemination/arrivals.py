"""Newcomers of which this node passes on the news together, when many come."""

from swim_core.native.context import NodeContext
from swim_core.native.datagrams.gossip_queue import GossipQueue
from swim_core.native.wire.claim import Claim
from swim_core.shared.rate_limit import RateLimit

__all__ = ["Arrivals"]

AT_ONCE, PER_SECOND = 4, 1  # newcomers that are passed on at once
TOGETHER = 0.2  # seconds for which others wait for more


class Arrivals:
    """Holds back the claims of newcomers while many come.

    A newcomer pings all members that it learns of, so most know it before any flood could tell them. The flood is for
    those that it has not heard of either, since they came at the same time. Where processes start together, it may
    wait: each push costs all targets a datagram, at a time when all processors are busy with the start.
    """

    def __init__(self, context: NodeContext, queue: GossipQueue) -> None:
        self._timers = context.timers
        self._table = context.table
        self._queue = queue
        self._rate = RateLimit(PER_SECOND, AT_ONCE)
        self._waiting: dict[str, Claim] = {}

    def tell(self, claim: Claim, now: float) -> None:
        """Tell the claim of a newcomer, now or with those of others."""
        if self._rate.allow(now):
            self._queue.claim(claim)
            return
        if not self._waiting:
            self._timers.at(now + TOGETHER, self._release)
        self._waiting[claim.name] = claim

    def _release(self, now: float) -> None:
        for claim in self._waiting.values():
            entry = self._table.get(claim.name)
            if entry is not None and entry.claim == claim:  # otherwise a later one was told meanwhile
                self._queue.claim(claim)
        self._waiting.clear()
