"""SWIM group membership as a pure protocol core: bytes and clock ticks in, datagrams and events out.

Start with `Node` and `Config`. `swim_threads` and `swim_anyio` connect a node to sockets and clocks.
"""

from .address import DEFAULT_PORT, Address
from .discovery import Multicast
from .duration import Duration
from .errors import (
    BindError,
    ConfigError,
    KeyInvalid,
    KeyMissing,
    NameTaken,
    NodeCrashed,
    NotRunning,
    NotSupported,
    Overloaded,
    PayloadTooLarge,
    SealingUnavailable,
    SwimError,
    UnknownMember,
    WrongThread,
)
from .events import (
    BroadcastReceived,
    BroadcastsLost,
    ClocksDiffer,
    ClustersMet,
    Event,
    EventsLost,
    Evidence,
    Isolated,
    JoinAttempt,
    KeysChanged,
    MemberDied,
    MemberForgotten,
    MemberJoined,
    MemberLeft,
    MemberPinged,
    MemberRecovered,
    MemberSuspected,
    MemberUpdated,
    MessageReceived,
    NameConflict,
    NameRegained,
    Observation,
    Origin,
    PathNarrow,
    Paused,
    Reconnected,
    SeenElsewhere,
    SettingsDiffer,
    Unsealed,
)
from .keys import Key, Keys
from .listeners import on_broadcast, on_status
from .member import Contact, Member, Rule, State
from .native.config import Config, ConfigFields
from .native.node import Node
from .protocol import AddressLike, Datagram, KernelEvidence, Losses, ProtocolConfig, ProtocolNode
from .statistics import DropReason, Statistics
from .tripwire import Tripwire, TripwirePlan

__all__ = [
    "DEFAULT_PORT",
    "Address",
    "AddressLike",
    "BindError",
    "BroadcastReceived",
    "BroadcastsLost",
    "ClocksDiffer",
    "ClustersMet",
    "Config",
    "ConfigError",
    "ConfigFields",
    "Contact",
    "Datagram",
    "DropReason",
    "Duration",
    "Event",
    "EventsLost",
    "Evidence",
    "Isolated",
    "JoinAttempt",
    "KernelEvidence",
    "Key",
    "KeyInvalid",
    "KeyMissing",
    "Keys",
    "KeysChanged",
    "Losses",
    "Member",
    "MemberDied",
    "MemberForgotten",
    "MemberJoined",
    "MemberLeft",
    "MemberPinged",
    "MemberRecovered",
    "MemberSuspected",
    "MemberUpdated",
    "MessageReceived",
    "Multicast",
    "NameConflict",
    "NameRegained",
    "NameTaken",
    "Node",
    "NodeCrashed",
    "NotRunning",
    "NotSupported",
    "Observation",
    "Origin",
    "Overloaded",
    "PathNarrow",
    "Paused",
    "PayloadTooLarge",
    "ProtocolConfig",
    "ProtocolNode",
    "Reconnected",
    "Rule",
    "SealingUnavailable",
    "SeenElsewhere",
    "SettingsDiffer",
    "State",
    "Statistics",
    "SwimError",
    "Tripwire",
    "TripwirePlan",
    "UnknownMember",
    "Unsealed",
    "WrongThread",
    "on_broadcast",
    "on_status",
]


def __getattr__(name: str) -> str:
    """``__version__``, looked up when it is asked for, since that takes a while."""
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib.metadata import version

    return version("swim-membership")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
