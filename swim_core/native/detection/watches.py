"""Watches: which members are examined, what kernels say about them, and when each step is due (docs/protocol.md,
section 4).

The `Helper` votes to the members that asked. If this node's own probe failed, the `Accuser` asks others, and the
`Judge` decides. One watch may serve both parts.
"""

from functools import partial

from swim_core.counters import DropReason
from swim_core.member import Rule, State
from swim_core.native.claims.corrections import Corrections
from swim_core.native.claims.hearsay import Hearsay
from swim_core.native.claims.local_member import LocalMember
from swim_core.native.claims.strangers import Strangers
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.sender import Sender
from swim_core.native.table.entry import Change, Entry
from swim_core.native.table.rumour import Rumour
from swim_core.native.wire.messages import KernelVerdict, NotMe, PingReq, Poll, Vote, VoteKind
from swim_core.protocol import KernelEvidence
from swim_core.shared.local_health import LocalHealth

from .accuser import Accuser
from .evidence_log import EvidenceLog
from .false_refusals import OFTEN, FalseRefusals
from .helper import Helper
from .judge import Judge, Schedule
from .kernel_tests import KernelTests
from .letters import Letters
from .pings import Pings
from .prober import Prober
from .subject_pings import SubjectPings
from .testimony import Testimony
from .tripwires import Tripwires
from .under_watch import UnderWatch
from .watch import Stage, Watch

__all__ = ["Watches"]

SOON = 1.0  # seconds between two requests of an accuser that has more evidence than silence
TICK = 0.001  # seconds, at least, until the next look: otherwise rounding could cause an endless run of ticks


class Watches:
    """Keeps the watches: begins and ends them, takes what kernels report, and does what is due."""

    def __init__(
        self,
        context: NodeContext,
        local: LocalMember,
        corrections: Corrections,
        hearsay: Hearsay,
        strangers: Strangers,
        pings: Pings,
        health: LocalHealth,
        evidence_log: EvidenceLog,
        tripwires: Tripwires,
        under_watch: UnderWatch,
        prober: Prober,
    ) -> None:
        self._config = context.config
        self._sealed = context.sealer is not None
        self._timers = context.timers
        self._table = context.table
        self._local = local
        self._examiner = hearsay.examiner
        self._strangers = strangers
        self._pings = pings
        self._health = health
        self._evidence_log = evidence_log
        self._tripwires = tripwires
        self._counters = context.counters
        self._under_watch = under_watch
        self._false_refusals = FalseRefusals()
        self._letters = Letters(context, self._under_watch)
        self._helper = Helper(context, local, corrections, hearsay, health, tripwires, self._under_watch, self._letters)
        subject_pings = self._subject_pings = SubjectPings(context, pings)
        self._kernel_tests = KernelTests(context, health, tripwires, subject_pings)
        self._accuser = Accuser(context, health, evidence_log, self._under_watch, self._letters, prober, subject_pings)
        self._testimony = Testimony(context, health, tripwires, self._under_watch)
        self._judge = Judge(context, local, health, evidence_log, self._under_watch)

    def __len__(self) -> int:
        return len(self._under_watch)

    def of(self, short_id: int) -> Watch | None:
        """The watch on that run, if there is one."""
        return self._under_watch.get(short_id)

    # ------------------------------------------------------------------ beginning and ending

    def accuse(self, entry: Entry, sent: float, now: float, *, unasked: bool = False) -> None:
        """Watch a member, and ask helpers unless they vote ``unasked``, because a probe that was sent at ``sent`` was
        refused or not answered."""
        if self._health.deaf or self._local.silent or not entry.live or entry.name == self._local.name:
            return
        watch = self._under_watch.get(entry.short_id)
        if watch is None:
            if self._health.halting(now) or (self._health.late and self._under_watch.accusing):
                return  # most likely all have answered and this node is behind: more to read would keep it so
            watch = self._begin(entry, self._health.awake(now) - (now - sent), now)
        if not watch.accusing:
            self._accuser.begin(watch, self._judge.schedule(watch, now), unasked=unasked)
        self._run(watch, now)

    def help(self, request: PingReq, sender: Sender, now: float) -> None:
        """Watch a member because an accuser asks."""
        entry, accuser = self._helper.subject(request, sender, now), sender.member
        if entry is None or accuser is None:
            return
        watch = self._under_watch.get(entry.short_id) or self._begin(entry, self._health.awake(now), now)
        before = self._helper.asked(watch, accuser, now)
        if before is None:
            self._evidence_log.note(entry.name, "accused", now, by=accuser.short_id, detail="and asks for help")
        elif now - before < SOON:
            self._kernel_tests.hurry(watch, now)
        self._run(watch, now, asker=accuser)

    def _begin(self, entry: Entry, since: float, now: float) -> Watch:
        short_id = entry.short_id
        watch = Watch(entry, short_id, entry.claim.incarnation, since)
        watch.findings.contact = self._tripwires.has_greeted(short_id)
        watch.findings.doubted = self._false_refusals.times(short_id, now) > 0
        if self._sealed:
            watch.asked = self._pings.unanswered_since(entry, now)
        self._tripwires.inform(watch.findings, short_id)
        if entry.address == self._local.address:
            watch.findings.replaced = now  # this node has the socket there, so the other one must have lost it
        if watch.findings.lost is not None:  # it was pinged, and a connection was tried, when the tripwire broke
            watch.pings, watch.pinged, watch.ping_at = 1, watch.findings.lost, now + self._config.reping_interval
        self._under_watch.add(watch)
        self._evidence_log.note(entry.name, "watch began", now)
        return watch

    def _end(self, watch: Watch, now: float) -> None:
        self._forget(watch)
        if watch.findings.silent is not None:  # without effect if the member is dead after all
            self._tripwires.doubt(watch.entry, now)

    def _forget(self, watch: Watch) -> None:
        watch.enter(Stage.OVER)
        self._under_watch.remove(watch)
        self._helper.ended(watch)
        if watch.booked is not None:
            watch.booked.give_back()
        if watch.timer is not None:
            watch.timer.cancel()

    def heard(self, short_id: int, now: float) -> None:
        """End the watch of a member that showed life, and tell accusers."""
        watch = self._under_watch.get(short_id)
        if watch is None:
            return
        self._evidence_log.note(watch.entry.name, "answered", now)
        if watch.findings.denied:
            self._false_refusals.refuted(short_id, now)
        self._helper.tell_life(watch, now)
        self._end(watch, now)

    def on_change(self, change: Change, now: float) -> None:
        """Take a claim that won: a higher ALIVE is the member's own answer, and DEAD and LEFT settle the matter."""
        before, after = change.before, change.claim
        refuted = before is not None and before.verdict is not None and before.verdict.rule is Rule.GONE
        if refuted and after.state is State.ALIVE and not change.new_run:
            self._false_refusals.refuted(change.before_id, now)
        watch = self._under_watch.get(change.before_id)
        if watch is None:
            return
        if change.new_run or after.state is not State.SUSPECT:
            self._end(watch, now)
        else:
            watch.judged = watch.judged and watch.incarnation == after.incarnation
            watch.incarnation = after.incarnation

    def stop(self) -> None:
        """End all watches."""
        for watch in self._under_watch:
            self._forget(watch)
        self._letters.clear()

    def pause(self) -> None:
        """Drop votes and answers from before a pause of this node."""
        for watch in self._under_watch:
            watch.drop_answers()
            detail = "itself: its ages don't count that time, nor what was said before"
            self._evidence_log.note(watch.entry.name, "paused", self._health.last_pause, detail=detail, repeats=True)

    # ------------------------------------------------------------------ evidence

    def evidence(self, entry: Entry, kind: KernelEvidence, now: float) -> None:
        """Take what a kernel reported about a member's address: watch the member if it is bad news, vote, and judge."""
        short_id = entry.short_id
        in_touch = self._tripwires.has_greeted(short_id)
        refused = kind is KernelEvidence.REFUSED_UDP or (kind is KernelEvidence.REFUSED_TCP and in_touch)
        known = short_id in self._under_watch or self._false_refusals.times(short_id, now) >= OFTEN
        if refused and (not known or self._tripwires.lost_at(short_id) is not None):
            self._refused(entry, now)
        watch = self._under_watch.get(short_id)
        if kind is KernelEvidence.REACHABLE:
            self._tripwires.trust(short_id)
        if watch is None:
            if kind is KernelEvidence.KERNEL_SILENT:
                self._tripwires.doubt(entry, now)
            return
        self._evidence_log.note_kernel(entry.name, kind, now)
        findings, before = watch.findings, self._kernel(watch, now)
        self._tripwires.inform(findings, short_id)
        findings.take(kind, now, self._health.awake(now))
        self._weigh(watch, before, now)

    def _refused(self, entry: Entry, now: float) -> None:
        """Accuse a member that a kernel refused, or leave that to another one whose tripwire there has broken as
        well."""
        watch, judge = self._under_watch.get(entry.short_id), self._testimony.judge_of(entry, now)
        if judge is None or judge.name == self._local.name or (watch is not None and watch.accusing):
            self.accuse(entry, now, now, unasked=judge is not None)
        elif (watch is None or not watch.witness) and not (self._health.deaf or self._local.silent or not entry.live):
            watch = watch or self._begin(entry, self._health.awake(now), now)
            watch.witness = True
            self._helper.asked(watch, judge, now)
            self._timers.at(self._testimony.turn(entry, now), partial(self._take_over, watch))

    def _take_over(self, watch: Watch, now: float) -> None:
        """Accuse a member that another one should have judged by now."""
        if not watch.over and not watch.accusing:
            self.accuse(watch.entry, now, now)

    def not_me(self, answer: NotMe, sender: Sender, now: float) -> bool:
        """Take the answer of another run at an address that was pinged: the pinged run has lost its socket, whoever
        accepts there.

        Returns whether there was such a ping.
        """
        short_id = self._pings.other_answered(answer.seq, sender.address)
        entry = self._table.by_id(short_id) if short_id is not None else None
        if entry is not None:
            watch = self._under_watch.get(entry.short_id)
            if entry.live and watch is not None:
                self._replaced(watch, entry, now)
        elif not self._examiner.other_answered(answer.seq, sender.address, now):
            self._counters.drop(DropReason.UNREQUESTED)
            return False
        if answer.claim is not None:
            self._strangers.introduce(answer.claim, sender, now)
        return True

    def rumour_refused(self, rumour: Rumour, now: float) -> None:
        """Nobody listens at the address of a run that others told of. They may accuse it, and then want to know."""
        self._helper.rumour_refused(rumour, now)

    def _replaced(self, watch: Watch, entry: Entry, now: float) -> None:
        self._evidence_log.note(entry.name, "another run answered", now, repeats=True)
        before = self._kernel(watch, now)
        watch.findings.replaced = now
        self._weigh(watch, before, now)

    def _kernel(self, watch: Watch, now: float) -> KernelVerdict:
        return watch.findings.verdict(self._config.reping_interval, now, self._health.awake(now))[0]

    def _weigh(self, watch: Watch, before: KernelVerdict, now: float) -> None:
        """Use what kernels reported: vote if that changed the verdict of the findings, judge, and replan."""
        if watch.findings.alarming(now):
            self._kernel_tests.hurry(watch, now)
        if self._kernel(watch, now) is not before:
            self._helper.tell(watch, now)
        schedule = self._judge.schedule(watch, now)
        if watch.accusing:
            self._judge.judge(watch, schedule)
        self._plan(watch, schedule)

    # ------------------------------------------------------------------ votes

    def polled(self, poll: Poll, sender: Sender, now: float) -> None:
        """Answer an accuser's poll."""
        watch = self._helper.polled(poll, sender, now)
        if watch is not None and self._health.awake(now) - watch.since >= self._config.stall_tolerance:
            self._subject_pings.help_out(watch, now)  # this node's vote may settle the matter

    def voted(self, vote: Vote, sender: Sender, now: float) -> None:
        """Take a helper's vote: the helper has heard the member, or its vote may be enough for a verdict."""
        self._take_unasked(vote, sender, now)
        watch = self._accuser.voted(vote, sender, now)
        if watch is None:
            return
        if vote.kind is VoteKind.ALIVE:
            self._end(watch, now)
            return
        if vote.kernel is KernelVerdict.REFUSED:
            self._kernel_tests.confirm(watch, now)
        schedule = self._judge.schedule(watch, now)
        self._judge.judge(watch, schedule)
        self._plan(watch, schedule)

    def _take_unasked(self, vote: Vote, sender: Sender, now: float) -> None:
        """Look into an unasked vote that a process has ended, and count it from now on."""
        voter, entry, watch = sender.member, self._table.by_id(vote.subject), self._under_watch.get(vote.subject)
        if voter is None or entry is None or (watch is not None and voter.name in watch.helpers):
            return
        if self._testimony.is_unasked(vote, voter, entry):
            self.accuse(entry, now, now, unasked=True)
            watch = self._under_watch.get(vote.subject)
            if watch is not None and watch.accusing:
                self._accuser.expect(watch, voter)
                self._kernel_tests.hurry(watch, now)

    # ------------------------------------------------------------------ the clock

    def _run(self, watch: Watch, now: float, *, asker: Entry | None = None) -> None:
        """Do what is due for one watch, and plan the next look. An accuser that has just asked gets a vote."""
        if watch.over:
            return
        if now >= watch.ping_at and self._subject_pings.in_turn(watch, now):
            self._kernel_tests.connect(watch, now)
            self._helper.tell(watch, now)
        elif asker is not None:
            self._helper.vote(watch, asker, 0, now)
        if self._kernel_tests.repeat(watch, now) and watch.accusing:
            self._accuser.ask_again(watch, now)
        schedule = self._judge.schedule(watch, now)
        if watch.accusing:
            self._accuser.press(watch, schedule)
            self._judge.judge(watch, schedule)
        elif not watch.accusers:
            self._forget(watch)
        self._plan(watch, schedule)

    def _plan(self, watch: Watch, schedule: Schedule) -> None:
        """Look at the watch again when something is due, unless it is over."""
        if watch.over:
            return
        times = [watch.ping_at, *(watch.repeats or ())[:1]]
        if watch.accusing:
            times += self._accuser.times(watch, schedule)
        if watch.timer is not None:
            watch.timer.cancel()
        due = max(min(times), schedule.now + TICK)
        if watch.accusing and schedule.now < schedule.answer_due < due:
            due = schedule.answer_due
        watch.timer = self._timers.at(due, lambda at: self._run(watch, at))
