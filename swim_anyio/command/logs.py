"""What the libraries log, on standard error: a line for people, or one JSON object a line for programs."""

import logging
import sys

import msgspec

from .choices import Format, LogLevel
from .records import printable

__all__ = ["JsonFormatter", "start_logging"]

REPORTED = ("swim_anyio.events", "swim_threads.events")
"""What the agent reports on standard output anyhow; said once is enough."""

_PLAIN = set(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_encode = msgspec.json.Encoder(enc_hook=str).encode


class JsonFormatter(logging.Formatter):
    """A record as one JSON object: ``t`` (seconds since 1970), ``level``, ``logger``, ``message``, the fields given as
    ``extra``, and ``exception``, a traceback, if there was one.
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


def start_logging(level: LogLevel, format: Format) -> None:
    """Log to standard error from now on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        JsonFormatter() if format is Format.JSON else logging.Formatter("swim: %(levelname)s: %(message)s")
    )
    handler.addFilter(lambda record: record.name not in REPORTED)
    logging.basicConfig(level=level.upper(), handlers=[handler])
