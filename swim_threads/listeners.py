"""Listeners: functions called with events, in a thread of their own, so that none holds up the protocol."""

import logging
import threading
from collections.abc import Callable

from swim_core import Event, EventsLost, NodeCrashed, NotRunning

from .engine import Engine
from .subscription import Subscription

__all__ = ["Dispatcher", "Listener"]

logger = logging.getLogger("swim_threads.listeners")

# seconds that closing waits for a listener that is running, normally and after an exception (whose deadline is
# not to be overrun by more than 50 ms); a listener that itself waits for the closing thread must not hang it
PATIENCE, HASTE = 1.0, 0.04


class Listener:
    """The handle of a listener that was added."""

    def __init__(self, dispatcher: "Dispatcher", call: Callable[[Event], None]) -> None:
        self._dispatcher = dispatcher
        self._call = call

    def remove(self) -> None:
        """Call it no more; a call that is running goes on. A second call does nothing."""
        self._dispatcher.discard(self)

    def deliver(self, event: Event) -> None:
        """Call it, and log with its traceback whatever it raises."""
        try:
            self._call(event)
        except BaseException:  # SystemExit too: one listener's end is not the end of the others
            name = self._dispatcher.node_name
            kind = type(event).__name__
            logger.exception("%s: a listener raised, on %s", name, kind, extra={"node": name, "event": kind})


class Dispatcher:
    """Calls the listeners of one node, one after the other, in a thread that starts with the first of them.

    Attributes:
        node_name: for the log.
    """

    def __init__(self, engine: Engine, limit: int) -> None:
        self.node_name = engine.node.local.name
        self._engine = engine
        self._limit = limit
        self._lock = threading.Lock()
        self._listeners: tuple[Listener, ...] = ()
        self._thread: threading.Thread | None = None

    def add(self, call: Callable[[Event], None]) -> Listener:
        """Call ``call`` with every event from now on.

        Raises:
            NotRunning: if the node was closed.
        """
        listener = Listener(self, call)
        with self._lock:
            if self._thread is None:
                events = Subscription(self._engine, self._limit, current=False)
                thread = threading.Thread(target=self._run, args=(events,), name="swim listeners", daemon=True)
                thread.start()
                self._thread = thread
            else:
                self._engine.check_running()
            self._listeners = (*self._listeners, listener)
        return listener

    def discard(self, listener: Listener) -> None:
        """Call it no more."""
        with self._lock:
            self._listeners = tuple(other for other in self._listeners if other is not listener)

    def join(self, *, hasty: bool) -> None:
        """Wait a while for the thread, once the engine has ended; from a listener there is nothing to wait for."""
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(HASTE if hasty else PATIENCE)

    def after_fork_in_child(self) -> None:
        """Give up this copy, whose lock may be held for ever."""
        self._lock = threading.Lock()

    def _run(self, events: Subscription) -> None:
        while not self._engine.ended:
            try:
                event = events.get()
            except (NotRunning, NodeCrashed):
                return
            if isinstance(event, EventsLost):
                logger.warning(
                    "%s: listeners fell behind: %d events were lost",
                    self.node_name,
                    event.count,
                    extra={"node": self.node_name, "event": "lost", "count": event.count},
                )
            with self._lock:  # so that the first listener misses nothing
                listeners = self._listeners
            for listener in listeners:
                if listener in self._listeners and not self._engine.ended:  # removed or closed by one before it
                    listener.deliver(event)
