"""Which node to ping next, and when to try dead ones again."""

from swim_core.address import Address

from .detector import Detector
from .heartbeat import Heartbeat
from .peers import Peers
from .status import StatusRules

__all__ = ["Turns"]

TRIES = 10  # of a dead node, after 2, 6, 14 .. 1022 rounds; it is removed after 2046


class Turns:
    """One ping an interval, to each live node once in a round.

    Nodes with the same table and heartbeat stand at different places of the circle of addresses and
    go round it in step, so that each node is pinged about once an interval, by a different one each time.
    """

    def __init__(
        self, local: Address, peers: Peers, heartbeat: Heartbeat, detector: Detector, statuses: StatusRules
    ) -> None:
        self._local = local
        self._peers = peers
        self._heartbeat = heartbeat
        self._detector = detector
        self._statuses = statuses
        self._circle: list[Address] = []
        self._place = 0
        self._left = 0  # turns until the end of the round

    def take(self, now: float) -> None:
        """Ping the next live node; at the end of each round look at the dead."""
        if self._left <= 0:
            self._visit_dead(now)
        if self._left <= 0 or self._circle != self._peers.live:
            self._circle = list(self._peers.live)
            self._left = max(1, len(self._circle))
            self._place = self._heartbeat.value
        self._left -= 1
        if self._circle:
            here = sum(address < self._local for address in self._circle)
            self._place += 1
            self._detector.pings.ping(self._circle[(here + self._place) % len(self._circle)], now)

    def _visit_dead(self, now: float) -> None:
        for peer in [peer for peer in self._peers if not peer.live]:
            peer.countdown -= 1
            if peer.countdown:
                continue
            peer.retry += 1
            if peer.retry > TRIES:
                self._detector.forget(peer)
                self._statuses.remove(peer)
            else:
                peer.countdown = 2**peer.retry
                self._detector.pings.ping(peer.address, now)
