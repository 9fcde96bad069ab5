"""Reads addresses as applications give them: "host:port" or a pair, one or several, names and networks included."""

import re
from collections.abc import Iterable

from swim_core.address import split_host_port
from swim_core.errors import ConfigError

__all__ = ["HostPort", "read_host_port", "read_listen", "read_seeds"]

HostPort = str | tuple[str, int]
"""``"host:port"`` (``"[v6]:port"``; without a port 7946) or a pair; the host may be a name."""

NETWORK = re.compile(r"(?:\[([^][/]+/[0-9]+)\]|([^][/]+/[0-9]+))(:.*)?")


def read_host_port(source: str, value: HostPort, **default: int) -> tuple[str, int]:
    """``value`` as a pair.

    Raises:
        ConfigError: if it can't be used; the message names ``source``.
    """
    try:
        if isinstance(value, str):
            return split_host_port(value, **default)
        host, port = value
        if not isinstance(host, str) or isinstance(port, bool) or not isinstance(port, int):
            raise TypeError
        if not host or not 0 <= port <= 65_535:
            raise ConfigError(f"{value!r} is not an address: give a host and a port from 0 to 65535")
    except ConfigError as error:
        raise ConfigError(f"{source}: {error}") from None
    except (TypeError, ValueError):
        raise ConfigError(f'{source}: give "HOST:PORT" or (host, port), not {value!r}') from None
    return host, port


def read_listen(source: str, value: HostPort) -> tuple[str, int]:
    """Where to listen: as `read_host_port`, and the host may be a network (``10.0.0.0/8:7946``, ``[fd00::/8]:7946``).

    Raises:
        ConfigError: if it can't be used; the message names ``source``.
    """
    if not isinstance(value, str) or "/" not in value:
        return read_host_port(source, value)
    from ipaddress import ip_network  # few nodes need it

    found = NETWORK.fullmatch(value.strip())
    try:
        network = ip_network(found[1] or found[2] if found else value, strict=False)
    except ValueError as error:
        raise ConfigError(f"{source}: {error}") from None
    return str(network), read_host_port(source, f"network{(found and found[3]) or ''}")[1]


def read_seeds(source: str, values: HostPort | Iterable[HostPort]) -> tuple[tuple[str, int], ...]:
    """Seeds as pairs, each once, from one or several pairs or "host:port", also in one comma-separated string.

    Raises:
        ConfigError: if one can't be used; the message names ``source``.
    """
    if isinstance(values, tuple) and len(values) == 2 and isinstance(values[1], int):
        values = [values]
    elif not isinstance(values, Iterable):
        raise ConfigError(f'{source}: give "HOST:PORT", (host, port), or a list of these, not {values!r}')
    elif isinstance(values, str):
        values = [part for part in values.split(",") if part.strip()]
    seeds = [read_host_port(source, value) for value in values]
    for host, port in seeds:
        if not port:
            raise ConfigError(f"{source}: a seed can't have port 0: {host}:0")
    return tuple(dict.fromkeys(seeds))
