"""A user's program that has an answer to every event, and imports from the adapter alone: a new event is an error here.

mypy and pyright check it (`.ci/types`), and nothing runs it. A program of a user's ends with ``case _``, since later
releases may have more events.
"""

from typing import assert_never

from swim_threads import (
    BroadcastReceived,
    BroadcastsLost,
    ClocksDiffer,
    ClustersMet,
    Event,
    EventsLost,
    Isolated,
    JoinAttempt,
    KeysChanged,
    KeysRejected,
    LeaveOrdered,
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
    PlainAccepted,
    Reconnected,
    SeenElsewhere,
    SettingsDiffer,
    Unsealed,
)


def told(event: Event) -> str:
    """What happened, in a word or two."""
    match event:
        case MemberJoined(member=member) | MemberRecovered(member=member) | MemberLeft(member=member):
            return f"{member.name} is {member.state}"
        case MemberSuspected(member=member) | MemberDied(member=member) | MemberForgotten(member=member):
            return f"{member.name} is {member.state}"
        case MemberUpdated(member=member, before=before):
            return f"{before and before.metadata} became {member.metadata}"
        case MemberPinged(member=member, round_trip=round_trip):
            return f"{member.name} {round_trip}"
        case BroadcastReceived(origin=origin, payload=payload) | MessageReceived(origin=origin, payload=payload):
            return f"{origin.name} {payload!r}"
        case NameConflict() | NameRegained() | SeenElsewhere():
            return "who and where this node is"
        case Isolated() | Reconnected() | Paused() | JoinAttempt() | PathNarrow():
            return "how this node reaches others"
        case SettingsDiffer() | ClocksDiffer() | ClustersMet() | Unsealed():
            return "what members do not agree on"
        case KeysChanged() | KeysRejected() | PlainAccepted():
            return "with which keys this node speaks"
        case LeaveOrdered():
            return "what this node is to do"
        case BroadcastsLost() | EventsLost():
            return "something was missed"
        case _:
            assert_never(event)
