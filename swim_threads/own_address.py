"""The address under which a node is known: chosen at the start, and checked while the node runs.

A host may get its first address after its programs have started (boot, DHCP), or another one while they run (a new
lease, another network, a resumed laptop). A socket bound to a wildcard hears what is sent there, but nobody would know.
"""

from collections.abc import Sequence
from math import inf

from swim_core import (
    Address,
    BindError,
    Event,
    Isolated,
    JoinAttempt,
    NameTaken,
    NotRunning,
    NotSupported,
    ProtocolNode,
    SeenElsewhere,
)
from swim_core.address import is_loopback
from swim_core.embedding.advertising import Advertised, advertised_address, is_wildcard
from swim_core.embedding.log_messages import INFO, WARNING, Notice

from .sockets.interfaces import likely_hosts
from .sockets.routes import is_local, route_source
from .sockets.udp import UdpSocket

__all__ = ["LOOK_EVERY", "OwnAddress"]

LOOK_EVERY = 2.0  # seconds, less than until others suspect a member; a check costs some ten microseconds


class OwnAddress:
    """The address at which others are told to reach one node. An engine uses it as it uses the node: one call at a
    time.

    Attributes:
        choice: as made at the start, with what to tell the operator.
        follows: whether it may change: under a wildcard, where nobody said what to advertise.
        due: when to `follow` next, on the node's clock.
    """

    def __init__(self, sock: UdpSocket, advertise: Address | None, seeds: Sequence[Address]) -> None:
        """Choose the address.

        Raises:
            ConfigError: if nobody could reach the node at ``advertise``.
            BindError: if this process may not open the sockets with which it looks at its host.
        """
        self._socket = sock
        self._advertise = advertise
        self._seeds = self._asked = tuple(seeds)
        self.choice = self._choose()
        self.follows = advertise is None and is_wildcard(sock.address)
        self.due = -inf if self.follows else inf
        sock.speak_from(self.choice.address.host)

    @property
    def address(self) -> Address:
        """Where others are told to send to."""
        return self.choice.address

    def heard(self, event: Event) -> None:
        """After an event that may be due to a wrong address, check at once."""
        if self.follows and isinstance(event, JoinAttempt | Isolated | SeenElsewhere):
            if isinstance(event, JoinAttempt):
                self._asked = event.addresses
                self._seeds = tuple(seed for seed in event.addresses if not is_loopback(seed)) or self._seeds
            self.due = -inf

    def follow(self, node: ProtocolNode, now: float) -> Notice | None:
        """Check whether this host still has the address, or has a better one, and tell the node if it changes.

        Returns:
            What to log, if anything.
        """
        self.due = now + LOOK_EVERY
        try:
            return self._follow(node, now)
        except BindError:  # no descriptors left to look with: nothing is known about the address
            return None

    def _follow(self, node: ProtocolNode, now: float) -> Notice | None:
        if not self._in_question():
            return None
        choice = self._choose()
        if choice.address == self.address:
            self.choice = choice
            return None
        if choice.doubtful and (is_loopback(choice.address) or is_local(self.address.host)):
            return None  # no better: the network may come back as it was
        return self._move(node, choice, now)

    def _in_question(self) -> bool:
        here_only = is_loopback(self.address) and any(not is_loopback(seed) for seed in self._seeds)
        return self.choice.doubtful or here_only or not is_local(self.address.host)

    def _move(self, node: ProtocolNode, choice: Advertised, now: float) -> Notice | None:
        before = self.address
        fields = {"event": "moved", "before": str(before), "after": str(choice.address)}
        try:
            node.update_address(choice.address, now=now)
        except NotSupported:  # where members are their addresses
            self.follows, self.due = False, inf
            text = f"this host's address is no longer {before} but {choice.address}: restart this member"
            return Notice(WARNING, "settings", text, fields)
        except (NameTaken, NotRunning):  # it tells nobody anything at present
            return None
        self.choice = choice
        self._socket.speak_from(choice.address.host)
        if self._asked and len(node.members()) == 1:  # it need not wait for the next attempt
            node.join(self._asked, now=now)
        return Notice(INFO, "settings", f"moved from {before}: {choice.notice}", fields)

    def _choose(self) -> Advertised:
        return advertised_address(
            self._socket.address,
            self._advertise,
            self._seeds,
            dual_stack=self._socket.dual_stack,
            route_source=self._route_source,
            hosts=likely_hosts,
        )

    def _route_source(self, destination: Address) -> str | None:
        scope_id = self._socket.scope_of(destination.host)
        return route_source(destination, scope_id=scope_id) if scope_id else route_source(destination)
