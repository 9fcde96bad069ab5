"""The documentation builds without a warning, is complete, fits a phone, and has no misspelt words."""

import inspect
import subprocess
import sys
from enum import Enum
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import pytest

from support.browser import NEEDS_BROWSER, Page, browsing
from support.paths import ROOT
from swim_core import vocabulary

PUBLIC = [
    "swim_core",
    "swim_core.placement",
    "swim_core.simulation",
    "swim_core.smudge",
    "swim_anyio",
    "swim_anyio.prometheus",
    "swim_anyio.testing",
    "swim_threads",
    "swim_threads.driver",
    "swim_threads.prometheus",
]
NAMES = [(module, name) for module in PUBLIC for name in import_module(module).__all__]
TWICE = [("swim_anyio.testing", "Link")]  # public in two packages, and documented in the other
TWICE += [(adapter, name) for adapter in ("swim_anyio", "swim_threads") for name in vocabulary.__all__]
PICTURES = {"probe_round": "concepts", "watch": "concepts", "flood": "concepts", "crash": "index"}


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The documentation, built as a reader would, but with warnings as errors."""
    pytest.importorskip("sphinx")
    out = tmp_path_factory.mktemp("docs")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html", "docs", str(out)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    return out


@pytest.mark.slow
def test_it_builds_without_a_warning(built: Path) -> None:
    assert (built / "index.html").exists()


@pytest.mark.slow
def test_every_public_name_stands_in_the_reference(built: Path) -> None:
    from sphinx.util.inventory import InventoryFile

    inventory = InventoryFile.loads((built / "objects.inv").read_bytes(), uri="").data
    documented = {name for kind, names in inventory.items() if kind.startswith("py:") for name in names}
    names = [f"{module}.{name}" for module, name in NAMES if (module, name) not in TWICE]
    missing = [name for name in names if name not in documented]
    assert missing == [], "add them to a page under docs/reference, or to docs/events.md"


SIDEWAYS = """(() => {
    const wide = document.documentElement;
    const boxes = [...document.querySelectorAll(".table-wrapper")];
    return [
        ...(wide.scrollWidth > innerWidth ? [`the page: ${wide.scrollWidth}`] : []),
        ...boxes.filter((box) => box.scrollWidth > box.clientWidth + 1).map((box) => box.innerText.slice(0, 60)),
    ];
})()"""


@pytest.mark.slow
@pytest.mark.processes
@NEEDS_BROWSER
@pytest.mark.parametrize("width", [390, 1_200])
def test_no_page_and_no_table_scrolls_sideways(width: int, built: Path) -> None:
    """Lines of code do, in their own boxes: they can't be broken."""
    sideways = {}
    with browsing() as browser:
        for file in sorted(built.rglob("*.html")):
            page = Page(browser, file.as_uri())
            page.open(width=width)
            sideways[str(file.relative_to(built))] = page.ask(SIDEWAYS)
    assert {"index.html", "tutorial.html", "limits.html", "configuration.html", "reference/core.html"} <= set(sideways)
    assert {name: found for name, found in sideways.items() if found} == {}


@pytest.mark.slow
@pytest.mark.processes
@NEEDS_BROWSER
def test_on_a_phone_a_wide_table_is_a_list_that_names_its_columns(built: Path) -> None:
    with browsing() as browser:
        page = Page(browser, (built / "configuration.html").as_uri())
        for width, shown in ((390, "inline"), (1_200, "none")):
            page.open(width=width)
            assert page.ask("getComputedStyle(document.querySelector('.stacked .column')).display") == shown
            head = page.ask("document.querySelector('table.stacked thead').checkVisibility()")
            assert head == (shown == "none")
        assert page.texts("table.stacked tr:nth-child(1) td:nth-child(2) .column")[0] == "default: "
        assert page.complaints == []


@pytest.mark.parametrize(("module", "name"), [name for name in NAMES if name not in TWICE])
def test_every_public_name_has_a_docstring(module: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    thing = getattr(import_module(module), name)
    if not inspect.isclass(thing) and not inspect.isfunction(thing):
        pytest.importorskip("sphinx")
        assert import_module("_ext.data").docstring_of_data(module, name), f"{name} has no docstring below it"
        return
    assert thing.__doc__
    if inspect.isclass(thing) and not issubclass(thing, Enum):
        assert [member for member, value in vars(thing).items() if _silent(member, value)] == []


def _silent(member: str, value: object) -> bool:
    if isinstance(value, staticmethod | classmethod):
        value = value.__func__
    return (
        not member.startswith("_")
        and (inspect.isfunction(value) or isinstance(value, property))
        and not inspect.getdoc(value)
    )


def test_no_word_is_misspelled() -> None:
    done = subprocess.run([sys.executable, "-m", "codespell_lib"], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("name", PICTURES)
@pytest.mark.slow
def test_a_picture_is_shown_well_formed_and_always_the_same(
    name: str, built: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    picture = import_module(f"pictures.{name}").draw()
    assert picture in (built / f"{PICTURES[name]}.html").read_text()  # drawn in another process, with other hash seeds
    assert ElementTree.fromstring(picture).get("aria-label")


def test_the_picture_of_probing_shows_each_member_meeting_one_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    for pings in import_module("pictures.probe_round").rounds():
        assert len({name for a, b, _ in pings for name in (a, b)}) == 2 * len(pings) == 8


def test_the_picture_of_a_watch_shows_what_the_text_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    told = import_module("pictures.watch").story()
    began = min(datagram.time for datagram in told.about)
    assert len(told.helpers) == 3
    assert 2.4 < told.suspected - began < 3.0
    assert 5.0 < told.died - began < 6.0


def test_the_picture_of_a_crash_shows_what_the_text_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    times = import_module("pictures.crash").heard()
    assert set(times) == {"ann", "bob", "joe", "kim"}
    assert max(times.values()) < 8.0


def test_the_picture_of_a_flood_shows_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    assert len({datagram.destination for datagram in import_module("pictures.flood").arrivals()}) == 72


def test_failures_are_found_as_fast_as_the_text_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "docs"))
    detection = import_module("pictures.detection")
    killed, hung = detection.FAILURES["a process is killed"], detection.FAILURES["a process hangs for good"]
    lost = detection.FAILURES["a host, or its cable, is lost"]
    assert detection.measure(killed, 1, tripwires=True)[0] < 0.1
    assert detection.measure(killed, 1, tripwires=False)[0] < 1.6
    assert 3.0 < detection.measure(lost, 1, tripwires=True)[0] < 5.0 < detection.measure(hung, 1, tripwires=True)[0]
