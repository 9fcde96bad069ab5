"""SWIM membership with threads and sockets of the standard library, and without an event loop.

Start with `open_node`. Events, members, settings and errors, which are those of `swim_core`, can be imported from here.
"""

import sys
from typing import TYPE_CHECKING

from swim_core import vocabulary
from swim_core.vocabulary import *  # noqa: F403

from .logs import logger_of

if TYPE_CHECKING:
    from .listeners import Listener
    from .node import ThreadNode
    from .open_nodes import close_all
    from .opening import open_node
    from .subscription import Subscription

__all__ = ["Listener", "Subscription", "ThreadNode", "close_all", "open_node"]
__all__ += vocabulary.__all__

_HOMES = {
    "Listener": "listeners",
    "Subscription": "subscription",
    "ThreadNode": "node",
    "close_all": "open_nodes",
    "open_node": "opening",
}

if "logging" in sys.modules:  # otherwise with the first line that is logged
    logger_of("swim_threads", "")
del logger_of


def __getattr__(name: str) -> object:
    """A name of this package, when it is first asked for: `swim_anyio` uses the modules beneath and none of these.

    ``__version__`` too, since looking it up takes a while.
    """
    if name == "__version__":
        from importlib.metadata import version

        return version("swim-membership")
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(f".{_HOMES[name]}", __name__), name)
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
