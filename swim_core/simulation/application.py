"""An application on a simulated process: it gets its node's events, and acts through a node with the usual verbs."""

from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any, Protocol, TypeVar

from swim_core.address import Address
from swim_core.embedding.node_face import NodeFace
from swim_core.events import Event
from swim_core.protocol import ProtocolNode
from swim_core.shared.timers import Timer

__all__ = ["Application", "Program", "SimulatedNode"]

T = TypeVar("T")


class Application(Protocol):
    """A running program: any object that has this method."""

    def on_event(self, event: Event) -> None:
        """Take an event of the node. It may act at once. An exception ends the simulation's run."""


class Host(Protocol):
    """What a `SimulatedNode` needs of its process."""

    @property
    def label(self) -> str: ...

    @property
    def address(self) -> Address: ...

    @property
    def node(self) -> ProtocolNode: ...

    @property
    def clock(self) -> float: ...

    def do(self, intent: Callable[[ProtocolNode, float], T]) -> T: ...

    def broadcast(self, payload: bytes) -> int: ...

    def update_metadata(self, metadata: Mapping[str, str]) -> None: ...

    def leave(self) -> None: ...

    def after(self, seconds: float, call: Callable[..., object], *arguments: Any) -> Timer: ...


class _Engine:
    """A `NodeEngine` in virtual time: nothing waits, and there are no names to resolve."""

    __slots__ = ("_process",)

    def __init__(self, process: Host) -> None:
        self._process = process

    def look(self, question: Callable[[ProtocolNode], T]) -> T:
        return question(self._process.node)

    def act(self, deed: Callable[[ProtocolNode, float], T]) -> T:
        return self._process.do(deed)

    def join(self, seeds: Iterable[tuple[str, int]]) -> None:
        self._process.do(lambda node, now: node.join(seeds, now=now))

    def clock(self) -> float:
        return self._process.clock


class SimulatedNode(NodeFace[_Engine]):
    """The node of one run of one simulated process, as its application holds it.

    It has the views and verbs of the adapters' nodes. Since time is virtual, nothing waits. The application doesn't run
    while the process stalls, or once it has ended.

    Attributes:
        random: for the application's own use, seeded from the simulation's seed, the process and its run.
    """

    __slots__ = ("_process", "random")

    def __init__(self, process: Host, random: Random) -> None:
        super().__init__(_Engine(process))
        self._process = process
        self.random: Random = random

    def __repr__(self) -> str:
        return f"<SimulatedNode {self._process.label} at {self._process.address}>"

    def broadcast(self, payload: bytes) -> int:
        return self._process.broadcast(payload)

    def update_metadata(self, metadata: Mapping[str, str]) -> None:
        self._process.update_metadata(metadata)

    def leave(self) -> None:
        """Say goodbye; the process ends when that is done, about 250 ms later."""
        self._process.leave()

    def clock(self) -> float:
        """This process's own monotonic clock, in seconds; it differs from every other's."""
        return self._process.clock

    def after(self, seconds: float, call: Callable[..., object], *arguments: Any) -> Timer:
        """Call ``call(*arguments)`` that much later by this clock; ``cancel()`` the result to prevent it.

        A timer that falls due during a stall is late, and comes after what has arrived. Timers end with the process.
        """
        return self._process.after(seconds, call, *arguments)


Program = Callable[[SimulatedNode], Application]
"""Makes the application of each run of a process: for example a class whose instances get events."""
