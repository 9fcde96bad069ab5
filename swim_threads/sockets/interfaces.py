"""The addresses of this host, by interface."""

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address, ip_address

import attrs

__all__ = ["LocalAddress", "likely_hosts", "local_addresses"]

# Bridges and ends of wires that container engines and hypervisors make: other hosts hardly ever reach what is there.
INTERNAL = ("docker", "br-", "veth", "virbr", "vmnet", "vboxnet", "cni", "flannel", "cali", "lxc", "lxd", "podman")


@attrs.frozen
class LocalAddress:
    """One address of an interface.

    Attributes:
        interface: its name, as the system shows it.
        ip: the address, without a zone.
    """

    interface: str
    ip: IPv4Address | IPv6Address

    @property
    def host(self) -> str:
        """What to bind: a link-local IPv6 address needs its zone."""
        return f"{self.ip}%{self.interface}" if self.ip.version == 6 and self.ip.is_link_local else str(self.ip)


def local_addresses() -> tuple[LocalAddress, ...]:
    """All of them, in the system's order; none if the system doesn't tell."""
    try:
        return tuple(_listed())
    except OSError:
        return ()


def likely_hosts() -> list[str]:
    """Those that other hosts may know this one by, the likeliest first: on no internal bridge, and public ones."""
    found = [
        local
        for local in local_addresses()
        if not (local.ip.is_loopback or local.ip.is_link_local or local.ip.is_multicast or local.ip.is_unspecified)
    ]
    return [local.host for local in sorted(found, key=lambda local: (_internal(local), not local.ip.is_global))]


def _internal(local: LocalAddress) -> bool:
    return local.interface.startswith(INTERNAL)


def _listed() -> Iterator[LocalAddress]:
    import ifaddr  # brings ctypes, which a node that is told its addresses never needs

    for adapter in ifaddr.get_adapters():
        for entry in adapter.ips:
            host = entry.ip if isinstance(entry.ip, str) else entry.ip[0]
            yield LocalAddress(entry.nice_name, ip_address(host.partition("%")[0]))
