"""The seam between a node and an event loop: what a node needs from a loop.

A driver owns no protocol and no socket. It says what time it is, calls when the socket is readable or the
deadline has come, runs background work, and stops. Another kind (a simulated network) only has to keep the same
promises. A node in a thread of its own needs less, a `ThreadsafeLoop`; each driver here is one, too.
"""

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Protocol

__all__ = ["Block", "Driver", "Loop", "Reactor", "ThreadsafeLoop"]


class Reactor(Protocol):
    """What a driver calls, always from its own loop. None of these raises an `Exception`. After others, such as
    KeyboardInterrupt, the node is broken, and has been told."""

    def fileno(self) -> int:
        """The socket to watch."""

    def readable(self) -> bool:
        """The socket has something. Returns True if it has to be watched anew (an error was met)."""

    def expired(self) -> None:
        """The deadline that was set last has come."""

    def failed(self, error: BaseException) -> None:
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
    """What a node needs of the event loop that it is used from. For that loop only, save `is_current` and `post`.

    Attributes:
        real_time: whether the loop's clock is the machine's.
    """

    real_time: bool

    def is_current(self) -> bool:
        """Whether the caller runs inside this very loop."""

    def block(self) -> Block:
        """A scope around the application's block, in the calling task."""

    def post(self, callback: Callable[[], object]) -> None:
        """Have the loop call ``callback``, which must not raise, soon; for any thread. A loop that has ended won't."""

    def spawn(self, work: Callable[[], Awaitable[None]], failed: Callable[[BaseException], object]) -> None:
        """Run ``work`` in the background until it is done or `halt` cancels it. ``failed`` is told what it raises, save
        what ends the loop itself."""

    def halt(self) -> None:
        """Stop watching and calling at once, since the socket may be closed next. Cancels background work.

        Whoever was interrupted here calls it once more.
        """

    async def stopped(self) -> None:
        """Wait, whatever is cancelled meanwhile, until everything that was started has ended; follows `halt`."""


class ThreadsafeLoop(Loop, Protocol):
    """A loop that other threads may call into."""

    @property
    def ended(self) -> bool:
        """Whether the loop is known never to run again; for any thread."""


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
