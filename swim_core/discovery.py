"""Settings of multicast discovery, by which members find each other without seeds."""

from math import isnan
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import force_setattr

from .address import Address, reachable, split_host_port
from .duration import Duration, seconds
from .errors import ConfigError

__all__ = ["Multicast"]

PORT = 27_946  # not a node's own default, so that a node on a wildcard and the group's listeners never compete for it


def _address(value: str | tuple[str, int]) -> Address:
    return reachable(split_host_port(value, PORT) if isinstance(value, str) else value)


def _check_group(name: str, value: Address) -> None:
    from ipaddress import ip_address  # few nodes need it

    ip = ip_address(value.host)
    if not ip.is_multicast or name != f"ipv{ip.version}":
        family = name.replace("ip", "IP")
        raise ConfigError(f"{name} must be the address of an {family} multicast group, not {value}")


def _check_interval(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or isnan(value) or value < 0.1:
        raise ConfigError(f"interval must be at least 0.1 (seconds; infinity announces once), not {value!r}")


def _check_hops(value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 255:
        raise ConfigError(f"hops must be a whole number from 1 to 255, not {value!r}")


class Multicast(msgspec.Struct, frozen=True, kw_only=True):
    """Settings by which nodes announce themselves to a multicast group, and hear the others there.

    A node uses the interface that owns its address, and its address also decides which of the two groups it uses. Both
    defaults are administratively scoped, so they stay within one organisation.

    Attributes:
        ipv4: group and port for IPv4, ``"host:port"`` or a pair; default 239.255.115.119:27946 (RFC 2365, the local
            scope).
        ipv6: group and port for IPv6; default [ff15::7377:696d]:27946 (RFC 4291, site-local scope, not assigned). A
            zone (``%eth0``) is cut off, since the node's own address determines the interface.
        interval: seconds between announcements, at least 0.1, or a `timedelta`; infinity announces
            once, at the start.
        hops: the TTL or hop limit, 1 to 255: one more than the number of routers that an announcement may pass. With 1
            it stays on the link.
    """

    ipv4: Address = Address("239.255.115.119", PORT)
    ipv6: Address = Address("ff15::7377:696d", PORT)
    interval: float = 10.0
    hops: int = 1

    if TYPE_CHECKING:  # what it takes is more than what it holds

        def __init__(
            self,
            *,
            ipv4: str | tuple[str, int] = ...,
            ipv6: str | tuple[str, int] = ...,
            interval: Duration = ...,
            hops: int = ...,
        ) -> None: ...

    def __post_init__(self) -> None:
        for name in ("ipv4", "ipv6"):
            group = _address(getattr(self, name))
            _check_group(name, group)
            force_setattr(self, name, group)
        interval = seconds(self.interval)
        _check_interval(interval)
        force_setattr(self, "interval", interval)
        _check_hops(self.hops)

    def group_for(self, address: Address) -> Address:
        """The group for a node at that address, of the same IP version."""
        return self.ipv6 if ":" in address.host else self.ipv4
