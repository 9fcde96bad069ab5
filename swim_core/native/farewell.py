"""How a node leaves: it stops what it began, and says goodbye."""

from .claims.hearsay import Hearsay
from .claims.local_member import LocalMember
from .context import NodeContext
from .detection.prober import Prober
from .detection.watches import Watches
from .dissemination.gossip import Gossip
from .joining.announcer import Announcer
from .joining.joiner import Joiner

__all__ = ["Farewell"]

GOODBYE = 0.25  # seconds until LEFT has been told three times


class Farewell:
    """Says goodbye, once.

    Attributes:
        said: whether it was told often enough, or there was nobody to tell.
    """

    def __init__(
        self,
        context: NodeContext,
        local: LocalMember,
        hearsay: Hearsay,
        gossip: Gossip,
        prober: Prober,
        watches: Watches,
        joiner: Joiner,
        announcer: Announcer,
    ) -> None:
        self._table = context.table
        self._timers = context.timers
        self._local = local
        self._hearsay = hearsay
        self._gossip = gossip
        self._prober = prober
        self._watches = watches
        self._joiner = joiner
        self._announcer = announcer
        self.said = False

    def begin(self, now: float) -> None:
        """Leave, and tell all members and the seeds that may be letting this node in."""
        self._announcer.stop()
        self._prober.enabled = False
        self._watches.stop()
        self._hearsay.stop()
        anybody = self._table.has_others and self._local.rival is None
        self._local.leave(now)
        entering = self._joiner.leave(now)
        if anybody:
            self._gossip.tell_claim(self._local.claim, now, originator=True)
            self._gossip.push_now(now)
        self.said = not (anybody or entering)
        if not self.said:
            self._timers.at(now + GOODBYE, self._end)

    def _end(self, now: float) -> None:
        self.said = True
