"""The source addresses of a wildcard socket.

The kernel would choose one by the route to each destination. On a host with several addresses, some members would then
see an address that they don't know instead of the advertised one, and some answers would not come from the address that
was asked. Linux says to which address each datagram was sent, and lets a program choose the source of each.
"""

import errno
import socket
import struct
import sys

__all__ = ["Sources"]


LINUX = sys.platform == "linux"
IP_PKTINFO = 8  # from <linux/in.h>, <linux/in6.h>: Python has no names for these before 3.14, nor elsewhere
IPV6_RECVPKTINFO = 49
IPV6_PKTINFO = 50
_V4 = struct.Struct("@I4s4s")  # in_pktinfo: interface, this host's address, destination in the header
_V6 = struct.Struct("@16sI")  # in6_pktinfo: address, interface
_ROOM = socket.CMSG_SPACE(max(_V4.size, _V6.size)) if hasattr(socket, "CMSG_SPACE") else 0
_MAPPED = bytes(10) + b"\xff\xff"
# The source is no longer an address of this host, or can't reach the destination: any source is better than none.
_NOT_FROM_THERE = {errno.EINVAL, errno.ENETUNREACH, errno.EADDRNOTAVAIL}

Target = tuple[str, int] | tuple[str, int, int, int]
Ancillary = list[tuple[int, int, bytes]]


class Sources:
    """Sends from the address that is advertised, and answers from the one that was asked."""

    def __init__(self, sock: socket.socket) -> None:
        self._sendto = sock.sendto
        self._sendmsg = sock.sendmsg
        self._recvmsg = sock.recvmsg
        self._v6 = sock.family == socket.AF_INET6
        self._own: Ancillary | None = None
        self._own_v6 = False
        self._asker: object = None
        self._asked: Ancillary = []

    @classmethod
    def of(cls, sock: socket.socket) -> "Sources | None":
        """The sources of a wildcard socket; None where the system doesn't tell."""
        if not LINUX:
            return None
        v6 = sock.family == socket.AF_INET6
        level, option = (socket.IPPROTO_IPV6, IPV6_RECVPKTINFO) if v6 else (socket.IPPROTO_IP, IP_PKTINFO)
        try:
            sock.setsockopt(level, option, 1)
        except OSError as error:  # sandboxes and other systems that pass for Linux
            import logging  # hardly ever needed

            log = logging.getLogger("swim_threads.sockets")
            log.debug("the kernel chooses where datagrams come from: %s", error.strerror or error)
            return None
        return cls(sock)

    def prefer(self, host: str | None) -> None:
        """Send all but answers from ``host``, an address of this host; None leaves the choice to the kernel."""
        self._own_v6 = host is not None and ":" in host
        self._own = None if host is None else self._from(_packed(host, self._v6))

    def recvfrom(self, size: int) -> tuple[bytes, tuple[str, int]]:
        """As the socket's own. Until `answered`, what goes back leaves from the address that this datagram was sent
        to."""
        data, self._asked, _, source = self._recvmsg(size, _ROOM)
        self._asker = source[:2]
        return data, source

    def answered(self) -> None:
        """Note that the datagram received last has been dealt with."""
        self._asker = None

    def sendto(self, payload: bytes, target: Target) -> int:
        """As the socket's own, from the right address where possible."""
        source = self._answering() if target[:2] == self._asker else self._own_for(target[0])
        if source is not None:
            try:
                return self._sendmsg((payload,), source, 0, target)
            except OSError as error:
                if error.errno not in _NOT_FROM_THERE:
                    raise
        return self._sendto(payload, target)

    def _own_for(self, host: str) -> Ancillary | None:
        v6 = ":" in host and not host.startswith("::ffff:")
        return self._own if v6 == self._own_v6 else None

    def _answering(self) -> Ancillary | None:
        """Where the datagram that is answered was sent to, without its interface, which routes decide."""
        for level, kind, data in self._asked:
            if (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO) and len(data) == _V4.size:
                return self._from(_V4.unpack(data)[1])
            if (level, kind) == (socket.IPPROTO_IPV6, IPV6_PKTINFO) and len(data) == _V6.size:
                address, interface = _V6.unpack(data)
                return self._from(address, interface if address[:2] == b"\xfe\x80" else 0)
        return None

    def _from(self, packed: bytes, interface: int = 0) -> Ancillary:
        if self._v6:
            return [(socket.IPPROTO_IPV6, IPV6_PKTINFO, _V6.pack(packed, interface))]
        return [(socket.IPPROTO_IP, IP_PKTINFO, _V4.pack(interface, packed, bytes(4)))]


def _packed(host: str, v6: bool) -> bytes:
    if ":" in host:
        return socket.inet_pton(socket.AF_INET6, host)
    return (_MAPPED if v6 else b"") + socket.inet_aton(host)
