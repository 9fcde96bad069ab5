"""The items that wait to be told, and the choice of those that ride in a datagram's remaining room."""

from typing import Any

import msgspec
from msgspec import Raw

from swim_core.native.wire.claim import Claim
from swim_core.native.wire.datagram import encode_item

__all__ = ["GossipQueue", "Piggyback"]

BUSY = 256  # items waiting here, and so probably at others: what hasn't arrived is more likely late than lost


class Piggyback(msgspec.Struct):
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

    def with_numbers(self, numbers: list[Raw]) -> "Piggyback":
        """These items, with these numbers."""
        return Piggyback(self.claims, numbers, self.broadcasts)


class GossipQueue:
    """Items still to be told, oldest first; a newer claim about a name takes the older one's place.

    Args:
        largest: the largest item, in bytes, that a datagram can hold.
    """

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._claims: dict[str, Raw] = {}
        self._broadcasts: dict[tuple[int, int], Raw] = {}
        self._own: dict[tuple[int, int], None] = {}  # those of this node, some of which no longer wait
        self.any = False
        """Whether there are any items. A plain attribute, since every datagram in or out asks."""

    def __len__(self) -> int:
        return len(self._claims) + len(self._broadcasts)

    @property
    def busy(self) -> bool:
        """Whether so many items wait that floods are slow."""
        return len(self) > BUSY

    @property
    def has_own(self) -> bool:
        """Whether broadcasts of this node are waiting."""
        while self._own:
            key = next(iter(self._own))
            if key in self._broadcasts:
                return True
            del self._own[key]
        return False

    @property
    def relayed_only(self) -> int | None:
        """The run whose broadcast has waited longest, if only broadcasts of others wait; else None."""
        return None if self._claims or not self._broadcasts or self.has_own else next(iter(self._broadcasts))[0]

    def claim(self, claim: Claim) -> None:
        """Tell this claim."""
        self._claims[claim.name] = encode_item(claim)
        self.any = True

    def broadcast(self, origin: int, number: int, encoded: Raw, *, own: bool = False) -> None:
        """Tell an encoded broadcast, of this node or of another."""
        self._broadcasts[origin, number] = encoded
        if own:
            self._own[origin, number] = None
        self.any = True

    @property
    def has_broadcasts(self) -> bool:
        """Whether any of them is of an application."""
        return bool(self._broadcasts)

    def clear(self) -> None:
        """Drop everything."""
        self._claims.clear()
        self._broadcasts.clear()
        self._own.clear()
        self.any = False

    def peek(self, room: int) -> Piggyback:
        """Items for ``room`` bytes, left in place."""
        return self._choose(room, take=False)

    def take(self, room: int) -> Piggyback:
        """Items for ``room`` bytes, taken out; one item that alone is larger comes alone."""
        riding = self._choose(room, take=True) or self._choose(self._largest, take=True)
        self.any = len(self) > 0
        return riding

    def _choose(self, room: int, take: bool) -> Piggyback:
        """The oldest claim and the oldest broadcast by turns, so that neither starves."""
        riding = Piggyback()
        kinds: tuple[tuple[dict[Any, Raw], list[Raw]], ...] = (
            (self._claims, riding.claims),
            (self._broadcasts, riding.broadcasts),
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
        return riding


class _Turn:
    """One kind of item, in the order of arrival, from which items move into a datagram."""

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
