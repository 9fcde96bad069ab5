"""Follows what members see: asks one for its view repeatedly, and asks another one once that one is silent."""

import time
from collections.abc import Iterator, Sequence
from math import inf
from typing import Protocol

import anyio

from swim_core import Address
from swim_core.address import unpack
from swim_core.native.wire.queries import What

from ..records import Record
from .asking import AT_A_TIME, NoAnswer, Target, ask, ask_each
from .changes import changes
from .reading import View, read_view
from .survey import EACH, NEEDED

__all__ = ["Follower", "Shower"]

PACE = 0.5  # seconds between two views, at least
SHARE = 10  # times as long as the answer took, at least: a large view must not keep the member busy


class Shower(Protocol):
    """Shows views and events."""

    async def show(self, view: View | None, events: Sequence[Record], trouble: str = "") -> None:
        """Show a view. While nobody answers, ``view`` is None and ``trouble`` says why."""


class Follower:
    """Knows which member to ask.

    Attributes:
        target: the member that is asked at the moment.
        view: the latest.
    """

    def __init__(self, target: Target, view: View) -> None:
        self.target = target
        self.view = view
        self._silent = False

    async def follow(self, shower: Shower) -> None:
        """Ask and show until cancelled. If nobody answers, say so once and keep asking."""
        await shower.show(self.view, [])
        took = 0.0
        while True:
            await anyio.sleep(max(PACE, SHARE * took))
            asked = time.monotonic()
            try:
                latest = read_view(await ask(self.target, What.EVERYONE))
            except NoAnswer as error:
                found = await self._without_answer(shower, str(error))
                if found is None:
                    continue
                latest = found
            took = time.monotonic() - asked
            events = [*self._answered(latest), *changes(self.view, latest)]
            self.view = latest
            await shower.show(latest, events)

    async def _without_answer(self, shower: Shower, trouble: str) -> View | None:
        """Say so, the first time, and look for another member to ask; returns its view."""
        first, self._silent = not self._silent, True
        await shower.show(None, [_said("unanswered", f"{self.view.teller.name} does not answer")] * first, trouble)
        found = await self._ask_another()
        if found is None and first and self._others():
            await shower.show(None, [_said("unanswered", f"nor does any other member. {NEEDED}")], trouble)
        return found

    def _answered(self, latest: View) -> list[Record]:
        if not self._silent:
            return []
        self._silent = False
        name, before = latest.teller.name, self.view.teller.name
        words = f"{name} answers again" if name == before else f"{name} is asked in place of {before}"
        return [_said("answered", words)]

    async def _ask_another(self) -> View | None:
        """The view of the nearest other member that answers, which is asked from now on; None if none does."""
        for some in _batches(self._others()):
            answers = await ask_each(self.target, some, What.KEYS, patience=EACH)
            for name, address in some.items():
                if answers[name] is None:
                    continue
                there = Target((address,), self.target.zone, self.target.cluster, self.target.keys)
                try:
                    view = read_view(await ask(there, What.EVERYONE))
                except NoAnswer:
                    continue
                self.target = there
                return view
        return None

    def _others(self) -> list[tuple[str, Address]]:
        """The live members but the one asked, nearest first, by name."""
        asked = unpack(self.view.teller.address)
        found = [seen for seen in self.view.live if seen.member.address != asked]
        found.sort(key=lambda seen: inf if seen.round_trip is None else seen.round_trip)
        return [(seen.member.name, seen.member.address) for seen in found]


def _batches(members: Sequence[tuple[str, Address]]) -> Iterator[dict[str, Address]]:
    """In portions of as many as are asked at once."""
    for start in range(0, len(members), AT_A_TIME):
        yield dict(members[start : start + AT_A_TIME])


def _said(event: str, reason: str) -> Record:
    return {"t": time.time(), "event": event, "reason": reason}
