"""SWIM group membership as a pure protocol core: bytes and clock ticks in, datagrams and events out.

Start with `Node` and `Config`. `swim_threads` and `swim_anyio` connect a node to sockets and clocks.
"""

from . import vocabulary
from .native.config import ConfigFields
from .native.node import Node
from .protocol import AddressLike, Datagram, KernelEvidence, Losses, ProtocolNode
from .tripwire import Tripwire, TripwirePlan
from .vocabulary import *  # noqa: F403

__all__ = [
    "AddressLike",
    "ConfigFields",
    "Datagram",
    "KernelEvidence",
    "Losses",
    "Node",
    "ProtocolNode",
    "Tripwire",
    "TripwirePlan",
]
__all__ += vocabulary.__all__


def __getattr__(name: str) -> str:
    """``__version__``, looked up when it is asked for, since that takes a while."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("swim-membership")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
