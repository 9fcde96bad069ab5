"""A node for a loop of your own: it looks after its socket, clock and logs, and you say when.

    with Driver("127.0.0.1:0", name="ann", on_event=print) as node:
        while not node.has_left:
            select.select([node], [], [], node.timeout())
            node.turn()

It starts no thread and never waits. ``swim_threads.contrib`` has drivers for gevent and Twisted that are built on this.
"""

import os
import socket
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Self

from swim_core import Address, Event, Keys, NodeCrashed, ProtocolConfig
from swim_core.embedding.arguments import Arguments, read_arguments
from swim_core.embedding.host_port import HostPort
from swim_core.embedding.node_face import NodeFace
from swim_core.listeners import check_listener

from .clock import clock
from .logs import DirectWriter, Log
from .preparing import advertised, create_node, held_keys, open_sockets
from .sockets.udp import UdpSocket
from .turn_engine import TurnEngine, numeric_address

__all__ = ["Driver"]


def _nothing(*_: object) -> None:
    pass


class Driver(NodeFace[TurnEngine]):
    """A running member whose turns you give it. Everything must be called from one thread, or one at a time.

    Wait until `fileno` is readable or `timeout` has passed, then call `turn`; repeat until `has_left`. The views and
    verbs are those of every node, without ``now=``. `leave` says goodbye, which is repeated in the turns of the next
    250 ms. As a context manager it closes itself.

    There are no tripwires and no multicast, since one socket is all there is. So the crash of another member is found
    about a second after it under Linux, where the kernel says which datagram was refused, and elsewhere after
    `Config.stall_tolerance`.
    """

    def __init__(
        self,
        bind: HostPort | socket.socket | None = None,
        *,
        name: str | None = None,
        join: HostPort | Iterable[HostPort] | None = None,
        config: ProtocolConfig | None = None,
        advertise: HostPort | None = None,
        metadata: Mapping[str, str] | None = None,
        cluster: str | None = None,
        keys: Keys | str | Iterable[str] | None = None,
        key_file: str | os.PathLike[str] | None = None,
        insecure: bool | None = None,
        on_event: Callable[[Event], object] = _nothing,
        on_earlier: Callable[[], object] = _nothing,
    ) -> None:
        """Bind a socket and start a node, as `swim_threads.open_node` does; arguments not named here are the same.

        Args:
            bind: a numeric address, or a bound UDP socket, which the driver takes over. Default: ``SWIM_BIND``, or
                127.0.0.1:7946.
            name: unique in the cluster. Default: ``SWIM_NAME``, or the host's name and a random suffix.
            join: seeds, as numeric addresses: a driver looks up no names, since that blocks. Default: ``SWIM_JOIN``.
            config: default: `Config.from_env` with the lan preset.
            advertise: where others reach this node, numeric.
            metadata: strings that others see.
            cluster: the label, instead of the configuration's.
            keys: seal datagrams. Default: ``SWIM_KEY``.
            key_file: a file of keys, read once; `set_keys` takes other ones. Default: ``SWIM_KEY_FILE``.
            insecure: whether it may listen beyond loopback without keys. Default: ``SWIM_INSECURE``.
            on_event: called by `turn`, and by nothing else, with each event. What it raises comes out of `turn`; the
                events after that one come with the next turn.
            on_earlier: called when a verb makes the next turn due before `timeout` said. A loop that waits
                meanwhile, in another task, needs it to wait anew; one that calls verbs between its turns does not.

        Raises:
            ConfigError: if an argument or a variable is invalid, or a host is a name; the message names it.
            PayloadTooLarge: if the metadata is too large.
            KeyMissing: if other hosts can reach the node, and it has no key (a ConfigError, too).
            BindError: if the address can't be bound. Nothing is left open.
        """
        for call in (on_event, on_earlier):
            check_listener(call)
        given = bind if isinstance(bind, socket.socket) else None
        arguments = read_arguments(
            "127.0.0.1:0" if isinstance(bind, socket.socket) else bind,
            name=name,
            join=join,
            config=config,
            advertise=advertise,
            metadata=metadata,
            cluster=cluster,
            keys=keys,
            key_file=key_file,
            insecure=insecure,
            environ=os.environ,
            hostname=socket.gethostname(),
            suffix=os.urandom(4).hex(),
        )
        super().__init__(_engine(arguments, given))
        self._on_event = on_event
        if arguments.join:
            self._engine.join(arguments.join)
        self._engine.on_earlier = on_earlier

    def fileno(self) -> int:
        """The socket to wait for; -1 once it is closed. Don't read from it."""
        return self._engine.socket.fileno()

    def timeout(self) -> float | None:
        """Seconds until the next turn is due if nothing arrives, 0 if it is; None for never."""
        deadline = self._engine.promised = self._engine.deadline()
        return None if deadline is None else max(0.0, deadline - clock())

    def turn(self) -> None:
        """Read what has arrived, let time pass, and tell `on_event` what came of it. Too early a turn is harmless.

        Raises:
            NodeCrashed: if the node failed, in this turn or before; close it then, so that others find out.
            NotRunning: after `close`, and in a process forked from this one.
        """
        self._engine.take_turn()
        while self._engine.events:
            self._on_event(self._engine.events.popleft())

    def leave(self) -> None:
        """Say goodbye, for the first time now and again in later turns, until `has_left`. This can't be undone.

        Raises:
            NotRunning: after `close`.
        """
        self._engine.leave()

    @property
    def has_left(self) -> bool:
        """Whether the goodbye was said often enough, or the driver was closed."""
        return self._engine.node.has_left or self.fileno() < 0

    def close(self) -> None:
        """Say goodbye once, if it wasn't said, and close the socket. A second call does nothing."""
        try:
            if not self.has_left:
                with suppress(NodeCrashed):
                    self.leave()
        finally:
            self._engine.socket.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Driver {self.local.name!r} at {self.local.address}{' (closed)' if self.fileno() < 0 else ''}>"


def _engine(arguments: Arguments, given: socket.socket | None) -> TurnEngine:
    """A node that has not joined yet. Nothing is left open if anything is raised."""
    log = Log("swim_threads", arguments.name, DirectWriter())
    seeds = numeric_seeds(arguments.join)
    advertise = None if arguments.advertise is None else numeric_address("advertise", *arguments.advertise)
    if given is None:
        numeric_address("bind", *arguments.bind)
        sock, _ = open_sockets(arguments, arguments.bind, tripwires=False, log=log)
    else:
        sock = UdpSocket.take_over(given)
    try:
        own = advertised(arguments, sock, advertise, seeds, log=log)
        keys, _ = held_keys(arguments, log=log)
        node = create_node(arguments, own.address, keys, now=clock())
        return TurnEngine(node, sock, own, log, event_buffer=arguments.config.event_buffer)
    except BaseException:
        sock.close()
        raise


def numeric_seeds(seeds: Iterable[tuple[str, int]]) -> tuple[Address, ...]:
    """The addresses of seeds.

    Raises:
        ConfigError: if one is a name.
    """
    return tuple(numeric_address("join", host, port) for host, port in seeds)
