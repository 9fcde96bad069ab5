"""`swim keygen` and `swim keys`: what they write, print and refuse."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from swim_anyio.command.entry import run
from swim_core import Key, Keys
from swim_core.native.sealing.ring import key_id

Swim = Callable[..., list[str]]


@pytest.fixture
def swim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Swim:
    """Runs a command line with the expected status; returns the lines that it printed or complained with."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("SWIM_")]:
        monkeypatch.delenv(name)

    def swim(*arguments: str, status: int = 0) -> list[str]:
        assert run(list(arguments)) == status
        out, err = capfd.readouterr()
        return (err if status else out).splitlines()

    return swim


def ids(*, label: str = "") -> list[str]:
    return [f"{key_id(key, label):08x}" for key in Keys.parse(Path("swim.key").read_text())]


def test_a_key_is_made_once_for_its_owner_alone(swim: Swim) -> None:
    (line,) = swim("keygen", "swim.key")
    assert f"key {ids()[0]}" in line
    assert stat.S_IMODE(Path("swim.key").stat().st_mode) == 0o600
    before = Path("swim.key").read_text()
    assert before[6:30] not in line
    assert "exists already" in swim("keygen", "swim.key", status=2)[0]
    assert Path("swim.key").read_text() == before


@pytest.mark.shows_keys
def test_a_key_for_a_secret_store_is_printed(swim: Swim) -> None:
    first, second = swim("keygen", "-") + swim("keygen", "-")
    assert Key.parse(first) != Key.parse(second)


def test_keys_are_listed_by_their_ids_in_one_cluster(swim: Swim) -> None:
    swim("keygen", "swim.key")
    assert swim("keys", "list", "swim.key") == [f"{ids()[0]}  preferred"]
    assert swim("keys", "list", "swim.key", "--cluster", "prod") == [f"{ids(label='prod')[0]}  preferred"]


def test_a_rotation_adds_a_key_and_drops_one(swim: Swim) -> None:
    swim("keygen", "swim.key")
    with Path("swim.key").open("a") as file:
        file.write("# ours since May\n")
    old = ids()[0]
    swim("keys", "add", "swim.key")
    new = ids()[0]
    assert swim("keys", "list", "swim.key") == [f"{new}  preferred", f"{old}  opens"]
    assert "preferred key" in swim("keys", "drop", "swim.key", new, status=2)[0]
    assert f"has no key 00000000: it has {new}, {old}" in swim("keys", "drop", "swim.key", "00000000", status=2)[0]
    swim("keys", "drop", "swim.key", old)
    assert ids() == [new]
    assert "# ours since May" in Path("swim.key").read_text()
    assert stat.S_IMODE(Path("swim.key").stat().st_mode) == 0o600
    assert os.listdir() == ["swim.key"]


def test_a_full_file_takes_no_more(swim: Swim) -> None:
    swim("keygen", "swim.key")
    for _ in range(7):
        swim("keys", "add", "swim.key")
    assert "8 keys already" in swim("keys", "add", "swim.key", status=2)[0]


def test_what_is_linked_to_is_changed_and_the_link_stays(swim: Swim) -> None:
    swim("keygen", "real.key")
    Path("swim.key").symlink_to("real.key")
    swim("keys", "add", "swim.key")
    assert Path("swim.key").is_symlink()
    assert len(ids()) == 2


@pytest.mark.shows_keys
def test_a_readers_key_is_for_one_label(swim: Swim) -> None:
    swim("keygen", "swim.key")
    (text,) = swim("keys", "reader", "swim.key", "--cluster", "prod")
    (key,) = Keys.parse(Path("swim.key").read_text())
    assert Key.parse(text) == key.reader_of("prod")


@pytest.mark.parametrize("command", [["list"], ["add"], ["drop", "x"], ["reader"]])
def test_a_file_that_is_none_is_refused(swim: Swim, command: list[str]) -> None:
    verb, *rest = command
    assert "can't be read" in swim("keys", verb, "swim.key", *rest, status=2)[0]
    Path("swim.key").write_text("my password\n")
    (line,) = swim("keys", verb, "swim.key", *rest, status=2)
    assert "no key" in line
    assert "my password" not in line
