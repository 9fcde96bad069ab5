"""What a node tells its application. Every class here is immutable and names a thing that happened."""

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
        at: seconds on this node's clock (``now``).
        observer: the name of the member that saw it, or the hex of its short id while its name is unknown.
        what: one of the field's words: "probe timed out", "refused udp", "vote silent", ...
        detail: the rest, for reading; of the last time, where the same was seen several times.
        count: how often it was seen.
        last: when for the last time; None if it was seen once.
    """

    at: float
    observer: str
    what: str
    detail: str = ""
    count: int = 1
    last: float | None = None


class Evidence(msgspec.Struct, frozen=True):
    """Why a member was judged.

    Attributes:
        rule: by which rule; None where the protocol states none.
        accuser: who judged: a name, or the hex of a short id while the name is unknown.
        cluster_time: when, in ms of cluster time (close to wall-clock ms).
        observations: what led there as far as this node knows, oldest first; at one that only heard the verdict,
            no more than that. What was held against it earlier stands there too.
    """

    rule: Rule | None
    accuser: str
    cluster_time: int
    observations: tuple[Observation, ...] = ()


class Origin(NamedTuple):
    """Who sent a broadcast or message: a name, the run of it, and (under Smudge's protocol) no address if unknown."""

    name: str
    epoch: int
    address: Address | None


class MemberJoined(msgspec.Struct, frozen=True):
    """A member that was unknown, forgotten, or an older run, is alive."""

    member: Member


class MemberSuspected(msgspec.Struct, frozen=True):
    """A member has been silent for half the stall tolerance; it stays live until judged."""

    member: Member
    evidence: Evidence | None = None


class MemberRecovered(msgspec.Struct, frozen=True):
    """A member that was suspected or held dead shows that it lives, in the same run."""

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
    """A live member changed its metadata or its address, or took a new epoch at the top of its incarnations."""

    member: Member


class MemberForgotten(msgspec.Struct, frozen=True):
    """A member that was dead or had left for long is no longer remembered."""

    member: Member


class MemberPinged(msgspec.Struct, frozen=True):
    """A ping that this application asked for was answered, or its time is up.

    Attributes:
        member: as it is known when that happens.
        round_trip: seconds; None if no answer came within the probe timeout.
    """

    member: Member
    round_trip: float | None


class BroadcastReceived(msgspec.Struct, frozen=True):
    """A broadcast of another member, delivered at most once. ``number`` counts from 1 in each run of it."""

    origin: Origin
    number: int
    payload: bytes


class MessageReceived(msgspec.Struct, frozen=True):
    """A message sent to this node alone, best effort."""

    origin: Origin
    payload: bytes


class BroadcastsLost(msgspec.Struct, frozen=True):
    """``count`` broadcasts of ``origin`` are gone for good: nobody asked still had them, or over 1,024 came after."""

    origin: Origin
    count: int


class NameConflict(msgspec.Struct, frozen=True):
    """Another live process owns this node's name; this node is superseded and stays silent until that one dies.

    Attributes:
        member: the other process.
    """

    member: Member


class NameRegained(msgspec.Struct, frozen=True):
    """The other process of `NameConflict` is gone: this node owns its name again, and is a member as before.

    Attributes:
        member: this node, in the new run that it took.
    """

    member: Member


class Isolated(msgspec.Struct, frozen=True):
    """This node has heard no member for the stall tolerance: the trouble is likely its own."""


class Reconnected(msgspec.Struct, frozen=True):
    """This node hears members again after `Isolated`."""


class Paused(msgspec.Struct, frozen=True):
    """This process did not run for more than half the stall tolerance: others may have held it dead for a while.

    Attributes:
        seconds: by which it was late for what it had to do.
    """

    seconds: float


class JoinAttempt(msgspec.Struct, frozen=True):
    """Seeds are about to be asked (again): the moment to resolve their names anew and call ``join``.

    Attributes:
        addresses: of all seeds.
        unanswered: of those that were asked twice or more, have not answered, and are no live members.
        waited: seconds since the first of the unanswered ones was asked in vain for the first time.
    """

    addresses: tuple[Address, ...]
    unanswered: tuple[Address, ...] = ()
    waited: float = 0.0


class SettingsDiffer(msgspec.Struct, frozen=True):
    """A node at ``address`` runs with other values of settings that must agree in a cluster.

    Attributes:
        address: of that node.
        theirs: the settings that differ, by field of `Config`, with its values.
        ours: the same settings here; both go on with their own.
    """

    address: Address
    theirs: Mapping[str, float]
    ours: Mapping[str, float]


class SeenElsewhere(msgspec.Struct, frozen=True):
    """Others see this node at another address than it tells them, and do not take it for a member there.

    What is sent to the address that it tells may not arrive. Advertise the address at which it is seen, if others can
    reach that; a translation of addresses must keep the port.

    Attributes:
        seen: where this node's datagrams come from, as a member or seed sees it.
        claimed: the address that this node tells others.
        by: which member or seed says so.
    """

    seen: Address
    claimed: Address
    by: Address


class PathNarrow(msgspec.Struct, frozen=True):
    """Large datagrams to a member, or its large answers, vanish on the way; smaller ones are sent from now on.

    A tunnel or firewall drops them without a word. What can't be split, a large broadcast or much metadata, does not
    get through: let ICMP "fragmentation needed" and "packet too big" pass, or keep ``max_datagram`` of all members
    below.

    Attributes:
        address: of the member.
        size: bytes that pass, of ``max_datagram``.
    """

    address: Address
    size: int


class ClocksDiffer(msgspec.Struct, frozen=True):
    """A cluster whose clocks are more than a day away was met; it and this one stay apart.

    Set the clocks of the one that is wrong, then restart its members, all at once.

    Attributes:
        address: of the node that was met.
        seconds: by which its cluster is ahead of this one; negative if it is behind.
    """

    address: Address
    seconds: float


class ClustersMet(msgspec.Struct, frozen=True):
    """Two clusters that were formed apart have met, and become one: by accident, if they should not be one.

    Clusters with labels of their own (``cluster=``) never merge.

    Attributes:
        address: of this node.
        members: of the cluster that it was in until then.
        their_address: of the node of the other cluster.
        their_members: of that cluster.
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
    """A subscriber fell behind and ``count`` events were dropped, oldest first: read ``members()`` anew."""

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
"""Anything that a node tells its application."""
