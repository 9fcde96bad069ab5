"""Refuses an agent that wasn't told where to listen if its seeds are on other hosts: they couldn't meet."""

import os
import shlex
import sys
from collections.abc import Iterable

from swim_core import Address, ConfigError
from swim_core.address import DEFAULT_PORT, is_loopback
from swim_core.embedding.host_port import HostPort, read_seeds
from swim_threads.lookups import numeric, resolve_within
from swim_threads.preparing import FIRST_LOOK_UP
from swim_threads.sockets.routes import is_local, route_source

from .settings import NodeSettings

__all__ = ["check_reach"]


def check_reach(node: NodeSettings) -> None:
    """Refuse to listen on loopback, the default, if all seeds are on other hosts.

    The agent never listens beyond loopback unasked, since anybody who can reach that port can forge membership.

    Raises:
        ConfigError: with the command line to type instead.
    """
    if node.bind or os.environ.get("SWIM_BIND") or node.config.listen:
        return
    seeds = _seeds(node)
    found = [addresses for addresses in map(_resolved, seeds) if addresses]
    if not found or any(_is_here(address) for addresses in found for address in addresses):
        return  # one that doesn't resolve yet may be here
    seed = found[0][0]
    source = route_source(seed)
    bind = "0.0.0.0" if source is None else source
    joins = [word for host, port in seeds for word in ("--join", _written(host, port))]
    typed = sys.argv[2:] if sys.argv[1:2] == ["agent"] else joins
    line = shlex.join(["swim", "agent", "--bind", _written(bind, DEFAULT_PORT), *typed])
    raise ConfigError(
        f"the seed {seed} is on another host, but without --bind an agent listens on 127.0.0.1, a loopback address,"
        f" which other hosts can't reach; run: {line}"
    )


def _seeds(node: NodeSettings) -> tuple[tuple[str, int], ...]:
    if node.join:
        return read_seeds("--join", node.join)
    given: Iterable[HostPort] | str = node.config.seeds or os.environ.get("SWIM_JOIN", "")
    return read_seeds("SWIM_JOIN", given)


def _resolved(seed: tuple[str, int]) -> list[Address]:
    """The IPv4 addresses of a seed, since 127.0.0.1 speaks nothing else; all if there are none."""
    address = numeric(*seed)
    if address is not None:
        return [address]
    try:
        addresses = [*resolve_within(*seed, seconds=FIRST_LOOK_UP)]
    except OSError:
        return []
    return [known for known in addresses if ":" not in known.host] or addresses


def _is_here(address: Address) -> bool:
    return is_loopback(address) or is_local(address.host)


def _written(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
