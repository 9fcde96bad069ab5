"""A watch: what this node knows about one silent member, and which rules that satisfies (docs/protocol.md, section 4).

One failed probe proves little: the ping, the ack, the line or this very node may have failed. So it only begins a
*watch*, at the node whose probe failed, the *accuser*, and at the members that it asks to look, the *helpers*. Each
pings the member, and has connections tried to learn what the kernel there says; the accuser judges by what all of them
see. One watch may serve both parts.

    HELPING    others asked this node to look; it votes on what it sees
    ACCUSING   its own probe failed: helpers are asked, and their votes are gathered
    POLLING    the silence is old enough for a verdict: helpers and the member are asked for the last word
    OVER life was shown, a verdict was given, here or elsewhere, or nobody asks any longer

`NEXT` says which stages may follow which. An accuser remains one until the end. A watch goes back from POLLING to
ACCUSING when its silence is no longer old enough, because most others fell silent as well, which triples the tolerance,
or because a silent kernel answers. A sign of life ends a watch in any stage, at once.

These rules decide (`Judge`); S is the stall tolerance, m some round trips, q = min(2, members who could say):

    GONE        refused here and at min(1, q) helpers, however young: kernels say that nobody is there. With keys, only
                when the member would have answered (`Judge`)
    SILENT      older than S + m, and q helpers answered a poll with a silence of their own of S
    HOST_GONE   the same with the host tolerance, where connections to it are not answered either
    SUSPICION   older than S / 2, and min(1, q) helpers confirm S / 4: others are told, and it may refute

A watch is about one run. If somebody suspects that run at a higher incarnation, the watch goes on with that one. Ages
and silences are in seconds awake (`LocalHealth.awake`), since a node that is paused or deaf can hear no answer. Kernel
evidence, votes and schedules are in seconds of the local clock.
"""

from collections import deque
from collections.abc import Mapping
from enum import Enum, auto
from math import inf

import msgspec

from swim_core.member import Rule
from swim_core.native.settings import Settings
from swim_core.native.table.entry import Entry
from swim_core.native.wire.claim import MAX_INCARNATION
from swim_core.native.wire.messages import KernelVerdict, Vote, VoteKind
from swim_core.shared.rate_limit import RateLimit
from swim_core.shared.timers import Timer

from .kernel_findings import KernelFindings

__all__ = ["NEXT", "AskedHelper", "Stage", "Watch"]

UNANSWERED = 2  # pings, at least, before a silence counts: one may be lost
VOTE_LIFE = 1.3  # seconds for which a vote counts
NONCES = 3  # the latest polls, whose answers count


class Stage(Enum):
    """How far a watch has come."""

    HELPING = auto()
    ACCUSING = auto()
    POLLING = auto()
    OVER = auto()


NEXT: Mapping[Stage, frozenset[Stage]] = {
    Stage.HELPING: frozenset({Stage.ACCUSING, Stage.OVER}),
    Stage.ACCUSING: frozenset({Stage.POLLING, Stage.OVER}),
    Stage.POLLING: frozenset({Stage.ACCUSING, Stage.OVER}),
    Stage.OVER: frozenset(),
}
"""The stages that may follow each."""


class AskedHelper(msgspec.Struct):
    """A member asked to confirm, and what it said.

    Attributes:
        entry: the member.
        asked: when it was first asked since its last vote.
        vote: the last one.
        voted: when that came.
        answers: those to polls, by nonce.
        replaced: whether another was asked in its place.
    """

    entry: Entry
    asked: float
    vote: Vote | None = None
    voted: float = -inf
    answers: dict[int, Vote] = msgspec.field(default_factory=dict)
    replaced: bool = False

    @property
    def owes(self) -> bool:
        """Whether it was asked, and has not voted since."""
        return self.voted < self.asked

    def silence(self, now: float) -> float | None:
        """The silence (seconds) it states in a vote that counts, or None."""
        if self.vote is None or now - self.voted > VOTE_LIFE or self.vote.kind is VoteKind.ALIVE:
            return None
        return self.vote.silence / 1000.0

    def kernel(self, now: float) -> KernelVerdict:
        """What its kernel says, if its vote counts."""
        return self.vote.kernel if self.vote is not None and now - self.voted <= VOTE_LIFE else KernelVerdict.NONE


class Watch(msgspec.Struct):
    """One member under watch, as accuser, as helper of accusers, or both.

    Attributes:
        entry: the member.
        short_id: the short id of the run under watch.
        incarnation: the incarnation that is accused.
        since: when the first unanswered ping was sent (t0), on the clock that counts time awake.
        pings: how many were sent in this watch.
        stage: how far it has come.
        asked: with keys, when the first ping was sent of those that the member had not answered when the watch began;
            until it has had the time of an answer, refusals are no verdict (`Judge`).
        judged: whether a verdict was given at this incarnation, which is put to the member before it is believed.
        witness: whether this node has seen the process end, and leaves the judgement to another member for now.
        accusers: short ids of the members that this node helps, and when they last asked.
        helpers: the helpers asked so far, by name (a helper that restarts remains one), in the order of rank.
        candidates: members that may be asked next, best rank last.
        pinged: when the member was last pinged.
        polled: when the last poll went out, together with a ping to the subject.
        ping_at: when the next ping is due.
        ask_at: when the accuser next asks its helpers again.
        poll_at: when helpers may next be polled.
        booked: where the next ping has its place in line, if it has to wait.
        timer: goes off when the watch is next due.
        repeats: when tests and requests are repeated because the subject seems to have ended; None as long as it only
            seems silent.
        hurried: when that was seen: an earlier connection tells nothing of it.
    """

    entry: Entry
    short_id: int
    incarnation: int
    since: float
    pings: int = 0
    stage: Stage = Stage.HELPING
    asked: float | None = None
    judged: bool = False
    witness: bool = False
    accusers: dict[int, float] = msgspec.field(default_factory=dict)
    helpers: dict[str, AskedHelper] = msgspec.field(default_factory=dict)
    candidates: list[Entry] = msgspec.field(default_factory=list)
    findings: KernelFindings = msgspec.field(default_factory=KernelFindings)
    nonces: deque[int] = msgspec.field(default_factory=lambda: deque(maxlen=NONCES))
    pinged: float = -inf
    ping_at: float = -inf
    booked: RateLimit | None = None
    ask_at: float = -inf
    poll_at: float = -inf
    polled: float = -inf
    repeats: list[float] | None = None
    hurried: float = -inf
    timer: Timer | None = None

    @property
    def accusing(self) -> bool:
        """Whether this node's own probe failed, and it is the one to judge."""
        return self.stage is Stage.ACCUSING or self.stage is Stage.POLLING

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.stage is Stage.OVER

    def enter(self, stage: Stage) -> None:
        """Go on to another stage, which must be one that may follow. Entering the present one does nothing."""
        if stage is not self.stage:
            assert stage in NEXT[self.stage], f"from {self.stage.name} to {stage.name}"
            self.stage = stage

    @property
    def tried(self) -> bool:
        """Whether enough pings went unanswered; the failed probe counts, if that is what began the watch."""
        return self.pings + self.accusing >= UNANSWERED

    def vote(self, kind: VoteKind, nonce: int, age: float, config: Settings, now: float, awake: float) -> Vote:
        """This node's vote on the member."""
        kernel, kernel_age = self.findings.verdict(config.reping_interval, now, awake)
        age = age if self.tried else 0.0
        return Vote(self.short_id, self.incarnation, nonce, kind, _ms(age), kernel, _ms(kernel_age))

    def gone(self, quorum: int, config: Settings, now: float, awake: float) -> bool:
        """Rule 1: refused here and at min(1, q) helpers; a kernel there that accepts vetoes."""
        own, _ = self.findings.verdict(config.reping_interval, now, awake)
        votes = self._kernel_votes(now)
        if own is not KernelVerdict.REFUSED or KernelVerdict.REACHABLE in votes:
            return False
        return votes.count(KernelVerdict.REFUSED) >= min(1, quorum)

    def kernel_silence(self, now: float, awake: float) -> float | None:
        """For how long no connection was answered here; None if one was, here or at a helper."""
        since = self.findings.silent
        return None if since is None or KernelVerdict.REACHABLE in self._kernel_votes(now) else awake - since

    def host_gone(self, quorum: int, tolerance: float, now: float, awake: float) -> bool:
        """Rule 3, once the watch is old enough: rule 2 by what kernels say, at helpers whose tripwires to the member
        stand.

        This node's own connections need never have got through if theirs did: it is the judge, they are witnesses.
        """
        silence = self.kernel_silence(now, awake)
        if silence is None or silence < tolerance or not (quorum or self.findings.wired):
            return False
        return sum(self._confirms(helper, tolerance, by_kernel=True) for helper in self.helpers.values()) >= quorum

    def _kernel_votes(self, now: float) -> list[KernelVerdict]:
        return [helper.kernel(now) for helper in self.helpers.values()]

    def suspicious(self, quorum: int, least: float, now: float) -> bool:
        """Whether min(1, q) helpers confirm a silence of ``least`` seconds: a helper that just began to look knows
        nothing."""
        silences = (helper.silence(now) for helper in self.helpers.values())
        return sum(silence is not None and silence >= least for silence in silences) >= min(1, quorum)

    def silent(self, quorum: int, tolerance: float) -> bool:
        """Rule 2, once the watch is old enough: q helpers answered a recent poll with such a silence of their own."""
        return sum(self._confirms(helper, tolerance) for helper in self.helpers.values()) >= quorum

    def _confirms(self, helper: AskedHelper, tolerance: float, *, by_kernel: bool = False) -> bool:
        answers = [helper.answers[nonce] for nonce in self.nonces if nonce in helper.answers]
        if by_kernel:
            answers = [a for a in answers if a.kernel is KernelVerdict.SILENT and a.kernel_age >= tolerance * 1000]
        return any(answer.silence >= tolerance * 1000 for answer in answers)

    def grounds(self, rule: Rule, age: float, now: float) -> str:
        """What a verdict by ``rule`` rests on, in words for people."""
        if rule is Rule.GONE:
            here = "refused here"
            others = [
                f"at {name}" for name, helper in self.helpers.items() if helper.kernel(now) is KernelVerdict.REFUSED
            ]
        else:
            here = f"{age:.2f} s silent here" + (", its kernel too" if rule is Rule.HOST_GONE else "")
            seen = ((name, helper.silence(now)) for name, helper in self.helpers.items())
            others = [f"{silence:.2f} s at {name}" for name, silence in seen if silence is not None]
        return f"rule {rule.name.lower()}: {', '.join([here, *(others or ['nobody else to ask'])])}"

    def drop_answers(self) -> None:
        """Drop votes and answers from before a pause of this node."""
        self.nonces.clear()
        self.findings.forget_tests()
        for helper in self.helpers.values():
            helper.vote = None
            helper.answers.clear()


def _ms(seconds: float) -> int:
    return min(max(0, round(seconds * 1000)), MAX_INCARNATION)
