"""Tables of members on a terminal. Of the tools only this and `screen` import rich."""

from collections.abc import Iterable, Sequence
from typing import Literal

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ..text import STYLES, printable
from .reading import HEADER, Seen, View
from .writing import write

__all__ = ["members_table", "print_view"]

RIGID = {"STATE": 7, "AGE": 5, "ROUND TRIP": 10}  # columns that are never cut, and their least widths
WIDEST = {"NAME": 18, "ADDRESS": 21}  # in the live view, where a row is one line; metadata gets what is left
NUMBERS = ("AGE", "ROUND TRIP")


def members_table(members: Iterable[Seen], *, wrap: bool, marked: str | None = None) -> Table:
    """A table that fits the terminal: what is too long is wrapped, or cut off. One row may be marked, by its name."""
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
        table.add_row(*cells, style="reverse" if seen.member.name == marked else "")
    return table


def print_view(view: View, footer: Sequence[str]) -> None:
    """Draw a view on standard output, a terminal."""
    console = Console(highlight=False)
    with console.capture() as capture:
        console.print(members_table(view.members.values(), wrap=True))
        for line in footer:
            console.print(Text(printable(line)))
    write(capture.get())
