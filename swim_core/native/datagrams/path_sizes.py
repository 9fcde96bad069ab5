"""How large datagrams to each address may be (docs/protocol.md, section 2, "Large datagrams").

Some paths silently swallow datagrams above a certain size, such as a tunnel whose fragments or whose ICMP are filtered.
There are no probes for that. Instead, syncs that stay unanswered get smaller, as in RFC 8899 (packetization layer path
MTU discovery) with the application's own packets as probes.
"""

import msgspec

from swim_core.address import Address

__all__ = ["SMALLER", "SURE", "PathSizes"]

SMALLER = (1_200, 1_000, 800, 548)  # bytes that pass any IPv6 path, common tunnels, and any IPv4 path
GROW = 60.0  # seconds after which the full size is tried again
SURE = 3  # times in a row that only a smaller one passed: random losses rarely cause that
MAX_KNOWN = 4_096  # addresses


class _Path(msgspec.Struct):
    size: int
    since: float


class PathSizes:
    """Remembers the addresses to which datagrams of ``max_datagram`` bytes don't pass."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.ladder = (limit, limit, *(size for size in SMALLER if size < limit))
        """The sizes of successive tries; the last one is for all that follow."""
        self._narrow: dict[Address, _Path] = {}
        self._in_a_row = 0

    def __len__(self) -> int:
        return len(self._narrow)

    def size(self, address: Address) -> int:
        """The most bytes that a datagram to ``address`` should have."""
        path = self._narrow.get(address)
        return self.limit if path is None else path.size

    def first_try(self, address: Address, now: float) -> int:
        """Where on the `ladder` to begin: at the top again if the path was found narrow long ago."""
        path = self._narrow.get(address)
        if path is None or now - path.since >= GROW:
            return 0
        return next(rung for rung, size in enumerate(self.ladder) if size <= path.size)

    def stated(self, address: Address, size: int, now: float) -> None:
        """Note that the other side asked in this many bytes; it gets no larger answer."""
        if size < self.limit:
            self._keep(address, max(size, self.ladder[-1]), now)
        else:
            self.forget(address)

    def passed(self, address: Address, size: int, now: float) -> int:
        """Note that a datagram of that size was answered; any larger ones before it were not.

        Returns how many times in a row only a smaller one was answered; fewer than `SURE` may be chance.
        """
        if size >= self.limit:
            self._narrow.pop(address, None)
            self._in_a_row = 0
        else:
            self._keep(address, size, now)
            self._in_a_row += 1
        return self._in_a_row

    def forget(self, address: Address) -> None:
        """Try the full size again."""
        self._narrow.pop(address, None)

    def _keep(self, address: Address, size: int, now: float) -> None:
        self._narrow.pop(address, None)
        self._narrow[address] = _Path(size, now)
        if len(self._narrow) > MAX_KNOWN:
            del self._narrow[next(iter(self._narrow))]
