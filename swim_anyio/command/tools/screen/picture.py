"""Draws what `swim watch` shows, in rich's terms."""

import time
from collections.abc import Iterable

from rich.console import ConsoleDimensions, Group, RenderableType
from rich.text import Text

from ...records import Record
from ...text import pieces, printable
from ..drawing import members_table
from ..reading import View
from .model import Model, Page

__all__ = ["picture"]

AROUND = 7  # lines that show neither a member nor an event: two above the table, its head of two, and three below
FEWEST_EVENTS = 5  # lines that a long table leaves for events
KEYS = "q quit  ? help  / filter  s sort  Enter why"


def picture(model: Model, size: ConsoleDimensions, *, keys: bool) -> RenderableType:
    """The whole picture, for a terminal of that size. ``keys`` says whether to mention any."""
    assert model.view is not None
    if model.page is Page.TEXT:
        return Group(*_text(model, size.height))
    return Group(*_members(model, model.view, size.height, keys=keys))


def _text(model: Model, height: int) -> Iterable[RenderableType]:
    model.room = max(height - 2, 1)
    top = model.top
    shown = model.text[top : top + model.room]
    for line in shown:
        yield _line(line)
    for _ in range(model.room - len(shown)):
        yield Text("")
    rest = len(model.text) - top - len(shown)
    yield _line(f"Escape back{f'  down: {rest} more' if rest else ''}", "dim")


def _members(model: Model, view: View, height: int, *, keys: bool) -> Iterable[RenderableType]:
    height = max(height - AROUND, 2)
    model.room = max(1, height - min(max(len(model.events), 1), FEWEST_EVENTS))
    rows, top = model.rows(), model.top
    shown = rows[top : top + model.room]
    clock = time.strftime("%H:%M:%S", time.localtime(view.t))
    yield _line(f"{clock}  {view.teller.name} sees {view.teller.live} live, {view.teller.gone} gone", "bold")
    yield _line(model.trouble, "bold yellow")
    yield members_table(shown, wrap=False, marked=model.chosen if keys else None)
    yield _line(_where(top, len(shown), len(rows)), "dim")
    for record in list(model.events)[-max(height - len(shown), 0) :] if height > len(shown) else ():
        yield _event_line(record)
    if keys:
        yield _line(_prompt(model), "" if model.typed is not None else "dim")


def _where(top: int, shown: int, count: int) -> str:
    if shown == count:
        return ""
    return f"{top + 1} to {top + shown} of {count}"


def _prompt(model: Model) -> str:
    if model.typed is not None:
        return f"/{model.typed}_  (Enter keeps, Escape shows all)"
    narrowed = f"  only: {model.filter}" if model.filter else ""
    return f"{KEYS}  by {model.order}{narrowed}"


def _line(text: str, style: str = "") -> Text:
    return Text(printable(text), style=style, no_wrap=True, overflow="ellipsis")


def _event_line(record: Record) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    for text, style in pieces(record):
        line.append(" ".join(text.split("\n")), style)
    return line
