"""`swim page --ask A --ask B`: the views of members side by side, and their pasts as one."""

from collections.abc import Callable, Sequence
from typing import Any

import anyio
import pytest
from trio.testing import MockClock

from swim_anyio.asgi.source import UnknownName
from swim_anyio.command.tools.asking import NoAnswer, Target
from swim_anyio.command.web import asked_source
from swim_anyio.command.web.asked_source import AskedSource
from swim_core import Address, Rule, State
from swim_core.address import pack
from swim_core.native.wire.answers import (
    Body,
    EventsPage,
    Figure,
    FiguresPage,
    Happened,
    MembersPage,
    Note,
    ReasonPage,
    Row,
    Standing,
    Teller,
)
from swim_core.native.wire.claim import Claim, Verdict
from swim_core.native.wire.queries import EVER, What, unpack_age

T0 = 1_796_000_000_000  # ms of cluster time
A, B, C = (Address(f"10.0.0.{number}", 7946) for number in (1, 2, 3))
NAMES = {A: "a", B: "b", C: "c"}


class Sides:
    """Two members that consider each other dead, and a third that one of them considers dead; ``silent`` don't answer.
    ``takes`` has the seconds until an answer, or until it is clear that there is none."""

    def __init__(self) -> None:
        self.silent: set[Address] = set()
        self.takes: dict[Address, float] = {}
        self.now = T0
        self.asked: list[tuple[What, str, int]] = []
        self.past = {A: [self.died(B, T0 - 3_000)], B: [self.died(A, T0 - 3_000), self.died(C, T0 - 2_900)]}

    def died(self, whom: Address, when: int) -> Happened:
        accuser = "a" if whom is B else "b"
        return Happened(when, "dead", NAMES[whom], pack(whom), 1, 0, Rule.SILENT, accuser, when)

    async def ask(self, target: Target, what: What, argument: bytes = b"") -> Sequence[Body]:
        (at,) = target.addresses
        self.asked.append((what, NAMES[at], unpack_age(argument) if what is What.EVENTS else 0))
        await anyio.sleep(self.takes.get(at, 0.0))
        if at in self.silent:
            raise NoAnswer(f"no answer from {at}")
        teller = Teller(NAMES[at], pack(at), self.now, 1, 1, Standing.FINE)
        rows = [self.row(at, whom) for whom in (A, B)]
        match what:
            case What.EVERYONE:
                return [MembersPage(teller, rows)]
            case What.EVENTS:
                oldest = self.now - unpack_age(argument)
                return [EventsPage(teller, [one for one in self.past[at] if one.at >= oldest])]
            case What.FIGURES:
                return [FiguresPage(teller, [Figure("syncs", 3)])]
            case _:
                known = [row for row in rows if row.claim.name == argument.decode()]
                return [ReasonPage(teller, known[0] if known else None, [Note(T0, "a", "watch began", "", 1, T0)])]

    def row(self, at: Address, whom: Address) -> Row:
        verdict = None if whom is at else Verdict(7, Rule.SILENT, T0 - 3_000)
        state = State.ALIVE if whom is at else State.DEAD
        claim = Claim(NAMES[whom], 1, pack(whom), 0, state, None, verdict)
        return Row(claim, 3_000, 5, 400, 0, "" if verdict is None else NAMES[at])


@pytest.fixture
def sides(monkeypatch: pytest.MonkeyPatch) -> Sides:
    made = Sides()
    monkeypatch.setattr(asked_source, "ask", made.ask)
    return made


def source_of(*addresses: Address) -> AskedSource:
    return AskedSource({str(address): Target((address,), "", "") for address in addresses})


def run(test: Callable[[], Any]) -> None:
    anyio.run(test)


def test_views_stand_side_by_side(sides: Sides) -> None:
    async def main() -> None:
        told = await source_of(A, B).members()
        states = [{row["name"]: row["state"] for row in view["members"]} for view in told["views"]]
        assert states == [{"a": "alive", "b": "dead"}, {"a": "dead", "b": "alive"}]
        why = await source_of(A, B).why("b")
        assert [view["member"]["state"] for view in why["views"]] == ["dead", "alive"]
        assert [view["statistics"] for view in (await source_of(A, B).info())["views"]] == [{"syncs": 3}] * 2

    run(main)


def test_one_view_has_the_form_that_a_node_gives(sides: Sides) -> None:
    async def main() -> None:
        told = await source_of(A).members()
        assert told["asked"]["name"] == "a"
        assert len((await source_of(A).rings())["rings"]) == 4
        with pytest.raises(UnknownName, match="a knows no member named 'x'"):
            await source_of(A).why("x")

    run(main)


def test_who_does_not_answer_is_part_of_the_answer(sides: Sides) -> None:
    sides.silent = {B}

    async def main() -> None:
        first, second = (await source_of(A, B).members())["views"]
        assert first["asked"]["name"] == "a"
        assert second == {"ask": str(B), "error": f"no answer from {B}"}
        with pytest.raises(NoAnswer):
            await source_of(B).members()
        sides.silent = {A, B}
        with pytest.raises(NoAnswer):
            await source_of(A, B).members()

    run(main)


def test_each_side_knows_of_one_death_that_the_other_missed(sides: Sides, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked_source, "PACE", 0.0)
    monkeypatch.setattr(asked_source, "SHARE", 0)

    async def main() -> None:
        source = source_of(A, B)
        events = source.events("")
        first = await anext(events)
        told = {record["member"]: (record["seen_by"], record["missed_by"]) for _, record in first}
        assert told == {"a": (["b"], []), "b": (["a"], []), "c": (["b"], ["a"])}
        sides.now += 61_000
        sides.past[B].append(sides.died(B, T0 + 60_000))  # once the network works again it hears of its own death
        news = await next_news(events)
        assert "dead b 2" in {record["key"] for _, record in news}
        ages = [age for what, _, age in sides.asked if what is What.EVENTS]
        assert ages[:2] == [EVER, EVER]
        assert max(ages[2:]) < 60_000
        assert await anext(source.events(news[-1][0])) == []
        assert await anext(source.events("another-7")) == first + news

    run(main)


async def next_news(events: Any) -> Any:
    with anyio.fail_after(20):
        while not (told := await anext(events)):
            pass
    return told


def test_however_many_look_on_members_are_asked_once(sides: Sides) -> None:
    async def main() -> None:
        source = source_of(A, B)
        async with anyio.create_task_group() as tasks:
            for _ in range(10):
                tasks.start_soon(source.members)
        assert len(sides.asked) == 2

    run(main)


@pytest.mark.parametrize(("who", "again"), [("silent", 1.0), ("slow", 20.0)])
def test_one_that_answers_late_is_spared_and_one_that_is_silent_holds_nobody_up(
    who: str, again: float, sides: Sides
) -> None:
    sides.takes = {B: 2.0}
    sides.silent = {B} if who == "silent" else set()

    async def main() -> None:
        source = source_of(A, B)
        await source.members()
        await anyio.sleep(0.9 * again)  # not to the last moment: older clocks of trio's are late by some milliseconds
        await source.members()
        assert len(sides.asked) == 2
        await anyio.sleep(0.2 * again)
        await source.members()
        assert len(sides.asked) == 4

    anyio.run(main, backend="trio", backend_options={"clock": MockClock(autojump_threshold=0)})
