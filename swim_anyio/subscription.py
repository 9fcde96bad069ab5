"""Subscriptions: bounded queues of events, read with `async for`."""

from collections import deque
from collections.abc import Iterable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Protocol, Self

import anyio
from anyio.lowlevel import checkpoint

from swim_core import Event, NodeCrashed, NotRunning
from swim_core.embedding.event_queue import EventQueue

__all__ = ["Subscription"]


class Publisher(Protocol):
    """What a subscription needs of its engine."""

    @property
    def lock(self) -> AbstractContextManager[object]: ...

    @property
    def event_buffer(self) -> int: ...

    def check_loop(self) -> None: ...

    def unsubscribe(self, subscription: "Subscription") -> None: ...


class Subscription:
    """The events of a node from `AsyncNode.subscribe` on, in order.

    It holds ``event_buffer`` events; beyond that the oldest are dropped and `EventsLost` says how many. When the
    subscription or the node is closed, iteration ends after the events that were left to read; if the node failed, it
    raises `NodeCrashed`. Several tasks may read one subscription; each event goes to one of them.
    """

    def __init__(self, engine: Publisher, current: Iterable[Event]) -> None:
        self._engine = engine
        self._current = deque(current)  # outside the bounded queue: a large cluster must not lose its own snapshot
        self._queue = EventQueue(engine.event_buffer)
        self._arrival: anyio.Event | None = None
        self._ended = False
        self._failure: BaseException | None = None

    async def get(self) -> Event:
        """Wait for the next event. A cancellation loses none.

        Raises:
            NotRunning: if nothing is left to read and the subscription or the node was closed.
            NodeCrashed: if nothing is left to read and the node failed.
            WrongThread: outside the node's event loop.
        """
        self._engine.check_loop()
        return await self._next()

    def clear(self) -> None:
        """Drop all events that are waiting to be read."""
        with self._engine.lock:
            self._drop()

    def close(self) -> None:
        """Receive no more events, and end iteration after those left to read. A second call does nothing."""
        self._engine.unsubscribe(self)
        if not self._ended:
            self.end(None)

    def push(self, event: Event) -> None:
        """Add an event; the node calls this with its lock held."""
        self._queue.push(event)

    @property
    def awaited(self) -> bool:
        """Whether there are events and a reader that must be woken."""
        return self._arrival is not None and len(self._queue) > 0

    def wake(self) -> None:
        """Wake the readers; call it from within the loop."""
        if self._arrival is not None:
            self._arrival.set()
            self._arrival = None

    def end(self, failure: BaseException | None) -> None:
        """Note that no more events will come, and why if the node failed; call it from within the loop."""
        self._ended = True
        self._failure = failure
        self.wake()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        self._engine.check_loop()  # outside: a fork is no end
        try:
            return await self._next()
        except NotRunning:
            raise StopAsyncIteration from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    async def _next(self) -> Event:
        rested = False  # whether other tasks, and a cancellation, had their chance: once in every call
        while True:
            with self._engine.lock:  # also around the wish to be woken: what comes next must find it
                held = bool(self._current) or len(self._queue) > 0
                if held and rested and (event := self._pop()) is not None:
                    return event
                arrival = None if held else self._arrival or anyio.Event()
                self._arrival = arrival or self._arrival
            if arrival is None:
                await checkpoint()
            elif self._failure is not None:
                raise NodeCrashed("the node failed, so there are no more events") from self._failure
            elif self._ended:
                raise NotRunning("this subscription has ended, or its node was closed")
            else:
                await arrival.wait()
            rested = True

    def _drop(self) -> None:
        while self._pop() is not None:
            pass

    def _pop(self) -> Event | None:
        return self._current.popleft() if self._current else self._queue.pop()
