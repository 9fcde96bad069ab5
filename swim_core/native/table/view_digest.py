"""The view digest: one number for who lives, in which incarnation, and its parts, by which a sync finds differences.

Two members whose digests agree hold the same view. A sync divides the phase order into buckets, whose number its two
sides choose. There is a sum for each 1,024th of the order, so that a bucket needn't go through all members.
"""

from array import array
from collections.abc import Iterable
from functools import reduce
from math import inf
from operator import xor

from .entry import Entry
from .ring import Ring

__all__ = ["STABLE", "Cells", "ViewDigest"]

STABLE = 0.5  # seconds without a change until a digest is worth comparing
CELLS = 1_024  # 8 to the smallest sync bucket; 8 KiB a node
BITS = 54  # of a phase, below the number of its cell
WHOLE = 1 << 64


class Cells:
    """The share of each part's live members in the view digest (XOR).

    Args:
        shares: phase and share of members to begin with.
    """

    __slots__ = ("_sums",)

    def __init__(self, shares: Iterable[tuple[int, int]] = ()) -> None:
        self._sums = array("Q", bytes(8 * CELLS))
        for phase, share in shares:
            self.add(phase, share)

    def add(self, phase: int, share: int) -> None:
        """Add the share of a member at ``phase``, or take it away, which is the same operation."""
        self._sums[phase >> BITS] ^= share

    def within(self, low: int, high: int) -> tuple[int, int, int]:
        """The sum of the cells that lie wholly between two phases, and where those cells begin and end.

        The phases must be at least a cell apart.
        """
        first, last = -(-low >> BITS), high >> BITS
        return reduce(xor, self._sums[first:last], 0), first << BITS, last << BITS

    def copy(self) -> "Cells":
        """An independent copy."""
        copy = Cells.__new__(Cells)
        copy._sums = self._sums[:]
        return copy


class ViewDigest:
    """The digest of the live members, this node included, and of all claims by phase.

    Attributes:
        value: XOR over the live members.
        since: when it last changed.
        everyone: all claims by phase, those of gone members too: what a sync pages through.
    """

    def __init__(self) -> None:
        self.value = 0
        self.since = -inf
        self.everyone: Ring[Entry] = Ring()
        self._cells = Cells()

    def keep_in(self, everyone: Ring[Entry], cells: Cells, value: int, now: float) -> None:
        """Use these claims from now on."""
        self.everyone, self._cells, self.value, self.since = everyone, cells, value, now

    def add(self, entry: Entry) -> None:
        """Add a claim."""
        self.everyone.add(entry.phase, entry)
        if entry.live:
            self.change(entry.phase, entry.view)

    def remove(self, entry: Entry) -> None:
        """Remove a claim."""
        self.everyone.remove(entry.phase, entry)
        if entry.live:
            self.change(entry.phase, entry.view)

    def change(self, phase: int, share: int) -> None:
        """Add or remove a live member's share, or, if both are given at once, replace one by the other."""
        self.value ^= share
        self._cells.add(phase, share)

    def bucket(self, index: int, count: int) -> int:
        """The digest of the live members of a sync bucket: of the cells in it, and of the members at both ends.

        Bucket = floor(phase x count / 2^64).
        """
        if count == 1:
            return self.value
        low, high = _bounds(index, count)
        digest, first, last = self._cells.within(low, high)
        ends = self.everyone.between(low, first) + self.everyone.between(last, high)
        return reduce(xor, [entry.view for entry in ends if entry.live], digest)

    def entries(self, index: int, count: int, start: int = 0) -> list[Entry]:
        """The entries of a sync bucket (gone ones too) from position ``start`` on."""
        low, high = _bounds(index, count)
        return self.everyone.between(max(low, start), high)


def _bounds(index: int, count: int) -> tuple[int, int]:
    """Where a sync bucket begins and ends in the phase order."""
    return -(-index * WHOLE // count), -(-(index + 1) * WHOLE // count)
