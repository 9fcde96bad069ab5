"""A node within the event loop itself: feeds the node, sends what it says, hands its events out."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import nullcontext, suppress
from functools import partial
from math import inf
from typing import TypeVar

from swim_core import Address, Event, JoinAttempt, KernelEvidence, NodeCrashed, NotRunning, ProtocolNode
from swim_core.embedding.log_messages import ERROR, WARNING, Notice, Notices
from swim_core.embedding.mistakes import is_mistake
from swim_threads.key_file import KeyFile, KeyWatch
from swim_threads.logs import Log
from swim_threads.lookups import look_ups
from swim_threads.preparing import OwnAddress
from swim_threads.resolver import BACKOFF_MAX, Deed, LookUpService, Resolver, Seed
from swim_threads.sockets.tcp import TcpListener
from swim_threads.sockets.transport import DatagramSocket, GroupSocket

from .base import BaseEngine, finish
from .connections import Connections
from .loops import Driver

__all__ = ["Engine"]

T = TypeVar("T")

DRAINS_BEFORE_TICK = 16  # of 64 datagrams each: more than a default receive buffer holds, yet a flood can't stop time


class Engine(BaseEngine):
    """Runs one node on one loop, through a driver: so no lock is needed, and the loop's time is the node's.

    Where the loop runs in the main thread a signal handler may raise an exception at any instruction. There is no other
    thread that could do the work: what such an exception leaves half done breaks the node, and that is told.
    """

    _connections: Connections | None = None

    def __init__(
        self,
        core: ProtocolNode,
        socket: DatagramSocket,
        driver: Driver,
        *,
        event_buffer: int,
        own_address: OwnAddress | None = None,
        backoff_max: float = BACKOFF_MAX,
        multicast: GroupSocket | None = None,
        listener: TcpListener | None = None,
        look_up_service: LookUpService = look_ups,
        log: Log,
    ) -> None:
        super().__init__(core, driver, lock=nullcontext(), clock=driver.clock, event_buffer=event_buffer, log=log)
        self._notices = Notices()
        self._socket = socket
        self._multicast = multicast
        self._group = None if multicast is None else multicast.group
        self._driver = driver
        self._own_address = own_address if own_address is not None and own_address.follows else None
        if listener is not None:
            self._connections = Connections(core, listener, self._on_connection, now=self.clock())
        self._deadline: float | None = None
        self._key_watch: KeyWatch | None = None
        self._resolver = Resolver(
            socket.reachable_families, self._act_later, log.notice, backoff_max=backoff_max, service=look_up_service
        )

    def start(self) -> None:
        self._driver.start(self)
        if self._multicast is not None:
            self._driver.watch(self._multicast.fileno(), self._group_readable)
            self.core.discover(self._multicast.settings, now=self.clock())
        if self._connections is not None:
            self._driver.watch(self._connections.fileno(), self._connections_ready)
        self.settle()

    def act(self, deed: Callable[[ProtocolNode, float], T]) -> T:
        self.check_running()
        told = False
        try:
            result = deed(self.core, self.clock())
            told = True
            self._settle()
        except BaseException as error:
            if told or not is_mistake(error, self.core):
                self.failed(error)
            if isinstance(error, Exception) and self.failure is not None:
                self.check_running()
            raise
        return result

    def join(self, seeds: Iterable[Seed]) -> None:
        seeds = tuple(seeds)

        def join(core: ProtocolNode, now: float) -> None:
            self._resolver.replace(seeds, core, now)
            for host, _ in seeds:
                self._socket.note_zone(host)

        self.act(join)

    def remember(self, addresses: Sequence[Address]) -> None:
        self.act(lambda core, now: self._resolver.remember(addresses, core, now))

    def leave(self) -> None:
        def leave(core: ProtocolNode, now: float) -> None:
            self._resolver.stop()
            core.leave(now=now)

        self.act(leave)

    def spawn(self, work: Callable[[], Awaitable[None]]) -> None:
        self._driver.spawn(work)

    def settle(self) -> None:
        """After every input: send, hand events out, move the deadline."""
        self._take(_nothing)

    def _take(self, take: Callable[[], object]) -> None:
        """Take some input in, and settle; whatever is raised meanwhile breaks the node."""
        if self._closed:
            return
        try:
            take()
            self._settle()
        except BaseException as error:
            self.failed(error)
            if not isinstance(error, Exception):  # it is not for the node
                raise

    def _settle(self) -> None:
        self._drain()
        deadline = self._next_deadline()
        if deadline != self._deadline:
            self._deadline = deadline
            self._driver.set_deadline(deadline)
        if self.core.has_left and not self.left.is_set():
            self.left.set()

    def close(self) -> None:
        if self._closed:
            return
        try:
            self.core.leave(now=self.clock())
            self._drain()
        except Exception as error:
            self.log.say(ERROR, "the node could not say goodbye", error=error)
        finally:
            self._end()

    async def stopped(self) -> None:
        if not self._disowned:  # what was started runs in the parent
            await self._driver.stopped()

    def disown(self) -> None:
        super().disown()
        if self._connections is not None:
            self._connections.disown()

    # What the driver calls

    def fileno(self) -> int:
        """The socket to watch."""
        return self._socket.fileno()

    def readable(self) -> bool:
        """Take what has arrived, answer, move the deadline."""
        self._take(self._receive)
        return not self._closed and self._socket.saw_errors

    def expired(self) -> None:
        """Take what has arrived, so that an answer in the kernel's buffer is not missed, then let time pass."""
        self._take(self._tick)

    def failed(self, error: BaseException) -> None:
        """The node is broken: end everything, and tell its users."""
        if not self._closed:
            finish(partial(self._fail, error))

    def _fail(self, error: BaseException) -> None:
        if self.failure is None:
            self.failure = error
            self.log.say(ERROR, "the node failed", error=error)
        self._end()
        self.on_failure()

    def _tick(self) -> None:
        deadline, self._deadline = self._deadline, None
        for _ in range(DRAINS_BEFORE_TICK):
            if not self._receive():
                break
        now = self.clock()  # a loop may round, and call a little early
        self.core.feed_tick(now=now if deadline is None else max(deadline, now))
        self._count_losses()
        while (trouble := self._socket.trouble()) is not None:
            self.log.notice(trouble)
        if self._own_address is not None and now >= self._own_address.due:
            self._look_after(self._own_address, now)
        self._resolver.turn(self.core, now)
        if self._connections is not None:
            self._connections.readable(now)
            self._connections.take_wishes(now, rewire=True)  # the node's own run changes without an event
            self._connections.turn(now)

    def _receive(self) -> bool:
        return self._socket.receive(self._on_datagram, self._on_refused)

    def _on_datagram(self, data: bytes, source: Address) -> None:
        self.core.feed_datagram(data, source, now=self.clock())
        self._drain()

    def _on_refused(self, destination: Address, quoted: bytes) -> None:
        self.core.feed_evidence(KernelEvidence.REFUSED_UDP, destination, quoted, now=self.clock())

    def _group_readable(self) -> None:
        if self._multicast is not None:
            multicast = self._multicast
            self._take(lambda: multicast.receive(self._on_announcement))

    def _on_announcement(self, data: bytes, source: Address) -> None:
        self.core.feed_announcement(data, source, now=self.clock())
        self._drain()

    def _connections_ready(self) -> None:
        if self._connections is not None:
            connections = self._connections
            self._take(lambda: connections.readable(self.clock()))

    def _on_connection(self, kind: KernelEvidence, address: Address, greeting: bytes) -> None:
        self.core.feed_evidence(kind, address, greeting, now=self.clock())
        self._drain()

    def _next_deadline(self) -> float | None:
        deadline = self.core.poll_deadline()
        others = self._resolver.deadline
        if self._own_address is not None:
            others = min(others, self._own_address.due)
        if self._connections is not None:
            others = min(others, self._connections.deadline)
        if others == inf:
            return deadline
        return others if deadline is None else min(deadline, others)

    def _drain(self) -> None:
        core, send = self.core, self._socket.send
        while (datagram := core.poll_datagram()) is not None:
            if datagram.destination == self._group:
                self._announce(datagram.payload)
            else:
                send(datagram.payload, datagram.destination, self._on_refused)
        if self._socket.unsent:
            self._count_losses()
        news = False
        while (event := core.poll_event()) is not None:
            news = True
            self._hand_out(event)
        if self._connections is not None:
            self._connections.take_wishes(self.clock(), rewire=news)

    def _count_losses(self) -> None:
        if (losses := self._socket.losses()) is not None:
            self.core.feed_losses(losses)

    def _announce(self, payload: bytes) -> None:
        trouble = self._multicast.send(payload) if self._multicast is not None else None
        if trouble is not None:
            self.log.notice(Notice(WARNING, "multicast", trouble))

    def _look_after(self, own_address: OwnAddress, now: float) -> None:
        notice = own_address.follow(self.core, now)
        if notice is not None:
            self.log.notice(notice)
            if self._multicast is not None:
                self._multicast.move(own_address.address.host)

    def _hand_out(self, event: Event) -> None:
        self._keep(event)
        if self._own_address is not None:
            self._own_address.heard(event)
        for subscription in self._subscriptions:
            subscription.wake()
        notice = self._notices.of(event)
        if notice is not None:
            self.log.notice(notice)
        if isinstance(event, JoinAttempt):
            self._resolver.refresh(self.clock())

    def watch_keys(self, file: KeyFile) -> None:
        self._key_watch = KeyWatch(file, self)

    def reload_keys(self) -> bool:
        if self._key_watch is not None:
            self._key_watch.look_now()
        return self._key_watch is not None

    def tell_soon(self, event: Event) -> None:
        """Tell subscribers an event that the node itself did not raise; from any thread, no effect once it ended."""
        self.act_soon(lambda core, now: self._hand_out(event))

    def act_soon(self, deed: Deed) -> None:
        """Have the node told something, for any thread; nothing comes of it once the node has ended."""
        with suppress(RuntimeError):  # asyncio's, of a loop that is closed
            self._act_later(deed)

    def _act_later(self, deed: Deed) -> None:
        """For any thread."""
        if self._driver.is_current():
            self._do(deed)
        else:
            self._driver.post(partial(self._do, deed))

    def _do(self, deed: Deed) -> None:
        with suppress(NotRunning, NodeCrashed):
            self.act(deed)

    def _release(self) -> None:
        if self._key_watch is not None:
            self._key_watch.stop()
        self._resolver.stop()
        self._socket.close()
        if self._multicast is not None:
            self._multicast.close()
        if (
            self._connections is not None
        ):  # a member whose connection closes without an announcement takes this for a crash
            self._connections.close(announce=self.failure is None)


def _nothing() -> None:
    pass
