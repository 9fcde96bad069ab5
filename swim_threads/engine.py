"""A node in a thread of its own, for other threads: what they may ask of it and have it do."""

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from typing import TypeVar

from swim_core import Address, Event, NodeCrashed, NotRunning, ProtocolNode
from swim_core.embedding.event_queue import EventQueue
from swim_core.embedding.mistakes import BROKEN_OFF, is_mistake

from .clock import clock
from .key_file import KeyFile, KeyWatch
from .logs import Log
from .own_address import LOOK_EVERY, OwnAddress
from .protocol_thread import LOOK_AFTER, ProtocolThread
from .pump import Pump
from .resolver import BACKOFF_MAX, Resolver, Seed
from .sockets.multicast import MulticastSocket
from .sockets.poller import Poller
from .sockets.tcp import TcpListener
from .sockets.udp import UdpSocket

__all__ = ["LOOK_AFTER", "Engine", "clock"]

T = TypeVar("T")


def _nothing(_: Event) -> None:
    pass


class Engine(ProtocolThread):
    """Runs a node in a thread of its own and lets other threads use it, one at a time.

    Calls from other threads send their datagrams themselves, and wake the protocol thread only if it would otherwise
    sleep too long.

    Attributes:
        node: the protocol; use it under ``lock``.
    """

    def __init__(
        self,
        node: ProtocolNode,
        sock: UdpSocket,
        *,
        on_event: Callable[[Event], None] = _nothing,
        own_address: OwnAddress | None = None,
        multicast: MulticastSocket | None = None,
        listener: TcpListener | None = None,
        backoff_max: float = BACKOFF_MAX,
        on_change: Callable[[], None] | None = None,
        abandoned: Callable[[], bool] | None = None,
        log: Log | None = None,
    ) -> None:
        """Take over ``sock``, ``multicast`` (to discover others with) and ``listener`` (for tripwires).

        ``own_address`` is watched if it may change. ``on_event`` is called under the lock with each event, before
        subscribers see it. ``backoff_max`` is the longest time in seconds between two look-ups of a seed's name. For
        ``on_change`` and ``abandoned`` see `ProtocolThread`.
        """
        self.node = node
        log = log or Log("swim_threads", node.local.name)
        poller = Poller(sock.fileno()) if multicast is None else Poller(sock.fileno(), multicast.fileno())
        resolver = Resolver(sock.reachable_families, self.act, log.notice, backoff_max=backoff_max)
        pump = Pump(
            node, sock, resolver, log, clock=clock, on_event=on_event, own_address=own_address, multicast=multicast
        )
        if listener is not None:
            pump.lay_tripwires(listener, poller)
        follows = own_address is not None and own_address.follows
        super().__init__(
            pump,
            poller,
            log,
            longest_sleep=LOOK_EVERY if follows else None,
            on_change=on_change,
            abandoned=abandoned,
        )
        self._discovery = None if multicast is None else multicast.settings
        self._key_watch: KeyWatch | None = None

    def start(self) -> None:
        """Start the protocol thread, and the node's announcements. Raises as `begin`."""
        self.begin()
        if (discovery := self._discovery) is not None:
            self.act(lambda node, now: node.discover(discovery, now=now))

    @property
    def running(self) -> bool:
        """Whether the node goes on."""
        return not self.ended

    def clock(self) -> float:
        """Seconds on the clock of every node of this adapter."""
        return clock()

    # looking at the node, and changing it

    def look(self, question: Callable[[ProtocolNode], T]) -> T:
        """The answer of ``question``, which may look at the node; also after the end."""
        with self.lock:
            self.check_usable()
            return question(self.node)

    def act(self, deed: Callable[[ProtocolNode, float], T]) -> T:
        """Have ``deed`` change the node, at the time passed to it; what the node then has to say is sent at once.

        Returns:
            What ``deed`` returns. Its exceptions are raised.

        Raises:
            NotRunning: after the end.
            NodeCrashed: if the node fails because of it.
        """
        return self.do(lambda: self._act(deed))

    def _act(self, deed: Callable[[ProtocolNode, float], T]) -> T:
        self.check_running()
        if self._midway:
            self._fail(RuntimeError(BROKEN_OFF))
            self.check_running()
        self._midway = True
        told = False
        try:
            result = deed(self.node, clock())
            told = True
            self._pump.settle()
            if self._pump.deadline() < self._sleeps_until:
                self._poller.wake()
        except BaseException as error:
            if told or not is_mistake(error, self.node):
                self._fail(error)
            self._midway = False
            if isinstance(error, Exception):
                self.check_usable()
            raise
        self._midway = False
        self._tell_news()
        return result

    def act_soon(self, deed: Callable[[ProtocolNode, float], None]) -> None:
        """As `act`, but without effect once the node has ended."""
        with suppress(NotRunning, NodeCrashed):
            self.act(deed)

    def tell_soon(self, event: Event) -> None:
        """Tell subscribers an event that the node itself did not raise; from any thread, no effect once it ended."""
        self.act_soon(lambda node, now: self._pump.publish(event))

    def attach(self, queue: EventQueue) -> None:
        """Push every event to ``queue`` from now on. Call it through `do`."""
        self._pump.attach(queue)

    def detach(self, queue: EventQueue) -> None:
        """Stop pushing events to ``queue``. Call it through `do`."""
        self._pump.detach(queue)

    # the verbs that need more than the node

    def join(self, seeds: Iterable[Seed]) -> None:
        """Have the node ask ``seeds`` instead of earlier ones, and keep their names resolved. Raises as `act`."""
        seeds = tuple(seeds)
        self.act(lambda node, now: self._pump.join(seeds, now))

    def remember(self, addresses: Sequence[Address]) -> None:
        """Have the node ask these former members besides its seeds (`Resolver.remember`). Raises as `act`."""
        self.act(lambda node, now: self._pump.remember(addresses, now))

    def leave(self, *, wait: bool) -> None:
        """Say goodbye. With ``wait`` return only when it was said often enough, or the engine has ended."""
        self.act(lambda node, now: self._pump.leave(now))
        if wait:
            self.changed.wait_for(lambda: self.node.has_left or self.ended)
            self.check_usable()

    def fail(self, error: BaseException) -> None:
        """End everything because the node is broken, as its user will see."""
        self._run_soon(partial(self._fail, error))

    # keys in a file

    def watch_keys(self, file: KeyFile) -> None:
        """Take over the keys in a file whenever it changes, until the node ends."""
        self._key_watch = KeyWatch(file, self)

    def reload_keys(self) -> bool:
        """Have the key file read at once; False if there is none."""
        if self._key_watch is not None:
            self._key_watch.look_now()
        return self._key_watch is not None

    def _close(self) -> None:
        if self._key_watch is not None:
            self._key_watch.stop()
        super()._close()
