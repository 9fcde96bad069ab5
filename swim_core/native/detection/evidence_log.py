"""What was observed of each member, for `explain()` and for the evidence in events."""

from msgspec.structs import replace

from swim_core.events import Evidence, Observation
from swim_core.native.table.entry import Change
from swim_core.native.table.member_table import MemberTable
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.messages import KernelVerdict, Vote, VoteKind
from swim_core.protocol import KernelEvidence
from swim_core.shared.observations import Observations

__all__ = ["EvidenceLog"]

MAX_DETAIL = 240  # characters of one observation: a few names of others
BOUNDARIES = {"watch began", "answered"}  # an observation that repeats after one of these is a new one

_KERNELS = {
    KernelEvidence.REFUSED_UDP: "its kernel says that nobody listens there",
    KernelEvidence.REFUSED_TCP: "its port refuses connections",
    KernelEvidence.REACHABLE: "its kernel answers: the host is up",
    KernelEvidence.KERNEL_SILENT: "its kernel doesn't answer either",
    KernelEvidence.CONNECTION_LOST: "its end of a tripwire closed without an announcement",
}


class EvidenceLog(Observations):
    """Notes of members with short ids, as evidence for claims."""

    def __init__(self, table: MemberTable) -> None:
        super().__init__()
        self._table = table

    def name_of(self, short_id: int) -> str:
        """The member's name, or its short id in hex."""
        entry = self._table.by_id(short_id)
        return entry.name if entry is not None else f"{short_id:016x}"

    def note(
        self,
        subject: str,
        what: str,
        now: float,
        *,
        by: int | None = None,
        detail: str = "",
        repeats: bool = False,
    ) -> None:
        """Record what this node, or the member with short id ``by``, saw of a subject.

        Args:
            repeats: whether it is one that recurs during a watch (votes, refusals). Those are counted as one
                observation, so that they don't push out how the watch began.
        """
        observer = self._table.local_name if by is None else self.name_of(by)
        observation = Observation(now, observer, what, detail[:MAX_DETAIL])
        if not repeats or not self._count_again(subject, observation):
            self.add(subject, observation)

    def note_kernel(self, subject: str, kind: KernelEvidence, now: float) -> None:
        """Record what the kernel at a subject's address said to this node."""
        self.note(subject, kind.name.lower().replace("_", " "), now, detail=_KERNELS.get(kind, ""), repeats=True)

    def note_vote(self, subject: str, vote: Vote, by: int, now: float) -> None:
        """Record a helper's vote on a subject."""
        words = [] if vote.kind is VoteKind.ALIVE else [f"for {vote.silence / 1000:.2f} s"]
        if vote.kernel is not KernelVerdict.NONE:
            words.append(f"kernel {vote.kernel.name.lower()}")
        self.note(subject, f"vote {vote.kind.name.lower()}", now, by=by, detail=", ".join(words), repeats=True)

    def _count_again(self, subject: str, again: Observation) -> bool:
        kept = self._kept.get(subject)
        if kept is None:
            return False
        notes = kept.notes
        for index in range(len(notes) - 1, -1, -1):
            first = notes[index]
            if first.what in BOUNDARIES:
                break
            if (first.observer, first.what) == (again.observer, again.what):
                notes[index] = replace(first, detail=again.detail, count=first.count + 1, last=again.at)
                return True
        return False

    def note_change(self, change: Change, now: float) -> None:
        """Record a claim that won: who made it, and by which rule.

        ALIVE is recorded only if the member was accused before. Otherwise a cluster that starts, or changes its
        metadata, would push out why others are dead.
        """
        claim = change.claim
        if claim.verdict is not None:
            accuser, how = self.name_of(claim.verdict.accuser), f"rule {claim.verdict.rule.name.lower()}"
            if accuser != self._table.local_name:  # this node's own verdicts are recorded with their reasons
                self.add(claim.name, Observation(now, accuser, f"claimed {claim.state.name.lower()}", how))
        elif claim.name in self._kept:
            run = "a new run of it" if change.new_run else f"incarnation {claim.incarnation}"
            self.add(claim.name, Observation(now, claim.name, "claimed alive", run))

    def evidence(self, claim: Claim) -> Evidence:
        """The evidence for a claim, as far as this node knows it."""
        notes = self.of(claim.name)
        if claim.verdict is None:
            return Evidence(None, "", 0, notes)
        verdict = claim.verdict
        return Evidence(verdict.rule, self.name_of(verdict.accuser), verdict.time, notes)
