"""`swim why`: what a member is believed to be, why, and what led there, in order of time."""

import os
import re
import shutil
from collections.abc import Iterator, Sequence
from functools import partial
from shlex import quote
from typing import cast

import anyio

from swim_anyio.command.records import Record, to_json
from swim_anyio.command.text import printable, rule_words
from swim_core import Rule, State, SwimError
from swim_core.address import unpack
from swim_core.native.wire.answers import Note
from swim_core.native.wire.queries import What

from .asking import ask_once, read_target
from .latest import ask_latest
from .naming import likely
from .reading import Reasons, Seen, asked_record, read_reasons, read_view, standing_words
from .survey import silence_words
from .writing import ago, clock_time, for_people, span, wrapped, write

__all__ = ["reasons_record", "run_why", "tell_reasons", "unknown"]

SEEN_AS = {State.ALIVE: "alive", State.SUSPECT: "suspect", State.DEAD: "dead", State.LEFT: "having left"}
SAID = {
    State.ALIVE: "declared it alive",
    State.SUSPECT: "suspected it",
    State.DEAD: "declared it dead",
    State.LEFT: "left",
}
SILENCE = re.compile(r"rule silent: ([\d.]+) s silent here")
PAUSE = 10_000  # ms of cluster time in which nothing was seen: what comes after is another story


def run_why(join: str | None, cluster: str | None, name: str | None, *, json: bool) -> int:
    """Print why a member is believed alive, suspect, dead or gone; without a name, the one that died last.

    Raises:
        SwimError: if the asked member doesn't know the name, or nobody that answers of a death; otherwise as
            `run_members`.
    """
    if name is None:
        return _run_latest(join, cluster, json=json)
    reasons = read_reasons(ask_once(join, cluster, What.REASON, os.fsencode(name)))
    if reasons.seen is None:
        known = read_view(ask_once(join, cluster, What.EVERYONE)).members
        raise SwimError(unknown(reasons, name, likely(name, known)))
    write(to_json(reasons_record(reasons)) if json else tell_reasons(reasons, _width()))
    return 0


def _run_latest(join: str | None, cluster: str | None, *, json: bool) -> int:
    reasons, silent = anyio.run(partial(ask_latest, read_target(join, cluster)), backend="asyncio")
    if json:
        write(to_json(reasons_record(reasons) | {"silent": silent}))
        return 0
    width = _width()
    note = f"\n\n{wrapped(printable(silence_words(silent)), width, 0)}" if silent else ""
    write(tell_reasons(reasons, width) + note)
    return 0


def _width() -> int | None:
    return shutil.get_terminal_size().columns if for_people() else None


def reasons_record(reasons: Reasons) -> Record:
    """For programs: ``t`` of the answer, ``asked``, ``member``, the verdict's ``at``, ``accuser_address``, and
    ``observations``, each with ``t`` and, where it was seen ``count`` times, with ``last``."""
    seen = cast(Seen, reasons.seen)
    record: Record = {"t": reasons.t, "event": "why", "asked": asked_record(reasons.teller), "member": seen.record()}
    if seen.row.claim.verdict is not None:
        address = seen.accuser_address
        record["at"] = reasons.unix(seen.row.claim.verdict.time)
        record["accuser_address"] = None if address is None else str(address)
    return record | {"observations": [_observation(reasons, note) for note in reasons.notes]}


def _observation(reasons: Reasons, note: Note) -> Record:
    record: Record = {"t": reasons.unix(note.at), "observer": note.observer, "what": note.what, "detail": note.detail}
    return record if note.count == 1 else record | {"count": note.count, "last": reasons.unix(note.last)}


def tell_reasons(reasons: Reasons, width: int | None = None) -> str:
    """The answer for people. Lines longer than ``width`` are wrapped, except commands, which are there to be copied."""
    lines = [printable(line) for line in _lines(reasons, cast(Seen, reasons.seen))]
    indent = 2 + max(map(len, _heads(reasons)), default=0)
    return "\n".join(line if line.startswith("  ") else wrapped(line, width, indent) for line in lines)


def _lines(reasons: Reasons, seen: Seen) -> Iterator[str]:
    member, asked = seen.member, reasons.teller.name
    believed = f"{asked} sees {member.name} ({member.address}) as {SEEN_AS[member.state]}"
    verdict = seen.row.claim.verdict
    if verdict is None:
        yield f"{believed}."
        yield _contact(seen, asked)
    else:
        when = reasons.unix(verdict.time)
        yield f"{believed}: {_cause(reasons, verdict.rule)}."
        said = f"{seen.row.accuser} {'removed it' if verdict.rule is Rule.REMOVED else SAID[member.state]}"
        yield f"{said} at {clock_time(when, date=True)}, {ago(max(0.0, reasons.t - when))} ago."
    if standing := standing_words(reasons.teller):
        yield f"Note: {standing}."
    if reasons.notes:
        yield ""
        yield from _timeline(reasons)
    elif verdict is None:
        yield "Nothing speaks against it."
    yield from _advice(reasons, seen)


def _cause(reasons: Reasons, rule: Rule) -> str:
    """What happened, with what the story adds to the rule where the asked member gave the verdict itself."""
    found = [SILENCE.match(note.detail) for note in reasons.notes if note.what == "declared dead"]
    if rule is not Rule.SILENT or not found or found[-1] is None:
        return rule_words(rule.name.lower())
    seconds = f"{float(found[-1][1]):.1f} s"
    if any(note.what == "reachable" for note in reasons.notes[_latest(reasons) :]):
        return f"hangs: its host answers, the process has been silent for {seconds}"
    return f"no answer for {seconds} (other members confirm it)"


def _latest(reasons: Reasons) -> int:
    """The index of the first note of the latest story."""
    beginnings = _beginnings(reasons.notes)
    return beginnings.index(beginnings[-1])


def _contact(seen: Seen, asked: str) -> str:
    if seen.member.name == asked:
        return "This is the member that was asked."
    heard = "has not heard it directly yet" if seen.heard is None else f"last heard it {ago(seen.heard)} ago"
    round_trip = "" if seen.round_trip is None else f"; its latest ping was answered in {span(seen.round_trip)}"
    unanswered = f"; the last {seen.row.unanswered} pings were not answered" if seen.row.unanswered > 1 else ""
    return f"{asked} {heard}{round_trip}{unanswered}."


def _timeline(reasons: Reasons) -> Iterator[str]:
    """A line for each observation: when, how long after its story began, by whom, what. Stories are set apart."""
    beginnings = _beginnings(reasons.notes)
    before = beginnings[0]
    for note, began, head in zip(reasons.notes, beginnings, _heads(reasons), strict=True):
        if began != before:
            yield ""
        before = began
        again = f" ({note.count} times, last at {(note.last - began) / 1e3:+.3f})" if note.count > 1 else ""
        yield f"{head}  {note.detail}{again}".rstrip()


def _beginnings(notes: Sequence[Note]) -> list[int]:
    """For each note the cluster time at which the story began that it belongs to."""
    beginnings: list[int] = []
    seen = 0
    for note in notes:
        beginnings.append(beginnings[-1] if beginnings and note.at - seen <= PAUSE else note.at)
        seen = max(seen, note.at, note.last)
    return beginnings


def _heads(reasons: Reasons) -> list[str]:
    """The columns before the details."""
    notes = reasons.notes
    observers = max((len(note.observer) for note in notes), default=0)
    whats = max((len(note.what) for note in notes), default=0)
    return [
        f"{clock_time(reasons.unix(note.at))} {(note.at - began) / 1e3:>+8.3f}"
        f"  {note.observer:<{observers}}  {note.what:<{whats}}"
        for note, began in zip(notes, _beginnings(notes), strict=True)
    ]


def _advice(reasons: Reasons, seen: Seen) -> Iterator[str]:
    accuser, address = seen.row.accuser, seen.accuser_address
    if accuser in ("", seen.member.name, reasons.teller.name):
        return
    yield ""
    if address is None:
        yield f"{reasons.teller.name} only heard of this from {accuser}, which it no longer knows."
    else:
        yield f"{reasons.teller.name} only heard of this. Ask {accuser}, which was there:"
        option = seen.member.name.startswith("-")  # it would be taken for one
        yield f"  swim why --join {address} {'-- ' if option else ''}{quote(seen.member.name)}"


def unknown(reasons: Reasons, name: str, meant: Sequence[str] = ()) -> str:
    """The error for a name that the asked member doesn't know, and names that may have been meant."""
    teller = reasons.teller
    words = f"{teller.name} knows no member named {name!r}"
    if meant:
        return f"{words}; did you mean {' or '.join(meant)}?"
    return f"{words}; swim members --gone --join {unpack(teller.address)} lists all it knows"
