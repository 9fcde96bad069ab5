"""What logs say about events: a level, a topic, a text for people, and fields for programs.

The core logs nothing. Adapters write each notice to the logger named after themselves and its topic, such as
``swim_threads.events``, with the node's name before the text, and with the fields. Broadcasts and messages make no
notices, since they belong to the application.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from swim_core.address import Address
from swim_core.counters import DropReason
from swim_core.events import (
    BroadcastsLost,
    ClocksDiffer,
    ClustersMet,
    Event,
    Evidence,
    Isolated,
    JoinAttempt,
    KeysChanged,
    KeysRejected,
    LeaveOrdered,
    MemberDied,
    MemberForgotten,
    MemberJoined,
    MemberLeft,
    MemberRecovered,
    MemberSuspected,
    MemberUpdated,
    NameConflict,
    NameRegained,
    PathNarrow,
    Paused,
    PlainAccepted,
    Reconnected,
    SeenElsewhere,
    SettingsDiffer,
    Unsealed,
)
from swim_core.member import Member

__all__ = ["DEBUG", "ERROR", "INFO", "WARNING", "Notice", "Notices"]

DEBUG, INFO, WARNING, ERROR = 10, 20, 30, 40
"""The levels of the `logging` module."""
AGAIN = 600.0  # seconds until it warns again about seeds that still don't answer


class Notice(msgspec.Struct, frozen=True):
    """One line of a log.

    Attributes:
        level: `DEBUG`, `INFO`, `WARNING` or `ERROR`.
        topic: "events" for what the application is also told; "seeds", "settings" and "multicast" for what only the
            operator can put right.
        text: what happened, without this node's name.
        fields: what happened, for programs.
        mistake: whether people should see it even if logging is not set up: the program is not run as it must be.
    """

    level: int
    topic: Literal["events", "multicast", "seeds", "settings"]
    text: str
    fields: Mapping[str, object] = {}
    mistake: bool = False


class Notices:
    """Makes the notices for one node's events. It remembers which seeds it has warned about, and when."""

    def __init__(self) -> None:
        self._unanswered: frozenset[Address] = frozenset()
        self._again = AGAIN
        self._makers: dict[type, Callable[[Any], Notice]] = {**_MAKERS, JoinAttempt: self._attempt}

    def of(self, event: Event) -> Notice | None:
        """The notice for an event; None if there is none."""
        maker = self._makers.get(type(event))
        return maker(event) if maker is not None else None

    def _attempt(self, event: JoinAttempt) -> Notice:
        """Warn about a seed when its silence begins, and about all silent ones every ten minutes or so."""
        again = event.waited >= self._again
        self._again = event.waited + AGAIN if again else min(self._again, event.waited + AGAIN)
        unanswered = [str(address) for address in event.unanswered if again or address not in self._unanswered]
        self._unanswered = frozenset(event.unanswered)
        if unanswered:
            text = f"no answer from {', '.join(unanswered)}: asking again, less and less often"
            return Notice(WARNING, "seeds", text, {"event": "unanswered", "seeds": unanswered})
        seeds = [str(address) for address in event.addresses]
        return Notice(DEBUG, "seeds", f"asking {', '.join(seeds)}", {"event": "asking", "seeds": seeds})


def _of_member(level: int, event: str, words: str) -> Callable[[Any], Notice]:
    """A function that makes the notices of events with a member and perhaps with evidence."""

    def make(happened: Any) -> Notice:
        member: Member = happened.member
        evidence: Evidence | None = getattr(happened, "evidence", None)
        fields: dict[str, object] = {"event": event, "member": member.name, "address": str(member.address)}
        why = ""
        if evidence is not None and evidence.rule is not None:
            fields |= {"rule": evidence.rule.name.lower(), "accuser": evidence.accuser}
            why = f" ({fields['rule']}, says {evidence.accuser})"
        return Notice(level, "events", f"{member.name} at {member.address} {words}{why}", fields)

    return make


def _conflict(event: NameConflict) -> Notice:
    address = str(event.member.address)
    text = (
        f"another process at {address} has the same name: this node stays silent until that one is gone (each process"
        " needs a name of its own)"
    )
    return Notice(WARNING, "events", text, {"event": "conflict", "address": address}, mistake=True)


def _regained(_: NameRegained) -> Notice:
    """The level is that of the event that this one ends."""
    text = "the other process with the same name is gone: this node is a member again"
    return Notice(WARNING, "events", text, {"event": "regained"})


def _lost(event: BroadcastsLost) -> Notice:
    name, count = event.origin.name, event.count
    text = f"{count} broadcasts from {name} are lost: no member has them any longer"
    return Notice(WARNING, "events", text, {"event": "lost", "member": name, "count": count})


def _settings(event: SettingsDiffer) -> Notice:
    theirs, ours = dict(event.theirs), dict(event.ours)
    text = f"the node at {event.address} has other settings, which should agree in a cluster: {theirs}; here: {ours}"
    fields = {"event": "settings", "address": str(event.address), "theirs": theirs, "ours": ours}
    return Notice(WARNING, "settings", text, fields)


def _elsewhere(event: SeenElsewhere) -> Notice:
    text = (
        f"{event.by} sees this node at {event.seen}, and not at {event.claimed}, which it advertises: others may not"
        " reach it; advertise an address that leads here (advertise=, --advertise)"
    )
    fields = {"event": "elsewhere", "seen": str(event.seen), "claimed": str(event.claimed), "by": str(event.by)}
    return Notice(WARNING, "settings", text, fields)


def _narrow(event: PathNarrow) -> Notice:
    text = (
        f"datagrams of more than {event.size} bytes don't get through to {event.address}, or its answers don't come"
        " back: smaller ones are sent from now on; something on the way drops them (max_datagram)"
    )
    fields = {"event": "narrow", "address": str(event.address), "size": event.size}
    return Notice(WARNING, "settings", text, fields)


def _clocks(event: ClocksDiffer) -> Notice:
    days, which = abs(event.seconds) / 86_400, "ahead of" if event.seconds > 0 else "behind"
    text = (
        f"the cluster at {event.address} is {days:.1f} days {which} this one, so the two stay apart: set the clocks of"
        " the one that is wrong, then restart its members, all at once"
    )
    return Notice(
        WARNING, "settings", text, {"event": "clocks", "address": str(event.address), "seconds": event.seconds}
    )


def _met(event: ClustersMet) -> Notice:
    text = (
        f"two separate clusters have met and become one: {event.members} members with {event.address}, and"
        f" {event.their_members} with {event.their_address}; to keep them apart, give each a label (cluster=,"
        " --cluster)"
    )
    fields = {"event": "met", "address": str(event.their_address), "members": event.their_members}
    return Notice(WARNING, "settings", text, fields)


def _unsealed(event: Unsealed) -> Notice:
    came = f"{event.count} datagrams from {event.address}" if event.count > 1 else f"a datagram from {event.address}"
    if event.reason is DropReason.NOT_SEALED:
        why = "not sealed, and this node has keys: give a member there the same key file"
    elif event.reason is DropReason.UNKNOWN_KEY:
        why = f"sealed with key {event.key_id}, which this node does not hold: another key, or another cluster label"
    else:
        why = f"forged or damaged, or meant for an earlier run here, under key {event.key_id}"
    fields = {"event": "unsealed", "address": str(event.address), "reason": event.reason.value, "key": event.key_id}
    return Notice(WARNING, "settings", f"{came} dropped: {why}", fields | {"count": event.count})


def _keys(event: KeysChanged) -> Notice:
    others = f", and opens {', '.join(event.held[1:])} too" if event.held[1:] else ""
    fields = {"event": "keys", "preferred": event.preferred, "held": list(event.held)}
    return Notice(INFO, "settings", f"seals with key {event.preferred} from now on{others}", fields)


def _rejected(event: KeysRejected) -> Notice:
    text = f"the keys stay as they are: {event.reason}"
    return Notice(ERROR, "settings", text, {"event": "rejected", "reason": event.reason})


def _plain(event: PlainAccepted) -> Notice:
    still = (
        f"{event.members} members still send some" if event.members else "no member sends any: start each without it"
    )
    text = (
        'datagrams that are not sealed are taken too (plain="accept", --accept-plain), so that keys protect nothing;'
        f" {still}"
    )
    return Notice(WARNING, "settings", text, {"event": "plain", "members": event.members})


def _ordered(event: LeaveOrdered) -> Notice:
    fields = {"event": "ordered", "address": str(event.address)}
    return Notice(INFO, "events", f"a tool at {event.address} asks this member to leave", fields)


def _isolated(_: Isolated) -> Notice:
    text = "nobody was heard for the stall tolerance: this node is probably cut off"
    return Notice(WARNING, "events", text, {"event": "isolated"})


def _reconnected(_: Reconnected) -> Notice:
    """The level is that of the event that this one ends."""
    return Notice(WARNING, "events", "other members are heard again", {"event": "reconnected"})


def _paused(event: Paused) -> Notice:
    text = f"did not run for {event.seconds:.1f} s: others may have declared it dead"
    return Notice(WARNING, "events", text, {"event": "paused", "seconds": event.seconds})


_MAKERS: dict[type, Callable[[Any], Notice]] = {
    MemberJoined: _of_member(INFO, "joined", "joined"),
    MemberSuspected: _of_member(INFO, "suspected", "is suspected"),
    MemberRecovered: _of_member(INFO, "recovered", "is alive after all"),
    MemberDied: _of_member(INFO, "died", "is dead"),
    MemberLeft: _of_member(INFO, "left", "left"),
    MemberUpdated: _of_member(DEBUG, "updated", "changed its metadata"),
    MemberForgotten: _of_member(DEBUG, "forgotten", "is forgotten"),
    NameConflict: _conflict,
    NameRegained: _regained,
    BroadcastsLost: _lost,
    SettingsDiffer: _settings,
    Isolated: _isolated,
    Reconnected: _reconnected,
    Paused: _paused,
    SeenElsewhere: _elsewhere,
    PathNarrow: _narrow,
    ClocksDiffer: _clocks,
    ClustersMet: _met,
    Unsealed: _unsealed,
    KeysChanged: _keys,
    KeysRejected: _rejected,
    PlainAccepted: _plain,
    LeaveOrdered: _ordered,
}
