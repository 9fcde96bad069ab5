"""The file with a node's keys: read at the start, checked every 15 seconds, and never written.

To rotate keys, put another file in its place, as editors, `swim keys` and Kubernetes do. A thread of its own checks the
file, since a file system that hangs must not hold up the protocol.
"""

import os
import stat
import threading
from collections.abc import Callable
from typing import Protocol
from weakref import ref

from swim_core import ConfigError, Event, KeyInvalid, Keys, KeysRejected
from swim_core.embedding.log_messages import WARNING
from swim_core.protocol import ProtocolNode

from .errands import Worker
from .logs import HASTE, Log

__all__ = ["KeyFile", "KeyWatch", "read_key_file"]

LOOK_EVERY = 15.0  # seconds; each look costs a quiet node 0.15 ms, a wake-up that finds nothing in the caches
MAX_SIZE = 65_536  # bytes: room for eight keys and long comments
Deed = Callable[[ProtocolNode, float], None]


class KeyFile:
    """A key file, and what it was like when it was last read."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._seen: object = None
        self.notice: str | None = None
        """What its owner should know about its permissions; None if they are fine."""

    def read(self) -> Keys:
        """Its keys.

        Raises:
            KeyInvalid: if it can't be read, others may write to it, or a line is no key.
        """
        try:
            fd = os.open(self.path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
            with open(fd, "rb") as file:
                found = os.fstat(fd)
                self._seen = _signature(found)
                self._check(found)
                data = file.read(MAX_SIZE + 1)
        except OSError as error:
            self._seen = None
            raise KeyInvalid(f"the key file {self.path} can't be read: {error.strerror or error}") from error
        if len(data) > MAX_SIZE:
            raise KeyInvalid(f"the key file {self.path} has more than {MAX_SIZE} bytes, which is too large for one")
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise KeyInvalid(f"the key file {self.path} is not text") from None
        return Keys.parse(text, self.path)

    def changed(self) -> bool:
        """Whether the file has changed since it was read, judging by its time, inode and size."""
        try:
            return _signature(os.stat(self.path)) != self._seen
        except OSError:
            return self._seen is not None

    def _check(self, found: os.stat_result) -> None:
        if not stat.S_ISREG(found.st_mode):
            raise KeyInvalid(f"the key file {self.path} is not a file")
        if os.name != "posix":
            return
        if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise KeyInvalid(f"others may write to the key file {self.path}: chmod 600 {self.path}")
        if found.st_mode & stat.S_IROTH:
            self.notice = f"everybody on this host may read the key file {self.path}: chmod 600 {self.path}"


def _signature(found: os.stat_result) -> tuple[int, ...]:
    return found.st_mtime_ns, found.st_dev, found.st_ino, found.st_size


class RunsNode(Protocol):
    """What runs a node, an engine of either adapter."""

    @property
    def running(self) -> bool:
        """Whether it still runs the node."""

    def act_soon(self, deed: Deed) -> None:
        """Have the node changed, from any thread; without effect once the node has ended."""

    def tell_soon(self, event: Event) -> None:
        """Tell subscribers an event that the node itself did not raise; otherwise as `act_soon`."""


def read_key_file(file: KeyFile, log: Log) -> Keys:
    """The keys of the file, for a node that starts. Warns if its permissions are too wide. Raises as `KeyFile.read`."""
    keys = file.read()
    if file.notice is not None:
        log.say(WARNING, "%s", file.notice)
    return keys


class KeyWatch:
    """Makes a node take over the keys in a file whenever that changes, until it is stopped.

    A file that is bad or gone changes nothing: the node keeps the keys that it has, and `KeysRejected` says why.

    Args:
        file: as read at the start.
        engine: the engine that runs the node; it is not kept alive.
    """

    def __init__(self, file: KeyFile, engine: RunsNode) -> None:
        self._file = file
        self._engine = ref(engine)
        self._stopped = False
        self._asked = threading.Event()
        self._thread = Worker(self._watch, "swim key file")
        self._thread.begin()

    def stop(self) -> None:
        """End the thread, and wait for it, but only a moment, in case the file system hangs."""
        self._stopped = True
        self._asked.set()
        if self._thread is not threading.current_thread():
            self._thread.join(HASTE)

    def look_now(self) -> None:
        """Read the file at once, whether or not it seems to have changed. For any thread."""
        self._asked.set()

    def _watch(self) -> None:
        while True:
            asked = self._asked.wait(LOOK_EVERY)
            self._asked.clear()
            engine = self._engine()
            if self._stopped or engine is None or not engine.running:
                return
            if asked or self._file.changed():
                _take_over(self._file, engine)
            del engine


def _take_over(file: KeyFile, engine: RunsNode) -> None:
    try:
        keys = file.read()
    except KeyInvalid as error:
        engine.tell_soon(KeysRejected(str(error)))
        return

    def deed(node: ProtocolNode, now: float) -> None:
        try:
            node.set_keys(keys, now=now)
        except ConfigError as error:
            engine.tell_soon(KeysRejected(f"{file.path}: {error}"))

    engine.act_soon(deed)
