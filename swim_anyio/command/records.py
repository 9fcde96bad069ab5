"""What the agent reports, one dict per line: printed as JSON for programs, and in words for people.

Every record has ``t`` (seconds since 1970, a float) and ``event``; ``member`` is a name. The function or the case that
makes a record shows its other fields.
"""

import re
from base64 import b64encode
from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from swim_core import (
    Address,
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
    Member,
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
    PathNarrow,
    Paused,
    Reconnected,
    SeenElsewhere,
    SettingsDiffer,
    Unsealed,
)

__all__ = ["Record", "error", "from_event", "lines_lost", "members", "printable", "started", "stopped", "to_json"]

Record: TypeAlias = dict[str, object]

_encode = msgspec.json.Encoder().encode
_CONTROLS = re.compile(rb"\x7f|\xc2[\x80-\x9f]")  # DEL and C1 in UTF-8: JSON allows them, and some terminals obey them


def to_json(record: Record) -> bytes:
    """One line of UTF-8, including its newline, with no raw control characters."""
    return printable(_encode(record)) + b"\n"


def printable(json: bytes) -> bytes:
    """The same JSON with control characters escaped, since it may contain text that others sent."""
    return _CONTROLS.sub(lambda found: b"\\u00%02x" % found[0][-1], json)


def from_event(event: Event, *, t: float) -> Record | None:
    """The record of an event; None for events that are meant for the adapter or its log."""
    match event:  # in the order of how often they may come, since every case before the right one takes its time
        case BroadcastReceived(origin=origin, number=number, payload=payload):
            return {"t": t, "event": "broadcast", "member": origin.name, "number": number, **_data(payload)}
        case MessageReceived(origin=origin, payload=payload):
            return {"t": t, "event": "message", "member": origin.name, **_data(payload)}
        case MemberJoined(member=member) | MemberRecovered(member=member):
            return {"t": t, "event": "alive", **_who(member), **_metadata(member)}
        case MemberSuspected(member=member, evidence=evidence):
            return {"t": t, "event": "suspect", **_who(member), **_why(evidence)}
        case MemberDied(member=member, evidence=evidence):
            return {"t": t, "event": "dead", **_who(member), **_why(evidence)}
        case MemberLeft(member=member, evidence=evidence):
            return {"t": t, "event": "left", **_who(member), **_why(evidence)}
        case MemberUpdated(member=member):
            return {"t": t, "event": "updated", **_who(member), "metadata": dict(member.metadata)}
        case MemberForgotten(member=member):
            return {"t": t, "event": "forgotten", **_who(member)}
        case NameConflict(member=member):
            return {"t": t, "event": "conflict", **_who(member)}
        case NameRegained(member=member):
            return {"t": t, "event": "regained", **_who(member)}
        case Isolated():
            return {"t": t, "event": "isolated"}
        case Reconnected():
            return {"t": t, "event": "reconnected"}
        case Paused(seconds=seconds):
            return {"t": t, "event": "paused", "seconds": round(seconds, 3)}
        case SeenElsewhere(seen=seen, claimed=claimed, by=by):
            return {"t": t, "event": "elsewhere", "seen": str(seen), "claimed": str(claimed), "by": str(by)}
        case PathNarrow(address=address, size=size):
            return {"t": t, "event": "narrow", "address": str(address), "size": size}
        case ClocksDiffer(address=address, seconds=seconds):
            return {"t": t, "event": "clocks", "address": str(address), "seconds": round(seconds, 3)}
        case ClustersMet(address=address, members=ours, their_address=there, their_members=theirs):
            met = {"address": str(address), "members": ours, "their_address": str(there), "their_members": theirs}
            return {"t": t, "event": "met", **met}
        case BroadcastsLost(origin=origin, count=count):  # a member: its broadcasts; none: our own events
            return {"t": t, "event": "lost", "member": origin.name, "count": count}
        case EventsLost(count=count):
            return {"t": t, "event": "lost", "count": count}
        case JoinAttempt() | MemberPinged() | SettingsDiffer() | Unsealed() | KeysChanged():
            return None


def started(local: Member, *, t: float, metrics: Address | None = None) -> Record:
    """The first record: the node listens at ``address``, as bound, and serves metrics at ``metrics``, if anywhere."""
    return {"t": t, "event": "started", **_who(local), **({"metrics": str(metrics)} if metrics else {})}


def stopped(name: str, reason: str, *, t: float) -> Record:
    """The last record: the node has left and its socket is closed."""
    return {"t": t, "event": "stopped", "member": name, "reason": reason}


def lines_lost(count: int, reason: str, *, t: float) -> Record:
    """How many records before the next one could not be written, and why."""
    return {"t": t, "event": "lost", "count": count, "reason": reason}


def members(live: Iterable[Member], *, t: float) -> Record:
    """The answer to the command ``members``: each member with name, address, state, and metadata if it has any."""
    rows = [{"name": m.name, "address": str(m.address), "state": m.state.name.lower(), **_metadata(m)} for m in live]
    return {"t": t, "event": "members", "members": rows}


def error(line: bytes, reason: str, *, t: float) -> Record:
    """A line of standard input that could not be carried out, and why."""
    return {"t": t, "event": "error", "reason": reason, "line": line.decode(errors="replace")}


def _who(member: Member) -> Record:
    return {"member": member.name, "address": str(member.address)}


def _metadata(member: Member) -> Record:
    return {"metadata": dict(member.metadata)} if member.metadata else {}


def _why(evidence: Evidence | None) -> Record:
    if evidence is None or evidence.rule is None:
        return {}
    return {"rule": evidence.rule.name.lower(), "accuser": evidence.accuser}


def _data(payload: bytes) -> Record:
    try:
        return {"data": payload.decode()}
    except UnicodeDecodeError:
        return {"data_base64": b64encode(payload).decode()}
