"""Systems that can't be run here, simulated (`support.platforms` says what, and by which manuals)."""

import asyncio
import os
import subprocess
import sys
from typing import Literal

import pytest

import swim_anyio
from support.paths import TESTS
from support.platforms import FD_SETSIZE
from support.waiting import HERE, SOON, until
from swim_threads.sockets import tripwire_listener, tripwires

pytestmark = [pytest.mark.sockets, pytest.mark.processes]

SYSTEMS = ["darwin", "windows"]

PROGRAM = """
import errno, logging, select, socket, sys, threading, time
from support import platforms

platforms.become(sys.argv[1])
import swim_threads
from support.waiting import wait_until
from swim_core import Config, MemberDied
from swim_threads.sockets import error_queue, losses, owned, poller, udp
from swim_threads import clock

windows = sys.argv[1] == "windows"
assert not (error_queue.LINUX or losses.LINUX)
assert issubclass(owned.Socket, platforms.Other)
assert clock.clock is time.monotonic
assert hasattr(poller.select, "poll") != windows
assert hasattr(owned.os, "register_at_fork") != windows

lines = []
class Keep(logging.Handler):
    def emit(self, record):
        lines.append(record.getMessage())
logging.getLogger("swim_threads").addHandler(Keep())

config = Config.local(probe_interval=0.1, stall_tolerance=1.0)
with swim_threads.open_node("127.0.0.1:0", name="ann", config=config) as ann:
    bob = swim_threads.open_node("127.0.0.1:0", name="bob", join=ann.local.address, config=config)
    ann.wait_for_members(2, 40), bob.wait_for_members(2, 40)
    wait_until(lambda: ann.statistics().tripwires or bob.statistics().tripwires)

    # an address to which nothing gets at present: a warning, once, and all is well when it does again
    for number in (errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.ENOBUFS):
        platforms.FAILING[bob.local.address] = number
        before = platforms.SEEN[errno.errorcode[number]]
        wait_until(lambda: platforms.SEEN[errno.errorcode[number]] > before)
    platforms.FAILING.clear()
    wait_until(lambda: ann.ping("bob") is not None)  # one may be answered too late
    assert sum("leaves this host" in line for line in lines) == 1, lines

    # a process that ends without a goodbye
    with ann.subscribe() as events:
        bob._stop()
        while not isinstance(event := events.get(40), MemberDied):
            pass
    assert "refused tcp" in [seen.what for seen in ann.explain("bob").observations], event
    ann.broadcast(b"still here")

sock = udp.UdpSocket.open("127.0.0.1", 0)
nobody = udp.UdpSocket.open("127.0.0.1", 0)
port = nobody.address
nobody.close()
for _ in range(3):
    assert sock.send(b"x", port, lambda *_: None)
got = []

def hear():
    got.clear()
    assert sock.send(b"to myself", sock.address, print)
    wait_until(lambda: sock.receive(lambda *a: got.append(a), print) is not None and got)
    assert [data for data, _ in got] == [b"to myself"]
    assert sock.trouble() is None

sock.receive(print, print)
hear()
assert sock.send(bytes(10_000), sock.address, print) == windows
if not windows:
    assert sock.losses().unsent == {"EMSGSIZE": 1}
sock.close()

if windows:  # a socket that its program has made quiet
    given = platforms.WindowsSocket(socket.AF_INET, socket.SOCK_DGRAM)
    given.bind(("127.0.0.1", 0))
    try:
        given.ioctl(platforms.SIO_UDP_CONNRESET, False)
    except ValueError:
        platforms.report_refusals(given, False)
    sock = udp.UdpSocket.take_over(given)
    before = platforms.SEEN.copy()
    for _ in range(3):
        assert sock.send(b"x", port, print)
    hear()
    assert platforms.SEEN == before
    sock.close()

threads = [thread for thread in threading.enumerate() if thread.name.startswith("swim ann")]
assert not threads
print(sorted(name for name, count in platforms.SEEN.items() if count))
"""

DONE = {
    "darwin": {"EHOSTUNREACH", "ENETDOWN", "ENETUNREACH", "ENOBUFS"},
    "windows": {
        *("EHOSTUNREACH", "ENETDOWN", "ENETUNREACH", "ENOBUFS"),
        *("connect would block", "failed in exceptfds", "reset in recvfrom", "reset in sendto", "select"),
    },
}


@pytest.mark.parametrize("system", SYSTEMS)
def test_nodes_live_and_die_as_on_another_system(system: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, system], cwd=TESTS, capture_output=True, text=True, timeout=4 * SOON
    )
    assert done.returncode == 0, done.stderr
    assert set(eval(done.stdout)) >= DONE[system]


def test_a_node_never_waits_for_more_than_windows_select_takes() -> None:
    few = 8 + 4  # tripwires of its own (`Config.rings`), and the sockets that each node has
    assert tripwire_listener.MAX_CONNECTIONS + few < FD_SETSIZE
    assert tripwires.MAX_TESTS + few < FD_SETSIZE


KQUEUE = """
import sys
from support import kqueue, platforms

platforms.become("darwin")
import anyio, selectors, trio
import swim_anyio
from support.waiting import HERE, until

async def main():
    async with swim_anyio.open_node(HERE, name="ann", driver="loop") as ann:
        async with swim_anyio.open_node(HERE, join=ann.local.address, driver="loop") as bob:
            await until(lambda: len(ann.members()) == len(bob.members()) == 2)
            with bob.subscribe() as events:
                ann.broadcast(b"hello")
                while not isinstance(await events.get(), swim_anyio.BroadcastReceived):
                    pass
        await until(lambda: len(ann.members()) == 1)

anyio.run(main, backend=sys.argv[1])
assert selectors.DefaultSelector is selectors.KqueueSelector
assert hasattr(trio.lowlevel, "current_kqueue")
print(sum(kqueue.USED))
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_nodes_in_an_event_loop_run_on_kqueue(backend: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", KQUEUE, backend], cwd=TESTS, capture_output=True, text=True, timeout=2 * SOON
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("system", "worlds"),
    [("darwin", "threads or driver"), ("darwin", "asyncio or trio"), ("windows", "threads or driver")],
)
def test_the_conformance_suite_runs_as_on_another_system(system: str, worlds: str) -> None:
    suite = ["-m", "support.platforms", system, "sockets/conformance/test_conformance.py", "-k", worlds]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        [sys.executable, *suite], cwd=TESTS, capture_output=True, text=True, timeout=280, env=environment
    )
    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout


class Proactor(asyncio.SelectorEventLoop):
    """A loop that watches no descriptors for others, as Windows' default one (docs.python.org, asyncio-platforms)."""

    def add_reader(self, *_: object) -> None:
        raise NotImplementedError

    remove_reader = add_writer = remove_writer = add_reader  # type: ignore[assignment]


@pytest.mark.parametrize("driver", ["thread", "loop"])
def test_nodes_run_on_a_loop_that_watches_no_descriptors(driver: Literal["thread", "loop"]) -> None:
    """The thread driver needs none; with the loop driver anyio watches in a thread of its own."""

    async def main() -> None:
        async with (
            swim_anyio.open_node(HERE, name="ann", driver=driver) as ann,
            swim_anyio.open_node(HERE, join=ann.local.address, driver=driver) as bob,
        ):
            await until(lambda: len(ann.members()) == len(bob.members()) == 2)

    with asyncio.Runner(loop_factory=Proactor) as runner:
        runner.run(main())
