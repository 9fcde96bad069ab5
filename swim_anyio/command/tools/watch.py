"""`swim watch`: shows what a member sees, and what happens meanwhile, on a terminal or line by line."""

import sys
from collections.abc import Sequence
from functools import partial

import anyio

from swim_core.native.wire.queries import What

from ..output import Output
from ..records import Record, to_json
from ..signals import watch_signals
from ..text import plain
from .asking import Target, ask, read_target
from .choosing import Choice
from .following import Follower, Shower
from .reading import View, asked_record, read_view
from .writing import for_people

__all__ = ["Chosen", "run_watch"]

SIGNALLED = 128  # and the number of the signal: the status that shells give


class Chosen:
    """Shows what is chosen of views and events."""

    def __init__(self, choice: Choice, shower: Shower) -> None:
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
        self._said = False
        self.status = 0
        self.failure: OSError | None = None

    def say(self, *, status: int = 0, failure: OSError | None = None) -> None:
        if not self._said:
            self._said, self.status, self.failure = True, status, failure
            self._scope.cancel()


def run_watch(join: str | None, cluster: str | None, choice: Choice, *, json: bool) -> int:
    """Show what is chosen of a member's view and its events until a signal comes, or the key that ends it.

    Returns:
        The exit status: 0, or 128 plus the signal's number.

    Raises:
        ConfigError: if an option or a variable is invalid.
        NoAnswer: if nobody answers the first time; later the watch asks other members, reports it and continues.
        OSError: if standard output can't take it.
    """
    target = read_target(join, cluster)
    return anyio.run(partial(_run, target, choice, json=json), backend="asyncio")


async def _run(target: Target, choice: Choice, *, json: bool) -> int:
    follower = Follower(target, read_view(await ask(target, What.EVERYONE)))  # before anything is drawn
    async with anyio.create_task_group() as tasks:
        ending = _Ending(tasks.cancel_scope)
        await tasks.start(watch_signals, lambda number: ending.say(status=SIGNALLED + number))
        try:
            if not json and for_people():
                from .screen.live import LiveScreen

                with LiveScreen(follower, gone=choice.gone) as live:
                    tasks.start_soon(live.serve_keys, ending.say)
                    await follower.follow(Chosen(choice, live))
            else:
                lines = _Lines(json)
                tasks.start_soon(_watch_output, lines.output, ending)
                await follower.follow(Chosen(choice, lines))
        except OSError as error:  # here, or it would come out of the group as another type
            ending.say(failure=error)
    if ending.failure is not None:
        raise ending.failure
    return ending.status


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
