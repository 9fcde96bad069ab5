"""Broadcasts that don't arrive: none is given up that another node keeps, and none is missed without a word."""

from collections import Counter

from swim_core.events import BroadcastReceived, BroadcastsLost, Event, MemberJoined, NameRegained
from swim_core.member import Member

from .cluster import Cluster
from .deliveries import Key, key_of
from .observer import Observer
from .obstruction import INFINITY
from .process import Process, Stop
from .violation import require

__all__ = ["NoneGivenUp", "NothingMissedUnsaid"]

DECLARED = 4.0  # seconds; in a longer cut members may have been declared dead


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
        name, epoch, number = key_of(process, number)
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
        name, epoch, number = key_of(process, number)
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
