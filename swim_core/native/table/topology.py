"""Where the live members stand: in the probe order, which pairs them, and on the rings, along which news floods."""

from collections.abc import Callable, Iterator
from random import Random

from swim_core.native.wire.hashing import Hashes

from .entry import Entry
from .ring import Ring

__all__ = ["Topology"]

DRAWS = 8  # for a random member: the one that is drawn may be this node


class Topology:
    """The live members in order, as seen from this node. All members agree on it as far as they agree on who lives.

    Attributes:
        order: by phase: the probe order.
        rings: the flood rings.
        version: counts changes: what was planned by it must be planned anew.
        local: this node's own entry, which need not be live, and stays the same object through all its runs.
    """

    def __init__(self, hashes: Hashes, rings: int) -> None:
        self._hashes = hashes
        self.version = 0
        self.local: Entry | None = None
        self.order: Ring[Entry] = Ring()
        self.rings: tuple[Ring[Entry], ...] = tuple(Ring() for _ in range(rings))

    def keep_in(self, order: Ring[Entry], rings: tuple[Ring[Entry], ...]) -> None:
        """Stand on these rings from now on."""
        self.version += 1
        self.order, self.rings = order, rings

    def add(self, entry: Entry) -> None:
        """A member came to be live."""
        self.version += 1
        self.order.add(entry.phase, entry)
        for ring, place in zip(self.rings, self._places(entry), strict=True):
            ring.add(place, entry)

    def remove(self, entry: Entry) -> None:
        """A member is no longer live."""
        self.version += 1
        self.order.remove(entry.phase, entry)
        for ring, place in zip(self.rings, self._places(entry), strict=True):
            ring.remove(place, entry)

    def _places(self, entry: Entry) -> tuple[int, ...]:
        """Where a member stands, or would stand if it were live, on each ring."""
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
        """The next live member on each ring that is ``fit`` and not chosen yet: at most K others, to flood and wire."""
        chosen: list[Entry] = []
        for ring, place in zip(self.rings, self._own_places(), strict=True):
            for entry in ring.after(place):
                if entry is not self.local and entry not in chosen and fit(entry):
                    chosen.append(entry)
                    break
        return chosen

    def successor(self, *, besides: int) -> list[Entry]:
        """The next live member on the first ring but for the run ``besides``, if there is one."""
        for entry in self.rings[0].after(self._own_places()[0]):
            if entry is not self.local and entry.short_id != besides:
                return [entry]
        return []

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

    def turn_before(self, subject: Entry) -> tuple[int, int] | None:
        """Of those right before ``subject``, or the place where it stood, on the rings: which one this node is, counted
        from 0, and how many they are. None if it is none of them."""
        rings = zip(self.rings, self._places(subject), strict=True)
        before = list({entry.name: entry for ring, place in rings for entry in (ring[ring.index(place) - 1],)}.values())
        mine = next((number for number, entry in enumerate(before) if entry is self.local), None)
        return None if mine is None else (mine, len(before))
