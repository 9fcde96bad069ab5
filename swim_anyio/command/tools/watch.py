"""`swim watch`: asks for a member's view again and again, and shows what changed in between."""

import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Protocol

import anyio

from swim_core import Event, Evidence, MemberForgotten
from swim_core.native.claims.transitions import transition
from swim_core.native.wire.answers import Standing
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.queries import What

from ..output import Output
from ..records import Record, from_event, to_json
from ..signals import watch_signals
from ..text import plain
from .asking import NoAnswer, Target, ask, read_target
from .choosing import Choice
from .reading import Seen, View, asked_record, read_view
from .writing import for_people

__all__ = ["changes", "run_watch"]

PACE = 0.5  # seconds between two views, at least
SHARE = 10  # the pause is at least so many times as long as the answer took: a large view must not keep the member busy
SIGNALLED = 128  # and the number of the signal: the status that shells give


class _Shower(Protocol):
    """Shows views and events."""

    async def show(self, view: View | None, events: Sequence[Record], trouble: str = "") -> None:
        """Show a view. While the member doesn't answer, ``view`` is None and ``trouble`` says why."""


class _Chosen:
    """Shows what is chosen of views and events."""

    def __init__(self, choice: Choice, shower: _Shower) -> None:
        self._choice = choice
        self._shower = shower
        self._fitted: set[str] = set()

    async def show(self, view: View | None, events: Sequence[Record], trouble: str = "") -> None:
        """An event is shown if its member fits after it, or did before."""
        chosen = None if view is None else self._choice.of(view)
        fit = self._fitted if chosen is None else chosen.members.keys()
        wanted = [event for event in events if "member" not in event or event["member"] in self._fitted | set(fit)]
        self._fitted = set(fit)
        await self._shower.show(chosen, wanted, trouble)


class _Ending:
    """How the watch ends. Only the first reason counts."""

    def __init__(self, scope: anyio.CancelScope) -> None:
        self._scope = scope
        self.status = 0
        self.failure: OSError | None = None

    def say(self, *, status: int = 1, failure: OSError | None = None) -> None:
        if not self.status:
            self.status, self.failure = status, failure
            self._scope.cancel()


def run_watch(join: str | None, cluster: str | None, choice: Choice, *, json: bool) -> int:
    """Show what is chosen of a member's view and its events until a signal comes.

    Returns:
        The exit status, 128 plus the signal's number.

    Raises:
        ConfigError: if an option or a variable is invalid.
        NoAnswer: if nobody answers the first time; later the watch reports it and continues.
        OSError: if standard output can't take it.
    """
    target = read_target(join, cluster)
    return anyio.run(partial(_run, target, choice, json=json), backend="asyncio")


async def _run(target: Target, choice: Choice, *, json: bool) -> int:
    view = read_view(await ask(target, What.EVERYONE))  # before anything is drawn
    async with anyio.create_task_group() as tasks:
        ending = _Ending(tasks.cancel_scope)
        await tasks.start(watch_signals, lambda number: ending.say(status=SIGNALLED + number))
        try:
            if not json and for_people():
                from .drawing import LiveView

                with LiveView() as live:
                    await _follow(target, view, _Chosen(choice, live))
            else:
                lines = _Lines(json)
                tasks.start_soon(_watch_output, lines.output, ending)
                await _follow(target, view, _Chosen(choice, lines))
        except OSError as error:  # here, or it would come out of the group as another type
            ending.say(failure=error)
    if ending.failure is not None:
        raise ending.failure
    return ending.status


async def _follow(target: Target, view: View, shower: _Shower) -> None:
    """Ask and show until cancelled. If the member stops answering, say so once and keep asking."""
    await shower.show(view, [])
    silent, took = False, 0.0
    while True:
        await anyio.sleep(max(PACE, SHARE * took))
        asked, name = time.monotonic(), view.teller.name
        try:
            latest = read_view(await ask(target, What.EVERYONE))
        except NoAnswer as error:
            await shower.show(None, [] if silent else [_said("unanswered", f"{name} does not answer")], str(error))
            silent = True
            continue
        took = time.monotonic() - asked
        events = [_said("answered", f"{latest.teller.name} answers again")] if silent else []
        events += changes(view, latest)
        silent, view = False, latest
        await shower.show(view, events)


def changes(before: View, after: View) -> list[Record]:
    """What happened between two views, in the form of the agent's reports, sorted by name and then in order."""
    events = [*_standing(before, after)]
    for name in sorted(before.members.keys() | after.members.keys()):
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


def _said(event: str, reason: str) -> Record:
    return {"t": time.time(), "event": event, "reason": reason}


class _Lines:
    """First the members, then a line for each event."""

    def __init__(self, json: bool) -> None:
        self.output = Output(sys.stdout.fileno(), to_json if json else plain)
        self._begun = False

    async def show(self, view: View | None, events: Sequence[Record], trouble: str = "") -> None:
        if not self._begun and view is not None:
            self._begun = True
            members = [seen.record() for seen in view.members.values() if seen.member.state.live]
            await self.output.write(
                {"t": view.t, "event": "members", "asked": asked_record(view.teller), "members": members}
            )
        for record in events:
            await self.output.write(record)


async def _watch_output(output: Output, ending: _Ending) -> None:
    await output.wait_closed()
    ending.say(failure=output.failure or OSError("standard output was closed by its reader"))
