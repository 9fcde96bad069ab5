"""Watches, helpers, votes, polls and the verdict (docs/protocol.md, section 4)."""

from collections.abc import Callable

from .common import Common
from .corrections import Corrections
from .events import DropReason, KernelEvidence
from .health import Health
from .journal import Journal
from .kernels import Kernels
from .local import Local
from .member import Claim, Rule, State, Verdict
from .membership import Change, Entry
from .pings import Pings
from .sender import Sender
from .timers import Timer
from .tripwires import Tripwires
from .watch import NONCES, Helper, Watch
from .wire import Kernel, PingReq, Poll, Vote, VoteKind

__all__ = ["Jury"]

ASK_AGAIN = 2.0  # seconds between two PING_REQs to one helper
ACCUSER_LIFE = 5.0  # seconds after which an accuser that asked no more is forgotten
HELPER_PATIENCE = 0.2  # seconds beyond the probe timeout for a first vote
POLL_EVERY = 0.3  # seconds, at least
POLL_LATER = 0.05  # seconds, at least, that helpers are given to see a silent kernel for as long as this node
BRAKE = 3  # times S while most others are under watch
TICK = 0.001  # seconds: the least until the next look, lest rounding makes one tick follow another for ever
MAX_ASKED = 64  # watches kept for one accuser
MAX_WATCHES = 4_096  # bounds what members that ask for help can make this node watch


class Jury:
    """Keeps the watches: as an accuser it gathers votes and judges, as a helper it votes."""

    def __init__(
        self,
        common: Common,
        local: Local,
        corrections: Corrections,
        pings: Pings,
        health: Health,
        journal: Journal,
        tripwires: Tripwires,
        *,
        declare: Callable[[Claim, float], None],
    ) -> None:
        self._config = common.config
        self._timers = common.timers
        self._clock = common.clock
        self._hashes = common.hashes
        self._membership = common.membership
        self._local = local
        self._outbox = common.outbox
        self._corrections = corrections
        self._pings = pings
        self._rtt = common.rtt
        self._health = health
        self._journal = journal
        self._tripwires = tripwires
        self._random = common.random
        self._counters = common.counters
        self._declare = declare
        self._watches: dict[int, Watch] = {}
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
            watch.accusing = True
            limit = self._tolerance() + self._rtt.margin
            detail = f"dead after {limit:.2f} s of silence, if others agree"
            self._journal.note(entry.name, "accused", now, detail=detail)
            watch.candidates = self._rank(entry)
            self._ask_more(watch, self._config.helpers, now)
            watch.next_ask = now + ASK_AGAIN
        self._run(watch, now)

    def help(self, request: PingReq, sender: Sender, now: float) -> None:
        """An accuser asks to watch a member: served for live members, about live members."""
        accuser = sender.member
        entry = self._membership.get(request.claim.name)
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
        new = accuser.short_id not in watch.accusers
        watch.accusers[accuser.short_id] = now
        if new:
            self._journal.note(entry.name, "accused", now, by=accuser.short_id, detail="and asks for help")
            self._vote(watch, accuser, 0, now)
        self._run(watch, now)

    def _begin(self, entry: Entry, since: float, now: float) -> Watch:
        short_id = entry.short_id
        kernels = Kernels(contact=self._tripwires.has_greeted(short_id), lost=self._tripwires.lost_at(short_id))
        watch = Watch(entry, short_id, entry.claim.incarnation, since, kernels=kernels)
        self._watches[short_id] = watch
        self._journal.note(entry.name, "watch began", now)
        return watch

    def _rank(self, subject: Entry) -> list[Entry]:
        """Who may help, best rank last: those nearest before the subject on the rings, whose tripwires lead to it."""
        return self._membership.predecessors(subject, self._config.max_helpers)[::-1]

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
        self._journal.note(watch.entry.name, "answered", now)
        self._end(watch)
        vote = watch.vote(VoteKind.ALIVE, 0, 0.0, self._config, now, self._health.awake(now))
        for accuser in self._accusers(watch, now):
            self._outbox.send(vote, accuser, now)

    def on_change(self, change: Change, now: float) -> None:
        """A claim changed: a higher ALIVE is the member's own answer, DEAD and LEFT settle the matter."""
        before, after = change.before, change.claim
        if before is None:
            return
        watch = self._watches.get(self._hashes.short_id(before.name, before.epoch))
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
            self._journal.note(watch.entry.name, "paused", self._health.last_pause, detail=detail, repeats=True)

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
        self._journal.note_kernel(entry.name, kind, now)
        kernels, before = watch.kernels, self._kernel(watch, now)
        kernels.lost = self._tripwires.lost_at(short_id)
        kernels.take(kind, now, self._health.awake(now))
        self._weigh(watch, before, now)

    def other_run_answered(self, entry: Entry, now: float) -> None:
        """Another run answers at the member's address: the one watched has lost its socket, whoever accepts there."""
        watch = self._watches.get(entry.short_id)
        if watch is None:
            return
        self._journal.note(entry.name, "another run answered", now, repeats=True)
        before = self._kernel(watch, now)
        watch.kernels.replaced = now
        self._weigh(watch, before, now)

    def _kernel(self, watch: Watch, now: float) -> Kernel:
        return watch.kernels.verdict(self._config.reping_interval, now, self._health.awake(now))[0]

    def _weigh(self, watch: Watch, before: Kernel, now: float) -> None:
        """Kernels said something: vote if that changed what it comes to, judge, and plan anew."""
        if self._kernel(watch, now) is not before:
            for accuser in self._accusers(watch, now):
                self._vote(watch, accuser, 0, now)
        if watch.accusing:
            self._judge(watch, now)
        if watch.short_id in self._watches:
            self._plan(watch, now)

    # ------------------------------------------------------------------ voting

    def _accusers(self, watch: Watch, now: float) -> list[Entry]:
        for short_id, asked in list(watch.accusers.items()):
            if now - asked > ACCUSER_LIFE:
                del watch.accusers[short_id]
        entries = (self._membership.by_id(short_id) for short_id in watch.accusers)
        return [entry for entry in entries if entry is not None and entry.live]

    def _vote(self, watch: Watch, accuser: Entry, nonce: int, now: float) -> None:
        paused = now - self._health.last_pause < self._config.stall_tolerance
        kind = VoteKind.PAUSED if paused else VoteKind.SILENT
        awake = self._health.awake(now)
        self._outbox.send(watch.vote(kind, nonce, awake - watch.since, self._config, now, awake), accuser, now)

    def polled(self, poll: Poll, sender: Sender, now: float) -> None:
        """An accuser asks for the last word."""
        accuser = sender.member
        if accuser is None:
            self._counters.drop(DropReason.STRANGER)
            return
        watch = self._watches.get(poll.subject)
        entry = self._membership.by_id(poll.subject)
        if watch is not None:
            watch.accusers[accuser.short_id] = now
            self._vote(watch, accuser, poll.nonce, now)
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
        helper.vote, helper.voted = vote, now
        self._journal.note_vote(watch.entry.name, vote, sender.short_id, now)
        if vote.kind is VoteKind.ALIVE:
            self._end(watch)
            return
        if vote.nonce in watch.nonces:
            helper.answers = {nonce: answer for nonce, answer in helper.answers.items() if nonce in watch.nonces}
            helper.answers[vote.nonce] = vote
        if vote.kind is VoteKind.PAUSED and not helper.replaced:
            helper.replaced = True
            self._ask_more(watch, 1, now)
        self._judge(watch, now)

    # ------------------------------------------------------------------ accusing

    def _ask_more(self, watch: Watch, count: int, now: float) -> None:
        before = len(watch.helpers)
        while count and watch.candidates:
            candidate = watch.candidates.pop()
            if candidate.live and candidate.name not in watch.helpers:
                count -= 1
                watch.helpers[candidate.name] = Helper(candidate, now)
                self._request(watch, candidate, now)
        if len(watch.helpers) > before:
            self._journal.note(watch.entry.name, "asked helpers", now, detail=", ".join(watch.helpers), repeats=True)

    def _request(self, watch: Watch, helper: Entry, now: float) -> None:
        self._outbox.send(PingReq(self._random.getrandbits(32), watch.entry.claim), helper, now)

    def _quorum(self, watch: Watch, now: float) -> int:
        """q = min(2, u), u = live members besides both that have not been silent here for S."""
        silent = sum(
            other.accusing and other is not watch and self._age(other, now) >= self._config.stall_tolerance
            for other in self._watches.values()
        )
        return min(2, max(0, self._membership.live_count - 2 - silent))

    def _tolerance(self) -> float:
        """S, threefold while over half of the others are under own watch: the trouble may be this node's."""
        return self._config.stall_tolerance * self._brake()

    def _host_tolerance(self) -> float:
        """S_host, in the same manner; S where that is off."""
        config = self._config
        return min(config.host_tolerance or config.stall_tolerance, config.stall_tolerance) * self._brake()

    def _brake(self) -> int:
        live = self._membership.live_count
        return BRAKE if live > 3 and len(self._watches) > (live - 1) / 2 else 1

    def _age(self, watch: Watch, now: float) -> float:
        return self._health.awake(now) - watch.since

    def _judge(self, watch: Watch, now: float) -> None:
        """Suspect or declare dead, if a rule holds."""
        if self._health.deaf or watch.short_id not in self._watches:
            return
        quorum = self._quorum(watch, now)
        awake = self._health.awake(now)
        if watch.gone(quorum, self._config, now, awake):
            self._give_verdict(watch, Rule.GONE, now)
            return
        age, tolerance = self._age(watch, now), self._tolerance()
        if age >= tolerance + self._rtt.margin and watch.silent(quorum, tolerance):
            self._give_verdict(watch, Rule.SILENT, now)
        elif self._until_poll(watch, now) <= 0 and watch.host_gone(quorum, self._host_tolerance(), now, awake):
            self._give_verdict(watch, Rule.HOST_GONE, now)
        elif age >= tolerance / 2 and watch.suspicious(quorum, now):
            self._accuse_publicly(watch, State.SUSPECT, Rule.SUSPICION, now)

    def _give_verdict(self, watch: Watch, rule: Rule, now: float) -> None:
        self._end(watch)
        self._counters.verdicts[rule] += 1
        self._accuse_publicly(watch, State.DEAD, rule, now)

    def _accuse_publicly(self, watch: Watch, state: State, rule: Rule, now: float) -> None:
        held = watch.entry.claim
        if held.state >= state or watch.entry.short_id != watch.short_id:
            return
        grounds = watch.grounds(rule, self._age(watch, now), now)
        self._journal.note(held.name, f"declared {state.name.lower()}", now, detail=grounds)
        verdict = Verdict(self._local.short_id, rule, self._clock.read(now))
        metadata = held.metadata if state.live else None
        self._declare(Claim(held.name, held.epoch, held.address, held.incarnation, state, metadata, verdict), now)

    # ------------------------------------------------------------------ the clock

    def _run(self, watch: Watch, now: float) -> None:
        """Do what is due for one watch, and plan the next time."""
        if watch.short_id not in self._watches:
            return
        if now >= watch.next_ping:
            self._ping(watch, now)
        if watch.accusing:
            self._press(watch, now)
            self._judge(watch, now)
        elif not watch.accusers:
            self._end(watch)
        if watch.short_id in self._watches:
            self._plan(watch, now)

    def _ping(self, watch: Watch, now: float) -> None:
        watch.next_ping = now + self._config.reping_interval
        self._pings.send(watch.entry, now, accused=watch.incarnation)
        self._test(watch, now)
        for accuser in self._accusers(watch, now):
            self._vote(watch, accuser, 0, now)

    def _test(self, watch: Watch, now: float) -> None:
        awake = self._health.awake(now)
        if self._tripwires.enabled and watch.kernels.wants_test(now, awake):
            watch.kernels.tested = awake
            self._tripwires.connect(watch.entry)

    def _until_poll(self, watch: Watch, now: float) -> float:
        """Seconds until the age of the watch, or the silence of the kernel there, is enough for a verdict."""
        age = self._age(watch, now)
        left = self._tolerance() + self._rtt.margin - age
        silence = watch.kernel_silence(now, self._health.awake(now))
        if silence is None:
            return left
        host = self._host_tolerance()
        started_later = max(2 * self._rtt.p99, POLL_LATER)  # helpers' connections, by a round trip
        return min(left, max(host + self._rtt.margin - age, host + started_later - silence))

    def _press(self, watch: Watch, now: float) -> None:
        """As the accuser: replace helpers that say nothing, repeat requests, poll for the verdict."""
        if now >= watch.next_ask:
            watch.next_ask = now + ASK_AGAIN
            for helper in watch.helpers.values():
                self._request(watch, helper.entry, now)
        patience = self._rtt.probe_timeout + HELPER_PATIENCE
        for helper in list(watch.helpers.values()):
            if helper.vote is None and not helper.replaced and now - helper.asked >= patience:
                helper.replaced = True
                silent = [name for name, other in watch.helpers.items() if other.vote is None and other.replaced]
                self._journal.note(watch.entry.name, "no vote", now, detail=f"of {', '.join(silent)}", repeats=True)
                self._ask_more(watch, 1, now)
        if self._until_poll(watch, now) <= 0 and now >= watch.next_poll:
            watch.next_poll = now + max(POLL_EVERY, 2 * self._rtt.p99)
            self._poll(watch, now)

    def _poll(self, watch: Watch, now: float) -> None:
        if self._health.deaf:
            return
        if len(watch.nonces) == NONCES:  # helpers that don't confirm must not hold up a verdict for ever
            self._ask_more(watch, 1, now)
        nonce = self._random.getrandbits(32) or 1
        watch.nonces.append(nonce)
        self._journal.note(watch.entry.name, "polled", now, detail=", ".join(watch.helpers), repeats=True)
        for helper in watch.helpers.values():
            self._outbox.send(Poll(watch.short_id, watch.incarnation, nonce), helper.entry, now)

    def _plan(self, watch: Watch, now: float) -> None:
        times = [watch.next_ping]
        if watch.accusing:
            times.append(watch.next_ask)
            patience = self._rtt.probe_timeout + HELPER_PATIENCE
            times += [h.asked + patience for h in watch.helpers.values() if h.vote is None and not h.replaced]
            until_suspicion, until_poll = self._tolerance() / 2 - self._age(watch, now), self._until_poll(watch, now)
            times.append(now + until_poll if until_poll > 0 else watch.next_poll)
            if until_suspicion > 0:
                times.append(now + until_suspicion)
        timer = self._timer_of.get(watch.short_id)
        if timer is not None:
            timer.cancel()
        self._timer_of[watch.short_id] = self._timers.at(max(min(times), now + TICK), lambda at: self._run(watch, at))
