"""What was observed of whom, for `explain()` and for the evidence on events."""

from collections import OrderedDict, deque

from .events import Evidence, Observation
from .member import Claim
from .membership import Membership

__all__ = ["Journal"]

PER_MEMBER = 32  # observations kept of one member
MEMBERS = 256  # members observed; both bound the memory when much fails at once


class Journal:
    """The latest observations of the members that gave reason for any."""

    def __init__(self, membership: Membership) -> None:
        self._membership = membership
        self._notes: OrderedDict[str, deque[Observation]] = OrderedDict()

    def name_of(self, short_id: int) -> str:
        """The member's name, or its short id in hex."""
        entry = self._membership.by_id(short_id)
        return entry.name if entry is not None else f"{short_id:016x}"

    def note(self, subject: str, what: str, now: float, *, by: int | None = None, detail: str = "") -> None:
        """Record what this node, or the member with short id ``by``, saw of a subject."""
        observer = self._membership.local_name if by is None else self.name_of(by)
        notes = self._notes.setdefault(subject, deque(maxlen=PER_MEMBER))
        notes.append(Observation(now, observer, what, detail))
        self._notes.move_to_end(subject)
        if len(self._notes) > MEMBERS:
            self._notes.popitem(last=False)

    def evidence(self, claim: Claim) -> Evidence:
        """What stands behind a claim, as far as this node knows."""
        notes = tuple(self._notes.get(claim.name, ()))
        if claim.verdict is None:
            return Evidence(None, "", 0, notes)
        verdict = claim.verdict
        return Evidence(verdict.rule, self.name_of(verdict.accuser), verdict.time, notes)

    def forget(self, subject: str) -> None:
        """Drop what was noted of a subject."""
        self._notes.pop(subject, None)
