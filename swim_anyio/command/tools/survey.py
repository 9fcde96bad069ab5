"""The views of all members, side by side: what one alone can't tell."""

from collections.abc import Sequence
from typing import Any

import msgspec

from swim_core.native.wire.queries import What

from ..records import Record
from .asking import Target, ask, ask_each
from .reading import View, asked_record, natural, read_view

__all__ = ["NEEDED", "Survey", "names_of", "silence_words", "survey", "survey_record"]

EACH = 1.0  # seconds for each further member: those that don't answer tools of other hosts are many, or none
FEW = 3  # names that a line spells out
NEEDED = "On other hosts tools need a key (--key-file), or members that --answer-tools anyone."


class Survey(msgspec.Struct, frozen=True):
    """Views by the name of the live member that has them, None where it didn't answer; ``first`` is the one asked."""

    first: View
    views: dict[str, View | None]

    @property
    def silent(self) -> list[str]:
        """The members that didn't answer."""
        return [name for name, view in self.views.items() if view is None]


async def survey(target: Target) -> Survey:
    """Ask one member for its view, and then each member in it for its own.

    Raises:
        NoAnswer: if the first one doesn't answer.
    """
    first = read_view(await ask(target, What.EVERYONE))
    asked = first.teller.name
    others = {seen.member.name: seen.member.address for seen in first.live if seen.member.name != asked}
    answers = await ask_each(target, others, What.EVERYONE, patience=EACH)
    views = {asked: first, **{name: None if pages is None else read_view(pages) for name, pages in answers.items()}}
    return Survey(first, {name: views[name] for name in sorted(views, key=natural)})


def survey_record(event: str, found: Survey, members: Sequence[Record]) -> Record:
    """For programs: ``members``, and the names of those that were ``silent``."""
    record: dict[str, Any] = {"t": found.first.t, "event": event, "asked": asked_record(found.first.teller)}
    return record | {"members": list(members), "silent": found.silent}


def silence_words(silent: Sequence[str]) -> str:
    """A line about those that didn't answer."""
    return f"No answer from {names_of(silent)}. {NEEDED}"


def names_of(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    return ", ".join(names[:FEW]) + (f" and {len(names) - FEW} more" if len(names) > FEW else "")
