"""The file that remembers members, whatever is in it, and whatever happens to the disk."""

import errno
import json
import os
from pathlib import Path

import pytest

from swim_anyio.command import peers as module
from swim_anyio.command.peers import Peers
from swim_core import Address

BOB, EVE = ("bob", "192.0.2.7:7946"), ("e v\ne", "[2001:db8::1]:7947")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "peers"


def test_what_is_written_is_read(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Peers(path).write([BOB, EVE])
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert lines == [{"name": name, "address": address} for name, address in (BOB, EVE)]
    assert sorted(Peers(path).read()) == [Address("192.0.2.7", 7946), Address("2001:db8::1", 7947)]
    assert os.listdir(path.parent) == ["peers"]
    assert not caplog.records


def test_no_file_is_no_trouble(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert Peers(path).read() == []
    assert not caplog.records


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "[]",
        "{}",
        "null",
        "\xff",
        '{"address": 7}',
        '{"address": "no-number:1"}',
        '{"address": "1.2.3.4:0"}',
        "[" * 100_000,
    ],
)
def test_of_a_broken_one_what_can_be_read_counts(path: Path, text: str, caplog: pytest.LogCaptureFixture) -> None:
    Peers(path).write([BOB])
    path.write_text(path.read_text() + text + "\n", encoding="latin-1")
    assert Peers(path).read() == [Address("192.0.2.7", 7946)]
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"{path} is partly broken" in caplog.text


def test_what_is_no_file(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path.mkdir()
    assert Peers(path).read() == []
    assert "is not a file" in caplog.text
    Peers(path).write([BOB])
    assert "can't be written" in caplog.text
    assert os.listdir(path.parent) == ["peers"]


def test_it_is_written_at_changes_only_and_never_when_alone(path: Path) -> None:
    peers = Peers(path)
    peers.write([BOB])
    path.unlink()
    peers.write([BOB])
    peers.write([])
    assert not path.exists()
    peers.write([BOB, EVE])
    assert path.exists()


def test_of_a_large_cluster_some_are_kept_and_some_asked(path: Path) -> None:
    Peers(path).write([(f"n{number}", f"192.0.2.7:{number}") for number in range(1, 2_000)])
    assert len(path.read_text().splitlines()) == module.MAX_KEPT
    assert len(Peers(path).read()) == module.MAX_ASKED


def test_a_full_disk_leaves_the_old_file_and_is_warned_of_once(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    peers = Peers(path)
    peers.write([BOB])
    before = path.read_text()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        for _ in range(3):
            peers.write([BOB, EVE])
    assert path.read_text() == before
    assert os.listdir(path.parent) == ["peers"]
    assert caplog.text.count("No space left on device") == 1
    peers.write([BOB, EVE])
    assert path.read_text() != before
