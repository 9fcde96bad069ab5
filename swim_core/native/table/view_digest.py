"""The view digest in parts: a sum for each 1,024th of the phase order, so that no sync goes through all members."""

from array import array
from collections.abc import Iterable
from functools import reduce
from operator import xor

__all__ = ["STABLE", "Cells"]

STABLE = 0.5  # seconds without a change that make a digest worth comparing
CELLS = 1_024  # 8 to the smallest sync bucket; 8 KiB a node
BITS = 54  # of a phase, below the number of its cell


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
