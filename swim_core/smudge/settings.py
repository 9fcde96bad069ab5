"""The settings of Smudge's protocol: values, bounds, reasons, and what follows from them."""

import re
from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from math import inf
from typing import Any, TypedDict

import attrs

from swim_core.address import Address, split_host_port
from swim_core.discovery import Multicast
from swim_core.errors import ConfigError

__all__ = ["SmudgeConfigFields", "SmudgeSettings"]

DEFAULT_PORT = 9999
GROUPS = {4: "224.0.0.0", 6: "ff02::1"}
MAX_PAYLOAD = 2_000  # bytes: with header and origin it fits in the 2,048 that real nodes receive

Network = IPv4Network | IPv6Network
HostPort = str | tuple[str, int]


def _whole(default: int, low: int, high: int, unit: str) -> Any:
    """A numeric field with its bounds, which are allowed values."""

    def check(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ConfigError(f"{attribute.name} must be a whole number from {low} to {high} ({unit}), not {value!r}")

    return attrs.field(default=default, validator=check, metadata={"unit": unit, "low": low, "high": high})


def _check_cluster_name(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not isinstance(value, str) or len(value.encode(errors="surrogateescape")) > 255:
        raise ConfigError(f"{attribute.name} must be at most 255 bytes of text, not {value!r}")


def _check_ip(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    try:
        ip_address(str(value))
    except ValueError:
        raise ConfigError(f"{attribute.name} must be a numeric IP address, not {value!r}") from None


def _check_group(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    try:
        fine = value == "" or (isinstance(value, str) and ip_address(_bare(value)).is_multicast)
    except ValueError:
        fine = False
    if not fine:
        raise ConfigError(f"{attribute.name} must be the numeric address of a multicast group, not {value!r}")


def _check_bool(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not isinstance(value, bool):
        raise ConfigError(f"{attribute.name} must be True or False, not {value!r}")


def _bare(group: str) -> str:
    """A group's address without brackets and zone: the node's own address says which interface is meant."""
    return group.removeprefix("[").removesuffix("]").partition("%")[0]


def _pairs(hosts: str | Iterable[HostPort]) -> tuple[tuple[str, int], ...]:
    """Hosts and ports, each once; port 0 where none is given."""
    pairs = []
    for host in split_hosts(hosts) if isinstance(hosts, str) else hosts:
        try:
            pair = split_host_port(_without_empty_port(host), 0) if isinstance(host, str) else (host[0], host[1])
            if not isinstance(pair[0], str) or isinstance(pair[1], bool) or not 0 <= pair[1] <= 65_535:
                raise ConfigError(f"{host!r} is not a host with a port from 0 to 65535")
        except (ConfigError, TypeError, IndexError) as error:
            raise ConfigError(f"initial_hosts: {error}") from None
        pairs.append(pair)
    return tuple(dict.fromkeys(pairs))


def split_hosts(text: str) -> list[str]:
    """The parts between commas or runs of white space; empty ones are skipped."""
    return [part for part in re.split(r"\s*,\s*|\s+", text.strip()) if part]


def _without_empty_port(text: str) -> str:
    """``10.0.0.1:`` and ``[fd77::1]:`` as the original reads them: no port is given."""
    bare = text.removesuffix(":")
    return bare if ":" not in bare or bare.endswith("]") else text


def _networks(values: Iterable[str | Network]) -> tuple[Network, ...]:
    try:
        return tuple(ip_network(value) for value in values)
    except ValueError as error:
        raise ConfigError(f"allowed_sources: {error}") from None


class SmudgeConfigFields(TypedDict, total=False):
    """The fields of `SmudgeConfig`, for overrides by keyword; a test keeps the two in agreement."""

    cluster_name: str
    heartbeat_millis: int
    listen_port: int
    listen_ip: str
    initial_hosts: str | Iterable[HostPort]
    max_broadcast_bytes: int
    multicast_enabled: bool
    multicast_address: str
    multicast_port: int
    multicast_announce_interval: int
    min_ping_time: int
    ping_history_frontload: int
    event_buffer: int
    max_members: int
    allowed_sources: Iterable[str | Network]


@attrs.frozen(kw_only=True)
class SmudgeSettings:
    """Settings of Smudge's protocol. Immutable; every value is checked when the object is made.

    The first twelve are those of the original, with its defaults and units; `from_env` reads its variables.
    ``listen_port``, ``listen_ip`` and ``initial_hosts`` are the defaults for the arguments of `open_node`.

    Attributes:
        cluster_name: at most 255 bytes. It only filters multicast announcements.
        heartbeat_millis: 10 to 3,600,000 ms between two pings. With less, a node would flood the others.
        listen_port: 0 to 65535; 0 lets the system choose.
        listen_ip: numeric. It also decides whether the cluster uses IPv4 or IPv6, on which all nodes must agree.
        initial_hosts: the seeds, as pairs of a host (numeric or a name) and a port, 0 for ``listen_port``; or one text
            whose parts are separated by commas or white space.
        max_broadcast_bytes: 1 to 2,000 bytes in a broadcast, sent or received. It must be the same in the whole
            cluster, since the original drops a whole datagram if a broadcast in it is larger.
        multicast_enabled: whether to find other nodes by multicast.
        multicast_address: the group's numeric address; empty means 224.0.0.0 or [ff02::1]. A zone is cut off.
        multicast_port: the group's port, 1 to 65535.
        multicast_announce_interval: 0 to 86,400 seconds; with 0 the node announces itself once, at the start.
        min_ping_time: 0 to 10,000 ms. Shorter round trips count as this long, and none as less than 1 ms.
        ping_history_frontload: 0 to 10,000 ms, with which the history of round trips is filled at the start, if it is
            more than ``min_ping_time``.
        event_buffer: 1 to 1,000,000 events that a subscription holds before it drops the oldest.
        max_members: 2 to 1,000,000 nodes in the table, so that a hostile one can't fill the memory with names.
        allowed_sources: networks (``"10.0.0.0/8"``) from which datagrams are accepted; empty for all. The protocol has
            no authentication: anybody who can send to a node can forge anything.
    """

    cluster_name: str = attrs.field(default="smudge", validator=_check_cluster_name)
    heartbeat_millis: int = _whole(500, 10, 3_600_000, "ms")
    listen_port: int = _whole(DEFAULT_PORT, 0, 65_535, "a port")
    listen_ip: str = attrs.field(default="127.0.0.1", validator=_check_ip)
    initial_hosts: tuple[tuple[str, int], ...] = attrs.field(default=(), converter=_pairs)
    max_broadcast_bytes: int = _whole(256, 1, MAX_PAYLOAD, "bytes")
    multicast_enabled: bool = attrs.field(default=True, validator=_check_bool)
    multicast_address: str = attrs.field(default="", validator=_check_group)
    multicast_port: int = _whole(9998, 1, 65_535, "a port")
    multicast_announce_interval: int = _whole(10, 0, 86_400, "seconds")
    min_ping_time: int = _whole(150, 0, 10_000, "ms")
    ping_history_frontload: int = _whole(200, 0, 10_000, "ms")
    event_buffer: int = _whole(1_024, 1, 1_000_000, "events")
    max_members: int = _whole(16_384, 2, 1_000_000, "members")
    allowed_sources: tuple[Network, ...] = attrs.field(default=(), converter=_networks)

    @property
    def interval(self) -> float:
        """Seconds between two pings."""
        return self.heartbeat_millis / 1000

    @property
    def listen(self) -> tuple[str, int]:
        """``listen_ip`` and ``listen_port``."""
        return self.listen_ip, self.listen_port

    @property
    def seeds(self) -> tuple[tuple[str, int], ...]:
        """``initial_hosts`` with their ports."""
        return tuple((host, port or self.listen_port or DEFAULT_PORT) for host, port in self.initial_hosts)

    @property
    def join_backoff_max(self) -> float:
        """The longest wait between two attempts at a seed: 60 s."""
        return 60.0

    @property
    def tripwires(self) -> bool:
        """Always False: this protocol has none."""
        return False

    @property
    def discovery(self) -> Multicast | None:
        """The group to which nodes announce themselves; None unless ``multicast_enabled``."""
        if not self.multicast_enabled:
            return None
        groups = dict(GROUPS)
        if self.multicast_address:
            group = ip_address(_bare(self.multicast_address))
            groups[group.version] = str(group)
        port = self.multicast_port
        return Multicast(
            ipv4=Address(groups[4], port),
            ipv6=Address(groups[6], port),
            interval=self.multicast_announce_interval or inf,
        )
