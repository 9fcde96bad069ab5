"""An application on a simulated process: it is told its node's events, and acts through a node with the usual verbs."""

from collections.abc import Callable, Iterable, Mapping
from random import Random
from typing import Any, Protocol, TypeVar

from swim_core.address import Address
from swim_core.events import Event, Evidence
from swim_core.member import Member
from swim_core.protocol import AddressLike, ProtocolNode
from swim_core.shared.timers import Timer
from swim_core.statistics import Statistics

__all__ = ["Application", "Program", "SimulatedNode"]

T = TypeVar("T")


class Application(Protocol):
    """What a program is while it runs: any object with this method."""

    def on_event(self, event: Event) -> None:
        """The node has told something. May act at once; what it raises ends the simulation's run."""


class Host(Protocol):
    """What a `SimulatedNode` uses of the process that it stands for."""

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


class SimulatedNode:
    """The node of one run of one simulated process, as its application holds it.

    Nouns and verbs are those of the adapters' nodes; time is virtual, so nothing waits. While the process stalls
    nothing of the application runs; once it has ended, never again.

    Attributes:
        random: for the application's own use, seeded from the simulation's seed, the process and its run.
    """

    __slots__ = ("_process", "random")

    def __init__(self, process: Host, random: Random) -> None:
        self._process = process
        self.random = random

    def __repr__(self) -> str:
        return f"<SimulatedNode {self._process.label} at {self._process.address}>"

    @property
    def local(self) -> Member:
        """This node itself."""
        return self._process.node.local

    def members(self, *, gone: bool = False) -> tuple[Member, ...]:
        """The live members, this node included, by name; with ``gone`` DEAD and LEFT ones too."""
        return self._process.node.members(gone=gone)

    def member(self, name: str) -> Member | None:
        """The member of that name, live or gone, or None."""
        return self._process.node.member(name)

    def statistics(self) -> Statistics:
        """Counters and sizes of this moment."""
        return self._process.node.statistics()

    def explain(self, name: str) -> Evidence | None:
        """What stands behind the state of a member; None if unknown."""
        return self._process.node.explain(name)

    def join(self, seeds: Iterable[AddressLike]) -> None:
        """Ask ``seeds``, numeric addresses, to let this node in; replaces earlier ones."""
        self._process.do(lambda node, now: node.join(seeds, now=now))

    def broadcast(self, payload: bytes) -> int:
        """Tell every member ``payload``; returns its number. Raises as `ProtocolNode.broadcast` does."""
        return self._process.broadcast(payload)

    def send(self, to: str | Member, payload: bytes) -> None:
        """Tell one member ``payload``, best effort. Raises as `ProtocolNode.send` does."""
        self._process.do(lambda node, now: node.send(to, payload, now=now))

    def update_metadata(self, metadata: Mapping[str, str]) -> None:
        """Replace this node's metadata and tell everyone. Raises as `ProtocolNode.update_metadata` does."""
        self._process.update_metadata(metadata)

    def leave(self) -> None:
        """Say goodbye; the process ends when that has been told, about 250 ms later."""
        self._process.leave()

    def clock(self) -> float:
        """This process's own monotonic clock, seconds; it agrees with no other's."""
        return self._process.clock

    def after(self, seconds: float, call: Callable[..., object], *arguments: Any) -> Timer:
        """Have ``call(*arguments)`` happen that much later by this clock; ``cancel()`` what this returns to prevent it.

        A timer that falls into a stall is late, and comes after what has arrived; the end of the process ends it.
        """
        return self._process.after(seconds, call, *arguments)


Program = Callable[[SimulatedNode], Application]
"""What starts with each run of a process: a class whose instances are told events, say."""
