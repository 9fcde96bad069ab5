"""What a watch says to other members (PING_REQ, POLL, VOTE): at once, or several to a datagram where there is much.

Of few survivors of many, each watches all the others, asks the same few helpers about each, and is asked by them.
One by one that would be thousands of datagrams a second, and would hit just when the network is ill.
"""

from msgspec import Struct
from msgspec.structs import replace

from swim_core.native.context import NodeContext
from swim_core.native.table.entry import Entry
from swim_core.native.wire.messages import Further, PingReq, Poll, Vote
from swim_core.shared.rate_limit import RateLimit

from .under_watch import UnderWatch

__all__ = ["Letters"]

PER_SECOND = 40  # datagrams in the long run: with pings, turns and floods they stay below 200 in any second
BURST = 25  # and at once: all that the few watches of good times ever need
TICK = 0.001  # seconds: the least until the next look


class _Letter(Struct):
    """What waits to be said to one member, by kind and subject: what is newer takes the place of what is older."""

    to: Entry
    short_id: int
    messages: dict[tuple[type, object], Further]


class Letters:
    """Sends the messages of watches within one budget, and what can't go at once together, a member in turn.

    Those who were heard lately, and those who may be gone as well, have every other turn: the few who answer must not
    wait until all who don't were asked.
    """

    def __init__(self, context: NodeContext, under_watch: UnderWatch) -> None:
        self._lately = context.config.stall_tolerance
        self._timers = context.timers
        self._outbox = context.outbox
        self._under_watch = under_watch
        self._rate = RateLimit(PER_SECOND, BURST)
        self._queues: tuple[dict[int, _Letter], dict[int, _Letter]] = {}, {}  # to those heard lately, and to others
        self._turn = 0
        self._scheduled = False

    def send(self, message: Further, to: Entry, now: float) -> None:
        """Say something to a member, now or soon."""
        if not self._scheduled and self._rate.allow(now):
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
            message = replace(message, nonce=before.nonce)  # it answers the poll that came before as well
        letter.messages[key] = message
        self._schedule(now)

    def clear(self) -> None:
        """Say nothing of it after all."""
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
        taken = self._outbox.send_several(list(letter.messages.values()), letter.to, now)
        if taken < len(letter.messages):
            letter.messages = dict(list(letter.messages.items())[taken:])
            queue[letter.short_id] = letter


def _abridged(message: Further) -> tuple[tuple[type, object], Further]:
    """What a message is about, and the message without what only takes room: helpers look up the member themselves."""
    if isinstance(message, PingReq):
        claim = message.claim
        return (PingReq, claim.name), PingReq(message.seq, replace(claim, metadata=b"")) if claim.metadata else message
    return (Poll if isinstance(message, Poll) else Vote, message.subject), message
