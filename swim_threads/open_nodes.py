"""The nodes that are open in this process. Those that nobody closed are closed at its end."""

import atexit
import weakref
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Protocol

__all__ = ["add", "close_all", "discard"]


class OpenNode(Protocol):
    """What a node must offer here. Only weak references to nodes are kept."""

    def say_goodbye(self) -> None:
        """Begin to say goodbye, without waiting."""

    def close(self) -> None:
        """End it."""


_open_nodes: "weakref.WeakSet[OpenNode]" = weakref.WeakSet()


def add(node: OpenNode) -> None:
    """Keep track of ``node``."""
    _open_nodes.add(node)


def discard(node: OpenNode) -> None:
    """Forget ``node``, which is closed."""
    _open_nodes.discard(node)


def close_all(nodes: Iterable[OpenNode]) -> None:
    """Close ``nodes``, which all say goodbye at the same time: it takes 250 ms, however many there are.

    One after the other, each would take that long. Nodes that are already closed are left alone, and all are closed in
    the end, even if something is raised meanwhile, for example by Ctrl-C.
    """
    nodes = tuple(nodes)
    with ExitStack() as closing:
        for node in nodes:
            closing.callback(node.close)
        for node in nodes:
            node.say_goodbye()


@atexit.register
def _close_forgotten() -> None:
    close_all(_open_nodes)
