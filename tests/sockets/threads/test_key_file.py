"""The key file: its rights, what can be wrong with it, and that it is taken over when it changes."""

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import pytest

from support.waiting import HERE, SOON, all_logged
from support.worlds import QUICK, WORLDS, World
from swim_core import ConfigError, Key, KeyInvalid, Keys, KeysChanged, KeysRejected, NotSupported
from swim_core.smudge import SmudgeConfig
from swim_threads import key_file, open_node
from swim_threads.key_file import KeyFile

pytestmark = pytest.mark.sockets
OLD, NEW, THIRD = (Key(bytes(range(number, number + 32))) for number in (0, 50, 100))


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_file, "LOOK_EVERY", 0.02)
    for name in ("SWIM_KEY", "SWIM_KEY_FILE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "swim.key"
    write(path, OLD)
    return path


def write(path: Path, *keys: Key, mode: int = 0o600) -> None:
    """Replace a file by another, as one does to rotate keys."""
    beside = path.with_name("beside")
    beside.write_text("".join(f"{key.reveal()}\n" for key in keys))
    beside.chmod(mode)
    os.replace(beside, path)


@pytest.fixture(params=[name for name in WORLDS if name != "simulation"])
def world(request: pytest.FixtureRequest) -> Any:
    with WORLDS[request.param]() as world:
        yield world


def test_nodes_with_a_key_meet_and_those_with_another_do_not(world: World, path: Path) -> None:
    ann = world.open("ann", key_file=path)
    bob = world.open("bob", join=[ann], keys=Keys([OLD]))
    stranger, plain = world.open("eve", join=[ann], keys=[NEW.reveal()]), world.open("joe", join=[ann])
    ann.wait_for_members(2, SOON)
    bob.wait_for_members(2, SOON)
    world.wait(lambda: len(ann.statistics().dropped) >= 2)
    assert len(stranger.members()) == len(plain.members()) == 1
    assert ann.statistics().sealed
    assert not plain.statistics().sealed


def test_another_file_is_taken_over_and_a_bad_one_is_not(world: World, path: Path) -> None:
    ann = world.open("ann", key_file=path)
    bob = world.open("bob", join=[ann], keys=Keys([OLD, NEW]))
    bob.wait_for_members(2, SOON)
    write(path, NEW, OLD)
    world.wait(lambda: bob.statistics().members_other_key == 1)
    path.write_text("swim1_oops\n")
    path.unlink()
    world.wait(lambda: bob.statistics().members_other_key == 1)
    write(path, OLD)
    world.wait(lambda: bob.statistics().members_other_key == 0)
    assert len(ann.members()) == len(bob.members()) == 2


def test_a_bad_file_and_none_are_told(world: World, path: Path) -> None:
    ann = world.open("ann", key_file=path)
    events = ann.subscribe()
    for spoil, says in ((lambda: path.write_text("swim1_oops\n"), "10 characters"), (path.unlink, "can't be read")):
        spoil()
        while not isinstance(event := events.get(SOON), KeysRejected):
            pass
        assert says in event.reason
        assert "oops" not in event.reason
    write(path, NEW)
    while not isinstance(event := events.get(SOON), KeysChanged):
        pass
    assert ann.statistics().key == {event.preferred: 1}


def test_the_environment_says_keys_too(world: World, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWIM_KEY_FILE", str(path))
    ann = world.open("ann")
    monkeypatch.delenv("SWIM_KEY_FILE")
    monkeypatch.setenv("SWIM_KEY", OLD.reveal())
    bob = world.open("bob", join=[ann])
    bob.wait_for_members(2, SOON)
    monkeypatch.setenv("SWIM_KEY_FILE", str(path))
    with pytest.raises(ConfigError, match="SWIM_KEY_FILE and SWIM_KEY: set one of them"):
        world.open("joe")
    with pytest.raises(ConfigError, match="keys and key_file: give one of them"):
        world.open("joe", keys=Keys([OLD]), key_file=path)


def test_keys_are_set_by_the_application_too(world: World) -> None:
    ann = world.open("ann", keys=Keys([OLD]))
    bob = world.open("bob", join=[ann], keys=Keys([OLD, NEW]))
    bob.wait_for_members(2, SOON)
    ann.set_keys([NEW.reveal(), OLD.reveal()])
    world.wait(lambda: bob.statistics().members_other_key == 1)
    with pytest.raises(ConfigError, match="made without keys"):
        world.open("joe").set_keys(OLD.reveal())


def test_smudges_protocol_takes_no_keys(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = SmudgeConfig(multicast_enabled=False)
    with pytest.raises(ConfigError, match="can't be sealed"):
        open_node(HERE, config=config, key_file=path)
    monkeypatch.setenv("SWIM_KEY_FILE", str(path))  # meant for others
    with open_node(HERE, config=config) as node, pytest.raises(NotSupported, match="can't be sealed"):
        node.set_keys(OLD.reveal())


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def refusal(path: Path) -> str:
    with pytest.raises(KeyInvalid) as caught:
        open_node(HERE, config=QUICK, key_file=path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda path: path.unlink(), "can't be read: No such file"),
        (lambda path: path.write_text("# none yet\n"), "no key in it"),
        (lambda path: path.write_text(OLD.reveal()[:-2]), "52 characters, a key has 54; was it cut?"),
        (lambda path: path.write_bytes(b"\xff\xfe"), "is not text"),
        (lambda path: path.write_bytes(bytes(70_000)), "more than 65536 bytes"),
        (lambda path: (path.unlink(), path.mkdir()), "no file|Is a directory"),
        (make_pipe, "not a file"),
        (lambda path: path.chmod(0o620), "others may write to the key file .*: chmod 600"),
        (lambda path: path.write_text(OLD.reader_of("").reveal()), "a reader's key"),
    ],
)
@pytest.mark.skipif(sys.platform == "win32", reason="rights and pipes as POSIX has them")
def test_a_file_that_cannot_be_used_is_refused_in_one_line(
    path: Path, spoil: Callable[[Path], object], says: str
) -> None:
    spoil(path)
    message = refusal(path)
    assert re.search(says, message), message
    assert OLD.reveal()[:20] not in message


@pytest.mark.skipif(sys.platform == "win32", reason="rights as POSIX has them")
def test_a_file_that_everybody_may_read_is_warned_of(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.chmod(0o644)
    with open_node(HERE, config=QUICK, key_file=path):
        pass
    all_logged()
    assert f"everybody on this host may read the key file {path}" in caplog.text


def test_a_link_to_another_file_counts_as_a_change(tmp_path: Path) -> None:
    """As Kubernetes does it: the name stays, and its target changes."""
    for name, key in (("first", OLD), ("second", NEW)):
        write(tmp_path / name, key)
    link = tmp_path / "swim.key"
    link.symlink_to("first")
    file = KeyFile(str(link))
    assert list(file.read()) == [OLD]
    assert not file.changed()
    link.unlink()
    assert file.changed()
    link.symlink_to("second")
    assert file.changed()
    assert list(file.read()) == [NEW]


@pytest.mark.parametrize(("plain", "warned"), [("accept", True), ("never", False)])
def test_that_plain_datagrams_are_taken_too_is_warned_of(
    path: Path, plain: Literal["accept", "never"], warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with open_node(HERE, config=QUICK.replace(plain=plain), key_file=path):
        pass
    all_logged()
    assert ("keys protect nothing" in caplog.text) is warned
