"""Check that the pages of a sync leave nobody out, which other ways of hearing of members would hide."""

import attrs

from swim_core.address import Address
from swim_core.native.wire.datagram import Envelope
from swim_core.native.wire.messages import SyncPage, SyncReq

from .cluster import Cluster
from .process import Process, Stop
from .violation import require
from .wiretap import Wiretap

__all__ = ["PagesWhole"]


@attrs.define
class _Told:
    """What a newcomer was told by the pages of its latest sync.

    Attributes:
        id: of the sync.
        began: when it asked for the first page.
        names: of the members on the pages.
        held: the names that each sender of a page held live when it sent it.
        settled: whether each had run for a while.
    """

    id: int
    began: float
    names: set[str] = attrs.Factory(set)
    held: list[set[str]] = attrs.Factory(list)
    settled: bool = True


class PagesWhole(Wiretap):
    """A newcomer, which asks for everything, is told of everybody: of each member that had run for a while, and that
    everybody who sent it a page holds live.

    This is judged where nothing but newcomers changed the cluster meanwhile, and none of these sent a page.
    """

    SETTLED = 2.0  # seconds before the sync in which nobody may have ended, stalled or been cut off

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._changed = cluster.now
        self._told: dict[Process, _Told] = {}

    def on_said(self, process: Process, destination: Address, said: Envelope) -> None:
        request, newcomer = said.message, self.cluster.network.endpoint(destination)
        if isinstance(request, SyncPage) and isinstance(newcomer, Process) and newcomer in self._told:
            told = self._told[newcomer]
            told.held.append({member.name for member in process.node.members()})
            told.settled = told.settled and process.started < told.began - self.SETTLED
        if isinstance(request, SyncReq) and (process not in self._told or self._told[process].id != request.id):
            self._told.pop(process, None)
            if not any(request.buckets):
                self._told[process] = _Told(request.id, self.cluster.now)

    def on_heard(self, process: Process, source: Address, said: Envelope, *, deaf: bool) -> None:
        page, told = said.message, self._told.get(process)
        if not isinstance(page, SyncPage) or told is None or told.id != page.id:
            return
        told.names.update(entry.claim.name for entry in page.entries)
        if page.cursor is None:
            del self._told[process]
            self._judge(process, told)

    def _judge(self, newcomer: Process, told: _Told) -> None:
        settled = told.began - self.SETTLED
        if self._changed >= settled or not told.settled or not self.cluster.network.clear:
            self.cluster.excused["pages"] += 1
            return
        self.cluster.judged["pages"] += 1
        left_out = [
            other.name
            for other in self.cluster.running()
            if other is not newcomer
            and other.started < settled
            and other.name not in told.names
            and all(other.name in held for held in told.held)
        ]
        require(not left_out, f"{newcomer.label} was told of all members but {left_out}")

    def on_stop(self, process: Process, how: Stop) -> None:
        self._changed = self.cluster.now

    def on_pause(self, process: Process) -> None:
        self._changed = self.cluster.now

    def on_wake(self, process: Process) -> None:
        self._changed = self.cluster.now

    def on_network(self) -> None:
        self._changed = self.cluster.now
