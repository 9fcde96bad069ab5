"""Tells whether an exception from a command is the caller's mistake or leaves the node half changed."""

from types import TracebackType

from swim_core.errors import SwimError

__all__ = ["BROKEN_OFF", "is_mistake"]

OURS = "swim_"  # the beginning of the names of the packages, whose code raises before it changes anything
BROKEN_OFF = "a change of the node was broken off, and so was the report of what did it"
"""What an engine fails with that finds its mark of a change under way, while none is: see where it sets that."""

NEVER = (MemoryError, RecursionError)  # raised wherever there is no memory left, even in the middle of a change


def is_mistake(error: BaseException, node: object) -> bool:
    """Whether a command of ``node`` raised this error on purpose, or because of an argument that it can't use. Then
    nothing has changed.

    Anything else has interrupted the node at some instruction: an exception from a signal handler or trace function, in
    a frame of its own, or one that Python raised in the node's.
    """
    if isinstance(error, SwimError):
        return True
    if not isinstance(error, Exception) or isinstance(error, NEVER):
        return False
    module = _raised_in(error.__traceback__)
    return module.startswith(OURS) or module == type(node).__module__


def _raised_in(trace: TracebackType | None) -> str:
    """The module whose code raised."""
    if trace is None:
        return ""
    while trace.tb_next is not None:
        trace = trace.tb_next
    return str(trace.tb_frame.f_globals.get("__name__", ""))
