"""The bounded queue behind a subscription, which all adapters share."""

from collections import deque

from swim_core.events import Event, EventsLost

__all__ = ["EventQueue"]


class EventQueue:
    """Holds at most ``limit`` events. When it is full the oldest are dropped, and the next event read says how many.

    Not thread-safe: the adapter that owns it must serialize access.
    """

    def __init__(self, limit: int) -> None:
        self._events: deque[Event] = deque()
        self._limit = limit
        self._lost = 0

    def __len__(self) -> int:
        return len(self._events) + bool(self._lost)

    def push(self, event: Event) -> None:
        """Add an event, dropping the oldest if there is no room."""
        if len(self._events) >= self._limit:
            self._events.popleft()
            self._lost += 1
        self._events.append(event)

    def pop(self) -> Event | None:
        """The next event: first `EventsLost`, if some were lost; None if the queue is empty."""
        if self._lost:
            lost, self._lost = self._lost, 0
            return EventsLost(lost)
        return self._events.popleft() if self._events else None
