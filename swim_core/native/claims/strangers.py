"""How a node learns who a stranger is: from answers that nobody can give without being asked."""

from swim_core.address import pack
from swim_core.counters import DropReason
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.sender import Sender
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.messages import ClaimOf

from .corrections import Corrections
from .merging import ClaimMerger

__all__ = ["Strangers"]


class Strangers:
    """Takes CLAIM_OF, and the claim in a NOT_ME: it is believed only if it comes from the address that was asked."""

    def __init__(self, context: NodeContext, claims: ClaimMerger, corrections: Corrections) -> None:
        self._hashes = context.hashes
        self._counters = context.counters
        self._claims = claims
        self._corrections = corrections

    def claimed(self, answer: ClaimOf, sender: Sender, now: float) -> bool:
        """Take a stranger's claim. Returns whether it was asked for it, by WANT_CLAIM."""
        if self._corrections.was_asked(answer.nonce, sender):
            self.introduce(answer.claim, sender, now)
            return True
        self._counters.drop(DropReason.UNREQUESTED)
        return False

    def introduce(self, claim: Claim, sender: Sender, now: float) -> None:
        """Take the claim in an answer to a question, if it is the sender's own."""
        short_id = self._hashes.short_id(claim.name, claim.epoch)
        if short_id == sender.short_id and claim.address == pack(sender.address):
            self._claims.receive(claim, now, sender=sender)
