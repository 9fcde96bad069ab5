"""`swim rtt`: who is near whom, by the latest round trip from each member to each other one."""

from collections.abc import Iterator
from functools import partial
from statistics import median

import anyio

from ..records import Record, to_json
from .asking import read_target
from .reading import natural
from .survey import FEW, Survey, silence_words, survey, survey_record
from .writing import columns, span, write

__all__ = ["rtt_record", "run_rtt", "tell_rtt"]

HEADER = ("NAME", "MEDIAN", "NEAREST", "FARTHEST")


def run_rtt(join: str | None, cluster: str | None, *, json: bool) -> int:
    """Print the nearest and the farthest others of each member. Raises what `run_members` raises."""
    found = anyio.run(partial(survey, read_target(join, cluster)), backend="asyncio")
    write(to_json(rtt_record(found)) if json else tell_rtt(found))
    return 0


def round_trips(found: Survey) -> dict[str, dict[str, float]]:
    """Of each live member the seconds to others, the nearest first. Where one of a pair has measured nothing, since the
    other one pings it, what that one measured counts for both."""
    measured: dict[str, dict[str, float]] = {name: {} for name in found.views}
    for name, view in found.views.items():
        for seen in [] if view is None else view.live:
            if seen.round_trip is not None:
                measured[name][seen.member.name] = seen.round_trip
                measured.setdefault(seen.member.name, {}).setdefault(name, seen.round_trip)
    return {
        name: dict(sorted(measured[name].items(), key=lambda pair: pair[1])) for name in sorted(measured, key=natural)
    }


def rtt_record(found: Survey) -> Record:
    """For programs: of each member ``name`` and ``round_trips``, seconds by name, the nearest first."""
    members: list[Record] = [{"name": name, "round_trips": others} for name, others in round_trips(found).items()]
    return survey_record("rtt", found, members)


def tell_rtt(found: Survey) -> str:
    """For people: a row for each member."""
    lines = [columns(HEADER, _rows(found))]
    return "\n".join([*lines, silence_words(found.silent)] if found.silent else lines)


def _rows(found: Survey) -> Iterator[tuple[str, ...]]:
    for name, others in round_trips(found).items():
        measured = [*others.items()]
        middle = span(median(others.values())) if others else "-"
        near = ", ".join(f"{other} {span(took)}" for other, took in measured[:FEW])
        far = "".join(f"{other} {span(took)}" for other, took in measured[FEW:][-1:])
        yield name, middle, near or "-", far or "-"
