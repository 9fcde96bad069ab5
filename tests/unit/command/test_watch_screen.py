"""`swim watch` without a real terminal: what keys do, and that the picture fits."""

from collections.abc import Iterable
from io import StringIO
from typing import Any

import pytest
from msgspec.structs import replace
from rich.console import Console

from support.hand import Hand, Peer, peers
from support.tool_client import told
from swim_anyio.command.tools.reading import View, read_view
from swim_anyio.command.tools.screen.keyboard import keys_in
from swim_anyio.command.tools.screen.model import HELP, Action, Model, Page
from swim_anyio.command.tools.screen.picture import picture
from swim_core import Address, State
from swim_core.native.wire.claim import pack_metadata
from swim_core.native.wire.queries import What

WEB = Peer("web-1", Address("10.0.0.11", 7946), metadata=pack_metadata({"role": "web"}, 512))
(A,) = peers(1)


def view(count: int = 0, dead: Iterable[str] = ()) -> View:
    """What "me" sees: p1, web-1, and as many nodes as asked for, some of them dead."""
    nodes = [Peer(f"node-{number}", Address("10.0.1.1", number)) for number in range(1, count + 1)]
    hand = Hand(knows=[A, WEB, *nodes])
    for peer in (WEB, *nodes):
        if peer.name in dead:
            hand.feed(A, claims=[peer.claim(State.DEAD, time=hand.cluster_time)])
    return read_view(told(hand, What.EVERYONE))


def model(of: View, **options: Any) -> Model:
    made = Model(**options)
    made.take(of, [], "")
    return made


def names(made: Model) -> list[str]:
    return [seen.member.name for seen in made.rows()]


def press(made: Model, *keys: str) -> Action | None:
    outcome = None
    for key in keys:
        outcome = made.press(key)
    return outcome


def drawn(made: Model, *, width: int = 80, height: int = 24, keys: bool = True) -> list[str]:
    """The lines of the picture, without styles."""
    console = Console(file=StringIO(), width=width, height=height, force_terminal=False)
    with console.capture() as capture:
        console.print(picture(made, console.size, keys=keys))
    return [line.rstrip() for line in capture.get().rstrip("\n").split("\n")]


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        ("q?/s", ["q", "?", "/", "s"]),
        ("\x1b[A\x1bOB\x1b[5~\x1b[6~\x1b[H\x1b[4~", ["up", "down", "page up", "page down", "home", "end"]),
        ("\x1b", ["escape"]),
        ("\r\n\x7f\x1a", ["enter", "enter", "backspace", "suspend"]),
        ("\x1b[Z\x1b[200~\x1b[1;5C\x07\t", []),
        ("ü\u202e", ["ü"]),
    ],
)
def test_what_terminals_send_for_keys(sent: str, keys: list[str]) -> None:
    assert list(keys_in(sent)) == keys


def test_trouble_comes_first_and_names_as_people_count() -> None:
    made = model(view(12, dead=["node-11"]))
    assert names(made)[:4] == ["node-11", "me", "node-1", "node-2"]
    assert names(made)[-3:] == ["node-12", "p1", "web-1"]


def test_whom_nobody_chose_is_the_first_and_whom_somebody_chose_stays() -> None:
    made = model(view(5))
    assert press(made, "down", "down") is None
    assert names(made)[2] == made.chosen == "node-2"
    made.take(view(5, dead=["node-4"]), [], "")
    assert names(made)[0] == "node-4"
    assert made.chosen == "node-2"
    press(made, "home")
    made.take(view(5, dead=["node-3"]), [], "")
    made.rows()
    assert made.chosen == "node-3"


def test_whoever_vanishes_is_no_longer_chosen() -> None:
    made = model(view(3))
    press(made, "end")
    assert made.chosen == "web-1"
    fewer = view(3)
    del fewer.members["web-1"]
    made.take(fewer, [], "")
    assert names(made) == ["me", "node-1", "node-2", "node-3", "p1"]
    assert made.chosen in names(made)
    made.take(replace(view(), members={}), [], "")
    assert (names(made), made.chosen) == ([], "")
    assert press(made, "down", "enter") is None


def test_a_filter_counts_while_it_is_typed() -> None:
    made = model(view(12, dead=["web-1"]))
    press(made, "/", *"node-1")
    assert names(made) == ["node-1", "node-10", "node-11", "node-12"]
    press(made, "backspace", "backspace", "?", "escape")
    assert len(names(made)) == 15
    press(made, "/", *"role=w", "enter")
    assert names(made) == ["web-1"]
    press(made, "/", *["backspace"] * 6, *"dead", "enter")
    assert names(made) == ["web-1"]
    press(made, "escape", "/", *"*-1?", "enter")
    assert names(made) == ["node-10", "node-11", "node-12"]
    assert press(made, "q") is Action.QUIT


def test_the_dead_stay_in_view_for_a_minute_or_while_one_asks_for_them() -> None:
    old = view(2, dead=["node-1"])
    gone = old.members["node-1"]
    old.members["node-1"] = replace(gone, row=replace(gone.row, age=61_000))
    made = model(old)
    assert "node-1" not in names(made)
    press(made, "/", *"dead")
    assert names(made) == ["node-1"]
    assert names(model(old, gone=True))[0] == "node-1"


def test_members_are_sorted_by_what_one_likes() -> None:
    of = view(3)
    for number, name in enumerate(("node-2", "node-3", "p1")):
        seen = of.members[name]
        of.members[name] = replace(seen, row=replace(seen.row, age=number, round_trip=1_000 * number))
    made = model(of)
    orders = {}
    for _ in range(4):
        orders[made.order] = names(made)
        press(made, "s")
    assert made.order == "state"
    assert orders["age"][:3] == ["node-2", "node-3", "p1"]
    assert orders["round trip"][:3] == ["p1", "node-3", "node-2"]
    assert orders["name"] == orders["state"] == ["me", "node-1", "node-2", "node-3", "p1", "web-1"]


def test_help_and_stories_are_read_and_left() -> None:
    made = model(view(50))
    press(made, *["down"] * 30)
    drawn(made)
    chosen, top = made.chosen, made.top
    assert top > 0
    assert press(made, "?") is None
    assert "\n".join(drawn(made)).startswith(HELP[:30])
    assert press(made, "q") is None
    assert made.page is Page.MEMBERS
    assert press(made, "enter") is Action.WHY
    made.show_text([f"line {number}" for number in range(100)])
    assert drawn(made)[:2] == ["line 0", "line 1"]
    press(made, "page down", "down")
    assert drawn(made)[0] == f"line {made.room + 1}"
    press(made, "end", "down")
    assert drawn(made)[-2] == "line 99"
    press(made, "escape")
    drawn(made)
    assert (made.chosen, made.top) == (chosen, top)


@pytest.mark.parametrize(("width", "height"), [(80, 24), (80, 8), (40, 12), (200, 60), (20, 3)])
@pytest.mark.parametrize("page", ["members", "?", "/x"])
def test_the_picture_fits_the_terminal(width: int, height: int, page: str) -> None:
    made = model(view(200, dead=["node-7", "web-1"]))
    made.take(None, [{"t": 0.0, "event": "unanswered", "reason": "me does not answer " * 9}] * 30, "no answer " * 20)
    press(made, *(page if page != "members" else []))
    for _ in range(3):
        lines = drawn(made, width=width, height=height)
        assert all(len(line) <= width for line in lines)
        assert len(lines) <= max(height, 9)
        press(made, "page down")


def test_a_long_list_is_scrolled_to_the_end() -> None:
    made = model(view(200))
    assert any(line.startswith("1 to ") and line.endswith(" of 203") for line in drawn(made))
    press(made, "end")
    lines = drawn(made)
    assert any(line.endswith("to 203 of 203") for line in lines)
    assert any(line.startswith("web-1") for line in lines)
    for _ in range(30):
        press(made, "up")
    assert any(line.startswith(f"{made.chosen} ") for line in drawn(made))


def test_the_metadata_of_the_dead_is_there_and_without_keys_none_is_told_of() -> None:
    made = model(view(2, dead=["web-1"]))
    row = next(line for line in drawn(made) if line.startswith("web-1"))
    assert "dead" in row
    assert "role=web" in row
    assert any("q quit" in line for line in drawn(made))
    assert not any("q quit" in line for line in drawn(made, keys=False))
