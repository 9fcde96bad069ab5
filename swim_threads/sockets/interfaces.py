"""The addresses of this host, by interface."""

import errno
import socket
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from swim_core import BindError, ConfigError

if TYPE_CHECKING:  # most nodes never list the addresses of their host
    from ipaddress import IPv4Address, IPv6Address

__all__ = ["LocalAddress", "likely_hosts", "local_addresses", "named_host"]

# Bridges and virtual links of container engines and hypervisors: other hosts can hardly ever reach their addresses.
INTERNAL = ("docker", "br-", "veth", "virbr", "vmnet", "vboxnet", "cni", "flannel", "cali", "lxc", "lxd", "podman")


class LocalAddress(msgspec.Struct, frozen=True):
    """One address of an interface.

    Attributes:
        interface: its name, as the system shows it.
        ip: the address, without a zone.
    """

    interface: str
    ip: "IPv4Address | IPv6Address"

    @property
    def host(self) -> str:
        """What to bind: a link-local IPv6 address needs its zone."""
        return f"{self.ip}%{self.interface}" if self.ip.version == 6 and self.ip.is_link_local else str(self.ip)


def local_addresses() -> tuple[LocalAddress, ...]:
    """All addresses, in the system's order; none if the system doesn't tell."""
    try:
        return tuple(_listed())
    except OSError:
        return ()


def likely_hosts() -> list[str]:
    """The addresses by which other hosts may know this one, the likeliest first: public ones, on no internal bridge."""
    found = [
        local
        for local in local_addresses()
        if not (local.ip.is_loopback or local.ip.is_link_local or local.ip.is_multicast or local.ip.is_unspecified)
    ]
    return [local.host for local in sorted(found, key=lambda local: (_internal(local), not local.ip.is_global))]


def named_host(name: str) -> str | None:
    """The one address of this host that ``name`` means, if that is an interface or a network (``10.0.0.0/8``).

    Of an interface it is the IPv4 address, if there is one, else the IPv6 one that others reach, else the link-local
    one.

    Returns:
        None if it is neither, but a host.

    Raises:
        BindError: if there is no such address.
        ConfigError: if there are several, or it isn't a valid network.
    """
    if "/" in name:
        found = _in_network(name)
    elif _is_interface(name):
        found = _on_interface(name)
    else:
        return None
    if len(found) == 1:
        return found[0].host
    if found:
        raise ConfigError(f"bind: {name} has several addresses, name one of them: {_listing(found)}")
    there = _listing(local_addresses()) or "none at all"
    raise BindError(errno.EADDRNOTAVAIL, f"{name} has no address of this host, which has {there}")


def _is_interface(name: str) -> bool:
    try:
        return bool(socket.if_nametoindex(name))
    except (OSError, AttributeError):  # some systems can't be asked
        return False


def _in_network(text: str) -> Sequence[LocalAddress]:
    from ipaddress import ip_network

    try:
        network = ip_network(text, strict=False)
    except ValueError as error:
        raise ConfigError(f"bind: {error}") from None
    return [local for local in local_addresses() if local.ip in network]


def _on_interface(name: str) -> Sequence[LocalAddress]:
    found = [local for local in local_addresses() if local.interface == name]
    routed = [local for local in found if local.ip.version == 6 and not local.ip.is_link_local]
    return [local for local in found if local.ip.version == 4] or routed or found


def _listing(found: Sequence[LocalAddress]) -> str:
    return ", ".join(f"{local.ip} ({local.interface})" for local in found)


def _internal(local: LocalAddress) -> bool:
    return local.interface.startswith(INTERNAL)


def _listed() -> Iterator[LocalAddress]:
    from ipaddress import ip_address

    import ifaddr  # brings ctypes, which a node that is told its addresses never needs

    for adapter in ifaddr.get_adapters():
        for entry in adapter.ips:
            host = entry.ip if isinstance(entry.ip, str) else entry.ip[0]
            yield LocalAddress(entry.nice_name, ip_address(host.partition("%")[0]))
