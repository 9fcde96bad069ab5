"""A node in a thread of its own, for an event loop: its events come to the loop, and only when somebody waits."""

import contextlib
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TypeVar

import anyio

from swim_core import Address, NodeCrashed, NotRunning, ProtocolNode
from swim_threads import engine as threads
from swim_threads.key_file import KeyFile
from swim_threads.logs import Log
from swim_threads.preparing import OwnAddress
from swim_threads.resolver import Seed
from swim_threads.sockets.multicast import MulticastSocket
from swim_threads.sockets.tcp import TcpListener
from swim_threads.sockets.udp import UdpSocket

from .base import BaseEngine
from .loops import ThreadsafeLoop
from .subscription import Subscription

__all__ = ["ThreadedEngine"]

T = TypeVar("T")


class ThreadedEngine(BaseEngine):
    """Runs a node in the protocol thread of `swim_threads`.

    `look` and `act` take the thread's lock, which the thread holds only while it answers what has just arrived. The
    loop sleeps through all that. It is woken when a reader waits for an event, when the goodbye has been said, at a
    failure and at the end, once for everything that has come up since.
    """

    threadsafe = True

    def __init__(
        self,
        core: ProtocolNode,
        sock: UdpSocket,
        loop: ThreadsafeLoop,
        *,
        event_buffer: int,
        own_address: OwnAddress | None = None,
        backoff_max: float,
        multicast: MulticastSocket | None = None,
        listener: TcpListener | None = None,
        log: Log,
    ) -> None:
        self._loop: ThreadsafeLoop = loop
        self._post = loop.post
        self._posted = False  # guarded by the lock
        self._done = anyio.Event()
        self._engine = threads.Engine(
            core,
            sock,
            on_event=self._keep,
            own_address=own_address,
            multicast=multicast,
            listener=listener,
            backoff_max=backoff_max,
            on_change=self._on_change,
            abandoned=self._is_abandoned,
            log=log,
        )
        super().__init__(core, loop, lock=self._engine.lock, clock=threads.clock, event_buffer=event_buffer, log=log)

    def start(self) -> None:
        self._engine.start()

    def look(self, question: Callable[[ProtocolNode], T]) -> T:
        """As of other engines, and from any thread: the protocol's own thread is another one anyway."""
        self.check_owned()
        self.check_sound()
        with self.lock:
            return question(self.core)

    def act(self, deed: Callable[[ProtocolNode, float], T]) -> T:
        self.check_running()
        return self._engine.act(deed)

    def watch_keys(self, file: KeyFile) -> None:
        self._engine.watch_keys(file)

    def reload_keys(self) -> bool:
        return self._engine.reload_keys()

    def join(self, seeds: Iterable[Seed]) -> None:
        self.check_running()
        self._engine.join(seeds)

    def remember(self, addresses: Sequence[Address]) -> None:
        self.check_running()
        self._engine.remember(addresses)

    def leave(self) -> None:
        self.check_running()
        self._engine.leave(wait=False)

    def spawn(self, work: Callable[[], Awaitable[None]]) -> None:
        self._loop.spawn(work, self._engine.fail)

    def _say_goodbye(self) -> None:
        with contextlib.suppress(NotRunning, NodeCrashed):
            self._engine.leave(wait=False)

    async def stopped(self) -> None:
        if self._disowned:  # the thread runs in the parent
            return
        self._end()
        try:
            await self._loop.stopped()
            if not self._loop.ended:  # or else nobody would set this
                with anyio.CancelScope(shield=True):
                    await self._ended()
        finally:
            self._engine.wait_ended()  # its last instructions, or, if this wait was broken off, its last millisecond

    async def _ended(self) -> None:
        while not (self._done.is_set() or self._engine.done):
            with anyio.move_on_after(threads.LOOK_AFTER):
                await self._done.wait()
            self._engine.see_that_it_lives()

    def disown(self) -> None:
        super().disown()
        self.lock = self._engine.lock  # a new one, since the old one may never be released

    def _cause(self) -> BaseException | None:
        return self._engine.failure

    # What the protocol thread calls, and `act` in the loop, under the lock

    def _on_change(self) -> None:
        if self._engine.ended or (not self._posted and self._awaited()):  # nobody asks again after the end
            self._post(self._catch_up)
            self._posted = True

    def _awaited(self) -> bool:
        return (self.core.has_left and not self.left.is_set()) or any(
            subscription.awaited for subscription in self._subscriptions
        )

    def _is_abandoned(self) -> bool:
        """Whether the loop was closed around the open node, so that nobody can use it, close it or be told."""
        if self._loop.ended:
            self._closed = True  # from here on it shows its last moment, and the metrics say that it is down
        return self._loop.ended

    # In the loop

    def _catch_up(self) -> None:
        """Act on what has come up since this was asked for."""
        try:
            with self.lock:
                self._posted = False
                awaited = self._awaiting()
                left, failure, done = self.core.has_left, self._engine.failure, self._engine.done
            for subscription in awaited:
                subscription.wake()
            if left:
                self.left.set()
            if failure is not None:
                self._end_in_turn()
            if done:
                self._done.set()
        except Exception as error:  # which trio would take for an error of its own
            if self.running:
                self._engine.fail(error)
            self._post(self._end_in_turn)
        except BaseException:  # of a signal handler
            self._post(self._catch_up)
            raise

    def _awaiting(self) -> list[Subscription]:
        return [subscription for subscription in self._subscriptions if subscription.awaited]

    def _release(self) -> None:
        self._engine.halt()
