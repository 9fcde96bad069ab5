"""The nodes that are open in this process: closed at its end if forgotten."""

import atexit
import weakref
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Protocol

__all__ = ["add", "close_all", "discard"]


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


def close_all(nodes: Iterable[OpenNode]) -> None:
    """Close ``nodes``, which all say goodbye at the same time: it takes 250 ms, however many they are.

    One after the other they would take as long each. Those that are closed already are left as they are, and all are
    closed in the end, whatever is raised meanwhile, as by Ctrl-C.
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
