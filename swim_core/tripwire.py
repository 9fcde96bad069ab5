"""What a node tells its adapter about tripwires: which connections to keep."""

from struct import Struct
from typing import NamedTuple, Protocol

from .address import Address

__all__ = ["NO_TRIPWIRES", "Tripwire", "TripwirePlan", "TripwireSeal", "greeting_of", "run_greeted"]

_GREETING = Struct(">4sBIQ")  # magic, version, label hash, short id
MAGIC, PLAIN = b"SWIM", 1
_SHORT_ID = 8  # bytes at the end


class Tripwire(NamedTuple):
    """A connection to keep.

    Attributes:
        address: the member's address, for TCP as for UDP.
        greeting: the answer of the right run; with any other answer the connection is not a tripwire.
    """

    address: Address
    greeting: bytes


class TripwireSeal(Protocol):
    """Keys of a node for tripwires; they are asked for at each greeting, since they may change."""

    @property
    def plain(self) -> bool:
        """Whether greetings without a key are given and taken, too."""

    def key_for(self, short_id: int) -> tuple[int, bytes]:
        """The id and the secret of the key to greet a run with."""

    def key_of(self, key_id: int) -> bytes | None:
        """The secret of a key; None for one that this node does not hold."""


class TripwirePlan(NamedTuple):
    """What an adapter needs for its tripwires.

    Attributes:
        greeting: this node's own: send it first on a connection that it makes, and as the answer on one that it
            accepts.
        peers: the members to be connected to.
        seal: keys, if there are any: then greetings prove to hold one (`swim_core.handshake`).
    """

    greeting: bytes
    peers: tuple[Tripwire, ...]
    seal: TripwireSeal | None = None

    def admits(self, greeting: bytes) -> bool:
        """Whether these bytes are a greeting of this cluster."""
        return len(greeting) == len(self.greeting) and greeting[:-_SHORT_ID] == self.greeting[:-_SHORT_ID]


NO_TRIPWIRES = TripwirePlan(b"", ())
"""The plan of a node without tripwires."""


def greeting_of(label: int, short_id: int) -> bytes:
    """The greeting of a run: its cluster and its short id."""
    return _GREETING.pack(MAGIC, PLAIN, label, short_id)


def run_greeted(greeting: bytes) -> int | None:
    """The short id in a greeting; None if the bytes are not a greeting."""
    return int.from_bytes(greeting[-_SHORT_ID:], "big") if len(greeting) == _GREETING.size else None
