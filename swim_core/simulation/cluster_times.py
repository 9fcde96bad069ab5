"""Cluster time as it is shown: whatever a single member says, nobody's clock runs far ahead."""

from swim_core.address import Address
from swim_core.native.wire.datagram import Envelope
from swim_core.native.wire.messages import Ping

from .cluster import START_MS
from .process import Process
from .violation import require
from .wiretap import Wiretap

__all__ = ["TimeHeld"]

HOUR = 3_600_000  # ms; by so much in an hour one member may move the clock
SLEPT = 900_000  # ms, at most, that machines sleep in a run: their clocks are ahead then


class TimeHeld(Wiretap):
    """No node shows a cluster time of much over an hour ahead of the time that has passed: who moves it further needs
    witnesses, and one that lies has none.

    To be set where one member lies, and nothing else moves clocks far.
    """

    def on_said(self, process: Process, destination: Address, said: Envelope) -> None:
        if isinstance(said.message, Ping):
            ahead = said.message.time - START_MS - self.cluster.now * 1000
            self.cluster.judged["times shown"] += 1
            require(
                ahead <= HOUR + SLEPT,
                f"{process.label} shows a cluster time {ahead / HOUR:.1f} h ahead: a liar moved it",
            )
