"""`swim events`: what happened in the cluster, from what its members remember, as one timeline."""

import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, cast

import anyio
import msgspec

from swim_core import Address, Rule
from swim_core.address import unpack
from swim_core.native.wire.answers import Body, EventsPage, Happened, Teller
from swim_core.native.wire.claim import EPOCH_BITS
from swim_core.native.wire.queries import EVER, What, pack_age

from ..records import Record, to_json
from ..text import printable, rule_words
from .asking import Target, ask, ask_each, read_target
from .reading import View, asked_record, natural, read_view
from .survey import EACH, names_of, silence_words
from .writing import clock_time, for_people, wrapped, write

__all__ = [
    "Event",
    "Timeline",
    "ask_timeline",
    "event_record",
    "merged",
    "run_events",
    "tell_timeline",
    "timeline_record",
]

WHAT = 10  # columns
INDENT = len("00:00:00.000  ") + WHAT + 1
SAME = 10.0  # seconds, at most, between verdicts of two members that found out for themselves


class Event(msgspec.Struct, frozen=True):
    """One thing that happened, as all members that remember it tell it.

    Attributes:
        t: seconds since 1970: of the verdict, or when the first member learned it.
        what: a word, see `Happened`.
        member: the member that it happened to.
        address: its address; None for what a member says about itself.
        rule: of the verdict.
        accuser: who gave it; "" for nobody.
        seen_by: who remembers it, by name.
        missed_by: who does not, though it answered, and ran at that time; only of verdicts.
    """

    t: float
    what: str
    member: str
    address: Address | None
    rule: Rule | None
    accuser: str
    seen_by: list[str]
    missed_by: list[str]


class Timeline(msgspec.Struct, frozen=True):
    """What happened, oldest first, and who says so: ``answered`` and ``silent`` are names of live members, and
    ``addresses`` those of members that the asked one knows."""

    teller: Teller
    events: list[Event]
    answered: list[str]
    silent: list[str]
    addresses: dict[str, Address]
    t: float


def run_events(join: str | None, cluster: str | None, since: float | None, *, json: bool) -> int:
    """Print what happened in the last ``since`` seconds, None for all that is remembered.

    Raises:
        As `run_members`.
    """
    age = EVER if since is None else round(min(since * 1e3, EVER))
    timeline = anyio.run(partial(ask_timeline, read_target(join, cluster), age), backend="asyncio")
    width = shutil.get_terminal_size().columns if for_people() else None
    write(to_json(timeline_record(timeline)) if json else tell_timeline(timeline, width))
    return 0


async def ask_timeline(target: Target, age: int) -> Timeline:
    """Ask one member for its view, and then each member in it what happened in the last ``age`` ms.

    Raises:
        NoAnswer: if the first one doesn't answer.
    """
    argument = pack_age(age)
    view = read_view(await ask(target, What.MEMBERS))
    asked = view.teller.name
    others = {name: seen.member.address for name, seen in view.members.items() if name != asked}
    answers: dict[str, Sequence[Body] | None] = {asked: await ask(target, What.EVENTS, argument)}
    answers |= await ask_each(target, others, What.EVENTS, argument, patience=EACH)
    return merged(view, {name: cast("Sequence[EventsPage] | None", pages) for name, pages in answers.items()})


def merged(view: View, answers: dict[str, Sequence[EventsPage] | None]) -> Timeline:
    """The answers as one timeline, which lists each thing once."""
    offset = view.t - view.teller.time / 1e3  # from cluster time, which they agree on
    found: dict[object, list[Event]] = {}
    for observer, pages in answers.items():
        for page in pages or ():
            for happened in page.events:
                if not _merely_found(view, observer, happened):
                    _add(found, observer, happened, offset)
    answered = sorted((name for name, pages in answers.items() if pages is not None), key=natural)
    began = {name: (seen.member.epoch >> EPOCH_BITS) / 1e3 for name, seen in view.members.items()}
    there = {name: began.get(name, view.t) for name in answered}
    told = (_completed(event, there) for events in found.values() for event in events)
    events = sorted(told, key=lambda event: (event.t, natural(event.member), event.what))
    silent = sorted(answers.keys() - answered, key=natural)
    addresses = {name: seen.member.address for name, seen in view.members.items()}
    return Timeline(view.teller, events, answered, silent, addresses, view.t)


def _merely_found(view: View, observer: str, happened: Happened) -> bool:
    """Whether a member "joined" only in the eyes of one that came later and found it there."""
    seen = view.members.get(observer)
    return happened.what == "joined" and seen is not None and seen.member.epoch > happened.epoch


def _completed(event: Event, there: dict[str, float]) -> Event:
    """Sort the members that saw it; for a verdict, add those that ran at that time, by when they began, and don't tell
    of it."""
    seen_by = {*event.seen_by}
    missed_by: list[str] = []
    if event.rule is not None and event.rule is not Rule.ISOLATED:
        missed_by = [n for n, began in there.items() if began < event.t and n not in seen_by and n != event.member]
    return msgspec.structs.replace(event, seen_by=sorted(seen_by, key=natural), missed_by=missed_by)


def _add(found: dict[object, list[Event]], observer: str, happened: Happened, offset: float) -> None:
    """Add what one member tells; ``offset`` (seconds) turns its cluster times into times of this host."""
    address = None if happened.address is None else unpack(happened.address)
    t = (happened.time or happened.at) / 1e3 + offset
    event = Event(t, happened.what, happened.member, address, happened.rule, happened.accuser, [observer], [])
    own = address is None or happened.rule is Rule.ISOLATED  # it is about the observer, and nobody else tells of it
    run = None if happened.what == "joined" else happened.incarnation
    key = (happened.what, happened.member, happened.epoch, run, happened.rule, observer if own else "")
    events = found.setdefault(key, [])
    for number, known in enumerate(events):
        if not own and (happened.rule is None or abs(known.t - t) <= SAME):
            events[number] = _both(known, event)
            return
    events.append(event)


def _both(known: Event, other: Event) -> Event:
    """One thing from the words of two members. Of two verdicts it is the first one."""
    first, second = (known, other) if known.t <= other.t else (other, known)
    named = second if first.t == second.t and _is_number(first.accuser) else first
    return msgspec.structs.replace(first, accuser=named.accuser, seen_by=[*known.seen_by, *other.seen_by])


def _is_number(name: str) -> bool:
    """Whether this is the short id of an accuser whose name an observer didn't know."""
    return len(name) == 16 and all(digit in "0123456789abcdef" for digit in name)


# ------------------------------------------------------------------ what is printed


def timeline_record(timeline: Timeline) -> Record:
    """For programs: ``events``, oldest first, each with ``t``, and the names of who ``answered`` and was ``silent``."""
    return {
        "t": timeline.t,
        "event": "events",
        "asked": asked_record(timeline.teller),
        "answered": timeline.answered,
        "silent": timeline.silent,
        "events": [event_record(event) for event in timeline.events],
    }


def event_record(event: Event) -> dict[str, Any]:
    record: dict[str, Any] = {"t": event.t, "event": event.what, "member": event.member}
    if event.address is not None:
        record["address"] = str(event.address)
    if event.rule is not None:
        record |= {"rule": str(event.rule), "accuser": event.accuser}
        record["missed_by"] = event.missed_by
    return record | {"seen_by": event.seen_by}


def tell_timeline(timeline: Timeline, width: int | None = None) -> str:
    """For people: a line for each event, a heading for each day, and at the end who says so. Lines longer than
    ``width`` are wrapped."""
    return "\n".join(wrapped(printable(line), width, INDENT) for line in _lines(timeline))


def _lines(timeline: Timeline) -> Iterator[str]:
    day, events = "", _without_confirmed(timeline.events)
    for event in events:
        today, clock = clock_time(event.t, date=True).split(" ")
        if today != day:
            yield today
        day = today
        yield f"{clock}  {event.what:<{WHAT}} {event.member}{_reason(event)}{_unknown_to(event)}"
    yield _summary(timeline, len(events))


def _without_confirmed(events: Sequence[Event]) -> list[Event]:
    """Leave out suspicions that a death of the same member follows, which says it all."""
    kept: list[Event] = []
    following: dict[str, str] = {}
    for event in reversed(events):
        if event.what != "suspect" or following.get(event.member) != "dead":
            kept.append(event)
        following[event.member] = event.what
    return kept[::-1]


def _reason(event: Event) -> str:
    if event.rule is None or event.rule is Rule.LEFT:
        return ""
    cause = rule_words(event.rule.name.lower()).partition(" (")[0]
    return f": {cause}, says {event.accuser}"


def _unknown_to(event: Event) -> str:
    """The members that don't know of it: where a network was cut, the sides differ."""
    if not event.missed_by:
        return ""
    return f" (unknown to {names_of(event.missed_by)})"


def _summary(timeline: Timeline, count: int) -> str:
    asked = len(timeline.answered) + len(timeline.silent)
    whose = f"{count} event{'s' * (count != 1)}, as {len(timeline.answered)} of {asked} live members remember them."
    return f"{whose} {silence_words(timeline.silent)}" if timeline.silent else whose
