"""What passes between the members of a simulation, decoded."""

from swim_core import Address, Config
from swim_core.native.wire.datagram import Codec, Envelope
from swim_core.native.wire.hashing import Hashes
from swim_core.simulation import Simulation

__all__ = ["Datagram", "Recording"]


class Datagram:
    """One datagram at one turn of its fate.

    Attributes:
        time: seconds since the recording began.
        source: label of the process that sent it.
        destination: label of the process that it is for.
        envelope: what it says.
    """

    def __init__(self, time: float, source: str, destination: str, envelope: Envelope) -> None:
        self.time = time
        self.source = source
        self.destination = destination
        self.envelope = envelope

    @property
    def message(self) -> str:
        """The class of its message; "NoneType" if it carries gossip only."""
        return type(self.envelope.message).__name__


class Recording:
    """Datagrams of a simulation from now on, as they are ``sent``, and as they are ``delivered``."""

    def __init__(self, simulation: Simulation) -> None:
        config = simulation.config
        assert isinstance(config, Config)
        self.start = simulation.now
        self.sent: list[Datagram] = []
        self.delivered: list[Datagram] = []
        self._simulation = simulation
        self._codec = Codec(Hashes(config.cluster, config.rings).label)
        self._labels = {process.address: label for label, process in simulation.processes.items()}
        simulation.network.tap = self._tap

    def _tap(self, what: str, source: Address, destination: Address, payload: bytes) -> None:
        kept = {"sent": self.sent, "delivered": self.delivered}.get(what)
        if kept is not None:
            opened = self._codec.open(payload)
            assert isinstance(opened, tuple)
            time = self._simulation.now - self.start
            kept.append(Datagram(time, self._labels[source], self._labels[destination], opened[1]))
