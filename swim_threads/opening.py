"""`open_node`: turns arguments into a bound socket and a running node."""

import os
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack

from swim_core import Address, BindError, ConfigError, Event, Keys, Multicast, ProtocolConfig
from swim_core.embedding.arguments import Arguments, check_listeners, read_arguments
from swim_core.embedding.host_port import HostPort

from .clock import clock
from .logs import Log
from .lookups import numeric, resolve_within
from .node import ThreadNode
from .preparing import (
    FIRST_LOOK_UP,
    advertised,
    create_node,
    deciding_seeds,
    elsewhere,
    held_keys,
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
    join: HostPort | Iterable[HostPort] | None = None,
    config: ProtocolConfig | None = None,
    advertise: HostPort | None = None,
    metadata: Mapping[str, str] | None = None,
    cluster: str | None = None,
    discover: Multicast | None = None,
    keys: Keys | str | Iterable[str] | None = None,
    key_file: str | os.PathLike[str] | None = None,
    insecure: bool | None = None,
    listeners: Iterable[Callable[[Event], object]] = (),
) -> ThreadNode:
    """Start a node: bind a UDP socket and run the protocol in a thread, until `ThreadNode.close` or ``with`` ends it.

    Returns without waiting for seeds to answer; see `ThreadNode.wait_for_members`. It only waits for names that it
    needs in order to start: those of ``bind`` and ``advertise``, for at most ten seconds, and that of the first seed,
    for at most two, if a wildcard is bound without ``advertise``.

    Args:
        bind: where to listen, ``"host:port"`` or a pair; port 0 lets the system choose. The host may also be an
            interface (``eth0``) or a network (``10.0.0.0/8``) in which this host has one address. Default:
            ``SWIM_BIND``, or 127.0.0.1:7946. A `SmudgeConfig` has its own defaults for this and for ``join``.
        name: unique in the cluster. Default: ``SWIM_NAME``, or the host's name and a random suffix.
        join: seeds, as addresses or names. They are asked until each is a member, and names are resolved again for as
            long as the node runs. Default: ``SWIM_JOIN`` (separated by commas), or none.
        config: default: `Config.from_env` with the lan preset.
        advertise: where others reach this node; without a port, at the bound one. Default: the bound address, or for a
            wildcard the source address of the route to the first seed or else of the default route.
        metadata: strings that others see in `Member.metadata`.
        cluster: the label, instead of the configuration's.
        discover: find others by `Multicast`, with or without seeds. Default: what the configuration says, which is not
            to for the native protocol. If the host doesn't support it, that is logged once.
        keys: seal datagrams, so that nobody without a key gets in or reads them (`Keys`, or their texts). Default:
            ``SWIM_KEY``, or none.
        key_file: a file of keys, one per line, instead of ``keys``. It is read again every 15 seconds, so that the
            node follows its changes. Default: ``SWIM_KEY_FILE``.
        insecure: whether it may listen beyond loopback without keys, where anybody who reaches the port can forge
            membership. Default: ``SWIM_INSECURE``, or not: such a node doesn't start. Under Smudge's protocol,
            which can't be sealed, it starts with a warning.
        listeners: functions to call with every event from the first one on, as `ThreadNode.add_listener` does.
            `on_status` and `on_broadcast` turn narrower functions into such ones.

    Returns:
        The running node.

    Raises:
        ConfigError: if the value of an argument or a variable is invalid; the message names it.
        PayloadTooLarge: if the metadata is too large.
        TypeError: if there is no such argument.
        KeyMissing: if other hosts can reach the node, and it has no key (a ConfigError, too).
        BindError: if the address can't be bound. Nothing is left behind, whatever is raised.
    """
    listeners = check_listeners(listeners)
    arguments = read_arguments(
        bind,
        name=name,
        join=join,
        config=config,
        advertise=advertise,
        metadata=metadata,
        cluster=cluster,
        discover=discover,
        keys=keys,
        key_file=key_file,
        insecure=insecure,
        environ=os.environ,
        hostname=socket.gethostname(),
        suffix=os.urandom(4).hex(),
    )
    return _open(arguments, listeners)


def _open(arguments: Arguments, listeners: Sequence[Callable[[Event], object]]) -> ThreadNode:
    log = Log("swim_threads", arguments.name)
    with ExitStack() as undo:
        bind = _bind_address(*arguments.bind)
        sock, listener = open_sockets(arguments, bind, tripwires=arguments.config.tripwires, log=log)
        undo.callback(sock.close)
        if listener is not None:
            undo.callback(listener.close)
        advertise = _advertise_address(arguments, sock)
        own = advertised(arguments, sock, advertise, _first_seed(arguments, sock), log=log)
        held, file = held_keys(arguments, log=log)
        core = create_node(arguments, own.address, held, now=clock())
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
    if file is not None:
        try:
            node._engine.watch_keys(file)
        except BaseException:
            node.close()
            raise
    return node


def _bind_address(host: str, port: int) -> tuple[str, int]:
    """The numeric form of ``host``, with its zone if it has one."""
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
    """The addresses of the first seed on another host, if they are needed now."""
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
