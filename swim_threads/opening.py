"""`open_node`: from arguments to a bound socket and a running node."""

import logging
import os
import secrets
import socket
import time
from collections.abc import Iterable, Mapping
from contextlib import ExitStack

from swim_core import Address, BindError, ConfigError, Multicast, ProtocolConfig, ProtocolNode
from swim_core.arguments import Arguments, HostPort, advertised_address, exposure_warning, is_wildcard, read_arguments

from .engine import clock
from .multicast import MulticastSocket
from .node import ThreadNode
from .resolver import numeric, resolve
from .tcp import open_pair
from .udp import UdpSocket, route_source

__all__ = ["open_node"]

logger = logging.getLogger("swim_threads")


def open_node(
    bind: HostPort | None = None,
    *,
    name: str | None = None,
    join: str | Iterable[HostPort] | None = None,
    config: ProtocolConfig | None = None,
    advertise: HostPort | None = None,
    metadata: Mapping[str, str] | None = None,
    cluster: str | None = None,
    discover: Multicast | None = None,
) -> ThreadNode:
    """Start a node: bind a UDP socket and run the protocol in a thread, until `ThreadNode.close` or ``with`` ends it.

    Returns at once, before any seed has answered; see `ThreadNode.wait_for_members`. It waits only for names
    to resolve that are needed to begin: those of ``bind`` and ``advertise``, and the first seed's where a
    wildcard is bound without ``advertise``.

    Args:
        bind: where to listen, ``"host:port"`` or a pair; port 0 lets the system choose. Default ``SWIM_BIND``,
            else 127.0.0.1:7946. A `SmudgeConfig` has defaults of its own for this and ``join``.
        name: unique in the cluster. Default ``SWIM_NAME``, else the host's name and a random suffix.
        join: seeds, addresses or names; asked, and names resolved anew, until each is a member. Default
            ``SWIM_JOIN`` (separated by commas), else none.
        config: default `Config.from_env` on the lan preset.
        advertise: under what others reach this node, without a port the bound one. Default the bound address;
            for a wildcard the source address of the route to the first seed, else of the default route.
        metadata: strings that others see in `Member.metadata`.
        cluster: the label, in place of the configuration's.
        discover: find others by `Multicast`, without seeds or beside them. Default what the configuration
            says, which for the native protocol is not to. Where the host can't, that is logged once.

    Raises:
        ConfigError: if an argument or a variable can't be used; the message names it.
        PayloadTooLarge: if the metadata is over its limit.
        BindError: if the address can't be had. Whatever is raised, nothing is left behind.
    """
    arguments = read_arguments(
        bind,
        name=name,
        join=join,
        config=config,
        advertise=advertise,
        metadata=metadata,
        cluster=cluster,
        discover=discover,
        environ=os.environ,
        hostname=socket.gethostname(),
        suffix=secrets.token_hex(4),
    )
    with ExitStack() as undo:
        sock, listener, notice = open_pair(*_bind_address(*arguments.bind), tcp=arguments.config.tripwires)
        undo.callback(sock.close)
        if listener is not None:
            undo.callback(listener.close)
        if notice is not None:
            logger.warning("%s: no tripwires, so that crashes are found later: %s", arguments.name, notice)
        core = _create(arguments, sock)
        multicast = _multicast(arguments, sock, core.local.address)
        if multicast is not None:
            undo.callback(multicast.close)
        buffer = arguments.config.event_buffer
        node = ThreadNode(core, sock, seeds=arguments.join, event_buffer=buffer, multicast=multicast, listener=listener)
        undo.pop_all()
    return node


def _bind_address(host: str, port: int) -> tuple[str, int]:
    """``host`` as a numeric one, with its zone if it has one."""
    if numeric(host, port) is not None:
        return host, port
    try:
        return resolve(host, port)[0]
    except OSError as error:
        raise BindError(error.errno, f"{host!r}, the host to listen on, does not resolve: {error.strerror}") from error


def _create(arguments: Arguments, sock: UdpSocket) -> ProtocolNode:
    """Make the protocol's node, known under the address that others are to use."""
    advertise = _advertise_address(arguments, sock)
    seeds = () if advertise else _first_seed(arguments, sock)
    chosen = advertised_address(sock.address, advertise, seeds, dual_stack=sock.dual_stack, route_source=route_source)
    node = arguments.config.create_node(
        arguments.name,
        chosen.address,
        now=clock(),
        entropy=os.urandom(32),
        unix_ms=time.time_ns() // 1_000_000,
        metadata=arguments.metadata,
    )
    if chosen.notice is not None:
        logger.log(logging.WARNING if chosen.doubtful else logging.INFO, "%s: %s", arguments.name, chosen.notice)
    if (warning := exposure_warning(sock.address)) is not None:
        logger.warning("%s: %s", arguments.name, warning)
    return node


def _multicast(arguments: Arguments, sock: UdpSocket, advertised: Address) -> MulticastSocket | None:
    if arguments.discover is None:
        return None
    try:
        return MulticastSocket.open(arguments.discover, sock, advertised)
    except OSError as error:
        logger.warning("%s: no discovery by multicast: %s", arguments.name, error.strerror or error)
        return None


def _advertise_address(arguments: Arguments, sock: UdpSocket) -> Address | None:
    if arguments.advertise is None:
        return None
    host, port = arguments.advertise
    try:
        return numeric(host, port) or resolve(host, port, sock.reachable_families)[0]
    except OSError as error:
        raise ConfigError(f"advertise: {host!r} does not resolve: {error.strerror}") from error


def _first_seed(arguments: Arguments, sock: UdpSocket) -> tuple[Address, ...]:
    """The addresses of the first seed, where they are needed now: the route to it decides what a wildcard means."""
    if not arguments.join or not is_wildcard(sock.address):
        return ()
    address = numeric(*arguments.join[0])
    if address is not None:
        return (address,)
    try:
        return resolve(*arguments.join[0], sock.reachable_families)
    except OSError:
        return ()  # the resolver thread tries again and warns
