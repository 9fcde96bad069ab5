"""The page in a real browser: an incident among 200 members, seen from one side and from two."""

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import start_blocking_portal

from support.browser import NEEDS_BROWSER, Page, browsing
from support.incident import Incident
from support.paths import ROOT
from support.waiting import wait_until
from swim_anyio.asgi.pages import page_routes
from swim_anyio.asgi.site import site
from swim_anyio.command.experiments.replay import record_run
from swim_anyio.command.web.server import WebServer
from swim_core.simulation.study import Experiment, Setting

selenium = pytest.importorskip("selenium.webdriver")
UNLIKE = 0.01  # of all pixels, at most; 0.2 ms earlier in that run 0.014 and more are

pytestmark = [pytest.mark.slow, pytest.mark.sockets, pytest.mark.processes, NEEDS_BROWSER]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with browsing() as started:
        yield started


Open = Callable[[Incident], Page]


@pytest.fixture
def show(browser: Any) -> Iterator[Open]:
    with start_blocking_portal() as portal:
        served = []

        def start(incident: Incident) -> Page:
            server = WebServer(site(page_routes(lambda _: incident)), "127.0.0.1", 0, "asyncio")
            running = portal.wrap_async_context_manager(server)
            served.append(running)
            return Page(browser, f"http://{running.__enter__().address}/")

        yield start
        browser.get("about:blank")
        for running in served:
            running.__exit__(None, None, None)


def test_what_needs_a_look_comes_first(show: Open) -> None:
    page = show(Incident())
    page.open()
    wait_until(lambda: len(page.texts("#members tr")) == 200)
    assert page.texts("#members th.name button")[:3] == ["cache-9", "db-3", "web-17"]
    assert page.texts(".counts li") == ["197 alive", "2 dead", "1 suspect"]
    assert len(page.texts(".tile")) == 200
    wait_until(lambda: "cache-9" in "".join(page.texts("#timeline li")))
    assert any("200 members" in line for line in page.texts("#timeline summary"))
    assert page.ask("document.title").startswith("2 dead")
    assert page.complaints == []


def test_a_partition_shows_as_two_sides_that_mirror_each_other(show: Open) -> None:
    page = show(Incident(2))
    page.open()
    wait_until(lambda: page.texts(".group"))
    heads = page.texts(".group h3")
    assert any(head.startswith("AaliveBdead") for head in heads)
    assert any(head.startswith("AdeadBalive") for head in heads)
    assert "They differ on 198 members" in page.texts("#notices")[0]
    wait_until(lambda: any("unknown to" in line for line in page.texts("#timeline li")))
    assert page.complaints == []


def test_by_keyboard(show: Open) -> None:
    page = show(Incident())
    page.open()
    wait_until(lambda: len(page.texts("#members tr")) == 200)
    page.press("/")
    page.press("role=db")
    wait_until(lambda: page.texts("#matching") == ["49 of 200 members"])
    page.press(selenium.Keys.ESCAPE)
    wait_until(lambda: len(page.texts("#members tr")) == 200)
    page.press("j", "j", "j")
    assert page.ask("document.activeElement.textContent") == "web-17"
    page.press(selenium.Keys.ENTER)
    wait_until(lambda: page.texts("#why-body .notes li"))
    assert page.texts("#why-title") == ["web-17"]
    assert len(page.texts("#why-body svg.lanes .observer")) == 4
    assert page.ask("location.hash") == "#why/web-17"
    page.press(selenium.Keys.ESCAPE)
    wait_until(lambda: not page.ask("document.querySelector('dialog[open]')"))
    page.press("r")
    wait_until(lambda: page.texts("#rings-body svg.map .node"))
    assert page.complaints == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("fragment", ["", "#why/web-17", "#rings"])
def test_it_fits_a_phone(show: Open, fragment: str, dark: bool) -> None:
    page = show(Incident(2))
    page.open(fragment, width=390, dark=dark)
    wait_until(lambda: page.texts("#members tr"))
    wait_until(lambda: not fragment or page.texts("dialog[open] svg"))
    assert page.ask("document.documentElement.scrollWidth") <= 390
    ground = page.ask("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(14, 20, 26)") is dark


def test_nothing_that_others_say_becomes_markup(show: Open) -> None:
    class Hostile(Incident):
        def _names(self) -> list[str]:
            return [*super()._names(), "<img src=x onerror=alert(1)>"]

    page = show(Hostile())
    page.open()
    wait_until(lambda: len(page.texts("#members tr")) == 201)
    assert "<img src=x onerror=alert(1)>" in page.texts("#members th.name button")
    assert page.ask("document.images.length") == 0
    assert page.complaints == []


def test_two_hundred_members_are_drawn_at_once(show: Open) -> None:
    """No timed test: what is drawn again is only what has changed."""
    page = show(Incident())
    page.open()
    wait_until(lambda: len(page.texts("#members tr")) == 200)
    page.ask("document.querySelectorAll('.tile').forEach((tile) => { tile.mine = true; })")
    page.ask("document.dispatchEvent(new Event('visibilitychange'))")
    wait_until(
        lambda: (
            page.ask("performance.getEntriesByType('resource').filter((e) => e.name.endsWith('/members')).length") > 1
        )
    )
    assert page.ask("[...document.querySelectorAll('.tile')].every((tile) => tile.mine)")


def test_a_run_of_the_simulator_is_looked_at(browser: Any, tmp_path: Path) -> None:
    file = tmp_path / "kill.html"
    file.write_bytes(record_run(Experiment.KILL, Setting(members=16), 0)[1])
    page = Page(browser, file.as_uri())
    page.open()
    assert page.texts("#ring .tally") == ["15 alive"]
    page.press(*[selenium.Keys.ARROW_RIGHT] * 20)
    assert page.texts("#ring .tally") == ["15 dead"]
    page.press(*[selenium.Keys.ARROW_LEFT] * 20)
    assert page.texts("#ring .tally") == ["15 alive"]
    page.open("#0.0035")
    assert page.texts("#time") == ["3.5 ms"]
    page.open(width=390, dark=True)
    assert page.ask("document.documentElement.scrollWidth") <= 390
    assert page.complaints == []


def test_the_picture_in_the_readme_is_what_the_page_looks_like(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where it isn't: python docs/pictures/replay.py."""
    image, chops = pytest.importorskip("PIL.Image"), pytest.importorskip("PIL.ImageChops")
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    taken = import_module("pictures.replay").take(tmp_path)
    assert [path.name for path in taken] == ["replay-dark.png", "replay-light.png"]
    for path in taken:
        pictures = [image.open(one).convert("L") for one in (path, ROOT / "docs" / "figures" / path.name)]
        unlike = chops.difference(*pictures).point(lambda level: 255 * (level > 40))  # other fonts: a few edges
        assert unlike.resize((1, 1), image.Resampling.BOX).getpixel((0, 0)) < 255 * UNLIKE
