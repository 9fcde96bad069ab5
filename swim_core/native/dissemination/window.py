"""Which broadcasts of one run have come: a window below the highest received, and what is missing."""

__all__ = ["Window"]


class Window:
    """Numbers from 1; those more than 1,024 below the highest received count as seen.

    Attributes:
        highest: the highest number received; only payloads move the window.
        known: the highest number heard of, received or not.
    """

    SIZE = 1_024
    __slots__ = ("_base", "_seen", "highest", "known")

    def __init__(self) -> None:
        self.highest = 0
        self.known = 0
        self._base = 0  # up to here nothing is asked for
        self._seen = 0  # bit i: number (highest - i) was received

    def fresh(self, number: int) -> bool:
        """Whether a broadcast of this number has not been seen."""
        behind = self.highest - number
        return behind < 0 or (behind < self.SIZE and not self._seen >> behind & 1)

    def receive(self, number: int) -> None:
        """Mark a number as seen."""
        if number > self.highest:
            shift = min(number - self.highest, self.SIZE)  # a forged number must not cost memory
            self._seen = (self._seen << shift | 1) & ((1 << self.SIZE) - 1)
            self.highest = number
            self.known = max(self.known, number)
        else:
            self._seen |= 1 << (self.highest - number)

    def start_at(self, number: int) -> None:
        """Ask for nothing up to this number: it was sent before this node came."""
        self._base = max(self._base, number)

    def learn(self, number: int) -> None:
        """Numbers up to this one exist."""
        self.known = max(self.known, number)

    @property
    def _first(self) -> int:
        """The lowest number that may be missing, `SIZE` below the highest at most."""
        return max(self._base, self.known - self.SIZE) + 1

    def _gaps(self) -> int:
        """Bit i: number (known - i) is missing."""
        shift = min(self.known - self.highest, self.SIZE)
        return ~(self._seen << shift) & ((1 << max(0, self.known - self._first + 1)) - 1)

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        return not self._gaps()

    @property
    def missing_count(self) -> int:
        """How many are missing."""
        return self._gaps().bit_count()

    def missing(self, limit: int) -> list[tuple[int, int]]:
        """The first ``limit`` ranges of missing numbers, both ends included."""
        first = self._first
        gaps = f"{self._gaps():0{max(1, self.known - first + 1)}b}"  # from the lowest number to the highest
        ranges: list[tuple[int, int]] = []
        start = gaps.find("1")
        while start >= 0 and len(ranges) < limit:
            end = gaps.find("0", start)
            end = len(gaps) if end < 0 else end
            ranges.append((first + start, first + end - 1))
            start = gaps.find("1", end)
        return ranges

    def skip(self) -> int:
        """Ask no more for what is missing now; returns how many. What comes late all the same is still new."""
        count = self.missing_count
        self._base = max(self._base, self.known)
        return count
