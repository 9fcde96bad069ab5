"""Whether the process that seems to own this node's name is alive: only then is the application told."""

from swim_core.address import Address, unpack
from swim_core.events import NameConflict, NameRegained
from swim_core.native.context import NodeContext
from swim_core.native.wire.claim import Claim, as_member
from swim_core.shared.timers import Timer

from .local_member import LocalMember

__all__ = ["NameDispute"]

PATIENCE = 2  # times S: by then, a run that has ended is declared dead, which settles the matter


class NameDispute:
    """A dispute: it begins when this node gives way to another run of its name.

    A newer run elsewhere that is said to be alive may be an earlier run of this very process, which has moved and whose
    clock is behind. So that run is asked, and the application hears of a conflict when it answers, or if nobody
    declares it dead within twice S.
    """

    def __init__(self, context: NodeContext, local: LocalMember) -> None:
        self._timers = context.timers
        self._hashes = context.hashes
        self._patience = PATIENCE * context.config.stall_tolerance
        self._local = local
        self._emit = context.emit
        self._rival = 0
        self._address: Address | None = None
        self._waiting: Timer | None = None
        self._told = False

    def begin(self, claim: Claim, now: float) -> Address:
        """Give way to the run that is claimed; returns where to ask whether that run is alive."""
        self._rival, self._address = self._hashes.short_id(claim.name, claim.epoch), unpack(claim.address)
        self._told = False
        self._waiting = self._timers.at(now + self._patience, lambda _: self._tell())
        return self._address

    def heard(self, short_id: int, source: Address) -> None:
        """Check whether a datagram that arrived is the rival's."""
        if self._waiting is not None and short_id == self._rival and source == self._address:
            self._tell()

    def end(self) -> None:
        """Take the name back."""
        self._stop_waiting()
        if self._told:
            self._told = False
            self._emit(NameRegained(self._local.member))

    def _tell(self) -> None:
        self._stop_waiting()
        if self._local.rival is not None and not self._local.left:
            self._told = True
            self._emit(NameConflict(as_member(self._local.rival)))

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
