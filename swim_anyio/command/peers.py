"""A file that remembers members, so that a member that is restarted needs no seed.

It has one line of JSON for each member: ``{"name": "bob", "address": "192.0.2.7:7946"}``. It helps where it can and
never gets in the way: a file that is missing, broken or can't be written doesn't stop a member from running.
"""

import contextlib
import json
import logging
import os
import random
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread

from swim_core import Address, ConfigError, NodeCrashed
from swim_core.address import reachable, split_host_port

from ..node import AsyncNode

__all__ = ["Peers", "keep_peers"]

log = logging.getLogger("swim_anyio.seeds")

SPACING = 5.0  # seconds between two writings, at least
SEEDS_FIRST = 2.0  # seconds in which seeds may find a member, so that peers need not be asked
MAX_KEPT = 256  # members in the file; a sample of a larger cluster
MAX_SIZE = 1 << 20  # bytes of it that are read
MAX_ASKED = 64  # lines that are asked, a sample


class Peers:
    """The file, and what was last written to it. Its methods block."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written: Mapping[str, str] = {}
        self._failed = False

    def read(self) -> list[Address]:
        """Addresses to ask: a sample of the readable lines; none if there is no file."""
        try:
            if not self._path.is_file():
                if self._path.exists():
                    self._warn("is not a file")
                return []
            with self._path.open("rb") as file:
                lines = file.read(MAX_SIZE).splitlines()
        except OSError as error:
            self._warn(f"can't be read: {error.strerror}")
            return []
        found = [_address(line) for line in lines]
        if None in found:
            self._warn("is partly broken; the rest of it is used")
        addresses = list(dict.fromkeys(address for address in found if address is not None))
        return random.sample(addresses, min(MAX_ASKED, len(addresses)))

    def write(self, members: Iterable[tuple[str, str]]) -> None:
        """Replace the contents, unless nothing changed or ``members`` is empty: a lone member needs the old ones."""
        there = dict(members)
        if not there or there == self._written:
            return
        kept = random.sample(sorted(there.items()), min(MAX_KEPT, len(there)))
        text = "".join(json.dumps({"name": name, "address": address}) + "\n" for name, address in sorted(kept))
        beside = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        try:
            with beside.open("w", encoding="ascii") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.replace(beside, self._path)
        except OSError as error:
            with contextlib.suppress(OSError):
                beside.unlink(missing_ok=True)
            if not self._failed:
                self._warn(f"can't be written: {error.strerror}")
            self._failed = True
        else:
            self._written, self._failed = there, False

    def _warn(self, what: str) -> None:
        extra = {"event": "peers", "path": str(self._path)}
        log.warning("the peers file %s %s", self._path, what, extra=extra)


def _address(line: bytes) -> Address | None:
    try:
        return reachable(split_host_port(json.loads(line)["address"]))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, ConfigError):
        return None


async def keep_peers(node: AsyncNode, path: str, *, seeds: bool) -> None:
    """Ask the members in the file, after the seeds if there are any; from then on keep the file up to date."""
    peers = Peers(Path(path))
    # threads may be left behind: a file system that hangs must not hold up the end
    in_thread = partial(anyio.to_thread.run_sync, abandon_on_cancel=True)
    addresses = await in_thread(peers.read)
    with contextlib.suppress(NodeCrashed), node.subscribe(current=True) as events:  # which `open_node` raises itself
        if seeds:
            with anyio.move_on_after(SEEDS_FIRST):
                await node.wait_for_members(2)
        if addresses and len(node.members()) == 1:
            node._engine.remember(addresses)
        while True:
            await events.get()
            events.clear()
            await in_thread(peers.write, _others(node))
            await anyio.sleep(SPACING)


def _others(node: AsyncNode) -> Sequence[tuple[str, str]]:
    own = node.local.name
    return [(member.name, str(member.address)) for member in node.members() if member.name != own]
