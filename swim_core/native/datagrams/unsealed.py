"""Tells the application of datagrams that a node with keys did not open, so that a wrong key is found."""

from collections import deque

import msgspec

from swim_core.address import Address, canonical
from swim_core.counters import DropReason
from swim_core.errors import ConfigError
from swim_core.events import Event, Unsealed

__all__ = ["UnsealedNotices"]

AGAIN = 60.0  # seconds until the same address is told again
ADDRESSES = 16  # told in that time: an attacker may write any source
_TOLD = (DropReason.NOT_SEALED, DropReason.UNKNOWN_KEY, DropReason.UNOPENED)
_KEY_ID = slice(2, 6)


class _Noted(msgspec.Struct):
    at: float
    count: int = 0


class UnsealedNotices:
    """Raises `Unsealed` for an address at once, and then once a minute with how many came meanwhile."""

    def __init__(self, events: deque[Event]) -> None:
        self._events = events
        self._noted: dict[tuple[str, int], _Noted] = {}

    def note(self, reason: DropReason, data: bytes, source: Address | tuple[str, int], now: float) -> None:
        """Take note of a dropped datagram from ``source``."""
        if reason not in _TOLD:
            return
        noted = self._noted.get(source)
        if noted is None:
            self._noted = {there: it for there, it in self._noted.items() if now - it.at < AGAIN}
            if len(self._noted) >= ADDRESSES:
                return
            noted = self._noted[source] = _Noted(now - AGAIN)
        noted.count += 1
        if now - noted.at < AGAIN:
            return
        try:
            address = canonical(*source)
        except ConfigError:
            return
        key = "" if reason is DropReason.NOT_SEALED else data[_KEY_ID].hex()
        self._events.append(Unsealed(address, reason, key, noted.count))
        self._noted[source] = _Noted(now)
