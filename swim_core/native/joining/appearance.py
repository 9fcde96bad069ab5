"""How others see this node: if not at the address that it claims, this is reported and looked into."""

from swim_core.address import Address
from swim_core.events import SeenElsewhere
from swim_core.native.claims.local_member import LocalMember
from swim_core.native.context import NodeContext

__all__ = ["Appearance"]

LASTS = 2.0  # probe intervals after which a difference is reported: the claim of a node that moved spreads meanwhile
ENOUGH = 3  # acks that must have reported it as well
ASK_AGAIN = 5.0  # seconds between two JOINs that ask such a member what it holds of this node
FORGOTTEN = 60.0  # seconds without such an ack after which the address is forgotten


class Appearance:
    """Gathers the addresses at which members see this node, and raises `SeenElsewhere` once for each that lasts.

    A member that sends ACK_ELSEWHERE doesn't consider this node live at the ping's source. It is sent a JOIN: its
    answer says what it holds of this node's name, and by it the member may let this node in.
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
        """Whether this node was lately seen at an address that is not its own."""
        return self._told not in (None, self._local.address) and now - self._latest < FORGOTTEN

    def acked(self, seen: Address | None, by: Address, now: float) -> bool:
        """Note an ack from a member that doesn't consider this node live at ``seen``, where its ping came from.

        Returns whether to ask that member what it holds of this node's name.
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
        """Note that a seed does not let this node in, since its JOIN came from another address than it claims."""
        self._seen, self._since, self._latest = seen, now, now
        self._tell(seen, by)

    def fine(self) -> None:
        """Note that a seed has let this node in at the address that it claims."""
        self._told = None

    def _tell(self, seen: Address, by: Address) -> None:
        if self._told != seen:
            self._told = seen
            self._emit(SeenElsewhere(seen, self._local.address, by))
