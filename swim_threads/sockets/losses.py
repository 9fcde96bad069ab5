"""Counts what the system did not send, or dropped unread, without telling anybody."""

import errno
import socket
import struct
import sys
from collections import Counter
from contextlib import suppress

from swim_core import Losses

__all__ = ["LossCounts"]

LINUX = sys.platform == "linux"
SO_MEMINFO = 55  # from <asm-generic/socket.h>: Python has no name for it
_MEMINFO = struct.Struct("=8I")  # what of it comes before the drops, each of 32 bits
_DROPS = struct.Struct("=I")


class LossCounts:
    """Counts the losses of one socket.

    SO_RXQ_OVFL would report drops with the next datagram, which takes a `recvmsg` for each; asking costs a microsecond
    each time, and works even if nothing arrives any longer.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._unsent: Counter[str] = Counter()
        self._unsent_bytes = 0
        self._drops = self._read_drops()

    def refused(self, size: int, number: int) -> None:
        """Count a datagram of ``size`` bytes that was not sent because of the error with that number."""
        self._unsent[errno.errorcode.get(number, str(number))] += 1
        self._unsent_bytes += size

    def take(self) -> Losses | None:
        """The losses since the last call; None if there were none."""
        drops = self._read_drops()
        unread = (drops - self._drops) % 2**32
        if not unread and not self._unsent:
            return None
        losses = Losses(dict(self._unsent), self._unsent_bytes, unread)
        self._unsent.clear()
        self._unsent_bytes, self._drops = 0, drops
        return losses

    def _read_drops(self) -> int:
        """How many were dropped so far; 0 if the system doesn't say."""
        if LINUX:
            with suppress(OSError):
                size = _MEMINFO.size + _DROPS.size
                told = self._socket.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, size)
                if len(told) == size:
                    return int(_DROPS.unpack_from(told, _MEMINFO.size)[0])
        return 0
