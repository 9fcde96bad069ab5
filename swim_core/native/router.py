"""Passes what arrives, and what a part reports, on to the parts concerned.

A part knows only the parts that it was handed. What others must learn from it, it reports to the hub, which is the
`Router`. So this file shows which parts hear of what, and in which order.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from msgspec.structs import replace

from swim_core.address import Address, unpack
from swim_core.events import Event, MemberForgotten, Paused
from swim_core.member import Member, State
from swim_core.protocol import KernelEvidence
from swim_core.shared.isolation import isolation_began, isolation_ended
from swim_core.statistics import DropReason

from .claims.transitions import transition
from .datagrams.sender import Sender
from .hub import Refutation
from .joining.first_contact import FirstContact
from .parts import NodeArguments, Parts
from .table.entry import Change, Entry
from .table.rumour import Rumour
from .wire import messages
from .wire.claim import Claim
from .wire.datagram import Envelope, Flags

__all__ = ["Router"]

MESSAGES = frozenset(get_args(messages.Message))
# their senders are not asked who they are: they say it in the message, or are tools
_INTRODUCTIONS = (messages.Join, messages.JoinAck, messages.ClaimOf, messages.NotMe, messages.Ask, messages.Tell)
# these answer a random number or a cookie of this node, so they are not recordings
_ANSWERS = (messages.Ack, messages.AckElsewhere, messages.Join, messages.JoinAck, messages.ClaimOf, messages.NotMe)
_ACKS = (messages.Ack, messages.AckElsewhere)
LAST_WORD = 0.05  # seconds, at least, for an answer before this node counts as isolated
Handler = Callable[[Any, Sender, float], object]


class Router:
    """The hub of a node's parts; see `Hub` for what they report.

    Attributes:
        parts: the node's.
    """

    def __init__(self, start: NodeArguments) -> None:
        parts = self.parts = Parts(self, start)
        self._counters = parts.context.counters
        self._table = parts.table
        self._outbox = parts.outbox
        self._queue = parts.queue
        self._health = parts.health
        self._local = parts.local
        self._claims = parts.claims
        self._hearsay = parts.hearsay
        self._corrections = parts.corrections
        self._gossip = parts.gossip
        self._broadcasts = parts.broadcasts
        self._sync = parts.sync
        self._prober = parts.prober
        self._watches = parts.watches
        self._joiner = parts.joiner
        self._in_contact: Entry | None = None  # the last member heard while this node was isolated
        self._handlers = handlers = _complete(self._make_handlers())
        self._first_contact = FirstContact(
            parts.context,
            parts.corrections,
            parts.hearsay,
            answers={kind: handlers[kind] for kind in _ANSWERS},
            asked_for_claim=parts.responder.asked_for_claim,
        )
        self._prober.settle(start.now)

    def _make_handlers(self) -> dict[type, Handler]:
        parts = self.parts
        return {
            messages.Ping: parts.responder.pinged,
            messages.Ack: self._acked,
            messages.AckElsewhere: self._acked_elsewhere,
            messages.PingReq: parts.watches.help,
            messages.Vote: parts.watches.voted,
            messages.Poll: parts.watches.polled,
            messages.Join: parts.admission.asked,
            messages.JoinAck: parts.joiner.answered,
            messages.SyncReq: parts.sync.answer,
            messages.SyncPage: parts.sync.page,
            messages.SyncPush: parts.sync.pushed,
            messages.WantClaim: parts.responder.asked_for_claim,
            messages.Want: parts.broadcasts.wanted,
            messages.ClaimOf: parts.strangers.claimed,
            messages.NotMe: parts.watches.not_me,
            messages.UserMessage: parts.responder.messaged,
            messages.Ask: parts.tool_server.asked,
            messages.Tell: self._unrequested,  # for tools
            messages.Announce: self._unrequested,  # its place is the group
        }

    # ------------------------------------------------------------------ what arrives

    def settle(self, now: float) -> None:
        """Push pending news, and replan the next turn if it changed; called after every input."""
        if self._queue.any:
            self._gossip.settle(now)
        self._prober.settle(now)

    def route(self, sender: Sender, envelope: Envelope, now: float) -> None:
        """Pass on the contents of a datagram."""
        message, met = envelope.message, False
        if sender.short_id == self._outbox.sender:
            self._counters.drop(DropReason.OWN)
            if isinstance(message, messages.Join):
                self._joiner.met_itself(message, now)
            return
        if not sender.familiar:
            self._first_contact.meet(message, sender, now)
            return
        if self._local.rival is not None:
            self.parts.dispute.heard(sender.short_id, sender.address)
        if self._local.rival is not None and not isinstance(message, messages.JoinAck | messages.Ask):
            self._counters.drop(DropReason.SUPERSEDED)
            own = [claim for claim in envelope.claims if claim.name == self._local.name]
            envelope = Envelope(sender.short_id, None, own)
        elif sender.proven is not None and sender.proven.live and sender.direct:
            self._hear(
                sender, sender.proven, now, accuses=bool(envelope.claims) and self._is_held_dead(envelope.claims)
            )
        elif isinstance(message, _ACKS) and self._let_in(message, sender, now):
            envelope, message, met = replace(envelope, message=None), None, True
        if envelope.claims or envelope.numbers or envelope.broadcasts:
            self._take_in(envelope, sender, now)
            if sender.proven is not None and not sender.proven.live and sender.budget is None:
                sender.budget = sender.size  # it said itself that it is no longer a member
        # a newer run by its own claim, or a known run at another address: it may have moved
        unknown = sender.proven is None or sender.proven.short_id != sender.short_id
        stranger = unknown and not met and type(message) not in _INTRODUCTIONS
        if stranger and type(message) is not messages.Ping:
            self._corrections.ask_who(sender, now)  # first, since an answer may take all that a stranger is due
        if envelope.message is not None:
            self._handlers[type(message)](message, sender, now)
        for further in envelope.further:
            self._handlers[type(further)](further, sender, now)
        if stranger and type(message) is messages.Ping and not self._hearsay.showed_up(sender, now):
            self._corrections.ask_who(sender, now)
        if sender.proven is not None and not sender.proven.live:
            self._hear_of_the_dead(sender, sender.proven, message, now)

    def _let_in(self, ack: messages.Ack | messages.AckElsewhere, sender: Sender, now: float) -> bool:
        """Whether an ack proves that its sender, of which others told, lives; if so it is a member from now on."""
        if not self._hearsay.answered(ack, sender, now):
            return False
        entry = self._table.by_id(sender.short_id)
        if entry is not None and entry.live:
            sender.entry = sender.proven = entry
            sender.budget = None
            self._hear(sender, entry, now)
        return True

    def _take_in(self, envelope: Envelope, sender: Sender, now: float) -> None:
        if sender.proven is None:
            self._counters.drop(DropReason.STRANGER)  # strangers introduce themselves in messages
            return
        for claim in envelope.claims:
            self._claims.receive(claim, now, sender=sender, teller=sender.proven)
        newcomer = self._sync.newcomer
        for number in envelope.numbers:
            self._broadcasts.learn_number(number, now, source=sender.short_id, newcomer=newcomer, teller=sender.proven)
        for broadcast in envelope.broadcasts:
            self._broadcasts.receive(broadcast, now, source=sender.short_id, newcomer=newcomer)

    def _is_held_dead(self, claims: Sequence[Claim]) -> bool:
        """Whether the sender holds this node to be dead, and pings it now and then to see whether it lives."""
        return any(claim.state is State.DEAD and claim.name == self._local.name for claim in claims)

    def _hear(self, sender: Sender, entry: Entry, now: float, *, accuses: bool = False) -> None:
        """Note that a live member was heard.

        One that ``accuses`` this node is no company: a node that hears others, but that nobody hears, can do nothing,
        as if it were alone.
        """
        if not accuses:
            self._health.hear(now)
        entry.heard = now
        if self._health.isolated:
            self._in_contact = entry
        if not sender.flags & Flags.DEAF:
            short_id = entry.short_id
            if short_id in self._prober.probes:
                self._prober.heard(short_id)
            if entry is self._prober.awaited:
                self._prober.showed_up(now)
            self._watches.heard(short_id, now)

    def _hear_of_the_dead(self, sender: Sender, entry: Entry, message: object, now: float) -> None:
        """A member held to be gone was heard: tell it so, unless the ack just sent did, or the ping that it answers."""
        told = type(message) is messages.Ack or (
            type(message) is messages.Ping and message.target == self._outbox.sender
        )
        if not told:
            self._corrections.send(entry.claim, sender, now)

    def evidence(self, kind: KernelEvidence, address: Address, quoted: bytes, now: float) -> None:
        """Take what a kernel reported; see `ProtocolNode.feed_evidence`."""
        if kind is KernelEvidence.REFUSED_UDP:
            short_id = self.parts.pings.refused(address, quoted)
            entry = self._table.by_id(short_id) if short_id is not None else None
            if short_id is None:
                rumour = self._hearsay.refused(address, quoted, now)
                if rumour is None:
                    self._counters.drop(DropReason.FORGED_EVIDENCE)
                else:
                    self._watches.rumour_refused(rumour, now)
            elif entry is not None and entry.live:
                self._watches.evidence(entry, kind, now)
        elif kind in (KernelEvidence.CONNECTED, KernelEvidence.CONNECTION_LOST):
            entry = self.parts.tripwires.entry_of(quoted, address)
            if entry is not None:
                self.parts.tripwires.feed(entry, kind, now)
        elif (entry := self._table.live_at(address)) is not None:
            self._watches.evidence(entry, kind, now)

    # ------------------------------------------------------------------ messages that concern several parts, or none

    def _acked_elsewhere(self, ack: messages.AckElsewhere, sender: Sender, now: float) -> bool:
        answers = self._acked(ack, sender, now)
        if answers:
            self._joiner.acked_elsewhere(unpack(ack.seen) if ack.seen else None, sender.address, now)
        return answers

    def _acked(self, ack: messages.Ack | messages.AckElsewhere, sender: Sender, now: float) -> bool:
        """Whether the ack answers a ping of this node, which has not left."""
        if not self.parts.pings.acked(ack.seq, sender.short_id, sender.address, now):
            if self._hearsay.is_late(ack, sender):
                return True
            if not sender.familiar:
                return self._let_in(ack, sender, now)
            self._counters.drop(DropReason.UNREQUESTED)
        elif not self._local.left:
            self.parts.tripwires.answered(sender.short_id)
            if sender.entry is not None and not sender.entry.live:
                self.parts.dead_prober.answered(sender.entry, now)
            if self._health.isolated:
                self._reconnected(now)
                self._sync.start_at_once(sender.member, now)
            self._sync.compare(ack.digest, sender, now)
            return True
        return False

    def _unrequested(self, message: object, sender: Sender, now: float) -> None:
        self._counters.drop(DropReason.UNREQUESTED)

    # ------------------------------------------------------------------ what parts report: a `Hub`

    def claim_won(self, change: Change, now: float, *, originator: bool = False) -> None:
        """See `Hub`. The order matters.

        The log comes first, since the evidence in events is read from it. Then the parts drop what they kept about the
        previous run, and broadcasts that waited for the claim are delivered. The application comes after that, so that
        the answers to its questions agree with the events. Other members come last: nothing that follows from the claim
        here may take back what they were told.
        """
        claim, parts = change.claim, self.parts
        self._hearsay.settle(change, now)
        parts.evidence_log.note_change(change, now)
        if claim.state is not State.SUSPECT and change.before_id in self._prober.probes:
            self._prober.heard(change.before_id)  # it has answered or been judged: the next probe starts afresh
        self._watches.on_change(change, now)
        parts.tripwires.on_change(change)
        self._broadcasts.on_change(change, now)
        if claim.state is State.DEAD:
            parts.dead_prober.add(change.entry, now)
        if not claim.state.live:
            self._joiner.lost(change.entry.address, now)
        elif change.before is None or change.before.address != claim.address:
            for other in self._table.displaced(change.entry):  # perhaps nobody else lists it
                self._prober.probe(other, now)
        for event in transition(change.before, claim, parts.evidence_log.evidence):
            parts.damping.take(event, now)
        self._gossip.tell_claim(claim, now, originator=originator)

    def rumour_believed(self, rumour: Rumour, now: float) -> None:
        """See `Hub`: what else a sync told of the member is news now."""
        if self._claims.believe(rumour.claim, now) and rumour.number:
            number = messages.Number(rumour.short_id, rumour.number)
            self._broadcasts.learn_number(number, now, source=0, newcomer=rumour.newcomer)

    def many_met(self, now: float) -> None:
        """See `Hub`: a flood may have missed somebody."""
        self._sync.start_at_once(None, now)

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
        self._gossip.probe_failed(now)
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
        self._sync.came()
        entry = self._table.by_id(sender.short_id)
        if entry is not None and entry.live:
            self._sync.start(entry, now)

    def round_ended(self, now: float) -> None:
        """See `Hub`: what is done once per interval. Everything that a deaf or isolated node does on its own is
        here."""
        if not self._local.silent:
            if self._health.deaf:
                self.parts.search.on_round(self._joiner.addresses, now)
            if self._health.isolated and self._in_contact is not None and self._in_contact.live:
                self.parts.pings.send(self._in_contact, now)  # this node hears it: does it hear this node?
            self.parts.dead_prober.on_round(now)
            if self._health.deaf:  # whoever was just asked may still answer
                context = self.parts.context
                context.timers.at(now + max(LAST_WORD, context.rtt.answer), self._check_hearing)
            else:
                self._check_hearing(now)
            if self._health.deaf:
                self._joiner.deafened(now)
            self._renew(now)
        self._broadcasts.on_round(now)
        self.parts.encounters.on_round(now)
        for entry in self._table.expire(now):
            self.forgotten(entry, now)

    def _check_hearing(self, now: float) -> None:
        """Find out whether the silence has become deafness, or isolation."""
        if not self._local.silent and self._health.check(self._table.live_count, now):
            time = self.parts.context.clock.read(now)
            self._tell(isolation_began(self._local.name, self._health.alone, self._others(), time), now)

    def _renew(self, now: float) -> None:
        """Begin a new run before this one's counters, by which others recognize copies, run out."""
        context = self.parts.context
        if context.sealer is not None and context.sealer.nearly_spent:
            if self._local.begin_anew(now):
                context.sealer.start_over(context.unguessable.u32() >> 1)
            self.tell_own_claim(now)

    def found(self) -> None:
        """See `Hub`: it will be told of its cluster, by a sync of either side."""
        self._sync.came()

    def paused(self, seconds: float) -> None:
        """See `Hub`."""
        self._prober.drop()
        self.parts.pings.drop()
        self._watches.pause()
        if seconds > self._health.long_pause:
            self.parts.context.emit(Paused(seconds))

    # ------------------------------------------------------------------ what comes of that, and of what users do

    def _reconnected(self, now: float) -> None:
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
        for event in events:
            self.parts.damping.take(event, now)

    def forgotten(self, entry: Entry, now: float) -> None:
        """Drop what is kept about a member that is no longer in the table."""
        self.parts.damping.take(MemberForgotten(entry.member), now)
        self.parts.evidence_log.forget(entry.name)
        self.parts.tripwires.forget(entry.short_id)
        self._hearsay.forget(entry.name)
        self._broadcasts.forget(entry, now)

    def tell_own_claim(self, now: float) -> None:
        """Tell the others that this node's own claim has changed."""
        self._gossip.tell_claim(self._local.claim, now, originator=True)


def _complete(handlers: Mapping[type, Handler]) -> Mapping[type, Handler]:
    """Check that each message that decodes has a handler: nothing that arrives may raise."""
    if handlers.keys() != MESSAGES:
        differing = ", ".join(sorted(kind.__name__ for kind in handlers.keys() ^ MESSAGES))
        raise TypeError(f"messages without a handler, or handlers without a message: {differing}")
    return handlers
