"""What is kept of each run that sent sealed datagrams: which of them have come, and the key to seal with for it."""

import msgspec

from .ring import KeyRing, RingKey

__all__ = ["WINDOW", "Run", "Runs"]

WINDOW = (
    256  # counters: a sender numbers all its datagrams in one row, and those of a large flood may overtake each other
)
_MASK = (1 << WINDOW) - 1


class Run(msgspec.Struct, gc=False):
    """One run of one member.

    Attributes:
        highest: counter opened; -1 for none, if it has only said that it opens sealed datagrams.
        seen: which counters up to the highest have come; the lowest bit is the highest counter.
        prefers: the end of the id of the key that the run prefers.
        used: the key of its last datagram; None for none yet.
        key: the key to seal with for it.
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
        """Whether a sealed datagram from it was opened."""
        return self.highest >= 0

    def has_seen(self, counter: int) -> bool:
        """Whether a datagram with that counter was opened, or is too old to tell."""
        back = self.highest - counter
        return back >= 0 and (back >= WINDOW or bool(self.seen >> back & 1))

    def note(self, counter: int) -> None:
        """Note a datagram that was opened and had not been seen."""
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
        ring: the keys that can be used.
        most: how many runs are kept; those not heard lately are dropped first, and are then unknown again. From the
            first one on that is dropped, nothing is taken of a new run that it sent before what is taken first.

    Attributes:
        by_id: all runs kept; looked up for each datagram.
        latest: the key for the run whose key was chosen last: others probably open it as well.
    """

    def __init__(self, ring: KeyRing, most: int) -> None:
        self._ring = ring
        self._most = most
        self._dropped = False
        self.latest: RingKey | None = None
        self.by_id: dict[int, Run] = {}

    def __len__(self) -> int:
        return len(self.by_id)

    def get(self, short_id: int) -> Run | None:
        """The run with that short id."""
        return self.by_id.get(short_id)

    def take(self, short_id: int, counter: int, key: RingKey, prefers: int) -> None:
        """Note a datagram of that run that was opened and not seen before."""
        run = self.by_id.get(short_id)
        if run is None:
            run = self.by_id[short_id] = Run()
            self._bound()
        if self._dropped and not run.sealed:  # its earlier datagrams may have been taken before it was dropped
            run.highest = counter
            run.seen = _MASK
        else:
            run.note(counter)
        self.prefers(run, key, prefers)

    def prefers(self, run: Run, key: RingKey, prefers: int) -> None:
        """Note that a run used that key, and prefers the one whose id ends like this."""
        run.prefers, run.used = prefers, key
        self._choose(run)

    def opens(self, short_id: int) -> None:
        """Note that a run said, in a plain datagram, that it opens sealed ones."""
        if short_id not in self.by_id:
            self.by_id[short_id] = Run(key=self._ring.preferred)
            self._bound()

    def use(self, ring: KeyRing) -> None:
        """Use other keys from now on."""
        self._ring = ring
        self.latest = None
        for run in self.by_id.values():
            if run.used is not None:
                run.used = ring.by_id.get(run.used.id)
            self._choose(run)

    def _choose(self, run: Run) -> None:
        """The key that both prefer, if this node holds it: each pair thus uses the newest key that both know."""
        run.key = self.latest = self._ring.ending(run.prefers) or run.used or self._ring.preferred

    def _bound(self) -> None:
        """Drop a run that was not heard lately, and never the newest (the "second chance" of page tables)."""
        while len(self.by_id) > self._most:
            oldest = next(iter(self.by_id))
            run = self.by_id.pop(oldest)
            if run.recent:
                run.recent = False
                self.by_id[oldest] = run
            else:
                self._dropped = True
