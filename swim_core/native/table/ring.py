"""Members in the order of a hash, as a circle."""

from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

__all__ = ["Ring"]

T = TypeVar("T")


class Ring(Generic[T]):
    """Items at 64-bit positions on a circle; finding one's place costs O(log n).

    Args:
        keys: ascending positions of the items that it begins with.
        items: those items.
    """

    __slots__ = ("_items", "_keys")

    def __init__(self, keys: Iterable[int] = (), items: Iterable[T] = ()) -> None:
        self._keys = array("Q", keys)  # takes an eighth of the memory of a list of such numbers
        self._items = list(items)

    def __len__(self) -> int:
        return len(self._keys)

    def __iter__(self) -> Iterator[T]:
        return iter(self._items)

    def __getitem__(self, index: int) -> T:
        """The item at a place in the order; any integer will do, since the circle goes round."""
        return self._items[index % len(self._items)]

    def add(self, key: int, item: T) -> None:
        """Put an item at a position; items at one position are in the order in which they came."""
        index = bisect_left(self._keys, key)
        self._keys.insert(index, key)
        self._items.insert(index, item)

    def remove(self, key: int, item: T) -> None:
        """Take an item away.

        Raises:
            KeyError: if it is not there.
        """
        for index in range(bisect_left(self._keys, key), len(self._keys)):
            if self._keys[index] != key:
                break
            if self._items[index] is item:
                del self._keys[index], self._items[index]
                return
        raise KeyError(key)

    def index(self, key: int) -> int:
        """The place of the first item at ``key`` or after it; the length of the ring if there is none."""
        return bisect_left(self._keys, key)

    def after(self, key: int) -> Iterator[T]:
        """All items, once round, beginning with the first one after ``key``."""
        start, size = bisect_left(self._keys, key + 1), len(self._items)
        for index in range(start, start + size):
            yield self._items[index % size]

    def before(self, key: int) -> Iterator[T]:
        """All items, once round in reverse order, beginning with the last one before ``key``."""
        start, size = bisect_left(self._keys, key) - 1, len(self._items)
        for index in range(start, start - size, -1):
            yield self._items[index % size]

    def between(self, low: int, high: int) -> list[T]:
        """The items with low <= position < high, in order."""
        return self._items[bisect_left(self._keys, low) : bisect_left(self._keys, high)]
