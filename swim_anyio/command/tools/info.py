"""`swim info`: the statistics of one member, for people."""

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import msgspec

from swim_core.address import unpack
from swim_core.native.wire.answers import FiguresPage, Teller
from swim_core.native.wire.queries import What

from ..records import Record, to_json
from ..text import printable
from .asking import ask_once
from .reading import asked_record, standing_words
from .writing import ago, span, write

__all__ = ["Info", "info_record", "read_info", "run_info", "tell_info"]

LABEL = 12  # columns of what a line is about
UNITS = ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB"))


class Info(msgspec.Struct, frozen=True):
    """The statistics of the member that answered, by the names that `Statistics` has, at ``t``."""

    teller: Teller
    figures: Mapping[str, Any]
    t: float


def run_info(join: str | None, cluster: str | None, *, json: bool) -> int:
    """Print the statistics of a running member. Raises what `run_members` raises."""
    info = read_info(cast("Sequence[FiguresPage]", ask_once(join, cluster, What.FIGURES)))
    write(to_json(info_record(info)) if json else tell_info(info))
    return 0


def read_info(pages: Sequence[FiguresPage]) -> Info:
    """The pages of FIGURES as one object."""
    figures = {figure.name: figure.value for page in pages for figure in page.figures}
    return Info(pages[-1].teller, figures, time.time())


def info_record(info: Info) -> Record:
    """For programs: all ``statistics`` that the member gives."""
    asked = asked_record(info.teller)
    return {"t": info.t, "event": "info", "asked": asked, "statistics": dict(info.figures)}


def tell_info(info: Info) -> str:
    """For people: a line for each thing that matters, and no line for what did not happen."""
    head = f"{info.teller.name} at {unpack(info.teller.address)}"
    lines = [head, *(f"{label:<{LABEL}} {words}" for label, words in _lines(info) if words)]
    if standing := standing_words(info.teller):
        lines.append(f"Note: {standing}.")
    return "\n".join(map(printable, lines))


def _lines(info: Info) -> Iterator[tuple[str, str]]:
    def number(name: str) -> float:
        """A figure that a member of another release may not have."""
        return float(info.figures.get(name) or 0)

    def each(name: str) -> str:
        return _counts(info.figures.get(name) or {})

    median, worst = info.figures.get("rtt_p50"), info.figures.get("rtt_p99")
    paused = f"{number('pauses'):.0f} times, {ago(number('paused_seconds'))} in total" if number("pauses") else ""
    yield "members", each("members")
    yield "deaths", each("deaths")
    yield "verdicts", _of_its_own(each("verdicts"))
    yield "round trips", "" if median is None else f"median {span(median)}, 99 of 100 within {span(worst)}"
    yield "probes", f"{number('probes_failed'):.0f} failed, {number('refutations'):.0f} suspicions refuted"
    yield "pauses", paused
    yield "received", f"{_size(number('bytes_received'))} in {number('datagrams_received'):.0f} datagrams"
    yield "sent", f"{_size(number('bytes_sent'))} in {number('datagrams_sent'):.0f} datagrams"
    yield "unsent", each("datagrams_unsent")
    yield "dropped", each("dropped")
    broadcasts = [f"{number(f'broadcasts_{what}'):.0f} {what}" for what in ("sent", "delivered", "resent", "lost")]
    yield "broadcasts", ", ".join(broadcasts)
    missing = f", {number('tripwires_missing'):.0f} missing" if number("tripwires_missing") else ""
    yield "tripwires", f"{number('tripwires'):.0f} connected{missing}"
    unanswered = f", {number('seeds_unanswered'):.0f} of them unanswered" if number("seeds_unanswered") else ""
    yield "seeds", f"{number('seeds'):.0f}{unanswered}" if number("seeds") else ""
    yield "keys", ", ".join(info.figures.get("key") or {}) or "none: not sealed"


def _counts(counts: Mapping[str, float]) -> str:
    return ", ".join(f"{count:.0f} {what.replace('_', ' ')}" for what, count in counts.items() if count)


def _of_its_own(words: str) -> str:
    return f"{words} (its own)" if words else ""


def _size(size: float) -> str:
    for unit, name in UNITS:
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size:.0f} bytes"
