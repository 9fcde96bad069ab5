"""Drives a node under asyncio: with a reader callback and a timer, and without a task."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from types import TracebackType
from typing import Self

import anyio

from .loops import Block, Reactor

__all__ = ["AsyncioDriver"]


class AsyncioDriver:
    """A reader callback and one timer, without a task except for background work.

    The timer is moved whenever the deadline changes. Leaving it where it is when the deadline has only moved on
    would save two microseconds for a cancelled handle and cost a wake-up of about fifty.

    Attributes:
        real_time: whether the loop's clock is the machine's.
    """

    real_time = True

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self.clock = self._loop.time
        self._reactor: Reactor
        self._fileno = -1
        self._watched: list[int] = []
        self._timer: asyncio.TimerHandle | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def is_current(self) -> bool:
        try:
            return asyncio.get_running_loop() is self._loop
        except RecursionError:
            raise
        except RuntimeError:
            return False

    def block(self) -> Block:
        return AsyncioBlock()

    def post(self, callback: Callable[[], object]) -> None:
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:
            if not self._loop.is_closed():
                raise

    @property
    def ended(self) -> bool:
        return self._loop.is_closed()

    def start(self, reactor: Reactor) -> None:
        self._reactor = reactor
        self._fileno = reactor.fileno()
        try:
            self._loop.add_reader(self._fileno, self._readable)
        except NotImplementedError:  # Windows' Proactor; anyio watches through a thread of its own there
            self._fileno = -1
            self.spawn(partial(_watch, reactor.fileno(), reactor.readable), reactor.failed)

    def watch(self, fileno: int, readable: Callable[[], None]) -> None:
        try:
            self._loop.add_reader(fileno, readable)
            self._watched.append(fileno)
        except NotImplementedError:
            self.spawn(partial(_watch, fileno, readable), self._reactor.failed)

    def set_deadline(self, deadline: float | None) -> None:
        before = self._timer
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._reactor.expired)
        if before is not None:  # last, so that there is a timer whatever is raised here
            before.cancel()

    def spawn(self, work: Callable[[], Awaitable[None]], failed: Callable[[BaseException], object]) -> None:
        task = self._loop.create_task(_contain(work, failed))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def halt(self) -> None:
        self.set_deadline(None)
        if self._fileno >= 0:
            self._loop.remove_reader(self._fileno)
            self._fileno = -1
        for fileno in self._watched:
            self._loop.remove_reader(fileno)
        self._watched.clear()  # their numbers are others' soon
        for task in self._tasks:
            task.cancel()

    async def stopped(self) -> None:
        self.halt()  # once more, or this might wait for what was not cancelled
        with anyio.CancelScope(shield=True):
            if self._tasks:
                await asyncio.wait(self._tasks)

    def _readable(self) -> None:
        if self._reactor.readable() and self._fileno >= 0:  # uvloop forgets a socket that had an error
            self._loop.remove_reader(self._fileno)
            self._loop.add_reader(self._fileno, self._readable)


async def _contain(work: Callable[[], Awaitable[None]], failed: Callable[[BaseException], object]) -> None:
    try:
        await work()
    except (asyncio.CancelledError, KeyboardInterrupt, SystemExit):  # the loop passes these on
        raise
    except BaseException as error:
        failed(error)


async def _watch(fileno: int, readable: Callable[[], object]) -> None:
    while True:
        await anyio.wait_readable(fileno)
        readable()


class AsyncioBlock:
    """anyio's cancel scope, except that another task than the one that entered may leave it.

    That happens with the fixtures of pytest-asyncio, the set-up of unittest, and frameworks with hooks at start and
    end: each step is a task of its own. If the first task has ended, there is nothing to cancel. If it goes on, the
    scope stays open around it and is never cancelled. This is harmless unless that task had entered another scope of
    anyio before, which then can't be left.
    """

    def __init__(self) -> None:
        self._scope = anyio.CancelScope()
        self._task: asyncio.Task[object] | None = None
        self._cancelled = 0  # how often others had cancelled the task before the block
        self._left = False

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        self._cancelled = self._task.cancelling() if self._task is not None else 0
        self._scope.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        self._left = True
        task = asyncio.current_task()
        if task is None or self._orphaned or task is not self._task:
            return False
        caught = bool(self._scope.__exit__(kind, error, traceback))
        # before 4.16 the scope catches a cancellation that is somebody else's as well as its own
        return caught and task.cancelling() <= self._cancelled

    def cancel(self) -> None:
        if not self._orphaned and not self._left:
            self._scope.cancel()

    @property
    def _orphaned(self) -> bool:
        return self._task is None or self._task.done()
