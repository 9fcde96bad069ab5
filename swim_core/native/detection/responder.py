"""Answers to questions, and messages for the application."""

from swim_core.address import pack
from swim_core.counters import DropReason
from swim_core.events import MessageReceived
from swim_core.native.claims.local_member import LocalMember
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.sender import Sender
from swim_core.native.wire.messages import Ack, AckElsewhere, ClaimOf, NotMe, Ping, UserMessage, WantClaim
from swim_core.shared.rate_limit import RateLimit

__all__ = ["Responder"]


class Responder:
    """Answers PING and WANT_CLAIM, and delivers MESSAGE."""

    def __init__(self, context: NodeContext, local: LocalMember) -> None:
        self._max_payload = context.config.max_broadcast
        self._table = context.table
        self._view_digest = context.table.view_digest
        self._clock = context.clock
        self._outbox = context.outbox
        self._counters = context.counters
        self._emit = context.emit
        self._local = local
        self._strays = RateLimit(context.config.max_corrections_per_second)  # a ping is not sealed for one member alone

    def pinged(self, ping: Ping, sender: Sender, now: float, nonce: int = 0) -> None:
        """Take the cluster time from a member's ping and ack it, or say that another run is here.

        With a ``nonce`` the ack asks a stranger who it is.
        """
        member = sender.direct and sender.member is not None
        if member and not self._clock.hear(ping.time, sender.short_id, self._table.live_count, now):
            self._counters.drop(DropReason.TIME_JUMP)
        if ping.target == self._outbox.sender:
            self._ack(ping, sender, now, nonce)
        elif not self._strays.allow(now):
            self._counters.drop(DropReason.RATE_LIMITED)
        elif not self._outbox.reply(NotMe(ping.seq, self._local.claim), sender, now):
            self._outbox.reply(NotMe(ping.seq), sender, now)

    def _ack(self, ping: Ping, sender: Sender, now: float, nonce: int) -> None:
        """Ack a ping. A stranger also learns its address as seen from here, if its ping is long enough: see
        `Appearance`."""
        digest = self._view_digest.value
        if sender.proven is not None:
            self._outbox.reply(Ack(ping.seq, digest), sender, now)
        elif not self._outbox.reply(AckElsewhere(ping.seq, digest, pack(sender.address), nonce), sender, now):
            self._outbox.reply(AckElsewhere(ping.seq, digest), sender, now)

    def asked_for_claim(self, want: WantClaim, sender: Sender, now: float) -> None:
        """Answer with the claim of a short id."""
        entry = self._table.by_id(want.short_id)
        if entry is not None:
            self._outbox.reply(ClaimOf(want.nonce, entry.claim), sender, now)

    def asked_in_ack(self, ack: AckElsewhere, sender: Sender, now: float) -> None:
        """Answer with this node's claim, if the ack asks for it."""
        if ack.nonce:
            self._outbox.reply(ClaimOf(ack.nonce, self._local.claim), sender, now)

    def messaged(self, message: UserMessage, sender: Sender, now: float) -> None:
        """Deliver a message of a live member."""
        entry = sender.member
        if entry is None:
            self._counters.drop(DropReason.STRANGER)
        elif len(message.payload) > self._max_payload:
            self._counters.drop(DropReason.TOO_LARGE_PAYLOAD)
        else:
            self._emit(MessageReceived(entry.origin, message.payload))
