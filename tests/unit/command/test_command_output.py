"""The agent's output on a full disk: lines are dropped, reported later, and never cut."""

import errno
import json
import logging
import os
from pathlib import Path

import anyio
import anyio.to_thread
import pytest

from swim_anyio.command.output import Output
from swim_anyio.command.records import Record, to_json

pytestmark = pytest.mark.anyio


class Disk:
    """A file that takes only this many bytes more, and then fails as a full disk does, or in another way."""

    def __init__(self, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.path = path
        self.fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.room = 1_000_000
        self.error = errno.ENOSPC
        self._write = os.write
        monkeypatch.setattr("os.write", self._take)

    def _take(self, fd: int, data: bytes | bytearray) -> int:
        if fd != self.fd:
            return self._write(fd, data)
        if not self.room:
            raise OSError(self.error, os.strerror(self.error))
        written = self._write(fd, data[: self.room])
        self.room -= written
        return written

    @property
    def records(self) -> list[Record]:
        return [json.loads(line) for line in self.path.read_bytes().splitlines()]


def numbered(number: int) -> Record:
    return {"t": 1.0, "event": "test", "number": number}


SIZE = len(to_json(numbered(1)))


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(tmp_path / "out", monkeypatch)


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
async def test_what_a_full_disk_does_not_take_is_counted_and_told(
    disk: Disk, error: int, caplog: pytest.LogCaptureFixture
) -> None:
    disk.error = error
    output = Output(disk.fd, to_json)
    await output.write(numbered(1))
    for full in (2, 5):
        disk.room = 0
        for number in range(3):
            await output.write(numbered(full + number))
        disk.room = 1_000_000
        await output.write(numbered(full + 3))
    os.close(disk.fd)
    assert [record.get("number") for record in disk.records] == [1, None, 5, None, 8]
    for lost in disk.records[1::2]:
        assert (lost["event"], lost["count"], lost["reason"]) == ("lost", 3, os.strerror(error))
    assert output.failure is None
    warnings = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 2, "one for each time that it filled up"
    assert os.strerror(error) in warnings[0]


@pytest.mark.parametrize("taken", range(1, SIZE))
async def test_a_line_cut_short_is_completed_before_anything_else(disk: Disk, taken: int) -> None:
    output = Output(disk.fd, to_json)
    await output.write(numbered(1))
    disk.room = taken
    await output.write(numbered(2))
    await output.write(numbered(3))
    disk.room = 1_000_000
    await output.write(numbered(4))
    os.close(disk.fd)
    assert [record.get("number") for record in disk.records] == [1, 2, None, 4]
    assert disk.records[2]["count"] == 1


async def test_room_for_the_rest_alone_loses_what_comes_with_it(disk: Disk) -> None:
    output = Output(disk.fd, to_json)
    await output.write(numbered(1))
    disk.room = SIZE - 4
    await output.write(numbered(2))
    disk.room = 4
    await output.write(numbered(3))
    disk.room = 10  # of the notice of what was lost
    await output.write(numbered(4))
    disk.room = 1_000_000
    await output.write(numbered(5))
    os.close(disk.fd)
    assert [record.get("number") for record in disk.records] == [1, 2, None, 4, 5]
    assert disk.records[2]["count"] == 1


@pytest.mark.parametrize(("error", "fails"), [(errno.ENOSPC, True), (errno.EBADF, True), (errno.EPIPE, False)])
async def test_an_output_that_takes_not_even_the_first_line_is_closed(disk: Disk, error: int, fails: bool) -> None:
    disk.room, disk.error = 0, error
    output = Output(disk.fd, to_json)
    await output.write(numbered(1))
    await output.wait_closed()
    disk.room = 1_000_000
    await output.write(numbered(2))
    os.close(disk.fd)
    assert disk.records == []
    assert (output.failure is not None) == fails
    if output.failure is not None:
        assert output.failure.errno == error


async def test_a_reader_that_goes_away_later_closes_it(disk: Disk) -> None:
    output = Output(disk.fd, to_json)
    await output.write(numbered(1))
    disk.room, disk.error = 0, errno.EPIPE
    await output.write(numbered(2))
    await output.wait_closed()
    os.close(disk.fd)
    assert output.failure is None


async def test_who_comes_while_another_waits_for_the_reader_comes_after_it() -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "wb") as writer:
        output = Output(writer.fileno(), to_json)
        large: Record = {"t": 1.0, "event": "test", "number": 0, "data": "x" * 200_000}  # more than a pipe holds
        read: list[int] = []
        with anyio.fail_after(10):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(output.write, large)
                await anyio.wait_all_tasks_blocked()
                for number in (1, 2):
                    tasks.start_soon(output.write, numbered(number))
                    await anyio.wait_all_tasks_blocked()
                while len(read) < 3:
                    line = await anyio.to_thread.run_sync(reader.readline)
                    read.append(json.loads(line)["number"])
        assert read == [0, 1, 2]
