"""Multicast discovery at the socket level: one socket that hears a group, and announcements sent to the group.

Both stay on the one network interface that owns the node's address. Several nodes of a host share the
group's port, and hear each other too.
"""

import contextlib
import errno
import socket
import struct
import sys
from collections.abc import Callable

from swim_core import Address, Multicast
from swim_core.address import canonical
from swim_core.embedding.advertising import is_wildcard

from .owned import Socket
from .routes import family_of, is_local, route_source
from .udp import UdpSocket

__all__ = ["MulticastSocket"]

LINUX = sys.platform == "linux"
# from <linux/in.h> and <linux/in6.h>, which Python does not name: whether a socket also gets what other sockets'
# memberships, on other interfaces, bring in
IP_MULTICAST_ALL = 49
IPV6_MULTICAST_ALL = 29

MAX_DATAGRAM = 65_536  # more than UDP carries
_CLOSED = {errno.EBADF, errno.ENOTSOCK}


class MulticastSocket:
    """A member of a multicast group on one interface. Not thread-safe.

    Attributes:
        settings: as given.
        group: where announcements go and come from.
    """

    def __init__(
        self, receiver: Socket, settings: Multicast, group: Address, beside: UdpSocket, host: str, index: int
    ) -> None:
        self.settings = settings
        self.group = group
        self._receiver = receiver
        self._beside = beside
        self._host = host
        self._index = index
        self._warned = False

    @classmethod
    def open(cls, settings: Multicast, sock: UdpSocket, advertised: Address) -> "MulticastSocket":
        """Join the group on the interface that the node at ``sock`` listens on.

        Args:
            settings: which groups.
            sock: the node's own socket.
            advertised: what others know the node by; decides the IP version, and under a wildcard the interface.

        Raises:
            OSError: if this host can't: no such IP version, no interface, no permission. Nothing is left open.
        """
        group = settings.group_for(advertised)
        host = _listening_host(sock.address, advertised)
        index = (sock.scope_id or _interface_index(host)) if ":" in host else 0
        receiver = Socket(family_of(group.host), socket.SOCK_DGRAM)
        try:
            receiver.setblocking(False)
            _share_port(receiver)
            receiver.bind(_bindable(group, index))
            _join(receiver, group.host, host, index)
        except BaseException:
            receiver.close()
            raise
        return cls(receiver, settings, group, sock, host, index)

    def fileno(self) -> int:
        """The file descriptor to watch; -1 once closed."""
        return self._receiver.fileno()

    def receive(self, on_datagram: Callable[[bytes, Address], None], limit: int = 64) -> bool:
        """Hand over every datagram that is ready, with its source.

        Returns:
            True if ``limit`` was reached: yield to others, then call again.

        Raises:
            OSError: if the socket is closed.
        """
        for _ in range(limit):
            try:
                data, source = self._receiver.recvfrom(MAX_DATAGRAM)
            except BlockingIOError:
                return False
            except OSError as error:  # the interface went down, say; that it is told once is the kernel's promise
                if error.errno in _CLOSED:
                    raise
                return False
            on_datagram(data, canonical(source[0], source[1]))
        return True

    def send(self, payload: bytes) -> str | None:
        """Send an announcement to the group, from the address that the node listens on. Never raises.

        Each announcement has a socket of its own. They are rare, and a socket that stayed open would collect what
        strangers send to it.

        Returns:
            The reason, the first time that one fails; otherwise None.
        """
        try:
            with Socket(family_of(self.group.host), socket.SOCK_DGRAM) as sender:
                sender.setblocking(False)
                self._leave_by_interface(sender)
                sender.sendto(payload, _target(self.group, self._index))
        except OSError as error:
            self._beside.count_unsent(len(payload), error.errno or 0)
            if not self._warned:
                self._warned = True
                return f"announcements to {self.group} don't leave this host: {error.strerror or error}"
        return None

    def move(self, host: str) -> None:
        """Announce from ``host``, to which the node has moved, and listen on its interface too. Never raises."""
        if host == self._host or family_of(host) != self._receiver.family:
            return
        self._host, self._warned = host, False
        self._index = _interface_index(host) if ":" in host else 0
        with contextlib.suppress(OSError):  # it mostly is the same interface, on which this is a member already
            _join(self._receiver, self.group.host, host, self._index)

    def close(self) -> None:
        """Leave the group and close the socket. A second call does nothing."""
        self._receiver.close()

    def _leave_by_interface(self, sender: socket.socket) -> None:
        """Bind to the node's host, let other nodes of this host hear the announcements, and have routers obey
        `hops`."""
        hops = self.settings.hops
        if sender.family == socket.AF_INET6:
            sender.bind((self._host, 0, 0, self._index))
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, self._index)
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 1)
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, hops)
        else:
            sender.bind((self._host, 0))
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(self._host))
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 1)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, hops)


def _listening_host(bound: Address, advertised: Address) -> str:
    """The address of this host whose interface is meant; under a wildcard the advertised one if it is of this host."""
    if not is_wildcard(bound) and family_of(bound.host) == family_of(advertised.host):
        return bound.host
    if is_local(advertised.host):
        return advertised.host
    host = route_source(None, family_of(advertised.host))
    if host is None:
        raise OSError(errno.ENETUNREACH, f"no address of this host leads to where {advertised} does")
    return host


def _interface_index(host: str) -> int:
    """The number of the interface that owns an IPv6 address; 0, the system's choice, where there is no way to ask."""
    packed = socket.inet_pton(socket.AF_INET6, host).hex()
    with (
        contextlib.suppress(OSError),
        open("/proc/net/if_inet6") as table,
    ):  # without pathlib, which takes 3 ms to import
        for line in table:
            address, index, *_ = line.split()
            if address == packed:
                return int(index, 16)
    return 0


def _share_port(receiver: socket.socket) -> None:
    """Let other nodes of this host hear the group too: each gets a copy."""
    receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if not LINUX and hasattr(socket, "SO_REUSEPORT"):  # what the BSDs and macOS want; Linux would balance the load
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)


def _target(group: Address, index: int) -> tuple[str, int] | tuple[str, int, int, int]:
    return (group.host, group.port, 0, index) if ":" in group.host else group


def _bindable(group: Address, index: int) -> tuple[str, int] | tuple[str, int, int, int]:
    """The group itself, so that nothing but its datagrams comes in: no unicast from beyond the link, above all."""
    return ("", group.port) if sys.platform == "win32" else _target(group, index)


def _join(receiver: socket.socket, group: str, host: str, index: int) -> None:
    if receiver.family == socket.AF_INET6:
        membership = socket.inet_pton(socket.AF_INET6, group) + struct.pack("@I", index)
        receiver.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, membership)
    else:
        membership = socket.inet_aton(group) + socket.inet_aton(host)
        receiver.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, membership)
    if LINUX:
        with contextlib.suppress(OSError):  # IPv6 has it since Linux 4.20
            v6 = receiver.family == socket.AF_INET6
            level, option = (socket.IPPROTO_IPV6, IPV6_MULTICAST_ALL) if v6 else (socket.IPPROTO_IP, IP_MULTICAST_ALL)
            receiver.setsockopt(level, option, 0)
