"""Exceptions that signal handlers raise in the middle of a call: it was done or not done, and the node goes on.

With the protocol in the loop, where no other thread could finish it, the node goes on or has failed, and says so.
"""

import gc
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any
from weakref import WeakSet

import anyio
import pytest

import swim_anyio
import swim_threads
from support.inside import engine_of
from support.loops import on_every_loop
from support.paths import TESTS
from support.waiting import HERE, SOON, until, wait_until
from swim_core import BroadcastReceived, Config, NodeCrashed

pytestmark = pytest.mark.sockets
QUICK = Config.local(probe_interval=0.1, stall_tolerance=0.5, verdict_margin=0.05)


def interrupted_at(place: int, use: Callable[[], object]) -> bool:
    """Raise `KeyboardInterrupt` where ``use`` enters the function of that number, as a signal's handler may.

    Returns:
        False if it enters fewer, and was done.
    """
    entered = 0

    def interrupt(frame: FrameType, event: str, _: Any) -> None:
        nonlocal entered
        if frame.f_code.co_filename == WeakSet.add.__code__.co_filename:
            return  # what the collector calls: the interpreter swallows what is raised there
        entered += 1
        if entered == place:
            raise KeyboardInterrupt

    before = sys.gettrace()
    gc.disable()  # its callbacks (Hypothesis has one) are functions that are entered, too
    sys.settrace(interrupt)
    try:
        use()
    except KeyboardInterrupt:
        return True
    finally:
        sys.settrace(before)
        gc.enable()
    return False


def test_a_call_that_is_interrupted_anywhere_was_done_or_not_done() -> None:
    with (
        swim_threads.open_node(HERE, name="a", config=QUICK) as a,
        swim_threads.open_node(HERE, name="b", config=QUICK, join=[a.local.address]) as b,
        b.subscribe() as events,
    ):
        a.wait_for_members(2, SOON)
        place = 1
        while interrupted_at(place, lambda: a.broadcast(b"interrupted")):
            last = a.broadcast(b"not interrupted")
            place += 1
        assert place > 3
        numbers: list[int] = []
        while last + 1 not in numbers:
            event = events.get(SOON)
            if isinstance(event, BroadcastReceived):
                numbers.append(event.number)
        assert sorted(numbers) == list(range(1, last + 2))  # none was half done, with a number taken and nothing sent

        place = 1
        while interrupted_at(place, lambda: a.update_metadata({"place": str(place)})):  # noqa: B023
            place += 1
        wait_until(lambda: [m.metadata for m in b.members() if m.name == "a"] == [a.local.metadata])


@on_every_loop
async def test_a_call_within_a_loop_is_done_or_not_done_or_breaks_the_node() -> None:
    within = os.environ["SWIM_DRIVER"] == "loop"
    broken = 0
    place = 1
    done = False
    while not done:
        try:
            async with (
                swim_anyio.open_node(HERE, name="a", config=QUICK) as a,
                swim_anyio.open_node(HERE, name="b", config=QUICK, join=[a.local.address]) as b,
            ):
                await a.wait_for_members(2)
                with b.subscribe() as events, anyio.fail_after(SOON):
                    while interrupted_at(place, lambda: a.broadcast(b"interrupted")):
                        place += 1
                        if engine_of(a).failure is not None:
                            with pytest.raises(NodeCrashed):
                                a.members()
                            await anyio.sleep(SOON)  # the block is cancelled
                    done = True
                    last = a.broadcast(b"fence")
                    numbers: set[int] = set()
                    while last not in numbers:
                        event = await events.get()
                        if isinstance(event, BroadcastReceived):
                            numbers.add(event.number)
                    await until(lambda: not a.statistics().pending)
                    assert numbers == set(range(1, last + 1))
        except NodeCrashed as error:
            if not isinstance(error.__cause__, KeyboardInterrupt):
                raise
            broken += 1
    assert bool(broken) == within


@pytest.mark.processes
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer raises signals here")
@pytest.mark.skipif(sys.version_info[:2] == (3, 14), reason="not every 3.14 takes a lock safely: python/cpython#148874")
@pytest.mark.parametrize("interrupts", [700, pytest.param(34_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
@pytest.mark.parametrize("kind", ["threads", "asyncio", "trio", "asyncio-loop", "trio-loop"])
def test_nodes_that_are_interrupted_all_the_time_go_on(kind: str, interrupts: int) -> None:
    if kind.endswith("-loop"):
        interrupts //= 10  # half of them break a node, and another one has to be opened
    program = TESTS / "support" / "interrupted_core.py"
    ended = subprocess.run(
        [sys.executable, program, kind, str(interrupts)],
        capture_output=True,
        text=True,
        timeout=890,
        env={**os.environ, "PYTHONPATH": str(TESTS)},
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
