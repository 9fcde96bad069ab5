"""Which broadcasts of one run have come, are missing, and are lost, within a window below the highest received."""

__all__ = ["Window"]


class Window:
    """Numbers from 1; those more than 1,024 below the highest received count as seen.

    Missing ones are asked for as long as they are within 1,024 of the highest known; those that fall behind are lost.

    Attributes:
        highest: the highest number received; only payloads move the window.
        known: the highest number heard of, received or not.
        lost: how many fell behind without being seen since the last `report`.
    """

    SIZE = 1_024
    __slots__ = ("_base", "_reported", "_seen", "highest", "known", "lost")

    def __init__(self) -> None:
        self.highest = 0
        self.known = 0
        self.lost = 0  # how many in (reported, base] were not received
        self._base = 0  # nothing up to this number is asked for; never more than SIZE below the highest known
        self._reported = 0  # losses up to this number were reported
        self._seen = 0  # bit i: number (highest - i) was received

    def fresh(self, number: int) -> bool:
        """Whether a broadcast of this number has not been seen."""
        behind = self.highest - number
        return behind < 0 or (behind < self.SIZE and not self._seen >> behind & 1)

    def receive(self, number: int) -> None:
        """Mark a fresh number as seen."""
        if number > self.highest:
            if number > self.known:
                self.learn(number)
            shift = min(number - self.highest, self.SIZE)  # so that a forged number costs no memory
            self._seen = (self._seen << shift | 1) & ((1 << self.SIZE) - 1)
            self.highest = number
        else:
            self._seen |= 1 << (self.highest - number)
        if number == self._base + 1:
            self._base = number  # in order, as usual: nothing to look for
        elif self._reported < number <= self._base:
            self.lost -= 1  # late, but not too late

    def start_at(self, number: int) -> None:
        """Regard nothing up to this number as missing: it was sent before this node came."""
        if number > self._reported:
            self._base = self._reported = max(self._base, number)
            self.lost = 0

    def learn(self, number: int) -> None:
        """Note that numbers up to this one exist."""
        if number > self.known:
            self.known = number
            if number - self.SIZE > self._base:
                self._leave_behind(number - self.SIZE)

    def _leave_behind(self, base: int) -> None:
        """Stop asking for numbers up to ``base``: those that have not come are lost."""
        low = max(0, self.highest - base)  # the bits of what was received among it are low to (highest - _base)
        width = self.highest - self._base - low
        seen = (self._seen >> low & ((1 << width) - 1)).bit_count() if width > 0 else 0
        self.lost += base - self._base - seen
        self._base = base

    def _gaps(self) -> int:
        """Bit i: number (known - i) is missing."""
        shift = min(self.known - self.highest, self.SIZE)
        return ~(self._seen << shift) & ((1 << max(0, self.known - self._base)) - 1)

    def complete(self) -> bool:
        """Whether nothing is missing and no loss has to be reported."""
        if self._base < self.known and not self._gaps():
            self._base = self.known
        return self._base >= self.known and not self.lost

    @property
    def missing_count(self) -> int:
        """How many numbers are missing."""
        return self._gaps().bit_count()

    def missing(self, limit: int) -> list[tuple[int, int]]:
        """The first ``limit`` ranges of missing numbers, both ends included."""
        first = self._base + 1
        gaps = f"{self._gaps():0{max(1, self.known - self._base)}b}"  # from the lowest number to the highest
        ranges: list[tuple[int, int]] = []
        start = gaps.find("1")
        while start >= 0 and len(ranges) < limit:
            end = gaps.find("0", start)
            end = len(gaps) if end < 0 else end
            ranges.append((first + start, first + end - 1))
            start = gaps.find("1", end)
        return ranges

    def report(self) -> int:
        """How many were lost since the last report. If one comes late after all, it still counts as new."""
        lost, self.lost, self._reported = self.lost, 0, self._base
        return lost

    def skip(self) -> int:
        """Give up what is missing now; returns how many are lost by that."""
        self.lost += self.missing_count
        self._base = max(self._base, self.known)
        return self.report()
