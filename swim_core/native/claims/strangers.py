"""How a node learns who a stranger is: from answers that nobody can give unasked."""

from swim_core.address import pack
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.sender import Sender
from swim_core.native.detection.pings import Pings
from swim_core.native.detection.watches import Watches
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.messages import ClaimOf, NotMe
from swim_core.statistics import DropReason

from .corrections import Corrections
from .merging import ClaimMerger

__all__ = ["Strangers"]


class Strangers:
    """Takes CLAIM_OF and NOT_ME: a claim in them is believed of the address that was asked, and of nobody else."""

    def __init__(
        self, context: NodeContext, claims: ClaimMerger, corrections: Corrections, pings: Pings, watches: Watches
    ) -> None:
        self._hashes = context.hashes
        self._table = context.table
        self._counters = context.counters
        self._claims = claims
        self._corrections = corrections
        self._pings = pings
        self._watches = watches

    def claimed(self, answer: ClaimOf, sender: Sender, now: float) -> None:
        """A stranger says who it is, asked by WANT_CLAIM."""
        if self._corrections.was_asked(answer.nonce, sender):
            self._introduce(answer.claim, sender, now)
        else:
            self._counters.drop(DropReason.UNREQUESTED)

    def not_me(self, answer: NotMe, sender: Sender, now: float) -> None:
        """Another run answers where one was pinged: that one has lost its socket."""
        short_id = self._pings.other_answered(answer.seq, sender.address)
        entry = self._table.by_id(short_id) if short_id is not None else None
        if entry is None:
            self._counters.drop(DropReason.UNREQUESTED)
            return
        if entry.live:
            self._watches.other_run_answered(entry, now)
        if answer.claim is not None:
            self._introduce(answer.claim, sender, now)

    def _introduce(self, claim: Claim, sender: Sender, now: float) -> None:
        short_id = self._hashes.short_id(claim.name, claim.epoch)
        if short_id == sender.short_id and claim.address == pack(sender.address):
            self._claims.receive(claim, now, sender=sender)
