"""The nodes that are open in this process: closed at its end if forgotten, given up in a fork."""

import atexit
import os
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .node import ThreadNode

__all__ = ["add", "discard"]

_open_nodes: "weakref.WeakSet[ThreadNode]" = weakref.WeakSet()


def add(node: "ThreadNode") -> None:
    """Look after ``node``."""
    _open_nodes.add(node)


def discard(node: "ThreadNode") -> None:
    """It is closed."""
    _open_nodes.discard(node)


@atexit.register
def _close_forgotten() -> None:
    nodes = list(_open_nodes)
    for node in nodes:  # all say goodbye at the same time
        node.say_goodbye()
    for node in nodes:
        node.close()


def _after_fork_in_child() -> None:
    for node in list(_open_nodes):
        node.after_fork_in_child()
    _open_nodes.clear()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork_in_child)
