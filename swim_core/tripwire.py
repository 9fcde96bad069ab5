"""Which connections to keep: what a node tells its adapter about tripwires."""

from struct import Struct
from typing import NamedTuple

from .address import Address

__all__ = ["NO_TRIPWIRES", "Tripwire", "TripwirePlan", "greeting_of", "run_greeted"]

_GREETING = Struct(">4sBIQ")  # magic, version, label hash, short id
_MAGIC, _VERSION = b"SWIM", 1
_SHORT_ID = 8  # bytes at the end


class Tripwire(NamedTuple):
    """A connection to keep.

    Attributes:
        address: of the member, for TCP as for UDP.
        greeting: what the right run there answers; another one is no tripwire.
    """

    address: Address
    greeting: bytes


class TripwirePlan(NamedTuple):
    """What an adapter needs for its tripwires.

    Attributes:
        greeting: this node's own: sent first on a connection that it makes, and in answer on one that it accepts.
        peers: whom to be connected to.
    """

    greeting: bytes
    peers: tuple[Tripwire, ...]

    def admits(self, greeting: bytes) -> bool:
        """Whether these are the bytes of a greeting of this cluster."""
        return len(greeting) == len(self.greeting) and greeting[:-_SHORT_ID] == self.greeting[:-_SHORT_ID]


NO_TRIPWIRES = TripwirePlan(b"", ())
"""Of a node that has no tripwires."""


def greeting_of(label: int, short_id: int) -> bytes:
    """What a run says first on a connection: which cluster, and who."""
    return _GREETING.pack(_MAGIC, _VERSION, label, short_id)


def run_greeted(greeting: bytes) -> int | None:
    """The short id in a greeting; None if it is none."""
    return int.from_bytes(greeting[-_SHORT_ID:], "big") if len(greeting) == _GREETING.size else None
