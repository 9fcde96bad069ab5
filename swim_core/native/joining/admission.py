"""The other side of a join: cookies for joiners that ask, and a place in the table for those that bring one back."""

from swim_core.address import pack
from swim_core.counters import DropReason
from swim_core.native.claims.local_member import LocalMember
from swim_core.native.claims.merging import ClaimMerger
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.sender import Sender
from swim_core.native.wire.messages import Join, JoinAck

from .cookies import Cookies
from .encounters import Encounters
from .settings_check import SettingsCheck

__all__ = ["Admission"]


class Admission:
    """Answers joiners, without keeping anything about them."""

    def __init__(
        self,
        context: NodeContext,
        local: LocalMember,
        claims: ClaimMerger,
        secret: bytes,
        settings_check: SettingsCheck,
        encounters: Encounters,
    ) -> None:
        self._clock = context.clock
        self._table = context.table
        self._local = local
        self._claims = claims
        self._outbox = context.outbox
        self._settings_check = settings_check
        self._encounters = encounters
        self._counters = context.counters
        self._hub = context.hub
        self._cookies = Cookies(context, secret)

    def asked(self, join: Join, sender: Sender, now: float) -> bool:
        """Hand out a cookie, or check one and take the claim that comes with it. Returns whether the cookie was
        good."""
        self._local.spoken_to(sender.address)
        if join.cookie is None or join.claim is None:
            # A newcomer takes this node's time; a member of another cluster doesn't, nor does it come again. So that is
            # reported here, too. A recording says nothing about a cluster.
            if sender.familiar and join.members > 1:
                self._encounters.same_time(join, sender.address, now)
            cookie = self._cookies.make(join.name, sender.address, now)
            self._reply(join, sender, cookie, now, self._encounters.formed(now))
            return False
        if join.claim.name != join.name or not self._cookies.knows(join.cookie, join.name, sender.address, now):
            self._counters.drop(DropReason.BAD_COOKIE)
            return False
        if join.claim.address != pack(sender.address):
            self._counters.drop(DropReason.ELSEWHERE)
            self._reply(join, sender, join.cookie, now)  # this tells it where it is seen, and lets nobody in
            return True
        if not self._encounters.same_time(join, sender.address, now):
            return True
        self._settings_check.check(join, sender.address, now)
        self._encounters.meet(join.name, join.members, sender.address, now)
        members = self._encounters.formed(now)
        if join.members > members == 1:
            self._hub.found(now)
        self._claims.receive(join.claim, now)
        self._reply(join, sender, None, now, members)
        return True

    def _reply(self, join: Join, sender: Sender, cookie: bytes | None, now: float, members: int = 1) -> None:
        entry = self._table.get(join.name)
        held = entry.claim if entry is not None and entry.claim != join.claim else None
        if cookie is not None and cookie != join.cookie:
            held = None  # whoever asks in another's name learns nothing: forged claims need an epoch
        ours = self._settings_check
        own = self._local.claim if cookie is None else None
        time = self._clock.read(now)
        seen = pack(sender.address)
        answer = JoinAck(join.seq, cookie, time, ours.interval, ours.rings, ours.stall, held, own, seen, members)
        self._outbox.reply(answer, sender, now)
