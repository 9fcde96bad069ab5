"""Looking on while a simulation runs: the hooks that invariants hang on."""

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

from swim_core.events import Event

if TYPE_CHECKING:
    from .process import Process

__all__ = ["Observer", "Observers", "Stop"]


class Stop(Enum):
    """How a process ended."""

    CRASHED = "crashed"
    """Killed; the kernel of its host goes on and refuses what is sent there."""
    CRASHED_SILENTLY = "crashed silently"
    """Killed; something on the way keeps refusals back."""
    HOST_LOST = "host lost"
    """The whole host is gone."""
    LEFT = "left"
    """It said goodbye, then closed its socket."""


class Observer:
    """Hooks, none of which does anything here: override what is needed, and hand the object to `Cluster.watch`.

    An exception raised in one ends the run, with the seed and the time added to it.
    """

    def on_start(self, process: "Process") -> None:
        """A process began to run; a restarted one is a new `Process`."""

    def on_stop(self, process: "Process", how: Stop) -> None:
        """A process ended."""

    def on_pause(self, process: "Process") -> None:
        """A process stalled."""

    def on_wake(self, process: "Process") -> None:
        """A process goes on; what queued meanwhile is delivered next."""

    def on_network(self) -> None:
        """Links, cuts or partitions changed."""

    def on_broadcast(self, process: "Process", number: int, payload: bytes) -> None:
        """A process broadcast something."""

    def on_event(self, process: "Process", event: Event) -> None:
        """A node told its application something."""

    def on_turn(self, process: "Process") -> None:
        """A node was given one input, and its outputs were drained."""

    def on_calm(self) -> None:
        """No fault is in effect and there was time to recover: what must hold in the end must hold now."""


class Observers:
    """The observers of one simulation; calls only those that override a hook, since turns are many."""

    def __init__(self) -> None:
        self.on_start: list[Callable[[Process], None]] = []
        self.on_stop: list[Callable[[Process, Stop], None]] = []
        self.on_pause: list[Callable[[Process], None]] = []
        self.on_wake: list[Callable[[Process], None]] = []
        self.on_network: list[Callable[[], None]] = []
        self.on_broadcast: list[Callable[[Process, int, bytes], None]] = []
        self.on_event: list[Callable[[Process, Event], None]] = []
        self.on_turn: list[Callable[[Process], None]] = []
        self.on_calm: list[Callable[[], None]] = []

    def add(self, observer: Observer) -> None:
        """From now on call the hooks that ``observer`` overrides."""
        for name, hooks in vars(self).items():
            if getattr(type(observer), name) is not getattr(Observer, name):
                hooks.append(getattr(observer, name))
