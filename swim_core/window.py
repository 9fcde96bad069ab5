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

    def _lost_or_late(self) -> range:
        """The numbers that may be missing, at most `SIZE` of them."""
        return range(max(self._base, self.known - self.SIZE, self.highest - self.SIZE) + 1, self.known + 1)

    @property
    def complete(self) -> bool:
        """Whether nothing is missing."""
        first = self._lost_or_late().start
        if self.known > self.highest and self.known >= first:
            return False
        span = self.highest - first + 1
        return span <= 0 or self._seen & ((1 << span) - 1) == (1 << span) - 1

    @property
    def missing_count(self) -> int:
        """How many are missing."""
        return sum(1 for number in self._lost_or_late() if self.fresh(number))

    def missing(self, limit: int) -> list[tuple[int, int]]:
        """At most ``limit`` ranges of missing numbers, both ends included."""
        ranges: list[tuple[int, int]] = []
        for number in self._lost_or_late():
            if not self.fresh(number):
                continue
            if ranges and ranges[-1][1] == number - 1:
                ranges[-1] = (ranges[-1][0], number)
            elif len(ranges) == limit:
                break
            else:
                ranges.append((number, number))
        return ranges

    def skip(self) -> int:
        """Ask no more for what is missing now; returns how many. What comes late all the same is still new."""
        count = self.missing_count
        self._base = max(self._base, self.known)
        return count
