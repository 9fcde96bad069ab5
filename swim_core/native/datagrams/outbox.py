"""Makes datagrams: one message each, and in the remaining room whatever else must be told."""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import accumulate
from typing import TYPE_CHECKING

from msgspec import Raw

from swim_core.address import Address
from swim_core.counters import Counters
from swim_core.member import State
from swim_core.native.sealing.header import OVERHEAD
from swim_core.native.table.entry import Entry
from swim_core.native.table.view_digest import STABLE, ViewDigest
from swim_core.native.wire.datagram import MAX_FURTHER, NIL, Codec, Flags, encode_item
from swim_core.native.wire.messages import Further, Join, Message, Tell
from swim_core.native.wire.traits import REMINDING, UNBOUND, shows_own_claim
from swim_core.protocol import Datagram
from swim_core.shared.local_health import LocalHealth
from swim_core.shared.rate_limit import RateLimit

from .gossip_queue import GossipQueue, Piggyback
from .path_sizes import SMALLER, PathSizes
from .reminders import Reminders
from .sender import Sender

if TYPE_CHECKING:  # only with keys
    from swim_core.native.sealing.ring import RingKey

__all__ = ["Outbox"]

SLOW = (
    3.0  # seconds, at most, that floods take while much waits; if they would take more, a member refuses to broadcast
)
FURTHER_SIZE = 3  # bytes, at most, of the header of one more list
# Datagrams a second, and at once, on which pending items ride. Pushes carry the news; in a mass join each of thousands
# of acks would be filled up with it.
RIDES, RIDES_AT_ONCE = 100, 16
_NO_ITEMS = Piggyback()
_datagram = partial(tuple.__new__, Datagram)  # from a pair, in one step less than by name


class Outbox:
    """Datagrams on their way out."""

    def __init__(
        self,
        codec: Codec,
        paths: PathSizes,
        gossip: GossipQueue,
        reminders: Reminders,
        counters: Counters,
        view_digest: ViewDigest,
        health: LocalHealth,
    ) -> None:
        self._limit = paths.limit
        self._paths = paths
        self._codec = codec
        self._pack = codec.pack
        self._sealed = codec.seal is not None
        self.bare = codec.bare
        """The bytes, at most, that a datagram takes besides its message."""
        self._gossip = gossip
        self._reminders = reminders
        self._counters = counters
        self._view_digest = view_digest
        self._health = health
        self._rides = RateLimit(RIDES, RIDES_AT_ONCE)
        self.queue: deque[Datagram] = deque()
        """Made, and not fetched yet; the oldest first."""
        self.sender = 0
        """This node's short id."""
        self.muted = False
        """Set while superseded: members are sent nothing but JOIN."""
        self.spoken = False
        """Whether anything was sent that may have shown this node's claim to a member: anything but announcements,
        answers to tools and first JOINs."""

    def room(self, targets: Iterable[Entry] = ()) -> int:
        """The bytes for items in a datagram without a message, of a size that gets through to each of ``targets``."""
        limit = self._limit
        if self._paths:
            limit = min((self._paths.size(to.address) for to in targets), default=limit)
        return limit - self._codec.overhead - len(NIL)

    def send(
        self,
        message: Message | None,
        to: Entry | Address,
        now: float,
        *,
        riding: Piggyback | None = None,
        limit: int | None = None,
        correction: bool = False,
        peer: int = 0,
        key: "RingKey | None" = None,
    ) -> bytes | None:
        """Queue one datagram.

        Args:
            message: the message, or None.
            to: a member, which is told more in the remaining room (see `_fill`), or a bare address.
            now: seconds.
            riding: items to put in.
            limit: the most bytes that the datagram may have. Without it, items given in ``riding`` may exceed
                ``max_datagram``, which the relay of somebody else's large broadcast must.
            correction: flag it, so that no correction answers it.
            peer: short id of the receiving run, if that isn't the member ``to``.
            key: the key to seal with if nothing better is known of that run.

        Returns:
            The datagram; None if nothing may be said, or not in so few bytes.
        """
        if self.muted and type(message) is not Join and type(message) is not Tell:
            return None
        body: Message | Raw | None = message
        if isinstance(to, Entry):
            peer = peer or to.short_id
            if self._gossip.any or self._reminders.any or to.claim.state is not State.ALIVE:
                body, riding = self._fill(message, to, now, riding, limit)
            to = to.address
        flags = self._flags(now) | (Flags.CORRECTION if correction else 0)
        if self._sealed:
            items = riding or _NO_ITEMS
            lists = items.claims, items.numbers, items.broadcasts
            bound = bool(peer) and type(message) not in UNBOUND
            data = self._pack(flags, self.sender, body, *lists, peer=peer, key=key, bound=bound, now=now)
        elif riding:
            data = self._pack(flags, self.sender, body, riding.claims, riding.numbers, riding.broadcasts)
        else:
            data = self._pack(flags, self.sender, body)
        if limit is not None and len(data) > limit:
            return None
        if not self.spoken:
            self.spoken = shows_own_claim(message)
        self._counters.sent[type(message)].add(len(data))
        self.queue.append(_datagram((data, to)))
        return data

    def send_several(self, messages: Sequence[Further], to: Entry, now: float) -> int:
        """Queue one datagram with as many of ``messages`` as fit, from the first on; returns how many."""
        encoded = [encode_item(message) for message in messages[: 1 + MAX_FURTHER]]
        room = self.room([to]) - FURTHER_SIZE
        count = max(1, bisect_right(list(accumulate(map(len, encoded))), room))
        if count == 1:
            self.send(messages[0], to, now)
        elif not self.muted:
            riding = self._piggyback(to, None, room - sum(map(len, encoded[:count])), now) or Piggyback()
            lists = riding.claims, riding.numbers, riding.broadcasts, encoded[1:count]
            flags, peer = self._flags(now), to.short_id
            data = self._pack(flags, self.sender, encoded[0], *lists, peer=peer, bound=True, now=now)
            self.spoken = True
            self._counters.sent[type(messages[0])].add(len(data))
            self.queue.append(_datagram((data, to.address)))
        return count

    def spread(self, riding: Piggyback, targets: Iterable[Entry], now: float) -> None:
        """Queue the same items for each of ``targets``: encoded once, except for targets that are accused themselves.

        With keys, each is sealed for its receiver.
        """
        if self.muted:
            return
        pack: Callable[[int], bytes] | None = None
        count, queue = self._counters.sent[type(None)].add, self.queue.append
        for to in targets:
            if to.claim.state is not State.ALIVE:
                self.send(None, to, now, riding=riding)
                continue
            if pack is None:
                lists = riding.claims, riding.numbers, riding.broadcasts
                pack = self._codec.pack_for_each(self._flags(now), self.sender, *lists, now=now)
                self.spoken = True
            data = pack(to.short_id)
            count(len(data))
            queue(_datagram((data, to.address)))

    def reply(
        self,
        message: Message | None,
        sender: Sender,
        now: float,
        *,
        riding: Piggyback | None = None,
        correction: bool = False,
    ) -> bool:
        """Answer a datagram; returns False if the sender's budget doesn't allow it.

        A proven member is told in passing what is claimed about it, unless this is a correction.
        """
        to = sender.address if correction else sender.proven or sender.address
        key = None if sender.seal is None else sender.seal.key
        data = self.send(
            message,
            to,
            now,
            riding=riding,
            limit=sender.budget,
            correction=correction,
            peer=sender.short_id,
            key=key,
        )
        if data is not None and sender.budget is not None:
            seal = sender.seal
            genuine = seal is not None and seal.known and sender.proven is not None
            sender.budget -= len(data) - (OVERHEAD if genuine else 0)  # it is told as much as it would be without seals
        return data is not None

    def _flags(self, now: float) -> int:
        stable = Flags.STABLE if now - self._view_digest.since >= STABLE else 0
        return stable | Flags.DEAF if self._health.deaf else stable

    def _fill(
        self, message: Message | None, to: Entry, now: float, riding: Piggyback | None, limit: int | None
    ) -> tuple[Raw, Piggyback | None]:
        """The message, encoded, and what else ``to`` is told: what is claimed about it, unless it is ALIVE.

        If it is live and no ``riding`` is given, pending items ride along, and on pings and acks also the numbers of
        broadcasts, except for those that may still be on their way and would seem to be lost. Numbers take precedence
        over pending items, which are pushed soon in any case, but not over what is claimed of the receiver. Every path
        must let them pass: they ride for a minute, and a member whose pings are swallowed looks dead.
        """
        body = NIL if message is None else encode_item(message)  # once, since its size is needed
        passing = self._paths.size(to.address) if self._paths else self._limit
        most = passing if limit is None else min(limit, passing)
        room = most - self._codec.overhead - len(body)
        if not (self._reminders.any and not riding and to.live and type(message) in REMINDING):
            return body, self._piggyback(to, riding, room, now)
        gossip = self._gossip
        accusation = 0 if to.claim.state is State.ALIVE else len(encode_item(to.claim))
        numbers = self._reminders.choose(
            room - accusation - max(0, most - SMALLER[-1]),
            now,
            age=SLOW if gossip.busy else 0.0,
            besides=self.sender if gossip.has_own else None,
        )
        riding = self._piggyback(to, riding, room - sum(map(len, numbers)), now)
        if numbers:
            riding = Piggyback(numbers=numbers) if riding is None else riding.with_numbers(numbers)
        return body, riding

    def _piggyback(self, to: Entry, riding: Piggyback | None, room: int, now: float) -> Piggyback | None:
        if riding is None and to.live and self._gossip.any and self._rides.allow(now):
            riding = self._gossip.peek(room)
        if to.claim.state is not State.ALIVE:
            accusation = encode_item(to.claim)
            if riding is None:
                riding = Piggyback()
            if (
                accusation not in riding.claims and len(accusation) <= room - riding.size
            ):  # the items are shared with other targets
                riding = Piggyback([accusation, *riding.claims], riding.numbers, riding.broadcasts)
        return riding


def chunks(items: list[Raw], room: int) -> Iterator[list[Raw]]:
    """The items in portions of at most ``room`` bytes, each with at least one item."""
    portion: list[Raw] = []
    size = 0
    for item in items:
        if portion and size + len(item) > room:
            yield portion
            portion, size = [], 0
        portion.append(item)
        size += len(item)
    if portion:
        yield portion
