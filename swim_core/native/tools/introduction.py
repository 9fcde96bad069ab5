"""How a node introduces itself to a tool, so that the tool knows whose view it reads, and whether to trust it."""

from swim_core.address import pack
from swim_core.native.claims.local_member import LocalMember
from swim_core.native.context import NodeContext
from swim_core.native.joining.joiner import Joiner
from swim_core.native.wire.answers import Standing, Teller
from swim_core.shared.local_health import LocalHealth

__all__ = ["Introduction"]


class Introduction:
    """Makes the `Teller` of each answer."""

    def __init__(self, context: NodeContext, local: LocalMember, health: LocalHealth, joiner: Joiner) -> None:
        self._table = context.table
        self._clock = context.clock
        self._local = local
        self._health = health
        self._joiner = joiner

    def at(self, now: float) -> Teller:
        """The node at this moment."""
        table = self._table
        address = pack(self._local.address)
        return Teller(
            self._local.name, address, self._clock.read(now), table.live_count, table.gone_count, self._standing()
        )

    def _standing(self) -> Standing:
        if self._local.left:
            return Standing.LEFT
        if self._local.rival is not None:
            return Standing.SUPERSEDED
        if self._health.isolated:
            return Standing.ISOLATED
        if self._health.deaf:
            return Standing.DEAF
        in_vain = 0 < len(self._joiner.addresses) == len(self._joiner.unanswered)
        return Standing.UNANSWERED if self._table.live_count == 1 and in_vain else Standing.FINE
