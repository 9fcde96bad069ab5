"""Linux's error queue of a UDP socket: which datagram was refused, known within a millisecond.

Until it is emptied, the socket stays readable (a busy loop), its entries use up the receive buffer, and the next call
of any kind fails once with the error of an earlier datagram to somebody else. On platforms without such a queue only
speed is lost.
"""

import errno
import socket
import struct
import sys
from collections.abc import Callable

from swim_core import Address
from swim_core.address import canonical

__all__ = ["ERRORS_AT_ONCE", "OnRefused", "drain_errors", "keep_errors"]

OnRefused = Callable[[Address, bytes], None]
"""Called with the destination of a datagram that a port-unreachable quotes, and the beginning of it."""

LINUX = sys.platform == "linux"
# from <linux/in.h>, <linux/in6.h>, <linux/socket.h>: Python does not name all of them before 3.14, nor elsewhere
IP_RECVERR = 11
IPV6_RECVERR = 25
MSG_ERRQUEUE = 0x2000
_ERROR_LEVELS = {(socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)}
_EXTENDED_ERROR = struct.Struct("=IBBBBII")  # sock_extended_err: errno origin type code pad info data
_FROM_ICMP = {2, 3}  # its origin: ICMP, ICMPv6; a port-unreachable is the one that gives ECONNREFUSED

QUOTED = 256  # bytes of a refused datagram to read: enough to recognise it
ERRORS_AT_ONCE = 256  # above what the default receive buffer holds of them, so that one go empties the queue


def keep_errors(sock: socket.socket, *, dual_stack: bool) -> None:
    """Have the kernel keep errors with the datagrams that caused them, if it can."""
    if LINUX:
        try:
            if sock.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
            if sock.family == socket.AF_INET or dual_stack:
                sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        except OSError as error:  # sandboxes and other systems that pass for Linux
            import logging  # hardly ever needed

            log = logging.getLogger("swim_threads.sockets")
            log.debug("no error queue, so that refusals are found later: %s", error.strerror or error)


def drain_errors(sock: socket.socket, on_refused: OnRefused) -> int:
    """Empty the error queue; returns how many entries there were, at most `ERRORS_AT_ONCE`."""
    if not LINUX:
        return 0
    for count in range(ERRORS_AT_ONCE):
        try:
            quoted, ancillary, _, destination = sock.recvmsg(QUOTED, 256, MSG_ERRQUEUE)
        except OSError:  # EAGAIN: empty
            return count
        for level, kind, data in ancillary:
            if (level, kind) in _ERROR_LEVELS and len(data) >= _EXTENDED_ERROR.size:
                number, origin, *_ = _EXTENDED_ERROR.unpack_from(data)
                if number == errno.ECONNREFUSED and origin in _FROM_ICMP:
                    on_refused(canonical(destination[0], destination[1]), quoted)
    return ERRORS_AT_ONCE
