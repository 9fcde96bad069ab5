"""Which of the members whose tripwires to one process break judges it.

When a process ends, the connections of all its predecessors on the rings break at once. Each of them tests, and each is
refused. If each accused, each would ask the others, and all of them would be busy with questions to which all know the
answers. So the first of them judges. The others vote to it unasked, and accuse in their turn if nothing comes of that.
"""

from swim_core.native.context import NodeContext
from swim_core.native.table.entry import Entry
from swim_core.native.wire.messages import KernelVerdict, Vote
from swim_core.shared.local_health import LocalHealth

from .tripwires import Tripwires
from .under_watch import UnderWatch

__all__ = ["Testimony"]

TURN = 2.5  # times the first of `Tripwires.retests`: how long each waits for the one before it


class Testimony:
    """Says to whom this node leaves the judgement of a process that has ended, and from whom it takes unasked votes."""

    def __init__(
        self, context: NodeContext, health: LocalHealth, tripwires: Tripwires, under_watch: UnderWatch
    ) -> None:
        self._topology = context.table.topology
        self._health = health
        self._tripwires = tripwires
        self._under_watch = under_watch

    def judge_of(self, subject: Entry, now: float) -> Entry | None:
        """The member that judges ``subject``, this node perhaps, whose tripwire there has broken.

        None if each judges that notices: the tripwire of this node has not broken, it knows of no other one, or packets
        may be getting lost, unasked votes among them.
        """
        if self._tripwires.lost_at(subject.short_id) is None or self._health.wary(now):
            return None
        witnesses = self._topology.right_before(subject)
        if witnesses == [self._topology.local]:
            return None
        return next((entry for entry in witnesses if self._may_judge(entry)), None)

    def _may_judge(self, entry: Entry) -> bool:
        return entry is self._topology.local or self._under_watch.hears(entry)

    def turn(self, subject: Entry, now: float) -> float:
        """When this node accuses ``subject`` unless one of those before it has judged: the second one waits for a
        while, the third one twice as long."""
        witnesses = self._topology.right_before(subject)
        rank = witnesses.index(self._topology.local) if self._topology.local in witnesses else len(witnesses)
        return now + max(rank, 1) * TURN * (self._tripwires.retests(now)[0] - now)

    def is_unasked(self, vote: Vote, voter: Entry, subject: Entry) -> bool:
        """Whether another member whose tripwire leads to the subject says that the process there has ended, while this
        node would judge it."""
        witnesses = self._topology.right_before(subject)
        return vote.kernel is KernelVerdict.REFUSED and voter in witnesses and self._topology.local in witnesses
