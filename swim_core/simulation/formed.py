"""Processes that have long known each other when they start, without a datagram."""

import gc
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol, cast

from swim_core.member import Member
from swim_core.native.table.formed_cluster import FormedCluster

from .process import Process, SimulationError
from .shared import SharedCluster

__all__ = ["CanAdopt", "formed_by", "formed_by_members", "without_collections"]


class CanAdopt(Protocol):
    """What a protocol's nodes need for this."""

    def formed_cluster(self, members: Iterable[Member]) -> Any:
        """Make what `adopt` takes, once for all nodes."""

    def adopt(self, formed: Any, *, now: float) -> None:
        """Take over the members of a formed cluster as if long known, without events about them."""


def formed_by(processes: Sequence[Process]) -> Any:
    """What each node of a cluster of these processes adopts.

    Raises:
        SimulationError: if nodes of that protocol can't.
    """
    if not hasattr(processes[0].node, "adopt"):
        raise SimulationError("nodes of this protocol can't start formed: use form()")
    return formed_by_members(processes[0], (process.node.local for process in processes))


def formed_by_members(process: Process, members: Iterable[Member]) -> Any:
    """What each node of a cluster of these members adopts; ``process`` is any of them."""
    formed = cast(CanAdopt, process.node).formed_cluster(members)
    return SharedCluster(formed) if isinstance(formed, FormedCluster) else formed


@contextmanager
def without_collections() -> Iterator[None]:
    """Keep Python from searching a million new objects for garbage repeatedly, which would take most of the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
