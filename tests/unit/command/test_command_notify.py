"""What the agent tells systemd, through a path or an abstract socket, without blocking; failures do no harm."""

import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from swim_anyio.command.notify import READY, STOPPING, take_address, tell

pytestmark = [pytest.mark.anyio, pytest.mark.skipif(sys.platform == "win32", reason="Unix sockets")]

ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="abstract sockets")


@pytest.fixture(params=["path", pytest.param("abstract", marks=ON_LINUX)])
def manager(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, socket.socket]]:
    """A manager's address as it stands in the environment, and its socket."""
    address = str(tmp_path / "n") if request.param == "path" else f"@swim-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind("\0" + address[1:] if address[0] == "@" else address)
        listening.setblocking(False)
        yield address, listening


async def test_each_state_is_one_datagram(manager: tuple[str, socket.socket]) -> None:
    address, listening = manager
    await tell(address, READY)
    await tell(address, STOPPING)
    assert [listening.recv(99), listening.recv(99)] == [b"READY=1", b"STOPPING=1"]


async def test_a_manager_with_a_full_queue_is_waited_for_while_others_run(manager: tuple[str, socket.socket]) -> None:
    address, listening = manager
    waiting = fill(listening)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(tell, address, READY)
        for _ in range(9):
            await anyio.lowlevel.checkpoint()  # `tell` doesn't block
        assert [listening.recv(99) for _ in range(waiting)] == [b"x"] * waiting
    assert listening.recv(99) == b"READY=1"


async def test_waiting_for_a_full_queue_can_be_given_up(manager: tuple[str, socket.socket]) -> None:
    address, listening = manager
    waiting = fill(listening)
    with anyio.move_on_after(0.01) as scope:
        await tell(address, STOPPING)
    assert scope.cancelled_caught
    assert [listening.recv(99) for _ in range(waiting)] == [b"x"] * waiting
    with pytest.raises(BlockingIOError):
        listening.recv(99)


@pytest.mark.parametrize(
    "address", ["/nowhere/notify", "@swim-test-nobody", "vsock:2:1234", "relative", "/" + "x" * 200]
)
async def test_what_cannot_be_told_is_logged(address: str, caplog: pytest.LogCaptureFixture) -> None:
    await tell(address, READY)
    assert [record.name for record in caplog.records] == ["swim_anyio.service"]
    assert f"the service manager at {address} can't be told READY=1: " in caplog.text


async def test_without_a_manager_nothing_is_told(caplog: pytest.LogCaptureFixture) -> None:
    await tell(None, READY)
    assert caplog.records == []


@pytest.mark.parametrize(("value", "address"), [("/run/n", "/run/n"), ("", None), (None, None)])
def test_the_address_is_taken_out_of_the_environment(
    value: str | None, address: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    if value is not None:
        monkeypatch.setenv("NOTIFY_SOCKET", value)
    assert take_address() == address
    assert "NOTIFY_SOCKET" not in os.environ


def fill(listening: socket.socket) -> int:
    """Send until the queue is full; returns how much waits there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:
        sender.setblocking(False)
        sender.connect(listening.getsockname())
        count = 0
        while True:
            try:
                sender.send(b"x")
            except BlockingIOError:
                return count
            count += 1
