"""TCP beside a UDP socket: a listener on the same address, and connections to others that never block."""

import errno
import socket
import sys
from contextlib import suppress

from swim_core import Address, KernelEvidence
from swim_core.address import canonical

from .owned import Socket
from .routes import family_of
from .udp import UdpSocket

__all__ = ["Dial", "TcpListener", "open_pair"]

BACKLOG = 1_024  # connections that the kernel accepts for a stalled process: a full backlog would look like a dead host
PORTS_TRIED = 8  # times, where the system chooses the port: another program may have that number for TCP

IP_BIND_ADDRESS_NO_PORT = 24  # from <linux/in.h>; for IPv6, too

_UNDER_WAY = {0, errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY, errno.EINTR}
_SILENT = {errno.ETIMEDOUT, errno.EHOSTUNREACH, errno.EHOSTDOWN}


class TcpListener:
    """A listening TCP socket at the address and port number of a UDP socket.

    Attributes:
        families: of which addresses it makes sense to connect to.
    """

    def __init__(self, sock: socket.socket, beside: UdpSocket) -> None:
        self._socket = sock
        self._beside = beside
        self.families = beside.reachable_families

    @classmethod
    def open(cls, beside: UdpSocket) -> "TcpListener":
        """Listen where ``beside`` is bound.

        Raises:
            OSError: if that can't be had. Nothing is left open.
        """
        host, port = beside.address
        sock = Socket(beside.family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            if sys.platform == "win32":  # where SO_REUSEADDR would let two processes listen at once
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
            else:  # connections of a process that has ended would keep the next one from listening
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if beside.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not beside.dual_stack)
                sock.bind((host, port, 0, beside.scope_id))
            else:
                sock.bind((host, port))
            sock.listen(BACKLOG)
            return cls(sock, beside)
        except BaseException:
            sock.close()
            raise

    @property
    def source(self) -> str | None:
        """The address of this host to connect from; None leaves that to the kernel."""
        return self._beside.source

    def scope_of(self, host: str) -> int:
        """As `UdpSocket.scope_of`: a wildcard is bound in no zone, but hears in which zone a member is."""
        return self._beside.scope_of(host)

    def fileno(self) -> int:
        """The file descriptor; -1 once closed."""
        return self._socket.fileno()

    def accept(self) -> tuple[socket.socket, str] | None:
        """The next connection and the host that it comes from; None if none waits.

        Raises:
            OSError: if this process or the system has no room for another one, or anything else is wrong.
        """
        while True:
            try:
                sock, source = self._socket.accept()
            except BlockingIOError:
                return None
            except ConnectionAbortedError:
                continue  # it broke while it waited
            sock.setblocking(False)
            return sock, canonical(source[0], source[1]).host

    def close(self) -> None:
        """Close it. A second call does nothing."""
        self._socket.close()


class Dial:
    """One connection in the making: to learn what the kernel there says, or to keep."""

    def __init__(self, address: Address, scope_id: int, source: str | None = None) -> None:
        """Begin to connect, from ``source`` if it is an address of this host and of the right IP version.

        ``scope_id`` is the zone of a link-local address, else 0.

        Raises:
            OSError: if this process may not open another socket.
        """
        self.sock = Socket(family_of(address.host), socket.SOCK_STREAM)
        self._failed: KernelEvidence | None = None
        try:
            self.sock.setblocking(False)
            if source is not None and family_of(source) == self.sock.family:
                _come_from(self.sock, source)
            target = (*address, 0, scope_id) if scope_id else tuple(address)
            number = self.sock.connect_ex(target)
        except OSError as error:
            number = error.errno or errno.EINVAL
        if number not in _UNDER_WAY:
            self._failed = _meaning(number)

    def outcome(self) -> KernelEvidence | None:
        """REACHABLE, REFUSED_TCP, KERNEL_SILENT, or NONE for local trouble; None as long as it is open."""
        if self._failed is not None:
            return self._failed
        number = self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            return _meaning(number)
        try:
            peer = self.sock.getpeername()
        except OSError:
            return None
        # Connecting to a port that nobody listens on, this host may choose the very same one to come from, and TCP
        # then connects it to itself.
        return KernelEvidence.REFUSED_TCP if peer == self.sock.getsockname() else KernelEvidence.REACHABLE

    def close(self) -> None:
        """Give it up. A second call does nothing."""
        self.sock.close()


def _come_from(sock: socket.socket, source: str) -> None:
    with suppress(OSError):  # it is no longer an address of this host
        if sys.platform == "linux":  # the port is chosen when it connects: the same one serves for many destinations
            sock.setsockopt(socket.IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1)
        sock.bind((source, 0))


def _meaning(number: int) -> KernelEvidence:
    if number in (errno.ECONNREFUSED, errno.ECONNRESET):
        return KernelEvidence.REFUSED_TCP
    return KernelEvidence.KERNEL_SILENT if number in _SILENT else KernelEvidence.NONE


def open_pair(host: str, port: int, *, tcp: bool) -> tuple[UdpSocket, TcpListener | None, str | None]:
    """Bind a UDP socket and, with ``tcp``, listen on TCP at the same address and number.

    Returns:
        Both sockets; or, where TCP can't have the number, no listener but the reason. If the system chooses the port,
        several are tried.

    Raises:
        ConfigError, BindError: as `UdpSocket.open`.
    """
    for attempt in range(PORTS_TRIED):
        sock = UdpSocket.open(host, port)
        if not tcp:
            return sock, None, None
        try:
            return sock, TcpListener.open(sock), None
        except OSError as error:
            if port or attempt == PORTS_TRIED - 1:
                reason = f"{sock.address} can't be had for TCP: {error.strerror or error}"
                return sock, None, reason
            sock.close()
        except BaseException:
            sock.close()
            raise
    raise AssertionError("unreachable")
