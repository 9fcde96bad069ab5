"""Entries that many tables share, until one of the tables has contact with the member."""

from collections.abc import Mapping, Sequence
from typing import Generic, TypeVar

from swim_core.native.table.entry import Entry

__all__ = ["Copies", "SharedIndex"]

K = TypeVar("K")


class Copies(dict[int, Entry]):
    """A table's own copies of entries, by their place in the formed cluster. Each is made when it is first needed.

    Args:
        entries: those of the formed cluster.
        now: when the table learned of them.
    """

    __slots__ = ("_entries", "_now")

    def __init__(self, entries: Sequence[Entry], now: float) -> None:
        super().__init__()
        self._entries = entries
        self._now = now

    def __missing__(self, place: int) -> Entry:
        entry = self[place] = self._entries[place].known(self._now)
        return entry


class SharedIndex(Generic[K]):
    """Behaves like a dict that begins with a copy of every entry; see `swim_core.native.table.indexes.Index`.

    Args:
        places: in the formed cluster, by key.
        copies: where the entries are.
    """

    __slots__ = ("_changed", "_copies", "_places")

    def __init__(self, places: Mapping[K, int], copies: Copies) -> None:
        self._places = places
        self._copies = copies
        self._changed: dict[K, Entry | None] = {}  # None if the entry is gone

    def get(self, key: K, /) -> Entry | None:
        """The entry of a key, or None."""
        if key in self._changed:
            return self._changed[key]
        place = self._places.get(key)
        return None if place is None else self._copies[place]

    def __getitem__(self, key: K, /) -> Entry:
        entry = self.get(key)
        if entry is None:
            raise KeyError(key)
        return entry

    def __setitem__(self, key: K, entry: Entry, /) -> None:
        self._changed[key] = entry

    def __delitem__(self, key: K, /) -> None:
        if self.get(key) is None:
            raise KeyError(key)
        if key in self._places:
            self._changed[key] = None
        else:
            del self._changed[key]
