"""What this host knows of addresses: which are its own, and from which one it would send where."""

import errno
import socket

from swim_core import Address, BindError
from swim_core.address import canonical

from .owned import Socket

__all__ = ["family_of", "is_local", "route_source"]

_OUTSIDE = {  # RFC 5737, 3849: only routed to, never sent to
    socket.AF_INET: "198.51.100.1",
    socket.AF_INET6: "2001:db8::1",
}
_NO_MORE_SOCKETS = {errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM}


def family_of(host: str) -> socket.AddressFamily:
    """The family of a numeric host."""
    return socket.AF_INET6 if ":" in host else socket.AF_INET


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
