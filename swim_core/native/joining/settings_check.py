"""Settings that members of one cluster should share: JOINs state them, and differences are reported."""

from collections.abc import Mapping
from math import inf

from swim_core.address import Address
from swim_core.events import SettingsDiffer
from swim_core.native.context import NodeContext
from swim_core.native.wire.messages import Join, JoinAck

__all__ = ["SettingsCheck"]

AGAIN = 60.0  # seconds until a difference from the same address is reported again
MAX_ADDRESSES = 1_024  # addresses remembered for that

UNITS: Mapping[str, float] = {"probe_interval": 0.001, "rings": 1, "stall_tolerance": 0.001}  # of the wire: ms


class SettingsCheck:
    """Compares T, K and S with those of others; if they differ, each side keeps its own.

    Attributes:
        interval: T in ms, as JOIN and JOIN_ACK state it.
        rings: K.
        stall: S in ms.
    """

    def __init__(self, context: NodeContext) -> None:
        self.interval = round(context.config.probe_interval * 1000)
        self.rings = context.config.rings
        self.stall = round(context.config.stall_tolerance * 1000)
        self._counters = context.counters
        self._emit = context.emit
        self._reported: dict[Address, float] = {}

    def check(self, theirs: Join | JoinAck, address: Address, now: float) -> None:
        """Count and report differences from the node at that address, once a minute."""
        ours = (self.interval, self.rings, self.stall)
        pairs = zip(UNITS, ours, (theirs.interval, theirs.rings, theirs.stall), strict=True)
        differing = {name: (mine, other) for name, mine, other in pairs if mine != other}
        if differing and now - self._reported.get(address, -inf) >= AGAIN:
            self._reported.pop(address, None)
            self._reported[address] = now
            if len(self._reported) > MAX_ADDRESSES:
                del self._reported[next(iter(self._reported))]
            self._counters.settings_differ += 1
            self._emit(
                SettingsDiffer(
                    address,
                    {name: other * UNITS[name] for name, (_, other) in differing.items()},
                    {name: mine * UNITS[name] for name, (mine, _) in differing.items()},
                )
            )
