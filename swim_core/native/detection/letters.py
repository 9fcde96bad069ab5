"""The messages of watches to other members (PING_REQ, POLL, VOTE): sent at once, or several in a datagram if there are
many.

When few members survive many, each watches all the dead, asks the same few helpers about each, and is asked by them. In
single datagrams that would be thousands a second, at the very time when the network is in trouble.
"""

from msgspec import Struct
from msgspec.structs import replace

from swim_core.native.context import NodeContext
from swim_core.native.table.entry import Entry
from swim_core.native.wire.messages import Further, PingReq, Poll, Vote
from swim_core.shared.rate_limit import RateLimit

from .under_watch import UnderWatch

__all__ = ["Letters"]

PER_SECOND = 40  # datagrams a second in the long run: with pings, turns and floods a node stays below 200 in any second
BURST = 20  # datagrams at once: enough for the few watches of normal times
TICK = 0.001  # seconds: the least until the next look


class _Letter(Struct):
    """The messages waiting for one member, by kind and subject: a newer one replaces an older one."""

    to: Entry
    short_id: int
    messages: dict[tuple[type, object], Further]


class Letters:
    """Sends the messages of watches within one budget. Those that can't go at once are sent together, to one member
    after the other.

    Members that were heard lately and members that may be gone as well take alternate turns: the few that answer must
    not wait until all that don't have been asked.
    """

    def __init__(self, context: NodeContext, under_watch: UnderWatch) -> None:
        self._lately = context.config.stall_tolerance
        self._timers = context.timers
        self._outbox = context.outbox
        self._trouble = context.trouble
        self._under_watch = under_watch
        self._rate = RateLimit(PER_SECOND, BURST)
        self._queues: tuple[dict[int, _Letter], dict[int, _Letter]] = {}, {}  # to members heard lately, and to others
        self._turn = 0
        self._scheduled = False

    def send(self, message: Further, to: Entry, now: float) -> None:
        """Send a message to a member, now or soon."""
        if not self._scheduled and self._rate.allow(now):
            self._trouble.spend(now)
            self._outbox.send(message, to, now)
            return
        heard, others = self._queues
        letter = heard.get(to.short_id) or others.get(to.short_id)
        if letter is None:
            letter = _Letter(to, to.short_id, {})
            lately = to.heard is not None and now - to.heard < self._lately
            (heard if lately else others)[to.short_id] = letter
        key, message = _abridged(message)
        before = letter.messages.get(key)
        if isinstance(before, Vote) and isinstance(message, Vote) and not message.nonce:
            message = replace(message, nonce=before.nonce)  # it also answers the poll before
        letter.messages[key] = message
        self._schedule(now)

    def clear(self) -> None:
        """Drop messages about a subject."""
        for queue in self._queues:
            queue.clear()

    def _schedule(self, now: float) -> None:
        if not self._scheduled and any(self._queues):
            self._scheduled = True
            self._timers.at(now + max(self._rate.wait(now), TICK), self._deliver)

    def _deliver(self, now: float) -> None:
        self._scheduled = False
        while any(self._queues) and self._rate.wait(now) <= 0:
            queue = self._queues[self._turn] or self._queues[1 - self._turn]
            self._turn = 1 - self._turn
            self._deliver_one(queue.pop(next(iter(queue))), queue, now)
        self._schedule(now)

    def _deliver_one(self, letter: _Letter, queue: dict[int, _Letter], now: float) -> None:
        if letter.to.short_id != letter.short_id or not self._under_watch.hears(letter.to):
            return
        self._rate.allow(now)
        self._trouble.spend(now)
        taken = self._outbox.send_several(list(letter.messages.values()), letter.to, now)
        if taken < len(letter.messages):
            letter.messages = dict(list(letter.messages.items())[taken:])
            queue[letter.short_id] = letter


def _abridged(message: Further) -> tuple[tuple[type, object], Further]:
    """The subject of a message, and the message without what only takes room: helpers look up the member themselves."""
    if isinstance(message, PingReq):
        claim = message.claim
        return (PingReq, claim.name), PingReq(message.seq, replace(claim, metadata=b"")) if claim.metadata else message
    return (Poll if isinstance(message, Poll) else Vote, message.subject), message
