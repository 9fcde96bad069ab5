"""Runs a node of `swim_core` under trio or asyncio, through anyio. Start with `open_node`."""

import logging
from typing import TYPE_CHECKING

__all__ = ["AsyncNode", "Listener", "Subscription", "leave_all", "open_node"]

logging.getLogger(__name__).addHandler(logging.NullHandler())

if TYPE_CHECKING:
    from .listeners import Listener
    from .node import AsyncNode, leave_all
    from .opening import open_node
    from .subscription import Subscription
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
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        try:
            home = import_module(f".{_HOMES[name]}", __name__)
        except ModuleNotFoundError as error:
            if error.name != "anyio":
                raise
            raise ImportError('swim_anyio needs anyio: pip install "swim-membership[anyio]"') from error
        value = globals()[name] = getattr(home, name)
        return value

    def __dir__():
        """What there is, also before it is imported: `dir`, `help` and completion show it."""
        return [*__all__, "__version__"]
