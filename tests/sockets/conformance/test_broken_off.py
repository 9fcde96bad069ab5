"""Exceptions that strike anywhere, wherever the caller's stack ends or a node is being ended: nothing hangs or spins.

A call at the end of the stack changes nothing, or the node fails and whoever waits for it is told. What breaks off the
end of a node is followed by a second attempt.
"""

import inspect
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from types import FrameType
from typing import Any

import anyio
import pytest

import swim_anyio
import swim_threads
from support.fake_node import FakeConfig
from support.inside import engine_of, thread_engine_of
from support.loops import on_every_loop
from support.plain_peer import peer, provoke
from support.stacks import with_frames_left
from support.waiting import HERE, SOON, wait_until
from swim_anyio.base import BaseEngine
from swim_core import NodeCrashed, NotRunning, ProtocolNode, SwimError
from swim_threads.driver import Driver

pytestmark = pytest.mark.sockets
DEPTH = 8  # calls that the change of a node takes
SUSPENDABLE = inspect.CO_COROUTINE | inspect.CO_GENERATOR | inspect.CO_ASYNC_GENERATOR
"""Frames that are entered in the middle, where what a trace function raises passes by their handlers."""


class Change:
    """A change of a node that is half done until the last of some nested calls returns."""

    half_done = False

    def __call__(self, node: ProtocolNode, now: float, calls: int = DEPTH) -> int:
        self.half_done = True
        made = 1 + self(node, now, calls - 1) if calls else 0
        self.half_done = False
        return made


def outcome(frames: int, call: Callable[[], int]) -> BaseException | None:
    """What a call raises that has so many frames left; None if it comes through."""
    try:
        assert with_frames_left(frames, call) == DEPTH
    except (RecursionError, NodeCrashed) as error:
        return error
    return None


# the caller's stack


@pytest.mark.parametrize("main_thread", [True, False])
def test_threads_at_the_end_of_the_stack_a_call_changes_nothing_or_the_node_fails(main_thread: bool) -> None:
    crashed, raised = 0, []
    with ThreadPoolExecutor(1) as caller, ThreadPoolExecutor(1) as reader:
        for frames in range(1, 61):
            with suppress(NodeCrashed), swim_threads.open_node(HERE, config=FakeConfig()) as node:
                engine, events, change = engine_of(node), node.subscribe(), Change()
                waiting = reader.submit(events.get, SOON)
                act = partial(engine.act, change)
                raised.append(outcome(frames, act) if main_thread else caller.submit(outcome, frames, act).result(SOON))
                if change.half_done:
                    crashed += 1
                    wait_until(lambda: engine.done)  # noqa: B023
                else:
                    assert engine.act(change) == DEPTH
                    node.close()
                assert isinstance(waiting.exception(SOON), NodeCrashed if engine.failure else NotRunning)
            if raised[-1] is None:
                break
    assert raised[-1] is None
    assert bool(crashed) != main_thread


@on_every_loop
async def test_loops_at_the_end_of_the_stack_a_call_changes_nothing_or_the_node_fails() -> None:
    causes: list[BaseException | None] = []
    for frames in range(1, 61):
        try:
            async with swim_anyio.open_node(HERE, config=FakeConfig()) as node:
                engine, change = engine_of(node), Change()
                raised = outcome(frames, partial(engine.act, change))
                provoke(node)  # the loop calls the node, which then goes on or ends
                with suppress(NodeCrashed), anyio.fail_after(SOON):
                    while not node.statistics().datagrams_received:
                        await anyio.sleep(0.001)
                if engine.failure is not None or change.half_done:
                    await anyio.sleep(SOON)
                    raise AssertionError("a node that failed did not end its block")
                assert engine.act(change) == DEPTH
        except NodeCrashed as error:
            causes.append(error.__cause__)
        if raised is None:
            break
    assert raised is None
    assert all(isinstance(cause, RuntimeError) for cause in causes)  # or its kind RecursionError


def test_drivers_at_the_end_of_the_stack_a_call_changes_nothing_or_the_node_fails() -> None:
    raised: list[BaseException | None] = []
    crashed = 0
    for frames in range(1, 61):
        earlier: list[int] = []
        with Driver(HERE, config=FakeConfig(), on_earlier=lambda: earlier.append(1)) as node:  # noqa: B023
            engine, change = engine_of(node), Change()
            raised.append(outcome(frames, partial(engine.act, change)))
            try:
                node.turn()
                assert not change.half_done
                assert engine.act(change) == DEPTH
            except NodeCrashed:
                crashed += 1
                assert node.timeout() == 0.0  # the loop is to find out
                with pytest.raises(NodeCrashed):
                    node.members()
        assert node.fileno() < 0
        if raised[-1] is None:
            break
    assert raised[-1] is None
    assert crashed > 3


def closed(frames: int, close: Callable[[], None]) -> bool:
    """Whether a call came through that has so many frames left."""
    try:
        with_frames_left(frames, close)
    except (RecursionError, NodeCrashed):
        return False
    return True


@pytest.mark.parametrize("main_thread", [True, False])
def test_threads_what_a_close_at_the_end_of_the_stack_leaves_the_next_one_does(main_thread: bool) -> None:
    with ThreadPoolExecutor(1) as caller:
        for frames in range(1, 61):
            node = swim_threads.open_node(HERE, config=FakeConfig())
            come_through = (
                closed(frames, node.close) if main_thread else caller.submit(closed, frames, node.close).result(SOON)
            )
            with suppress(NodeCrashed):
                node.close()
            assert thread_engine_of(node).done
            if come_through:
                return
    raise AssertionError("no call came through")


@on_every_loop
async def test_loops_what_a_close_at_the_end_of_the_stack_leaves_the_end_of_the_block_does() -> None:
    come_through = False
    for frames in range(1, 61):
        with suppress(NodeCrashed):
            async with swim_anyio.open_node(HERE, config=FakeConfig()) as node:
                come_through = closed(frames, engine_of(node).close)
        with pytest.raises((NodeCrashed, NotRunning)):
            node.broadcast(b"")
        if come_through:
            break
    assert come_through


# the end of a node


@contextmanager
def struck(place: int, times: int) -> Iterator[list[str]]:
    """`MemoryError` where this thread enters our functions, from the one of that number on, some times."""
    entered: list[str] = []

    def strike(frame: FrameType, event: str, _: Any) -> None:
        code, caller = frame.f_code, module_of(frame.f_back)
        if caller.startswith("trio"):
            return  # which takes it for an error of its own, and ends the program
        if module_of(frame).startswith(("swim_anyio", "swim_threads")) and not code.co_flags & SUSPENDABLE:
            entered.append(frame.f_code.co_qualname)
            if place <= len(entered) < place + times:
                raise MemoryError("struck")

    before = sys.gettrace()
    sys.settrace(strike)
    try:
        yield entered
    finally:
        sys.settrace(before)


def module_of(frame: FrameType | None) -> str:
    return "" if frame is None else str(frame.f_globals.get("__name__", ""))


def bug(node: ProtocolNode, now: float) -> None:
    raise ZeroDivisionError("a bug")


@pytest.mark.parametrize("times", [1, 2])
@on_every_loop
async def test_loops_a_failure_that_is_struck_is_a_failure_all_the_same(times: int) -> None:
    place, crashed = 1, 0
    entered = [""]
    while len(entered) >= place - 1:
        config = FakeConfig()
        try:
            async with swim_anyio.open_node(HERE, config=config) as node:
                engine, address = engine_of(node), node.local.address
                with peer() as (_, stranger), struck(place, times) as entered:
                    with suppress(ZeroDivisionError, MemoryError, SwimError):
                        engine.act(bug)
                    stranger.sendto(b"hello", address)
                    while not config.node.datagrams and not broken(engine):
                        await anyio.sleep(0)
                    if not config.node.datagrams:
                        await anyio.sleep(SOON)
                        raise AssertionError("a node that failed did not end its block")
        except NodeCrashed:
            crashed += 1
        place += 1
    assert crashed > place / 2


def broken(engine: BaseEngine) -> bool:
    """Whether the next call says that the node failed; that call may be struck itself."""
    try:
        engine.check_sound()
    except NodeCrashed:
        return True
    except MemoryError:
        pass
    return False
