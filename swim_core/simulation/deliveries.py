"""Broadcasts: delivered at most once, never to their origin, and to all that stayed connected."""

from collections import Counter

import attrs

from swim_core.events import BroadcastReceived, BroadcastsLost, Event, MemberDied, MemberJoined, NameRegained
from swim_core.member import Member

from .cluster import Cluster
from .observer import Observer
from .obstruction import INFINITY, Obstructions
from .process import Process, Stop
from .violation import require

__all__ = ["DeliveredOnce", "DeliveredToAll", "NoneGivenUp", "NothingMissedUnsaid", "holds_live"]

DECLARED = 4.0  # seconds; in a longer cut members may have been declared dead
Key = tuple[str, int, int]  # origin, epoch, number


class DeliveredOnce(Observer):
    """Each broadcast that is delivered was made by another node, with the same payload, and is delivered to a node
    once.

    Args:
        running: if given, a broadcast is judged only while its origin is one of this cluster's running processes. What
            a liar said before it ended, in its own name or an invented one, may still be on its way.
    """

    def __init__(self, running: Cluster | None = None) -> None:
        self._running = running
        self._sent: dict[Key, bytes] = {}
        self._seen: dict[tuple[Process, Key], None] = {}

    def on_broadcast(self, process: Process, number: int, payload: bytes) -> None:
        self._sent[_key(process, number)] = payload

    def on_event(self, process: Process, event: Event) -> None:
        if not isinstance(event, BroadcastReceived):
            return
        key = (event.origin.name, event.origin.epoch, event.number)
        if self._running is not None and key not in {_key(each, event.number) for each in self._running.running()}:
            return
        require(self._sent.get(key) == event.payload, f"{process.label} got what nobody broadcast: {event}")
        require(key != _key(process, event.number), f"{process.label} got its own: {event}")
        require((process, key) not in self._seen, f"{process.label} got it twice: {event}")
        self._seen[process, key] = None


@attrs.frozen
class _Sent:
    time: float
    origin: Process
    due: dict[Process, None]  # those that were connected to it then


class DeliveredToAll(Observer):
    """In the end every broadcast has reached each node that has been connected to its origin ever since.

    A node counts as connected if both ran and saw each other as live when the broadcast was sent; if the node had met
    its first member ``repair`` seconds earlier (it need not get what is sent before its first sync is over); if the
    origin ran for that long afterwards; and if neither has been cut off, or declared dead by anyone, since shortly
    before. Stalls are no excuse. Unless ``lossless``, a node may instead have raised `BroadcastsLost` for as many.
    """

    def __init__(
        self, cluster: Cluster, obstructions: Obstructions, *, repair: float = 3.0, lossless: bool = True
    ) -> None:
        self._cluster = cluster
        self._obstructions = obstructions
        self._repair = repair
        self._lossless = lossless
        self._given_up: Counter[tuple[Process, str, int]] = Counter()
        self._sent: dict[Key, _Sent] = {}
        self._got: dict[tuple[Process, Key], None] = {}
        self._ended: dict[Process, float] = {}
        self._met: dict[Process, float] = {}
        self._declared_dead: dict[str, float] = {}

    def on_broadcast(self, process: Process, number: int, payload: bytes) -> None:
        due = {other: None for other in self._cluster.running() if self._connected(process, other)}
        self._sent[_key(process, number)] = _Sent(self._cluster.now, process, due)

    def _connected(self, origin: Process, other: Process) -> bool:
        return (
            other is not origin
            and not other.leaving
            and self._met.get(other, -INFINITY) <= self._cluster.now - self._repair
            and self._stayed(origin, self._cluster.now - self._repair)
            and self._stayed(other, self._cluster.now - self._repair)
            and holds_live(origin, other)
            and holds_live(other, origin)
        )

    def _stayed(self, process: Process, since: float) -> bool:
        dead = self._declared_dead.get(process.name, -1.0)
        return dead < since and not self._obstructions.cut_off_since(process, since)

    def on_event(self, process: Process, event: Event) -> None:
        if isinstance(event, MemberJoined):
            self._met.setdefault(process, self._cluster.now)
        elif isinstance(event, MemberDied):
            self._declared_dead[event.member.name] = self._cluster.now
        elif isinstance(event, BroadcastReceived):
            self._got[process, (event.origin.name, event.origin.epoch, event.number)] = None
        elif isinstance(event, BroadcastsLost) and not self._lossless:
            self._given_up[process, event.origin.name, event.origin.epoch] += event.count

    def on_stop(self, process: Process, how: Stop) -> None:
        self._ended[process] = self._cluster.now

    def on_calm(self) -> None:
        for key, sent in self._sent.items():
            if self._was_cut_short(sent):
                continue
            for process in sent.due:
                if process.running and self._stayed(process, sent.time):
                    got = (process, key) in self._got or self._gave_up(process, key)
                    require(got, f"{process.label} never got broadcast {key[2]} of {key[0]}, sent at {sent.time:.3f} s")

    def _gave_up(self, process: Process, key: Key) -> bool:
        """Whether the node said so. It says how many are lost, not which ones."""
        self._given_up[process, *key[:2]] -= 1
        return self._given_up[process, *key[:2]] >= 0

    def _was_cut_short(self, sent: _Sent) -> bool:
        ended = self._ended.get(sent.origin, INFINITY)
        return ended < sent.time + self._repair or not self._stayed(sent.origin, sent.time)


class NoneGivenUp(Observer):
    """No node gives up a broadcast that another node keeps, while everything can pass and little is lost.

    A node only says how many are lost. So these may be no more than it missed and nobody else keeps.
    """

    LOSS = 0.1  # at this share of lost datagrams, eight requests for one broadcast may all fail
    WHOLE = 3.0  # seconds for which everything must have been able to pass: requests may have been under way

    def __init__(self, cluster: Cluster, *, retained: float = 50.0) -> None:
        self._cluster = cluster
        self._retained = retained
        self._changed = -INFINITY
        self._sent: dict[tuple[str, int], dict[int, tuple[float, Process]]] = {}
        self._had: dict[Key, dict[Process, None]] = {}

    def on_network(self) -> None:
        self._changed = self._cluster.now

    def on_broadcast(self, process: Process, number: int, payload: bytes) -> None:
        name, epoch, number = _key(process, number)
        self._sent.setdefault((name, epoch), {})[number] = self._cluster.now, process

    def on_event(self, process: Process, event: Event) -> None:
        if isinstance(event, BroadcastReceived):
            self._had.setdefault((event.origin.name, event.origin.epoch, event.number), {})[process] = None
        elif isinstance(event, BroadcastsLost):
            self._judge(process, event)

    def _judge(self, process: Process, event: BroadcastsLost) -> None:
        network = self._cluster.network
        passes = network.whole and network.link.loss < self.LOSS and self._cluster.now - self._changed >= self.WHOLE
        if not passes or process.node.statistics().superseded:  # nobody answers one that gave way to a namesake
            self._cluster.excused["losses told"] += 1
            return
        self._cluster.judged["losses told"] += 1
        run = (event.origin.name, event.origin.epoch)
        gone = [
            number
            for number, (time, origin) in self._sent.get(run, {}).items()
            if process not in self._had.get((*run, number), {}) and not self._is_kept((*run, number), time, origin)
        ]
        require(
            event.count <= len(gone),
            f"{process.label} gave up {event.count} broadcasts of {run[0]}: {len(gone)} of them are kept by nobody",
        )

    def _is_kept(self, key: Key, time: float, origin: Process) -> bool:
        keepers = (origin, *self._had.get(key, ()))
        return time >= self._cluster.now - self._retained and any(
            keeper.running and not keeper.node.statistics().superseded for keeper in keepers
        )


class NothingMissedUnsaid(Observer):
    """Every broadcast reached each running node that was present when it was made, or the node was told that as many
    are lost. Cuts, stalls and declared deaths are no excuse.

    This is checked in the end, and each time that everything has been able to pass again for ``soon`` seconds. After a
    cut so long that members were declared dead it is checked ``later`` seconds after the cut, since dead members are
    probed only now and then.

    Of an origin that has ended, only those broadcasts count that some running node had received, and that were made at
    most ``retained`` seconds before everything could pass again: peers keep them for that long. A run that came and
    went during a cut may remain unknown to some, who hear nothing of it. A node is present from ``repair`` seconds
    after it met its first member, or got its name back in a new run.
    """

    def __init__(
        self, cluster: Cluster, *, retained: float = 50.0, repair: float = 3.0, soon: float = 5.0, later: float = 15.0
    ) -> None:
        self._cluster = cluster
        self._wait = soon, later
        self._cut = -INFINITY  # when the latest cut began
        self._broken = False  # whether that is so
        self._woke: dict[Process, float] = {}
        self._retained = retained
        self._repair = repair
        self._whole = -INFINITY  # since when everything can pass
        self._sent: dict[tuple[str, int], dict[int, tuple[float, Process]]] = {}
        self._had: dict[Key, dict[Process, None]] = {}
        self._lost: Counter[tuple[Process, tuple[str, int]]] = Counter()
        self._met: dict[Process, float] = {}
        self._known: set[tuple[Process, str, int]] = (
            set()
        )  # the process, and the name and epoch of a run that it was told of
        self._spells: list[tuple[float, float]] = []  # from, to: in which not everything could pass
        self._ended: dict[Process, float] = {}

    def on_network(self) -> None:
        now, whole = self._cluster.now, self._cluster.network.whole
        self._whole = now if whole else INFINITY
        if whole and self._broken:
            self._spells.append((self._cut, now))
            soon, later = self._wait
            self._cluster.after(soon if now - self._cut < DECLARED else later, self._check, now)
        elif not whole and not self._broken:
            self._cut = now
        self._broken = not whole

    def on_stop(self, process: Process, how: Stop) -> None:
        self._ended[process] = self._cluster.now

    def on_wake(self, process: Process) -> None:
        self._woke[process] = self._cluster.now

    def _check(self, whole: float) -> None:
        if self._whole != whole or self._cluster.network.link.loss >= NoneGivenUp.LOSS:
            return
        for process in self._cluster.running():
            if process.started < whole and not process.paused and self._woke.get(process, 0.0) < whole:
                self._require_all(process, before=whole)

    def on_broadcast(self, process: Process, number: int, payload: bytes) -> None:
        name, epoch, number = _key(process, number)
        self._sent.setdefault((name, epoch), {})[number] = self._cluster.now, process

    def on_event(self, process: Process, event: Event) -> None:
        member = getattr(event, "member", None)
        if isinstance(member, Member):
            self._known.add((process, member.name, member.epoch))
        if isinstance(event, MemberJoined):
            self._met.setdefault(process, self._cluster.now)
        elif isinstance(event, NameRegained):
            self._met[process] = self._cluster.now
        elif isinstance(event, BroadcastReceived):
            self._had.setdefault((event.origin.name, event.origin.epoch, event.number), {})[process] = None
        elif isinstance(event, BroadcastsLost):
            self._lost[process, (event.origin.name, event.origin.epoch)] += event.count

    def on_calm(self) -> None:
        for process in self._cluster.running():
            self._require_all(process, before=INFINITY)

    def _require_all(self, process: Process, *, before: float) -> None:
        if not process.leaving and not process.node.statistics().superseded:
            for run, sent in self._sent.items():
                early = {number: (time, origin) for number, (time, origin) in sent.items() if time < before}
                self._require_told(process, run, early)

    def _require_told(self, process: Process, run: tuple[str, int], sent: dict[int, tuple[float, Process]]) -> None:
        missed = []
        for number, (time, origin) in sent.items():
            if origin is process:
                continue
            if not self._is_due(process, (*run, number), time, origin):
                self._cluster.excused["broadcasts"] += 1
                continue
            self._cluster.judged["broadcasts"] += 1
            if process not in self._had.get((*run, number), {}):
                missed.append(number)
        lost = self._lost[process, run]
        require(
            len(missed) <= lost,
            f"{process.label} missed {len(missed)} broadcasts of {run[0]}, {_some(missed)},"
            f" and was told of {lost} lost",
        )

    def _is_due(self, process: Process, key: Key, time: float, origin: Process) -> bool:
        there = max(self._met.get(process, process.started), self._met.get(origin, origin.started)) + self._repair
        if time < there:
            return False
        if origin.running and not origin.leaving:
            return key[1] == origin.node.local.epoch
        if (process, *key[:2]) not in self._known and self._came_and_went_in_a_cut(origin):
            return False
        holders = (other for other in self._had.get(key, {}) if other.running and not other.leaving)
        return any(holders) and time >= self._whole - self._retained

    def _came_and_went_in_a_cut(self, origin: Process) -> bool:
        ended = self._ended.get(origin, INFINITY)
        return any(begin <= origin.started and ended <= end for begin, end in self._spells)


def _some(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers[:5])) + (" .." if len(numbers) > 5 else "")


def _key(process: Process, number: int) -> Key:
    local = process.node.local
    return (local.name, local.epoch, number)


def holds_live(process: Process, other: Process) -> bool:
    """Whether a node sees another as live, in the run that it is in now."""
    held = process.node.member(other.name)
    return held is not None and held.state.live and held.epoch == other.node.local.epoch
