"""Log lines of nodes, written in a thread of their own, since filters and handlers belong to the application.

They may raise, wait for a server or a lock, or never return. Meanwhile the protocol continues, and the lines wait.
Their number is bounded, and lost ones are counted. A record has the time and the thread of the event that it reports.

`logging` itself is loaded once there is something to write. A program that never imports it has set up no log, so
nobody would see a line, save one about a mistake. This spares such a program 0.7 MB and 3 ms.
"""

import atexit
import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, NamedTuple, Protocol

from swim_core import Event, EventsLost
from swim_core.embedding.log_messages import ERROR, WARNING, Notice

if TYPE_CHECKING:
    import logging

__all__ = ["HASTE", "PATIENCE", "DirectWriter", "Log", "LogWriter", "Writer", "log_writer", "logger_of"]

MOST = 1_000  # lines that wait for a slow handler
LINGER = 5.0  # seconds that the thread waits for another line
PATIENCE, HASTE = 1.0, 0.04
"""Seconds for which closing waits for the application's code: normally, and after an exception, which must get through
within 50 ms."""
TOPICS = ("events", "listeners", "multicast", "seeds", "settings", "sockets")


class Line(NamedTuple):
    """The parts of a record. The record is made from them once the application's code may run."""

    logger: "logging.Logger"
    level: int
    text: str
    args: tuple[object, ...]
    extra: Mapping[str, object] | None
    error: BaseException | None
    created: float
    thread: int
    thread_name: str
    mistake: bool

    def write(self) -> None:
        """Have the record filtered and handled. Exceptions are printed as `logging` prints those of handlers."""
        import logging

        record = None
        try:
            if self.logger.isEnabledFor(self.level):
                record = self._record()
                self.logger.handle(record)
                if self.mistake and logging.lastResort is not None and _unheard(self.logger):
                    logging.lastResort.handle(
                        record
                    )  # so that a mistake is seen, like one in a thread or a callback of asyncio
        except Exception:
            if record is None:
                record = logging.LogRecord(self.logger.name, self.level, __file__, 0, self.text, self.args, None)
            with contextlib.suppress(Exception):
                logging.NullHandler().handleError(record)

    def _record(self) -> "logging.LogRecord":
        error = self.error
        exc_info = None if error is None else (type(error), error, error.__traceback__)
        args, extra = self.args, self.extra
        record = self.logger.makeRecord(
            self.logger.name, self.level, __file__, 0, self.text, args, exc_info, None, extra
        )
        record.relativeCreated -= (record.created - self.created) * 1_000
        record.created, record.msecs = self.created, float(int(self.created % 1 * 1_000))
        record.thread, record.threadName = self.thread, self.thread_name
        return record


def _unheard(logger: "logging.Logger") -> bool:
    """Whether logging is not set up: up to the root there are only the handlers that libraries add."""
    import logging

    above: logging.Logger | None = logger
    while above is not None:
        if not (above.propagate and all(isinstance(handler, logging.NullHandler) for handler in above.handlers)):
            return False
        above = above.parent
    return True


def _complain(text: str) -> None:
    """Print the exception that is being handled, as `logging` prints those of handlers."""
    import logging

    logging.NullHandler().handleError(logging.makeLogRecord({"msg": text}))


def logger_of(family: str, topic: str) -> "logging.Logger":
    """The logger of a topic of an adapter, which is silent until the application sets up logging."""
    import logging

    top = logging.getLogger(family)
    if not any(isinstance(handler, logging.NullHandler) for handler in top.handlers):
        top.addHandler(logging.NullHandler())
    return logging.getLogger(f"{family}.{topic}") if topic else top


class Writer(Protocol):
    """Writes lines."""

    def write(self, line: Line) -> None:
        """Have a line written. Raises nothing but interruptions."""


class DirectWriter:
    """Writes lines at once, for nodes in virtual time, which stops meanwhile."""

    def write(self, line: Line) -> None:
        """Write a line."""
        line.write()


class LogWriter:
    """Writes lines in a thread that starts with the first line and ends when none are left. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._work: SimpleQueue[Callable[[], object]] = SimpleQueue()
        self._waiting = self._lost = 0
        self._hurry = False
        self._stuck: threading.Lock | None = None
        self._thread: threading.Thread | None = None

    def write(self, line: Line) -> None:
        """Have a line written soon. Waits for nothing."""
        with self._lock:
            if self._waiting >= MOST:
                self._lost += 1
                return
            if self._lost:
                self._add(self._loss(line))
                self._lost = 0
            self._add(line)
            self._see_to_thread()

    def flush(self, seconds: float) -> None:
        """Wait until all lines so far are written, for ``seconds`` at most; not at all if an earlier wait timed out."""
        written = threading.Lock()
        written.acquire()
        if self.then(written.release) and (self._stuck is None or not self._stuck.locked()):
            self._stuck = None if written.acquire(timeout=seconds) else written

    def then(self, call: Callable[[], object]) -> bool:
        """Have ``call``, which must not wait, called in the thread once all lines so far are written.

        Returns:
            False if there are none.
        """
        with self._lock:
            if self._thread is None and not self._waiting:
                return False
            self._hurry = True
            self._work.put(call)
            return self._see_to_thread()

    def after_fork_in_child(self) -> None:
        """The thread runs in the parent, and the lock may never be released."""
        self.__init__()  # type: ignore[misc]

    def _loss(self, line: Line) -> Line:
        node, text = line.args[0], "%s: %d lines of the log were lost here: the log handlers are too slow"
        extra = {"node": node, "event": "lines_lost", "count": self._lost}
        return line._replace(level=WARNING, text=text, args=(node, self._lost), extra=extra, error=None)

    def _add(self, line: Line) -> None:
        self._waiting += 1
        self._work.put(partial(self._write, line))

    def _see_to_thread(self) -> bool:
        """Whether there is a thread. If none can be started, the lines wait for the next attempt."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="swim log", daemon=True)
            try:
                self._thread.start()
            except RuntimeError:
                self._thread = None
        return self._thread is not None

    def _run(self) -> None:
        while True:
            idle = False
            try:
                self._work.get(timeout=LINGER)()
            except Empty:
                idle = True
            except BaseException:  # an exception ends neither this thread nor the node
                with contextlib.suppress(BaseException):
                    _complain("a handler of the log would end its thread")
            with self._lock:
                if (idle or self._hurry) and self._work.empty():
                    self._hurry, self._thread = False, None
                    return

    def _write(self, line: Line) -> None:
        try:
            line.write()
        finally:
            with self._lock:
                self._waiting -= 1


log_writer = LogWriter()
"""The writer of this process."""

atexit.register(log_writer.flush, PATIENCE)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=log_writer.after_fork_in_child)


class Log:
    """The log of one node, under the names of its adapter. Thread-safe.

    Args:
        family: the adapter's logger, whose children are the topics.
        node: the node's name, which begins every text and is in the field ``node``.
        writer: writes the lines.
    """

    def __init__(self, family: str, node: str, writer: Writer = log_writer) -> None:
        self._node = node
        self._writer = writer
        self._family = family
        self._loggers: dict[str, logging.Logger] = {}

    def _logger(self, topic: str) -> "logging.Logger":
        self._loggers[topic] = found = logger_of(self._family, topic)
        return found

    def notice(self, notice: Notice) -> None:
        """Log what an operator wants to know about an event."""
        self.say(notice.level, "%s", notice.text, topic=notice.topic, extra=notice.fields, mistake=notice.mistake)

    def lost(self, event: Event) -> None:
        """Log that a listener fell behind, if that is what it is told now."""
        if isinstance(event, EventsLost):
            extra = {"event": type(event).__name__, "count": event.count}
            text = "a listener fell behind, and %d events were lost"
            self.say(WARNING, text, event.count, topic="listeners", extra=extra)

    def raised(self, event: Event, error: BaseException) -> None:
        """Log what a listener raised when it was called with ``event``."""
        kind = type(event).__name__
        text = "a listener raised an exception on %s"
        self.say(ERROR, text, kind, topic="listeners", extra={"event": kind}, error=error)

    def say(
        self,
        level: int,
        text: str,
        *args: object,
        topic: str = "",
        extra: Mapping[str, object] | None = None,
        error: BaseException | None = None,
        mistake: bool = False,
    ) -> None:
        """Log a line, with the traceback of an ``error``. Never waits, and runs no code of the application.

        A line about a ``mistake`` of the application, like any error, is shown even if logging is not set up.
        """
        mistake = mistake or error is not None
        if not mistake and "logging" not in sys.modules:
            return
        import logging

        logger = self._loggers.get(topic) or self._logger(topic)
        if level < logging.Logger.getEffectiveLevel(logger) or level <= logger.manager.disable:
            return
        thread = threading.current_thread()
        self._writer.write(
            Line(
                logger,
                level,
                "%s: " + text,
                (self._node, *args),
                {"node": self._node, **(extra or {})},
                error,
                time.time(),
                threading.get_ident(),
                thread.name,
                mistake,
            )
        )
