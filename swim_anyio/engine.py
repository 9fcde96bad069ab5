"""A node within the event loop itself: feeds the node, sends what it says, hands its events out."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import nullcontext, suppress
from functools import partial
from math import inf
from typing import TypeVar

from swim_core import Address, Event, NodeCrashed, NotRunning, ProtocolNode
from swim_core.embedding.log_messages import ERROR
from swim_core.embedding.mistakes import BROKEN_OFF, is_mistake
from swim_threads.key_file import KeyFile, KeyWatch
from swim_threads.logs import Log
from swim_threads.lookups import look_ups
from swim_threads.preparing import OwnAddress
from swim_threads.pump import Pump
from swim_threads.resolver import BACKOFF_MAX, Deed, LookUpService, Resolver, Seed
from swim_threads.sockets.tcp import TcpListener
from swim_threads.sockets.transport import DatagramSocket, GroupSocket

from .base import BaseEngine
from .epoll_watcher import EpollWatcher
from .loops import Driver

__all__ = ["Engine"]

T = TypeVar("T")

ROUND = 64  # datagrams that are read in one go
DRAINS_BEFORE_TICK = 16  # of 64 datagrams each: more than a default receive buffer holds, yet a flood can't stop time


class Engine(BaseEngine):
    """Runs one node on one loop, through a driver: so no lock is needed, and the loop's time is the node's.

    An exception may be raised at any instruction: by a signal handler, where the loop runs in the main thread, or for
    want of memory or stack. There is no other thread that could do the work: what such an exception leaves half done
    breaks the node. The caller's stack may be used up, so the failure is only noted there, and the loop's next turn
    ends the node. If not even that could be asked for, whatever the loop calls next does it.
    """

    _watcher: EpollWatcher | None = None  # a fork in the midst of `__init__` disowns it, too

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
        self._socket = socket
        self._multicast = multicast
        self._driver = driver
        self._own_address = own_address
        self._resolver = Resolver(
            socket.reachable_families, self._act_later, log.notice, backoff_max=backoff_max, service=look_up_service
        )
        self._pump = Pump(
            core,
            socket,
            self._resolver,
            log,
            clock=self.clock,
            on_event=self._hand_out,
            own_address=own_address,
            multicast=multicast,
        )
        if listener is not None:
            self._watcher = EpollWatcher()
            self._pump.lay_tripwires(listener, self._watcher)
        self._deadline: float | None = None
        self._key_watch: KeyWatch | None = None
        self._midway = False  # in a change of the node, or one was broken off, and so was the note of that
        self._to_end.insert(0, self._log_failure)

    def start(self) -> None:
        self._driver.start(self)
        if self._multicast is not None:
            self._watch_besides(self._multicast.fileno())
            self.core.discover(self._multicast.settings, now=self.clock())
        if (watcher := self._watcher) is not None:
            self._driver.watch(watcher.fileno(), lambda: self._take(partial(self._serve_connections, watcher)))
        self.settle()

    def _watch_besides(self, fd: int) -> None:
        self._driver.watch(fd, lambda: self._take(lambda: self._pump.receive([fd], ROUND)))

    def _serve_connections(self, watcher: EpollWatcher) -> None:
        self._pump.receive(watcher.ready(), ROUND)

    def act(self, deed: Callable[[ProtocolNode, float], T]) -> T:
        self.check_running()
        outer, self._midway = self._midway, True  # a deed may tell at once that a look-up can't be made, by another one
        told = False
        try:
            result = deed(self.core, self.clock())
            told = True
            self._settle()
        except BaseException as error:
            if told or not is_mistake(error, self.core):
                self.failed(error)
            self._midway = outer
            if isinstance(error, Exception) and self.failure is not None:
                self.check_running()
            raise
        self._midway = outer
        return result

    def join(self, seeds: Iterable[Seed]) -> None:
        seeds = tuple(seeds)
        self.act(lambda core, now: self._pump.join(seeds, now))

    def remember(self, addresses: Sequence[Address]) -> None:
        self.act(lambda core, now: self._pump.remember(addresses, now))

    def leave(self) -> None:
        self.act(lambda core, now: self._pump.leave(now))

    def spawn(self, work: Callable[[], Awaitable[None]]) -> None:
        self._driver.spawn(work, self.failed)

    def settle(self) -> None:
        """After every input: send, hand events out, move the deadline."""
        self._take(_nothing)

    def _take(self, take: Callable[[], object]) -> None:
        """Take some input in, and settle; whatever is raised meanwhile breaks the node. For the loop only."""
        if self._closed or self._midway or self.failure is not None:
            self._end_in_turn()
            return
        self._midway = True
        try:
            take()
            self._settle()
        except BaseException as error:
            self.failed(error)
            if not isinstance(error, Exception):  # it is not for the node
                raise
        self._midway = False

    def _settle(self) -> None:
        self._pump.settle()
        deadline = self._next_deadline()
        if deadline != self._deadline:
            self._deadline = deadline
            self._driver.set_deadline(deadline)
        if self.core.has_left and not self.left.is_set():
            self.left.set()

    def _say_goodbye(self) -> None:
        self._pump.leave(self.clock())
        self._pump.settle()

    async def stopped(self) -> None:
        if not self._disowned:  # what was started runs in the parent
            self._end()
            await self._driver.stopped()

    def disown(self) -> None:
        super().disown()
        if self._watcher is not None:
            self._watcher.close()

    # What the driver calls

    def fileno(self) -> int:
        """The socket to watch."""
        return self._socket.fileno()

    def readable(self) -> bool:
        """Take what has arrived, answer, move the deadline."""
        self._take(self._pump.receive_datagrams)
        return not self._closed and self._socket.saw_errors

    def expired(self) -> None:
        """Take what has arrived, so that an answer in the kernel's buffer is not missed, then let time pass."""
        self._take(self._tick)

    def failed(self, error: BaseException) -> None:
        """The node is broken: every call says so from now on, and the loop's next turn ends everything."""
        if not self._closed and self.failure is None:
            self.failure = error
        self._driver.post(self._end_in_turn)

    def _note_cause(self) -> None:
        if self._midway and not self._closed and self.failure is None:
            self.failure = RuntimeError(BROKEN_OFF)
        super()._note_cause()

    def _log_failure(self) -> None:
        if self.failure is not None:
            self.log.say(ERROR, "the node failed", error=self.failure)

    def _tick(self) -> None:
        deadline, self._deadline = self._deadline, None
        for _ in range(DRAINS_BEFORE_TICK):
            if not self._pump.receive_datagrams():
                break
        if self._watcher is not None:
            self._serve_connections(self._watcher)
        self._pump.tick(-inf if deadline is None else deadline)

    def _next_deadline(self) -> float | None:
        deadline = self._pump.deadline()
        if self._own_address is not None:
            deadline = min(deadline, self._own_address.due)
        return None if deadline == inf else deadline

    def _hand_out(self, event: Event) -> None:
        self._keep(event)
        for subscription in self._subscriptions:
            subscription.wake()

    def watch_keys(self, file: KeyFile) -> None:
        self._key_watch = KeyWatch(file, self)

    def reload_keys(self) -> bool:
        if self._key_watch is not None:
            self._key_watch.look_now()
        return self._key_watch is not None

    def tell_soon(self, event: Event) -> None:
        """Tell subscribers an event that the node itself did not raise; from any thread, no effect once it ended."""
        self.act_soon(lambda core, now: self._pump.publish(event))

    def act_soon(self, deed: Deed) -> None:
        """Have the node told something, for any thread; nothing comes of it once the node has ended."""
        self._act_later(deed)

    def _act_later(self, deed: Deed) -> None:
        """Do it in the loop, now or soon; for any thread."""
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
        self._pump.stop_look_ups()
        self._pump.close(announce=self.failure is None)
        if self._watcher is not None:
            self._watcher.close()


def _nothing() -> None:
    pass
