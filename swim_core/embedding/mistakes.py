"""Whether an exception that came out of a command is the caller's mistake, or leaves the node half changed."""

from types import TracebackType

from swim_core.errors import SwimError

__all__ = ["is_mistake"]

OURS = "swim_"  # how the names of the packages begin whose code raises before it changes anything
NEVER = (MemoryError, RecursionError)  # these come wherever there is no room left, also in the middle of a change


def is_mistake(error: BaseException, node: object) -> bool:
    """Whether a command of ``node`` raised it on purpose, or over an argument that it can't use: nothing has changed.

    Anything else interrupted the node at any of its instructions: what a signal handler or a trace function raises,
    in a frame of its own, or what Python raises in the node's.
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
