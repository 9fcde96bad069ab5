"""The seam between a node and an event loop: what a node needs of a loop, and asyncio's way to give it.

A driver owns no protocol and no socket. It says what time it is, calls when the socket is readable or the
deadline has come, runs background work, and stops. Another kind (a simulated network) only has to keep the same
promises. A node in a thread of its own needs less, a `ThreadsafeLoop`; each driver here is one, too. trio's driver
stands in its own module, so that asyncio programs need no trio.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import anyio

if TYPE_CHECKING:
    from .trio_driver import TrioDriver

__all__ = ["AsyncioDriver", "Block", "Driver", "Loop", "Reactor", "ThreadsafeLoop", "current_driver"]


class Reactor(Protocol):
    """What a driver calls, always from its own loop. None of these raises."""

    def fileno(self) -> int:
        """The socket to watch."""

    def readable(self) -> bool:
        """The socket has something. Returns True if it has to be watched anew (an error was met)."""

    def expired(self) -> None:
        """The deadline that was set last has come."""

    def failed(self, error: Exception) -> None:
        """Background work, or the watching itself, raised ``error``."""


class Block(Protocol):
    """A context manager whose block can be cancelled; it swallows that cancellation, and no other exception."""

    def __enter__(self) -> object: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None: ...

    def cancel(self) -> None:
        """Cancel the block, if it still runs. For the loop's callbacks and tasks."""


class Loop(Protocol):
    """What a node needs of the event loop that it is used from. For that loop only, save `is_current`."""

    def is_current(self) -> bool:
        """Whether the caller runs inside this very loop."""

    def block(self) -> Block:
        """What surrounds the application's block, in the task that calls."""

    def spawn(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run ``work`` in the background until it is done or `halt` cancels it."""

    def halt(self) -> None:
        """Watch and call no more, from this moment on; the socket may be closed next. Cancels background work."""

    async def stopped(self) -> None:
        """Wait, whatever is cancelled meanwhile, until everything that was started has ended; follows `halt`."""


class ThreadsafeLoop(Loop, Protocol):
    """A loop that other threads may call into."""

    def post(self, callback: Callable[[], object]) -> None:
        """Have the loop call ``callback``, which must not raise, soon; for any thread. A loop that has ended won't."""

    @property
    def ended(self) -> bool:
        """Whether the loop is known to run never again; for any thread."""


class Driver(Loop, Protocol):
    """What a node that runs within the loop needs of it."""

    def clock(self) -> float:
        """The loop's time, seconds."""

    def start(self, reactor: Reactor) -> None:
        """Begin to watch the socket of ``reactor``."""

    def watch(self, fileno: int, readable: Callable[[], None]) -> None:
        """Call ``readable``, which must not raise, whenever this further socket has something. Follows `start`."""

    def set_deadline(self, deadline: float | None) -> None:
        """Call `Reactor.expired` once at ``deadline`` (None: never), in place of what was set before."""


class AsyncioDriver:
    """A reader callback and one timer: no task at all, save for background work.

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
        except RuntimeError:
            return False

    def block(self) -> Block:
        return AsyncioBlock()

    def post(self, callback: Callable[[], object]) -> None:
        with suppress(RuntimeError):  # it is closed
            self._loop.call_soon_threadsafe(callback)

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
            self.spawn(partial(_watch, reactor.fileno(), reactor.readable))

    def watch(self, fileno: int, readable: Callable[[], None]) -> None:
        try:
            self._loop.add_reader(fileno, readable)
            self._watched.append(fileno)
        except NotImplementedError:
            self.spawn(partial(_watch, fileno, readable))

    def set_deadline(self, deadline: float | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if deadline is None else self._loop.call_at(deadline, self._reactor.expired)

    def spawn(self, work: Callable[[], Awaitable[None]]) -> None:
        task = self._loop.create_task(self._contain(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def halt(self) -> None:
        self.set_deadline(None)
        if self._fileno >= 0:
            self._loop.remove_reader(self._fileno)
            self._fileno = -1
        while self._watched:
            self._loop.remove_reader(self._watched.pop())
        for task in self._tasks:
            task.cancel()

    async def stopped(self) -> None:
        with anyio.CancelScope(shield=True):
            if self._tasks:
                await asyncio.wait(self._tasks)

    def _readable(self) -> None:
        if self._reactor.readable() and self._fileno >= 0:  # uvloop forgets a socket that had an error
            self._loop.remove_reader(self._fileno)
            self._loop.add_reader(self._fileno, self._readable)

    async def _contain(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except Exception as error:
            self._reactor.failed(error)


async def _watch(fileno: int, readable: Callable[[], object]) -> None:
    while True:
        await anyio.wait_readable(fileno)
        readable()


class AsyncioBlock:
    """anyio's cancel scope, save where the task that entered has ended and another one leaves.

    So do the fixtures of pytest-asyncio and the set-up of unittest: each step is a task of its own. Then there is
    nothing to cancel, and nobody for a scope to complain to.
    """

    def __init__(self) -> None:
        self._scope = anyio.CancelScope()
        self._task: asyncio.Task[object] | None = None

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        self._scope.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        return not self._orphaned and bool(self._scope.__exit__(kind, error, traceback))

    def cancel(self) -> None:
        if not self._orphaned:
            self._scope.cancel()

    @property
    def _orphaned(self) -> bool:
        return self._task is None or self._task.done()


def current_driver() -> "AsyncioDriver | TrioDriver":
    """A driver for the loop that the caller runs in.

    Raises:
        RuntimeError: outside an event loop.
    """
    trio = sys.modules.get("trio")  # asked first: in guest mode trio runs inside an asyncio loop
    if trio is not None and trio.lowlevel.in_trio_task():
        from .trio_driver import TrioDriver

        return TrioDriver()
    return AsyncioDriver()
