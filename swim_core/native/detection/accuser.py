"""The accuser's part in a watch: it asks helpers, polls them, and judges (docs/protocol.md, section 4)."""

from collections.abc import Callable
from math import inf

from swim_core.member import Rule, State, known
from swim_core.native.claims.local_member import LocalMember
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.sender import Sender
from swim_core.native.table.entry import Entry
from swim_core.native.wire.claim import Claim, Verdict
from swim_core.native.wire.messages import KernelVerdict, PingReq, Poll, Vote, VoteKind
from swim_core.shared.local_health import LocalHealth
from swim_core.shared.rate_limit import RateLimit
from swim_core.statistics import DropReason

from .evidence_log import EvidenceLog
from .letters import Letters
from .prober import Prober
from .under_watch import MANY, UnderWatch
from .watch import NONCES, AskedHelper, Stage, Watch

__all__ = ["Accuser"]

ASK_AGAIN = 2.0  # seconds between two PING_REQs to one helper
HELPER_PATIENCE = 0.2  # seconds beyond the probe timeout for a first vote
POLL_EVERY = 0.3  # seconds, at least
POLL_LATER = 0.05  # seconds, at least, that helpers are given to see a silent kernel for as long as this node
POLL_RARELY = 1.5  # seconds, at most, where many are under watch
EXAMINED = 30  # helpers that don't vote, a second, pinged for that
LOOK_UP = 1.0  # seconds between two looks at who else could help
TRIES = 8  # draws for one that has not been asked
BRAKE = 3  # times S while most others are under watch


class Accuser:
    """Judges members that this node watches because its own probe failed.

    ``under_watch`` holds all watches of this node: how many there are says whether the trouble is its own, and who is
    among them is no helper. ``ping`` pings the subject of one, if all watches together have not pinged too much, and
    says whether it did; ``end`` ends one.
    """

    def __init__(
        self,
        context: NodeContext,
        local: LocalMember,
        health: LocalHealth,
        evidence_log: EvidenceLog,
        under_watch: UnderWatch,
        letters: Letters,
        prober: Prober,
        *,
        ping: Callable[[Watch, float], bool],
        end: Callable[[Watch, float], None],
    ) -> None:
        self._config = context.config
        self._clock = context.clock
        self._table = context.table
        self._random = context.random
        self._counters = context.counters
        self._rtt = context.rtt
        self._local = local
        self._health = health
        self._evidence_log = evidence_log
        self._under_watch = under_watch
        self._letters = letters
        self._prober = prober
        self._hub = context.hub
        self._examined = RateLimit(EXAMINED, EXAMINED // 3)
        self._spare: list[Entry] = []
        self._looked_up = -inf
        self._ping = ping
        self._end = end

    # ------------------------------------------------------------------ asking

    def begin(self, watch: Watch, now: float) -> None:
        """A probe of this node failed: ask the first helpers, those nearest before the subject on the rings, whose
        tripwires lead to it."""
        watch.enter(Stage.ACCUSING)
        limit = self._tolerance() + self._rtt.margin
        detail = f"dead after {limit:.2f} s of silence, if others agree"
        self._evidence_log.note(watch.entry.name, "accused", now, detail=detail)
        watch.candidates = self._table.topology.predecessors(watch.entry, self._config.max_helpers)[::-1]
        self._ask_more(watch, self._config.helpers, now)
        watch.next_ask = now + ASK_AGAIN

    def _ask_more(self, watch: Watch, count: int, now: float) -> None:
        """Ask so many helpers more, as long as there are no more than `max_helpers` who could answer."""
        count = min(count, self._config.max_helpers - len(self._able(watch)))
        before = len(watch.helpers)
        while count > 0 and (candidate := self._candidate(watch, now)) is not None:
            count -= 1
            watch.helpers[candidate.name] = AskedHelper(candidate, now)
            self._request(watch, candidate, now)
        if len(watch.helpers) > before:
            self._evidence_log.note(
                watch.entry.name, "asked helpers", now, detail=", ".join(watch.helpers), repeats=True
            )

    def _able(self, watch: Watch) -> list[AskedHelper]:
        """Who was asked, and may well answer."""
        return [helper for helper in watch.helpers.values() if self._under_watch.hears(helper.entry)]

    def _candidate(self, watch: Watch, now: float) -> Entry | None:
        """Who is to be asked next: the best by rank; when all of these were, anybody who may well answer."""
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

    def _request(self, watch: Watch, helper: Entry, now: float) -> None:
        self._letters.send(PingReq(self._random.getrandbits(32), watch.entry.claim), helper, now)

    def ask_again(self, watch: Watch, now: float) -> None:
        """Ask the helpers that have not confirmed that the subject's end is refused: request or vote may be lost."""
        for helper in self._able(watch):
            if helper.kernel(now) is not KernelVerdict.REFUSED:
                self._request(watch, helper.entry, now)

    def press(self, watch: Watch, now: float) -> None:
        """Do what is due: replace helpers that say nothing, repeat requests, poll for the verdict."""
        if now >= watch.next_ask:
            watch.next_ask = now + ASK_AGAIN
            able = self._able(watch)
            for helper in able:
                self._request(watch, helper.entry, now)
            self._ask_more(watch, self._config.helpers - len(able), now)
        self._replace_silent(watch, now)
        enough = self._until_poll(watch, now) <= 0
        watch.enter(Stage.POLLING if enough else Stage.ACCUSING)
        if enough and now >= watch.next_poll:
            if watch.pinged == now or self._ping(watch, now):  # the subject has the last word
                watch.next_poll = now + self._poll_interval()
                self._poll(watch, now)
            else:
                watch.next_poll = watch.next_ping  # with the ping of its turn

    def _replace_silent(self, watch: Watch, now: float) -> None:
        """Ask others in place of helpers that don't vote; where many are gone, these may be, too."""
        if self._health.halting or self._health.late:
            return  # what they said waits to be read
        patience = self._rtt.probe_timeout + HELPER_PATIENCE
        for helper in list(watch.helpers.values()):
            if helper.vote is None and not helper.replaced and now - helper.asked >= patience:
                helper.replaced = True
                silent = [name for name, other in watch.helpers.items() if other.vote is None and other.replaced]
                self._evidence_log.note(
                    watch.entry.name, "no vote", now, detail=f"of {', '.join(silent)}", repeats=True
                )
                if self._under_watch.several and self._under_watch.hears(helper.entry) and self._examined.allow(now):
                    self._prober.probe(helper.entry, now)
                self._ask_more(watch, 1, now)

    def _poll_interval(self) -> float:
        often = max(POLL_EVERY, 2 * self._last_word())
        return max(often, min(often * len(self._under_watch) / MANY, POLL_RARELY))

    def _poll(self, watch: Watch, now: float) -> None:
        if self._health.deaf:
            return
        if len(watch.nonces) == NONCES:  # helpers that don't confirm must not hold up a verdict for ever
            self._ask_more(watch, 1, now)
        nonce = self._random.getrandbits(32) or 1
        watch.nonces.append(nonce)
        watch.polled = now
        able = self._able(watch)
        names = ", ".join(helper.entry.name for helper in able)
        self._evidence_log.note(watch.entry.name, "polled", now, detail=names, repeats=True)
        for helper in able:
            self._letters.send(Poll(watch.short_id, watch.incarnation, nonce), helper.entry, now)

    def voted(self, vote: Vote, sender: Sender, now: float) -> None:
        """A helper says what it sees."""
        if sender.member is None:
            self._counters.drop(DropReason.STRANGER)
            return
        watch = self._under_watch.get(vote.subject)
        helper = watch.helpers.get(sender.member.name) if watch is not None else None
        if watch is None or helper is None:
            return
        if not known(vote.kind):  # of a newer release: it is not silence, and not life
            self._counters.drop(DropReason.UNKNOWN_KIND)
            return
        helper.vote, helper.voted = vote, now
        self._evidence_log.note_vote(watch.entry.name, vote, sender.short_id, now)
        if vote.kind is VoteKind.ALIVE:
            self._end(watch, now)
            return
        if vote.nonce in watch.nonces:
            helper.answers = {nonce: answer for nonce, answer in helper.answers.items() if nonce in watch.nonces}
            helper.answers[vote.nonce] = vote
        if vote.kind is VoteKind.PAUSED and not helper.replaced:  # of little use: one more is asked
            helper.replaced = True
            self._ask_more(watch, 1, now)
        self.judge(watch, now)

    def times(self, watch: Watch, now: float) -> list[float]:
        """When something is due next."""
        patience = self._rtt.probe_timeout + HELPER_PATIENCE
        times = [h.asked + patience for h in watch.helpers.values() if h.vote is None and not h.replaced]
        until_suspicion, until_poll = self._tolerance() / 2 - self._age(watch, now), self._until_poll(watch, now)
        if until_suspicion > 0:
            times.append(now + until_suspicion)
        if watch.polled + self._last_word() > now:
            times.append(watch.polled + self._last_word())
        return [*times, watch.next_ask, now + until_poll if until_poll > 0 else watch.next_poll]

    # ------------------------------------------------------------------ judging

    def judge(self, watch: Watch, now: float) -> None:
        """Suspect or declare dead, if a rule holds."""
        if self._health.deaf or watch.over:
            return
        quorum = self._quorum(watch, now)
        awake = self._health.awake(now)
        if watch.gone(quorum, self._config, now, awake):
            self._give_verdict(watch, Rule.GONE, now)
            return
        age, tolerance = self._age(watch, now), self._tolerance()
        if not watch.tried:
            return
        heard_out = now >= watch.polled + self._last_word()
        if heard_out and age >= tolerance + self._rtt.margin and watch.silent(quorum, tolerance):
            self._give_verdict(watch, Rule.SILENT, now)
        elif (
            heard_out
            and self._until_poll(watch, now) <= 0
            and watch.host_gone(quorum, self._host_tolerance(), now, awake)
        ):
            self._give_verdict(watch, Rule.HOST_GONE, now)
        elif age >= tolerance / 2 and watch.suspicious(quorum, self._config.stall_tolerance / 4, now):
            self._accuse_publicly(watch, State.SUSPECT, Rule.SUSPICION, now)

    def _give_verdict(self, watch: Watch, rule: Rule, now: float) -> None:
        self._end(watch, now)
        self._counters.verdicts[rule] += 1
        self._accuse_publicly(watch, State.DEAD, rule, now)

    def _accuse_publicly(self, watch: Watch, state: State, rule: Rule, now: float) -> None:
        held = watch.entry.claim
        if held.state >= state or watch.entry.short_id != watch.short_id:
            return
        grounds = watch.grounds(rule, self._age(watch, now), now)
        self._evidence_log.note(held.name, f"declared {state.name.lower()}", now, detail=grounds)
        verdict = Verdict(self._local.short_id, rule, self._clock.read(now))
        metadata = held.metadata if state.live else None
        claim = Claim(held.name, held.epoch, held.address, held.incarnation, state, metadata, verdict)
        self._hub.verdict_given(claim, now)

    # ------------------------------------------------------------------ how long, and how many

    def _quorum(self, watch: Watch, now: float) -> int:
        """q = min(2, u), u = live members besides both that have not been silent here for S."""
        awake, tolerance = self._health.awake(now), self._config.stall_tolerance
        silent = self._under_watch.silent_since(awake - tolerance) - (awake - watch.since >= tolerance)
        return min(2, max(0, self._table.live_count - 2 - silent))

    def _tolerance(self) -> float:
        """S, threefold while over half of the others are under own watch: the trouble may be this node's."""
        return self._config.stall_tolerance * self._brake()

    def _host_tolerance(self) -> float:
        """S_host, in the same manner; S where that is off."""
        config = self._config
        return min(config.host_tolerance or config.stall_tolerance, config.stall_tolerance) * self._brake()

    def _brake(self) -> int:
        live = self._table.live_count
        return BRAKE if live > 3 and len(self._under_watch) > (live - 1) / 2 else 1

    def _last_word(self) -> float:
        """Seconds that the subject has to answer the ping that goes with a poll: a network that has just healed would
        carry the votes of its own side sooner than the subject's ack."""
        return self._rtt.answer

    def _age(self, watch: Watch, now: float) -> float:
        return self._health.awake(now) - watch.since

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
