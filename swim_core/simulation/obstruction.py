"""Which members could show that they are alive, and which could not: what invariants excuse and what they don't."""

from .cluster import Cluster
from .observer import Observer
from .process import Process, Stop

__all__ = ["Obstructions"]

INFINITY = float("inf")
HELPERS = 2  # that an accuser needs beside it, or all it reaches if fewer: below that, cuts excuse nothing


class Obstructions(Observer):
    """Keeps, for each process, the latest stretch of time in which others could not hear it.

    A process is obstructed while it stalls. It is also obstructed while a cut or the partition separates it, in either
    direction, from some other process and from two of those that this other one reaches, or all of them if fewer.
    Interruptions shorter than ``gap`` don't end a stretch, since an answer in them may have been lost.
    """

    def __init__(self, cluster: Cluster, *, gap: float = 2.0) -> None:
        self._cluster = cluster
        self._gap = gap
        self._stretch: dict[Process, tuple[float, float | None]] = {}  # since, until
        self._cut_off: dict[Process, float] = {}  # until; infinity while it lasts
        self.disturbed = 0.0
        """When a process last started, ended, stalled or woke, or the network changed."""

    def longest(self, process: Process, *, within: float) -> float:
        """Seconds of the latest stretch of obstruction, if it lasts or ended less than ``within`` seconds ago; else
        0."""
        stretch = self._stretch.get(process)
        if stretch is None:
            return 0.0
        since, until = stretch
        now = self._cluster.now
        if until is None:
            return now - since
        return until - since if now - until <= within else 0.0

    def obstructed_since(self, process: Process, time: float) -> bool:
        """Whether it was obstructed at any moment from ``time`` on."""
        stretch = self._stretch.get(process)
        return stretch is not None and (stretch[1] is None or stretch[1] >= time)

    def cut_off_since(self, process: Process, time: float) -> bool:
        """Whether cuts or a partition obstructed it at any moment from ``time`` on; a stall does not count."""
        return self._cut_off.get(process, -1.0) >= time

    def on_start(self, process: Process) -> None:
        self._review()

    def on_stop(self, process: Process, how: Stop) -> None:
        self._review()

    def on_pause(self, process: Process) -> None:
        self._review()

    def on_wake(self, process: Process) -> None:
        self._review(waking=process)

    def on_network(self) -> None:
        self._review()

    def _review(self, waking: Process | None = None) -> None:
        now = self.disturbed = self._cluster.now
        running = self._cluster.running()
        stalled = {process: None for process in running if process.paused and process is not waking}
        cut_offs = self._cut_offs(running, stalled)
        for process in running:
            stalls = process in stalled
            cut_off = process in cut_offs
            if cut_off:
                self._cut_off[process] = INFINITY
            elif self._cut_off.get(process) == INFINITY:
                self._cut_off[process] = now
            since, until = self._stretch.get(process, (now, -INFINITY))
            if stalls or cut_off:
                fresh = until is not None and now - until > self._gap
                self._stretch[process] = (now if fresh else since, None)
            elif until is None:
                self._stretch[process] = (since, now)

    def _cut_offs(self, running: list[Process], stalled: dict[Process, None]) -> dict[Process, None]:
        """Those that some other could declare dead, were this to last. Sets of processes are bits of integers."""
        network = self._cluster.network
        if network.whole:
            return {}
        awake = sum(1 << i for i, process in enumerate(running) if process not in stalled)
        apart = [
            sum(
                1 << j
                for j, there in enumerate(running)
                if network.blocked(here.address, there.address) or network.blocked(there.address, here.address)
            )
            for here in running
        ]

        def accuses(accuser: int, subject: int) -> bool:
            reached = awake & ~apart[accuser] & ~(1 << accuser | 1 << subject)
            return (reached & apart[subject]).bit_count() >= min(HELPERS, reached.bit_count())

        everyone = range(len(running))
        return {
            process: None
            for i, process in enumerate(running)
            if any(accuses(j, i) for j in everyone if apart[i] & awake & 1 << j)
        }
