"""Advice about an address that can't be bound, in terms of the command line."""

import errno

from swim_core import BindError
from swim_core.address import split_host_port

from .choices import Protocol

__all__ = ["advised"]

LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "::1"}
PRIVILEGED = 1_024  # the first port that every user may have, by default


def advised(error: BindError, protocol: Protocol) -> BindError:
    """The error of a node with advice in place of the library's own words. Other errors stay as they are."""
    message = str(error.strerror)
    if message.startswith("http"):  # it has its own advice
        return error
    match error.errno:
        case errno.EADDRINUSE:
            return BindError(error.errno, _join_it(message.split()[0], protocol))
        case errno.EADDRNOTAVAIL if message.startswith("["):
            return BindError(error.errno, f"{message} (an IPv6 address with a port is written [::1]:7946)")
        case errno.EACCES | errno.EPERM if _privileged(message.split()[1]):
            return BindError(error.errno, f"{message}: use a port from {PRIVILEGED} up, or 0 for any free one")
    return error


def _join_it(address: str, protocol: Protocol) -> str:
    """A second agent on the same machine is most likely meant to join the first."""
    host, port = split_host_port(address)
    command = "swim agent" if protocol is Protocol.NATIVE else f"swim agent --protocol {protocol}"
    seed = _written(LOOPBACK.get(host, host), port)
    return f"{address} is in use; to join the member there, run: {command} --bind {_written(host, 0)} --join {seed}"


def _written(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _privileged(address: str) -> bool:
    return 0 < split_host_port(address)[1] < PRIVILEGED
