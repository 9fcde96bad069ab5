"""The libraries' logs on standard error: a line for people, or one JSON object per line for programs."""

import io
import logging
import queue
import sys
import threading
from contextlib import suppress
from typing import TextIO

import msgspec

from .choices import Format, LogLevel
from .records import printable

__all__ = ["BackgroundHandler", "JsonFormatter", "start_logging"]

REPORTED = ("swim_anyio.events", "swim_threads.events")
"""Loggers of what the agent reports on standard output anyway."""
MOST = 1_000  # lines that wait for a slow reader of standard error
PATIENCE = 0.25  # seconds that the end of the process waits for it

_PLAIN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_encode = msgspec.json.Encoder(enc_hook=str).encode


class JsonFormatter(logging.Formatter):
    """Formats a record as one JSON object: ``t`` (seconds since 1970), ``level``, ``logger``, ``message``, the fields
    given as ``extra``, and, if there was an exception, its traceback as ``exception``.
    """

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, object] = {
            "t": record.created,
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        fields |= {name: value for name, value in vars(record).items() if name not in _PLAIN}
        if record.exc_info:
            fields["exception"] = self.formatException(record.exc_info)
        return printable(_encode(fields)).decode()


class BackgroundHandler(logging.Handler):
    """Writes lines in a thread of its own, so that a reader that stops reading can't stop the event loop, whose node
    would soon be declared dead. The thread starts with the first line.

    Args:
        stream: what to write to. Up to ``MOST`` lines wait for it; further ones are dropped and counted.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(MOST)
        self._lost = 0
        self._thread: threading.Thread | None = None

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record for writing; called with the handler's lock held."""
        records = [self._loss(), record] if self._lost else [record]
        try:
            self._lines.put_nowait("".join(f"{self._line(each)}\n" for each in records))
        except queue.Full:
            self._lost += 1
            return
        self._lost = 0
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name="swim-logs", daemon=True)
            self._thread.start()

    def _line(self, record: logging.LogRecord) -> str:
        try:
            return self.format(record)
        except Exception as error:  # counted in the log itself, since `handleError` would write here and now
            return f"swim: WARNING: a record of {record.name} can't be formatted: {record.msg!a}: {error!a}"

    def _loss(self) -> logging.LogRecord:
        text = "%d lines were lost here because nobody read standard error"
        return logging.LogRecord("swim_anyio.logs", logging.WARNING, __file__, 0, text, (self._lost,), None)

    def flush(self) -> None:
        """Wait until everything is written, for a quarter of a second at most."""
        with self._lines.all_tasks_done:
            self._lines.all_tasks_done.wait_for(lambda: not self._lines.unfinished_tasks, PATIENCE)

    def close(self) -> None:
        """End the thread once everything is written. If nobody reads, it lasts until the process ends."""
        with suppress(queue.Full):
            self._lines.put_nowait(None)
        super().close()

    def _work(self) -> None:
        while True:
            line = self._lines.get()
            with suppress(OSError, ValueError):  # nobody is left to tell that standard error is gone
                if line is not None:
                    self._stream.write(line)
                    self._stream.flush()
            self._lines.task_done()
            if line is None:
                return


def _unbuffered(stream: TextIO) -> TextIO:
    """The same descriptor without a buffer. At exit the interpreter flushes its own buffer, and would wait endlessly
    for a thread that is stuck in a write to it.
    """
    try:
        raw = io.FileIO(stream.fileno(), "w", closefd=False)
    except OSError:  # no descriptor at all
        return stream
    return io.TextIOWrapper(raw, encoding="utf-8", errors="backslashreplace", write_through=True)


def start_logging(level: LogLevel, format: Format) -> None:
    """Log to standard error from now on, or nowhere if the process was started without one."""
    handler = logging.NullHandler() if sys.stderr is None else BackgroundHandler(_unbuffered(sys.stderr))
    handler.setFormatter(
        JsonFormatter() if format is Format.JSON else logging.Formatter("swim: %(levelname)s: %(message)s")
    )
    handler.addFilter(lambda record: record.name not in REPORTED)
    logging.basicConfig(level=level.upper(), handlers=[handler])
