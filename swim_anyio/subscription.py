"""A subscriber's own bounded queue of events, read with `async for`."""

from collections import deque
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Self

import anyio
from anyio.lowlevel import checkpoint

from swim_core import Event, NodeCrashed, NotRunning
from swim_core.subscription import EventQueue

__all__ = ["Subscription"]


class Subscription:
    """Events from the moment of `AsyncNode.subscribe` on, in order, until it or the node is closed.

    It holds ``event_buffer`` events; beyond that the oldest are dropped and `EventsLost` says how many.
    Iterating ends when the node closes, after what is still held, and raises `NodeCrashed` if it failed.
    Several tasks may read one subscription; each event goes to one of them.
    """

    def __init__(
        self,
        limit: int,
        current: Iterable[Event],
        *,
        check: Callable[[], None],
        on_close: Callable[["Subscription"], None],
    ) -> None:
        self._current = deque(current)  # outside the bounded queue: a large cluster must not lose its own snapshot
        self._queue = EventQueue(limit)
        self._check = check
        self._on_close = on_close
        self._arrival: anyio.Event | None = None
        self._ended = False
        self._failure: Exception | None = None

    async def get(self) -> Event:
        """The next event, waiting for it. A cancellation loses none.

        Raises:
            NotRunning: if this subscription or the node was closed, and all that it held has been read.
            NodeCrashed: the same, if the node failed.
            WrongThread: outside the node's event loop.
        """
        self._check()
        await checkpoint()
        while (event := self._pop()) is None:
            if self._failure is not None:
                raise NodeCrashed("the node failed, so there are no more events") from self._failure
            if self._ended:
                raise NotRunning("this subscription has ended, or its node was closed")
            self._arrival = self._arrival or anyio.Event()
            await self._arrival.wait()
        return event

    def clear(self) -> None:
        """Drop what is held just now."""
        while self._pop() is not None:
            pass

    def close(self) -> None:
        """Receive no more, and end whoever iterates, after what is still held. A second call does nothing."""
        self._on_close(self)
        if not self._ended:
            self.end(None)

    def push(self, event: Event) -> None:
        """Add an event; the node does."""
        self._queue.push(event)
        self._wake()

    def end(self, failure: Exception | None) -> None:
        """Say that nothing more will come, and why if the node failed; the node does."""
        self._ended = True
        self._failure = failure
        self._wake()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        self._check()  # outside: a fork is no end
        try:
            return await self.get()
        except NotRunning:
            raise StopAsyncIteration from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _pop(self) -> Event | None:
        return self._current.popleft() if self._current else self._queue.pop()

    def _wake(self) -> None:
        if self._arrival is not None:
            self._arrival.set()
            self._arrival = None
