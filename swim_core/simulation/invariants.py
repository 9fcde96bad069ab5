"""Invariants: what must hold whatever happens. A small observer watches each.

Observers look only at what has changed, so they can watch every step. In `Observer.on_calm` they look at everything.
`watch_all` adds all of them to a simulation.
"""

from swim_core.events import MemberDied
from swim_core.member import Member, Rule

from .agreement import identity
from .bounds import Bounds
from .cluster import START_MS, Cluster
from .deliveries import DeliveredOnce, DeliveredToAll
from .losses_told import NoneGivenUp, NothingMissedUnsaid
from .observer import Observer
from .obstruction import Obstructions
from .process import Process, Stop
from .violation import require
from .ways import watch_ways

__all__ = [
    "DeathsKnown",
    "IncarnationsOwned",
    "NoFalseDeath",
    "QueuesBounded",
    "ViewsAgree",
    "watch_all",
    "watch_deliveries",
    "watch_nodes",
]


OLDEST_VERDICT = 15.0  # seconds: clocks that were stepped must not excuse everything


class NoFalseDeath(Observer):
    """No running member is declared dead, unless it, its accuser or the node that is told was obstructed for too long.

    Where two processes have one name, the older run gives way to the newer one. That is no mistake, however late
    somebody hears of it.
    """

    def __init__(self, cluster: Cluster, obstructions: Obstructions, bounds: Bounds) -> None:
        self._cluster = cluster
        self._obstructions = obstructions
        self._bounds = bounds
        self._newest: dict[str, int] = {}  # the latest epoch of each name that has ended

    def on_stop(self, process: Process, how: Stop) -> None:
        local = process.node.local
        self._newest[local.name] = max(self._newest.get(local.name, 0), local.epoch)

    def on_event(self, process: Process, event: object) -> None:
        if not isinstance(event, MemberDied):
            return
        self._cluster.judged["deaths told"] += 1
        subject = _runner(self._cluster, event.member)
        if subject is None or self._gave_way(subject, event):
            return
        accuser = event.evidence.accuser if event.evidence else ""
        parties = (subject, process, *self._cluster.named(accuser))
        excused = [party for party in parties if self._excuses(party, self._age(event))]
        require(excused, f"{process.label} was told that {subject.label} died, which runs: {event}")
        self._cluster.excused["deaths told"] += 1
        self._cluster.judged["deaths told"] -= 1

    def _gave_way(self, subject: Process, event: MemberDied) -> bool:
        if event.evidence is None or event.evidence.rule is not Rule.RESTARTED:
            return False
        epochs = [other.node.local.epoch for other in self._cluster.named(subject.name)]
        return max(self._newest.get(subject.name, 0), *epochs) > event.member.epoch

    def _age(self, event: MemberDied) -> float:
        """Seconds since the verdict by cluster time: a node that was itself cut off hears of it late."""
        if event.evidence is None:
            return 0.0
        return min(max(0.0, self._cluster.now - (event.evidence.cluster_time - START_MS) / 1000), OLDEST_VERDICT)

    def _excuses(self, process: Process, age: float) -> bool:
        bounds = self._bounds
        within = bounds.after_obstruction + age
        longest = self._obstructions.longest(process, within=within)
        cut_off = self._obstructions.cut_off_since(process, self._cluster.now - within)
        by_host = cut_off and self._cluster.wires is not None
        return longest >= 0.95 * (bounds.host_tolerance if by_host else bounds.stall_tolerance)


class DeathsKnown(Observer):
    """All processes that run undisturbed and own their names know of every end of a process within the bound.

    A disturbance starts the bound anew, since its cost can't be known in general. But processes that were not
    obstructed themselves know within a longer bound, whatever happened to others.
    """

    def __init__(self, cluster: Cluster, obstructions: Obstructions, bounds: Bounds) -> None:
        self._cluster = cluster
        self._obstructions = obstructions
        self._bound = bounds.death_known
        self._at_last = bounds.death_known_at_last
        self._ended: dict[tuple[str, int], float] = {}

    def on_stop(self, process: Process, how: Stop) -> None:
        local = process.node.local
        key = (local.name, local.epoch)
        self._ended[key] = self._cluster.now
        self._cluster.after(self._bound, self._check, key)
        self._cluster.after(self._at_last, self._check_undisturbed, key)

    def on_calm(self) -> None:
        for key in self._ended:
            self._require_known(*key)

    def _check(self, key: tuple[str, int]) -> None:
        due = self._obstructions.disturbed + self._bound
        if due > self._cluster.now:
            self._cluster.excused["ends known in time"] += 1
            self._cluster.at(due, self._check, key)
        else:
            self._cluster.judged["ends known in time"] += 1
            self._require_known(*key)

    def _check_undisturbed(self, key: tuple[str, int]) -> None:
        """Judge members that were not obstructed themselves. What happened to others no longer excuses them."""
        self._cluster.judged["ends known at last"] += 1
        self._require_known(*key, since=self._ended[key])

    def _require_known(self, name: str, epoch: int, since: float | None = None) -> None:
        ended = self._ended[name, epoch]
        since = self._cluster.now if since is None else since
        for process in self._cluster.running():
            if process.started > ended or self._obstructions.obstructed_since(process, since):
                continue
            held = process.node.member(name)
            gone = held is None or held.epoch != epoch or not held.state.live
            if gone or process.node.statistics().superseded:  # one that gave way to a namesake listens to nobody
                continue
            require(False, f"{name}, epoch {epoch}, ended at {ended:.3f} s, and {process.label} still holds {held}")


class ViewsAgree(Observer):
    """In the end all running nodes see exactly the running ones as live, each with the claim that it makes of itself
    and the metadata that its application gave it."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def on_calm(self) -> None:
        processes = [process for process in self._cluster.running() if not process.leaving]
        truth = {identity(process.node.local) for process in processes}
        for process in processes:
            members = process.node.members()
            view = {identity(member) for member in members}
            require(
                view == truth,
                f"{process.label} lacks {sorted(truth - view)} and has too much {sorted(view - truth)}",
            )
            for member in members:
                said = next((each.metadata for each in self._cluster.named(member.name)), member.metadata)
                require(
                    member.metadata == said,
                    f"{process.label} holds {member.name} with {dict(member.metadata)}, and that one said {dict(said)}",
                )


class IncarnationsOwned(Observer):
    """No claim about a run of a member has a higher incarnation than that run has reached itself."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._reached: dict[tuple[str, int], int] = {}

    def on_start(self, process: Process) -> None:
        self.on_turn(process)

    def on_turn(self, process: Process) -> None:
        local = process.node.local
        key = (local.name, local.epoch)
        if self._reached.get(key, -1) < local.incarnation:
            self._reached[key] = local.incarnation

    def on_event(self, process: Process, event: object) -> None:
        member = getattr(event, "member", None)
        if isinstance(member, Member):
            self._require_reached(process, member)

    def on_calm(self) -> None:
        for process in self._cluster.running():
            for member in process.node.members(gone=True):
                self._require_reached(process, member)

    def _require_reached(self, process: Process, member: Member) -> None:
        key = (member.name, member.epoch)
        if member.incarnation <= self._reached.get(key, -1):
            return
        owner = _runner(self._cluster, member)
        if owner is not None:
            self.on_turn(owner)  # it may be in the middle of the very turn that raised it
        reached = self._reached.get(key, -1)
        require(
            member.incarnation <= reached, f"{process.label} holds {member}, and that run itself has reached {reached}"
        )


class QueuesBounded(Observer):
    """Queues stay bounded at every node, and in the end nothing waits and nobody is watched."""

    EVERY = 64  # turns of one process between two looks, since statistics cost more than a turn

    def __init__(self, cluster: Cluster, bounds: Bounds) -> None:
        self._cluster = cluster
        self._limit = bounds.pending
        self._turns: dict[Process, int] = {}

    def on_turn(self, process: Process) -> None:
        turns = self._turns[process] = self._turns.get(process, 0) + 1
        if turns % self.EVERY == 0:
            pending = process.node.statistics().pending
            require(pending <= self._limit, f"{pending} items wait at {process.label}, more than {self._limit}")

    def on_calm(self) -> None:
        for process in self._cluster.running():
            statistics = process.node.statistics()
            require(statistics.pending == 0, f"{statistics.pending} items still wait at {process.label}")
            require(statistics.watches == 0, f"{process.label} still watches {statistics.watches} members")


def watch_all(cluster: Cluster, bounds: Bounds | None = None, *, lossless: bool = True) -> None:
    """Check ``cluster`` for every invariant of this library; `Cluster.calm` checks those that hold in the end.

    Args:
        cluster: whose nodes all keep to the protocol.
        bounds: what it promises; the native protocol's by default.
        lossless: whether no broadcast may be given up, not even with `BroadcastsLost`.
    """
    bounds = bounds or Bounds()
    obstructions = Obstructions(cluster)
    cluster.watch(
        obstructions,
        NoFalseDeath(cluster, obstructions, bounds),
        DeathsKnown(cluster, obstructions, bounds),
        IncarnationsOwned(cluster),
    )
    watch_nodes(cluster, bounds)
    watch_deliveries(cluster, obstructions, lossless=lossless)
    if lossless:
        cluster.watch(NoneGivenUp(cluster))
    cluster.watch(NothingMissedUnsaid(cluster))
    watch_ways(cluster)


def watch_nodes(cluster: Cluster, bounds: Bounds | None = None) -> None:
    """Check for those that hold whatever other members say: queues stay bounded, and in the end views agree."""
    cluster.watch(ViewsAgree(cluster), QueuesBounded(cluster, bounds or Bounds()))


def watch_deliveries(
    cluster: Cluster, obstructions: Obstructions | None = None, *, lossless: bool = True, honest: bool = True
) -> None:
    """Check for those about broadcasts that are made from now on.

    Args:
        cluster: a simulation in which nobody broadcasts in another's name.
        obstructions: those that watch it already.
        lossless: whether no broadcast may be given up, not even with `BroadcastsLost`.
        honest: whether nobody lied before.
    """
    if obstructions is None:
        obstructions = Obstructions(cluster)
        cluster.watch(obstructions)
    once = DeliveredOnce() if honest else DeliveredOnce(cluster)
    cluster.watch(once, DeliveredToAll(cluster, obstructions, lossless=lossless))


def _runner(cluster: Cluster, member: Member) -> Process | None:
    """The process that is this very run of a member, if it runs and has not said goodbye."""
    for process in cluster.named(member.name):
        if process.node.local.epoch == member.epoch and not process.leaving:
            return process
    return None
