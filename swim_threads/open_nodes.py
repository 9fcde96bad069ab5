"""The nodes that are open in this process: closed at its end if forgotten."""

import atexit
import weakref
from typing import Protocol

__all__ = ["add", "discard"]


class OpenNode(Protocol):
    """What is asked of a node here; a node that is forgotten is not kept."""

    def say_goodbye(self) -> None:
        """Tell the others that it leaves, and wait for nothing."""

    def close(self) -> None:
        """End it."""


_open_nodes: "weakref.WeakSet[OpenNode]" = weakref.WeakSet()


def add(node: OpenNode) -> None:
    """Look after ``node``."""
    _open_nodes.add(node)


def discard(node: OpenNode) -> None:
    """It is closed."""
    _open_nodes.discard(node)


@atexit.register
def _close_forgotten() -> None:
    nodes = list(_open_nodes)
    for node in nodes:  # all say goodbye at the same time
        node.say_goodbye()
    for node in nodes:
        node.close()
