"""Events: what a node tells its application. Each class is immutable and named after what happened."""

from binascii import b2a_base64
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from .address import Address
from .counters import DropReason
from .member import Member, Rule
from .plain_data import plain, text_of

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
    "LeaveOrdered",
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
    "Past",
    "PathNarrow",
    "Paused",
    "PlainAccepted",
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

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON knows them."""
        return {**plain(self)}


class Past(msgspec.Struct, frozen=True, gc=False):
    """One thing that happened to a member, or to this node, as it remembers it (`history`).

    Attributes:
        number: counts all that was noted, from 1.
        at: when this node learned it, in seconds on its clock (``now``).
        when: the verdict was given, on the same clock, as far as members agree on the time; ``at`` where there is none.
        what: "joined", "suspect", "recovered", "dead", "left", "updated", "isolated" or "reconnected"; a newer release
            may have others.
        member: the name; of this node itself for what is about no other.
        address: of the member; None for this node itself.
        epoch: the member's run; 0 for this node itself.
        incarnation: within that run.
        rule: of the verdict; None where there is none.
        accuser: who gave the verdict; "" where there is none.
        cluster_time: of the verdict, in ms; 0 where there is none.
    """

    number: int
    at: float
    when: float
    what: str
    member: str
    address: Address | None = None
    epoch: int = 0
    incarnation: int = 0
    rule: Rule | None = None
    accuser: str = ""
    cluster_time: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The fields as JSON knows them."""
        return {**plain(self)}


class Origin(NamedTuple):
    """The sender of a broadcast or message: name, run and address (None only under Smudge's protocol, if unknown)."""

    name: str
    epoch: int
    address: Address | None


class Happening(msgspec.Struct, frozen=True, tag=True):
    """What all events have in common: as text they are one short line, and they know their JSON."""

    @property
    def kind(self) -> str:
        """What happened, in a word: ``alive``, ``dead``, ``broadcast`` and so on."""
        return KINDS[type(self)]

    def to_dict(self) -> dict[str, Any]:
        """The event as JSON knows it: what ``swim agent --format json`` prints for it, without the time.

        ``event`` is its `kind`. A member becomes ``member`` (its name), ``address`` and, if it has any,
        ``metadata``; the sender of a broadcast ``member``; evidence ``rule`` and ``accuser``; a payload ``data`` if it
        is UTF-8, otherwise ``data_base64``.
        """
        record: dict[str, Any] = {"event": self.kind}
        for name in self.__struct_fields__:
            value = getattr(self, name)
            make = _FLAT.get(name)
            record |= {name: plain(value)} if make is None else make(value)
        return record

    def __str__(self) -> str:
        return " ".join(f"{key}={value!r}" if key != "event" else value for key, value in self.to_dict().items())


def _member(member: Member) -> dict[str, Any]:
    metadata = {"metadata": dict(member.metadata)} if member.metadata else {}
    return {"member": member.name, "address": str(member.address), **metadata}


def _origin(origin: Origin) -> dict[str, Any]:
    return {"member": origin.name}


def _evidence(evidence: Evidence | None) -> dict[str, Any]:
    if evidence is None or evidence.rule is None:
        return {}
    return {"rule": str(evidence.rule), "accuser": evidence.accuser}


def _payload(payload: bytes) -> dict[str, Any]:
    text = text_of(payload)
    return {"data_base64": b2a_base64(payload, newline=False).decode()} if text is None else {"data": text}


_FLAT: dict[str, Callable[[Any], dict[str, Any]]] = {
    "member": _member,
    "origin": _origin,
    "evidence": _evidence,
    "payload": _payload,
}


class MemberJoined(Happening, frozen=True):
    """A member is alive that was unknown or forgotten, or that was known in an older run."""

    member: Member


class MemberSuspected(Happening, frozen=True):
    """A member has been silent for half the stall tolerance; it still counts as live."""

    member: Member
    evidence: Evidence | None = None


class MemberRecovered(Happening, frozen=True):
    """A member that was suspected or declared dead has shown that it is alive, in the same run."""

    member: Member


class MemberDied(Happening, frozen=True):
    """A member was declared dead; the evidence says by whom and why."""

    member: Member
    evidence: Evidence | None = None


class MemberLeft(Happening, frozen=True):
    """A member said goodbye."""

    member: Member
    evidence: Evidence | None = None


class MemberUpdated(Happening, frozen=True):
    """A live member changed its metadata or address, or took a new epoch since its incarnations were exhausted.

    Attributes:
        member: as it is now.
        before: as it was.
    """

    member: Member
    before: Member | None = None

    def to_dict(self) -> dict[str, Any]:
        """As of other events, with all ``metadata``, also if that is empty, and what it was ``before``."""
        before = {} if self.before is None else {"before": dict(self.before.metadata)}
        return {"event": self.kind, **_member(self.member), "metadata": dict(self.member.metadata), **before}


class MemberForgotten(Happening, frozen=True):
    """A member that had been dead or gone for a long time is no longer remembered."""

    member: Member


class MemberPinged(Happening, frozen=True):
    """A ping that this application requested was answered or timed out.

    Attributes:
        member: the member, as known at that moment.
        round_trip: seconds; None if no answer came within the probe timeout.
    """

    member: Member
    round_trip: float | None


class BroadcastReceived(Happening, frozen=True):
    """A broadcast from another member, delivered at most once. ``number`` counts from 1 in each run of the origin."""

    origin: Origin
    number: int
    payload: bytes


class MessageReceived(Happening, frozen=True):
    """A message that was sent to this node only, best effort."""

    origin: Origin
    payload: bytes


class BroadcastsLost(Happening, frozen=True):
    """``count`` broadcasts from ``origin`` are lost: no member asked still had them, or over 1,024 followed."""

    origin: Origin
    count: int


class NameConflict(Happening, frozen=True):
    """Another live process owns this node's name; this node is superseded and stays silent until that one is gone.

    Attributes:
        member: the other process.
    """

    member: Member


class NameRegained(Happening, frozen=True):
    """The other process of a `NameConflict` is gone: this node owns its name again and is a member as before.

    Attributes:
        member: this node, in its new run.
    """

    member: Member


class Isolated(Happening, frozen=True):
    """This node has heard no member for the stall tolerance: it is probably cut off itself."""


class Reconnected(Happening, frozen=True):
    """This node hears members again after `Isolated`."""


class Paused(Happening, frozen=True):
    """This process did not run for more than half the stall tolerance: others may have declared it dead.

    Attributes:
        seconds: how late it was for what it had to do.
    """

    seconds: float


class JoinAttempt(Happening, frozen=True):
    """Seeds are about to be asked (again): this is the moment to resolve their names again and call ``join``.

    Attributes:
        addresses: the addresses of all seeds.
        unanswered: those that were asked at least twice, have not answered, and are not live members.
        waited: seconds since the first unanswered attempt at any of these.
    """

    addresses: tuple[Address, ...]
    unanswered: tuple[Address, ...] = ()
    waited: float = 0.0


class SettingsDiffer(Happening, frozen=True):
    """A node at ``address`` has different values for settings that should agree in a cluster; both keep their own.

    Attributes:
        address: the address of that node.
        theirs: its values of the settings that differ, by field of `Config`.
        ours: this node's values of these settings.
    """

    address: Address
    theirs: Mapping[str, float]
    ours: Mapping[str, float]


class SeenElsewhere(Happening, frozen=True):
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


class PathNarrow(Happening, frozen=True):
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


class ClocksDiffer(Happening, frozen=True):
    """This cluster has met another one whose clocks differ by more than a day; the two stay apart.

    Set the clocks of the one that is wrong, then restart its members, all at once.

    Attributes:
        address: the address of the node that was met.
        seconds: how far its cluster is ahead of this one; negative if it is behind.
    """

    address: Address
    seconds: float


class ClustersMet(Happening, frozen=True):
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


class Unsealed(Happening, frozen=True):
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


class KeysChanged(Happening, frozen=True):
    """This node holds other keys than before, or prefers another one.

    Attributes:
        preferred: id, in hex, of the key that it seals with wherever the other side holds it.
        held: ids of all its keys, that one first.
    """

    preferred: str
    held: tuple[str, ...]


class KeysRejected(Happening, frozen=True):
    """What stands in this node's key file now can't be used, so it keeps the keys that it has.

    Attributes:
        reason: what is wrong with the file, and where; no secret stands there.
    """

    reason: str


class PlainAccepted(Happening, frozen=True):
    """This node has keys and takes plain datagrams too (``plain="accept"``): raised every hour, since keys protect
    nothing as long as that is so.

    Attributes:
        members: how many live members it last heard in plain text.
    """

    members: int


class LeaveOrdered(Happening, frozen=True):
    """A tool asks this node to leave (``swim leave``). ``swim agent`` does; what other programs do is up to them.

    Attributes:
        address: of the tool, which holds a member's key or runs on this host.
    """

    address: Address


class EventsLost(Happening, frozen=True):
    """A subscriber fell behind and its ``count`` oldest events were dropped: read ``members()`` again."""

    count: int


KINDS: Mapping[type[Happening], str] = {
    MemberJoined: "alive",
    MemberRecovered: "alive",
    MemberSuspected: "suspect",
    MemberDied: "dead",
    MemberLeft: "left",
    MemberUpdated: "updated",
    MemberForgotten: "forgotten",
    MemberPinged: "pinged",
    BroadcastReceived: "broadcast",
    MessageReceived: "message",
    BroadcastsLost: "lost",
    EventsLost: "lost",
    NameConflict: "conflict",
    NameRegained: "regained",
    Isolated: "isolated",
    Reconnected: "reconnected",
    Paused: "paused",
    JoinAttempt: "joining",
    SettingsDiffer: "settings",
    SeenElsewhere: "elsewhere",
    PathNarrow: "narrow",
    ClocksDiffer: "clocks",
    ClustersMet: "met",
    Unsealed: "unsealed",
    KeysChanged: "keys",
    KeysRejected: "rejected",
    PlainAccepted: "plain",
    LeaveOrdered: "ordered",
}
"""The `Happening.kind` of each."""

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
    | KeysRejected
    | PlainAccepted
    | LeaveOrdered
    | EventsLost
)
"""Any event that a node raises."""
