"""Listeners: functions, async or not, that the node's event loop calls with events."""

import logging
from collections.abc import Awaitable, Callable
from inspect import isawaitable

from swim_core import Event, EventsLost, NodeCrashed

from .subscription import Subscription

__all__ = ["Call", "Listener"]

logger = logging.getLogger("swim_anyio.listeners")

Call = Callable[[Event], Awaitable[object] | object]


class Listener:
    """The handle of a listener that was added."""

    def __init__(self, events: Subscription, call: Call, node_name: str) -> None:
        self._events = events
        self._call = call
        self._node_name = node_name
        self._removed = False

    def remove(self) -> None:
        """Call it no more; a call that is running goes on. A second call does nothing."""
        self._removed = True
        self._events.close()

    async def run(self) -> None:
        """Call it with each event in turn, until it is removed or the node ends."""
        try:
            async for event in self._events:
                if self._removed:
                    return
                await self._deliver(event)
        except NodeCrashed:
            return

    async def _deliver(self, event: Event) -> None:
        kind = type(event).__name__
        extra = {"node": self._node_name, "event": kind}
        if isinstance(event, EventsLost):
            lost = "%s: a listener fell behind: %d events were lost"
            logger.warning(lost, self._node_name, event.count, extra={**extra, "count": event.count})
        try:
            outcome = self._call(event)
            if isawaitable(outcome):
                await outcome
        except (Exception, SystemExit):  # one listener's end is not the end of the others; a cancellation is
            logger.exception("%s: a listener raised, on %s", self._node_name, kind, extra=extra)
