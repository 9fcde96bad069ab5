"""What a tool has a node do: broadcast, ask further seeds, ping, send, remove, and leave.

Whoever orders holds a member's key or, where there are none, is on this host. No recording makes a node obey: see
`Orders.obey`.
"""

from collections.abc import Callable

from msgspec import msgpack

from swim_core.address import Address, pack
from swim_core.digests import blake2b
from swim_core.errors import SwimError
from swim_core.events import LeaveOrdered
from swim_core.native.claims.local_member import LocalMember
from swim_core.native.context import NodeContext
from swim_core.native.datagrams.sender import Sender
from swim_core.native.dissemination.broadcasts import Broadcasts
from swim_core.native.joining.joiner import Joiner
from swim_core.native.verbs import Verbs
from swim_core.native.wire.answers import Done, Joined, Spoken
from swim_core.native.wire.queries import Ask, What, unpack_addresses, unpack_letter

from .introduction import Introduction

__all__ = ["ORDERS", "Orders"]

ANSWERS: dict[What, type[Spoken] | type[Joined] | type[Done]] = {
    What.BROADCAST: Spoken,
    What.JOIN: Joined,
    What.PING: Done,
    What.SEND: Done,
    What.REMOVE: Done,
    What.LEAVE: Done,
}
ORDERS = frozenset(ANSWERS)
COOKIE_LIFE = 60.0  # seconds for which cookies are made with one key; the previous key stays valid for as long
MAX_DONE = 256  # requests remembered, so that one that is repeated isn't carried out again
MAX_DETAIL = 300  # bytes of a refusal

Outcome = tuple[int | None, str]
"""What came of an order: a number, as its answer gives it, or None and why it is refused."""
Page = tuple[int | None, bytes]
"""Where the next page begins, and this page."""


class Orders:
    """Carries out what tools order."""

    def __init__(
        self,
        context: NodeContext,
        introduction: Introduction,
        local: LocalMember,
        broadcasts: Broadcasts,
        joiner: Joiner,
        verbs: Verbs,
        secret: bytes,
    ) -> None:
        self._emit = context.emit
        self._introduction = introduction
        self._local = local
        self._broadcasts = broadcasts
        self._joiner = joiner
        self._verbs = verbs
        self._secret = secret
        self._done: dict[tuple[Address, int], tuple[Outcome, float]] = {}
        self._carry_out: dict[What, Callable[[bytes, float], Outcome]] = {
            What.BROADCAST: self._speak,
            What.JOIN: self._take_seeds,
            What.PING: self._ping,
            What.SEND: self._send,
            What.REMOVE: self._remove,
        }

    def obey(self, ask: Ask, sender: Sender, now: float) -> Page | None:
        """Do what is ordered; None for a cookie that this node did not give.

        For a holder of a key that takes two steps: a sender that only replays recordings never has the cookie. The
        first answer gives it as the place where the next page begins, so tools of any release ask again with it.
        """
        if sender.seal is None:
            return self._answer(ask, self._once(ask, sender, now), now)
        if sender.seal.key.reader:
            return self._answer(ask, (None, "a reader's key can only ask"), now)
        minute = int(now // COOKIE_LIFE)
        if ask.cursor in (self._cookie(ask, sender.address, at) for at in (minute, minute - 1)):
            return self._answer(ask, self._once(ask, sender, now), now)
        if ask.cursor:
            return None
        return self._answer(ask, (None, ""), now, self._cookie(ask, sender.address, minute))

    def _answer(self, ask: Ask, outcome: Outcome, now: float, next_: int | None = None) -> Page:
        return next_, msgpack.encode(ANSWERS[ask.what](self._introduction.at(now), *outcome))

    def _cookie(self, ask: Ask, source: Address, minute: int) -> int:
        data = minute.to_bytes(8, "big", signed=True) + bytes((ask.what,)) + pack(source) + ask.argument
        return int.from_bytes(blake2b(data, digest_size=8, key=self._secret, person=b"tool cookie").digest(), "big") | 1

    def _once(self, ask: Ask, sender: Sender, now: float) -> Outcome:
        """Carry it out, unless it is one that is repeated because its answer was lost.

        With keys, requests are remembered for as long as their cookie is valid, and beyond `MAX_DONE` new ones are
        refused. Otherwise a recording might be obeyed.
        """
        if ask.what is What.JOIN:  # done twice, it has no further effect
            return self._try(ask, now)
        key = sender.address, ask.nonce
        outcome, _ = self._done.get(key, (None, now))
        if outcome is None:
            oldest = next(iter(self._done), None)
            if oldest is not None and len(self._done) == MAX_DONE:
                if sender.seal is not None and now - self._done[oldest][1] < 2 * COOKIE_LIFE:
                    return None, "too much was ordered by tools in the last two minutes"
                del self._done[oldest]
            outcome = self._leave(sender) if ask.what is What.LEAVE else self._try(ask, now)
            self._done[key] = outcome, now
        return outcome

    def _try(self, ask: Ask, now: float) -> Outcome:
        try:
            return self._carry_out[ask.what](ask.argument, now)
        except SwimError as error:
            return None, str(error)[:MAX_DETAIL]

    # ------------------------------------------------------------------ each order

    def _speak(self, payload: bytes, now: float) -> Outcome:
        self._broadcasts.check(payload)
        return self._broadcasts.broadcast(payload, now), ""

    def _take_seeds(self, packed: bytes, now: float) -> Outcome:
        if self._local.left:
            return None, "it has left"
        try:
            addresses = unpack_addresses(packed)
        except (ValueError, RecursionError):
            return None, "that is no list of addresses"
        return self._joiner.add(addresses, now), ""

    def _ping(self, name: bytes, now: float) -> Outcome:
        self._verbs.ping(name.decode(errors="replace"), now)
        return 1, ""

    def _send(self, packed: bytes, now: float) -> Outcome:
        try:
            name, payload = unpack_letter(packed)
        except (ValueError, RecursionError):
            return None, "that is no message"
        self._verbs.send(name, payload, now)
        return 1, ""

    def _remove(self, name: bytes, now: float) -> Outcome:
        self._verbs.force_leave(name.decode(errors="replace"), now)
        return 1, ""

    def _leave(self, sender: Sender) -> Outcome:
        """Only the application can end what depends on its membership, so it is asked."""
        if self._local.left:
            return None, "it has left"
        self._emit(LeaveOrdered(sender.address))
        return 1, ""
