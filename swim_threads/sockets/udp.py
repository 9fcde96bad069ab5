"""One UDP socket: non-blocking, drained robustly, with its ICMP errors attributed to datagrams.

The delicate part is Linux's error queue. It reports a refused datagram within a millisecond. But until it is emptied,
the socket stays readable (a busy loop), its entries use up the receive buffer, and the next call of any kind fails once
with the error of an earlier datagram to somebody else. On platforms without such a queue only speed is lost. macOS and
Windows are simulated in tests, and were never run.
"""

import contextlib
import errno
import logging
import os
import socket
import struct
import sys
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any

from swim_core import Address, BindError, ConfigError, Losses
from swim_core.address import canonical, is_loopback
from swim_core.embedding.log_messages import WARNING, Notice

from .losses import LossCounts
from .owned import Socket, take_over
from .sources import Sources

__all__ = ["OnDatagram", "OnRefused", "UdpSocket", "family_of", "is_local", "route_source"]

OnDatagram = Callable[[bytes, Address], None]
"""Called with the bytes and the source of a datagram."""

OnRefused = Callable[[Address, bytes], None]
"""Called with the destination of a datagram that a port-unreachable quotes, and the beginning of it."""

LINUX = sys.platform == "linux"
# from <linux/in.h>, <linux/in6.h>, <linux/socket.h>: Python names not all of them before 3.14, nor elsewhere
IP_RECVERR = 11
IPV6_RECVERR = 25
MSG_ERRQUEUE = 0x2000
_ERROR_LEVELS = {(socket.IPPROTO_IP, IP_RECVERR), (socket.IPPROTO_IPV6, IPV6_RECVERR)}
_EXTENDED_ERROR = struct.Struct("=IBBBBII")  # sock_extended_err: errno origin type code pad info data
_FROM_ICMP = {2, 3}  # its origin: ICMP, ICMPv6; a port-unreachable is the one that gives ECONNREFUSED

MAX_DATAGRAM = 65_536  # more than UDP carries; 256 KiB, which asyncio asks for, costs six times the time
QUOTED = 256  # bytes of a refused datagram to read: enough to recognise it
ERRORS_AT_ONCE = 256  # above what the default receive buffer holds of them, so that one go empties the queue
TROUBLES = 8  # destinations about which there are warnings: if nothing leaves the host at all, more would add nothing
MAX_SCOPES = 4_096  # link-local hosts whose interface is remembered
SEND_ATTEMPTS = 3  # each failure may be another datagram's error, in which case this one was not sent
_CLOSED = {errno.EBADF, errno.ENOTSOCK}
_NO_ROOM = {errno.ENOBUFS, errno.ENOMEM}  # for a datagram, just now
_OF_THIS_ONE = {errno.EPERM, *_NO_ROOM}  # errors that no ICMP message causes, so they are not an earlier datagram's
_NO_MORE_SOCKETS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}
logger = logging.getLogger("swim_threads.sockets")
_address = partial(tuple.__new__, Address)  # from a pair, in one step less than by name

_WILDCARDS = {"0.0.0.0", "::"}
_OUTSIDE = {
    socket.AF_INET: "198.51.100.1",
    socket.AF_INET6: "2001:db8::1",
}  # RFC 5737, 3849: only routed to, never sent to


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
        self._scopes: dict[str, int] = {}  # of link-local hosts
        self._likely_scope = scope_id  # of one that only others have told of
        self.dual_stack = dual_stack
        self.source: str | None = None
        self.saw_errors = False
        self.unsent = False
        self._out_of_reach: set[Address] = set()
        self._troubles: deque[Notice] = deque()
        self._losses = LossCounts(sock)
        self._overflowed = False
        self._sent_into_errors = False
        host, port = sock.getsockname()[:2]
        self.address = canonical(host, port)
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
        address = canonical(host, port)
        family = family_of(address.host)
        try:
            scope_id = _scope_id(host.partition("%")[2])
            sock = Socket(family, socket.SOCK_DGRAM)
        except OSError as error:
            raise _bind_error(address, error) from error
        try:
            dual_stack = _set_options(sock, wildcard=address.host == "::")
            sock.bind((address.host, port, 0, scope_id) if family == socket.AF_INET6 else address)
            return cls(sock, dual_stack=dual_stack, scope_id=scope_id)
        except OSError as error:
            sock.close()
            raise _bind_error(address, error) from error
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
            _hear_of_refusals(sock, dual_stack=dual_stack)
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
                    return self._drain_errors(on_refused) == ERRORS_AT_ONCE
                return False
            except OSError as error:  # of a datagram sent earlier; under Windows WSAECONNRESET or WSAENETRESET
                if error.errno in _CLOSED:
                    raise
                self.saw_errors = True
                self._drain_errors(on_refused)
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
                self._drain_errors(on_refused)
                if number in _OF_THIS_ONE:
                    break
        if number not in _NO_ROOM:
            self._note(destination, number)
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
        if losses is not None and losses.overflowed and not self._overflowed:
            self._overflowed = True
            self._troubles.append(_overflow(losses.overflowed, self._socket))
        return losses

    def trouble(self) -> Notice | None:
        """The next warning: why nothing gets to some destination, once for each, and the first time that more came than
        was read; None if there is no other."""
        return self._troubles.popleft() if self._troubles else None

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
        name, _, zone = host.partition("%")
        if zone and self._v6:
            with contextlib.suppress(OSError, ConfigError):  # no such interface; the seed stays out of reach
                self._likely_scope = _scope_id(zone)
                self._keep_scope(canonical(name, 0).host, self._likely_scope)

    def scope_of(self, host: str) -> int:
        """The number of the interface behind which a link-local host is; 0 if nothing tells, or for another host."""
        return self._scopes.get(host, self._likely_scope) if _is_link_local(host) else 0

    def route_source(self, destination: Address) -> str | None:
        """As the function of that name, with the zone that is known of ``destination``."""
        return route_source(destination, scope_id=self.scope_of(destination.host))

    def close(self) -> None:
        """Close the socket. A second call does nothing."""
        self._socket.close()

    def _drop(self, payload: bytes, number: int) -> bool:
        self.count_unsent(len(payload), number)
        return False

    def _note(self, destination: Address, number: int) -> None:
        if destination in self._out_of_reach or len(self._out_of_reach) == TROUBLES:
            return
        self._out_of_reach.add(destination)
        reason = f"nothing sent to {destination} leaves this host: {os.strerror(number)}"
        if is_loopback(self.address) and not is_loopback(destination):
            wildcard = "[::]" if self._v6 else "0.0.0.0"
            source = None
            with contextlib.suppress(BindError):  # no more descriptors
                source = route_source(destination)
            reason += (
                f": this node is bound to {self.address.host}, a loopback address, which reaches its own host only;"
                f" bind {source or 'an address of the network'}, or {wildcard}"
            )
        self._troubles.append(Notice(WARNING, "settings", reason, {"event": "unsendable"}))

    def _source(self, source: Any) -> Address:
        address = canonical(source[0], source[1])
        if source[3] and not self.scope_id:
            self._keep_scope(address.host, source[3])
        return address

    def _keep_scope(self, host: str, scope_id: int) -> None:
        if self._scopes.get(host) != scope_id:
            if len(self._scopes) >= MAX_SCOPES:  # sources can be forged
                del self._scopes[next(iter(self._scopes))]
            self._scopes[host] = scope_id

    def _target(self, destination: Address) -> tuple[str, int] | tuple[str, int, int, int] | None:
        """The kernel's form of ``destination``, never a name to resolve; None if this family can't reach it."""
        host, port = destination
        if ":" not in host:
            if not self._v6:
                return destination
            return (f"::ffff:{host}", port) if self.dual_stack else None
        if not self._v6:
            return None
        return (host, port, 0, self.scope_of(host)) if _is_link_local(host) else destination

    def _drain_errors(self, on_refused: OnRefused) -> int:
        """Empty the error queue; returns how many entries there were, at most `ERRORS_AT_ONCE`."""
        if not LINUX:
            return 0
        for count in range(ERRORS_AT_ONCE):
            try:
                quoted, ancillary, _, destination = self._socket.recvmsg(QUOTED, 256, MSG_ERRQUEUE)
            except OSError:  # EAGAIN: empty
                return count
            for level, kind, data in ancillary:
                if (level, kind) in _ERROR_LEVELS and len(data) >= _EXTENDED_ERROR.size:
                    number, origin, *_ = _EXTENDED_ERROR.unpack_from(data)
                    if number == errno.ECONNREFUSED and origin in _FROM_ICMP:
                        on_refused(canonical(destination[0], destination[1]), quoted)
        return ERRORS_AT_ONCE


def route_source(destination: Address | None, family: int = socket.AF_INET, *, scope_id: int = 0) -> str | None:
    """The address from which this host would send to ``destination`` or, if None, by the default route of ``family``.

    Nothing is sent: connecting a UDP socket only asks the routing table.

    Returns:
        A numeric host, or None if there is no route.

    Raises:
        BindError: if no socket can be had to ask with.
    """
    host, port = destination or (_OUTSIDE[socket.AddressFamily(family)], 9)
    try:
        with Socket(family_of(host), socket.SOCK_DGRAM) as sock:
            target = (host, port or 9)  # some systems refuse port 0; 9 is "discard"
            sock.connect((*target, 0, scope_id) if scope_id else target)
            return canonical(sock.getsockname()[0], 0).host
    except OSError as error:
        _check_room(error)
        return None


def is_local(host: str) -> bool:
    """Whether ``host``, numeric, is an address of this host: one that a socket can be bound to.

    Raises:
        BindError: if no socket can be had to ask with.
    """
    try:
        with Socket(family_of(host), socket.SOCK_DGRAM) as sock:
            sock.bind((host, 0))
            return True
    except OSError as error:
        _check_room(error)
        return False


def _check_room(error: OSError) -> None:
    if error.errno in _NO_MORE_SOCKETS:
        reason = f"the addresses of this host can't be checked: {error.strerror}"
        raise BindError(error.errno, reason) from error


def family_of(host: str) -> socket.AddressFamily:
    """The family of a numeric host."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


def _is_link_local(host: str) -> bool:
    return host.startswith(("fe8", "fe9", "fea", "feb"))  # fe80::/10, in canonical text


def _scope_id(zone: str) -> int:
    if not zone:
        return 0
    return int(zone) if zone.isascii() and zone.isdigit() else socket.if_nametoindex(zone)


def _set_options(sock: socket.socket, *, wildcard: bool) -> bool:
    """Set what must be set before binding; returns whether the socket is dual-stack."""
    sock.setblocking(False)
    if sys.platform == "win32":  # otherwise another process may take over the port
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_EXCLUSIVEADDRUSE, 1)
    dual_stack = False
    if sock.family == socket.AF_INET6:
        with contextlib.suppress(OSError):  # some systems have no dual stack
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, not wildcard)
            dual_stack = wildcard
    _hear_of_refusals(sock, dual_stack=dual_stack)
    return dual_stack


def _hear_of_refusals(sock: socket.socket, *, dual_stack: bool) -> None:
    """Have the kernel keep errors with the datagrams that caused them, if it can."""
    if LINUX:
        try:
            if sock.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)
            if sock.family == socket.AF_INET or dual_stack:
                sock.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
        except OSError as error:  # sandboxes and other systems that pass for Linux
            logger.debug("no error queue, so that refusals are found later: %s", error.strerror or error)


def _overflow(count: int, sock: socket.socket) -> Notice:
    room = sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    text = (
        f"{count} datagrams were lost, since the receive buffer ({room} bytes) was full: this process reads too slowly,"
        " or too many came at once (net.core.rmem_default makes it larger)"
    )
    return Notice(WARNING, "settings", text, {"event": "overflowed", "count": count})


def _bind_error(address: Address, error: OSError) -> BindError:
    if error.errno == errno.EADDRINUSE:
        reason = f"{address} is in use: choose another port, or port 0 to let the system choose a free one"
    elif error.errno == errno.EADDRNOTAVAIL:
        reason = f"{address} is not an address of this host"
    elif error.errno in (errno.EACCES, errno.EPERM):
        reason = f"binding {address} is not permitted"
    elif error.errno == errno.EINVAL and _is_link_local(address.host):
        reason = f"{address} is link-local and needs its zone, as in {address.host}%eth0"
    else:
        reason = f"{address} can't be bound: {error.strerror or error}"
    return BindError(error.errno, reason)
