"""One node for each process that uses it: servers fork workers, and reloaders start a program twice.

A node belongs to the process that opened it (`ThreadNode`). So extensions of frameworks don't open one where an
application is made: that may be a master that only forks, the parent of a reloader, or a command that migrates a
database. The first use in a process opens its node, also in one that was forked from a process with a node.
"""

import os
import threading
from collections.abc import Callable, Mapping
from typing import Any
from weakref import WeakSet

from swim_core import ConfigError
from swim_threads.node import ThreadNode
from swim_threads.opening import open_node

__all__ = ["ARGUMENTS", "NodePerProcess", "checked"]

ARGUMENTS = (
    *("bind", "name", "join", "config", "advertise", "metadata", "cluster", "discover"),
    *("keys", "key_file", "insecure", "listeners"),
)
"""The arguments of `open_node`."""


def checked(arguments: Mapping[str, Any], where: str) -> dict[str, Any]:
    """The arguments of `open_node`, as settings of a framework have them.

    Raises:
        ConfigError: if it has no such argument, or they aren't a mapping; the message names ``where``.
    """
    if not isinstance(arguments, Mapping):
        raise ConfigError(f"{where}: give a dict of arguments of open_node, not {arguments!r}")
    for name in arguments:
        if name not in ARGUMENTS:
            raise ConfigError(f"{where}: open_node has no argument {name!r}; it has {', '.join(ARGUMENTS)}")
    return dict(arguments)


class NodePerProcess:
    """Calling it gives the node of this process. For any thread.

    The node says goodbye at the end of its process, or with `close`. A process that ends without its exit handlers, by
    a signal or as a child of `multiprocessing`, says none: then the others find it dead.
    """

    def __init__(self, arguments: Callable[[], Mapping[str, Any]]) -> None:
        """``arguments`` is asked for those of `open_node` when a node is opened."""
        self._arguments = arguments
        self._node: ThreadNode | None = None
        self._lock = threading.Lock()
        _all.add(self)

    def __call__(self) -> ThreadNode:
        """The node of this process, opened if there is none yet.

        Raises what `open_node` raises; the next call tries again.
        """
        if self._node is None:
            with self._lock:
                if self._node is None:
                    self._node = open_node(**self._arguments())
        return self._node

    @property
    def opened(self) -> bool:
        """Whether this process has one."""
        return self._node is not None

    def close(self) -> None:
        """Say goodbye and close it. The next use opens another one. Without a node this does nothing."""
        with self._lock:
            node, self._node = self._node, None
        if node is not None:
            node.close()

    def after_fork_in_child(self) -> None:
        """Forget the node, which is the parent's, and the lock, which may never be released."""
        self._node = None
        self._lock = threading.Lock()


_all: "WeakSet[NodePerProcess]" = WeakSet()


def _after_fork_in_child() -> None:
    for each in list(_all):
        each.after_fork_in_child()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork_in_child)
