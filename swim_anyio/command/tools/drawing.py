"""Tables of members on a terminal. This is the only part of the tools that imports rich."""

import time
from collections import deque
from collections.abc import Iterable, Sequence
from types import TracebackType
from typing import Literal, Self

from rich import box
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from swim_core import State

from ..records import Record
from ..text import STYLES, pieces, printable
from .reading import HEADER, Seen, View, standing_words
from .writing import write

__all__ = ["LiveView", "members_table", "print_view"]

RECENT = 60.0  # seconds for which a member that is gone stays in the live view
EVENTS = 200  # kept for a tall terminal
FEWEST_EVENTS = 5  # lines that a long table leaves for events
AROUND = 6  # lines of the live view that show neither a member nor an event
RIGID = {"STATE": 7, "AGE": 5, "ROUND TRIP": 10}  # columns that are never cut, and their least widths
WIDEST = {"NAME": 18, "ADDRESS": 21}  # in the live view, whose rows are lines; metadata takes what is left
NUMBERS = ("AGE", "ROUND TRIP")
ORDER = {State.SUSPECT: 0, State.DEAD: 1, State.LEFT: 2, State.ALIVE: 3}


def members_table(members: Iterable[Seen], *, wrap: bool) -> Table:
    """A table that fits the terminal: what is too long is wrapped, or cut off."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    overflow: Literal["fold", "ellipsis"] = "fold" if wrap else "ellipsis"
    for title in HEADER:
        table.add_column(
            title.lower(),
            justify="right" if title in NUMBERS else "left",
            no_wrap=title in RIGID or (title in WIDEST and not wrap),  # the others make room where it is short
            overflow=overflow,
            min_width=RIGID.get(title),
            max_width=None if wrap else WIDEST.get(title),
        )
    for seen in members:
        cells = [Text(printable(cell), overflow=overflow, no_wrap=not wrap) for cell in seen.cells()]
        cells[HEADER.index("STATE")].stylize(STYLES.get(seen.member.state.name.lower(), ""))
        table.add_row(*cells)
    return table


def print_view(view: View, footer: Sequence[str]) -> None:
    """Draw a view on standard output, a terminal."""
    console = Console(highlight=False)
    with console.capture() as capture:
        console.print(members_table(view.members.values(), wrap=True))
        for line in footer:
            console.print(Text(printable(line)))
    write(capture.get())


class LiveView:
    """A table of members, redrawn in place, and the latest events below; use as a context manager."""

    def __init__(self) -> None:
        self._console = Console(highlight=False)
        self._live = Live(console=self._console, auto_refresh=False, vertical_overflow="crop")
        self._events: deque[Record] = deque(maxlen=EVENTS)
        self._view: View | None = None
        self._trouble = ""

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.stop()

    async def show(self, view: View | None, events: Sequence[Record], trouble: str = "") -> None:
        """Draw the current view. While the member doesn't answer, ``view`` is None and ``trouble`` says why."""
        self._view = view or self._view
        self._trouble = trouble or (standing_words(view.teller) if view is not None else "")
        self._events += events
        if self._view is not None:
            self._live.update(Group(*self._parts(self._view)), refresh=True)

    def _parts(self, view: View) -> list[RenderableType]:
        height = max(self._console.height - AROUND, 2)
        shown = sorted(filter(_is_recent, view.members.values()), key=lambda s: (ORDER[s.member.state], s.member.name))
        members = max(1, height - min(max(len(self._events), 1), FEWEST_EVENTS))
        cut = len(shown) - members
        clock = time.strftime("%H:%M:%S", time.localtime(view.t))
        head = f"{clock}  {view.teller.name} sees {view.teller.live} live, {view.teller.gone} gone"
        parts: list[RenderableType] = [Text(printable(head), style="bold", no_wrap=True, overflow="ellipsis")]
        parts.append(Text(printable(self._trouble), style="bold yellow", no_wrap=True, overflow="ellipsis"))
        parts.append(members_table(shown[:members], wrap=False))
        parts.append(Text(f"and {cut} more" if cut > 0 else "", style="dim"))
        room = height - min(len(shown), members)
        parts += [_event_line(record) for record in list(self._events)[-room:]] if room else []
        return parts


def _is_recent(seen: Seen) -> bool:
    return seen.member.state.live or seen.age < RECENT


def _event_line(record: Record) -> Text:
    line = Text(no_wrap=True, overflow="ellipsis")
    for text, style in pieces(record):
        line.append(" ".join(text.split("\n")), style)
    return line
