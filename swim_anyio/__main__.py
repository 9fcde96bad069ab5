"""`swim`, also as ``python -m swim_anyio``."""

import os
import sys
from contextlib import suppress

__all__ = ["main"]

EXTRAS = {"anyio", "prometheus_client", "rich", "trio", "typer"}  # only the cli extra installs these


def main() -> int:
    """Run the command with the arguments of this process; returns the exit status (see `command.entry`)."""
    _fill_standard_descriptors()
    try:
        from .command.entry import run

        return run(sys.argv[1:])
    except ImportError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in EXTRAS:
            raise
        print(f'swim: {missing} is missing: pip install "swim-membership[cli]"', file=sys.stderr)
        return 1
    finally:
        _drop_unwritten()


def _fill_standard_descriptors() -> None:
    """Open standard streams that a crude supervisor closed. Otherwise sockets would get their numbers, and their
    output."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free


def _drop_unwritten() -> None:
    """Drop what standard streams can't take. Since Python 3.13 they keep it, and the interpreter, which flushes them at
    its end, would complain once more and end with a status of its own.
    """
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            with suppress(OSError, ValueError):
                nothing = os.open(os.devnull, os.O_WRONLY)
                os.dup2(nothing, stream.fileno())
                os.close(nothing)


if __name__ == "__main__":
    sys.exit(main())
