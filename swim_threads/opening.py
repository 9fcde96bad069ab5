"""`open_node`: from arguments to a bound socket and a running node."""

import os
import secrets
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack

from swim_core import Address, BindError, ConfigError, Event, Multicast, ProtocolConfig
from swim_core.embedding.arguments import Arguments, HostPort, check_listeners, read_arguments

from .engine import clock
from .logs import Log
from .lookups import numeric, resolve_within
from .node import ThreadNode
from .preparing import (
    FIRST_LOOK_UP,
    advertised,
    create_node,
    deciding_seeds,
    elsewhere,
    named_host,
    no_more_sockets,
    open_multicast,
    open_sockets,
)
from .sockets.udp import UdpSocket

__all__ = ["open_node"]


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
    listeners: Iterable[Callable[[Event], object]] = (),
) -> ThreadNode:
    """Start a node: bind a UDP socket and run the protocol in a thread, until `ThreadNode.close` or ``with`` ends it.

    Returns at once, before any seed has answered; see `ThreadNode.wait_for_members`. It waits only for names
    to resolve that are needed to begin: those of ``bind`` and ``advertise``, ten seconds at most, and the first
    seed's, where a wildcard is bound without ``advertise``, for two.

    Args:
        bind: where to listen, ``"host:port"`` or a pair; port 0 lets the system choose. The host may also be an
            interface (``eth0``) or a network (``10.0.0.0/8``) with one address of this host. Default ``SWIM_BIND``,
            else 127.0.0.1:7946. A `SmudgeConfig` has defaults of its own for this and ``join``.
        name: unique in the cluster. Default ``SWIM_NAME``, else the host's name and a random suffix.
        join: seeds, addresses or names; asked until each is a member, and names resolved anew for ever. Default
            ``SWIM_JOIN`` (separated by commas), else none.
        config: default `Config.from_env` on the lan preset.
        advertise: under what others reach this node, without a port the bound one. Default the bound address;
            for a wildcard the source address of the route to the first seed, else of the default route.
        metadata: strings that others see in `Member.metadata`.
        cluster: the label, in place of the configuration's.
        discover: find others by `Multicast`, without seeds or beside them. Default what the configuration
            says, which for the native protocol is not to. Where the host can't, that is logged once.
        listeners: functions to call with every event, the first included; as `ThreadNode.add_listener` does.
            `on_status` and `on_broadcast` make such functions of narrower ones.

    Raises:
        ConfigError: if an argument or a variable can't be used; the message names it.
        PayloadTooLarge: if the metadata is over its limit.
        BindError: if the address can't be had. Whatever is raised, nothing is left behind.
    """
    listeners = tuple(listeners)
    check_listeners(listeners)
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
    log = Log("swim_threads", arguments.name)
    with ExitStack() as undo:
        bind = _bind_address(*arguments.bind)
        sock, listener = open_sockets(arguments, bind, tripwires=arguments.config.tripwires, log=log)
        undo.callback(sock.close)
        if listener is not None:
            undo.callback(listener.close)
        advertise = _advertise_address(arguments, sock)
        own = advertised(arguments, sock, advertise, _first_seed(arguments, sock), log=log)
        core = create_node(arguments, own.address, now=clock())
        multicast = open_multicast(arguments, sock, own.address, log=log)
        if multicast is not None:
            undo.callback(multicast.close)
        with no_more_sockets(sock.address):
            node = ThreadNode(
                core,
                sock,
                seeds=arguments.join,
                event_buffer=arguments.config.event_buffer,
                backoff_max=arguments.config.join_backoff_max,
                own_address=own,
                multicast=multicast,
                listener=listener,
                log=log,
                listeners=listeners,
            )
        undo.pop_all()
    return node


def _bind_address(host: str, port: int) -> tuple[str, int]:
    """``host`` as a numeric one, with its zone if it has one."""
    if numeric(host, port) is not None:
        return host, port
    if (local := named_host(host)) is not None:
        return local, port
    try:
        return resolve_within(host, port)[0]
    except OSError as error:
        raise BindError(error.errno, f"{host!r}, the host to listen on, does not resolve: {error.strerror}") from error


def _advertise_address(arguments: Arguments, sock: UdpSocket) -> Address | None:
    if arguments.advertise is None:
        return None
    host, port = arguments.advertise
    try:
        return numeric(host, port) or resolve_within(host, port, sock.reachable_families)[0]
    except OSError as error:
        raise ConfigError(f"advertise: {host!r} does not resolve: {error.strerror}") from error


def _first_seed(arguments: Arguments, sock: UdpSocket) -> Sequence[Address]:
    """The addresses of the first seed on another host, where they are needed now."""
    until = clock() + FIRST_LOOK_UP
    for host, port in deciding_seeds(arguments, sock):
        address = numeric(host, port)
        try:
            seconds = max(0.0, until - clock())
            found = (address,) if address is not None else resolve_within(host, port, sock.reachable_families, seconds)
        except OSError:
            return ()  # it is looked up again in the background, with a warning
        if there := elsewhere(host, found):
            return there
    return ()
