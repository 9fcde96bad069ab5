"""Runs a node of `swim_core` under trio or asyncio, through anyio. Start with `open_node`.

Events, members, settings and errors, which are those of `swim_core`, can be imported from here.
"""

import logging
from typing import TYPE_CHECKING

logging.getLogger(__name__).addHandler(logging.NullHandler())

if TYPE_CHECKING:
    from swim_core import vocabulary
    from swim_core.vocabulary import *  # noqa: F403

    from .listeners import Listener
    from .node import AsyncNode, leave_all
    from .opening import open_node
    from .subscription import Subscription

    __all__ = ["AsyncNode", "Listener", "Subscription", "leave_all", "open_node"]
    __all__ += vocabulary.__all__
else:
    _HOMES = {
        "AsyncNode": "node",
        "Listener": "listeners",
        "Subscription": "subscription",
        "leave_all": "node",
        "open_node": "opening",
    }

    def __getattr__(name):
        """Import a public name on first use, so that `swim` can start without anyio and say that it is missing."""
        if name == "__version__":
            from importlib.metadata import version

            return version("swim-membership")
        if name.startswith("__") and name != "__all__":  # asked for by import machinery, which needs none of the core
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = globals()[name] = _own(name) if name in _HOMES else _shared(name)
        return value

    def _own(name):
        """A name of this package."""
        from importlib import import_module

        try:
            return getattr(import_module(f".{_HOMES[name]}", __name__), name)
        except ModuleNotFoundError as error:
            if error.name != "anyio":
                raise
            raise ImportError('swim_anyio needs anyio: pip install "swim-membership[anyio]"') from error

    def _shared(name):
        """A name that all adapters have, or the list of all names."""
        from swim_core import vocabulary

        if name == "__all__":
            return [*_HOMES, *vocabulary.__all__]
        if name not in vocabulary.__all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(vocabulary, name)

    def __dir__():
        """What there is, also before it is imported: `dir`, `help` and completion show it."""
        return [*__getattr__("__all__"), "__version__"]
