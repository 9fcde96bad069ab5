"""The zones of link-local hosts, as in ``fe80::1%eth0``: the interface to reach them by, which addresses here lack."""

import contextlib
import socket

from swim_core import ConfigError
from swim_core.address import canonical

__all__ = ["Zones", "interface_of", "is_link_local"]

MAX_HOSTS = 4_096  # whose interface is remembered


class Zones:
    """What one socket knows of zones. An interface's number is 0 where nothing tells it."""

    def __init__(self, own: int) -> None:
        """``own`` is the number of the interface that the socket is bound to, or 0."""
        self._interfaces: dict[str, int] = {}
        self._likely = own  # of a host that only others have told of

    def seed(self, host: str) -> None:
        """Remember the zone of a seed, if it has one. Hosts of which nothing else is known are likely there, too."""
        name, _, zone = host.partition("%")
        if zone:
            with contextlib.suppress(OSError, ConfigError):  # no such interface; the seed stays out of reach
                self._likely = interface_of(zone)
                self.heard(canonical(name, 0).host, self._likely)

    def heard(self, host: str, interface: int) -> None:
        """Remember through which interface a datagram came."""
        if self._interfaces.get(host) != interface:
            if len(self._interfaces) >= MAX_HOSTS:  # sources can be forged
                del self._interfaces[next(iter(self._interfaces))]
            self._interfaces[host] = interface

    def scope_of(self, host: str) -> int:
        """The number of the interface behind which a link-local host is; 0 if nothing tells, or for another host."""
        return self._interfaces.get(host, self._likely) if is_link_local(host) else 0


def is_link_local(host: str) -> bool:
    """Whether a canonical host is in fe80::/10."""
    return host.startswith(("fe8", "fe9", "fea", "feb"))


def interface_of(zone: str) -> int:
    """The number of the interface that ``zone`` names, by its name or its number; 0 for an empty zone.

    Raises:
        OSError: if there is none of that name.
    """
    if not zone:
        return 0
    return int(zone) if zone.isascii() and zone.isdigit() else socket.if_nametoindex(zone)
