"""trio's way to drive a node: one task that waits for the socket inside a cancel scope whose deadline moves."""

import math
from collections.abc import Awaitable, Callable
from functools import partial

import trio
from trio.lowlevel import current_trio_token, spawn_system_task, wait_readable

from .loops import Block, Reactor

__all__ = ["TrioDriver"]


class TrioDriver:
    """One system task, one more for each further socket, and others only for background work.

    A nursery around the body would wrap what the body raises in a group, and its cancellation would stop the node
    before the goodbye. System tasks are outside the user's cancel scopes and protected from KeyboardInterrupt, which
    therefore always reaches the body. They must not raise, so everything is caught and handed to the reactor.

    Attributes:
        real_time: whether trio's clock is the machine's, and no `MockClock`.
        ended: whether trio was found to have ended. It closes what is open then, save if it is broken itself.
    """

    def __init__(self) -> None:
        self._token = current_trio_token()
        self.ended = False
        clock = trio.lowlevel.current_clock()
        self.clock = clock.current_time
        self.real_time = type(clock).__name__ == "SystemClock"  # trio has no public name for it
        self._reactor: Reactor
        self._deadline = math.inf
        self._waiting: trio.CancelScope | None = None
        self._halted = False
        self._scopes: set[trio.CancelScope] = set()
        self._idle = trio.Event()

    def is_current(self) -> bool:
        try:
            return current_trio_token() is self._token
        except RecursionError:
            raise
        except RuntimeError:
            return False

    def block(self) -> Block:
        return trio.CancelScope()

    def post(self, callback: Callable[[], object]) -> None:
        try:
            self._token.run_sync_soon(callback)
        except trio.RunFinishedError:
            self.ended = True

    def start(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self.spawn(self._run, reactor.failed)

    def watch(self, fileno: int, readable: Callable[[], None]) -> None:
        self.spawn(partial(self._watch, fileno, readable), self._reactor.failed)

    def set_deadline(self, deadline: float | None) -> None:
        self._deadline = math.inf if deadline is None else deadline
        if self._waiting is not None:
            self._waiting.deadline = self._deadline

    def spawn(self, work: Callable[[], Awaitable[None]], failed: Callable[[BaseException], object]) -> None:
        scope = trio.CancelScope()
        self._scopes.add(scope)
        try:
            spawn_system_task(self._contain, work, failed, scope, name=work)
        except BaseException:
            self._scopes.discard(scope)  # `stopped` would wait for it
            raise

    def halt(self) -> None:
        self._halted = True
        for scope in self._scopes:
            scope.cancel()  # takes the socket out of trio's hands at once, so that it can be closed

    async def stopped(self) -> None:
        self.halt()  # once more, or this might wait for what was not cancelled
        with trio.CancelScope(shield=True):
            if self._scopes:
                await self._idle.wait()

    async def _run(self) -> None:
        fileno = self._reactor.fileno()
        while not self._halted:
            # One scope serves until a deadline passes, not one per datagram: making and entering it is not free
            with trio.CancelScope(deadline=self._deadline) as self._waiting:
                while not self._halted:
                    await wait_readable(fileno)
                    self._reactor.readable()
            self._waiting = None
            self._deadline = math.inf
            if not self._halted:
                self._reactor.expired()

    async def _watch(self, fileno: int, readable: Callable[[], None]) -> None:
        while not self._halted:
            await wait_readable(fileno)
            readable()

    async def _contain(
        self,
        work: Callable[[], Awaitable[None]],
        failed: Callable[[BaseException], object],
        scope: trio.CancelScope,
    ) -> None:
        try:
            with scope:
                await work()
        except trio.Cancelled:  # at the end of the run
            raise
        except BaseException as error:  # of a signal handler, too: no system task may raise
            failed(error)
        finally:
            self._scopes.discard(scope)
            if self._halted and not self._scopes:
                self._idle.set()
