"""Cluster time as nodes show it: no single member can move it far ahead, whatever it says."""

from swim_core.address import Address
from swim_core.native.wire.datagram import Envelope
from swim_core.native.wire.messages import Ping

from .cluster import START_MS
from .process import Process
from .violation import require
from .wiretap import Wiretap

__all__ = ["TimeHeld"]

HOUR = 3_600_000  # ms by which one member may move the clock in an hour
SLEPT = 900_000  # ms for which machines sleep in a run, at most; their clocks are ahead afterwards


class TimeHeld(Wiretap):
    """No node shows a cluster time that is much more than an hour ahead: moving it further takes witnesses, and a
    member that lies has none.

    For simulations in which one member lies and nothing else moves clocks far.
    """

    def on_said(self, process: Process, destination: Address, said: Envelope) -> None:
        if isinstance(said.message, Ping):
            ahead = said.message.time - START_MS - self.cluster.now * 1000
            self.cluster.judged["times shown"] += 1
            require(
                ahead <= HOUR + SLEPT,
                f"{process.label} shows a cluster time {ahead / HOUR:.1f} h ahead: a liar moved it",
            )
