"""What follows from what the parts of a node report, in which order, and why in that one.

A part knows only the parts that it was handed. What others must learn from it, it reports to the hub, which is
`Reports`. So this file shows which parts hear of what.
"""

from swim_core.events import Event, MemberDied, MemberForgotten, MemberLeft, Paused
from swim_core.member import Member, Rule, State
from swim_core.shared.isolation import isolation_began, isolation_ended

from .claims.transitions import transition
from .datagrams.sender import Sender
from .hub import Refutation
from .parts import NodeArguments, Parts
from .table.entry import Change, Entry
from .table.rumour import Rumour
from .wire.claim import Claim
from .wire.messages import Number

__all__ = ["Reports"]

LAST_WORD = 0.05  # seconds, at least, for an answer before this node counts as isolated


class Reports:
    """The hub of a node's parts, which it makes; see `Hub` for what they report.

    Attributes:
        parts: the node's.
        in_contact: the last member heard while this node was isolated.
    """

    def __init__(self, start: NodeArguments) -> None:
        parts = self.parts = Parts(self, start)
        self.in_contact: Entry | None = None
        self._counters = parts.context.counters
        self._table = parts.table
        self._outbox = parts.outbox
        self._health = parts.health
        self._local = parts.local
        self._claims = parts.claims
        self._hearsay = parts.hearsay
        self._gossip = parts.gossip
        self._broadcasts = parts.broadcasts
        self._sync = parts.sync
        self._prober = parts.prober
        self._watches = parts.watches
        self._joiner = parts.joiner

    def claim_won(self, change: Change, now: float, *, originator: bool = False) -> None:
        """See `Hub`. The order matters.

        The log comes first, since the evidence in events is read from it. Then the parts drop what they kept about the
        previous run, and broadcasts that waited for the claim are delivered. The application comes after that, so that
        the answers to its questions agree with the events. Other members come last: nothing that follows from the claim
        here may take back what they were told.
        """
        claim, parts = change.claim, self.parts
        rumour = self._hearsay.settle(change, now)
        parts.evidence_log.note_change(change, now)
        if claim.state is not State.SUSPECT and change.before_id in self._prober.probes:
            self._prober.heard(change.before_id)  # it has answered or been judged: the next probe starts afresh
        self._watches.on_change(change, now)
        parts.tripwires.on_change(change)
        self._broadcasts.on_change(change, now)
        if rumour is not None:  # what else a sync told of the member is news now, whoever proved that it lives
            self._broadcasts.learn_number(Number(rumour.short_id, rumour.number), now, source=0)
        if claim.state is State.DEAD:
            parts.dead_prober.add(change.entry, now)
        if not claim.state.live:
            self._joiner.lost(change.entry.address, now)
        elif change.before is None or change.before.address != claim.address:
            for other in self._table.displaced(change.entry):  # perhaps nobody else lists it
                self._prober.probe(other, now)
        self._tell(transition(change.before, claim, parts.evidence_log.evidence), now)
        if claim.verdict is not None and claim.verdict.rule is Rule.REMOVED and _was_dead(change):
            self._remember(MemberLeft(change.entry.member, parts.evidence_log.evidence(claim)), now)
        self._gossip.tell_claim(claim, now, originator=originator, newcomer=change.new_run)

    def rumour_believed(self, rumour: Rumour, now: float) -> None:
        """See `Hub`."""
        self._claims.believe(rumour.claim, now)

    def many_met(self, now: float) -> None:
        """See `Hub`: a flood may have missed somebody."""
        self._sync.start_at_once(None, now)

    def unknown_elsewhere(self, entry: Entry, now: float) -> None:
        """See `Hub`: it may have ended before it met anybody else, and then nobody else will look for it."""
        self._prober.probe(entry, now)

    def verdict_given(self, claim: Claim, now: float) -> None:
        """See `Hub`."""
        if self.parts.claims.doubts(claim):
            self.parts.claims.hold_back(claim, now)
            return
        change = self._table.merge(claim, now)
        if isinstance(change, Change):
            self.claim_won(change, now, originator=True)

    def probe_failed(self, entry: Entry, sent: float, now: float) -> None:
        """See `Hub`."""
        detail = f"sent {now - sent:.2f} s before, no answer"
        self.parts.evidence_log.note(entry.name, "probe timed out", now, detail=detail, repeats=True)
        self._health.missed(now)
        self._watches.accuse(entry, sent, now)

    def own_name_claimed(self, refutation: Refutation, claim: Claim, sender: Sender | None, now: float) -> None:
        """See `Hub`."""
        superseded = self._local.rival is not None
        self._prober.enabled = not self._local.silent
        if refutation is Refutation.CONFLICT:
            if not self._outbox.muted:
                self._give_way(claim, now)
            return
        if self._outbox.muted and not superseded:
            self.parts.dispute.end()
        self._outbox.muted = superseded
        self._counters.refutations += 1
        self.tell_own_claim(now)
        if refutation is Refutation.WAS_DEAD and not self._local.left:
            self.parts.dead_prober.refuted(now)
            self._broadcasts.remind_anew(now)
            self._sync.start_at_once(sender.member if sender is not None else None, now)

    def _give_way(self, rival: Claim, now: float) -> None:
        self._gossip.tell_claim(rival, now)  # the last word: nobody could declare an unknown rival dead
        self._gossip.push_now(now)
        self._watches.stop()
        self._joiner.superseded(now)
        self._outbox.muted = True
        self._joiner.ask_once(self.parts.dispute.begin(rival, now), now)

    def admitted(self, sender: Sender, now: float) -> None:
        """See `Hub`: sync with the seed."""
        self.parts.context.coming.came(now)
        entry = self._table.by_id(sender.short_id)
        if entry is not None and entry.live:
            self._sync.start(entry, now)

    def round_ended(self, now: float) -> None:
        """See `Hub`: what is done once per interval. Everything that a deaf or isolated node does on its own is
        here."""
        if not self._local.silent:
            if self._health.deaf:
                self.parts.search.on_round(self._joiner.addresses, now)
            if self._health.isolated and self.in_contact is not None and self.in_contact.live:
                self.parts.pings.send(self.in_contact, now)  # this node hears it: does it hear this node?
            self.parts.dead_prober.on_round(now)
            if self._health.deaf:  # whoever was just asked may still answer
                context = self.parts.context
                context.timers.at(now + max(LAST_WORD, context.rtt.answer), self._check_hearing)
            elif self._health.check(self._table.live_count, now):
                self._tell_isolation(now)
            if self._health.deaf:
                self._joiner.deafened(now)
            if self.parts.context.sealer is not None:
                self._renew(now)
        self._broadcasts.on_round(now)
        self.parts.encounters.on_round(now)
        for entry in self._table.expire(now):
            self.forgotten(entry, now)

    def _check_hearing(self, now: float) -> None:
        """Find out whether the silence has become deafness, or isolation."""
        if not self._local.silent and self._health.check(self._table.live_count, now):
            self._tell_isolation(now)

    def _tell_isolation(self, now: float) -> None:
        time = self.parts.context.clock.read(now)
        self._tell(isolation_began(self._local.name, self._health.alone, self._others(), time), now)

    def _renew(self, now: float) -> None:
        """Begin a new run before this one's counters, by which others recognize copies, run out."""
        context = self.parts.context
        if context.sealer is not None and context.sealer.nearly_spent:
            if self._local.begin_anew(now):
                context.sealer.start_over(context.unguessable.u32() >> 1)
            self.tell_own_claim(now)

    def found(self, now: float) -> None:
        """See `Hub`: it will be told of its cluster, by a sync of either side."""
        self.parts.context.coming.came(now)

    def paused(self, seconds: float) -> None:
        """See `Hub`."""
        self._prober.drop()
        self.parts.pings.drop()
        self._watches.pause()
        if seconds > self._health.long_pause:
            self.parts.context.emit(Paused(seconds))

    # ------------------------------------------------------------------ what comes of that, and of what users do

    def reconnected(self, now: float) -> None:
        """End the isolation: a member acked a ping of this node, so both directions are open.

        Merely hearing somebody ends deafness but not isolation. Otherwise a node that nobody hears would be reconnected
        and isolated again with every ping that members send to the dead.
        """
        _, alone = self._health.reconnect()
        self._tell(isolation_ended(alone, self._others()), now)
        self._broadcasts.remind_anew(now)

    def _others(self) -> list[Member]:
        return [entry.member for entry in self._table.topology.others()]

    def _tell(self, events: list[Event], now: float) -> None:
        """Tell the application. What is withheld from it because a member flaps is counted and kept all the same."""
        for event in events:
            if isinstance(event, MemberDied) and event.evidence is not None:
                rule = event.evidence.rule
                self._counters.deaths[Rule.SILENT if rule is None else rule] += 1
            self._remember(event, now)
            self.parts.damping.take(event, now)

    def _remember(self, event: Event, now: float) -> None:
        self.parts.journal.take(event, now, self.parts.context.clock.read(now))

    def forgotten(self, entry: Entry, now: float) -> None:
        """See `Hub`: drop what is kept about it."""
        self.parts.damping.take(MemberForgotten(entry.member), now)
        self.parts.evidence_log.forget(entry.name)
        self.parts.tripwires.forget(entry.short_id)
        self._hearsay.forget(entry.name)
        self._broadcasts.forget(entry, now)

    def tell_own_claim(self, now: float) -> None:
        """Tell the others that this node's own claim has changed."""
        self._gossip.tell_claim(self._local.claim, now, originator=True)


def _was_dead(change: Change) -> bool:
    """Whether the application was told of the end already, so that no event follows."""
    return change.before is not None and change.before.state is State.DEAD
