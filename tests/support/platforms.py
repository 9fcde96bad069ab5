"""Other systems, simulated: the library is imported as if on them, over sockets that have their manners.

    python -m support.platforms windows tests/sockets/conformance/test_conformance.py -k threads

What is taken away, or raised, is what these say:

- Windows, "recvfrom function" and "sendto function" (learn.microsoft.com, winsock.h), Return value: WSAECONNRESET, on a
  datagram socket "a previous send operation resulted in an ICMP Port Unreachable message"; either call may tell, and
  tells of each once. recvfrom's WSAENETRESET is the same for a time to live that has run out. sendto: WSAEHOSTUNREACH,
  WSAENETUNREACH, WSAENETDOWN and WSAENOBUFS for what can't leave at present.
- Windows, "Winsock IOCTLs": SIO_UDP_CONNRESET "controls whether UDP PORT_UNREACHABLE messages are reported". Python's
  `socket.ioctl` takes "only SIO_RCVALL, SIO_KEEPALIVE_VALS and SIO_LOOPBACK_FAST_PATH" (docs.python.org, socket), so
  that only a program that calls WSAIoctl itself can turn it off (`report_refusals`).
- Windows, "connect function", Return value: a non-blocking attempt under way is WSAEWOULDBLOCK, not EINPROGRESS.
  Remarks: "success is reported in the writefds set and failure is reported in the exceptfds set".
- Windows, "select function", Return value: no descriptors at all are WSAEINVAL. Python's raises ValueError for more
  than 512 (docs.python.org, select; FD_SETSIZE in its source).
- Python's documentation marks fork, register_at_fork, clock_gettime, sched_yield, poll, recvmsg and sendmsg as of Unix,
  epoll, CLOCK_BOOTTIME, MSG_ERRQUEUE and TCP_USER_TIMEOUT as of Linux, and SO_REUSEPORT as not of Windows.
- Darwin, send(2), DESCRIPTION: "If the message is too long to pass atomically through the underlying protocol, the
  error EMSGSIZE is returned, and the message is not transmitted"; the limit is the sysctl net.inet.udp.maxdgram, 9,216
  bytes in its source (bsd/netinet/udp_usrreq.c). "No indication of failure to deliver is implicit in a send": udp(4),
  DIAGNOSTICS, knows no refusal for a socket that is not connected. ERRORS: EHOSTUNREACH, ENETDOWN, ENETUNREACH and
  ENOBUFS.
- Darwin, kqueue(2): `support.kqueue`. Event loops on it are Python's own (`selectors.KqueueSelector`), and trio's.
"""

import errno
import importlib
import os
import select
import selectors
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from support import kqueue

__all__ = ["FAILING", "PLATFORMS", "SEEN", "SIO_UDP_CONNRESET", "become", "report_refusals"]

IP_RECVERR, IPV6_RECVERR, MSG_ERRQUEUE = 11, 25, 0x2000
SIO_UDP_CONNRESET = 0x9800000C
SIO_OF_PYTHON = {0x98000001, 0x98000004, 0x98000010}  # RCVALL, KEEPALIVE_VALS, LOOPBACK_FAST_PATH
MAX_DATAGRAM = 9_216
FD_SETSIZE = 512
FAILING: dict[tuple[str, int], int] = {}
"""Destinations to which nothing can be sent, and the error; tests fill this."""
CONNECTING: set[int] = set()
"""Descriptors of connection attempts under Windows that `select` has not reported yet."""

SEEN: Counter[str] = Counter()
"""What these systems did that Linux doesn't do."""

_real_poll, _real_select = select.poll, select.select


class Other(socket.socket):
    """What both have in common: options of Linux don't exist."""

    def setsockopt(self, level: int, option: int, *value: Any) -> None:
        if (level, option) in {(socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)}:
            SEEN["no such option"] += 1
            raise OSError(errno.ENOPROTOOPT, "Protocol not available")
        super().setsockopt(level, option, *value)

    def sendto(self, *arguments: Any) -> int:
        number = FAILING.get(arguments[-1][:2])
        if number is not None:
            SEEN[errno.errorcode[number]] += 1
            raise OSError(number, os.strerror(number))
        return super().sendto(*arguments)


class DarwinSocket(Other):
    """A socket with the manners of macOS."""

    def sendto(self, *arguments: Any) -> int:
        if len(arguments[0]) > MAX_DATAGRAM:
            raise OSError(errno.EMSGSIZE, "Message too long")
        return super().sendto(*arguments)


class WindowsSocket(Other):
    """A socket with the manners of Windows."""

    _refused = 0

    def __init__(self, *arguments: Any, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        if self.type == socket.SOCK_DGRAM and keywords.get("fileno") is None:
            report_refusals(self, True)

    def ioctl(self, control: int, option: Any) -> None:
        if control not in SIO_OF_PYTHON:
            raise ValueError(f"invalid ioctl command {control}")

    def setsockopt(self, level: int, option: int, *value: Any) -> None:
        if option != EXCLUSIVE:  # which Linux' sockets are anyway
            super().setsockopt(level, option, *value)

    def recvfrom(self, *arguments: Any) -> Any:
        self._tell_of_refusal("recvfrom")
        return self._unless_linux_tells(super().recvfrom, *arguments)

    def sendto(self, *arguments: Any) -> int:
        self._tell_of_refusal("sendto")
        return int(self._unless_linux_tells(super().sendto, *arguments))

    def _tell_of_refusal(self, call: str) -> None:
        try:
            super(Other, self).recvmsg(1, 256, MSG_ERRQUEUE)
        except BlockingIOError:
            return
        SEEN[f"reset in {call}"] += 1
        raise ConnectionResetError(errno.ECONNRESET, "An existing connection was forcibly closed by the remote host")

    def _unless_linux_tells(self, call: Any, *arguments: Any) -> Any:
        """Linux also fails the next call once for what its error queue holds; Windows doesn't."""
        while True:
            try:
                return call(*arguments)
            except ConnectionRefusedError:
                continue

    def connect_ex(self, address: Any) -> int:
        status = super().connect_ex(address)
        if status not in (errno.EINPROGRESS, errno.ECONNREFUSED):
            return status
        self._refused = status if status == errno.ECONNREFUSED else 0
        CONNECTING.add(self.fileno())
        SEEN["connect would block"] += 1
        return errno.EWOULDBLOCK

    def getsockopt(self, *arguments: Any) -> Any:
        if arguments == (socket.SOL_SOCKET, socket.SO_ERROR):
            if self.fileno() in CONNECTING:  # on loopback Linux would report it at once
                return 0
            if self._refused:
                return self._refused
        return super().getsockopt(*arguments)

    def getpeername(self) -> Any:
        if self.fileno() in CONNECTING:
            raise OSError(errno.ENOTCONN, "The socket is not connected")
        return super().getpeername()

    @property
    def recvmsg(self) -> Any:
        raise AttributeError("recvmsg")

    @property
    def sendmsg(self) -> Any:
        raise AttributeError("sendmsg")


def report_refusals(sock: socket.socket, reported: bool) -> None:
    """SIO_UDP_CONNRESET, as a program may set it with WSAIoctl."""
    v6 = sock.family == socket.AF_INET6
    level, option = (socket.IPPROTO_IPV6, IPV6_RECVERR) if v6 else (socket.IPPROTO_IP, IP_RECVERR)
    socket.socket.setsockopt(sock, level, option, reported)


EXCLUSIVE = ~socket.SO_REUSEADDR


def windows_select(
    readers: Iterable[int], writers: Iterable[int], failing: Iterable[int], timeout: float | None = None
) -> tuple[list[int], list[int], list[int]]:
    """Python's over that of Windows."""
    sets = [list(readers), list(writers), list(failing)]
    if not any(sets):
        raise OSError(errno.EINVAL, "An invalid argument was supplied")
    if max(map(len, sets)) > FD_SETSIZE:
        raise ValueError("too many file descriptors in select()")
    readable, writable, _ = _real_select(sets[0], sets[1], [], timeout)
    broken = [fd for fd in writable if _failed(fd)]
    CONNECTING.difference_update(writable)
    SEEN["select"] += 1
    SEEN["failed in exceptfds"] += len(broken)
    return readable, [fd for fd in writable if fd not in broken], [fd for fd in broken if fd in sets[2]]


def _failed(fd: int) -> bool:
    poll = _real_poll()
    poll.register(fd, select.POLLOUT)
    return any(event & (select.POLLERR | select.POLLHUP) for _, event in poll.poll(0))


PLATFORMS = {
    "windows": SimpleNamespace(
        platform="win32",
        socket=WindowsSocket,
        select=SimpleNamespace(select=windows_select),
        missing={
            os: ("fork", "register_at_fork", "sched_yield"),
            time: ("CLOCK_BOOTTIME", "clock_gettime"),
            select: ("epoll",),
            socket: ("MSG_ERRQUEUE", "SO_REUSEPORT", "TCP_USER_TIMEOUT", "TCP_INFO", "CMSG_SPACE"),
        },
    ),
    "darwin": SimpleNamespace(
        platform="darwin",
        socket=DarwinSocket,
        select=SimpleNamespace(select=select.select, poll=select.poll, POLLIN=select.POLLIN, POLLOUT=select.POLLOUT),
        missing={
            os: ("sched_yield",),
            time: ("CLOCK_BOOTTIME",),
            socket: ("MSG_ERRQUEUE", "TCP_USER_TIMEOUT", "TCP_INFO", "TCP_KEEPIDLE"),
        },
    ),
}


class _Module:
    """A module of the standard library, as our modules see it: some names are replaced, some are missing."""

    def __init__(self, module: Any, missing: Iterable[str] = (), **others: Any) -> None:
        self._module, self._missing = module, frozenset(missing)
        self.__dict__.update(others)

    def __getattr__(self, name: str) -> Any:
        if name in self._missing:
            raise AttributeError(name)
        return getattr(self._module, name)


@contextmanager
def _import_time(system: Any) -> Iterator[None]:
    """While modules are imported, which makes their constants and base classes those of that system."""
    kept = {(module, name): getattr(module, name) for module, names in system.missing.items() for name in names}
    with patch.object(sys, "platform", system.platform), patch.object(socket, "socket", system.socket):
        for module, name in kept:
            delattr(module, name)
        try:
            yield
        finally:
            for (module, name), value in kept.items():
                setattr(module, name, value)


def become(name: str) -> None:
    """Import the library as if on that system. Once in a process, and before anything imports it."""
    import ctypes.util  # noqa: F401  # its part for macOS is missing in some distributions

    if name == "darwin":
        kqueue.install()
        importlib.reload(selectors)
        with patch.object(sys, "platform", "darwin"):
            import trio
    import asyncio  # noqa: F401  # what belongs to this system is imported on it
    import concurrent.futures  # noqa: F401
    import logging  # noqa: F401
    import subprocess  # noqa: F401

    import attrs  # noqa: F401
    import msgspec  # noqa: F401
    import trio  # noqa: F401
    import uvloop  # noqa: F401

    assert not any(module.partition(".")[0] in ("swim_threads", "swim_anyio") for module in sys.modules)
    system = PLATFORMS[name]
    with _import_time(system):
        import swim_anyio.asyncio_driver
        import swim_anyio.engine
        import swim_anyio.opening
        import swim_anyio.threaded
        import swim_anyio.trio_driver  # noqa: F401
        import swim_threads.driver
        import swim_threads.opening
        import swim_threads.sockets.multicast  # noqa: F401
    fakes = {
        "sys": _Module(sys, platform=system.platform),
        "os": _Module(os, system.missing.get(os, ())),
        "time": _Module(time, system.missing[time]),
        "select": system.select,
        "socket": _Module(socket, system.missing[socket], SO_EXCLUSIVEADDRUSE=EXCLUSIVE),
    }
    for module in list(sys.modules.values()):
        if getattr(module, "__name__", "").startswith(("swim_threads.", "swim_anyio.")):
            for name, fake in fakes.items():
                if getattr(module, name, None) is sys.modules[name]:
                    setattr(module, name, fake)


if __name__ == "__main__":
    import pytest

    from support import platforms  # not as __main__: tests import it by this name

    platforms.become(sys.argv[1])
    quiet = ("-q", "-n0", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning")
    sys.exit(pytest.main([*quiet, *sys.argv[2:]]))
