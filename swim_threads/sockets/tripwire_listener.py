"""The listening end of tripwires: bounded, impatient and silent.

A connection that greets is greeted and then left alone until it ends; nothing is concluded from its end. One that opens
and closes, says nothing, says something else or never reads gets nothing and costs next to nothing.
"""

import socket
from collections import Counter
from contextlib import suppress
from os import urandom
from typing import Protocol

from swim_core import TripwirePlan
from swim_core.handshake import RANDOM_SIZE, Incoming
from swim_core.shared.rate_limit import RateLimit

from .alarms import Alarms
from .keepalive import keep_place
from .tcp import TcpListener

__all__ = ["BYE", "TripwireListener", "Watcher"]

BYE = b"\x04"
"""Sent before closing: without it the end of a connection looks like the end of the process."""

MAX_CONNECTIONS = 256  # about K are in use; bounds what strangers can make this process hold open
MAX_PER_HOST = 64  # many members may share one host, but each makes only a few
NETWORK = (
    64  # bits: of IPv6 a host takes any address that it likes in a network of that size, so all of it counts as one
)
GREETING_TIMEOUT = 2.0  # seconds
PER_SECOND, AT_ONCE = 20, 40  # connections of one host; further ones are closed, so that others don't wait behind them
MAX_UNGREETED = 32  # connections that have not greeted yet; members do so at once
MAX_HOSTS = 1_024  # hosts whose recent connections are remembered
BREATHER = 1.0  # seconds without accepting, when this process is out of file descriptors
MOST = 16  # connections accepted in one go: datagrams come first


class Watcher(Protocol):
    """Knows when a socket is ready."""

    def watch(self, fd: int, *, writable: bool = False) -> None:
        """Report when ``fd`` is readable or, with ``writable``, writable; a failed connection is both."""

    def unwatch(self, fd: int) -> None:
        """Stop watching ``fd``, before it is closed."""


class _Connection:
    def __init__(self, sock: socket.socket, host: str) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.host = host
        self.handshake: Incoming | None = None
        self.greeted = False


def _counted(host: str) -> str:
    """The key under which a host's connections are counted: itself, or with IPv6 its network."""
    if ":" not in host:
        return host
    from ipaddress import IPv6Network

    return str(IPv6Network((host, NETWORK), strict=False))


class _Hosts:
    """The rates at which hosts connect, as far as they are remembered."""

    def __init__(self) -> None:
        self._rates: dict[str, RateLimit] = {}

    def allow(self, host: str, now: float) -> bool:
        """Whether another connection of a host is to be kept."""
        rate = self._rates.pop(host, None) or RateLimit(PER_SECOND, AT_ONCE)
        self._rates[host] = rate  # the latest last
        if len(self._rates) > MAX_HOSTS:
            del self._rates[next(iter(self._rates))]
        return rate.allow(now)


class TripwireListener:
    """Accepts connections, exchanges greetings, and says goodbye."""

    def __init__(self, listener: TcpListener, watcher: Watcher, alarms: Alarms, plan: TripwirePlan) -> None:
        self._listener = listener
        self._fd = listener.fileno()
        self._watcher = watcher
        self._alarms = alarms
        self._hosts = _Hosts()
        self._connections: dict[int, _Connection] = {}
        self._ungreeted: dict[int, _Connection] = {}  # those that have not greeted, the oldest first
        self._per_host: Counter[str] = Counter()
        self.tripwire_plan = plan
        """Has the greeting and the keys with which it answers."""
        watcher.watch(self._fd)

    def __len__(self) -> int:
        return len(self._connections)

    @property
    def greeted(self) -> int:
        """How many connections have greeted."""
        return len(self._connections) - len(self._ungreeted)

    def ready(self, fd: int, now: float) -> bool:
        """Handle a ready socket; False if it is none of these."""
        if fd == self._fd:
            self._accept(now)
            return True
        connection = self._connections.get(fd)
        if connection is None:
            return False
        self._read(connection)
        return True

    def close(self, *, announce: bool) -> None:
        """Close all connections; with ``announce`` the connected members learn that this is not a crash."""
        self._listener.close()
        for connection in self._connections.values():
            if announce and connection.greeted:
                with suppress(OSError):
                    connection.sock.send(BYE)
            connection.sock.close()
        self._connections.clear()
        self._ungreeted.clear()

    def _accept(self, now: float) -> None:
        """Accept waiting connections, a few at a time: a host's flood left in the kernel's queue would keep members
        waiting."""
        for _ in range(MOST):
            try:
                accepted = self._listener.accept()
            except OSError:
                self._rest(now + BREATHER)
                return
            if accepted is None:
                return
            sock, host = accepted[0], _counted(accepted[1])
            full = len(self._connections) >= MAX_CONNECTIONS or self._per_host[host] >= MAX_PER_HOST
            if not self._hosts.allow(host, now) or (full and not self._make_room(host)):
                sock.close()
            else:
                self._add(_Connection(sock, host), now)

    def _make_room(self, host: str) -> bool:
        """Let go of a connection that was greeted with a key which has been dropped since: whoever still has that key
        could hold a place indefinitely."""
        crowded = self._per_host[host] >= MAX_PER_HOST
        for connection in self._connections.values():
            if (connection.host == host or not crowded) and self._is_outdated(connection):
                with suppress(OSError):
                    connection.sock.send(BYE)
                self._drop(connection)
                return True
        return False

    def _is_outdated(self, connection: _Connection) -> bool:
        seal, handshake = self.tripwire_plan.seal, connection.handshake
        key_id = None if handshake is None else handshake.key_id
        return connection.greeted and seal is not None and key_id is not None and seal.key_of(key_id) is None

    def _rest(self, until: float) -> None:
        """Leave connections in the kernel's queue for a while; a listener still watched would be ready all the time."""
        self._watcher.unwatch(self._fd)
        self._alarms.set("accept", until, lambda _: self._watcher.watch(self._fd))

    def _add(self, connection: _Connection, now: float) -> None:
        self._connections[connection.fd] = self._ungreeted[connection.fd] = connection
        self._per_host[connection.host] += 1
        self._watcher.watch(connection.fd)
        self._alarms.set(connection, now + GREETING_TIMEOUT, lambda _: self._drop(connection))
        if len(self._ungreeted) > MAX_UNGREETED:
            (busiest, _), *_ = Counter(other.host for other in self._ungreeted.values()).most_common(1)
            self._drop(next(other for other in self._ungreeted.values() if other.host == busiest))

    def _drop(self, connection: _Connection) -> None:
        self._alarms.drop(connection)
        del self._connections[connection.fd]
        self._ungreeted.pop(connection.fd, None)
        self._per_host -= Counter([connection.host])
        self._watcher.unwatch(connection.fd)
        connection.sock.close()

    def _read(self, connection: _Connection) -> None:
        if connection.greeted:
            self._read_more(connection)
            return
        if connection.handshake is None:
            connection.handshake = Incoming(self.tripwire_plan, urandom(RANDOM_SIZE))
        handshake = connection.handshake
        while not handshake.done:
            try:
                data = connection.sock.recv(handshake.wanted)
                answer = handshake.take(data) if data else b""
                if answer:
                    connection.sock.send(answer)
            except BlockingIOError:
                return
            except (OSError, ValueError):
                data = b""
            if not data:
                self._drop(connection)
                return
        keep_place(connection.sock)
        connection.greeted = True
        del self._ungreeted[connection.fd]
        self._alarms.drop(connection)

    def _read_more(self, connection: _Connection) -> None:
        """Close a connection that says anything after the greeting, or ends."""
        try:
            connection.sock.recv(1)
        except BlockingIOError:
            return
        except OSError:
            pass
        self._drop(connection)
