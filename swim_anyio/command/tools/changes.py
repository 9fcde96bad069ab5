"""What happened between two views of a member, as the agent reports it."""

from collections.abc import Iterator

from swim_core import Event, Evidence, MemberForgotten
from swim_core.native.claims.transitions import transition
from swim_core.native.wire.answers import Standing
from swim_core.native.wire.claim import Claim

from ..records import Record, from_event
from .reading import Seen, View, natural

__all__ = ["changes"]


def changes(before: View, after: View) -> list[Record]:
    """What happened between two views, sorted by name and then in order."""
    events = [*_standing(before, after)]
    for name in sorted(before.members.keys() | after.members.keys(), key=natural):
        events += _happened(name, before, after)
    return events


def _happened(name: str, before: View, after: View) -> Iterator[Record]:
    for event in _events(before.members.get(name), after.members.get(name)):
        record = from_event(event, t=after.t)
        if record is not None:
            yield record


def _events(old: Seen | None, new: Seen | None) -> list[Event]:
    """The events that the asked member must have raised (or would have, if it raised events about itself)."""
    if new is None:
        return [] if old is None else [MemberForgotten(old.member)]

    def witness(_: Claim) -> Evidence:
        return new.evidence

    return transition(None if old is None else old.row.claim, new.row.claim, witness)


def _standing(before: View, after: View) -> Iterator[Record]:
    isolated = [view.teller.standing is Standing.ISOLATED for view in (before, after)]
    if isolated[0] is not isolated[1]:
        yield {"t": after.t, "event": "isolated" if isolated[1] else "reconnected"}
