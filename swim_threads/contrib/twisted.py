"""A node under Twisted, for reactors that watch descriptors: all but the one for Windows' completion ports."""

from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReadDescriptor
from twisted.logger import Logger
from zope.interface import implementer

from swim_threads.driver import Driver

__all__ = ["TwistedNode"]


@implementer(IReadDescriptor)
class TwistedNode(Driver):
    """A running member, with the arguments of `swim_threads.driver.Driver`; the reactor calls its turns.

    If ``on_event`` raises, that is logged. A reactor that stops lets the node say goodbye.
    """

    def __init__(self, reactor: Any, *arguments: Any, **named: Any) -> None:
        self._reactor, self._call, self._log = reactor, None, Logger()
        self._leaving: list[Deferred[None]] = []
        super().__init__(*arguments, on_earlier=self._schedule, **named)
        reactor.addReader(self)
        self._trigger = reactor.addSystemEventTrigger("before", "shutdown", self.leave)
        self._schedule()

    def leave(self) -> Deferred[None]:
        """Say goodbye; the result fires once it was said often enough, after 250 ms."""
        left = Deferred[None]()
        self._leaving.append(left)
        super().leave()
        self._schedule()
        return left

    def close(self) -> None:
        """Say goodbye once, if it wasn't said, and close the socket. A second call does nothing."""
        if self.fileno() >= 0:
            self._reactor.removeReader(self)
            with suppress(ValueError):  # the reactor is stopping
                self._reactor.removeSystemEventTrigger(self._trigger)
            super().close()
            self._schedule()

    def doRead(self) -> None:
        """Take a turn, because something has arrived or time has passed."""
        with self._log.failuresHandled("the node failed, or on_event raised an exception"):
            self.turn()
        if self._engine.failure is not None:
            self.close()
        self._schedule()

    def _schedule(self) -> None:
        before = self._call
        if self.fileno() >= 0 and (seconds := self.timeout()) is not None:
            self._call = self._reactor.callLater(seconds, self.doRead)
        if before is not None and before.active():  # after that, so that there is one whatever is raised here
            before.cancel()
        while self.has_left and self._leaving:
            self._leaving.pop().callback(None)

    def connectionLost(self, reason: object) -> None:
        """Close the node, because the reactor has ended."""
        self.close()

    def logPrefix(self) -> str:
        """The prefix of lines that the reactor logs about this."""
        return "swim"
