"""A ring most of which is shared by many tables, with a few changes of one table's own."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator
from operator import itemgetter

from swim_core.native.table.entry import Entry
from swim_core.native.table.formed_cluster import Order
from swim_core.native.table.ring import Ring

from .copies import Copies

__all__ = ["SharedRing"]


class SharedRing(Ring[Entry]):
    """Behaves like a `Ring` that began with all of ``order``, but takes only the memory of what has changed since.

    As a `Ring` it holds the entries that were added. It also notes which of the first ones were removed.

    Args:
        order: what it begins with.
        copies: the entries of ``order``.
    """

    __slots__ = ("_copies", "_cut", "_order")

    def __init__(self, order: Order, copies: Copies) -> None:
        super().__init__()
        self._order = order
        self._copies = copies
        self._cut: list[int] = []  # of those removed: their indexes in the order, ascending

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
        """The index of an added entry. A first one at the same position comes after it."""
        return self._left(bisect_left(self._order.positions, self._keys[number])) + number

    def _left_before(self, number: int) -> int:
        """How many of those left are before a removed one."""
        return self._cut[number] - number

    def _left(self, index: int) -> int:
        """How many of the first ``count`` in the order are left."""
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
        positions, places = self._order.positions, self._order.places
        first, last = bisect_left(positions, low), bisect_left(positions, high)
        cut = set(self._cut[bisect_left(self._cut, first) : bisect_left(self._cut, last)])
        left = [index for index in range(first, last) if index not in cut]
        begin, end = bisect_left(self._keys, low), bisect_left(self._keys, high)
        if begin == end:
            return [self._copies[places[index]] for index in left]
        found = list(zip(self._keys[begin:end], self._items[begin:end], strict=True))
        found += [(positions[index], self._copies[places[index]]) for index in left]
        return [entry for _, entry in sorted(found, key=itemgetter(0))]  # at one position, added ones come first
