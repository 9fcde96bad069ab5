"""Receives all claims of other nodes (docs/protocol.md, section 1).

A claim gives the state of one run of one member. Claims about one name are totally ordered, by `precedence`:

    (epoch, incarnation, address, state)    with ALIVE < SUSPECT < DEAD < LEFT

and merging keeps the larger one. That is idempotent, commutative and associative: claims form a join semilattice. So
news may come in any order, twice, or by way of anybody, and members that have heard the same claims hold the same ones.
This is why neither floods nor syncs need be reliable, and why a hash is enough to compare views.

Others may only make a run SUSPECT or DEAD at the incarnation that it has. Only the member itself raises the
incarnation, which refutes them (`LocalMember.refute`); only a new process has a new epoch. So no rumour outlives an
answer, and a dead member comes back only by its own word. A claim that arrives here is

    refused      it can't be true: too far ahead in time, or another host's loopback address (counted by reason)
    refuted      it is about this node itself, which answers
    no news      it is not higher than the claim held; a sender that claims too little of itself is corrected
    held back    it says DEAD of a member that may well be alive: that one is asked, up to three times
    merged       it goes into the table, and the hub is told

and one that is held back is merged when its time is up, unless a higher one came meanwhile. Deaths that are old, come
from a sync, or contradict what was heard here are held back for a second or so, other deaths by silence for some round
trips. So when a partition heals, old verdicts that are still on their way kill hardly anybody.
"""

from math import inf

import msgspec

from swim_core.address import is_loopback, unpack
from swim_core.counters import DropReason
from swim_core.member import Rule, State
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.gossip_queue import GossipQueue, Piggyback
from swim_core.native.datagrams.sender import Sender
from swim_core.native.hub import Refutation
from swim_core.native.table.entry import Entry
from swim_core.native.wire.claim import EPOCH_BITS, Claim, precedence
from swim_core.native.wire.datagram import encode_item
from swim_core.shared.rate_limit import RateLimit
from swim_core.shared.timers import Timer

from .corrections import Corrections
from .hearsay import Hearsay
from .local_member import DAY, LocalMember

__all__ = ["ClaimMerger"]

_LOOPBACK = (b"\x7f", bytes(15))  # beginnings of packed loopback addresses
FRESH = 2_000  # ms; an older verdict on a member that is live here is put to the member first
QUESTIONS = 3  # so that one lost datagram doesn't kill a member here
OLD_HOLD = 1.0  # seconds, at least, that the member has to answer doubtful news
NEW_HOLD = 0.05  # seconds, at least, to answer other news: everybody hears of a hung member that much later
THRICE = 5  # deaths a second, and at once, that this node has seen itself and still asks about more than once
SILENCES = (Rule.SILENT, Rule.HOST_GONE)


class _Held(msgspec.Struct):
    claim: Claim
    asked: bool  # whether its subject was asked
    news: bool
    wait: float  # seconds between two questions
    rest: float  # seconds after the last: a round trip or two, since a network may have healed just now
    timer: Timer


class ClaimMerger:
    """Receives claims, merges them, and puts deaths to members that may be alive.

    A claim that is not believed yet is still put into ``queue`` to be passed on; a merged one is reported to the hub.
    """

    def __init__(
        self,
        context: NodeContext,
        local: LocalMember,
        corrections: Corrections,
        hearsay: Hearsay,
        queue: GossipQueue,
    ) -> None:
        self._hub = context.hub
        self._timers = context.timers
        self._clock = context.clock
        self._hashes = context.hashes
        self._table = context.table
        self._local = local
        self._outbox = context.outbox
        self._trouble = context.trouble
        self._corrections = corrections
        self._hearsay = hearsay
        self._rtt = context.rtt
        self._counters = context.counters
        self._queue = queue
        config = context.config
        self._stall_tolerance = config.stall_tolerance
        self._recently = min(config.stall_tolerance / 2, config.host_tolerance or inf)
        self._held: dict[str, _Held] = {}
        self._spacing = 1.0 / context.config.max_held_back_per_second
        self._next_held = float("-inf")
        self._thrice = RateLimit(THRICE)

    def receive(self, claim: Claim, now: float, *, sender: Sender | None = None, teller: Entry | None = None) -> bool:
        """Take in one claim.

        Args:
            claim: as it came.
            now: seconds.
            sender: the sender of the datagram that brought it; None if it came in a sync or in an answer to a question.
            teller: the member whose word it is; None if it is the word of its subject.

        Returns:
            Whether it changed anything.
        """
        if claim.epoch >> EPOCH_BITS > self._clock.read(now) + DAY:
            self._counters.drop(DropReason.FAR_FUTURE_EPOCH)
            return False
        if claim.name == self._local.name:
            return self._refute(claim, sender, now)
        entry = self._table.get(claim.name)
        if entry is not None and claim == entry.claim:
            return False  # as usual: a flood brings each claim several times
        if claim.address.startswith(_LOOPBACK) and self._is_elsewhere(claim):
            self._counters.drop(DropReason.LOOPBACK)
            return False
        if (
            claim.state is State.DEAD
            and entry is not None
            and entry.live
            and precedence(claim) > precedence(entry.claim)
        ):
            if self._is_paged(sender, teller) or self._is_old(claim, now) or self._is_contradicted(claim, entry, now):
                self._hold_back(claim, now, news=False)
                return False
            if self.doubts(claim):
                self.hold_back(claim, now)
                return False
        if entry is not None and sender is not None and precedence(claim) < precedence(entry.claim):
            self._correct_sender(claim, entry, sender, now)
        if teller is not None and (entry is None or not entry.live):
            if not claim.state.live:
                self._hearsay.ended(claim)
            elif self._is_hearsay(claim, entry, teller):
                flood = not self._is_paged(sender, teller) and (entry is None or claim.epoch > entry.claim.epoch)
                return self._hearsay.take(claim, teller, now, flood=flood) is not None
        return self.believe(claim, now)

    def _is_hearsay(self, claim: Claim, entry: Entry | None, teller: Entry) -> bool:
        """Whether a claim would make a name live on the word of anybody but that very run at its address."""
        higher = entry is None or precedence(claim) > precedence(entry.claim)
        own = claim.name == teller.name and (claim.epoch, claim.address) == (teller.claim.epoch, teller.claim.address)
        return higher and not own

    @staticmethod
    def _is_paged(sender: Sender | None, teller: Entry | None) -> bool:
        """Whether a claim came in a sync, and so may be old news."""
        return sender is None and teller is not None

    def _is_elsewhere(self, claim: Claim) -> bool:
        """Whether a claim names a loopback address that means another host.

        It means this host if this node is at such an address, or was ever spoken to from one: kernels don't let those
        in from a network.
        """
        return is_loopback(unpack(claim.address)) and not self._local.has_neighbours

    def _correct_sender(self, claim: Claim, entry: Entry, sender: Sender, now: float) -> None:
        """Tell a sender that claims less of itself than is known here: it may be superseded."""
        if self._hashes.short_id(claim.name, claim.epoch) == sender.short_id:
            self._corrections.send(entry.claim, sender, now)

    def held_of_own_name(self, held: Claim | None, now: float) -> None:
        """Take what a seed holds of this node's own name. A rival that the seed does not know no longer counts."""
        if held is not None:
            self.receive(held, now)
        rival = self._local.outlive_rival(held, now)
        if rival is not None:
            self._hub.own_name_claimed(Refutation.WAS_DEAD, rival, None, now)

    def _is_old(self, claim: Claim, now: float) -> bool:
        return claim.verdict is None or self._clock.read(now) - claim.verdict.time > FRESH

    def _is_contradicted(self, claim: Claim, entry: Entry, now: float) -> bool:
        """Whether a claim says that a member is silent which this node has heard lately."""
        silent = claim.verdict is not None and claim.verdict.rule in SILENCES
        return silent and entry.heard is not None and now - entry.heard < self._recently

    def believe(self, claim: Claim, now: float) -> bool:
        """Merge a claim that needs no further proof; returns whether it won."""
        outcome = self._table.merge(claim, now)
        if isinstance(outcome, DropReason):
            self._counters.drop(outcome)
            return False
        if outcome is None:
            return False
        held = self._held.get(claim.name)
        if held is not None and precedence(claim) >= precedence(held.claim):
            del self._held[claim.name]
            held.timer.cancel()
        self._hub.claim_won(outcome, now)
        return True

    def _refute(self, claim: Claim, sender: Sender | None, now: float) -> bool:
        refutation = self._local.refute(claim, now)
        if refutation is Refutation.STALE and sender is not None:
            asked = claim.state is State.DEAD  # three times, since answers may be lost
            self._corrections.send(self._local.claim, sender, now, each_time=asked)
        if refutation not in (Refutation.NOTHING, Refutation.STALE):
            self._hub.own_name_claimed(refutation, claim, sender, now)
        return refutation not in (Refutation.NOTHING, Refutation.STALE)

    # ------------------------------------------------------------------ deaths that may not be

    def doubts(self, claim: Claim) -> bool:
        """Whether even a new verdict, or this node's own, is put to the member first: its votes may be from before a
        network healed."""
        return claim.state is State.DEAD and claim.verdict is not None and claim.verdict.rule in SILENCES

    def hold_back(self, claim: Claim, now: float) -> None:
        """Put a new verdict to the member first. It is passed on meanwhile: no hop of a flood waits, and each that
        hears of it asks for itself."""
        self._hold_back(claim, now, news=True)

    def _hold_back(self, claim: Claim, now: float, *, news: bool) -> None:
        """Ask the member before believing it dead: it may have refuted the claim already. Unless it is ``news``, the
        claim may be old or wrong, and the member has longer to answer."""
        if claim.name in self._held:  # one question at a time; a sync brings a later death again
            return
        if news:
            self._queue.claim(claim)
        entry = self._table.get(claim.name)
        self._next_held = max(now, self._next_held + self._spacing)
        seen = news and entry is not None and self._is_silent_here(entry, now)
        once = seen and not self._thrice.allow(now)
        asked = QUESTIONS - 1 if once else 0
        timer = self._timers.at(self._next_held, lambda at: self._put_to_member(claim.name, at, asked))
        hold = max(NEW_HOLD, self._rtt.answer) if news else max(OLD_HOLD, 4 * self._rtt.p99)
        rest = min(self._rtt.answer or hold, hold / QUESTIONS)
        self._held[claim.name] = _Held(claim, False, news, (hold - rest) / (QUESTIONS - 1), rest, timer)
        if self._next_held <= now:
            timer.cancel()
            self._put_to_member(claim.name, now, asked)

    def _is_silent_here(self, entry: Entry, now: float) -> bool:
        """Whether this node itself has pinged the member for S without an answer: then one more question is enough."""
        since = entry.since if entry.heard is None else entry.heard
        return entry.unanswered > 1 and now - since >= self._stall_tolerance

    def _put_to_member(self, name: str, now: float, asked: int = 0) -> None:
        if asked == QUESTIONS:
            self.believe(self._held.pop(name).claim, now)
            return
        held = self._held[name]
        entry = self._table.get(name)
        if entry is not None and self._is_asked(held, now):
            self._outbox.send(None, entry, now, riding=Piggyback([encode_item(held.claim)]))
        wait = held.rest if asked == QUESTIONS - 1 else held.wait
        held.timer = self._timers.at(now + wait, lambda at: self._put_to_member(name, at, asked + 1))

    def _is_asked(self, held: _Held, now: float) -> bool:
        """Whether a question is sent: each subject is asked once at least, and about news again while little is
        sent otherwise: deaths of many are rarely mistakes."""
        if held.asked and held.news:
            return self._trouble.allow(now)
        held.asked = True
        self._trouble.spend(now)
        return True
