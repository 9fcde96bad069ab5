"""Examines members that others tell of: pings them, as often as their tellers and hosts have credit for.

A member that answers is let in, and those who told of it gain credit. One that doesn't is let in on the word of several
others, or dropped.
"""

from swim_core.address import Address
from swim_core.counters import DropReason
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.gossip_queue import Piggyback
from swim_core.native.datagrams.sender import Sender
from swim_core.native.table.rumour import Rumour, Stage
from swim_core.native.wire.datagram import encode_item
from swim_core.native.wire.messages import Ack, AckElsewhere, Ping

from .allowance import Allowance, Allowances
from .local_member import LocalMember
from .newcomers import Newcomers

__all__ = ["Examiner"]

TRIES = 3  # pings of one name, a probe timeout apart: at 10 % loss 0.7 % fail
REST = 10.0  # seconds for which the tellers of one that did not answer are remembered
WITNESSES = 2  # members whose word is enough for one that does not answer here: this path may be at fault
BELIEVED = 8  # one in this many live members may be let in like this, and one in any case: always a minority
PATIENCE = 0.05  # seconds, and a usual round trip or two, in which a newcomer pings those of which it has learned
MAX_WAITING = 1_024  # names of one teller; dropped ones come again with a sync
MAX_KNOWN = 1_024  # pings remembered for late acks
CROWD = 256  # members whose pings the small receive buffer of a newcomer holds at once; those of more are
SPREAD = 5e-5  # spread over this many seconds per member


class Examiner:
    """Knows the rumours that are kept, and how far the examination of each has come.

    Attributes:
        rumours: by `Rumour.key`.
    """

    def __init__(self, context: NodeContext, local: LocalMember) -> None:
        self._hub = context.hub
        self._quoted = context.codec.quoted
        self._timers = context.timers
        self._clock = context.clock
        self._table = context.table
        self._outbox = context.outbox
        self._sealer = context.sealer
        self._rtt = context.rtt
        self._random = context.random
        self._unguessable = context.unguessable
        self._counters = context.counters
        self._local = local
        self._newcomers = Newcomers(context)
        self._allowances = Allowances(context)
        self.rumours: dict[tuple[int, bytes], Rumour] = {}
        # by the seq of each ping, with the ping's first bytes, or None once it was refused
        self._asked: dict[int, tuple[Rumour, bytes | None]] = {}
        self._unheard: set[str] = set()  # let in on the word of witnesses

    # ------------------------------------------------------------------ whom to examine

    def witnessed(self, rumour: Rumour) -> bool:
        """Whether enough live members tell it."""
        tellers = (self._table.get(name) for name in rumour.tellers)
        return sum(1 for teller in tellers if teller is not None and teller.live) >= WITNESSES

    def told(self, teller: str, now: float) -> None:
        """Give a teller its credit, if it has none yet."""
        self._allowances.teller(teller, now)

    def crowded(self, teller: str, now: float) -> bool:
        """Whether too many names wait for that teller's credit."""
        return len(self._allowances.teller(teller, now).waiting) >= MAX_WAITING

    def examine(self, rumour: Rumour, now: float) -> None:
        """Ask the member if there is credit; otherwise it waits at whichever allowance has none left."""
        tellers = self._allowances.tellers(rumour)
        if not tellers:
            self.discard(rumour)  # its tellers were forgotten
            return
        paying = next((teller for teller in tellers if teller.any(now)), None)
        if paying is None and rumour.stage is not Stage.WAITING:
            return
        if paying is None:
            for teller in tellers:
                teller.waiting[rumour.key] = rumour
                self._wake(teller, now)
            return
        host = self._allowances.host(rumour, now)
        if not self.witnessed(rumour):
            if not host.any(now) and rumour.stage is not Stage.WAITING:
                return
            if not host.any(now):
                host.waiting[rumour.key] = rumour
                self._wake(host, now)
                return
            host.take()
        paying.take()
        for teller in tellers:
            teller.waiting.pop(rumour.key, None)
        self.begin(rumour, now)

    def expect(self, rumour: Rumour, now: float) -> None:
        """Give the member some time to ping this node itself, and only then ask it.

        Two newcomers may hear of each other like this; by chance, one of them then goes first.
        """
        wait = (PATIENCE + self._rtt.answer) * (1 + self._random.random())
        rumour.timer = self._timers.at(now + wait, lambda at: self._overdue(rumour, at))

    def _overdue(self, rumour: Rumour, now: float) -> None:
        rumour.timer = None
        self.examine(rumour, now)

    def _wake(self, allowance: Allowance, now: float) -> None:
        """Go on with the names waiting there as soon as there is one left."""
        if allowance.timer is None:
            allowance.timer = self._timers.at(now + allowance.wait + 0.001, lambda at: self._awake(allowance, at))

    def _awake(self, allowance: Allowance, now: float) -> None:
        allowance.timer = None
        self._go_on(allowance, now)

    def _go_on(self, allowance: Allowance, now: float) -> None:
        while allowance.waiting and allowance.any(now):
            key = next(iter(allowance.waiting))
            rumour = allowance.waiting.pop(key)
            if rumour.stage is Stage.WAITING:
                self.examine(rumour, now)
        if allowance.waiting:
            self._wake(allowance, now)

    # ------------------------------------------------------------------ asking

    def begin(self, rumour: Rumour, now: float) -> None:
        """Ask a member, at once in a small cluster."""
        rumour.tries = min(rumour.tries, TRIES - 1)
        rumour.go_to(Stage.ASKED)
        members = self._table.live_count
        if members <= CROWD:
            self._ask(rumour, now)
        else:
            wait = members * SPREAD * self._random.random()
            rumour.timer = self._timers.at(now + wait, lambda at: self._ask(rumour, at))

    def _ask(self, rumour: Rumour, now: float) -> None:
        """Ping the member. The first ping carries this node's own claim, so that a member that doesn't know this node
        has room to ask."""
        rumour.tries += 1
        rumour.asked_at = now
        if rumour.began is None:
            rumour.began = now
        seq = self._unguessable.u32()
        riding = Piggyback([encode_item(self._local.claim)]) if rumour.tries == 1 else None
        ping = Ping(seq, rumour.short_id, self._clock.read(now))
        key = None if self._sealer is None else self._sealer.in_turn(rumour.tries)
        data = self._outbox.send(ping, rumour.address, now, riding=riding, peer=rumour.short_id, key=key)
        if data is None:
            self.discard(rumour)
            return
        self._asked[seq] = rumour, data[: self._quoted]
        if len(self._asked) > MAX_KNOWN:
            del self._asked[next(iter(self._asked))]
        rumour.timer = self._timers.at(now + self._rtt.probe_timeout, lambda at: self.ask_again(rumour, at))

    def ask_again(self, rumour: Rumour, now: float) -> None:
        """Handle a missing answer: a ping may be lost, but a host where nobody listens must not be sent many."""
        witnessed = self.witnessed(rumour)
        if rumour.tries < TRIES:
            if witnessed or self._pay_for_retry(rumour, now):
                rumour.go_to(Stage.ASKED)
                self._ask(rumour, now)
                return
        elif witnessed and rumour.refused is None and not rumour.replaced and self._may_believe(rumour.claim.name):
            self._unheard.add(rumour.claim.name)
            self._merge(rumour, now)
            self._close(rumour)
            return
        if rumour.stage is not Stage.RESTING:
            self.rest(rumour, now)

    def rest(self, rumour: Rumour, now: float) -> None:
        """Ask it no further for now, and forget it soon."""
        rumour.go_to(Stage.RESTING)
        rumour.timer = self._timers.at(now + REST, lambda _: self.discard(rumour))

    def _pay_for_retry(self, rumour: Rumour, now: float) -> bool:
        """Whether names of a teller that proved true pay for another ping, or the host has one left."""
        for teller in self._allowances.tellers(rumour):
            if teller.earned:
                teller.earned -= 1
                return True
        host = self._allowances.host(rumour, now)
        if host.any(now):
            host.take()
            return True
        return False

    def _may_believe(self, name: str) -> bool:
        """Whether one more member that was never heard here may be let in."""
        held = {other: self._table.get(other) for other in self._unheard}
        self._unheard = {other for other, at in held.items() if at is not None and at.live and at.heard is None}
        return name in self._unheard or len(self._unheard) < max(1, self._table.live_count // BELIEVED)

    # ------------------------------------------------------------------ what comes of it

    def answered(self, ack: Ack | AckElsewhere, sender: Sender, now: float) -> bool:
        """Take an ack from a sender that is no live member: if it answers an examination's ping, the sender becomes
        one."""
        rumour = self._answers(ack, sender)
        if rumour is None:
            return False
        if rumour.tries == 1:
            self._rtt.add(now - rumour.asked_at)
        self._merge(rumour, now)
        if rumour.stage is not Stage.OVER:
            self.proved(rumour, now)  # the table is full, or has a higher claim
        return True

    def is_late(self, ack: Ack | AckElsewhere, sender: Sender) -> bool:
        """Whether an ack answers such a ping, even if its sender was let in meanwhile."""
        return self._answers(ack, sender) is not None

    def _answers(self, ack: Ack | AckElsewhere, sender: Sender) -> Rumour | None:
        rumour, _ = self._asked.get(ack.seq, (None, None))
        if rumour is None or (rumour.short_id, rumour.address) != (sender.short_id, sender.address):
            return None
        del self._asked[ack.seq]
        return rumour

    def refused(self, destination: Address, quoted: bytes, now: float) -> Rumour | None:
        """The rumour that was pinged by a datagram that was refused: nobody is there. None if it was no such ping.

        An ack still counts; see `Pings.refused`.
        """
        for seq in reversed(self._asked):
            rumour, head = self._asked[seq]
            if head is not None and rumour.address == destination and quoted.startswith(head):
                self._asked[seq] = rumour, None
                rumour.refuse(now)
                self._give_up(rumour, now)
                return rumour
        return None

    def other_answered(self, seq: int, source: Address, now: float) -> bool:
        """Whether another run answered at the address of such a ping, which shows that the pinged run has lost its
        socket."""
        rumour, _ = self._asked.get(seq, (None, None))
        if rumour is None or rumour.address != source:
            return False
        del self._asked[seq]
        self.replaced(rumour, now)
        return True

    def replaced(self, rumour: Rumour, now: float) -> None:
        """Ask it no further, since another run has its address."""
        rumour.replaced = True
        if rumour.stage is Stage.WAITING or rumour.stage is Stage.ASKED:
            rumour.tries = TRIES
            self.rest(rumour, now)

    def _give_up(self, rumour: Rumour, now: float) -> None:
        if rumour.stage is Stage.ASKED:
            rumour.tries = TRIES
            self.rest(rumour, now)

    def _merge(self, rumour: Rumour, now: float) -> None:
        self._hub.rumour_believed(rumour, now)
        if rumour.stage is Stage.OVER:  # its claim won
            self._newcomers.met(now)

    def proved(self, rumour: Rumour, now: float) -> None:
        """Credit the tellers of a member that was found."""
        self._close(rumour)
        for allowance in (*self._allowances.tellers(rumour), self._allowances.host(rumour, now)):
            allowance.answered()
            self._go_on(allowance, now)

    def discard(self, rumour: Rumour) -> None:
        """Forget one that is not a member."""
        if rumour.stage is not Stage.OVER:
            self._close(rumour)
            self._counters.drop(DropReason.RUMOUR)

    def _close(self, rumour: Rumour) -> None:
        rumour.go_to(Stage.OVER)
        self.rumours.pop(rumour.key, None)

    def forget(self, teller: str) -> None:
        """Drop what only a forgotten member said."""
        self._unheard.discard(teller)
        allowance = self._allowances.forget(teller)
        if allowance is None:
            return
        for rumour in allowance.waiting.values():
            rumour.tellers.remove(teller)
            if not rumour.tellers and rumour.stage is Stage.WAITING:
                self.discard(rumour)
