"""Corrections: the higher claim, sent to a sender that shows a wrong belief."""

from swim_core.address import Address
from swim_core.counters import DropReason
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.gossip_queue import Piggyback
from swim_core.native.datagrams.sender import Sender
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.datagram import Flags, encode_item
from swim_core.native.wire.messages import WantClaim
from swim_core.shared.rate_limit import RateLimit

__all__ = ["Corrections"]

QUESTION = 13  # bytes of a WANT_CLAIM; if its numbers take more, the reply itself finds that there is no room
ASKING_ACK = 41  # bytes, at most, of an ACK_ELSEWHERE that asks
MAX_ADDRESSES = 4_096  # addresses remembered, so that none is sent another too soon


class Corrections:
    """Sends corrections within bounds, so that forged datagrams can't make this node flood anybody.

    A correction never causes another one. An address gets at most one per 0.5 T, all members together
    ``max_corrections_per_second``, and all strangers as many. A correction to a stranger is no longer than its cause.
    """

    def __init__(self, context: NodeContext) -> None:
        self._quiet = 0.5 * context.config.probe_interval
        rate = context.config.max_corrections_per_second
        self._rates = {member: RateLimit(rate) for member in (True, False)}  # strangers can't use up the members'
        self._outbox = context.outbox
        self._trouble = context.trouble
        self._bare = context.codec.bare
        self._counters = context.counters
        self._unguessable = context.unguessable
        self._last: dict[Address, float] = {}
        self._asked: dict[Address, int] = {}

    def send(self, claim: Claim, sender: Sender, now: float, *, each_time: bool = False) -> None:
        """Tell the sender this claim, if the bounds allow it; with ``each_time`` even if it was told something just
        now."""
        if not sender.flags & Flags.CORRECTION and self._allow(sender, now, each_time=each_time):
            if sender.member is not None:
                self._trouble.spend(now)
            riding = Piggyback([encode_item(claim)])
            self._outbox.reply(None, sender, now, riding=riding, correction=True)

    def ask_who(self, sender: Sender, now: float) -> None:
        """Ask a stranger who it is, within the same bounds."""
        if self._has_room(sender, QUESTION) and self._allow(sender, now):
            self._outbox.reply(WantClaim(sender.short_id, self._nonce(sender)), sender, now)

    def ask_in_ack(self, sender: Sender, now: float) -> int:
        """The nonce with which an ack asks a stranger who it is, within the same bounds; 0 if it may not ask."""
        if self._has_room(sender, ASKING_ACK) and self._allow(sender, now):
            return self._nonce(sender)
        return 0

    def _has_room(self, sender: Sender, size: int) -> bool:
        return sender.budget is None or sender.budget >= self._bare + size

    def _nonce(self, sender: Sender) -> int:
        nonce = self._asked[sender.address] = self._unguessable.u32() or 1
        if len(self._asked) > MAX_ADDRESSES:
            del self._asked[next(iter(self._asked))]
        return nonce

    def was_asked(self, nonce: int, sender: Sender) -> bool:
        """Whether this answers the last question to that address; it counts once."""
        return self._asked.pop(sender.address, None) == nonce

    def _allow(self, sender: Sender, now: float, *, each_time: bool = False) -> bool:
        address = sender.address
        told = not each_time and now - self._last.get(address, float("-inf")) < self._quiet
        if told or not self._rates[sender.member is not None].allow(now):
            self._counters.drop(DropReason.RATE_LIMITED)
            return False
        self._last.pop(address, None)
        self._last[address] = now
        oldest = next(iter(self._last))
        if now - self._last[oldest] >= self._quiet or len(self._last) > MAX_ADDRESSES:
            del self._last[oldest]
        return True
