"""The statistics of asynchronous nodes as Prometheus metrics (the ``metrics`` extra); safe to scrape from any thread.

async with open_node() as node:
    REGISTRY.register(NodeCollector(node))
"""

from collections.abc import Mapping

from swim_core import Statistics
from swim_threads.prometheus import NodeCollector as ThreadsCollector

from .crossing import Crossing
from .node import AsyncNode

__all__ = ["NodeCollector"]

PATIENCE = 1.0  # seconds: a tenth of the time that Prometheus waits for a scrape by default


class NodeCollector(ThreadsCollector[AsyncNode]):
    """Collects the statistics of nodes whenever its registry is scraped, in their loop or in any thread.

    From another thread it has the nodes' loop read them, and waits for a second at most: if the loop is blocked,
    ``swim_up`` is 0 and no other sample is given, and the scrape goes on. See the one of `swim_threads.prometheus`.

    Args:
        nodes: all the nodes of this registry, all of the loop in which the collector is made.

    Raises:
        ValueError: if two of them have one name.
        RuntimeError: outside an event loop.
        WrongThread: outside the nodes' loop.
    """

    def __init__(self, *nodes: AsyncNode) -> None:
        super().__init__(*nodes)
        self._crossing = Crossing()

    def read(self) -> Mapping[str, Statistics]:
        """The statistics of the nodes that can be asked just now, by name; none if their loop is blocked or gone."""
        try:
            return self._crossing.ask(super().read, PATIENCE)
        except (TimeoutError, RuntimeError):
            return {}
