"""Sealed datagrams from unknown runs: is somebody speaking, or was this recorded?"""

from collections.abc import Callable, Mapping
from typing import Any

from swim_core.counters import DropReason
from swim_core.native.claims.corrections import Corrections
from swim_core.native.claims.hearsay import Hearsay
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.sender import Sender
from swim_core.native.wire.messages import WantClaim
from swim_core.shared.rate_limit import RateLimit

__all__ = ["FirstContact"]

Handler = Callable[[Any, Sender, float], object]


class FirstContact:
    """Handles datagrams from a run of which nothing has been opened yet, if its clock is not the cluster's or this node
    doesn't know the cluster's time yet.

    If the clocks agree, each side knows at once that the other speaks now (`SealCheck`). Otherwise only an answer to a
    random number of this node shows it. So each side asks, answers, and takes nothing else: islands whose clocks are
    far apart still meet, and a newcomer believes no recording.

    Args:
        answers: handlers of messages that answer a question, which return True if they do. A JOIN with a cookie is one.
        asked_for_claim: answers WANT_CLAIM.
    """

    def __init__(
        self,
        context: NodeContext,
        corrections: Corrections,
        hearsay: Hearsay,
        *,
        answers: Mapping[type, Handler],
        asked_for_claim: Handler,
    ) -> None:
        self._sealer = context.sealer
        self._counters = context.counters
        self._corrections = corrections
        self._hearsay = hearsay
        self._answers = answers
        self._asked_for_claim = asked_for_claim
        self._rate = RateLimit(context.config.max_corrections_per_second)  # recordings can be sent repeatedly

    def meet(self, message: object, sender: Sender, now: float) -> None:
        """Take an answer, let a joiner in, or ask the sender who it is."""
        handler = self._answers.get(type(message))
        if handler is not None:
            if handler(message, sender, now) is True and self._sealer is not None and sender.seal is not None:
                self._sealer.take(sender.seal)
            return
        known = sender.member is not None or self._hearsay.examines(sender)
        if isinstance(message, WantClaim) and known and self._rate.allow(now):
            sender.budget = None  # a claim is longer than the question, but goes to the member's own address
            self._asked_for_claim(message, sender, now)
        self._counters.drop(DropReason.STALE)
        self._corrections.ask_who(sender, now)
