"""The statistics of asynchronous nodes as Prometheus metrics (the ``metrics`` extra). Any thread may scrape them.

async with open_node() as node:
    REGISTRY.register(NodeCollector(node))
"""

from swim_core import Statistics
from swim_threads.prometheus import NodeCollector as ThreadsCollector

from .anywhere import Anywhere
from .crossing import Crossing
from .node import AsyncNode

__all__ = ["NodeCollector"]


class NodeCollector(ThreadsCollector["_Anywhere"]):
    """Collects the statistics of nodes whenever its registry is scraped, in their loop or in any thread.

    A node that runs in a thread of its own can be asked at any time. One that runs within the loop is asked there, and
    the scrape waits a second at most: if the loop is blocked, ``swim_up`` is 0, there is no other sample of that node,
    and the scrape continues. Otherwise it works like the collector of `swim_threads.prometheus`.

    Args:
        nodes: all nodes of this registry, all of the loop in which the collector is made.

    Raises:
        ValueError: if two of them have the same name.
        RuntimeError: outside the nodes' loop.
    """

    def __init__(self, *nodes: AsyncNode) -> None:
        crossing = Crossing()
        super().__init__(*[_Anywhere(node, crossing) for node in nodes])


class _Anywhere(Anywhere):
    """A node whose statistics any thread may ask for."""

    def statistics(self) -> Statistics:
        """A snapshot of counters and sizes. Raises as `look`."""
        return self.look(lambda node: node.statistics())
