"""The items that wait to be told, and the choice of those that ride in a datagram's remaining room."""

from collections.abc import Callable
from itertools import accumulate
from typing import Any

import msgspec
from msgspec import Raw

from swim_core.native.wire.claim import Claim
from swim_core.native.wire.datagram import encode_item

__all__ = ["GossipQueue", "Piggyback"]

_Kinds = tuple[dict[Any, Raw], ...]
_Fit = Callable[[int], bool]

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
        self._own: dict[tuple[int, int], Raw] = {}  # broadcasts of this node, by origin and number
        self._relayed: dict[tuple[int, int], Raw] = {}  # and of others
        self._kinds = (self._claims, self._own, self._relayed)
        self.any = False
        """Whether there are any items. A plain attribute, since every datagram in or out asks."""

    def __len__(self) -> int:
        return len(self._claims) + len(self._own) + len(self._relayed)

    @property
    def busy(self) -> bool:
        """Whether so many items wait that floods are slow."""
        return len(self) > BUSY

    @property
    def has_own(self) -> bool:
        """Whether broadcasts of this node are among them."""
        return bool(self._own)

    @property
    def has_relayed(self) -> bool:
        """Whether broadcasts of others are among them."""
        return bool(self._relayed)

    @property
    def relays_only(self) -> bool:
        """Whether broadcasts of others are all there is."""
        return not self._claims and not self._own

    def fits(self, room: int) -> bool:
        """Whether all items together fit into this many bytes."""
        sizes = accumulate(len(item) for kind in (self._claims, self._own, self._relayed) for item in kind.values())
        return not any(size > room for size in sizes)

    def claim(self, claim: Claim) -> None:
        """Tell this claim."""
        self._claims[claim.name] = encode_item(claim)
        self.any = True

    def broadcast(self, origin: int, number: int, encoded: Raw, *, own: bool = False) -> None:
        """Tell an encoded broadcast, of this node or of another."""
        (self._own if own else self._relayed)[origin, number] = encoded
        self.any = True

    @property
    def has_broadcasts(self) -> bool:
        """Whether there are broadcasts, of this node or of others."""
        return bool(self._own or self._relayed)

    def clear(self) -> None:
        """Drop everything."""
        self._claims.clear()
        self._own.clear()
        self._relayed.clear()
        self.any = False

    def peek(self, room: int) -> Piggyback:
        """Items for ``room`` bytes, left in place."""
        return self._choose(room, self._kinds, take=False)

    def take(self, room: int) -> Piggyback:
        """Items for ``room`` bytes, taken out; one item that alone is larger comes alone."""
        return self._take(room, self._kinds)

    def take_but_relayed(self, room: int) -> Piggyback:
        """As `take`, but only claims and this node's own broadcasts."""
        return self._take(room, (self._claims, self._own))

    def take_relayed(self, room: int, fit: _Fit) -> Piggyback:
        """As `take`, but only broadcasts of others whose origin, by short id, is ``fit``."""
        return self._take(room, (self._relayed,), fit)

    def _take(self, room: int, kinds: _Kinds, fit: _Fit | None = None) -> Piggyback:
        riding = self._choose(room, kinds, fit, take=True) or self._choose(self._largest, kinds, fit, take=True)
        self.any = bool(self._claims or self._own or self._relayed)
        return riding

    def _choose(self, room: int, kinds: _Kinds, fit: _Fit | None = None, *, take: bool) -> Piggyback:
        """The oldest of each kind in turn, so that none starves."""
        riding = Piggyback()
        turns = [_Turn(items, fit) for items in kinds if items]
        while turns:
            for turn in tuple(turns):
                size = turn.next(room)
                room -= size
                if not size:
                    turns.remove(turn)
                    (riding.claims if turn.items is self._claims else riding.broadcasts).extend(turn.chosen)
                    if take:
                        turn.remove_chosen()
        return riding


class _Turn:
    """One kind of item, or those of ``fit`` origins, in the order of arrival, from which items move into a datagram."""

    def __init__(self, items: dict[Any, Raw], fit: _Fit | None) -> None:
        self.items = items
        self.chosen: list[Raw] = []
        self._queue = iter(items if fit is None else [key for key in items if fit(key[0])])
        self._keys: list[Any] = []

    def next(self, room: int) -> int:
        """Move the next item if it fits; returns its size, 0 if none was moved."""
        for key in self._queue:
            item = self.items[key]
            if len(item) > room:
                return 0
            self._keys.append(key)
            self.chosen.append(item)
            return len(item)
        return 0

    def remove_chosen(self) -> None:
        for key in self._keys:
            del self.items[key]
