"""The members that this node is watching, and what follows from their number."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterator

from swim_core.native.table.entry import Entry

from .watch import Watch

__all__ = ["UnderWatch"]

SEVERAL = 4  # at once: other silent members may be gone as well
MANY = 8  # more at once are no longer chance, but a rack, a partition, or this node's own trouble


class UnderWatch:
    """The watches by the short id of the run that is watched; a member under watch is of no use as a helper."""

    def __init__(self) -> None:
        self._watches: dict[int, Watch] = {}
        self._since: list[float] = []  # when each began, ascending
        self.many = False
        """Whether so many members are watched that each must get less attention. A plain attribute, since every push
        asks."""

    def __len__(self) -> int:
        return len(self._watches)

    def __iter__(self) -> Iterator[Watch]:
        return iter(list(self._watches.values()))

    def __contains__(self, short_id: object) -> bool:
        return short_id in self._watches

    def get(self, short_id: int) -> Watch | None:
        """The watch on that run."""
        return self._watches.get(short_id)

    def add(self, watch: Watch) -> None:
        """Add a watch."""
        self._watches[watch.short_id] = watch
        self.many = len(self._watches) > MANY
        insort(self._since, watch.since)

    def remove(self, watch: Watch) -> None:
        """Remove a watch; harmless if it isn't there."""
        if self._watches.pop(watch.short_id, None) is not None:
            self.many = len(self._watches) > MANY
            del self._since[bisect_left(self._since, watch.since)]

    @property
    def several(self) -> bool:
        """Whether so many members are watched that others may well be gone, too."""
        return len(self._watches) >= SEVERAL

    @property
    def accusing(self) -> bool:
        """Whether this node's own probe of any of them failed."""
        return any(watch.accusing for watch in self._watches.values())

    def hears(self, entry: Entry) -> bool:
        """Whether a member probably hears what it is sent: it is live and not under watch."""
        return entry.live and entry.short_id not in self._watches

    @property
    def oldest(self) -> float:
        """When the oldest watch began, on the clock that counts time awake. There must be one."""
        return self._since[0]

    def silent_since(self, awake: float) -> int:
        """How many have been silent at least since that moment on the clock that counts time awake."""
        return bisect_right(self._since, awake)
