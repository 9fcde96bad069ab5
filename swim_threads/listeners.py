"""Listeners: functions called with events, in a thread of their own so that none holds up the protocol."""

import threading
from collections.abc import Callable

from swim_core import Event, NodeCrashed, NotRunning
from swim_core.embedding.log_messages import ERROR

from .engine import Engine
from .errands import Worker
from .logs import HASTE, PATIENCE, Log
from .subscription import Subscription

__all__ = ["Dispatcher", "Listener"]


class Listener:
    """The handle of a listener that was added."""

    def __init__(self, events: Subscription, call: Callable[[Event], object], log: Log) -> None:
        self._events = events
        self._call = call
        self._log = log
        self.removed = False

    def remove(self) -> None:
        """Stop calling it; a call that is running continues. A second call of this method does nothing."""
        self.removed = True
        self._events.close()

    @property
    def ready(self) -> bool:
        """Whether there is an event for the listener. Call this with the engine's lock held."""
        return not self.removed and self._events.pending

    def deliver(self) -> None:
        """Call the listener with the next event, if there is one, and log its exception with the traceback."""
        if self.removed:
            return
        try:
            event = self._events.get(timeout=0)
        except (TimeoutError, NotRunning, NodeCrashed):
            return
        self._log.lost(event)
        try:
            self._call(event)
        except BaseException as error:  # SystemExit too: it must not end the other listeners
            self._log.raised(event, error)


class Dispatcher:
    """Calls a node's listeners in turn, with one event each, in a thread that starts with the first listener."""

    def __init__(self, engine: Engine, limit: int) -> None:
        self._engine = engine
        self._limit = limit
        self._listeners: tuple[Listener, ...] = ()
        self._thread: Worker | None = None

    def add(self, call: Callable[[Event], object], *, current: bool) -> Listener:
        """Call ``call`` with every event from now on; with ``current``, first with those about the current members.

        Raises:
            NotRunning: if the node was closed.
            RuntimeError: if the thread can't be started. Nothing has changed then.
        """
        engine = self._engine
        listener = Listener(Subscription(engine, self._limit, current=current), call, engine.log)
        try:
            engine.do(lambda: self._add(listener))
        except BaseException:
            listener.remove()
            raise
        return listener

    def _add(self, listener: Listener) -> None:
        if self._thread is None or not self._thread.is_alive():
            thread = Worker(self._run, "swim listeners")
            thread.begin()
            self._thread = thread
        self._listeners = (*(other for other in self._listeners if not other.removed), listener)
        self._engine.changed.notify_all()

    def join(self, *, hasty: bool) -> None:
        """Wait a while for the thread once the engine has ended; a listener's own thread doesn't wait."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(HASTE if hasty else PATIENCE)

    def _run(self) -> None:
        while not self._engine.ended:
            try:
                self._deliver()
            except BaseException as error:  # from a trace function, which may also raise here
                self._engine.log.say(ERROR, "listeners could not be called", topic="listeners", error=error)

    def _deliver(self) -> None:
        engine = self._engine
        for listener in engine.changed.wait_for(self._called_for):
            if engine.ended:  # perhaps by an earlier listener
                return
            listener.deliver()

    def _called_for(self) -> tuple[Listener, ...]:
        wanted = self._engine.ended or any(listener.ready for listener in self._listeners)
        return self._listeners if wanted else ()
