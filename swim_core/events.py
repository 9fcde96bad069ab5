"""Events: what a node tells its application. Each class is immutable and named after what happened."""

from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from .address import Address
from .member import Member, Rule
from .statistics import DropReason

__all__ = [
    "BroadcastReceived",
    "BroadcastsLost",
    "ClocksDiffer",
    "ClustersMet",
    "Event",
    "EventsLost",
    "Evidence",
    "Isolated",
    "JoinAttempt",
    "MemberDied",
    "MemberForgotten",
    "MemberJoined",
    "MemberLeft",
    "MemberPinged",
    "MemberRecovered",
    "MemberSuspected",
    "MemberUpdated",
    "MessageReceived",
    "NameConflict",
    "NameRegained",
    "Observation",
    "Origin",
    "PathNarrow",
    "Paused",
    "Reconnected",
    "SeenElsewhere",
    "SettingsDiffer",
]


class Observation(msgspec.Struct, frozen=True):
    """One thing that one member saw of another.

    Attributes:
        at: when, in seconds on this node's clock (``now``).
        observer: the name of the member that saw it, or its short id in hex while the name is unknown.
        what: what was seen, in a few words: "probe timed out", "refused udp", "vote silent" and so on.
        detail: further details for people; if it was seen several times, those of the last time.
        count: how often it was seen.
        last: when it was seen for the last time; None if it was seen once.
    """

    at: float
    observer: str
    what: str
    detail: str = ""
    count: int = 1
    last: float | None = None


class Evidence(msgspec.Struct, frozen=True):
    """The evidence for a verdict about a member.

    Attributes:
        rule: the rule that was applied; None where the protocol states none.
        accuser: the member that gave the verdict: its name, or its short id in hex while the name is unknown.
        cluster_time: when the verdict was given, in ms of cluster time (close to wall-clock ms).
        observations: what led to it as far as this node knows, oldest first, including earlier accusations. A node that
            only heard of the verdict knows no more than that.
    """

    rule: Rule | None
    accuser: str
    cluster_time: int
    observations: tuple[Observation, ...] = ()


class Origin(NamedTuple):
    """The sender of a broadcast or message: name, run and address (None only under Smudge's protocol, if unknown)."""

    name: str
    epoch: int
    address: Address | None


class MemberJoined(msgspec.Struct, frozen=True):
    """A member is alive that was unknown or forgotten, or that was known in an older run."""

    member: Member


class MemberSuspected(msgspec.Struct, frozen=True):
    """A member has been silent for half the stall tolerance; it still counts as live."""

    member: Member
    evidence: Evidence | None = None


class MemberRecovered(msgspec.Struct, frozen=True):
    """A member that was suspected or declared dead has shown that it is alive, in the same run."""

    member: Member


class MemberDied(msgspec.Struct, frozen=True):
    """A member was declared dead; the evidence says by whom and why."""

    member: Member
    evidence: Evidence | None = None


class MemberLeft(msgspec.Struct, frozen=True):
    """A member said goodbye."""

    member: Member
    evidence: Evidence | None = None


class MemberUpdated(msgspec.Struct, frozen=True):
    """A live member changed its metadata or address, or took a new epoch since its incarnations were exhausted."""

    member: Member


class MemberForgotten(msgspec.Struct, frozen=True):
    """A member that had been dead or gone for a long time is no longer remembered."""

    member: Member


class MemberPinged(msgspec.Struct, frozen=True):
    """A ping that this application requested was answered or timed out.

    Attributes:
        member: the member, as known at that moment.
        round_trip: seconds; None if no answer came within the probe timeout.
    """

    member: Member
    round_trip: float | None


class BroadcastReceived(msgspec.Struct, frozen=True):
    """A broadcast from another member, delivered at most once. ``number`` counts from 1 in each run of the origin."""

    origin: Origin
    number: int
    payload: bytes


class MessageReceived(msgspec.Struct, frozen=True):
    """A message that was sent to this node only, best effort."""

    origin: Origin
    payload: bytes


class BroadcastsLost(msgspec.Struct, frozen=True):
    """``count`` broadcasts from ``origin`` are lost: no member asked still had them, or over 1,024 followed."""

    origin: Origin
    count: int


class NameConflict(msgspec.Struct, frozen=True):
    """Another live process owns this node's name; this node is superseded and stays silent until that one is gone.

    Attributes:
        member: the other process.
    """

    member: Member


class NameRegained(msgspec.Struct, frozen=True):
    """The other process of a `NameConflict` is gone: this node owns its name again and is a member as before.

    Attributes:
        member: this node, in its new run.
    """

    member: Member


class Isolated(msgspec.Struct, frozen=True):
    """This node has heard no member for the stall tolerance: it is probably cut off itself."""


class Reconnected(msgspec.Struct, frozen=True):
    """This node hears members again after `Isolated`."""


class Paused(msgspec.Struct, frozen=True):
    """This process did not run for more than half the stall tolerance: others may have declared it dead.

    Attributes:
        seconds: how late it was for what it had to do.
    """

    seconds: float


class JoinAttempt(msgspec.Struct, frozen=True):
    """Seeds are about to be asked (again): this is the moment to resolve their names again and call ``join``.

    Attributes:
        addresses: the addresses of all seeds.
        unanswered: those that were asked at least twice, have not answered, and are not live members.
        waited: seconds since the first unanswered attempt at any of these.
    """

    addresses: tuple[Address, ...]
    unanswered: tuple[Address, ...] = ()
    waited: float = 0.0


class SettingsDiffer(msgspec.Struct, frozen=True):
    """A node at ``address`` has different values for settings that should agree in a cluster; both keep their own.

    Attributes:
        address: the address of that node.
        theirs: its values of the settings that differ, by field of `Config`.
        ours: this node's values of these settings.
    """

    address: Address
    theirs: Mapping[str, float]
    ours: Mapping[str, float]


class SeenElsewhere(msgspec.Struct, frozen=True):
    """Others see this node at another address than it advertises, and don't accept it as a member there.

    Datagrams sent to the advertised address may not arrive. Advertise the address at which the node is seen, if others
    can reach that; address translation must keep the port.

    Attributes:
        seen: the address from which a member or seed receives this node's datagrams.
        claimed: the address that this node advertises.
        by: the member or seed that says so.
    """

    seen: Address
    claimed: Address
    by: Address


class PathNarrow(msgspec.Struct, frozen=True):
    """Large datagrams to a member, or its large answers, get lost on the way; smaller ones are sent from now on.

    A tunnel or firewall drops them silently. A large broadcast or large metadata can't be split and doesn't get
    through. Let ICMP "fragmentation needed" and "packet too big" pass, or lower ``max_datagram`` of all members to
    ``size``.

    Attributes:
        address: the address of the member.
        size: the size in bytes that does get through.
    """

    address: Address
    size: int


class ClocksDiffer(msgspec.Struct, frozen=True):
    """This cluster has met another one whose clocks differ by more than a day; the two stay apart.

    Set the clocks of the one that is wrong, then restart its members, all at once.

    Attributes:
        address: the address of the node that was met.
        seconds: how far its cluster is ahead of this one; negative if it is behind.
    """

    address: Address
    seconds: float


class ClustersMet(msgspec.Struct, frozen=True):
    """Two clusters that formed separately have met and become one, perhaps by accident.

    Clusters with different labels (``cluster=``) never merge.

    Attributes:
        address: the address of this node.
        members: how many members its cluster had until then.
        their_address: the address of the node that was met.
        their_members: how many members that node's cluster had.
    """

    address: Address
    members: int
    their_address: Address
    their_members: int


class Unsealed(msgspec.Struct, frozen=True):
    """Datagrams came from an address that this node, which has keys, could not open; at most once a minute for each.

    A member that has another key, another cluster label or no key; or whoever tries to get in.

    Attributes:
        address: they came from; it may be forged.
        reason: NOT_SEALED, UNKNOWN_KEY or UNOPENED, of the last one.
        key_id: that it was sealed with, in hex; "" if it was not.
        count: since this was last told of that address.
    """

    address: Address
    reason: DropReason
    key_id: str
    count: int


class KeysChanged(msgspec.Struct, frozen=True):
    """This node holds other keys than before, or prefers another one.

    Attributes:
        preferred: id, in hex, of the key that it seals with wherever the other side holds it.
        held: ids of all its keys, that one first.
    """

    preferred: str
    held: tuple[str, ...]


class EventsLost(msgspec.Struct, frozen=True):
    """A subscriber fell behind and its ``count`` oldest events were dropped: read ``members()`` again."""

    count: int


Event = (
    MemberJoined
    | MemberSuspected
    | MemberRecovered
    | MemberDied
    | MemberLeft
    | MemberUpdated
    | MemberForgotten
    | MemberPinged
    | BroadcastReceived
    | MessageReceived
    | BroadcastsLost
    | NameConflict
    | NameRegained
    | Isolated
    | Reconnected
    | Paused
    | JoinAttempt
    | SettingsDiffer
    | SeenElsewhere
    | PathNarrow
    | ClocksDiffer
    | ClustersMet
    | Unsealed
    | KeysChanged
    | EventsLost
)
"""Any event that a node raises."""
