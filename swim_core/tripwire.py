"""What a node tells its adapter about tripwires: which connections to keep."""

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
        address: the member's address, for TCP as for UDP.
        greeting: the answer of the right run; with any other answer the connection is not a tripwire.
    """

    address: Address
    greeting: bytes


class TripwirePlan(NamedTuple):
    """What an adapter needs for its tripwires.

    Attributes:
        greeting: this node's own: send it first on a connection that it makes, and as the answer on one that it
            accepts.
        peers: the members to be connected to.
    """

    greeting: bytes
    peers: tuple[Tripwire, ...]

    def admits(self, greeting: bytes) -> bool:
        """Whether these bytes are a greeting of this cluster."""
        return len(greeting) == len(self.greeting) and greeting[:-_SHORT_ID] == self.greeting[:-_SHORT_ID]


NO_TRIPWIRES = TripwirePlan(b"", ())
"""The plan of a node without tripwires."""


def greeting_of(label: int, short_id: int) -> bytes:
    """The greeting of a run: its cluster and its short id."""
    return _GREETING.pack(_MAGIC, _VERSION, label, short_id)


def run_greeted(greeting: bytes) -> int | None:
    """The short id in a greeting; None if the bytes are not a greeting."""
    return int.from_bytes(greeting[-_SHORT_ID:], "big") if len(greeting) == _GREETING.size else None
