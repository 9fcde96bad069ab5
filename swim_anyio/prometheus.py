"""The statistics of asynchronous nodes as Prometheus metrics (the ``metrics`` extra). Any thread may scrape them.

async with open_node() as node:
    REGISTRY.register(NodeCollector(node))
"""

from swim_core import NotRunning, Statistics, WrongThread
from swim_threads.prometheus import NodeCollector as ThreadsCollector

from .crossing import Crossing
from .node import AsyncNode

__all__ = ["NodeCollector"]

PATIENCE = 1.0  # seconds: a tenth of the time that Prometheus waits for a scrape by default


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


class _Anywhere:
    """A node whose statistics any thread may ask for."""

    def __init__(self, node: AsyncNode, crossing: Crossing) -> None:
        self.local = node.local
        self._node = node
        self._engine = node._engine
        self._crossing = crossing

    def statistics(self) -> Statistics:
        """A snapshot of counters and sizes.

        Raises:
            WrongThread: if its loop did not answer.
            NotRunning: if the node has ended.
        """
        if not self._engine.running:
            raise NotRunning("this node is closed")
        if self._engine.threadsafe:
            with self._engine.lock:
                return self._engine.core.statistics()
        try:
            return self._crossing.ask(self._node.statistics, PATIENCE)
        except TimeoutError:
            raise WrongThread(f"the event loop of the node did not answer within {PATIENCE} s") from None
