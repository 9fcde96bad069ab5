"""The positions of the live members: in the probe order, which pairs them, and on the rings, along which news
floods."""

from collections.abc import Callable, Iterator
from itertools import islice
from random import Random

from swim_core.native.wire.hashing import Hashes

from .entry import Entry
from .ring import Ring

__all__ = ["Topology"]

DRAWS = 8  # of a random member, since this node itself may be drawn


class Topology:
    """The live members in order, as seen from this node. Members that agree on who lives agree on the order.

    Attributes:
        order: by phase: the probe order.
        rings: the flood rings.
        version: counts changes; what was planned by an older version must be planned anew.
        local: this node's own entry, which need not be live, and remains the same object through all its runs.
    """

    def __init__(self, hashes: Hashes, rings: int) -> None:
        self._hashes = hashes
        self.version = 0
        self.local: Entry | None = None
        self.order: Ring[Entry] = Ring()
        self.rings: tuple[Ring[Entry], ...] = tuple(Ring() for _ in range(rings))

    def keep_in(self, order: Ring[Entry], rings: tuple[Ring[Entry], ...]) -> None:
        """Use these rings from now on."""
        self.version += 1
        self.order, self.rings = order, rings

    def add(self, entry: Entry) -> None:
        """Add a member that became live."""
        self.version += 1
        self.order.add(entry.phase, entry)
        for ring, place in zip(self.rings, self._places(entry), strict=True):
            ring.add(place, entry)

    def remove(self, entry: Entry) -> None:
        """Remove a member that is no longer live."""
        self.version += 1
        self.order.remove(entry.phase, entry)
        for ring, place in zip(self.rings, self._places(entry), strict=True):
            ring.remove(place, entry)

    def _places(self, entry: Entry) -> tuple[int, ...]:
        """The position of a member on each ring, whether or not it is live."""
        return self._hashes.places(entry.name, entry.claim.epoch)

    def _own_places(self) -> tuple[int, ...]:
        assert self.local is not None
        return self._places(self.local)

    # ------------------------------------------------------------------ others

    def others(self) -> Iterator[Entry]:
        """The live members except this node, in the probe order."""
        return (entry for entry in self.order if entry is not self.local)

    def any_other(self, random: Random) -> Entry | None:
        """A random live member other than this node; None if a few draws find none."""
        for _ in range(DRAWS):
            entry = self.order[random.randrange(len(self.order))] if len(self.order) else None
            if entry is not None and entry is not self.local:
                return entry
        return None

    # ------------------------------------------------------------------ neighbours on the rings

    def successors(self, fit: Callable[[Entry], bool] = lambda _: True) -> list[Entry]:
        """The next live member on each ring that is ``fit`` and not chosen yet: at most K, for floods and tripwires."""
        chosen: list[Entry] = []
        for ring, place in zip(self.rings, self._own_places(), strict=True):
            for entry in ring.after(place):
                if entry is not self.local and entry not in chosen and fit(entry):
                    chosen.append(entry)
                    break
        return chosen

    def following(self, count: int) -> list[Entry]:
        """The next live members on the first ring, at most so many."""
        others = (entry for entry in self.rings[0].after(self._own_places()[0]) if entry is not self.local)
        return list(islice(others, count))

    def predecessors(self, subject: Entry, limit: int) -> list[Entry]:
        """The other live members nearest before ``subject`` on the rings: at most ``limit``, in order of distance."""
        apart = (subject, self.local)
        walks = [
            (entry for entry in ring.before(place) if entry not in apart)
            for ring, place in zip(self.rings, self._places(subject), strict=True)
        ]
        found: dict[str, Entry] = {}
        for step in zip(*walks, strict=True):
            found.update((entry.name, entry) for entry in step)
            if len(found) >= limit:
                break
        return list(found.values())[:limit]

    def right_before(self, subject: Entry) -> list[Entry]:
        """The members right before ``subject`` (or its former position), each once, in the order of the rings."""
        rings = zip(self.rings, self._places(subject), strict=True)
        return list({entry.name: entry for ring, place in rings for entry in (ring[ring.index(place) - 1],)}.values())

    def turn_before(self, subject: Entry) -> tuple[int, int] | None:
        """The rank of this node, from 0, among the members right before ``subject``, and how many these are. None if
        this node is not among them."""
        before = self.right_before(subject)
        mine = next((number for number, entry in enumerate(before) if entry is self.local), None)
        return None if mine is None else (mine, len(before))
