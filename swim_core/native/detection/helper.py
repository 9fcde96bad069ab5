"""The helper's part in a watch: it examines a member when others ask, and votes (docs/protocol.md, section 4)."""

from collections import Counter

import msgspec

from swim_core.counters import DropReason
from swim_core.native.claims.corrections import Corrections
from swim_core.native.claims.hearsay import Hearsay
from swim_core.native.claims.local_member import LocalMember
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.sender import Sender
from swim_core.native.table.entry import Entry
from swim_core.native.table.rumour import Rumour, Stage
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.messages import KernelVerdict, PingReq, Poll, Vote, VoteKind
from swim_core.shared.local_health import LocalHealth

from .kernel_findings import APART
from .letters import Letters
from .tripwires import Tripwires
from .under_watch import UnderWatch
from .watch import UNANSWERED, Watch

__all__ = ["Helper"]

ACCUSER_LIFE = 5.0  # seconds after which an accuser that has stopped asking is forgotten
MAX_ASKED = 64  # watches kept for one accuser alone
MAX_WATCHES = 4_096  # bounds how much members that ask for help can make this node watch


class _Rumoured(msgspec.Struct):
    """A run that isn't a member here, and when each accuser asked about it, by short id."""

    rumour: Rumour
    accusers: dict[int, float] = msgspec.field(default_factory=dict)


class Helper:
    """Knows for which accusers a member is watched, and votes to them."""

    def __init__(
        self,
        context: NodeContext,
        local: LocalMember,
        corrections: Corrections,
        hearsay: Hearsay,
        health: LocalHealth,
        tripwires: Tripwires,
        under_watch: UnderWatch,
        letters: Letters,
    ) -> None:
        self._config = context.config
        self._table = context.table
        self._counters = context.counters
        self._local = local
        self._corrections = corrections
        self._hearsay = hearsay
        self._health = health
        self._tripwires = tripwires
        self._under_watch = under_watch
        self._letters = letters
        self._asked: Counter[int] = Counter()  # how many watches are kept for each accuser, by its short id
        self._rumours: dict[int, _Rumoured] = {}  # of whom accusers asked though they aren't members here, by run

    def subject(self, request: PingReq, sender: Sender, now: float) -> Entry | None:
        """The member to watch on that request; None if this node doesn't help: it helps live members, about live
        members."""
        accuser = sender.member
        entry = self._table.get(request.claim.name)
        if accuser is None:
            self._counters.drop(DropReason.STRANGER)
        elif not self._local.silent:
            if entry is None:
                self._look_into(request.claim, accuser, now)
            elif not entry.live:
                self._corrections.send(entry.claim, sender, now)
            elif entry.name not in (self._local.name, accuser.name):
                if entry.short_id in self._under_watch or self._has_room(accuser):
                    return entry
                self._counters.drop(DropReason.RATE_LIMITED)
        return None

    def _has_room(self, accuser: Entry) -> bool:
        return self._asked[accuser.short_id] < MAX_ASKED and len(self._under_watch) < MAX_WATCHES

    def asked(self, watch: Watch, accuser: Entry, now: float) -> float | None:
        """Note an accuser that asks for that watch. Returns when it last asked, None if it had not."""
        before = watch.accusers.get(accuser.short_id)
        if before is None:
            self._asked[accuser.short_id] += 1
        watch.accusers[accuser.short_id] = now
        return before

    def polled(self, poll: Poll, sender: Sender, now: float) -> Watch | None:
        """Vote for an accuser that polls. Returns the watch, if there is one."""
        accuser = sender.member
        if accuser is None:
            self._counters.drop(DropReason.STRANGER)
            return None
        watch = self._under_watch.get(poll.subject)
        entry = self._table.by_id(poll.subject)
        if watch is not None:
            if accuser.short_id not in watch.accusers:
                self._asked[accuser.short_id] += 1
            watch.accusers[accuser.short_id] = now
            self.vote(watch, accuser, poll.nonce, now)
        elif entry is not None and not entry.live:
            self._corrections.send(entry.claim, sender, now)
        elif entry is None:
            rumoured = self._rumours.get(poll.subject)
            self._vote_on_rumour(rumoured.rumour if rumoured is not None else None, accuser, poll.nonce, now)
        return watch

    def _look_into(self, claim: Claim, accuser: Entry, now: float) -> None:
        """Look into a run that was never met here: it came and went, or was gone before this node came."""
        rumour = self._hearsay.asked_about(claim, accuser, now, again=APART * self._config.reping_interval)
        if rumour is not None:
            rumoured = self._rumours.pop(rumour.short_id, None)
            if rumoured is None or rumoured.rumour is not rumour:
                rumoured = _Rumoured(rumour)
            rumoured.accusers[accuser.short_id] = now
            self._rumours[rumour.short_id] = rumoured
            if len(self._rumours) > MAX_ASKED:
                del self._rumours[next(iter(self._rumours))]
        self._vote_on_rumour(rumour, accuser, 0, now)

    def rumour_refused(self, rumour: Rumour, now: float) -> None:
        """Tell those who asked that nobody listens at its address, if that is certain."""
        rumoured = self._rumours.get(rumour.short_id)
        if rumoured is None or rumoured.rumour is not rumour or self._kernel(rumour) is KernelVerdict.NONE:
            return
        for short_id, asked in rumoured.accusers.items():
            accuser = self._table.by_id(short_id)
            if accuser is not None and accuser.live and now - asked <= ACCUSER_LIFE:
                self._vote_on_rumour(rumour, accuser, 0, now)

    def _kernel(self, rumour: Rumour) -> KernelVerdict:
        """What kernels say of it, judged as in `KernelFindings`: a single refusal may come from a firewall."""
        gone = rumour.replaced or rumour.refused_twice(APART * self._config.reping_interval)
        return KernelVerdict.REFUSED if gone else KernelVerdict.NONE

    def _vote_on_rumour(self, rumour: Rumour | None, accuser: Entry, nonce: int, now: float) -> None:
        """Vote that the member has not answered for that long, or that another run did."""
        if rumour is None or rumour.stage is Stage.OVER:
            self._counters.drop(DropReason.STRANGER)
            return
        since = max(rumour.began or now, self._health.last_pause)
        silence = now - since if rumour.tries >= UNANSWERED and not self._health.deaf else 0.0
        silence_ms, kernel = round(silence * 1000), self._kernel(rumour)
        vote = Vote(rumour.short_id, rumour.claim.incarnation, nonce, VoteKind.SILENT, silence_ms, kernel, 0)
        self._letters.send(vote, accuser, now)

    def vote(self, watch: Watch, accuser: Entry, nonce: int, now: float) -> None:
        """Vote to one accuser."""
        paused = now - self._health.last_pause < self._config.stall_tolerance
        kind = VoteKind.PAUSED if paused else VoteKind.SILENT
        self._tripwires.inform(watch.findings, watch.short_id)
        awake = self._health.awake(now)
        self._letters.send(watch.vote(kind, nonce, awake - watch.since, self._config, now, awake), accuser, now)

    def tell(self, watch: Watch, now: float) -> None:
        """Vote to all accusers."""
        for accuser in self._accusers(watch, now):
            self.vote(watch, accuser, 0, now)

    def tell_life(self, watch: Watch, now: float) -> None:
        """Tell all accusers that the member showed life."""
        vote = watch.vote(VoteKind.ALIVE, 0, 0.0, self._config, now, self._health.awake(now))
        for accuser in self._accusers(watch, now):
            self._letters.send(vote, accuser, now)

    def _accusers(self, watch: Watch, now: float) -> list[Entry]:
        for short_id, asked in list(watch.accusers.items()):
            if now - asked > ACCUSER_LIFE:
                del watch.accusers[short_id]
                self._release(short_id)
        entries = (self._table.by_id(short_id) for short_id in watch.accusers)
        return [entry for entry in entries if entry is not None and entry.live]

    def ended(self, watch: Watch) -> None:
        """Let go of a watch that is over."""
        for short_id in watch.accusers:
            self._release(short_id)

    def _release(self, short_id: int) -> None:
        self._asked[short_id] -= 1
        if not self._asked[short_id]:
            del self._asked[short_id]
