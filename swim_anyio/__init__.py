"""Binds a node of `swim_core` to trio and asyncio, through anyio: `open_node` is the way in."""

import logging

try:
    import anyio as anyio
except ModuleNotFoundError as error:
    if error.name != "anyio":
        raise
    raise ImportError(
        'swim_anyio needs anyio: pip install "swim-membership[anyio]", or "swim-membership[cli]" for the swim command'
    ) from error

from .node import AsyncNode
from .opening import open_node
from .subscription import Subscription

__all__ = ["AsyncNode", "Subscription", "open_node"]

logging.getLogger(__name__).addHandler(logging.NullHandler())
