"""The accuser's part in a watch: it asks helpers, gathers their votes, and polls them for the last word.

What follows from them is up to the `Judge` (docs/protocol.md, section 4).
"""

from math import inf

from swim_core.counters import DropReason
from swim_core.member import known
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.sender import Sender
from swim_core.native.table.entry import Entry
from swim_core.native.wire.messages import KernelVerdict, PingReq, Poll, Vote, VoteKind
from swim_core.shared.local_health import LocalHealth
from swim_core.shared.rate_limit import RateLimit

from .evidence_log import EvidenceLog
from .judge import Schedule
from .letters import Letters
from .prober import Prober
from .subject_pings import SubjectPings
from .under_watch import MANY, UnderWatch
from .watch import NONCES, AskedHelper, Stage, Watch

__all__ = ["Accuser"]

ASK_AGAIN = 2.0  # seconds between two PING_REQs to one helper
HELPER_PATIENCE = 0.2  # seconds beyond the probe timeout for a first vote
POLL_EVERY = 0.3  # seconds, at least
POLL_RARELY = 1.5  # seconds, at most, while many are under watch
EXAMINED = 30  # helpers a second that are pinged because they don't vote
LOOK_UP = 1.0  # seconds between two searches for further helpers
TRIES = 8  # draws to find one that has not been asked


class Accuser:
    """Gathers what others see of the members that this node watches because its own probe failed."""

    def __init__(
        self,
        context: NodeContext,
        health: LocalHealth,
        evidence_log: EvidenceLog,
        under_watch: UnderWatch,
        letters: Letters,
        prober: Prober,
        pings: SubjectPings,
    ) -> None:
        self._config = context.config
        self._table = context.table
        self._random = context.random
        self._unguessable = context.unguessable
        self._counters = context.counters
        self._rtt = context.rtt
        self._health = health
        self._evidence_log = evidence_log
        self._under_watch = under_watch
        self._letters = letters
        self._prober = prober
        self._pings = pings
        self._trouble = context.trouble
        self._examined = RateLimit(EXAMINED, EXAMINED // 3)
        self._spare: list[Entry] = []
        self._looked_up = -inf
        self._heard: list[Entry] = []
        self._listed = -inf

    # ------------------------------------------------------------------ asking

    def begin(self, watch: Watch, schedule: Schedule, *, unasked: bool = False) -> None:
        """Ask the first helpers after a probe of this node failed: those nearest before the subject on the rings, whose
        tripwires lead to it.

        Args:
            watch: the watch.
            schedule: its schedule now.
            unasked: whether they will vote unasked (`Testimony`): those that haven't soon, haste asks.
        """
        watch.enter(Stage.ACCUSING)
        now = schedule.now
        detail = f"dead after {schedule.age + schedule.dead_in:.2f} s of silence, if others agree"
        self._evidence_log.note(watch.entry.name, "accused", now, detail=detail)
        watch.candidates = self._table.topology.predecessors(watch.entry, self._config.max_helpers)[::-1]
        watch.ask_at = now + ASK_AGAIN
        if not unasked:
            self._ask_more(watch, self._config.helpers, now)
            return
        for _ in range(self._config.helpers):
            if (candidate := self._candidate(watch, now)) is not None:
                self.expect(watch, candidate)

    def expect(self, watch: Watch, helper: Entry) -> None:
        """Take that member's votes though it was not asked."""
        watch.helpers.setdefault(helper.name, AskedHelper(helper, -inf))

    def _ask_more(self, watch: Watch, count: int, now: float) -> None:
        """Ask that many further helpers, as long as at most `max_helpers` of those asked can answer."""
        count = min(count, self._config.max_helpers - len(self._able(watch)))
        before = len(watch.helpers)
        while count > 0 and (candidate := self._candidate(watch, now)) is not None:
            count -= 1
            watch.helpers[candidate.name] = AskedHelper(candidate, now)
            self._request(watch, watch.helpers[candidate.name], now)
        if len(watch.helpers) > before:
            self._evidence_log.note(
                watch.entry.name, "asked helpers", now, detail=", ".join(watch.helpers), repeats=True
            )

    def _able(self, watch: Watch) -> list[AskedHelper]:
        """The helpers that were asked and can probably answer."""
        return [helper for helper in watch.helpers.values() if self._under_watch.hears(helper.entry)]

    def _candidate(self, watch: Watch, now: float) -> Entry | None:
        """The next helper to ask: the best by rank, or when all of those were asked, anybody who can probably answer.

        If many are under watch and only one was heard since, that one comes first.
        """
        if self._under_watch.many and (heard := self._heard_since(watch, now)) is not None:
            return heard
        while watch.candidates:
            candidate = watch.candidates.pop()
            if candidate.name not in watch.helpers and self._under_watch.hears(candidate):
                return candidate
        if now - self._looked_up >= LOOK_UP:
            self._looked_up = now
            self._spare = [entry for entry in self._table.topology.others() if self._under_watch.hears(entry)]
        for _ in range(min(TRIES, len(self._spare))):
            candidate = self._random.choice(self._spare)
            new = candidate.name not in watch.helpers and candidate is not watch.entry
            if new and self._under_watch.hears(candidate):
                return candidate
        return None

    def _heard_since(self, watch: Watch, now: float) -> Entry | None:
        """The only one that was heard since the first watch began, unless it was asked about this member already."""
        if now - self._listed >= LOOK_UP:
            self._listed = now
            began = now - (self._health.awake(now) - self._under_watch.oldest)
            self._heard = [e for e in self._table.topology.others() if e.heard is not None and e.heard > began]
        if len(self._heard) != 1:
            return None
        only = self._heard[0]
        fit = only is not watch.entry and only.name not in watch.helpers and self._under_watch.hears(only)
        return only if fit else None

    def _request(self, watch: Watch, helper: AskedHelper, now: float) -> None:
        if not helper.owes:
            helper.asked = now
        self._letters.send(PingReq(self._unguessable.u32(), watch.entry.claim), helper.entry, now)

    def ask_again(self, watch: Watch, now: float) -> None:
        """Ask helpers again that have not confirmed a refusal at the subject: the request or the vote may be lost."""
        for helper in self._able(watch):
            if helper.kernel(now) is not KernelVerdict.REFUSED:
                self._request(watch, helper, now)

    def press(self, watch: Watch, schedule: Schedule) -> None:
        """Do what is due: replace helpers that don't answer, repeat requests, poll for the verdict."""
        now = schedule.now
        if now >= watch.ask_at:
            watch.ask_at = now + ASK_AGAIN
            able = self._able(watch)
            for helper in able:
                self._request(watch, helper, now)
            self._ask_more(watch, self._config.helpers - len(able), now)
        self._replace_silent(watch, now)
        watch.enter(Stage.POLLING if schedule.poll_in <= 0 else Stage.ACCUSING)
        if watch.stage is Stage.POLLING and now >= watch.poll_at:
            if watch.pinged == now or self._pings.besides(watch, now):  # the subject has the last word
                watch.poll_at = now + self._poll_interval(schedule)
                self._poll(watch, now)
            else:
                watch.poll_at = watch.ping_at  # with the ping of its turn

    def _replace_silent(self, watch: Watch, now: float) -> None:
        """Ask others instead of helpers that don't vote, or no longer do; if many members are gone, these may be, too.

        A helper that has voted gets time if many are under watch: its votes wait for their turn, there as here.
        """
        if self._is_behind(now):
            return
        patience = self._rtt.probe_timeout + HELPER_PATIENCE
        for helper in list(watch.helpers.values()):
            if self._awaits(helper) and now - helper.asked >= patience:
                helper.replaced = True
                silent = [name for name, other in watch.helpers.items() if other.owes and other.replaced]
                self._evidence_log.note(
                    watch.entry.name, "no vote", now, detail=f"of {', '.join(silent)}", repeats=True
                )
                if self._under_watch.several and self._under_watch.hears(helper.entry):
                    self._examine(helper.entry, now)
                self._ask_more(watch, 1, now)

    def _examine(self, entry: Entry, now: float) -> None:
        """Ping a helper that doesn't vote, which may be gone as well, unless there is much to send already."""
        if self._examined.allow(now) and self._trouble.allow(now):
            self._prober.probe(entry, now)

    def _is_behind(self, now: float) -> bool:
        """Whether votes of helpers may still wait to be read here."""
        return self._health.halting(now) or self._health.late

    def _awaits(self, helper: AskedHelper) -> bool:
        """Whether somebody is to be asked in its place unless it votes soon."""
        return helper.owes and not helper.replaced and (helper.vote is None or not self._under_watch.several)

    def _poll_interval(self, schedule: Schedule) -> float:
        often = max(POLL_EVERY, 2 * schedule.last_word)
        return max(often, min(often * len(self._under_watch) / MANY, POLL_RARELY))

    def _poll(self, watch: Watch, now: float) -> None:
        if self._health.deaf:
            return
        if len(watch.nonces) == NONCES:  # helpers that don't confirm must not hold up a verdict without end
            self._ask_more(watch, 1, now)
        nonce = self._unguessable.u32() or 1
        watch.nonces.append(nonce)
        watch.polled = now
        able = self._able(watch)
        names = ", ".join(helper.entry.name for helper in able)
        self._evidence_log.note(watch.entry.name, "polled", now, detail=names, repeats=True)
        for helper in able:
            self._letters.send(Poll(watch.short_id, watch.incarnation, nonce), helper.entry, now)

    def voted(self, vote: Vote, sender: Sender, now: float) -> Watch | None:
        """Take a helper's vote; returns the watch for which it counts, if any."""
        if sender.member is None:
            self._counters.drop(DropReason.STRANGER)
            return None
        watch = self._under_watch.get(vote.subject)
        helper = watch.helpers.get(sender.member.name) if watch is not None else None
        if watch is None or helper is None:
            return None
        if not known(vote.kind):  # from a newer release: it counts neither as silence nor as life
            self._counters.drop(DropReason.UNKNOWN_KIND)
            return None
        helper.vote, helper.voted = vote, now
        self._evidence_log.note_vote(watch.entry.name, vote, sender.short_id, now)
        if vote.nonce in watch.nonces:
            helper.answers = {nonce: answer for nonce, answer in helper.answers.items() if nonce in watch.nonces}
            helper.answers[vote.nonce] = vote
        if vote.kind is VoteKind.PAUSED and not helper.replaced:  # of little use: another helper is asked
            helper.replaced = True
            self._ask_more(watch, 1, now)
        return watch

    def times(self, watch: Watch, schedule: Schedule) -> list[float]:
        """When something is next due."""
        now, heard_out = schedule.now, watch.polled + schedule.last_word
        patience = self._rtt.probe_timeout + HELPER_PATIENCE
        behind = self._is_behind(now)
        times = [helper.asked + patience for helper in watch.helpers.values() if self._awaits(helper) and not behind]
        if schedule.suspect_in > 0:
            times.append(now + schedule.suspect_in)
        if heard_out > now:
            times.append(heard_out)
        return [*times, watch.ask_at, now + schedule.poll_in if schedule.poll_in > 0 else watch.poll_at]
