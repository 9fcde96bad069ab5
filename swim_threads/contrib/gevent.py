"""A node under gevent, with or without monkey patching: a greenlet gives it its turns, and no thread is started."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import gevent
from gevent.event import Event as Flag

from swim_core import Event, Member, NotRunning
from swim_core.embedding.event_queue import EventQueue
from swim_core.embedding.gathering import Gathering
from swim_threads.driver import Driver

__all__ = ["GeventNode"]


class GeventNode(Driver):
    """A running member, for the greenlets of the thread that opened it. `leave` and `wait_for_members` wait.

    Arguments are those of `swim_threads.driver.Driver`. ``on_event`` is called in a greenlet for each event, one after
    the other, so it may wait; what it raises is printed.
    """

    def __init__(self, *arguments: Any, on_event: Callable[[Event], object] = repr, **keywords: Any) -> None:
        self._due, self._turned = Flag(), Flag()
        self._gatherings: list[Gathering] = []
        super().__init__(*arguments, on_event=self._hear, on_earlier=self._due.set, **keywords)
        self._queue = EventQueue(self._engine.event_buffer)
        self._watcher = gevent.get_hub().loop.io(self.fileno(), 1)
        self._watcher.start(self._due.set)
        gevent.spawn(self._run)
        gevent.spawn(self._tell, on_event)

    def leave(self) -> None:
        """Say goodbye, and return once it was said often enough (250 ms)."""
        super().leave()
        while not self.has_left:
            self._turned.wait()
        self._engine.check_sound()

    def wait_for_members(self, count: int, timeout: float | None = None) -> tuple[Member, ...]:
        """As `ThreadNode.wait_for_members`."""
        self._gatherings.append(gathering := Gathering(count, self.members))
        try:
            with gevent.Timeout(timeout, TimeoutError(f"fewer than {count} members after {timeout} s")):
                while not gathering.enough:
                    self._engine.check_open()
                    self._turned.wait()
        finally:
            self._gatherings.remove(gathering)
        return gathering.members

    def close(self) -> None:
        """Say goodbye once, if it wasn't said, and close the socket. A second call does nothing."""
        self._watcher.close()
        super().close()
        self._due.set()

    def _run(self) -> None:
        try:
            while self.fileno() >= 0:
                self._due.wait(self.timeout())
                self._due.clear()
                with suppress(NotRunning):  # closed meanwhile
                    self.turn()
                turned, self._turned = self._turned, Flag()
                turned.set()
        finally:  # the node may have failed
            self.close()
            self._turned.set()

    def _hear(self, event: Event) -> None:
        self._queue.push(event)
        for gathering in self._gatherings:
            gathering.take(event)

    def _tell(self, on_event: Callable[[Event], object]) -> None:
        while (event := self._queue.pop()) is not None or self.fileno() >= 0:
            self._turned.wait() if event is None else gevent.spawn(on_event, event).join()
