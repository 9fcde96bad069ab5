"""Watches and votes: who is looked at closely, and what helpers and kernels say (docs/protocol.md, section 4)."""

from collections.abc import Callable

from swim_core.member import State, known
from swim_core.native.claims.corrections import Corrections
from swim_core.native.claims.local_member import LocalMember
from swim_core.native.claims.strangers import Strangers
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.sender import Sender
from swim_core.native.table.entry import Change, Entry
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.messages import KernelVerdict, NotMe, PingReq, Poll, Vote, VoteKind
from swim_core.protocol import KernelEvidence
from swim_core.shared.local_health import LocalHealth
from swim_core.shared.timers import Timer
from swim_core.statistics import DropReason

from .accuser import Accuser
from .evidence_log import EvidenceLog
from .pings import Pings
from .tripwires import Tripwires
from .watch import Watch

__all__ = ["Watches"]

SOON = 1.0  # seconds between two requests of an accuser that has more to go by than silence
ACCUSER_LIFE = 5.0  # seconds after which an accuser that asked no more is forgotten
TICK = 0.001  # seconds: the least until the next look, lest rounding makes one tick follow another for ever
MAX_ASKED = 64  # watches kept for one accuser
MAX_WATCHES = 4_096  # bounds what members that ask for help can make this node watch


class Watches:
    """Keeps the watches, votes in them as a helper, and has the `Accuser` judge where this node accuses."""

    def __init__(
        self,
        context: NodeContext,
        local: LocalMember,
        corrections: Corrections,
        strangers: Strangers,
        pings: Pings,
        health: LocalHealth,
        evidence_log: EvidenceLog,
        tripwires: Tripwires,
        *,
        declare: Callable[[Claim, float], None],
    ) -> None:
        self._config = context.config
        self._timers = context.timers
        self._hashes = context.hashes
        self._table = context.table
        self._local = local
        self._outbox = context.outbox
        self._corrections = corrections
        self._strangers = strangers
        self._pings = pings
        self._health = health
        self._evidence_log = evidence_log
        self._tripwires = tripwires
        self._counters = context.counters
        self._watches: dict[int, Watch] = {}
        self._accuser = Accuser(
            context,
            local,
            health,
            evidence_log,
            self._watches,
            ping=self._ping_subject,
            end=self._end,
            declare=declare,
        )
        self._timer_of: dict[int, Timer] = {}

    def __len__(self) -> int:
        return len(self._watches)

    def watching(self, short_id: int) -> bool:
        """Whether that run is under watch here."""
        return short_id in self._watches

    # ------------------------------------------------------------------ beginning and ending

    def accuse(self, entry: Entry, sent: float, now: float) -> None:
        """A probe sent at ``sent`` was not answered, or was refused: watch the member and ask helpers."""
        if self._health.deaf or self._local.silent or not entry.live or entry.name == self._local.name:
            return
        watch = self._watches.get(entry.short_id)
        if watch is None:
            watch = self._begin(entry, self._health.awake(now) - (now - sent), now)
        if not watch.accusing:
            self._accuser.begin(watch, now)
        self._run(watch, now)

    def help(self, request: PingReq, sender: Sender, now: float) -> None:
        """An accuser asks to watch a member: served for live members, about live members."""
        accuser = sender.member
        entry = self._table.get(request.claim.name)
        if accuser is None or entry is None:
            self._counters.drop(DropReason.STRANGER)
            return
        if self._local.silent:
            return
        if not entry.live:
            self._corrections.send(entry.claim, sender, now)
            return
        if entry.name in (self._local.name, accuser.name):
            return
        watch = self._watches.get(entry.short_id)
        if watch is None:
            asked = sum(accuser.short_id in other.accusers for other in self._watches.values())
            if asked >= MAX_ASKED or len(self._watches) >= MAX_WATCHES:
                self._counters.drop(DropReason.RATE_LIMITED)
                return
            watch = self._begin(entry, self._health.awake(now), now)
        before = watch.accusers.get(accuser.short_id)
        watch.accusers[accuser.short_id] = now
        if before is None:
            self._evidence_log.note(entry.name, "accused", now, by=accuser.short_id, detail="and asks for help")
        elif now - before < SOON:
            self._hurry(watch, now)
        self._vote(watch, accuser, 0, now)
        self._run(watch, now)

    def _begin(self, entry: Entry, since: float, now: float) -> Watch:
        short_id = entry.short_id
        watch = Watch(entry, short_id, entry.claim.incarnation, since)
        watch.findings.contact = self._tripwires.has_greeted(short_id)
        self._look_at_tripwire(watch)
        if entry.address == self._local.address:
            watch.findings.replaced = now  # this node has the socket there: that one can have lost it only
        self._watches[short_id] = watch
        self._evidence_log.note(entry.name, "watch began", now)
        return watch

    def _end(self, watch: Watch) -> None:
        self._watches.pop(watch.short_id, None)
        timer = self._timer_of.pop(watch.short_id, None)
        if timer is not None:
            timer.cancel()

    def heard(self, short_id: int, now: float) -> None:
        """The member showed life: the watch ends, and accusers learn of it."""
        watch = self._watches.get(short_id)
        if watch is None:
            return
        self._evidence_log.note(watch.entry.name, "answered", now)
        self._end(watch)
        vote = watch.vote(VoteKind.ALIVE, 0, 0.0, self._config, now, self._health.awake(now))
        for accuser in self._accusers(watch, now):
            self._outbox.send(vote, accuser, now)

    def on_change(self, change: Change, now: float) -> None:
        """A claim changed: a higher ALIVE is the member's own answer, DEAD and LEFT settle the matter."""
        after = change.claim
        watch = self._watches.get(change.before_id)
        if watch is None:
            return
        if change.new_run or after.state is not State.SUSPECT:
            self._end(watch)
        else:
            watch.incarnation = after.incarnation

    def stop(self) -> None:
        """Watch nobody any more."""
        for watch in list(self._watches.values()):
            self._end(watch)

    def pause(self) -> None:
        """This node paused: votes and answers from before count no longer."""
        for watch in self._watches.values():
            watch.drop_answers()
            detail = "itself: its ages don't count that time, nor what was said before"
            self._evidence_log.note(watch.entry.name, "paused", self._health.last_pause, detail=detail, repeats=True)

    # ------------------------------------------------------------------ evidence

    def evidence(self, entry: Entry, kind: KernelEvidence, now: float) -> None:
        """The kernel at a member's address said something: watch it if that is bad, vote, and judge."""
        short_id = entry.short_id
        in_touch = self._tripwires.has_greeted(short_id)
        refused = kind is KernelEvidence.REFUSED_UDP or (kind is KernelEvidence.REFUSED_TCP and in_touch)
        if refused and (short_id not in self._watches or self._tripwires.lost_at(short_id) is not None):
            self.accuse(entry, now, now)
        watch = self._watches.get(short_id)
        if watch is None:
            return
        self._evidence_log.note_kernel(entry.name, kind, now)
        findings, before = watch.findings, self._kernel(watch, now)
        self._look_at_tripwire(watch)
        findings.take(kind, now, self._health.awake(now))
        self._weigh(watch, before, now)

    def _look_at_tripwire(self, watch: Watch) -> None:
        watch.findings.wired = self._tripwires.stands(watch.short_id)
        watch.findings.lost = self._tripwires.lost_at(watch.short_id)

    def not_me(self, answer: NotMe, sender: Sender, now: float) -> None:
        """Another run answers where one was pinged: that one has lost its socket, whoever accepts there."""
        short_id = self._pings.other_answered(answer.seq, sender.address)
        entry = self._table.by_id(short_id) if short_id is not None else None
        if entry is None:
            self._counters.drop(DropReason.UNREQUESTED)
            return
        watch = self._watches.get(entry.short_id)
        if entry.live and watch is not None:
            self._replaced(watch, entry, now)
        if answer.claim is not None:
            self._strangers.introduce(answer.claim, sender, now)

    def _replaced(self, watch: Watch, entry: Entry, now: float) -> None:
        self._evidence_log.note(entry.name, "another run answered", now, repeats=True)
        before = self._kernel(watch, now)
        watch.findings.replaced = now
        self._weigh(watch, before, now)

    def _kernel(self, watch: Watch, now: float) -> KernelVerdict:
        return watch.findings.verdict(self._config.reping_interval, now, self._health.awake(now))[0]

    def _weigh(self, watch: Watch, before: KernelVerdict, now: float) -> None:
        """Kernels said something: vote if that changed what it comes to, judge, and plan anew."""
        if watch.findings.alarming(now):
            self._hurry(watch, now)
        if self._kernel(watch, now) is not before:
            for accuser in self._accusers(watch, now):
                self._vote(watch, accuser, 0, now)
        if watch.accusing:
            self._accuser.judge(watch, now)
        if watch.short_id in self._watches:
            self._plan(watch, now)

    # ------------------------------------------------------------------ voting

    def _accusers(self, watch: Watch, now: float) -> list[Entry]:
        for short_id, asked in list(watch.accusers.items()):
            if now - asked > ACCUSER_LIFE:
                del watch.accusers[short_id]
        entries = (self._table.by_id(short_id) for short_id in watch.accusers)
        return [entry for entry in entries if entry is not None and entry.live]

    def _vote(self, watch: Watch, accuser: Entry, nonce: int, now: float) -> None:
        paused = now - self._health.last_pause < self._config.stall_tolerance
        kind = VoteKind.PAUSED if paused else VoteKind.SILENT
        self._look_at_tripwire(watch)
        awake = self._health.awake(now)
        self._outbox.send(watch.vote(kind, nonce, awake - watch.since, self._config, now, awake), accuser, now)

    def polled(self, poll: Poll, sender: Sender, now: float) -> None:
        """An accuser asks for the last word."""
        accuser = sender.member
        if accuser is None:
            self._counters.drop(DropReason.STRANGER)
            return
        watch = self._watches.get(poll.subject)
        entry = self._table.by_id(poll.subject)
        if watch is not None:
            watch.accusers[accuser.short_id] = now
            self._vote(watch, accuser, poll.nonce, now)
            if self._health.awake(now) - watch.since >= self._config.stall_tolerance:  # its vote may settle the matter
                self._ping_subject(watch, now)
        elif entry is not None and not entry.live:
            self._corrections.send(entry.claim, sender, now)

    def voted(self, vote: Vote, sender: Sender, now: float) -> None:
        """A helper says what it sees."""
        if sender.member is None:
            self._counters.drop(DropReason.STRANGER)
            return
        watch = self._watches.get(vote.subject)
        helper = watch.helpers.get(sender.member.name) if watch is not None else None
        if watch is None or helper is None:
            return
        if not known(vote.kind):  # of a newer release: it is not silence, and not life
            self._counters.drop(DropReason.UNKNOWN_KIND)
            return
        helper.vote, helper.voted = vote, now
        self._evidence_log.note_vote(watch.entry.name, vote, sender.short_id, now)
        if vote.kind is VoteKind.ALIVE:
            self._end(watch)
            return
        if vote.nonce in watch.nonces:
            helper.answers = {nonce: answer for nonce, answer in helper.answers.items() if nonce in watch.nonces}
            helper.answers[vote.nonce] = vote
        if vote.kind is VoteKind.PAUSED and not helper.replaced:
            self._accuser.replace(watch, helper, now)
        self._accuser.judge(watch, now)

    # ------------------------------------------------------------------ the clock

    def _run(self, watch: Watch, now: float) -> None:
        """Do what is due for one watch, and plan the next time."""
        if watch.short_id not in self._watches:
            return
        if now >= watch.next_ping:
            self._ping(watch, now)
        if watch.repeats and now >= watch.repeats[0]:
            watch.repeats = [moment for moment in watch.repeats if moment > now]
            self._repeat(watch, now)
        if watch.accusing:
            self._accuser.press(watch, now)
            self._accuser.judge(watch, now)
        elif not watch.accusers:
            self._end(watch)
        if watch.short_id in self._watches:
            self._plan(watch, now)

    def _ping(self, watch: Watch, now: float) -> None:
        watch.next_ping = now + self._config.reping_interval
        self._ping_subject(watch, now)
        self._test(watch, now)
        for accuser in self._accusers(watch, now):
            self._vote(watch, accuser, 0, now)

    def _ping_subject(self, watch: Watch, now: float) -> None:
        self._pings.send(watch.entry, now, accused=watch.incarnation)

    def _test(self, watch: Watch, now: float) -> None:
        awake = self._health.awake(now)
        if self._tripwires.enabled and watch.findings.wants_test(now, awake):
            watch.findings.tested = awake
            self._tripwires.connect(watch.entry)

    def _hurry(self, watch: Watch, now: float) -> None:
        """The subject seems to have ended: what a lost packet would delay is repeated soon, a few times in each watch.

        Where only a second refusal by UDP could settle it, which must come later, there is no hurry.
        """
        if watch.repeats is None and watch.findings.contact:
            watch.repeats = self._tripwires.retests(now)
            self._tripwires.hand_over(watch.short_id)

    def _repeat(self, watch: Watch, now: float) -> None:
        """Repeat the tests that were not refused, and the requests to those who don't say that theirs were."""
        findings = watch.findings
        if findings.vetoes(now):
            return
        if findings.lacks_udp(now):
            self._ping_subject(watch, now)
        if findings.lacks_tcp(now):
            self._tripwires.connect(watch.entry)
        if watch.accusing:
            self._accuser.ask_again(watch, now)

    def _plan(self, watch: Watch, now: float) -> None:
        times = [
            watch.next_ping,
            *(watch.repeats or ())[:1],
            *(self._accuser.times(watch, now) if watch.accusing else ()),
        ]
        timer = self._timer_of.get(watch.short_id)
        if timer is not None:
            timer.cancel()
        self._timer_of[watch.short_id] = self._timers.at(max(min(times), now + TICK), lambda at: self._run(watch, at))
