"""Nobody becomes a member on the word of a third party (docs/protocol.md, section 1, "Hearsay").

A claim that would make a name live, and that comes from anybody but that member, is kept aside: it is in no view,
digest, order or ring, and is not passed on. The member is pinged, and its ack lets it in. So an honest node tells only
of members that it has heard itself. Invented members get no further than those to whom the liar tells them, and whoever
tells of them is a liar.
"""

from swim_core.address import pack
from swim_core.counters import DropReason
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.sender import Sender
from swim_core.native.table.entry import Change, Entry
from swim_core.native.table.rumour import Rumour, Stage
from swim_core.native.wire.claim import Claim, precedence
from swim_core.native.wire.messages import PageEntry
from swim_core.shared.rate_limit import RateLimit

from .examiner import Examiner
from .local_member import LocalMember

__all__ = ["Hearsay"]

AT_ONCE, PER_SECOND = 4, 1  # newcomers, told of in floods, that are pinged at once
AGAIN = 1.0  # seconds until it is asked once more, if others tell of it again and credit is left: its path may be back


class Hearsay:
    """Keeps claims of third parties aside, and has their members examined.

    Attributes:
        examiner: pings them, and lets them in.
    """

    def __init__(self, context: NodeContext, local: LocalMember) -> None:
        self._most = context.config.max_members
        self._hashes = context.hashes
        self._table = context.table
        self._counters = context.counters
        self._local = local
        self.examiner = Examiner(context, local)
        self._rumours = self.examiner.rumours
        self._few = RateLimit(PER_SECOND, AT_ONCE)

    def __len__(self) -> int:
        return len(self._rumours)

    # ------------------------------------------------------------------ what is heard of

    def take(
        self, claim: Claim, teller: Entry, now: float, *, again: float = AGAIN, flood: bool = False
    ) -> Rumour | None:
        """Keep a claim about a name that is not live here; returns it if it is news and was kept.

        One that came in a ``flood`` is of a newcomer, which will soon ping all members itself. Where many come, it is
        given the time to: if both pinged each other, one of the pings would be for nothing.
        """
        if self._table.live_count >= self._most:
            self._counters.drop(DropReason.MEMBERS_FULL)
            return None
        if self._local.silent:
            return None
        key = self._hashes.short_id(claim.name, claim.epoch), claim.address
        rumour = known = self._rumours.get(key)
        if rumour is None:
            if self.examiner.crowded(teller.name, now) or len(self._rumours) >= self._most:
                self._counters.drop(DropReason.RUMOUR)
                return None
            rumour = self._rumours[key] = Rumour.of(claim, key[0])
            if claim.address == self._local.claim.address:
                self.examiner.replaced(rumour, now)  # by this very node
        elif precedence(claim) > precedence(rumour.claim):
            rumour.claim = claim
        if rumour.heard_from(teller.name):
            self.examiner.told(teller.name, now)
            if rumour.stage is Stage.WAITING:
                self._look_into(rumour, now, patient=flood)
            elif rumour.stage is Stage.RESTING and not rumour.replaced and self.examiner.witnessed(rumour):
                self.examiner.ask_again(rumour, now)
        if rumour.stage is Stage.RESTING and now - rumour.asked_at >= again and not rumour.replaced:
            self.examiner.examine(rumour, now)
        return rumour if known is None else None

    def _look_into(self, rumour: Rumour, now: float, *, patient: bool) -> None:
        if not patient:
            self.examiner.examine(rumour, now)
        elif rumour.timer is None:  # not given time yet
            if self._few.allow(now):
                self.examiner.examine(rumour, now)
            else:
                self.examiner.expect(rumour, now)

    def asked_about(self, claim: Claim, accuser: Entry, now: float, *, again: float) -> Rumour | None:
        """Examine a member that is not live here because a live member asks about it, as if that one had told of it.

        One that did not answer is asked anew if that was ``again`` seconds ago, or longer. One at whose address this
        node hears a later run needn't be asked. A member that was cut off while all others were replaced asks about
        each of them, and has credit for six.
        """
        self.take(claim, accuser, now, again=again)
        rumour = self._rumours.get((self._hashes.short_id(claim.name, claim.epoch), claim.address))
        if rumour is not None and not rumour.replaced and self._is_followed(rumour):
            self.examiner.replaced(rumour, now)
        return rumour

    def _is_followed(self, rumour: Rumour) -> bool:
        entry = self._table.live_at(rumour.address)
        return entry is not None and entry.heard is not None and entry.claim.epoch > rumour.claim.epoch

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
        self.examiner.begin(rumour, now)
        return True

    def awaits(self, sender: Sender) -> bool:
        """Whether it is being examined: its ack will say who it is, so there is nothing else to ask.

        Where many join at once, most members hear of each other and ask each other at the same time.
        """
        rumour = self._rumours.get((sender.short_id, pack(sender.address))) if self._rumours else None
        return rumour is not None and rumour.stage is Stage.ASKED

    def learn_number(self, short_id: int, told: PageEntry) -> None:
        """Note the number of the run's last broadcast, which a sync told as well."""
        rumour = self._rumours.get((short_id, told.claim.address)) if self._rumours else None
        if rumour is not None:
            rumour.number = max(rumour.number, told.number)

    def ended(self, claim: Claim) -> None:
        """Stop asking a run that somebody says is gone."""
        if self._rumours:
            rumour = self._rumours.get((self._hashes.short_id(claim.name, claim.epoch), claim.address))
            if rumour is not None and precedence(claim) > precedence(rumour.claim):
                self.examiner.discard(rumour)

    def settle(self, change: Change, now: float) -> Rumour | None:
        """Credit the tellers of a run whose claim was merged: they told the truth, whoever brought the proof. Returns
        what was kept of it."""
        if not self._rumours or not change.entry.live:
            return None
        rumour = self._rumours.get((change.entry.short_id, change.claim.address))
        if rumour is not None:
            self.examiner.proved(rumour, now)
        return rumour

    def forget(self, name: str) -> None:
        """Drop what only a forgotten member said."""
        self.examiner.forget(name)

    def stop(self) -> None:
        """Stop asking."""
        for rumour in list(self._rumours.values()):
            self.examiner.discard(rumour)
