"""Nobody becomes a member on the word of a third party (docs/protocol.md, section 1, "Hearsay").

A claim that would make a name live, and that comes from anybody but that member, is kept aside: it is in no view,
digest, order or ring, and is not passed on. The member is pinged, and its ack lets it in. So an honest node tells only
of members that it has heard itself. Invented members get no further than those to whom the liar tells them, and whoever
tells of them is a liar.
"""

from swim_core.address import Address, pack
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.gossip_queue import Piggyback
from swim_core.native.datagrams.sender import Sender
from swim_core.native.table.entry import Change, Entry
from swim_core.native.table.rumour import Rumour, Stage
from swim_core.native.wire.claim import Claim, precedence
from swim_core.native.wire.datagram import encode_item
from swim_core.native.wire.messages import Ack, AckElsewhere, PageEntry, Ping
from swim_core.statistics import DropReason

from .allowance import Allowance
from .local_member import LocalMember
from .newcomers import Newcomers

__all__ = ["Hearsay"]

TRIES = 3  # pings of one name, a probe timeout apart: at 10 % loss 0.7 % fail
REST = 10.0  # seconds for which the tellers of one that did not answer are remembered
AGAIN = 1.0  # seconds until it is asked once more, if others tell of it again and credit is left: its path may be back
WITNESSES = 2  # members whose word is enough for one that does not answer here: this path may be at fault
BELIEVED = 8  # one in so many live members may be let in like this, and one in any case: always a minority
CREDIT, CREDIT_PER_SECOND = 6.0, 1 / 20  # names of one teller that are examined
# Pings a minute from all members together to a host where nobody has answered: under 10 kB, whoever hears of it.
HOST_PINGS = 128
MAX_WAITING = 1_024  # names of one teller; dropped ones come again with a sync
MAX_KNOWN = 1_024  # pings remembered for late acks
CROWD = 256  # members whose pings the small receive buffer of a newcomer holds at once; those of more are
SPREAD = 5e-5  # spread over this many seconds per member


class Hearsay:
    """Keeps claims of third parties aside, and examines them within the allowances of their tellers and hosts."""

    def __init__(self, context: NodeContext, local: LocalMember) -> None:
        self._hub = context.hub
        self._quoted = context.codec.quoted
        self._most = context.config.max_members
        self._timers = context.timers
        self._clock = context.clock
        self._hashes = context.hashes
        self._table = context.table
        self._outbox = context.outbox
        self._rtt = context.rtt
        self._random = context.random
        self._unguessable = context.unguessable
        self._counters = context.counters
        self._local = local
        self._newcomers = Newcomers(context)
        self._rumours: dict[tuple[int, bytes], Rumour] = {}
        self._asked: dict[int, tuple[Rumour, bytes]] = {}  # by the seq of each ping, with the ping's first bytes
        self._tellers: dict[str, Allowance] = {}
        self._hosts: dict[bytes, Allowance] = {}
        self._unheard: set[str] = set()  # let in on the word of witnesses

    def __len__(self) -> int:
        return len(self._rumours)

    # ------------------------------------------------------------------ what is heard of

    def take(self, claim: Claim, teller: Entry, now: float, *, again: float = AGAIN) -> Rumour | None:
        """Keep a claim about a name that is not live here; returns it if it is news and was kept."""
        if self._table.live_count >= self._most:
            self._counters.drop(DropReason.MEMBERS_FULL)
            return None
        if self._local.silent:
            return None
        key = self._hashes.short_id(claim.name, claim.epoch), claim.address
        rumour = known = self._rumours.get(key)
        if rumour is None:
            allowance = self._teller(teller.name, now)
            if len(self._rumours) >= self._most or len(allowance.waiting) >= MAX_WAITING:
                self._counters.drop(DropReason.RUMOUR)
                return None
            rumour = self._rumours[key] = Rumour.of(claim, key[0])
            if claim.address == self._local.claim.address:
                rumour.replaced = True  # by this very node
                self._rest(rumour, now)
        elif precedence(claim) > precedence(rumour.claim):
            rumour.claim = claim
        if rumour.heard_from(teller.name):
            self._teller(teller.name, now)
            if rumour.stage is Stage.WAITING:
                self._examine(rumour, now)
            elif rumour.stage is Stage.RESTING and not rumour.replaced and self._witnessed(rumour):
                self._ask_again(rumour, now)
        if rumour.stage is Stage.RESTING and now - rumour.asked_at >= again and not rumour.replaced:
            self._examine(rumour, now)
        return rumour if known is None else None

    def asked_about(self, claim: Claim, accuser: Entry, now: float, *, again: float) -> Rumour | None:
        """Examine a member that is not live here because a live member asks about it, as if that one had told of it.

        One that did not answer is asked anew if that was ``again`` seconds ago, or longer.
        """
        self.take(claim, accuser, now, again=again)
        return self._rumours.get((self._hashes.short_id(claim.name, claim.epoch), claim.address))

    def examines(self, sender: Sender) -> bool:
        """Whether others told of it, so that this node may have pinged it: then it may ask who pings it."""
        return bool(self._rumours) and (sender.short_id, pack(sender.address)) in self._rumours

    def showed_up(self, sender: Sender, now: float) -> bool:
        """Whether it had not answered, and now pings this node: the path is open again, and it is asked again.

        Its own ping, which is no shorter, pays for this one.
        """
        rumour = self._rumours.get((sender.short_id, pack(sender.address))) if self._rumours else None
        if rumour is None or rumour.stage is not Stage.RESTING or rumour.replaced:
            return False
        self._begin(rumour, now)
        return True

    def learn_number(self, short_id: int, told: PageEntry, *, newcomer: bool) -> None:
        """Note the number of the run's last broadcast, which a sync told as well."""
        rumour = self._rumours.get((short_id, told.claim.address)) if self._rumours else None
        if rumour is not None and told.number > rumour.number:
            rumour.number, rumour.newcomer = told.number, newcomer

    def ended(self, claim: Claim) -> None:
        """Stop asking a run that somebody says is gone."""
        if self._rumours:
            rumour = self._rumours.get((self._hashes.short_id(claim.name, claim.epoch), claim.address))
            if rumour is not None and precedence(claim) > precedence(rumour.claim):
                self._discard(rumour)

    def settle(self, change: Change, now: float) -> None:
        """Credit the tellers of a run whose claim was merged: they told the truth, whoever brought the proof."""
        if self._rumours and change.entry.live:
            rumour = self._rumours.get((change.entry.short_id, change.claim.address))
            if rumour is not None:
                self._proved(rumour, now)

    def forget(self, name: str) -> None:
        """Drop what only a forgotten member said."""
        self._unheard.discard(name)
        allowance = self._tellers.pop(name, None)
        if allowance is None:
            return
        if allowance.timer is not None:
            allowance.timer.cancel()
        for rumour in allowance.waiting.values():
            rumour.tellers.remove(name)
            if not rumour.tellers and rumour.stage is Stage.WAITING:
                self._discard(rumour)

    def stop(self) -> None:
        """Stop asking."""
        for rumour in list(self._rumours.values()):
            self._discard(rumour)

    # ------------------------------------------------------------------ whom to examine

    def _teller(self, name: str, now: float) -> Allowance:
        allowance = self._tellers.get(name)
        if allowance is None:
            allowance = self._tellers[name] = Allowance.of(CREDIT, CREDIT_PER_SECOND, now)
        return allowance

    def _host(self, address: bytes, now: float) -> Allowance:
        """The allowance of a host: of its IPv4 address, or of its IPv6 network of 64 bits, where a host can take any
        address."""
        host = address[:-2] if len(address) == 6 else address[:8]
        allowance = self._hosts.get(host)
        if allowance is None:
            if len(self._hosts) >= self._most:
                self._hosts = {key: kept for key, kept in self._hosts.items() if not kept.idle(now)}
            share = max(1, HOST_PINGS // max(1, self._table.live_count - 1))
            allowance = self._hosts[host] = Allowance.of(max(1.0, share / 2), share / 120, now)
        return allowance

    def _witnessed(self, rumour: Rumour) -> bool:
        tellers = (self._table.get(name) for name in rumour.tellers)
        return sum(1 for teller in tellers if teller is not None and teller.live) >= WITNESSES

    def _examine(self, rumour: Rumour, now: float) -> None:
        """Ask the member if there is credit; otherwise it waits at whichever allowance has none left."""
        tellers = [self._tellers[name] for name in rumour.tellers if name in self._tellers]
        if not tellers:
            self._discard(rumour)  # its tellers were forgotten
            return
        paying = next((teller for teller in tellers if teller.any(now)), None)
        if paying is None and rumour.stage is not Stage.WAITING:
            return
        if paying is None:
            for teller in tellers:
                teller.waiting[rumour.key] = rumour
                self._wake(teller, now)
            return
        host = self._host(rumour.claim.address, now)
        if not self._witnessed(rumour):
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
        self._begin(rumour, now)

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
                self._examine(rumour, now)
        if allowance.waiting:
            self._wake(allowance, now)

    # ------------------------------------------------------------------ asking

    def _begin(self, rumour: Rumour, now: float) -> None:
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
        data = self._outbox.send(ping, rumour.address, now, riding=riding, peer=rumour.short_id)
        if data is None:
            self._discard(rumour)
            return
        self._asked[seq] = rumour, data[: self._quoted]
        if len(self._asked) > MAX_KNOWN:
            del self._asked[next(iter(self._asked))]
        rumour.timer = self._timers.at(now + self._rtt.probe_timeout, lambda at: self._ask_again(rumour, at))

    def _ask_again(self, rumour: Rumour, now: float) -> None:
        """Handle a missing answer: a ping may be lost, but a host where nobody listens must not be sent many."""
        witnessed = self._witnessed(rumour)
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
            self._rest(rumour, now)

    def _rest(self, rumour: Rumour, now: float) -> None:
        rumour.go_to(Stage.RESTING)
        rumour.timer = self._timers.at(now + REST, lambda _: self._discard(rumour))

    def _pay_for_retry(self, rumour: Rumour, now: float) -> bool:
        """Whether names of a teller that proved true pay for another ping, or the host has one left."""
        for name in rumour.tellers:
            teller = self._tellers.get(name)
            if teller is not None and teller.earned:
                teller.earned -= 1
                return True
        host = self._host(rumour.claim.address, now)
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
            self._proved(rumour, now)  # the table is full, or has a higher claim
        return True

    def is_late(self, ack: Ack | AckElsewhere, sender: Sender) -> bool:
        """Whether an ack answers such a ping, even if its sender was let in meanwhile."""
        return self._answers(ack, sender) is not None

    def _answers(self, ack: Ack | AckElsewhere, sender: Sender) -> Rumour | None:
        rumour, _ = self._asked.get(ack.seq, (None, b""))
        if rumour is None or (rumour.short_id, rumour.address) != (sender.short_id, sender.address):
            return None
        del self._asked[ack.seq]
        return rumour

    def refused(self, destination: Address, quoted: bytes, now: float) -> Rumour | None:
        """The rumour that was pinged by a datagram that was refused: nobody is there. None if it was no such ping."""
        for seq in reversed(self._asked):
            rumour, head = self._asked[seq]
            if rumour.address == destination and quoted.startswith(head):
                del self._asked[seq]
                rumour.refuse(now)
                self._give_up(rumour, now)
                return rumour
        return None

    def other_answered(self, seq: int, source: Address, now: float) -> bool:
        """Whether another run answered at the address of such a ping, which shows that the pinged run has lost its
        socket."""
        rumour, _ = self._asked.get(seq, (None, b""))
        if rumour is None or rumour.address != source:
            return False
        del self._asked[seq]
        rumour.replaced = True
        self._give_up(rumour, now)
        return True

    def _give_up(self, rumour: Rumour, now: float) -> None:
        if rumour.stage is Stage.ASKED:
            rumour.tries = TRIES
            self._rest(rumour, now)

    def _merge(self, rumour: Rumour, now: float) -> None:
        self._hub.rumour_believed(rumour, now)
        if rumour.stage is Stage.OVER:  # its claim won
            self._newcomers.met(now)

    def _proved(self, rumour: Rumour, now: float) -> None:
        """Credit the tellers of a member that was found."""
        self._close(rumour)
        allowances = [self._tellers[name] for name in rumour.tellers if name in self._tellers]
        for allowance in (*allowances, self._host(rumour.claim.address, now)):
            allowance.answered()
            self._go_on(allowance, now)

    def _discard(self, rumour: Rumour) -> None:
        if rumour.stage is not Stage.OVER:
            self._close(rumour)
            self._counters.drop(DropReason.RUMOUR)

    def _close(self, rumour: Rumour) -> None:
        rumour.go_to(Stage.OVER)
        self._rumours.pop(rumour.key, None)
