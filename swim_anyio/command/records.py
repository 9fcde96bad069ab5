"""What the agent reports, one dict per line: printed as JSON for programs, and in words for people.

Every record has ``t`` (seconds since 1970, a float) and ``event``; ``member`` is a name. The function or the case that
makes a record shows its other fields.
"""

import re
from collections.abc import Iterable
from json import dumps
from typing import TypeAlias

import msgspec

from swim_core import (
    Address,
    Event,
    Evidence,
    JoinAttempt,
    KeysChanged,
    KeysRejected,
    LeaveOrdered,
    Member,
    MemberPinged,
    PlainAccepted,
    SettingsDiffer,
    Unsealed,
)
from swim_core.address import is_loopback

from .commands import HELP

__all__ = [
    "Record",
    "error",
    "from_event",
    "help_",
    "lines_lost",
    "members",
    "metadata",
    "pinged",
    "printable",
    "sent",
    "started",
    "stopped",
    "to_json",
    "why",
]

Record: TypeAlias = dict[str, object]

_encode = msgspec.json.Encoder().encode
_PLAIN = re.compile(rb"[\n -~]*")


def to_json(record: Record) -> bytes:
    """One line of UTF-8, including its newline, with no raw control characters."""
    return printable(_encode(record)) + b"\n"


def printable(json: bytes) -> bytes:
    """As `to_json`, with everything unprintable escaped, since it may contain text that others sent.

    JSON allows such characters raw: DEL and C1, which some terminals obey, and those that are invisible or reverse the
    direction of writing.
    """
    if _PLAIN.fullmatch(json):
        return json
    text = json.decode()
    return "".join(c if c.isprintable() or c == "\n" else dumps(c)[1:-1] for c in text).encode()


SILENT = (
    JoinAttempt,
    MemberPinged,
    SettingsDiffer,
    Unsealed,
    KeysChanged,
    KeysRejected,
    PlainAccepted,
    LeaveOrdered,
)
"""Events that are meant for the adapter or its log."""


def from_event(event: Event, *, t: float) -> Record | None:
    """The record of an event; None for events that are meant for the adapter or its log."""
    return None if isinstance(event, SILENT) else {"t": t, **event.to_dict()}


def started(local: Member, *, t: float, metrics: Address | None = None, sealed: bool | None = None) -> Record:
    """The first record: the node listens at ``address``, as bound, and serves metrics at ``metrics``, if anywhere.

    ``sealed`` tells whether it has keys; that it has none is told only where other hosts may reach it.
    """
    record = {"t": t, "event": "started", **_who(local), **({"metrics": str(metrics)} if metrics else {})}
    if sealed or (sealed is False and not is_loopback(local.address)):
        record["sealed"] = sealed
    return record


def stopped(name: str, reason: str, *, t: float) -> Record:
    """The last record: the node has left and its socket is closed."""
    return {"t": t, "event": "stopped", "member": name, "reason": reason}


def lines_lost(count: int, reason: str, *, t: float) -> Record:
    """How many records could not be written before the next one, and why."""
    return {"t": t, "event": "lost", "count": count, "reason": reason}


def members(live: Iterable[Member], *, t: float) -> Record:
    """The answer to the command ``members``: each member with name, address, state, and metadata if it has any."""
    rows = [{"name": m.name, "address": str(m.address), "state": m.state.name.lower(), **_metadata(m)} for m in live]
    return {"t": t, "event": "members", "members": rows}


def sent(number: int, others: int, *, t: float) -> Record:
    """A broadcast that was typed: its number, and how many other members it goes to."""
    return {"t": t, "event": "sent", "number": number, "others": others}


def pinged(name: str, round_trip: float | None, *, t: float) -> Record:
    """The answer to the command ``ping``: ``round_trip`` in seconds, None if no answer came in time."""
    return {"t": t, "event": "pinged", "member": name, "round_trip": round_trip}


def metadata(local: Member, *, t: float) -> Record:
    """The answer to the command ``metadata``: what this member tells of itself now."""
    return {"t": t, "event": "metadata", "member": local.name, "metadata": dict(local.metadata)}


def help_(*, t: float) -> Record:
    """The answer to the command ``help``: the commands, and what they do."""
    return {"t": t, "event": "help", "commands": dict(HELP)}


def why(member: Member, evidence: Evidence, *, t: float, now: float) -> Record:
    """The answer to the command ``why``: the verdict, if there is one, and ``observations``, oldest first.

    ``now`` is the same moment as ``t`` on the clock of the observations.
    """
    seen = [
        {"t": t - (now - one.at), "observer": one.observer, "what": one.what, "detail": one.detail, "count": one.count}
        for one in evidence.observations
    ]
    verdict = {} if evidence.rule is None else {"rule": str(evidence.rule), "accuser": evidence.accuser}
    return {"t": t, "event": "why", **_who(member), "state": str(member.state), **verdict, "observations": seen}


def error(line: bytes, reason: str, *, t: float) -> Record:
    """A line of standard input that could not be carried out, and why."""
    return {"t": t, "event": "error", "reason": reason, "line": line.decode(errors="replace")}


def _who(member: Member) -> Record:
    return {"member": member.name, "address": str(member.address)}


def _metadata(member: Member) -> Record:
    return {"metadata": dict(member.metadata)} if member.metadata else {}
