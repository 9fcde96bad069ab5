"""Subscriptions: bounded queues of events, read by waiting for the next one."""

import threading
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from swim_core import Event, MemberJoined, NotRunning
from swim_core.embedding.event_queue import EventQueue

from .engine import Engine
from .errands import in_main_thread

__all__ = ["Subscription"]

LOOK_EVERY = 1.0  # seconds after which a thread that would keep the interpreter from ending looks whether it is over


class Subscription:
    """The events of a node from `ThreadNode.subscribe` on.

    Iterate over it, or call `get`. If the reader falls behind by more than the configuration's ``event_buffer``, the
    oldest events are dropped and `EventsLost` comes in their place. When the subscription or the node is closed,
    iteration ends after the events that were left to read. Any thread may use it; several threads that read one
    subscription share its events.
    """

    def __init__(self, engine: Engine, limit: int, *, current: bool) -> None:
        self._engine = engine
        self._queue = EventQueue(limit)
        self._current: deque[Event] = deque()  # outside the limit: there may be more members than the queue holds
        self._closed = False
        engine.do(lambda: self._begin(current))

    def get(self, timeout: float | None = None) -> Event:
        """Wait for the next event.

        Args:
            timeout: seconds; None waits for as long as it takes, 0 not at all.

        Raises:
            TimeoutError: if none came in time.
            NotRunning: if nothing is left to read and the subscription or the node was closed, or the program is
                over: its main thread has ended, and no thread that waits here keeps it from ending.
            NodeCrashed: if nothing is left to read and the node failed.
        """
        if in_main_thread() or threading.current_thread().daemon:
            event = self._engine.changed.wait_for(self._pop, timeout)
        else:
            event = self._engine.changed.wait_for(self._pop_while_it_lasts, timeout, every=LOOK_EVERY)
        if event is None:
            raise TimeoutError(f"no event within {timeout} s")
        return event

    def close(self) -> None:
        """Receive no more events, and end all iteration. A second call does nothing."""
        self._engine.do(self._end)

    def __iter__(self) -> Iterator[Event]:
        return self

    def __next__(self) -> Event:
        try:
            return self.get()
        except NotRunning:
            self._engine.check_usable()  # a fork is no end
            raise StopIteration from None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pending(self) -> bool:
        """Whether there is an event to read. Call it with the engine's lock held."""
        return bool(self._current) or len(self._queue) > 0

    def _begin(self, current: bool) -> None:
        engine = self._engine
        engine.check_running()
        if current:
            local = engine.node.local.name
            self._current.extend(MemberJoined(member) for member in engine.node.members() if member.name != local)
        engine.attach(self._queue)

    def _end(self) -> None:
        self._closed = True
        self._engine.detach(self._queue)
        self._engine.changed.notify_all()

    def _pop_while_it_lasts(self) -> Event | None:
        """As `_pop`, for a thread that the interpreter waits for at its end. Not for the main thread: a signal handler
        that raises in the middle of its ``is_alive`` leaves it dead in name.
        """
        event = self._pop()
        if event is None and not threading.main_thread().is_alive():
            raise NotRunning("the program has ended")
        return event

    def _pop(self) -> Event | None:
        event = self._current.popleft() if self._current else self._queue.pop()
        if event is None and (self._closed or self._engine.ended):
            self._engine.check_usable()
            raise NotRunning("the subscription was closed" if self._closed else "the node was closed")
        return event
