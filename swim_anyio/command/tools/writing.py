"""Standard output for one-shot commands, and numbers for people."""

import errno
import os
import re
import select
import sys
import time
from collections.abc import Iterable, Sequence
from textwrap import wrap

from ..text import printable

__all__ = ["ago", "clock_time", "columns", "for_people", "span", "wrapped", "write"]

CLOSED = {errno.EPIPE, errno.ECONNRESET, errno.EIO, errno.EBADF}
GAP = "  "
TIMED = re.compile(r"\d\d:\d\d:\d\d\.")
NARROW = 16  # columns: details in fewer are harder to read than lines that a terminal breaks


def write(text: str | bytes) -> None:
    """Write the whole text, and a newline unless it ends with one.

    Raises:
        OSError: if standard output can't take it.
    """
    data = text if isinstance(text, bytes) else text.encode(errors="backslashreplace")
    rest = memoryview(data if data.endswith(b"\n") else data + b"\n")
    fd = sys.stdout.fileno()
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:  # somebody else made it non-blocking
            select.select([], [fd], [])
        except OSError as error:
            reason = "closed before everything was written" if error.errno in CLOSED else error.strerror
            # without a number: click ends the process in silence where it sees EPIPE
            raise OSError(f"standard output: {reason}") from None


def for_people() -> bool:
    """Whether standard output is a terminal that can show more than plain lines."""
    return sys.stdout.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def columns(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Plain columns as wide as their contents, which are made printable."""
    table = [tuple(header), *(tuple(map(printable, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    lines = (GAP.join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in table)
    return "\n".join(line.rstrip() for line in lines)


def wrapped(line: str, width: int | None, indent: int) -> str:
    """A line as one or several of at most ``width`` characters, None for any number; those below a time of day are
    indented. Columns too narrow to be read are left to the terminal to break."""
    if width is None or width < indent + NARROW:
        return line
    hanging = " " * indent if TIMED.match(line) else ""
    return "\n".join(wrap(line, width, subsequent_indent=hanging, break_on_hyphens=False)) or line


def ago(seconds: float) -> str:
    """A duration in at most six characters: "0.4s", "12s", "3m05s", "2h10m", "5d03h"."""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    for unit, smaller, size, name in ((86_400, 3_600, "d", "h"), (3_600, 60, "h", "m"), (60, 1, "m", "s")):
        if whole >= unit:
            return f"{whole // unit}{size}{whole % unit // smaller:02}{name}"
    return f"{whole}s"


def span(seconds: float | None) -> str:
    """A round trip in milliseconds; "-" for none."""
    if seconds is None:
        return "-"
    ms = seconds * 1e3
    return f"{ms:.{2 if ms < 10 else 1 if ms < 100 else 0}f}ms"


def clock_time(unix: float, *, date: bool = False) -> str:
    """A local time of day with milliseconds, and optionally the date."""
    whole = time.strftime("%Y-%m-%d %H:%M:%S" if date else "%H:%M:%S", time.localtime(unix))
    return f"{whole}.{int(unix % 1 * 1000):03}"
