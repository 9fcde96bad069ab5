"""Binding a UDP socket, and what to tell its user if that can't be done."""

import contextlib
import errno
import socket
import sys
from typing import NamedTuple

from swim_core import Address, BindError
from swim_core.address import canonical

from .error_queue import keep_errors
from .owned import Socket
from .routes import family_of
from .zones import interface_of, is_link_local

__all__ = ["Bound", "bind"]


class Bound(NamedTuple):
    """A bound, non-blocking socket, whether it is dual-stack, and the interface of its zone (0 for none)."""

    sock: socket.socket
    dual_stack: bool
    scope_id: int


def bind(host: str, port: int) -> Bound:
    """Bind a socket; for what is passed and raised see `UdpSocket.open`."""
    address = canonical(host, port)
    family = family_of(address.host)
    try:
        scope_id = interface_of(host.partition("%")[2])
        sock = Socket(family, socket.SOCK_DGRAM)
    except OSError as error:
        raise _bind_error(address, error) from error
    try:
        dual_stack = _set_options(sock, wildcard=address.host == "::")
        sock.bind((address.host, port, 0, scope_id) if family == socket.AF_INET6 else address)
        return Bound(sock, dual_stack, scope_id)
    except OSError as error:
        sock.close()
        raise _bind_error(address, error) from error
    except BaseException:
        sock.close()
        raise


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
    keep_errors(sock, dual_stack=dual_stack)
    return dual_stack


def _bind_error(address: Address, error: OSError) -> BindError:
    if error.errno == errno.EADDRINUSE:
        reason = f"{address} is in use: choose another port, or port 0 to let the system choose a free one"
    elif error.errno == errno.EADDRNOTAVAIL:
        reason = f"{address} is not an address of this host"
    elif error.errno in (errno.EACCES, errno.EPERM):
        reason = f"binding {address} is not permitted"
    elif error.errno == errno.EINVAL and is_link_local(address.host):
        reason = f"{address} is link-local and needs its zone, as in {address.host}%eth0"
    else:
        reason = f"{address} can't be bound: {error.strerror or error}"
    return BindError(error.errno, reason)
