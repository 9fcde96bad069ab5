"""A watch: what this node knows about one silent member, and which rule that satisfies.

Ages and silences are in seconds awake (`Health.awake`); kernel evidence, votes and schedules in seconds
of the local clock.
"""

from collections import deque
from math import inf

import msgspec

from .config import Config
from .member import MAX_INCARNATION, Rule
from .membership import Entry
from .wire import Kernel, Vote, VoteKind

__all__ = ["Helper", "Kernels", "Watch"]

VOTE_LIFE = 1.3  # seconds that a vote counts
EVIDENCE_LIFE = 2.0  # seconds that kernel evidence counts
APART = 0.8  # re-ping intervals between two refusals that count as two
NONCES = 3  # polls whose answers count


class Kernels(msgspec.Struct):
    """What this node's kernel said of the member's address, by time."""

    first_refused: float | None = None
    refused: float | None = None
    refused_tcp: float | None = None
    reachable: float | None = None
    silent: float | None = None

    def refuse(self, now: float) -> None:
        """A datagram was refused."""
        if self.refused is None or now - self.refused > EVIDENCE_LIFE:
            self.first_refused = now
        self.refused = now

    def verdict(self, reping: float, now: float) -> tuple[Kernel, float]:
        """What it comes to, and since when it has been so, in seconds.

        REFUSED takes a refusal by UDP and one by TCP within 2 s of each other, or two by UDP that are not
        one burst: a firewall's REJECT looks like a dead process, so one refusal never kills. A kernel
        that accepts a connection vetoes it.
        """
        if _recent(self.reachable, now):
            return Kernel.REACHABLE, now - (self.reachable or now)
        if self.refused is not None and self.first_refused is not None and _recent(self.refused, now):
            twice = self.refused - self.first_refused >= APART * reping
            both = self.refused_tcp is not None and abs(self.refused - self.refused_tcp) <= EVIDENCE_LIFE
            if both or twice:
                return Kernel.REFUSED, now - self.refused
        if self.silent is not None:
            return Kernel.SILENT, now - self.silent
        return Kernel.NONE, 0.0


def _recent(at: float | None, now: float) -> bool:
    return at is not None and now - at <= EVIDENCE_LIFE


class Helper(msgspec.Struct):
    """A member asked to confirm, and what it said."""

    entry: Entry
    asked: float
    vote: Vote | None = None
    voted: float = 0.0
    answers: dict[int, float] = msgspec.field(default_factory=dict)
    replaced: bool = False

    def silence(self, now: float) -> float | None:
        """The silence (seconds) it states in a vote that counts, or None."""
        if self.vote is None or now - self.voted > VOTE_LIFE or self.vote.kind is VoteKind.ALIVE:
            return None
        return self.vote.silence / 1000.0

    def kernel(self, now: float) -> Kernel:
        """What its kernel says, in a vote that counts."""
        return self.vote.kernel if self.vote is not None and now - self.voted <= VOTE_LIFE else Kernel.NONE


class Watch(msgspec.Struct):
    """One member under watch, as accuser, as helper of accusers, or both.

    Attributes:
        entry: the member.
        short_id: of the run that is watched.
        incarnation: that is accused.
        since: awake clock at t0, the sending of the first unanswered ping.
        accusing: whether this node's own probe failed.
        accusers: short ids of those it is a helper for, and when they last asked.
        helpers: asked so far, by name (a helper that restarts goes on), in the order of rank.
        candidates: who may be asked next, best rank last.
    """

    entry: Entry
    short_id: int
    incarnation: int
    since: float
    accusing: bool = False
    accusers: dict[int, float] = msgspec.field(default_factory=dict)
    helpers: dict[str, Helper] = msgspec.field(default_factory=dict)
    candidates: list[Entry] = msgspec.field(default_factory=list)
    kernels: Kernels = msgspec.field(default_factory=Kernels)
    nonces: deque[int] = msgspec.field(default_factory=lambda: deque(maxlen=NONCES))
    next_ping: float = -inf
    next_ask: float = -inf
    next_poll: float = -inf

    def vote(self, kind: VoteKind, nonce: int, age: float, config: Config, now: float) -> Vote:
        """What this node says of the member."""
        kernel, kernel_age = self.kernels.verdict(config.reping_interval, now)
        return Vote(self.short_id, self.incarnation, nonce, kind, _ms(age), kernel, _ms(kernel_age))

    def gone(self, quorum: int, config: Config, now: float) -> bool:
        """Rule 1: refused here and at min(1, q) helpers; a kernel there that accepts vetoes."""
        own, _ = self.kernels.verdict(config.reping_interval, now)
        votes = [helper.kernel(now) for helper in self.helpers.values()]
        if own is not Kernel.REFUSED or Kernel.REACHABLE in votes:
            return False
        return votes.count(Kernel.REFUSED) >= min(1, quorum)

    def suspicious(self, quorum: int, now: float) -> bool:
        """Whether min(1, q) helpers confirm a silence."""
        return sum(helper.silence(now) is not None for helper in self.helpers.values()) >= min(1, quorum)

    def silent(self, quorum: int, tolerance: float) -> bool:
        """Rule 2, once the watch is old enough: q helpers answered a recent poll with such a silence of their own."""
        return sum(self._confirms(helper, tolerance) for helper in self.helpers.values()) >= quorum

    def _confirms(self, helper: Helper, tolerance: float) -> bool:
        return any(helper.answers.get(nonce, -1.0) >= tolerance for nonce in self.nonces)

    def grounds(self, rule: Rule, age: float, now: float) -> str:
        """What a verdict by ``rule`` rests on, for people."""
        if rule is Rule.GONE:
            here = "refused here"
            others = [f"at {name}" for name, helper in self.helpers.items() if helper.kernel(now) is Kernel.REFUSED]
        else:
            here = f"{age:.2f} s silent here"
            seen = ((name, helper.silence(now)) for name, helper in self.helpers.items())
            others = [f"{silence:.2f} s at {name}" for name, silence in seen if silence is not None]
        return f"rule {rule.name.lower()}: {', '.join([here, *(others or ['nobody else to ask'])])}"

    def drop_answers(self) -> None:
        """This node paused: what was said before counts no longer."""
        self.nonces.clear()
        for helper in self.helpers.values():
            helper.vote = None
            helper.answers.clear()


def _ms(seconds: float) -> int:
    return min(max(0, round(seconds * 1000)), MAX_INCARNATION)
