"""The suspicion rule: when a watch is old enough for which rule, and which verdict follows.

`Judge._rule` has the conditions, `schedule` the ages, and `Watch` counts who confirms; docs/protocol.md, section 4,
says it in words, and `watch` has the theory. How long a silence must be depends on round trips and on how many others
are silent here, since the trouble may be this node's own. These are looked up once for each look at a watch, as its
`Schedule`, which then decides everything.
"""

from math import inf

import msgspec

from swim_core.member import Rule, State
from swim_core.native.claims.local_member import LocalMember
from swim_core.native.context import NodeContext
from swim_core.native.wire.claim import Claim, Verdict
from swim_core.shared.local_health import LocalHealth

from .evidence_log import EvidenceLog
from .kernel_findings import APART
from .under_watch import UnderWatch
from .watch import Watch

__all__ = ["Judge", "Schedule"]

BRAKE = 3  # times S while most others are under watch
POLL_LATER = 0.05  # seconds, at least, that helpers get to see a kernel silent for as long as this node


class Schedule(msgspec.Struct, frozen=True):
    """When a watch is old enough for what, as of one moment. The last three are seconds from now; positive ones are in
    the future.

    Attributes:
        now: the moment.
        awake: the moment on the clock that counts time awake.
        age: the watch's.
        tolerance: S; three times S while over half of the other members are under watch.
        host_tolerance: S_host, raised likewise; S if that is off.
        last_word: how long the member has to answer the ping that goes with a poll: when a network has just healed,
            votes from this node's side arrive sooner than the member's ack.
        answer_due: the moment by which a living member would have answered; in the past without keys, where refusals
            are believed at once.
        suspect_in: until the silence is old enough to suspect the member.
        dead_in: until it is old enough for a verdict, whatever kernels say.
        poll_in: until it is old enough for a verdict by the member's silence, or by that of the kernel there.
    """

    now: float
    awake: float
    age: float
    tolerance: float
    host_tolerance: float
    last_word: float
    answer_due: float
    suspect_in: float
    dead_in: float
    poll_in: float


class Judge:
    """Judges members that this node watches because its own probe failed."""

    def __init__(
        self,
        context: NodeContext,
        local: LocalMember,
        health: LocalHealth,
        evidence_log: EvidenceLog,
        under_watch: UnderWatch,
    ) -> None:
        self._config = context.config
        self._clock = context.clock
        self._table = context.table
        self._counters = context.counters
        self._rtt = context.rtt
        self._hub = context.hub
        self._local = local
        self._health = health
        self._evidence_log = evidence_log
        self._under_watch = under_watch

    def schedule(self, watch: Watch, now: float) -> Schedule:
        """The schedule of a watch as things are now."""
        config, rtt, awake, brake = self._config, self._rtt, self._health.awake(now), self._brake()
        age, margin = awake - watch.since, rtt.margin
        tolerance = config.stall_tolerance * brake
        host = min(config.host_tolerance or config.stall_tolerance, config.stall_tolerance) * brake
        dead_in = poll_in = tolerance + margin - age
        silence = watch.kernel_silence(now, awake)
        if silence is not None:
            started_later = max(2 * rtt.p99, POLL_LATER)  # helpers began their connections a round trip later
            poll_in = min(dead_in, max(host + margin - age, host + started_later - silence))
        suspect_in, answer_due = tolerance / 2 - age, self._answer_due(watch)
        return Schedule(now, awake, age, tolerance, host, rtt.answer, answer_due, suspect_in, dead_in, poll_in)

    def _answer_due(self, watch: Watch) -> float:
        """When a member that lives would have answered; the first of its pings if nothing speaks against refusals, the
        last one if they were false before, since the first may have been lost.

        Whoever reads the path can forge what kernels say, sooner than the member answers, but can't keep it from
        answering. A process that ended is judged hardly later, since a helper's vote takes a round trip, too.
        """
        if watch.asked is None:
            return -inf
        wait = min(self._rtt.answer_of(watch.entry.round_trip), APART * self._config.reping_interval)
        return (max(watch.asked, watch.pinged) if watch.findings.doubted else watch.asked) + wait

    def _brake(self) -> int:
        live = self._table.live_count
        return BRAKE if live > 3 and len(self._under_watch) > (live - 1) / 2 else 1

    def judge(self, watch: Watch, schedule: Schedule) -> None:
        """Suspect the member or declare it dead, if a rule holds. The hub is told, which ends the watch of a dead
        member.

        That may take a moment, in which the member itself is asked.
        """
        if self._health.deaf or watch.over or watch.judged:
            return
        rule = self._rule(watch, schedule)
        if rule is Rule.SUSPICION:
            self._declare(watch, State.SUSPECT, rule, schedule)
        elif rule is not None:
            watch.judged = True
            self._counters.verdicts[rule] += 1
            self._declare(watch, State.DEAD, rule, schedule)

    def _rule(self, watch: Watch, schedule: Schedule) -> Rule | None:
        """The first rule that holds; see `watch`."""
        now, quorum = schedule.now, self._quorum(watch, schedule.awake)
        answerable = now >= schedule.answer_due or watch.findings.replaced is not None  # another run's answer is sealed
        if answerable and watch.gone(quorum, self._config, now, schedule.awake):
            return Rule.GONE
        if not watch.tried:
            return None
        if now >= watch.polled + schedule.last_word:
            if schedule.dead_in <= 0 and watch.silent(quorum, schedule.tolerance):
                return Rule.SILENT
            if schedule.poll_in <= 0 and watch.host_gone(quorum, schedule.host_tolerance, now, schedule.awake):
                return Rule.HOST_GONE
        if schedule.suspect_in <= 0 and watch.suspicious(quorum, self._config.stall_tolerance / 4, now):
            return Rule.SUSPICION
        return None

    def _quorum(self, watch: Watch, awake: float) -> int:
        """q = min(2, u), u = live members besides both that have not been silent here for S."""
        tolerance = self._config.stall_tolerance
        silent = self._under_watch.silent_since(awake - tolerance) - (awake - watch.since >= tolerance)
        return min(2, max(0, self._table.live_count - 2 - silent))

    def _declare(self, watch: Watch, state: State, rule: Rule, schedule: Schedule) -> None:
        held = watch.entry.claim
        if held.state >= state:
            return
        grounds = watch.grounds(rule, schedule.age, schedule.now)
        self._evidence_log.note(held.name, f"declared {state.name.lower()}", schedule.now, detail=grounds)
        verdict = Verdict(self._local.short_id, rule, self._clock.read(schedule.now))
        metadata = held.metadata if state.live else None
        claim = Claim(held.name, held.epoch, held.address, held.incarnation, state, metadata, verdict)
        self._hub.verdict_given(claim, schedule.now)
