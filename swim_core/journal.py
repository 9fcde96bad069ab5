"""What was observed of whom, for `explain()` and for the evidence on events."""

from collections import OrderedDict, deque

from .events import Evidence, Observation
from .member import Claim
from .membership import Membership

__all__ = ["Journal", "Notes"]

PER_MEMBER = 32  # observations kept of one member
MEMBERS = 256  # members observed; both bound the memory when much fails at once


class Notes:
    """The latest observations of the members that gave reason for any."""

    def __init__(self) -> None:
        self._notes: OrderedDict[str, deque[Observation]] = OrderedDict()

    def add(self, subject: str, observation: Observation) -> None:
        """Keep what somebody saw of a subject."""
        notes = self._notes.setdefault(subject, deque(maxlen=PER_MEMBER))
        notes.append(observation)
        self._notes.move_to_end(subject)
        if len(self._notes) > MEMBERS:
            self._notes.popitem(last=False)

    def of(self, subject: str) -> tuple[Observation, ...]:
        """What is kept of a subject, oldest first."""
        return tuple(self._notes.get(subject, ()))

    def forget(self, subject: str) -> None:
        """Drop what was noted of a subject."""
        self._notes.pop(subject, None)


class Journal(Notes):
    """Notes of members with short ids, as evidence for claims."""

    def __init__(self, membership: Membership) -> None:
        super().__init__()
        self._membership = membership

    def name_of(self, short_id: int) -> str:
        """The member's name, or its short id in hex."""
        entry = self._membership.by_id(short_id)
        return entry.name if entry is not None else f"{short_id:016x}"

    def note(self, subject: str, what: str, now: float, *, by: int | None = None, detail: str = "") -> None:
        """Record what this node, or the member with short id ``by``, saw of a subject."""
        observer = self._membership.local_name if by is None else self.name_of(by)
        self.add(subject, Observation(now, observer, what, detail))

    def evidence(self, claim: Claim) -> Evidence:
        """What stands behind a claim, as far as this node knows."""
        notes = self.of(claim.name)
        if claim.verdict is None:
            return Evidence(None, "", 0, notes)
        verdict = claim.verdict
        return Evidence(verdict.rule, self.name_of(verdict.accuser), verdict.time, notes)
