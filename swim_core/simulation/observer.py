"""Observing a running simulation: the hooks that invariants use."""

from swim_core.address import Address
from swim_core.events import Event

from .process import Hooks, Process, Stop

__all__ = ["Observer"]


class Observer:
    """Hooks that do nothing: override those that you need, and pass the object to `Cluster.watch`.

    An exception in one ends the run, with the seed and the time added to it.
    """

    def on_start(self, process: Process) -> None:
        """A process began to run; a restarted one is a new `Process`."""

    def on_stop(self, process: Process, how: Stop) -> None:
        """A process ended."""

    def on_pause(self, process: Process) -> None:
        """A process stalled."""

    def on_wake(self, process: Process) -> None:
        """A stalled process goes on; what queued meanwhile is delivered next."""

    def on_network(self) -> None:
        """Links, cuts or partitions changed."""

    def on_broadcast(self, process: Process, number: int, payload: bytes) -> None:
        """A process broadcast something."""

    def on_event(self, process: Process, event: Event) -> None:
        """A node raised an event."""

    def on_send(self, process: Process, destination: Address, payload: bytes) -> None:
        """A node sent a datagram, which may not arrive."""

    def on_receive(self, process: Process, payload: bytes, source: Address) -> None:
        """A datagram is handed to a node; one for a stalled process is handed over when that wakes."""

    def on_turn(self, process: Process) -> None:
        """A node was given one input, and its outputs were drained."""

    def on_calm(self) -> None:
        """No fault is in effect and there was time to recover: what must hold in the end must hold from now on."""

    def attach(self, hooks: Hooks) -> None:
        """Have the hooks called that this class overrides, and no others, since there are many turns."""
        for name, calls in vars(hooks).items():
            if getattr(type(self), name) is not getattr(Observer, name):
                calls.append(getattr(self, name))
