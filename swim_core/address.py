"""Addresses: parsing, canonical text, and the packed form that travels in claims.

An address is a numeric IP and a port. Adapters resolve names; nothing here does. IPv4 addresses mapped into IPv6 are
unwrapped, so that a dual-stack socket and an IPv4 socket have the same address for a peer. Zone ids (``%eth0``) are
meaningful on one host only: they are cut off, and the adapter that sends adds its own again.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from .errors import ConfigError

if TYPE_CHECKING:
    from ipaddress import IPv6Address

__all__ = ["DEFAULT_PORT", "Address", "canonical", "is_loopback", "pack", "reachable", "split_host_port", "unpack"]

CACHED = 512  # the table holds the addresses of members; this cache is for strangers and busy peers
DEFAULT_PORT = 7946
"""The port at which a node listens, and at which a seed is asked, unless one is given."""


class Address(NamedTuple):
    """Where a member listens: ``host`` is a numeric IP in canonical text, ``port`` 0 to 65535.

    Equal to, and hashed like, the plain pair ``(host, port)``.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@lru_cache(maxsize=CACHED)
def canonical(host: str, port: int) -> Address:
    """The canonical form of a numeric host and a port.

    Raises:
        ConfigError: if the host is not a numeric IP or the port is outside 0 to 65535.
    """
    try:
        plain = host.partition("%")[0]
        if _quad(plain) is None:
            ip = _ipv6(plain)
            plain = str(ip.ipv4_mapped or ip)
    except (ValueError, AttributeError):
        raise ConfigError(f"{host!r} is not a numeric IP address") from None
    if not 0 <= port <= 65_535:
        raise ConfigError(f"port {port} is outside 0 to 65535")
    return Address(plain, port)


def _quad(host: str) -> bytes | None:
    """The bytes of an IPv4 address in its only form, four decimal numbers; None if it is none.

    Loading `ipaddress` takes some milliseconds of a start, and most nodes never see another address.
    """
    try:
        data = bytes(map(int, host.split(".")))
    except ValueError:
        return None
    return data if len(data) == 4 and _dotted(data) == host else None


def _dotted(data: bytes) -> str:
    return ".".join(map(str, data))


def _ipv6(host: str | bytes) -> "IPv6Address":
    """The IPv6 address in a text, or in 16 bytes. Raises ValueError if it is none."""
    from ipaddress import IPv6Address

    return IPv6Address(host)


def reachable(address: tuple[str, int]) -> Address:
    """The canonical form of an address that datagrams can be sent to.

    Raises:
        ConfigError: if it is not a pair of a numeric host and a port from 1 to 65535.
    """
    try:
        host, port = address
        known = canonical(host, port)
    except (TypeError, ValueError) as error:
        raise (
            error
            if isinstance(error, ConfigError)
            else ConfigError(f"an address is a pair of a numeric host and a port, not {address!r}")
        ) from None
    if known.port == 0:
        raise ConfigError(f"{known} has port 0; a node can only be reached at a port from 1 to 65535")
    return known


def split_host_port(text: str, default_port: int = DEFAULT_PORT) -> tuple[str, int]:
    """Split ``host``, ``host:port``, ``[v6]:port`` or a bare IPv6 address; the host may be a name.

    Raises:
        ConfigError: if there is no host, or the port is not a number from 0 to 65535.
    """
    host, colon, port = text.strip().rpartition(":")
    if text.strip().startswith("["):
        host, bracket, rest = text.strip()[1:].partition("]")
        colon, port = rest[:1], rest[1:]
        if not bracket or (rest and colon != ":"):
            raise ConfigError(f"{text!r} is not an address: write [IPv6]:PORT")
    elif not colon or ":" in host:  # no port: a name, an IPv4 address or a bare IPv6 address
        host, colon, port = text.strip(), "", ""
    if not host or any(c.isspace() for c in host):
        raise ConfigError(f"{text!r} is not an address: write HOST:PORT")
    if ":" in host:
        try:
            _ipv6(host.partition("%")[0])
        except ValueError:
            raise ConfigError(f"{text!r} is not an address: write [IPv6]:PORT") from None
    if not colon:
        return host, default_port
    if not (port.isascii() and port.isdigit() and int(port) <= 65_535):
        raise ConfigError(f"{text!r} is not an address: its port must be a number from 0 to 65535")
    return host, int(port)


@lru_cache(maxsize=CACHED)
def pack(address: Address) -> bytes:
    """The wire form: 4 or 16 bytes of IP, then the port, big-endian."""
    return (_quad(address.host) or _ipv6(address.host).packed) + address.port.to_bytes(2, "big")


@lru_cache(maxsize=CACHED)  # most members listen at the same port: one number for all of them
def _port(data: bytes) -> int:
    return int.from_bytes(data, "big")


@lru_cache(maxsize=CACHED)
def unpack(data: bytes) -> Address:
    """The address in a wire form of 6 or 18 bytes.

    Raises:
        ValueError: if the length is wrong, the port is 0, or an IPv4 address is mapped into IPv6
            (two wire forms of one address would break the order of claims).
    """
    if len(data) == 6:
        host = _dotted(data[:4])
    elif len(data) == 18:
        ip = _ipv6(data[:16])
        if ip.ipv4_mapped:
            raise ValueError("an IPv4 address wrapped in IPv6")
        host = str(ip)
    else:
        raise ValueError("an address of neither 6 nor 18 bytes")
    port = _port(data[-2:])
    if not port:
        raise ValueError("port 0")
    return Address(host, port)


def is_loopback(address: Address) -> bool:
    """Whether an address, in canonical text, belongs to this host alone.

    As a source address it can only be forged on this host: kernels drop packets from a network that have it.
    """
    return address.host.startswith("127.") or address.host == "::1"
