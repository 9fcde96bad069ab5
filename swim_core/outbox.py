"""What waits to be told, and the making of datagrams: one message, and in the room left what else must be said."""

from collections import deque
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import msgspec
from msgspec import Raw

from .address import Address
from .member import State
from .native.table.member_table import Entry
from .native.wire.claim import Claim
from .native.wire.datagram import NIL, OVERHEAD, Flags, encode_item, pack
from .native.wire.messages import MAX_DATAGRAM, Announce, Join, Message, Number, Tell
from .protocol import Datagram
from .sender import Sender
from .statistics import Counters

__all__ = ["Load", "Outbox", "Pending"]

_UNSEEN = (Announce, Tell)  # what shows no member this node's claim
_datagram = partial(tuple.__new__, Datagram)  # from a pair, in one step less than by name


class Load(msgspec.Struct):
    """Encoded items for the room of one datagram."""

    claims: list[Raw] = msgspec.field(default_factory=list)
    numbers: list[Raw] = msgspec.field(default_factory=list)
    broadcasts: list[Raw] = msgspec.field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.claims or self.numbers or self.broadcasts)

    @property
    def size(self) -> int:
        """Bytes of all items."""
        return sum(map(len, self.claims)) + sum(map(len, self.numbers)) + sum(map(len, self.broadcasts))


class Pending:
    """Items that still have to be told, oldest first; a newer claim about a name takes the older one's place."""

    def __init__(self) -> None:
        self._claims: dict[str, Raw] = {}
        self._numbers: dict[int, Raw] = {}
        self._broadcasts: dict[tuple[int, int], Raw] = {}
        self.any = False
        """Whether there are any: a plain attribute, since every datagram in or out asks."""

    def __len__(self) -> int:
        return len(self._claims) + len(self._numbers) + len(self._broadcasts)

    def claim(self, claim: Claim) -> None:
        """Tell this claim."""
        self._claims[claim.name] = encode_item(claim)
        self.any = True

    def number(self, origin: int, highest: int) -> None:
        """Tell the highest broadcast number of an origin."""
        self._numbers[origin] = encode_item(Number(origin, highest))
        self.any = True

    def broadcast(self, origin: int, number: int, encoded: Raw) -> None:
        """Tell an encoded broadcast."""
        self._broadcasts[origin, number] = encoded
        self.any = True

    def clear(self) -> None:
        """Tell nothing after all."""
        self._claims.clear()
        self._numbers.clear()
        self._broadcasts.clear()
        self.any = False

    def peek(self, room: int) -> Load:
        """Items for ``room`` bytes, left in place."""
        return self._choose(room, take=False)

    def take(self, room: int) -> Load:
        """Items for ``room`` bytes, taken out; one item that alone is larger comes alone."""
        load = self._choose(room, take=True) or self._choose(MAX_DATAGRAM - OVERHEAD, take=True)
        self.any = len(self) > 0
        return load

    def _choose(self, room: int, take: bool) -> Load:
        """The oldest claim, the oldest broadcast and the oldest number by turns, so that none starves."""
        load = Load()
        kinds: tuple[tuple[dict[Any, Raw], list[Raw]], ...] = (
            (self._claims, load.claims),
            (self._broadcasts, load.broadcasts),
            (self._numbers, load.numbers),
        )
        turns = [_Turn(items, chosen) for items, chosen in kinds if items]
        while turns:
            for turn in tuple(turns):
                size = turn.next(room)
                room -= size
                if not size:
                    turns.remove(turn)
                    if take:
                        turn.remove_chosen()
        return load


class _Turn:
    """One kind of item, in the order of its coming, moving into a load."""

    def __init__(self, items: dict[Any, Raw], chosen: list[Raw]) -> None:
        self._items = items
        self._queue = iter(items.items())
        self._chosen = chosen
        self._keys: list[Any] = []

    def next(self, room: int) -> int:
        """Move the next item if it fits; returns its size, 0 if none was moved."""
        for key, item in self._queue:
            if len(item) > room:
                return 0
            self._keys.append(key)
            self._chosen.append(item)
            return len(item)
        return 0

    def remove_chosen(self) -> None:
        for key in self._keys:
            del self._items[key]


class Outbox:
    """Datagrams on their way out. Every one is made in `send`."""

    def __init__(
        self,
        label: int,
        max_datagram: int,
        pending: Pending,
        counters: Counters,
        flags: Callable[[float], int],
    ) -> None:
        self._limit = max_datagram
        self._label = label
        self._pending = pending
        self._counters = counters
        self._flags = flags
        self.queue: deque[Datagram] = deque()
        """Made, and not fetched yet; the oldest first."""
        self.sender = 0
        """This node's short id."""
        self.muted = False
        """Superseded: say nothing to members but JOIN."""
        self.spoken = False
        """Whether anything has left that may have shown this node's claim: to members: all but announcements, answers
        to tools and first JOINs."""

    @property
    def room(self) -> int:
        """Bytes for items in a datagram without a message."""
        return self._limit - OVERHEAD - len(NIL)

    def send(
        self,
        message: Message | None,
        to: Entry | Address,
        now: float,
        *,
        load: Load | None = None,
        limit: int | None = None,
        correction: bool = False,
    ) -> bytes | None:
        """Queue one datagram.

        Args:
            message: what it is about, or None.
            to: a member, which is then told what is claimed about it unless it is ALIVE, and, if it is
                live and no ``load`` is given, what is pending; or a bare address.
            now: seconds.
            load: items to put in.
            limit: the most bytes it may have; without it, items given in ``load`` may exceed
                ``max_datagram``, as a relay of somebody else's large broadcast must.
            correction: flag it so that it is answered by no correction.

        Returns:
            The datagram; None if nothing may be said, or not in so few bytes.
        """
        if self.muted and type(message) is not Join and type(message) is not Tell:
            return None
        body: Message | Raw | None = message
        if isinstance(to, Entry):
            if self._pending.any or to.claim.state is not State.ALIVE:
                body = NIL if message is None else encode_item(message)  # once, since its size is asked for
                most = self._limit if limit is None else min(limit, self._limit)
                load = self._ride(to, load, most - OVERHEAD - len(body))
            to = to.address
        flags = self._flags(now) | (Flags.CORRECTION if correction else 0)
        if load:
            data = pack(self._label, flags, self.sender, body, load.claims, load.numbers, load.broadcasts)
        else:
            data = pack(self._label, flags, self.sender, body)
        if limit is not None and len(data) > limit:
            return None
        if type(message) not in _UNSEEN and (type(message) is not Join or message.claim is not None):
            self.spoken = True
        self._counters.sent[type(message)].add(len(data))
        self.queue.append(_datagram((data, to)))
        return data

    def spread(self, load: Load, targets: Iterable[Entry], now: float) -> None:
        """Queue the same items for each of ``targets``: one datagram made once, save for who is accused itself."""
        made: bytes | None = None
        for to in targets:
            if made is None or to.claim.state is not State.ALIVE:
                data = self.send(None, to, now, load=load)
                made = data if to.claim.state is State.ALIVE else made
            else:
                self._counters.sent[type(None)].add(len(made))
                self.queue.append(_datagram((made, to.address)))

    def reply(
        self,
        message: Message | None,
        sender: Sender,
        now: float,
        *,
        load: Load | None = None,
        correction: bool = False,
    ) -> bool:
        """Answer a datagram within the sender's budget; returns False if that did not allow it.

        A proven member is told in passing what is claimed about it, unless this is a correction.
        """
        to = sender.address if correction else sender.proven or sender.address
        data = self.send(message, to, now, load=load, limit=sender.budget, correction=correction)
        if data is not None and sender.budget is not None:
            sender.budget -= len(data)
        return data is not None

    def _ride(self, to: Entry, load: Load | None, room: int) -> Load | None:
        if load is None and to.live and self._pending.any:
            load = self._pending.peek(room)
        if to.claim.state is not State.ALIVE:
            accusation = encode_item(to.claim)
            if load is None:
                load = Load()
            if accusation not in load.claims and len(accusation) <= room - load.size:  # the load is others' too
                load = Load([accusation, *load.claims], load.numbers, load.broadcasts)
        return load
