"""Checks that verdicts rest on the ages, votes and quorums that docs/protocol.md requires, as read from the wire."""

from collections import deque
from math import inf

import attrs

from swim_core.address import Address
from swim_core.events import Event, Evidence, MemberDied, MemberSuspected
from swim_core.member import Member, Rule, State
from swim_core.native.wire.datagram import Envelope
from swim_core.native.wire.messages import KernelVerdict, PingReq, Poll, Vote, VoteKind

from .cluster import Cluster
from .process import Process
from .violation import require
from .wiretap import Wiretap

__all__ = ["BY_OTHERS", "VerdictsGrounded"]

BY_OTHERS = (Rule.GONE, Rule.SILENT, Rule.HOST_GONE)  # the rules by which a member is declared dead by another one
JUDGED = (Rule.SUSPICION, *BY_OTHERS)
VOTE_LIFE = 1.3  # seconds for which a vote counts
POLLS = 3  # the latest polls, whose answers count
QUORUM = 2
BRAKE = 3  # the factor of S while most others are under watch
CLEARLY = (
    2,
    16,
)  # watches, or one in this many members, by which half of the others may be exceeded: some begin or end within a turn
ECHO = (
    300  # ms; an older verdict of a node's own comes back to it from others; a new one waits for its subject's answer
)
PROOFS = 16  # that came lately: a verdict rests on those before it was made
ROUNDING = 0.02  # seconds
SEVERAL = 4  # with fewer live members there is no brake


@attrs.define
class _Sight:
    """What one node has learned about one run of a member."""

    proof: float  # of when it last had proof that the member lives, from itself or from a helper
    offset: float  # of its clock then: a clock that was stepped since tells ages that can't be told from here
    asked: dict[Address, None] = attrs.Factory(dict)  # helpers, since then
    proofs: deque[tuple[float, float]] = attrs.Factory(lambda: deque(maxlen=PROOFS))  # when each came, and its time
    votes: dict[int, tuple[float, Vote]] = attrs.Factory(dict)  # the latest, by voter
    polls: deque[int] = attrs.Factory(lambda: deque(maxlen=POLLS))
    answers: dict[int, list[tuple[float, int, Vote]]] = attrs.Factory(dict)  # by nonce: when it came, voter and vote


@attrs.frozen
class _Grounds:
    """What a node's verdict rests on besides its subject's age, at the moment when it was made."""

    made: float
    brake: int
    quorum: int


class VerdictsGrounded(Wiretap):
    """Every suspicion and verdict of a node is justified by the age that it saw and the votes that reached it.

    - A member's age starts anew with its last datagram, or with a helper's word that it heard one, and doesn't count
      the time in which the node itself stalled. SUSPECT takes S/2, SILENT S, HOST_GONE S_host, and three times as much
      while most others are under watch.
    - SUSPECT takes a vote that counts. GONE takes one that says REFUSED, and none that vetoes. The others take a quorum
      of answers to recent polls: two, or all others that this node heard within S if these are fewer.
    """

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(cluster)
        self._sights: dict[tuple[Process, int], _Sight] = {}
        self._heard: dict[tuple[Process, int], float] = {}
        # as each first said of a run and incarnation that it is dead, by its own verdict: it is asked before it is so
        self._made: dict[tuple[Process, int, int], _Grounds] = {}
        self._stalls: dict[Process, list[tuple[float, float]]] = {}  # from, to
        self._suspicion = self.config.stall_tolerance / 2

    # what it sees

    def _sight(self, process: Process, subject: int) -> _Sight:
        sight = self._sights.get((process, subject))
        if sight is None:
            offset = process.clock - self.cluster.now
            sight = self._sights[process, subject] = _Sight(process.started, offset)
        return sight

    def _prove(self, process: Process, subject: int, time: float) -> None:
        sight = self._sights.get((process, subject))
        if sight is None:
            self._sights[process, subject] = _Sight(time, process.clock - self.cluster.now)
        elif time > sight.proof:
            sight.proofs.append((self.cluster.now, sight.proof))
            sight.proof, sight.offset = time, process.clock - self.cluster.now
            sight.asked.clear()

    def on_pause(self, process: Process) -> None:
        self._stalls.setdefault(process, []).append((self.cluster.now, inf))

    def on_wake(self, process: Process) -> None:
        stalls = self._stalls[process]
        stalls[-1] = (stalls[-1][0], self.cluster.now)

    def on_said(self, process: Process, destination: Address, said: Envelope) -> None:
        for claim in said.claims:
            if claim.state is State.DEAD and claim.verdict and claim.verdict.accuser == self.short_id(process):
                subject = self.id_of(claim.name, claim.epoch)
                if (process, subject, claim.incarnation) not in self._made:
                    self._made[process, subject, claim.incarnation] = self._grounds(process, subject)
        for message in (said.message, *said.further):
            if isinstance(message, Poll):
                sight = self._sight(process, message.subject)
                if message.nonce not in sight.polls:
                    sight.polls.append(message.nonce)
                sight.asked[destination] = None
            elif isinstance(message, PingReq):
                subject = self.id_of(message.claim.name, message.claim.epoch)
                self._sight(process, subject).asked[destination] = None

    def on_heard(self, process: Process, source: Address, said: Envelope, *, deaf: bool) -> None:
        now = self.cluster.now
        if not deaf:
            self._heard[process, said.sender] = now
            self._prove(process, said.sender, now)
        for vote in (said.message, *said.further):
            if isinstance(vote, Vote):
                self._take(process, source, said.sender, vote, now)

    def _take(self, process: Process, source: Address, voter: int, vote: Vote, now: float) -> None:
        sight = self._sight(process, vote.subject)
        sight.votes[voter] = now, vote
        if vote.kind is VoteKind.ALIVE and source in sight.asked:
            # a probe that was under way may still fail, and its watch begins when that was sent
            self._prove(process, vote.subject, now - self.config.max_probe_timeout)
        elif vote.nonce in sight.polls:
            sight.answers = {nonce: answers for nonce, answers in sight.answers.items() if nonce in sight.polls}
            sight.answers.setdefault(vote.nonce, []).append((now, voter, vote))

    # what it judges

    def on_event(self, process: Process, event: Event) -> None:
        if not isinstance(event, MemberDied | MemberSuspected) or event.evidence is None:
            return
        evidence, name = event.evidence, process.node.local.name
        if (
            evidence.rule not in JUDGED
            or evidence.accuser != name
            or len(self.cluster.named(name)) > 1
            or not self._is_fresh(process, evidence)
        ):
            return
        self._judge(process, event.member, evidence)

    def _is_fresh(self, process: Process, evidence: Evidence) -> bool:
        return process.node.statistics().cluster_time - evidence.cluster_time <= ECHO

    def _judge(self, process: Process, member: Member, evidence: Evidence) -> None:
        subject = self.id_of(member.name, member.epoch)
        sight = self._sight(process, subject)
        if sight.offset != process.clock - self.cluster.now:
            self.cluster.excused["verdicts"] += 1
            return
        self.cluster.judged["verdicts"] += 1
        grounds = self._made.get((process, subject, member.incarnation)) or self._grounds(process, subject)
        made, quorum = grounds.made, grounds.quorum
        rule = evidence.rule
        if rule is Rule.GONE:
            self._require_refusals(process, member, sight, quorum)
            return
        needed = {Rule.SUSPICION: self._suspicion, Rule.SILENT: self.config.stall_tolerance}
        host = min(self.config.host_tolerance or inf, self.config.stall_tolerance)
        tolerance = needed.get(rule, host) * grounds.brake if rule is not None else 0.0
        age = self._awake(process, self._proof_at(sight, made)) - (self.cluster.now - made)
        require(
            age >= tolerance - ROUNDING,
            f"{process.label} gave {_said(rule)} on {member.name} {age:.2f} s awake after it last had proof of its"
            f" life: that takes {tolerance:.2f} s",
        )
        if rule is Rule.SUSPICION:
            votes = sum(vote.kind is not VoteKind.ALIVE for vote in self._counting(sight))
            quorum = min(1, quorum)
        else:
            votes = self._confirmations(sight, tolerance, made, by_kernel=rule is Rule.HOST_GONE)
        require(votes >= quorum, f"{process.label} gave {_said(rule)} on {member.name} with {votes} of {quorum} votes")

    def _proof_at(self, sight: _Sight, moment: float) -> float:
        """The last proof before a moment: a node does what is due before it reads what arrives at that instant."""
        for came, before in sight.proofs:
            if came >= moment:
                return before
        return sight.proof

    def _require_refusals(self, process: Process, member: Member, sight: _Sight, quorum: int) -> None:
        kernels = [vote.kernel for vote in self._counting(sight)]
        refused = kernels.count(KernelVerdict.REFUSED)
        require(refused >= min(1, quorum), f"{process.label} says that {member.name} is gone, and no helper does")

    def _counting(self, sight: _Sight) -> list[Vote]:
        since = self.cluster.now - VOTE_LIFE - ROUNDING
        return [vote for time, vote in sight.votes.values() if time >= since]

    def _confirmations(self, sight: _Sight, tolerance: float, made: float, *, by_kernel: bool) -> int:
        ms = tolerance * 1000 - 1
        voters = set()
        for came, voter, vote in (answer for answers in sight.answers.values() for answer in answers):
            silent = vote.kernel is KernelVerdict.SILENT and vote.kernel_age >= ms if by_kernel else True
            if came <= made and vote.kind is not VoteKind.ALIVE and vote.silence >= ms and silent:
                voters.add(voter)
        return len(voters)

    def _grounds(self, process: Process, subject: int) -> _Grounds:
        return _Grounds(self.cluster.now, self._brake(process), min(QUORUM, self._hearers(process, subject)))

    def _hearers(self, process: Process, subject: int) -> int:
        """How many others it heard within S, and so can't consider silent."""
        since = self.cluster.now - self.config.stall_tolerance + ROUNDING
        me = self.short_id(process)
        ids = (self.id_of(member.name, member.epoch) for member in process.node.members())
        return sum(self._heard.get((process, id), -inf) >= since for id in ids if id not in (me, subject))

    def _brake(self, process: Process) -> int:
        statistics = process.node.statistics()
        live = len(process.node.members())
        few, share = CLEARLY
        return BRAKE if live >= SEVERAL and statistics.watches > live / 2 + max(few, live / share) else 1

    def _awake(self, process: Process, since: float) -> float:
        """The most seconds that it can have been awake: a node counts a stall from its next deadline on, and no short
        ones."""
        unseen = 0.75 * self.config.probe_interval
        now = self.cluster.now
        stalls = self._stalls.get(process, ())
        return now - since - sum(max(0.0, min(to, now) - max(start, since) - unseen) for start, to in stalls)


def _said(rule: Rule | None) -> str:
    return "a verdict" if rule is None else rule.name
