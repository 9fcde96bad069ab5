"""How others see this node: an address that is not the one which it says of itself is told, and looked into."""

from swim_core.address import Address
from swim_core.events import SeenElsewhere
from swim_core.native.claims.local_member import LocalMember
from swim_core.native.context import NodeContext

__all__ = ["Appearance"]

LASTS = 2.0  # probe intervals after which a difference is no passing one: a claim that has moved travels meanwhile
ENOUGH = 3  # acks that told of it, besides
ASK_AGAIN = 5.0  # seconds between two joins that ask such a member what it holds of this node
FORGOTTEN = 60.0  # seconds after which nobody speaks of it any more


class Appearance:
    """Gathers from where members see this node, and raises `SeenElsewhere` once for each address that lasts.

    A member that acks a ping so does not hold this node for live at the ping's source: it is asked by a JOIN, whose
    answer brings what it holds of this node's name, and by which it may let this node in.
    """

    def __init__(self, context: NodeContext, local: LocalMember) -> None:
        self._interval = context.config.probe_interval
        self._local = local
        self._emit = context.emit
        self._seen: Address | None = None
        self._since = self._latest = self._asked = float("-inf")
        self._count = 0
        self._told: Address | None = None

    def elsewhere(self, now: float) -> bool:
        """Whether this node was seen, of late, at an address that is not its own."""
        return self._told not in (None, self._local.address) and now - self._latest < FORGOTTEN

    def acked(self, seen: Address | None, by: Address, now: float) -> bool:
        """A member that does not hold this node for live at ``seen``, where its ping came from, acked all the same.

        Returns whether it is to be asked what it holds of this node's name.
        """
        if seen is not None and seen != self._local.address:
            self._note(seen, by, now)
        ask = now - self._asked >= ASK_AGAIN
        if ask:
            self._asked = now
        return ask

    def _note(self, seen: Address, by: Address, now: float) -> None:
        if seen != self._seen or now - self._latest > FORGOTTEN:
            self._seen, self._since, self._count = seen, now, 0
        self._latest = now
        self._count += 1
        if self._count >= ENOUGH and now - self._since >= LASTS * self._interval:
            self._tell(seen, by)

    def refused(self, seen: Address, by: Address, now: float) -> None:
        """A seed does not let this node in, since its JOIN came from another address than it claims."""
        self._seen, self._since, self._latest = seen, now, now
        self._tell(seen, by)

    def fine(self) -> None:
        """A seed has let this node in at the address that it claims."""
        self._told = None

    def _tell(self, seen: Address, by: Address) -> None:
        if self._told != seen:
            self._told = seen
            self._emit(SeenElsewhere(seen, self._local.address, by))
