"""The view digest: one number for who lives, in which incarnation, and parts of it, by which a sync finds what differs.

Two members whose digests agree hold the same view. The phase order is divided in buckets, as many as the two of a sync
say. So that none of them goes through all members, there is a sum for each 1,024th of the order.
"""

from array import array
from collections.abc import Iterable
from functools import reduce
from math import inf
from operator import xor

from .entry import Entry
from .ring import Ring

__all__ = ["STABLE", "Cells", "ViewDigest"]

STABLE = 0.5  # seconds without a change that make a digest worth comparing
CELLS = 1_024  # 8 to the smallest sync bucket; 8 KiB a node
BITS = 54  # of a phase, below the number of its cell
WHOLE = 1 << 64


class Cells:
    """What the live members of each part add (XOR) to the view digest.

    Args:
        shares: phase and share of members to begin with.
    """

    __slots__ = ("_sums",)

    def __init__(self, shares: Iterable[tuple[int, int]] = ()) -> None:
        self._sums = array("Q", bytes(8 * CELLS))
        for phase, share in shares:
            self.add(phase, share)

    def add(self, phase: int, share: int) -> None:
        """Add the share of a member at ``phase``, or take it away: that is the same."""
        self._sums[phase >> BITS] ^= share

    def within(self, low: int, high: int) -> tuple[int, int, int]:
        """The sum of the cells that lie wholly between two phases, and where these begin and end.

        They are apart by a cell at least.
        """
        first, last = -(-low >> BITS), high >> BITS
        return reduce(xor, self._sums[first:last], 0), first << BITS, last << BITS

    def copy(self) -> "Cells":
        """The same, to go its own way."""
        copy = Cells.__new__(Cells)
        copy._sums = self._sums[:]
        return copy


class ViewDigest:
    """The digest of the live members, this node included, and all claims by phase.

    Attributes:
        value: XOR over the live members.
        since: when it last changed.
        everyone: all claims, gone ones too, by phase: what a sync pages through.
    """

    def __init__(self) -> None:
        self.value = 0
        self.since = -inf
        self.everyone: Ring[Entry] = Ring()
        self._cells = Cells()

    def keep_in(self, everyone: Ring[Entry], cells: Cells, value: int, now: float) -> None:
        """Sum up these claims from now on."""
        self.everyone, self._cells, self.value, self.since = everyone, cells, value, now

    def add(self, entry: Entry) -> None:
        """A claim came to be held."""
        self.everyone.add(entry.phase, entry)
        if entry.live:
            self.change(entry.phase, entry.view)

    def remove(self, entry: Entry) -> None:
        """A claim was removed."""
        self.everyone.remove(entry.phase, entry)
        if entry.live:
            self.change(entry.phase, entry.view)

    def change(self, phase: int, share: int) -> None:
        """Add a share of a live member, take one away, or, given both at once, put one in the other's place."""
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
