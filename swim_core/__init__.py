"""SWIM group membership as a pure protocol core: bytes and clock ticks in, datagrams and events out.

Start with `Node` and `Config`; `swim_threads` and `swim_anyio` bind a node to sockets and clocks.
"""

from .address import DEFAULT_PORT, Address
from .discovery import Multicast
from .duration import Duration
from .errors import (
    BindError,
    ConfigError,
    NameTaken,
    NodeCrashed,
    NotRunning,
    NotSupported,
    Overloaded,
    PayloadTooLarge,
    SwimError,
    UnknownMember,
    WrongThread,
)
from .events import (
    BroadcastReceived,
    BroadcastsLost,
    Event,
    EventsLost,
    Evidence,
    Isolated,
    JoinAttempt,
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
    Paused,
    Reconnected,
    SettingsDiffer,
)
from .member import Contact, Member, Rule, State
from .native.config import Config, ConfigFields
from .native.node import Node
from .protocol import AddressLike, Datagram, KernelEvidence, ProtocolConfig, ProtocolNode
from .statistics import DropReason, Statistics
from .tripwire import Tripwire, TripwirePlan

__all__ = [
    "DEFAULT_PORT",
    "Address",
    "AddressLike",
    "BindError",
    "BroadcastReceived",
    "BroadcastsLost",
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
    "Paused",
    "PayloadTooLarge",
    "ProtocolConfig",
    "ProtocolNode",
    "Reconnected",
    "Rule",
    "SettingsDiffer",
    "State",
    "Statistics",
    "SwimError",
    "Tripwire",
    "TripwirePlan",
    "UnknownMember",
    "WrongThread",
]
