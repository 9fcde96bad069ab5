"""What two kernels tell each other on an idle connection, without waking a process."""

import socket
import sys
from contextlib import suppress
from struct import Struct

__all__ = ["ask_for_acks", "keep_alive", "keep_place", "last_ack"]

# Seconds, and how often. A tripwire is idle all its life. Without these a middlebox would forget it; and if TCP no
# longer gets to a host, the tripwire would go on making silences there count.
IDLE, INTERVAL, COUNT = 30, 2, 5
# At the accepting end, where they only free the places of connections that are gone: the other end asks anyway.
IDLE_THERE, INTERVAL_THERE, COUNT_THERE = 300, 15, 4
# While a kernel is being tested: as often as Linux allows, since these don't decide when the connection ends.
ASKED_IDLE, ASKED_INTERVAL, ASKED_COUNT = 1, 1, 127

_LAST_ACK = Struct("=56xI")  # the head of Linux' struct tcp_info, up to tcpi_last_ack_recv


def keep_alive(sock: socket.socket) -> None:
    """Have the kernel ask the other one now and then whether a connection stands, and end it 40 s after the last ack.

    On Linux the time since the last ack decides, not the number of questions. After the other host is gone, a
    connection lasts for at least ten more seconds, even if `ask_for_acks` asked meanwhile.
    """
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        _set(sock, IDLE, INTERVAL, COUNT)
        if sys.platform == "linux":
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, (IDLE + INTERVAL * COUNT) * 1000)


def keep_place(sock: socket.socket) -> None:
    """As `keep_alive`, but more rarely, for a connection that another member made."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        _set(sock, IDLE_THERE, INTERVAL_THERE, COUNT_THERE)


def ask_for_acks(sock: socket.socket) -> None:
    """Have the kernel at the other end ack, at once and every second, until `keep_alive` is called again.

    It does so even if the process is stopped and its backlog full. Linux only, since elsewhere the acks can't be seen.
    """
    if sys.platform == "linux":
        with suppress(OSError):
            _set(sock, ASKED_IDLE, ASKED_INTERVAL, ASKED_COUNT)  # a shorter idle time takes effect at once


def last_ack(sock: socket.socket) -> float | None:
    """Seconds since the kernel at the other end last acked; None if the system doesn't say (it does on Linux)."""
    if sys.platform == "linux":
        with suppress(OSError):
            data = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _LAST_ACK.size)
            if len(data) == _LAST_ACK.size:
                return float(_LAST_ACK.unpack(data)[0]) / 1000.0
    return None


def _set(sock: socket.socket, idle: int, interval: int, count: int) -> None:
    for option, value in (("TCP_KEEPCNT", count), ("TCP_KEEPINTVL", interval), ("TCP_KEEPIDLE", idle)):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
