"""What members that are asked over the network tell the page, side by side."""

import os
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from functools import partial
from typing import Any, cast

import anyio

from swim_anyio.asgi.source import Record, UnknownName
from swim_core.native.settings import Settings
from swim_core.native.wire.answers import Body, EventsPage, FiguresPage, Happened
from swim_core.native.wire.hashing import Hashes
from swim_core.native.wire.queries import EVER, What, pack_age

from ..tools.asking import NoAnswer, Target, ask
from ..tools.events import event_record, merged
from ..tools.info import info_record, read_info
from ..tools.reading import View, asked_record, read_reasons, read_view
from ..tools.why import reasons_record

__all__ = ["AskedSource"]

PACE = 1.0  # seconds between two questions of a kind, at least
SHARE = 10  # and at least this many times as long as the answer took, so that no page keeps a member busy
OVERLAP = 5.0  # seconds of the past that are asked for again, since answers take their time


class AskedSource:
    """Asks members, all at once, and no more often than they can stand however many browsers look on.

    Args:
        targets: whom to ask, by what the user called them. Of several, one that doesn't answer is part of the answer.
    """

    def __init__(self, targets: Mapping[str, Target]) -> None:
        self._targets = targets
        self._views: dict[str, View] = {}
        self._members = _Paced(self._ask_members)
        self._news = _Paced(self._ask_events)
        self._past: dict[str, list[Happened]] = {}
        self._asked_at: dict[str, float] = {}
        self._known: dict[str, Record] = {}
        self._log: list[Record] = []
        self._run = f"{time.time_ns()}-"

    async def members(self) -> Record:
        """What `swim members --gone` prints, of each."""
        members: Record = await self._members.get()
        return members

    async def why(self, name: str) -> Record:
        """What `swim why` prints, of each."""
        found, _ = await self._each(partial(ask, what=What.REASON, argument=os.fsencode(name)))
        answers: dict[str, Record | str] = {}
        for label, pages in found.items():
            if isinstance(pages, str):
                answers[label] = pages
                continue
            reasons = read_reasons(pages)
            unknown = f"{reasons.teller.name} knows no member named {name!r}"
            answers[label] = unknown if reasons.seen is None else reasons_record(reasons)
        if all(isinstance(answer, str) for answer in answers.values()):
            raise UnknownName("; ".join(str(answer) for answer in answers.values()))
        return _side_by_side(answers)

    async def info(self) -> Record:
        """What `swim info` prints, of each."""
        found, _ = await self._each(partial(ask, what=What.FIGURES))
        return _side_by_side(
            {
                label: pages if isinstance(pages, str) else info_record(read_info(cast(Sequence[FiguresPage], pages)))
                for label, pages in found.items()
            }
        )

    async def rings(self) -> Record:
        """The rings as the first member that answers must see them, if it has the usual number of them."""
        await self._members.get()
        label, view = next(iter(self._views.items()))
        hashes = Hashes(self._targets[label].cluster, usual := Settings().rings)
        places = {seen.member.name: hashes.places(seen.member.name, seen.member.epoch) for seen in view.live}
        rings = [sorted(places, key=lambda name, ring=ring: places[name][ring]) for ring in range(usual)]  # type: ignore[misc]
        return {"t": view.t, "event": "rings", "asked": asked_record(view.teller), "rings": rings}

    async def events(self, after: str) -> AsyncIterator[list[tuple[str, Record]]]:
        """As `swim events` merges what they remember. A record whose ``key`` was there before takes its place."""
        told = after.removeprefix(self._run)
        number = min(int(told), len(self._log)) if after.startswith(self._run) and told.isdecimal() else 0
        while True:
            await self._news.get()
            fresh = [(f"{self._run}{at}", record) for at, record in enumerate(self._log[number:], number + 1)]
            number += len(fresh)
            yield fresh
            await anyio.sleep(PACE / 2)

    # ------------------------------------------------------------------ asking

    async def _ask_members(self) -> tuple[Record, float]:
        found, took = await self._each(partial(ask, what=What.EVERYONE))
        self._views = {label: read_view(pages) for label, pages in found.items() if not isinstance(pages, str)}
        if not self._views:
            raise NoAnswer("; ".join(str(reason) for reason in found.values()))
        told = {label: view_record(view) for label, view in self._views.items()}
        return _side_by_side({label: told.get(label, str(pages)) for label, pages in found.items()}), took

    async def _ask_events(self) -> tuple[None, float]:
        await self._members.get()
        now = anyio.current_time()
        found, took = await self._each(self._ask_past)
        for label, pages in found.items():
            if isinstance(pages, str) or label not in self._views:
                continue
            told = cast(Sequence[EventsPage], pages)
            since = told[-1].teller.time - self._age(label)
            older = [one for one in self._past.get(label, []) if one.at < since]
            self._past[label] = older + [one for page in told for one in page.events if one.at >= since]
            self._asked_at[label] = now
        self._note()
        return None, took

    async def _ask_past(self, target: Target) -> Sequence[Body]:
        label = next(label for label, other in self._targets.items() if other is target)
        return await ask(target, What.EVENTS, pack_age(self._age(label)))

    def _age(self, label: str) -> int:
        """How old the events are, in ms, that are asked for."""
        last = self._asked_at.get(label)
        return EVER if last is None else round((anyio.current_time() - last + OVERLAP) * 1e3)

    def _note(self) -> None:
        """Log what is new, or has got other witnesses."""
        views = [self._views[label] for label in self._past if label in self._views]
        if not views:
            return
        members = {name: seen for view in reversed(views) for name, seen in view.members.items()}
        pages = {
            self._views[label].teller.name: [EventsPage(self._views[label].teller, past)]
            for label, past in self._past.items()
            if label in self._views
        }
        numbers: dict[str, int] = {}
        for event in merged(View(views[0].teller, members, views[0].t), cast(Any, pages)).events:
            name = f"{event.what} {event.member}"
            numbers[name] = numbers.get(name, 0) + 1
            record = event_record(event) | {"key": f"{name} {numbers[name]}"}
            known = self._known.get(record["key"])
            if known is None or _unlike(known, record):
                self._known[record["key"]] = record
                self._log.append(record)

    async def _each(self, question: Callable[[Target], Any]) -> tuple[dict[str, Sequence[Body] | str], float]:
        """The answer of each, or why there is none, and how many seconds the slowest answer took."""
        found: dict[str, Sequence[Body] | str] = dict.fromkeys(self._targets, "")
        asked, slowest = anyio.current_time(), 0.0

        async def put(label: str, target: Target) -> None:
            nonlocal slowest
            try:
                found[label] = await question(target)
                slowest = max(slowest, anyio.current_time() - asked)
            except NoAnswer as error:
                found[label] = str(error)

        async with anyio.create_task_group() as tasks:
            for label, target in self._targets.items():
                tasks.start_soon(put, label, target)
        return found, slowest


class _Paced:
    """An answer that several share while it is fresh. The question returns with it how many seconds of a member it
    took: to wait for one that is silent costs nobody anything, and holds up what the others say no longer than that."""

    def __init__(self, question: Callable[[], Any]) -> None:
        self._question = question
        self._lock = anyio.Lock()
        self._due = float("-inf")
        self._answer: Any = None

    async def get(self) -> Any:
        async with self._lock:
            asked = anyio.current_time()
            if asked >= self._due:
                self._answer, took = await self._question()
                self._due = anyio.current_time() + max(PACE, SHARE * took)
        return self._answer


def view_record(view: View) -> Record:
    """A view as `swim members` prints it."""
    members = [seen.record() for seen in view.members.values()]
    return {"t": view.t, "event": "members", "asked": asked_record(view.teller), "members": members}


def _side_by_side(answers: Mapping[str, Record | str]) -> Record:
    """One answer as it is; several as ``views``, those that failed with ``ask`` and ``error``."""
    told = [{"ask": label, "error": one} if isinstance(one, str) else one for label, one in answers.items()]
    if len(told) > 1:
        return {"t": time.time(), "event": "views", "views": told}
    if "error" in told[0]:
        raise NoAnswer(str(told[0]["error"]))
    return told[0]


def _unlike(known: Record, record: Record) -> bool:
    """Whether a record says something else; its time is as exact as clocks agree."""
    return abs(known["t"] - record["t"]) > 1.0 or {**known, "t": 0} != {**record, "t": 0}
