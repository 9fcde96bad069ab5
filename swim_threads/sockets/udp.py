"""One UDP socket: non-blocking, drained robustly, with its ICMP errors attributed to datagrams (`error_queue`).

macOS and Windows are simulated in tests, and were never run.
"""

import errno
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from swim_core import Address, ConfigError, Losses
from swim_core.address import canonical
from swim_core.embedding.log_messages import Notice

from .binding import bind
from .error_queue import ERRORS_AT_ONCE, OnRefused, drain_errors, keep_errors
from .losses import LossCounts
from .owned import take_over
from .routes import family_of, is_local, route_source
from .sources import Sources
from .troubles import Troubles
from .zones import Zones, is_link_local

__all__ = ["OnDatagram", "UdpSocket"]

OnDatagram = Callable[[bytes, Address], None]
"""Called with the bytes and the source of a datagram."""

MAX_DATAGRAM = 65_536  # more than UDP carries; 256 KiB, which asyncio asks for, costs six times the time
SEND_ATTEMPTS = 3  # each failure may be another datagram's error, in which case this one was not sent
_CLOSED = {errno.EBADF, errno.ENOTSOCK}
_NO_ROOM = {errno.ENOBUFS, errno.ENOMEM}  # the system has no room for a datagram at the moment
_OF_ANOTHER = {errno.ECONNREFUSED, errno.ECONNRESET, errno.ENETRESET}  # refused earlier; the last two under Windows
_OF_THIS_ONE = {errno.EPERM, *_NO_ROOM}  # errors that no ICMP message causes, so they are not an earlier datagram's
_address = partial(tuple.__new__, Address)  # from a pair, in one step less than by name

_WILDCARDS = {"0.0.0.0", "::"}


class UdpSocket:
    """A bound, non-blocking UDP socket that speaks in canonical addresses. Not thread-safe.

    Attributes:
        address: as bound, port 0 resolved; "0.0.0.0" or "::" for a wildcard.
        scope_id: number of the interface, where a zone was given; else 0.
        dual_stack: whether it reaches IPv4 addresses through an IPv6 socket.
        unsent: whether `losses` has lost sends to report.
        source: the address of this host to send from under a wildcard; None leaves that to the kernel.
        saw_errors: whether the last `receive`, or a `send` since the one before, drained errors, or nothing at all
            was found. uvloop stops watching a socket that had an error when it looked: remove the reader and add
            it again when this is set.
    """

    def __init__(self, sock: socket.socket, *, dual_stack: bool, scope_id: int) -> None:
        self._socket = sock
        self._v6 = sock.family == socket.AF_INET6
        self.scope_id = scope_id
        self._zones = Zones(scope_id)
        self.dual_stack = dual_stack
        self.source: str | None = None
        self.saw_errors = False
        self.unsent = False
        self._losses = LossCounts(sock)
        self._sent_into_errors = False
        host, port = sock.getsockname()[:2]
        self.address = canonical(host, port)
        self._troubles = Troubles(sock, self.address)
        self._sources = Sources.of(sock) if self.address.host in _WILDCARDS else None
        self._recvfrom = sock.recvfrom if self._sources is None else self._sources.recvfrom
        self._sendto = sock.sendto if self._sources is None else self._sources.sendto

    @classmethod
    def open(cls, host: str, port: int) -> "UdpSocket":
        """Bind a socket.

        Args:
            host: a numeric address of this host, IPv6 perhaps with a ``%zone``; "::" also takes IPv4
                where the platform can.
            port: 0 lets the system choose.

        Raises:
            ConfigError: if the host is not numeric or the port out of range.
            BindError: if the address can't be had. Nothing is left open.
        """
        sock, dual_stack, scope_id = bind(host, port)
        try:
            return cls(sock, dual_stack=dual_stack, scope_id=scope_id)
        except BaseException:
            sock.close()
            raise

    @classmethod
    def take_over(cls, given: socket.socket) -> "UdpSocket":
        """Take over a bound socket; ``given`` itself is no longer a socket afterwards.

        Raises:
            ConfigError: if it is not a UDP socket, or not bound. It is left as it is.
        """
        if given.family not in (socket.AF_INET, socket.AF_INET6) or given.type != socket.SOCK_DGRAM:
            raise ConfigError(f"bind: give a UDP socket, not {given!r}")
        if not given.getsockname()[1]:
            raise ConfigError("bind: the socket is not bound to an address")
        sock = take_over(given)
        try:
            sock.setblocking(False)
            v6 = sock.family == socket.AF_INET6
            dual_stack = v6 and not sock.getsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY)
            keep_errors(sock, dual_stack=dual_stack)
            return cls(sock, dual_stack=dual_stack, scope_id=sock.getsockname()[3] if v6 else 0)
        except BaseException:
            sock.close()
            raise

    @property
    def family(self) -> socket.AddressFamily:
        """AF_INET or AF_INET6."""
        return socket.AF_INET6 if self._v6 else socket.AF_INET

    @property
    def reachable_families(self) -> tuple[socket.AddressFamily, ...]:
        """Of which addresses `send` accepts."""
        return (socket.AF_INET6, socket.AF_INET) if self.dual_stack else (self.family,)

    def fileno(self) -> int:
        """The file descriptor; -1 once closed."""
        return self._socket.fileno()

    def receive(self, on_datagram: OnDatagram, on_refused: OnRefused, limit: int = 64) -> bool:
        """Hand over every datagram and refusal that is ready.

        Returns:
            True if ``limit`` was reached: yield to others, then call again.

        Raises:
            OSError: if the socket is closed.
        """
        self.saw_errors, self._sent_into_errors = self._sent_into_errors, False
        recvfrom, v6, nothing_yet = self._recvfrom, self._v6, True
        for _ in range(limit):
            try:
                data, source = recvfrom(MAX_DATAGRAM)
            except BlockingIOError:
                if self._sources is not None:
                    self._sources.answered()
                if nothing_yet:  # what woke us is an error that no call reports, or one that `send` has drained
                    self.saw_errors = True
                    return drain_errors(self._socket, on_refused) == ERRORS_AT_ONCE
                return False
            except OSError as error:  # of a datagram sent earlier; under Windows WSAECONNRESET or WSAENETRESET
                if error.errno in _CLOSED:
                    raise
                self.saw_errors = True
                drain_errors(self._socket, on_refused)
                nothing_yet = False
                continue
            nothing_yet = False
            on_datagram(data, self._source(source) if v6 else _address(source))
        if self._sources is not None:
            self._sources.answered()
        return True

    def send(self, payload: bytes, destination: Address, on_refused: OnRefused) -> bool:
        """Send a datagram, or drop it if the network or its buffers don't take it now.

        Refusals of earlier datagrams that surface meanwhile are handed to ``on_refused``.

        Returns:
            False if it was dropped, which `losses` counts.

        Raises:
            OSError: if the socket is closed.
        """
        target = self._target(destination) if self._v6 or ":" in destination.host else destination
        if target is None:
            return self._drop(payload, errno.EAFNOSUPPORT)
        for _ in range(SEND_ATTEMPTS):
            try:
                self._sendto(payload, target)
                return True
            except BlockingIOError:
                return self._drop(payload, errno.EAGAIN)
            except OSError as error:
                if error.errno in _CLOSED:
                    raise
                number = error.errno or 0
                self.saw_errors = self._sent_into_errors = True
                drain_errors(self._socket, on_refused)
                if number in _OF_THIS_ONE:
                    break
        if number not in _NO_ROOM and number not in _OF_ANOTHER:
            self._troubles.unsent(destination, number)
        return self._drop(payload, number)

    def count_unsent(self, size: int, number: int) -> None:
        """Count a datagram of ``size`` bytes that was not sent, here or through another socket of the node, because of
        ``error``."""
        self._losses.refused(size, number)
        self.unsent = True

    def losses(self) -> Losses | None:
        """What the system did not send, or dropped unread, since the last call; None if nothing."""
        losses = self._losses.take()
        self.unsent = False
        if losses is not None and losses.overflowed:
            self._troubles.overflowed(losses.overflowed)
        return losses

    def trouble(self) -> Notice | None:
        """The next warning: why nothing gets to some destination, once for each, and the first time that more came than
        was read; None if there is no other."""
        return self._troubles.take()

    def speak_from(self, host: str) -> None:
        """Send from ``host``, if that is an address of this host and the socket is bound to a wildcard.

        During `receive`, what is sent to the source of a datagram is an answer, and leaves from the address that was
        asked. If the system can't do that, or the destination can't be reached from there, the kernel chooses.
        """
        if self.address.host in _WILDCARDS:
            usable = family_of(host) in self.reachable_families and is_local(host)
            self.source = host if usable else None
            if self._sources is not None:
                self._sources.prefer(self.source)

    def note_zone(self, host: str) -> None:
        """Remember the zone of a link-local host as in ``fe80::1%eth0``: addresses have none from here on."""
        if self._v6:
            self._zones.seed(host)

    def scope_of(self, host: str) -> int:
        """The number of the interface behind which a link-local host is; 0 if nothing tells, or for another host."""
        return self._zones.scope_of(host)

    def route_source(self, destination: Address) -> str | None:
        """As the function of that name, with the zone that is known of ``destination``."""
        return route_source(destination, scope_id=self.scope_of(destination.host))

    def close(self) -> None:
        """Close the socket. A second call does nothing."""
        self._socket.close()

    def _drop(self, payload: bytes, number: int) -> bool:
        self.count_unsent(len(payload), number)
        return False

    def _source(self, source: Any) -> Address:
        address = canonical(source[0], source[1])
        if source[3] and not self.scope_id:
            self._zones.heard(address.host, source[3])
        return address

    def _target(self, destination: Address) -> tuple[str, int] | tuple[str, int, int, int] | None:
        """The kernel's form of ``destination``, never a name to resolve; None if this family can't reach it."""
        host, port = destination
        if ":" not in host:
            if not self._v6:
                return destination
            return (f"::ffff:{host}", port) if self.dual_stack else None
        if not self._v6:
            return None
        return (host, port, 0, self._zones.scope_of(host)) if is_link_local(host) else destination
