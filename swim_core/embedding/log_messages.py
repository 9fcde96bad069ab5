"""What an operator wants to read of events in a log: how urgent, under which heading, in words and in fields.

The core logs nothing. Adapters write each notice to the logger named after themselves and its topic, as in
``swim_threads.events``, with the node's name before the words and its fields beside them. Broadcasts and messages
make no notices: they are the application's.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import msgspec

from swim_core.address import Address
from swim_core.events import (
    BroadcastsLost,
    ClocksDiffer,
    ClustersMet,
    Event,
    Evidence,
    Isolated,
    JoinAttempt,
    KeysChanged,
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
    Reconnected,
    SeenElsewhere,
    SettingsDiffer,
    Unsealed,
)
from swim_core.member import Member
from swim_core.statistics import DropReason

__all__ = ["DEBUG", "ERROR", "INFO", "WARNING", "Notice", "Notices"]

DEBUG, INFO, WARNING, ERROR = 10, 20, 30, 40
"""Levels, as everywhere in Python."""
AGAIN = 600.0  # seconds until seeds that go on not to answer are warned of again: who looks at the log sees it


class Notice(msgspec.Struct, frozen=True):
    """One line of a log.

    Attributes:
        level: `DEBUG`, `INFO` or `WARNING`.
        topic: "events" is what the application is told too, of members and of this node's own state; "seeds",
            "settings" and "multicast" are what only the operator can mend.
        text: what happened, without this node's name.
        fields: the same for programs.
    """

    level: int
    topic: Literal["events", "multicast", "seeds", "settings"]
    text: str
    fields: Mapping[str, object] = {}


class Notices:
    """Makes notices of the events of one node. It remembers which seeds it has warned of, and when."""

    def __init__(self) -> None:
        self._unanswered: frozenset[Address] = frozenset()
        self._again = AGAIN
        self._makers: dict[type, Callable[[Any], Notice]] = {**_MAKERS, JoinAttempt: self._attempt}

    def of(self, event: Event) -> Notice | None:
        """The notice of an event, if it makes one."""
        maker = self._makers.get(type(event))
        return maker(event) if maker is not None else None

    def _attempt(self, event: JoinAttempt) -> Notice:
        """A seed is warned of when its silence begins, and all that are silent every ten minutes or so."""
        again = event.waited >= self._again
        self._again = event.waited + AGAIN if again else min(self._again, event.waited + AGAIN)
        unanswered = [str(address) for address in event.unanswered if again or address not in self._unanswered]
        self._unanswered = frozenset(event.unanswered)
        if unanswered:
            text = f"no answer from {', '.join(unanswered)}: still asking, less and less often"
            return Notice(WARNING, "seeds", text, {"event": "unanswered", "seeds": unanswered})
        seeds = [str(address) for address in event.addresses]
        return Notice(DEBUG, "seeds", f"asking {', '.join(seeds)}", {"event": "asking", "seeds": seeds})


def _of_member(level: int, event: str, words: str) -> Callable[[Any], Notice]:
    """What makes notices of events with a member, and perhaps with evidence."""

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
    text = f"another process at {address} has the same name: this node keeps silent until that one is gone"
    return Notice(WARNING, "events", text, {"event": "conflict", "address": address})


def _regained(_: NameRegained) -> Notice:
    """As loud as what it ends."""
    text = "the other process of the same name is gone: this node is a member again"
    return Notice(WARNING, "events", text, {"event": "regained"})


def _lost(event: BroadcastsLost) -> Notice:
    name, count = event.origin.name, event.count
    text = f"{count} broadcasts of {name} are lost: nobody has them any more"
    return Notice(WARNING, "events", text, {"event": "lost", "member": name, "count": count})


def _settings(event: SettingsDiffer) -> Notice:
    theirs, ours = dict(event.theirs), dict(event.ours)
    text = (
        f"the node at {event.address} runs with other settings, which should agree in a cluster: {theirs}; here: {ours}"
    )
    fields = {"event": "settings", "address": str(event.address), "theirs": theirs, "ours": ours}
    return Notice(WARNING, "settings", text, fields)


def _elsewhere(event: SeenElsewhere) -> Notice:
    text = (
        f"seen at {event.seen} by {event.by}, and not at {event.claimed}, which others are told: they may not reach it;"
        f" advertise an address that leads here (advertise=, --advertise)"
    )
    fields = {"event": "elsewhere", "seen": str(event.seen), "claimed": str(event.claimed), "by": str(event.by)}
    return Notice(WARNING, "settings", text, fields)


def _narrow(event: PathNarrow) -> Notice:
    text = (
        f"datagrams of more than {event.size} bytes do not get through to {event.address}, or its answers do not come"
        " back: smaller ones are sent now; something on the way drops them (max_datagram)"
    )
    fields = {"event": "narrow", "address": str(event.address), "size": event.size}
    return Notice(WARNING, "settings", text, fields)


def _clocks(event: ClocksDiffer) -> Notice:
    days, which = abs(event.seconds) / 86_400, "ahead of" if event.seconds > 0 else "behind"
    text = (
        f"the cluster of {event.address} is {days:.1f} days {which} this one, and they stay apart: set the clocks of"
        " the one that is wrong, then restart its members, all at once"
    )
    return Notice(
        WARNING, "settings", text, {"event": "clocks", "address": str(event.address), "seconds": event.seconds}
    )


def _met(event: ClustersMet) -> Notice:
    text = (
        f"two clusters that were formed apart have met: {event.members} members with {event.address}, and"
        f" {event.their_members} with {event.their_address}; if they should not be one, give each a label (cluster=)"
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


def _isolated(_: Isolated) -> Notice:
    text = "no member was heard for the stall tolerance: the trouble is likely here"
    return Notice(WARNING, "events", text, {"event": "isolated"})


def _reconnected(_: Reconnected) -> Notice:
    """As loud as what it ends."""
    return Notice(WARNING, "events", "members are heard again", {"event": "reconnected"})


def _paused(event: Paused) -> Notice:
    text = f"did not run for {event.seconds:.1f} s: others may have held it dead"
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
}
