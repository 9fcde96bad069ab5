"""What is kept of each run that was heard sealed: which datagrams have come, and which key to seal with for it."""

import msgspec

from .ring import KeyRing, RingKey

__all__ = ["WINDOW", "Run", "Runs"]

WINDOW = 256  # counters: a sender counts all its datagrams as one row, and those of a large flood may pass each other
_MASK = (1 << WINDOW) - 1


class Run(msgspec.Struct, gc=False):
    """One run of one member.

    Attributes:
        highest: counter opened of it; -1 for none, where it only said that it opens sealed datagrams.
        seen: of the counters up to the highest, the lowest bit being that one.
        prefers: the end of the id of the key that it prefers.
        used: the key that its last datagram came in; None for none yet.
        key: what to seal with for it.
        recent: whether it was heard since it was last considered for removal.
    """

    highest: int = -1
    seen: int = 0
    prefers: int = -1
    used: RingKey | None = None
    key: RingKey | None = None
    recent: bool = True

    @property
    def sealed(self) -> bool:
        """Whether a sealed datagram of it was opened."""
        return self.highest >= 0

    def has_seen(self, counter: int) -> bool:
        """Whether a datagram of that counter was opened, or is too old to tell."""
        back = self.highest - counter
        return back >= 0 and (back >= WINDOW or bool(self.seen >> back & 1))

    def note(self, counter: int) -> None:
        """One was opened that had not been seen."""
        self.recent = True
        ahead = counter - self.highest
        if ahead > 0:
            self.seen = (self.seen << ahead | 1) & _MASK if ahead < WINDOW and self.sealed else 1
            self.highest = counter
        else:
            self.seen |= 1 << -ahead


class Runs:
    """The runs heard last, by short id.

    Args:
        ring: keys that can be used.
        most: runs kept; ones that were not heard lately go first, and are then met as for the first time.

    Attributes:
        by_id: all of them; looked into for each datagram.
    """

    def __init__(self, ring: KeyRing, most: int) -> None:
        self._ring = ring
        self._most = most
        self.by_id: dict[int, Run] = {}

    def __len__(self) -> int:
        return len(self.by_id)

    def get(self, short_id: int) -> Run | None:
        """What is kept of it."""
        return self.by_id.get(short_id)

    def take(self, short_id: int, counter: int, key: RingKey, prefers: int) -> None:
        """A datagram of that run was opened, and not seen before."""
        run = self.by_id.get(short_id)
        if run is None:
            run = self.by_id[short_id] = Run()
            self._bound()
        run.note(counter)
        self.prefers(run, key, prefers)

    def prefers(self, run: Run, key: RingKey, prefers: int) -> None:
        """A run used that key, and prefers the one whose id ends so."""
        run.prefers, run.used = prefers, key
        self._choose(run)

    def opens(self, short_id: int) -> None:
        """That run said, in a plain datagram, that it opens sealed ones."""
        if short_id not in self.by_id:
            self.by_id[short_id] = Run(key=self._ring.preferred)
            self._bound()

    def use(self, ring: KeyRing) -> None:
        """Other keys from now on."""
        self._ring = ring
        for run in self.by_id.values():
            if run.used is not None:
                run.used = ring.by_id.get(run.used.id)
            self._choose(run)

    def _choose(self, run: Run) -> None:
        """The key that both prefer, as far as this node holds it: each pair is at once on the newest that both know."""
        run.key = self._ring.ending(run.prefers) or run.used or self._ring.preferred

    def _bound(self) -> None:
        """Let one go that was not heard lately, and in no case the newest (the "second chance" of page tables)."""
        while len(self.by_id) > self._most:
            oldest = next(iter(self.by_id))
            run = self.by_id.pop(oldest)
            if run.recent:
                run.recent = False
                self.by_id[oldest] = run
