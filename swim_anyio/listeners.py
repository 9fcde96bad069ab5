"""Listeners: functions, async or not, that are called with events in the node's event loop."""

from collections.abc import Awaitable, Callable
from inspect import isawaitable

import anyio

from swim_core import Event, NodeCrashed
from swim_threads.logs import Log

from .subscription import Subscription

__all__ = ["Call", "Listener"]

Call = Callable[[Event], Awaitable[object] | object]


class Listener:
    """The handle of a listener that was added."""

    def __init__(self, events: Subscription, call: Call, log: Log) -> None:
        self._events = events
        self._call = call
        self._log = log
        self._removed = False

    def remove(self) -> None:
        """Stop calling it; a call that is running continues. A second call of this method does nothing."""
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
        self._log.lost(event)
        not_its_own: tuple[type[BaseException], ...] = (KeyboardInterrupt,)
        try:
            outcome = self._call(event)
            if isawaitable(outcome):
                not_its_own = (KeyboardInterrupt, GeneratorExit, anyio.get_cancelled_exc_class())
                await outcome
        except BaseException as error:  # SystemExit too: one listener's end is not the end of the others
            if isinstance(error, not_its_own):
                raise
            self._log.raised(event, error)
