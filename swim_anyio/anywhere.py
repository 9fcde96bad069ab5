"""Looks at a node from wherever one is: from its own event loop, another one, or any thread."""

from collections.abc import Callable
from functools import partial
from typing import TypeVar

from swim_core import Member, NotRunning, WrongThread

from .crossing import Crossing
from .node import AsyncNode

__all__ = ["Anywhere"]

PATIENCE = 1.0  # seconds: a tenth of the time that Prometheus waits for a scrape by default
T = TypeVar("T")


class Anywhere:
    """A node that any thread may look at.

    One that runs in a thread of its own can be looked at at any time. One that runs within the loop is looked at there,
    and who asks waits a second at most.

    Args:
        node: of the loop in which this is made.
        crossing: the way into that loop, if there is one already.

    Attributes:
        local: the node itself, as it was when this was made.

    Raises:
        RuntimeError: outside the node's loop.
    """

    def __init__(self, node: AsyncNode, crossing: Crossing | None = None) -> None:
        self.local: Member = node.local
        self._node = node
        self._crossing = crossing or Crossing()

    @property
    def clock(self) -> Callable[[], float]:
        """The node's clock, seconds."""
        return self._node._engine.clock

    def look(self, question: Callable[[AsyncNode], T]) -> T:
        """What ``question``, which must not wait, says of the node; its exceptions are raised.

        Raises:
            WrongThread: if the node's loop did not answer.
            NotRunning: if the node has ended.
        """
        if not self._node._engine.running:
            raise NotRunning("this node is closed")
        if self._node._engine.threadsafe:
            return question(self._node)
        try:
            return self._crossing.ask(partial(question, self._node), PATIENCE)
        except TimeoutError:
            raise WrongThread(f"the event loop of the node did not answer within {PATIENCE} s") from None
