"""`swim reachability`: which members hear each other, and which don't."""

from collections.abc import Iterator
from functools import partial

import anyio
import msgspec

from swim_core import State

from ..records import Record, to_json
from ..text import printable
from .asking import read_target
from .reading import Seen, View, natural
from .survey import FEW, Survey, silence_words, survey, survey_record
from .writing import ago, write

__all__ = ["Hearing", "hearings", "reachability_record", "run_reachability", "tell_reachability"]

PATIENCE = 1  # unanswered pings in a row that mean nothing: one may be under way, or lost


class Hearing(msgspec.Struct, frozen=True):
    """Whom one member hears.

    Attributes:
        name: of the member.
        hears: those that it has heard and that answer it.
        unmet: those that it takes to be alive and has had no contact with yet.
        deaf_to: the rest, each with the reason.
    """

    name: str
    hears: list[str]
    unmet: list[str]
    deaf_to: dict[str, str]


def run_reachability(join: str | None, cluster: str | None, *, json: bool) -> int:
    """Print who hears whom; returns 0 if no pair is known not to hear each other, 1 if one is.

    Raises:
        As `run_members`.
    """
    found = anyio.run(partial(survey, read_target(join, cluster)), backend="asyncio")
    write(to_json(reachability_record(found)) if json else tell_reachability(found))
    return int(any(hearing.deaf_to for hearing in hearings(found)))


def hearings(found: Survey) -> list[Hearing]:
    """For each member that answers: whom it hears, of all that anybody in the survey considers live."""
    views = [view for view in found.views.values() if view is not None]
    live = sorted({seen.member.name for view in views for seen in view.live}, key=natural)
    return [_hearing(name, view, live) for name, view in found.views.items() if view is not None]


def _hearing(name: str, view: View, live: list[str]) -> Hearing:
    hearing = Hearing(name, [], [], {})
    for other in live:
        seen = view.members.get(other)
        if other == name:
            continue
        reason = "doesn't know it" if seen is None else _reason(seen)
        if reason:
            hearing.deaf_to[other] = reason
        elif seen is not None and seen.heard is None:
            hearing.unmet.append(other)
        else:
            hearing.hears.append(other)
    return hearing


def _reason(seen: Seen) -> str:
    """Why a member counts as not heard; "" if it is heard."""
    last = "" if seen.heard is None else f", last heard {ago(seen.heard)} ago"
    if not seen.member.state.live or seen.member.state is State.SUSPECT:
        return f"{seen.member.state}{last}"
    if seen.row.unanswered > PATIENCE:
        return f"{seen.row.unanswered} pings unanswered{last}"
    return ""


def reachability_record(found: Survey) -> Record:
    """For programs: of each member that answers whom it ``hears``, has not met (``unmet``), and is ``deaf_to``."""
    return survey_record("reachability", found, [msgspec.structs.asdict(hearing) for hearing in hearings(found)])


def tell_reachability(found: Survey) -> str:
    """For people: a line for each member that doesn't hear another, and how many hear all."""
    return "\n".join(printable(line) for line in _lines(found))


def _lines(found: Survey) -> Iterator[str]:
    told = hearings(found)
    for hearing in told:
        for other, reason in [*hearing.deaf_to.items()][:FEW]:
            yield f"{hearing.name} does not hear {other}: {reason}"
        if len(hearing.deaf_to) > FEW:
            yield f"{hearing.name} does not hear {len(hearing.deaf_to) - FEW} others either"
    well = sum(not hearing.deaf_to for hearing in told)
    unmet = sum(len(hearing.unmet) for hearing in told)
    yet = f"; {unmet} pairs have not met yet" if unmet else ""
    yield f"{well} of {len(told)} members hear all others{yet}."
    if found.silent:
        yield silence_words(found.silent)
