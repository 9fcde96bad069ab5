"""SWIM membership on one standard-library thread and one UDP socket; needs no event loop.

Start with `open_node`.
"""

import logging

from .listeners import Listener
from .node import ThreadNode
from .opening import open_node
from .subscription import Subscription

__all__ = ["Listener", "Subscription", "ThreadNode", "open_node"]

logging.getLogger("swim_threads").addHandler(logging.NullHandler())
