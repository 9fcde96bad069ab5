"""A ring of which most is shared by many tables, and a little is a table's own."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

from swim_core.native.table.entry import Entry
from swim_core.native.table.formed_cluster import Order
from swim_core.native.table.ring import Ring

from .copies import Copies

__all__ = ["SharedRing"]


class SharedRing(Ring[Entry]):
    """What a `Ring` would be that began with all of ``order``, and in the memory of what has changed since.

    What came since is what it holds as a `Ring`; of what was there at the start it notes what has gone.

    Args:
        order: what it begins with.
        copies: where the entries of that are.
    """

    __slots__ = ("_copies", "_cut", "_order")

    def __init__(self, order: Order, copies: Copies) -> None:
        super().__init__()
        self._order = order
        self._copies = copies
        self._cut: list[int] = []  # indexes in the order, ascending, of what has gone

    def __len__(self) -> int:
        return len(self._order.places) - len(self._cut) + len(self._items)

    def __iter__(self) -> Iterator[Entry]:
        return map(self.__getitem__, range(len(self)))

    def __getitem__(self, index: int) -> Entry:
        if not self._cut and not self._items:
            return self._copies[self._order.places[index % len(self._order.places)]]
        index %= len(self)
        before = bisect_left(range(len(self._items)), index, key=self._index_of_own)
        if before < len(self._items) and self._index_of_own(before) == index:
            return self._items[before]
        index -= before
        index += bisect_right(range(len(self._cut)), index, key=self._left_before)
        return self._copies[self._order.places[index]]

    def _index_of_own(self, number: int) -> int:
        """Where one stands that came since: what shares its position and was there before comes after it."""
        return self._left(bisect_left(self._order.positions, self._keys[number])) + number

    def _left_before(self, number: int) -> int:
        """How many that are left stand before one that has gone."""
        return self._cut[number] - number

    def _left(self, index: int) -> int:
        """How many are left of so many first ones of the order."""
        return index - bisect_left(self._cut, index)

    def remove(self, key: int, item: Entry) -> None:
        positions, places = self._order.positions, self._order.places
        for index in range(bisect_left(positions, key), bisect_right(positions, key)):
            if self._copies.get(places[index]) is item and self._left(index) != self._left(index + 1):
                insort(self._cut, index)
                return
        super().remove(key, item)

    def index(self, key: int) -> int:
        return self._left(bisect_left(self._order.positions, key)) + bisect_left(self._keys, key)

    def after(self, key: int) -> Iterator[Entry]:
        start = self.index(key + 1)
        return map(self.__getitem__, range(start, start + len(self)))

    def before(self, key: int) -> Iterator[Entry]:
        start = self.index(key) - 1
        return map(self.__getitem__, range(start, start - len(self), -1))

    def between(self, low: int, high: int) -> list[Entry]:
        return [self[index] for index in range(self.index(low), self.index(high))]
