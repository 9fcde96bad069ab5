"""`swim watch` on a terminal: a picture that is redrawn for each view and each key."""

import os
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self, cast

import anyio
from anyio.abc import TaskGroup
from rich.console import Console
from rich.live import Live

from swim_core.native.wire.answers import ReasonPage
from swim_core.native.wire.queries import What

from ...records import Record
from ..asking import NoAnswer, Target, ask
from ..following import Follower
from ..reading import Reasons, View, read_reasons
from ..survey import EACH
from ..why import tell_reasons, unknown
from .keyboard import Keyboard
from .model import Action, Model
from .picture import picture

__all__ = ["LiveScreen"]


class LiveScreen:
    """Takes the whole terminal where there are keys, and otherwise as much as it needs; use as a context manager.

    Args:
        follower: knows which member to ask why.
        gone: whether members that are gone stay in view, however long that is.
    """

    def __init__(self, follower: Follower, *, gone: bool = False) -> None:
        self._follower = follower
        self._model = Model(gone=gone)
        self._keyboard = Keyboard()
        self._console = Console(highlight=False)
        self._live = self._new_live()

    def __enter__(self) -> Self:
        self._keyboard.begin()
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._live.stop()
        finally:
            self._keyboard.end()

    def _new_live(self) -> Live:
        """Where there are keys, use a screen of its own, which leaves the terminal as it was."""
        whole = self._keyboard.there
        return Live(console=self._console, auto_refresh=False, screen=whole, vertical_overflow="crop")

    async def show(self, view: View | None, events: Sequence[Record], trouble: str = "") -> None:
        """Draw the current view. While nobody answers, ``view`` is None and ``trouble`` says why."""
        self._model.take(view, events, trouble)
        self._draw()

    def _draw(self) -> None:
        if self._model.view is not None:
            self._live.update(picture(self._model, self._console.size, keys=self._keyboard.there), refresh=True)

    async def serve_keys(self, quit: Callable[[], object]) -> None:
        """Do what keys say, until there are none; call ``quit`` for the one that ends the watch."""
        if not self._keyboard.there:
            return
        async with anyio.create_task_group() as tasks:
            while keys := await self._keyboard.read():
                for key in keys:
                    self._do(self._model.press(key), tasks, quit)
                self._draw()

    def _do(self, action: Action | None, tasks: TaskGroup, quit: Callable[[], object]) -> None:
        match action:
            case Action.QUIT:
                quit()
            case Action.SUSPEND:
                self._suspend()
            case Action.WHY:
                tasks.start_soon(self._tell_why, self._model.chosen)

    def _suspend(self) -> None:
        self._live.stop()
        self._keyboard.suspend()
        self._live = self._new_live()
        self._live.start()

    async def _tell_why(self, name: str) -> None:
        """Show the whole story of a member, from whoever judged it if that one answers."""
        self._model.show_text([f"asking why {name} is seen as it is .."])
        self._draw()
        try:
            reasons = await _reasons(self._follower.target, name)
        except NoAnswer as error:
            self._model.show_text([str(error)])
        else:
            width = self._console.size.width
            told = unknown(reasons, name) if reasons.seen is None else tell_reasons(reasons, width)
            self._model.show_text(told.split("\n"))
        self._draw()


async def _reasons(target: Target, name: str) -> Reasons:
    async def told(target: Target, patience: float | None = None) -> Reasons:
        pages = await ask(target, What.REASON, os.fsencode(name), patience=patience)
        return read_reasons(cast("Sequence[ReasonPage]", pages))

    reasons = await told(target)
    accuser = None if reasons.seen is None else reasons.seen.accuser_address
    if accuser is None or reasons.seen is None or reasons.seen.row.accuser in (reasons.teller.name, name):
        return reasons
    try:
        return await told(Target((accuser,), target.zone, target.cluster, target.keys), EACH)
    except NoAnswer:
        return reasons
