"""An attacker on the path of a simulated cluster, without a key: it hears everything, and sends what it likes."""

from swim_core import Address, Event, Key, Keys, Unsealed
from swim_core.simulation import Observer, Process, Simulation

__all__ = ["KEY", "OTHER_KEY", "Outsider", "Recorded"]

KEY, OTHER_KEY = Keys([Key(bytes(range(32)))]), Keys([Key(bytes(range(100, 132)))])
Recorded = tuple[Address, Address, bytes]
"""From where, to where, what."""


class Outsider(Observer):
    """Records every datagram, and every event except the notice that something couldn't be opened."""

    def __init__(self, simulation: Simulation) -> None:
        self.recorded: list[Recorded] = []
        self.events: list[Event] = []
        self._simulation = simulation
        simulation.watch(self)

    def on_send(self, process: Process, destination: Address, payload: bytes) -> None:
        self.recorded.append((process.address, destination, payload))

    def on_event(self, process: Process, event: Event) -> None:
        if not isinstance(event, Unsealed):
            self.events.append(event)

    def send(self, recorded: list[Recorded], *, per_second: float = 2_000.0) -> None:
        """Let datagrams arrive from any address."""
        for source, destination, payload in recorded:
            self._simulation.network.send(source, destination, payload)
            self._simulation.run_for(1.0 / per_second)
