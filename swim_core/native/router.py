"""Passes what arrives, datagrams and what kernels say, on to the parts concerned.

What follows from what these then report is in `reports`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, get_args

from msgspec.structs import replace

from swim_core.address import Address, unpack
from swim_core.counters import DropReason
from swim_core.member import State
from swim_core.protocol import KernelEvidence

from .datagrams.sender import Sender
from .joining.first_contact import FirstContact
from .parts import NodeArguments
from .reports import Reports
from .table.entry import Entry
from .wire import messages
from .wire.claim import Claim
from .wire.datagram import Envelope, Flags
from .wire.traits import ANSWERS, INTRODUCTIONS

__all__ = ["Router"]

MESSAGES = frozenset(get_args(messages.Message))
_ACKS = (messages.Ack, messages.AckElsewhere)
Handler = Callable[[Any, Sender, float], object]


class Router:
    """Takes what arrives at a node.

    Attributes:
        reports: takes what the parts report.
        parts: the node's.
    """

    def __init__(self, start: NodeArguments) -> None:
        self.reports = Reports(start)
        parts = self.parts = self.reports.parts
        self._counters = parts.context.counters
        self._table = parts.table
        self._outbox = parts.outbox
        self._queue = parts.queue
        self._health = parts.health
        self._local = parts.local
        self._claims = parts.claims
        self._hearsay = parts.hearsay
        self._examiner = parts.hearsay.examiner
        self._corrections = parts.corrections
        self._gossip = parts.gossip
        self._broadcasts = parts.broadcasts
        self._sync = parts.sync
        self._prober = parts.prober
        self._watches = parts.watches
        self._joiner = parts.joiner
        self._handlers = handlers = _complete(self._make_handlers())
        self._first_contact = FirstContact(
            parts.context,
            parts.corrections,
            parts.hearsay,
            answers={kind: handlers[kind] for kind in ANSWERS},
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
            messages.SyncReq: parts.sync.pages.answer,
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
            if isinstance(message, messages.AckElsewhere):
                self.parts.responder.asked_in_ack(message, sender, now)
            envelope, message, met = replace(envelope, message=None), None, True
        if envelope.claims or envelope.numbers or envelope.broadcasts:
            self._take_in(envelope, sender, now)
            if sender.proven is not None and not sender.proven.live and sender.budget is None:
                sender.budget = sender.size  # it said itself that it is no longer a member
        # a newer run by its own claim, or a known run at another address: it may have moved
        unknown = sender.proven is None or sender.proven.short_id != sender.short_id
        stranger = unknown and not met and type(message) not in INTRODUCTIONS
        if stranger and type(message) is not messages.Ping and not self._hearsay.awaits(sender):
            self._corrections.ask_who(sender, now)  # first, since an answer may take all that a stranger is due
        if stranger and isinstance(envelope.message, messages.Ping):
            self._answer_stranger(envelope.message, sender, now)
        elif envelope.message is not None:
            self._handlers[type(message)](message, sender, now)
        for further in envelope.further:
            self._handlers[type(further)](further, sender, now)
        if sender.proven is not None and not sender.proven.live:
            self._hear_of_the_dead(sender, sender.proven, message, now)

    def _let_in(self, ack: messages.Ack | messages.AckElsewhere, sender: Sender, now: float) -> bool:
        """Whether an ack proves that its sender, of which others told, lives; if so it is a member from now on."""
        if not self._examiner.answered(ack, sender, now):
            return False
        entry = self._table.by_id(sender.short_id)
        if entry is not None and entry.live:
            sender.entry = sender.proven = entry
            sender.budget = None
            self._hear(sender, entry, now)
        return True

    def _answer_stranger(self, ping: messages.Ping, sender: Sender, now: float) -> None:
        """Answer the ping of a stranger, and ask who it is, unless its own ack will say so."""
        expected = self._hearsay.showed_up(sender, now) or self._hearsay.awaits(sender)
        mine = ping.target == self._outbox.sender
        nonce = self._corrections.ask_in_ack(sender, now) if mine and not expected else 0
        self.parts.responder.pinged(ping, sender, now, nonce)
        if not mine and not expected:
            self._corrections.ask_who(sender, now)

    def _take_in(self, envelope: Envelope, sender: Sender, now: float) -> None:
        if sender.proven is None:
            self._counters.drop(DropReason.STRANGER)  # strangers introduce themselves in messages
            return
        for claim in envelope.claims:
            self._claims.receive(claim, now, sender=sender, teller=sender.proven)
        for number in envelope.numbers:
            self._broadcasts.learn_number(number, now, source=sender.short_id, teller=sender.proven)
        for broadcast in envelope.broadcasts:
            self._broadcasts.receive(broadcast, now, source=sender.short_id)

    def _is_held_dead(self, claims: Sequence[Claim]) -> bool:
        """Whether the sender considers this node dead, and pings it now and then to see whether it lives."""
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
            self.reports.in_contact = entry
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
                rumour = self._examiner.refused(address, quoted, now)
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
            self.parts.responder.asked_in_ack(ack, sender, now)
            self._joiner.acked_elsewhere(unpack(ack.seen) if ack.seen else None, sender.address, now)
        return answers

    def _acked(self, ack: messages.Ack | messages.AckElsewhere, sender: Sender, now: float) -> bool:
        """Whether the ack answers a ping of this node, which has not left."""
        if not self.parts.pings.acked(ack.seq, sender.short_id, sender.address, now):
            if self._examiner.is_late(ack, sender):
                return True
            if not sender.familiar:
                return self._let_in(ack, sender, now)
            self._counters.drop(DropReason.UNREQUESTED)
        elif not self._local.left:
            self.parts.tripwires.answered(sender.short_id)
            if sender.entry is not None and not sender.entry.live:
                self.parts.dead_prober.answered(sender.entry, now)
            if self._health.isolated:
                self.reports.reconnected(now)
                self._sync.start_at_once(sender.member, now)
            self._sync.compare(ack.digest, sender, now)
            return True
        return False

    def _unrequested(self, message: object, sender: Sender, now: float) -> None:
        self._counters.drop(DropReason.UNREQUESTED)


def _complete(handlers: Mapping[type, Handler]) -> Mapping[type, Handler]:
    """Check that each message that decodes has a handler: nothing that arrives may raise."""
    if handlers.keys() != MESSAGES:
        differing = ", ".join(sorted(kind.__name__ for kind in handlers.keys() ^ MESSAGES))
        raise TypeError(f"messages without a handler, or handlers without a message: {differing}")
    return handlers
