"""What others claim about a node that seems alive: it is checked before it is believed."""

import msgspec

from swim_core.address import Address
from swim_core.shared.timers import Timer, Timers

from .codec import MemberRecord, Status
from .heartbeat import Heartbeat
from .peers import Peer, Peers
from .pings import Pings
from .roundtrips import RoundTrips
from .status import StatusRules

__all__ = ["SPACING", "Doubts"]

SPACING = 0.06  # seconds between askings: a real relay's wait (150 ms) must not end before the next
FRESH = 1.0  # seconds for which a refusal confirms what others claim


class _Doubt(msgspec.Struct, eq=False):
    """The check of what others claim about a node."""

    record: MemberRecord
    since: float
    timer: Timer


class Doubts:
    """Pings nodes that others suspect or call dead, and believes it of those that don't answer."""

    def __init__(
        self, peers: Peers, heartbeat: Heartbeat, trips: RoundTrips, statuses: StatusRules, timers: Timers, pings: Pings
    ) -> None:
        self._peers = peers
        self._heartbeat = heartbeat
        self._trips = trips
        self._statuses = statuses
        self._timers = timers
        self._pings = pings
        self._doubts: dict[Address, _Doubt] = {}

    @property
    def addresses(self) -> set[Address]:
        """The nodes in doubt."""
        return set(self._doubts)

    def drop(self) -> None:
        """Forget all."""
        for doubt in self._doubts.values():
            doubt.timer.cancel()
        self._doubts.clear()

    def told(self, peer: Peer, record: MemberRecord, now: float) -> None:
        """Check the claim that a node which seems alive is suspected or dead: it is believed if the node doesn't answer
        in time.

        A refusal by its kernel is answer enough.
        """
        doubt = self._doubts.get(peer.address)
        silent = doubt is not None and now - max(doubt.since, peer.heard) >= self._trips.patience
        if silent or (peer.refused > peer.heard and now - peer.refused <= FRESH):
            self._believe(peer, record, now)
            return
        if doubt is None:
            timer = self._timers.at(now + self._trips.patience, lambda at: self._unanswered(peer, at))
            self._doubts[peer.address] = _Doubt(record, now, timer)
            for wait in (SPACING, 2 * SPACING):
                self._timers.at(now + wait, lambda at: self._check_again(peer, at))
        elif record.status > doubt.record.status:
            doubt.record = record
        self._pings.check(peer, now)

    def _check_again(self, peer: Peer, now: float) -> None:
        if peer.address in self._doubts:
            self._pings.ping(peer.address, now)

    def _unanswered(self, peer: Peer, now: float) -> None:
        """The doubt is kept, so that worse claims about the same silence need no second check."""
        doubt = self._doubts.get(peer.address)
        if doubt is not None and peer.heard > doubt.since:
            del self._doubts[peer.address]  # it is alive, though it has no code that says so to the others
        elif doubt is not None:
            self._believe(peer, doubt.record, now)

    def _believe(self, peer: Peer, record: MemberRecord, now: float) -> None:
        if self._peers.get(peer.address) is peer and record.status > peer.status:
            self._statuses.set(peer, Status(record.status), record.heartbeat, record.source, now)

    def refused(self, peer: Peer, now: float) -> None:
        """Take a kernel's word that nobody listens there."""
        doubt = self._doubts.get(peer.address)
        if doubt is not None:
            self._believe(peer, doubt.record, now)

    def settle(self, peer: Peer, code: int) -> bool:
        """Note that a node showed life and a code; returns whether that ends a doubt.

        Only a code above the claims of others does, since only such a code convinces them.
        """
        doubt = self._doubts.get(peer.address)
        if doubt is None or not code or not self._heartbeat.newer(code, doubt.record.heartbeat):
            return False
        self.end(peer)
        return True

    def end(self, peer: Peer) -> None:
        """Forget what is said of a node that is dead, removed or proved alive."""
        doubt = self._doubts.pop(peer.address, None)
        if doubt is not None:
            doubt.timer.cancel()
