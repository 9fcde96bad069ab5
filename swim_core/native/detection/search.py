"""What a node does when it hears nobody: it asks the seeds and some members, other ones in each round."""

from collections.abc import Sequence

from swim_core.address import Address
from swim_core.native.context import NodeContext
from swim_core.native.table.entry import Entry

from .pings import Pings

__all__ = ["Search"]

PINGS = 16  # members asked per round, or more:
ROUNDS = 16  # in this many rounds all are, as far as
MOST_PINGS = 48  # allow: few survivors of many must find each other before each is alone


class Search:
    """Looks for any member that answers."""

    def __init__(self, context: NodeContext, pings: Pings) -> None:
        self._table = context.table
        self._topology = context.table.topology
        self._random = context.random
        self._pings = pings
        self._trouble = context.trouble
        self._unasked: list[Entry] = []

    def on_round(self, seeds: Sequence[Address], now: float) -> None:
        """Ask some members, different ones until all have been asked, and those at the addresses of ``seeds``."""
        count = max(PINGS, min(len(self._topology.order) // ROUNDS, MOST_PINGS))
        if len(self._unasked) < count:
            others = [entry for entry in self._topology.others() if entry not in self._unasked]
            self._random.shuffle(others)
            self._unasked = others + self._unasked
        chosen = [entry for entry in self._unasked[-count:] if entry.live]
        del self._unasked[-count:]
        known = (self._table.live_at(address) for address in seeds)
        for entry in chosen + [seed for seed in known if seed is not None and seed not in chosen]:
            self._trouble.spend(now)
            self._pings.send(entry, now)
