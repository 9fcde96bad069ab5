"""What `swim watch` shows, and what keys change, without the terminal and the network."""

from collections import deque
from collections.abc import Callable, Sequence
from enum import Enum, auto
from math import inf
from typing import Any

from swim_core import State

from ...records import Record
from ..choosing import Choice, read_filter
from ..reading import Seen, View, natural, standing_words

__all__ = ["HELP", "Action", "Model", "Page"]

RECENT = 60.0  # seconds for which a member that is gone stays in view
EVENTS = 200  # kept for a tall terminal
TROUBLE_FIRST = {State.SUSPECT: 0, State.DEAD: 1, State.LEFT: 2, State.ALIVE: 3}
ORDERS: dict[str, Callable[[Seen], Any]] = {
    "state": lambda seen: TROUBLE_FIRST[seen.member.state],
    "name": lambda seen: 0,
    "age": lambda seen: seen.age,
    "round trip": lambda seen: inf if seen.round_trip is None else -seen.round_trip,
}
"""The orders that `s` goes through. Members that are equal come by name."""
HELP = """\
up, down, j, k       choose a member
page up, page down   further, in a long list
home, end, g, G      the first, the last
Enter                why it is seen as it is, as the member says that judged it
/                    show only: part of a name or a pattern (web-*), a state
                     (dead), metadata (role=web), or several of these
Escape               show all again; go back
s                    sort by the next of: state, name, age, round trip
?                    this help
q, Ctrl-C            the end
"""


class Action(Enum):
    """What a key asks of others, not of the model."""

    QUIT = auto()
    WHY = auto()
    """Ask why the chosen member is seen as it is; see `Model.chosen`."""
    SUSPEND = auto()


class Page(Enum):
    """What is shown."""

    MEMBERS = auto()
    TEXT = auto()
    """Help, or a story."""


class Model:
    """The state of the screen.

    Args:
        gone: whether members that are gone stay in view, however long that is.

    Attributes:
        view: the latest; None before the first.
        trouble: what speaks against believing it; "" for nothing.
        events: the latest, in the form of the agent's reports.
        page: what is shown.
        order: by what members are sorted, one of `ORDERS`.
        typed: the filter while it is typed; None while it isn't.
        filter: the filter that counts.
        chosen: the name of the member that is marked; "" for none.
        text: the lines of a `Page.TEXT`.
        top: the first row or line that is shown.
        room: how many rows or lines fit, as the picture says before it asks for them.
    """

    def __init__(self, *, gone: bool = False) -> None:
        self._gone = gone
        self._among = Choice()
        self.view: View | None = None
        self.trouble = ""
        self.events: deque[Record] = deque(maxlen=EVENTS)
        self.page = Page.MEMBERS
        self.order = "state"
        self.typed: str | None = None
        self.filter = ""
        self.chosen: str = ""
        self.text: list[str] = []
        self.top = 0
        self.room = 10
        self._member_top = 0
        self._moved = False

    def take(self, view: View | None, events: Sequence[Record], trouble: str) -> None:
        """Show a view and what happened. While nobody answers, ``view`` is None and ``trouble`` says why."""
        self.view = view or self.view
        self.trouble = trouble or ("" if view is None else standing_words(view.teller))
        self.events += events

    def rows(self) -> list[Seen]:
        """The members that are shown, in their order; the chosen one is among them."""
        view = self.view
        if view is None:
            return []
        gone = self._gone or self._among.gone
        rows = [seen for seen in view.members.values() if seen.member.state.live or gone or seen.age < RECENT]
        rows = sorted(filter(self._among.fits, rows), key=lambda seen: natural(seen.member.name))
        rows.sort(key=ORDERS[self.order])
        self._mark([seen.member.name for seen in rows])
        return rows

    def _mark(self, names: Sequence[str]) -> None:
        """Keep the chosen member in view. Until one is chosen it is the first, since trouble comes first."""
        if not self._moved or self.chosen not in names:
            self.chosen = names[0 if not self._moved else min(self.top, len(names) - 1)] if names else ""
        place = names.index(self.chosen) if names else 0
        self.top = max(0, min(max(self.top, place - self.room + 1), place, len(names) - self.room))

    def show_text(self, lines: Sequence[str]) -> None:
        """Show a text in place of the members."""
        if self.page is Page.MEMBERS:
            self._member_top = self.top
        self.page, self.text, self.top = Page.TEXT, list(lines), 0

    def press(self, key: str) -> Action | None:
        """Do what a key says; returns what is left for others to do."""
        if key == "suspend":
            return Action.SUSPEND
        if self.typed is not None:
            self._type(key)
        elif self.page is Page.TEXT:
            self._read_on(key)
        elif key == "q":
            return Action.QUIT
        elif key == "enter":
            self.rows()
            return Action.WHY if self.chosen else None
        else:
            self._look_around(key)
        return None

    def _look_around(self, key: str) -> None:
        match key:
            case "?":
                self.show_text(HELP.splitlines())
            case "/":
                self.typed = self.filter
            case "escape":
                self._narrow("")
            case "s":
                orders = list(ORDERS)
                self.order = orders[(orders.index(self.order) + 1) % len(orders)]
                self._moved, self.top = False, 0
            case _:
                names = [seen.member.name for seen in self.rows()]
                if names:
                    place = _moved(key, names.index(self.chosen), self.room, len(names))
                    self.chosen, self._moved = names[place], place > 0
                    self._mark(names)

    def _read_on(self, key: str) -> None:
        if key in ("q", "escape", "enter", "?"):
            self.page, self.top = Page.MEMBERS, self._member_top
            return
        last = max(0, len(self.text) - self.room)
        self.top = min(last, _moved(key, self.top, self.room, last + 1))

    def _type(self, key: str) -> None:
        typed = self.typed or ""
        match key:
            case "enter":
                self.typed = None
            case "escape":
                self.typed = None
                self._narrow("")
            case "backspace":
                self._retype(typed[:-1])
            case _ if len(key) == 1:
                self._retype(typed + key)

    def _retype(self, text: str) -> None:
        """Apply at once what is typed."""
        self.typed = text
        self._narrow(text)

    def _narrow(self, text: str) -> None:
        self.filter, self._among = text, read_filter(text)
        self._moved, self.top = False, 0


def _moved(key: str, place: int, page: int, count: int) -> int:
    """The place in a list that a key leads to."""
    steps = {"up": -1, "k": -1, "down": 1, "j": 1, "page up": -page, "page down": page, " ": page}
    ends = {"home": 0, "g": 0, "end": count - 1, "G": count - 1}
    return max(0, min(count - 1, ends.get(key, place + steps.get(key, 0))))
