"""The rules by which claims and signs of life change the table of nodes, and the events that these changes raise."""

from collections.abc import Callable

from swim_core.address import Address
from swim_core.counters import Counters, DropReason
from swim_core.events import (
    Event,
    Evidence,
    MemberDied,
    MemberForgotten,
    MemberJoined,
    MemberRecovered,
    MemberSuspected,
    Observation,
)
from swim_core.member import Rule
from swim_core.shared.observations import Observations

from .codec import MemberRecord, Status
from .gossip import Gossip
from .heartbeat import Heartbeat
from .peers import Peer, Peers
from .push import Push

__all__ = ["StatusRules"]


class StatusRules:
    """Sets the status of nodes.

    Args:
        local: this node's own address.
        peers: the table.
        heartbeat: this node's.
        gossip: told of every change.
        push: told of every change, too.
        counters: of what is dropped, and of verdicts.
        emit: raises an event.
        wall_ms: cluster time for evidence: the wall clock as this node knows it.
    """

    def __init__(
        self,
        local: Address,
        peers: Peers,
        heartbeat: Heartbeat,
        gossip: Gossip,
        push: Push,
        counters: Counters,
        emit: Callable[[Event], None],
        wall_ms: Callable[[float], int],
    ) -> None:
        self._local = local
        self._name = str(local)
        self._peers = peers
        self._heartbeat = heartbeat
        self._gossip = gossip
        self._push = push
        self._counters = counters
        self._emit = emit
        self._wall_ms = wall_ms
        self._notes = Observations()
        self._verdicts: dict[Address, tuple[Rule | None, int]] = {}

    # ------------------------------------------------------------------ news

    def heard(self, peer: Peer, code: int, now: float) -> None:
        """Take a code that a node showed: if it is above the one of the claim against the node, the claim is
        refuted."""
        if not code:  # the code of a message that only carries news
            return
        code = self._heartbeat.credible(code)
        if self._heartbeat.newer(code, peer.shown):
            peer.shown = code
        if peer.status is not Status.ALIVE and self._heartbeat.newer(code, peer.heartbeat):
            self.set(peer, Status.ALIVE, code, self._local, now)

    def met(self, address: Address, code: int, now: float) -> Peer | None:
        """Add a node that showed itself; None if there is no room."""
        return self.add(address, Status.ALIVE, self._heartbeat.credible(code), self._local, now)

    def learn(self, record: MemberRecord, now: float) -> None:
        """Add a node of which gossip tells, but not one that others only declare dead."""
        buried = self._peers.buried(record.address)
        if record.status == Status.DEAD or (buried is not None and not self._heartbeat.newer(record.heartbeat, buried)):
            self._counters.drop(DropReason.UNKNOWN_GONE)
        else:
            self.add(record.address, Status(record.status), record.heartbeat, record.source, now)

    def add(self, address: Address, status: Status, heartbeat: int, source: Address | None, now: float) -> Peer | None:
        """Take a node into the table, if there is room."""
        if self._peers.full:
            self._counters.drop(DropReason.MEMBERS_FULL)
            return None
        peer = Peer(
            address=address,
            name=str(address),
            status=status,
            heartbeat=heartbeat,
            source=source,
            since=now,
            came=now,
            shown=heartbeat,
        )
        self._peers.add(peer)
        self._told(peer, now)
        if status is not Status.DEAD:
            self._emit(MemberJoined(peer.member))
        if status is Status.SUSPECTED:
            self._emit(MemberSuspected(peer.member, self.evidence(peer)))
        return peer

    def dispute(self, peer: Peer, now: float) -> None:
        """Tell nodes that still believe a claim that the doubted node has answered here."""
        if peer.status is Status.ALIVE and self._heartbeat.newer(peer.shown, peer.heartbeat):
            peer.heartbeat, peer.source = peer.shown, self._local
            self._told(peer, now)

    def set(
        self, peer: Peer, status: Status, heartbeat: int, source: Address | None, now: float, rule: Rule | None = None
    ) -> None:
        """Change a node's status; the same one again changes nothing.

        Args:
            peer: the node.
            status: ALIVE, SUSPECTED or DEAD.
            heartbeat: of the claim.
            source: who made it.
            now: seconds.
            rule: why, for verdicts of this node.
        """
        if status is peer.status:
            return
        was = peer.status
        self._peers.mark(peer, status, now)
        peer.heartbeat, peer.source, peer.since = heartbeat, source, now
        peer.retry, peer.countdown = 1, 2
        self._told(peer, now)
        if status is Status.ALIVE:
            self._verdicts.pop(peer.address, None)
            self._emit(MemberRecovered(peer.member))
            return
        self._verdicts[peer.address] = (rule, self._wall_ms(now))
        if status is Status.SUSPECTED and was is Status.ALIVE:
            self._emit(MemberSuspected(peer.member, self.evidence(peer)))
        elif status is Status.DEAD:
            if rule is not None:
                self._counters.verdicts[rule] += 1
            self._counters.deaths[Rule.SILENT if rule is None else rule] += 1  # others don't tell theirs
            self._emit(MemberDied(peer.member, self.evidence(peer)))

    def _told(self, peer: Peer, now: float) -> None:
        self._gossip.tell(peer)
        self._push.changed(now)

    def remove(self, peer: Peer) -> None:
        """Forget a node."""
        self._peers.remove(peer)
        self._gossip.forget(peer)
        self._verdicts.pop(peer.address, None)
        self._emit(MemberForgotten(peer.member))
        self._notes.forget(peer.name)

    # ------------------------------------------------------------------ evidence

    def note(self, peer: Peer, what: str, now: float, detail: str = "") -> None:
        """Keep an observation of another node."""
        self._notes.add(peer.name, Observation(now, self._name, what, detail))

    def evidence(self, peer: Peer) -> Evidence:
        """The evidence for a node's status. Its accuser is the node that first claimed the status, even ALIVE."""
        rule, at = self._verdicts.get(peer.address, (None, 0))
        accuser = "" if peer.source is None else str(peer.source)
        return Evidence(rule, accuser, at, self._notes.of(peer.name))
