"""Answers to those who ask, and what is meant for the application alone."""

from .common import Common
from .corrections import Corrections
from .events import DropReason, MessageReceived
from .local import Local
from .outbox import Load
from .sender import Sender
from .wire import Ack, Ping, UserMessage, WantClaim, encode_item

__all__ = ["Responder"]


class Responder:
    """Answers PING and WANT_CLAIM, and delivers MESSAGE."""

    def __init__(self, common: Common, local: Local, corrections: Corrections) -> None:
        self._max_payload = common.config.max_broadcast
        self._membership = common.membership
        self._clock = common.clock
        self._outbox = common.outbox
        self._counters = common.counters
        self._emit = common.emit
        self._local = local
        self._corrections = corrections

    def pinged(self, ping: Ping, sender: Sender, now: float) -> None:
        """Take the cluster time from a ping and ack it, or correct whoever means another run."""
        if not self._clock.hear(ping.time, sender.short_id, self._membership.live_count, now):
            self._counters.drop(DropReason.TIME_JUMP)
        if ping.target == self._local.short_id:
            self._outbox.send(Ack(ping.seq, self._membership.digest), sender.reply_to, now, limit=sender.limit)
        else:
            self._corrections.send(self._local.claim, sender, now)

    def asked_for_claim(self, want: WantClaim, sender: Sender, now: float) -> None:
        """Say who goes by a short id."""
        entry = self._membership.by_id(want.short_id)
        if entry is not None:
            load = Load([encode_item(entry.claim)])
            self._outbox.send(None, sender.reply_to, now, load=load, limit=sender.limit)

    def messaged(self, message: UserMessage, sender: Sender, now: float) -> None:
        """Deliver a message of a live member."""
        entry = sender.member
        if entry is None:
            self._counters.drop(DropReason.STRANGER)
        elif len(message.payload) > self._max_payload:
            self._counters.drop(DropReason.TOO_LARGE_PAYLOAD)
        else:
            self._emit(MessageReceived(entry.origin, message.payload))
