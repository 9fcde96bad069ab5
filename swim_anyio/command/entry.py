"""Runs a command line, and reports a failure in one line.

Exit statuses: 0 if the agent left when told to (`leave`, SIGTERM, SIGHUP, a closed output) or the demo went as it
should; 130 after Ctrl-C; 2 for an option, a variable or a key that is invalid in itself, or a key that is missing; 1
for any other failure, as with an address that this host doesn't have.
"""

import os
import sys
from contextlib import suppress

from swim_core import ConfigError, SwimError

from .disk import FULL
from .quick import read_agent_options

__all__ = ["run"]

FAILED = 1
MISUSED = 2
INTERRUPTED = 130


def run(arguments: list[str]) -> int:
    """Run the command; returns the exit status. Every failure ends with one line on standard error.

    Raises:
        ModuleNotFoundError: if an extra is not installed.
    """
    try:
        return _run(arguments)
    except KeyboardInterrupt:  # before the agent listens to signals: it has joined nothing yet
        return INTERRUPTED
    except ConfigError as error:
        return _complain(str(error), MISUSED)
    except _ReaderGone:
        return _complain("standard output was closed by its reader", FAILED)
    except (SwimError, OSError) as error:
        return _complain(_reason(error), FAILED)
    except Exception as error:
        message = getattr(error, "format_message", None)  # click's own, wherever this version of typer keeps click
        if message is None:
            raise
        return _complain(f"{message()} (see swim --help)", MISUSED)


def _run(arguments: list[str]) -> int:
    if sys.stdout is None:
        raise OSError("standard output is closed, so there is nowhere to print to")
    options = read_agent_options(arguments)
    if options is not None:
        from .launch import launch_agent

        return launch_agent(options)
    from .app import app

    stdout = sys.stdout
    try:
        status = int(app(arguments, prog_name="swim", standalone_mode=False) or 0)
        stdout.flush()  # otherwise write errors would show only when nobody is left to report them
    except BrokenPipeError:
        raise _ReaderGone from None
    except SystemExit:
        if sys.stdout is not stdout:  # typer's way to say the same
            raise _ReaderGone from None
        raise
    return status


class _ReaderGone(Exception):
    """The reader of standard output has closed it."""


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno in FULL and error.filename is None:  # nothing else is ever written to
        return f"standard output: {os.strerror(error.errno)}"
    return getattr(error, "strerror", None) or str(error)


def _complain(message: str, status: int) -> int:
    from .text import printable

    line = " ".join(message.replace("Value error, ", "").split())  # typer's words for what an enumeration refuses
    line = printable(line)  # parts of it may come from the network
    if sys.stderr is not None:
        with suppress(OSError):  # nobody reads it; the status remains
            print(f"swim: {line}", file=sys.stderr, flush=True)
    return status
