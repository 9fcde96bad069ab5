"""Nodes with tripwires, for tests of both adapters."""

from swim_core import Config
from swim_threads import ThreadNode

__all__ = ["RARE", "connected"]


RARE = Config.lan(probe_interval=60.0, stall_tolerance=120.0)


def connected(node: ThreadNode) -> int:
    """How many tripwires a node keeps, according to its statistics."""
    return node.statistics().tripwires
