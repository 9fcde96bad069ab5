"""`open_node`: turns arguments into a running node, and ends it whatever happens in between."""

import os
import socket
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Literal

import anyio
import anyio.lowlevel

from swim_core import Address, BindError, ConfigError, Keys, Multicast, NodeCrashed, ProtocolConfig
from swim_core.embedding.arguments import Arguments, check_listeners, read_arguments
from swim_core.embedding.host_port import HostPort
from swim_threads.clock import clock
from swim_threads.logs import HASTE, PATIENCE, DirectWriter, Log, log_writer
from swim_threads.lookups import numeric
from swim_threads.preparing import (
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
from swim_threads.sockets.udp import UdpSocket

from . import simulation_hook
from .base import BaseEngine
from .drivers import current_driver
from .epoll_watcher import EpollWatcher
from .listeners import Call
from .lookups import look_up
from .loops import Loop
from .node import AsyncNode

if TYPE_CHECKING:
    from .engine import Engine
    from .threaded import ThreadedEngine

__all__ = ["DriverName", "open_node"]

DriverName = Literal["thread", "loop"]
"""What runs a node's protocol: a thread of its own, or the event loop itself."""


class open_node(AbstractAsyncContextManager[AsyncNode]):
    """Run a node during an ``async with`` block, under trio or asyncio. Each call serves one block.

    At the normal end of the block the node leaves (about 250 ms). After an exception or a cancellation it says goodbye
    once, without waiting. An exception that the block raises comes out unchanged. If the node itself fails, the block
    is cancelled and `NodeCrashed` is raised. If the event loop is closed before the block ends, the node says goodbye
    by itself within about a second (with the "loop" driver it just falls silent). A loop that is merely stopped keeps
    its node, since it may run again.

    Args:
        bind: where to listen, ``"host:port"`` or a pair; port 0 lets the system choose. The host may also be an
            interface (``eth0``) or a network (``10.0.0.0/8``) in which this host has one address. Default:
            ``SWIM_BIND``, or 127.0.0.1:7946. A `SmudgeConfig` has its own defaults for this and for ``join``.
        name: unique in the cluster. Default: ``SWIM_NAME``, or the host's name and random characters.
        join: seeds, as addresses or names. They are asked until each is a member, and names are resolved in the
            background for as long as the node runs. Default: ``SWIM_JOIN`` (separated by commas), or none.
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
        listeners: functions, async or not, to call with every event from the first one on, as `AsyncNode.add_listener`
            does. `on_status` and `on_broadcast` turn narrower functions into such ones.
        driver: what runs the protocol. Default: ``SWIM_DRIVER``, or "thread". "thread" is a thread of its own, which
            wakes the loop only when somebody waits for an event; it costs less, and continues while the program keeps
            the loop busy. "loop" runs the protocol within the loop: there is no other thread, the loop's own clock
            counts, and others consider the node dead when the loop hangs. In virtual time (trio's ``MockClock``) "loop"
            is the default.

    Raises:
        ConfigError: if the value of an argument or an environment variable is invalid; the message names it.
        PayloadTooLarge: on entering, if the metadata is too large.
        KeyMissing: if other hosts can reach the node, and it has no key (a ConfigError, too).
        BindError: on entering, if the address can't be had. Nothing is left open.
        RuntimeError: on entering a second time.
    """

    def __init__(
        self,
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
        listeners: Iterable[Call] = (),
        driver: DriverName | None = None,
    ) -> None:
        listeners = check_listeners(listeners)
        simulated = simulation_hook.current()
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
            hostname=simulated.hostname if simulated else socket.gethostname(),
            suffix=simulated.suffix() if simulated else os.urandom(4).hex(),
        )
        self._running = _run(arguments, listeners, _driver_name(driver))
        self._entered = False

    async def __aenter__(self) -> AsyncNode:
        if self._entered:
            raise RuntimeError("this call has served a block already: call open_node again")
        self._entered = True
        return await self._running.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        return await self._running.__aexit__(kind, error, traceback)


@asynccontextmanager
async def _run(arguments: Arguments, listeners: Sequence[Call], driver: DriverName | None) -> AsyncIterator[AsyncNode]:
    """The life of a node. The block is within a cancel scope; a task group would wrap exceptions."""
    await anyio.lowlevel.checkpoint()
    simulated = simulation_hook.current()
    engine, loop = await (simulated.prepare(arguments) if simulated else _prepare(arguments, driver))
    block = loop.block()
    engine.on_failure = block.cancel
    hasty = True
    with block:
        try:
            node = AsyncNode(engine)
            for call in listeners:  # before there is anything to tell
                node.add_listener(call)
            engine.start()
            if arguments.join:
                node.join(arguments.join)
            yield node
            if engine.running:
                await node.leave()
            hasty = False
        finally:
            try:
                engine.close()
            finally:
                await engine.stopped()
                if loop.real_time:
                    await _logged(loop, HASTE if hasty else PATIENCE)
    if engine.failure is not None:
        raise NodeCrashed(f"the node {engine.core.local.name} failed") from engine.failure


async def _logged(loop: Loop, seconds: float) -> None:
    """Wait up to ``seconds`` until the log lines of this process's nodes are written."""
    written = anyio.Event()
    if log_writer.then(partial(loop.post, written.set)):
        with anyio.move_on_after(seconds, shield=True):
            await written.wait()


async def _prepare(arguments: Arguments, driver: DriverName | None) -> tuple[BaseEngine, Loop]:
    """A node that is bound but not started yet, and its loop."""
    with ExitStack() as undo:
        loop = current_driver()
        within = driver == "loop" or (driver is None and not loop.real_time)
        log = Log("swim_anyio", arguments.name, log_writer if loop.real_time else DirectWriter())
        speaks_tcp = not within or (loop.real_time and EpollWatcher.available)  # kernels don't keep virtual time
        tripwires = arguments.config.tripwires and speaks_tcp
        sock, listener = open_sockets(arguments, await _bindable(loop, *arguments.bind), tripwires=tripwires, log=log)
        undo.callback(sock.close)
        if listener is not None:
            undo.callback(listener.close)
        seeds = await _first_seed(loop, arguments, sock)
        own = advertised(arguments, sock, await _advertise(loop, arguments, sock), seeds, log=log)
        keys, key_file = held_keys(arguments, log=log)
        core = create_node(arguments, own.address, keys, now=loop.clock() if within else clock())
        multicast = open_multicast(arguments, sock, own.address, log=log)
        if multicast is not None:
            undo.callback(multicast.close)
        make = _engine(within=within)
        with no_more_sockets(sock.address):
            engine = make(
                core,
                sock,
                loop,
                event_buffer=arguments.config.event_buffer,
                backoff_max=arguments.config.join_backoff_max,
                own_address=own,
                multicast=multicast,
                listener=listener,
                log=log,
            )
        if key_file is not None and loop.real_time:
            engine.watch_keys(key_file)
        undo.pop_all()
    return engine, loop


def _engine(*, within: bool) -> "type[Engine | ThreadedEngine]":
    """The engine that runs a node within the loop, or the one in a thread; a process rarely needs both."""
    if within:
        from .engine import Engine

        return Engine
    from .threaded import ThreadedEngine

    return ThreadedEngine


def _driver_name(driver: DriverName | None) -> DriverName | None:
    """The driver according to the argument and the environment; None lets the loop decide."""
    what, value = ("driver", driver) if driver is not None else ("SWIM_DRIVER", os.environ.get("SWIM_DRIVER"))
    if value == "thread":
        return "thread"
    if value == "loop":
        return "loop"
    if value:
        raise ConfigError(f"{what}: {value!r} is neither 'thread' nor 'loop'")
    return None


async def _bindable(loop: Loop, host: str, port: int) -> tuple[str, int]:
    """The numeric address to bind; a zone (``%eth0``) is kept."""
    if numeric(host, port) is not None:
        return host, port
    if (local := named_host(host)) is not None:
        return local, port
    try:
        return (await look_up(loop, host, port))[0]
    except OSError as error:
        raise BindError(error.errno, f"{host!r}, the host to listen on, does not resolve: {error.strerror}") from error


async def _advertise(loop: Loop, arguments: Arguments, sock: UdpSocket) -> Address | None:
    if arguments.advertise is None:
        return None
    host, port = arguments.advertise
    try:
        return numeric(host, port) or (await look_up(loop, host, port, sock.reachable_families))[0]
    except OSError as error:
        raise ConfigError(f"advertise: {host!r} does not resolve: {error.strerror}") from error


async def _first_seed(loop: Loop, arguments: Arguments, sock: UdpSocket) -> Sequence[Address]:
    """The addresses of the first seed on another host, if they are needed now."""
    until = anyio.current_time() + FIRST_LOOK_UP
    for host, port in deciding_seeds(arguments, sock):
        address = numeric(host, port)
        try:
            seconds = max(0.0, until - anyio.current_time())
            found = (
                (address,)
                if address is not None
                else await look_up(loop, host, port, sock.reachable_families, seconds=seconds)
            )
        except OSError:
            return ()  # it is looked up again in the background, with a warning; the node starts in any case
        if there := elsewhere(host, found):
            return there
    return ()
