"""SWIM membership with threads and sockets of the standard library, and without an event loop.

Start with `open_node`. Events, members, settings and errors, which are those of `swim_core`, can be imported from here.
"""

import sys

from swim_core import vocabulary
from swim_core.vocabulary import *  # noqa: F403

from .listeners import Listener
from .logs import logger_of
from .node import ThreadNode
from .open_nodes import close_all
from .opening import open_node
from .subscription import Subscription

__all__ = ["Listener", "Subscription", "ThreadNode", "close_all", "open_node"]
__all__ += vocabulary.__all__

if "logging" in sys.modules:  # else with the first line that is logged
    logger_of("swim_threads", "")
del logger_of


def __getattr__(name: str) -> str:
    """``__version__``, looked up when it is asked for, since that takes a while."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("swim-membership")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
