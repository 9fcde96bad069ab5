"""The application's code near a node: filters and handlers of logs, listeners, limits, trace functions.

Whatever it does, the node goes on; or, where Python itself lets it into the protocol, the node fails and says so.
"""

import io
import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from types import FrameType
from typing import Any

import anyio
import pytest

import swim_anyio
import swim_threads
from support.fake_node import FakeConfig
from support.inside import engine_of, protocol_thread, thread_engine_of, wake
from support.loops import on_every_loop
from support.waiting import HERE, SOON, until, wait_until
from swim_anyio.prometheus import NodeCollector
from swim_anyio.threaded import ThreadedEngine
from swim_core import Address, Config, Event, Isolated, Member, MemberJoined, NodeCrashed, Reconnected
from swim_threads.logs import MOST, LogWriter

pytestmark = pytest.mark.sockets
QUICK = Config.local(probe_interval=0.1, stall_tolerance=0.5, verdict_margin=0.05)
BOB = Member("bob", Address("10.0.0.2", 7946))


class Filter(logging.Filter):
    """Raises at each of our records, as a filter may that needs what only the application's threads have."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error = error
        self.seen: list[str] = []

    def filter(self, record: logging.LogRecord) -> bool:
        self.seen.append(record.getMessage())
        raise self.error


class Blocked(logging.Handler):
    """Blocks until it is released, and keeps what it got then."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = threading.Event()
        self.entered = threading.Event()
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.entered.set()
        self.go_on.wait(SOON)
        self.records.append(record)


@contextmanager
def handled(handler: logging.Handler, family: str) -> Iterator[None]:
    logger = logging.getLogger(family)
    level = logger.level
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)


@contextmanager
def blocked(family: str) -> Iterator[Blocked]:
    handler = Blocked()
    with handled(handler, family):
        try:
            yield handler
        finally:
            handler.go_on.set()
            wait_until(lambda: not alive("swim log"))


def alive(name: str) -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == name and thread.is_alive()]


def filtering(error: BaseException) -> tuple[logging.Handler, Filter]:
    handler, trouble = logging.StreamHandler(io.StringIO()), Filter(error)
    handler.addFilter(trouble)
    return handler, trouble


# logs

ERRORS = [AttributeError("no tenant here"), SystemExit("no tenant here")]


@pytest.mark.parametrize("error", ERRORS, ids=repr)
def test_threads_a_filter_that_raises_ends_nothing(error: BaseException, capsys: pytest.CaptureFixture[str]) -> None:
    handler, trouble = filtering(error)
    with handled(handler, "swim_threads"):
        with (
            swim_threads.open_node(HERE, name="a", config=QUICK) as a,
            swim_threads.open_node(HERE, name="b", config=QUICK, join=[a.local.address]) as b,
        ):
            a.wait_for_members(2, SOON)
            wait_until(lambda: len(trouble.seen) >= 2)
            b.wait_for_members(2, SOON)
            wait_until(lambda: b.ping("a") is not None)  # one may be answered too late
        assert not alive("swim a")
    assert "no tenant here" in capsys.readouterr().err  # which is how `logging` reports what a handler raises


@on_every_loop
async def test_loops_a_filter_that_raises_ends_nothing() -> None:
    for error in ERRORS:
        handler, trouble = filtering(error)
        with handled(handler, "swim_anyio"):
            async with (
                swim_anyio.open_node(HERE, name="a", config=QUICK) as a,
                swim_anyio.open_node(HERE, name="b", config=QUICK, join=[a.local.address]) as b,
            ):
                with anyio.fail_after(SOON):
                    await a.wait_for_members(2)
                    await until(lambda: len(trouble.seen) >= 2)  # noqa: B023
                    while await b.ping("a") is None:  # one may be answered too late
                        pass


def test_threads_a_handler_that_blocks_for_ever_holds_up_nothing() -> None:
    with blocked("swim_threads") as handler:
        a = swim_threads.open_node(HERE, name="a", config=QUICK)
        b = swim_threads.open_node(HERE, name="b", config=QUICK, join=[a.local.address])
        a.wait_for_members(2, SOON)
        assert handler.entered.wait(SOON)
        with swim_threads.open_node(HERE, name="c", config=QUICK, join=[a.local.address]) as c:
            assert len(c.wait_for_members(3, SOON)) == 3
            wait_until(lambda: c.ping("b") is not None)  # one may be answered too late
        began = time.monotonic()
        for node in (a, b):
            node.close()
        assert time.monotonic() - began < SOON / 2  # at most a second for the first of them, and a goodbye
        assert handler.records == []


@on_every_loop
async def test_loops_a_handler_that_blocks_for_ever_holds_up_nothing() -> None:
    with blocked("swim_anyio") as handler:
        with anyio.fail_after(SOON / 2):
            async with (
                swim_anyio.open_node(HERE, name="a", config=QUICK) as a,
                swim_anyio.open_node(HERE, name="b", config=QUICK, join=[a.local.address]) as b,
            ):
                await a.wait_for_members(2)
                await until(handler.entered.is_set)
                await b.wait_for_members(2)
                while await b.ping("a") is None:  # one may be answered too late
                    pass
        assert handler.records == []


def test_records_tell_the_time_and_the_thread_of_their_cause() -> None:
    with blocked("swim_threads") as handler:
        config = FakeConfig()
        began = time.time()
        with swim_threads.open_node(HERE, name="ann", config=config) as node:
            engine_of(node).act(lambda *_: config.node.events.append(MemberJoined(BOB)))
            assert handler.entered.wait(SOON)
            acted, thread = time.time(), protocol_thread(node)
            handler.go_on.set()
            wait_until(lambda: handler.records)
        (record,) = handler.records
        assert began <= record.created <= acted
        assert (record.thread, record.threadName) == (thread.ident, "swim ann")
        assert record.msecs == int(record.created % 1 * 1_000)


def test_lines_that_wait_have_a_bound_and_what_is_lost_is_counted() -> None:
    with blocked("swim_threads") as handler:
        config = FakeConfig()
        with swim_threads.open_node(HERE, name="ann", config=config) as node:
            engine_of(node).act(lambda *_: config.node.events.append(Isolated()))
            assert handler.entered.wait(SOON)
            engine_of(node).act(lambda *_: config.node.events.extend([Isolated()] * (MOST + 9)))
            handler.go_on.set()
            wait_until(lambda: len(handler.records) == MOST)
            engine_of(node).act(lambda *_: config.node.events.append(Reconnected()))
        assert [record.getMessage() for record in handler.records[MOST:]] == [
            "ann: 10 lines of the log were lost here: the log handlers are too slow",
            "ann: other members are heard again",
        ]


def test_the_thread_of_the_log_ends_when_there_is_nothing_to_write() -> None:
    writer = LogWriter()
    assert not writer.then(print)
    writer.flush(SOON)
    assert not alive("swim log")


# listeners


def test_a_listener_that_raises_and_a_log_that_raises_at_that_end_no_other_listener() -> None:
    heard: list[Event] = []

    def broken(_: Event) -> None:
        raise SystemExit("mine")

    handler, trouble = filtering(AttributeError("no tenant here"))
    config = FakeConfig()
    with (
        handled(handler, "swim_threads.listeners"),
        swim_threads.open_node(HERE, name="ann", config=config) as node,
    ):
        node.add_listener(broken)
        node.add_listener(heard.append)
        for _ in range(3):
            engine_of(node).act(lambda *_: config.node.events.append(Isolated()))
        wait_until(lambda: heard == [Isolated()] * 3)
    assert trouble.seen == ["ann: a listener raised an exception on Isolated"] * 3


# limits


@contextmanager
def no_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As with RLIMIT_NPROC or pids.max at their limit."""

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("can't start new thread")

    name = "_start_joinable_thread" if hasattr(threading, "_start_joinable_thread") else "_start_new_thread"
    with monkeypatch.context() as patch:
        patch.setattr(threading, name, fails)
        yield


def test_threads_without_threads_what_needs_one_is_refused_and_all_else_goes_on(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Event] = []
    config = FakeConfig()
    with swim_threads.open_node(HERE, name="ann", config=config) as node:
        with no_threads(monkeypatch):
            with pytest.raises(RuntimeError, match="new thread"):
                node.add_listener(heard.append)
            with pytest.raises(RuntimeError, match="new thread"):
                swim_threads.open_node(HERE, config=FakeConfig())
            node.join("seed.example:7946")  # looked up again, later
            engine_of(node).act(lambda *_: config.node.events.append(Isolated()))
            assert node.broadcast(b"x") == 1
        node.add_listener(heard.append)
        engine_of(node).act(lambda *_: config.node.events.append(Reconnected()))
        wait_until(lambda: heard == [Reconnected()])
    assert "probably cut off" in caplog.text  # written when there was a thread again


@on_every_loop
async def test_loops_without_threads_a_name_is_looked_up_again() -> None:
    with pytest.MonkeyPatch.context() as patch:
        async with (
            swim_anyio.open_node(HERE, name="a", config=QUICK) as a,
            swim_anyio.open_node(HERE, name="b", config=QUICK) as b,
        ):
            with no_threads(patch):
                b.join(f"localhost:{a.local.address.port}")
            with anyio.fail_after(SOON):
                await b.wait_for_members(2)


# trace functions, as debuggers and coverage have, which Python runs in every thread


@contextmanager
def traced(wanted: Callable[[FrameType], bool]) -> Iterator[None]:
    """Every new thread has a trace function that raises where a frame is ``wanted``."""

    def trace(frame: FrameType, event: str, _: Any) -> None:
        if wanted(frame):
            raise ZeroDivisionError("a bug of the debugger's")

    before = threading.gettrace()
    threading.settrace(trace)
    try:
        yield
    finally:
        threading.settrace(before)


@pytest.mark.parametrize("function", ["feed_tick", "_serve", "_tick", "poll_deadline"])
def test_threads_a_trace_function_that_raises_is_a_failure_with_its_traceback(function: str) -> None:
    before = set(threading.enumerate())
    with traced(lambda frame: frame.f_code.co_name == function):
        try:
            node = swim_threads.open_node(HERE, config=(config := FakeConfig()))
        except NodeCrashed as error:  # it came while the node was opened
            crashed = error
        else:
            config.node.deadline = 0.0
            wake(node)
            with pytest.raises(NodeCrashed) as caught:
                node.wait_for_members(2, SOON)
            crashed = caught.value
            node.close()
    assert isinstance(crashed.__cause__, ZeroDivisionError)
    assert crashed.__cause__.__traceback__ is not None
    left = set(threading.enumerate()) - before
    assert not [thread for thread in left if thread.name.startswith("swim") and thread.is_alive()]


def test_threads_a_trace_function_that_always_raises_is_told_when_the_node_opens(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[threading.ExceptHookArgs] = []
    monkeypatch.setattr(threading, "excepthook", told.append)
    with traced(lambda _: True), pytest.raises(RuntimeError, match="ended before it began"):
        swim_threads.open_node(HERE, config=FakeConfig())
    config = FakeConfig()
    with swim_threads.open_node(HERE, config=config) as node:
        with traced(lambda _: True), pytest.raises(RuntimeError, match="ended before it began"):
            node.add_listener(print)
        assert node.broadcast(b"x") == 1
    assert [error.exc_type for error in told] == [ZeroDivisionError] * 2


@on_every_loop
async def test_loops_a_trace_function_that_raises_is_a_failure_with_its_traceback() -> None:
    def trace(frame: FrameType, event: str, _: Any) -> None:
        if frame.f_code.co_name == "feed_tick":
            raise ZeroDivisionError("a bug of the debugger's")

    async def run() -> None:
        before = sys.gettrace()
        async with swim_anyio.open_node(HERE, config=QUICK):
            sys.settrace(trace)
            try:
                await anyio.sleep(SOON)
            finally:
                sys.settrace(before)

    with traced(lambda frame: frame.f_code.co_name == "feed_tick"), pytest.raises(NodeCrashed) as caught:
        await run()
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert caught.value.__cause__.__traceback__ is not None


# stacks


def raised_with_room_for(calls: int, act: Callable[[], object]) -> BaseException | None:
    """What ``act`` raises in a thread whose stack has room for about so many calls."""
    raised: list[BaseException] = []

    def descend(frames: int) -> object:
        return descend(frames - 1) if frames > 0 else act()

    def run() -> None:
        try:
            descend(sys.getrecursionlimit() - calls)
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join(SOON)
    return raised[0] if raised else None


def test_threads_a_stack_that_is_used_up_within_a_call_changes_nothing_or_ends_the_node() -> None:
    crashed = 0
    for calls in count(1):
        node = swim_threads.open_node(HERE, name="ann", config=QUICK)
        events, engine = node.subscribe(), thread_engine_of(node)
        raised = raised_with_room_for(calls, partial(node.broadcast, b"deep"))
        if engine.failure is None:
            assert node.broadcast(b"x") == (2 if raised is None else 1)
            node.close()
        else:
            crashed += 1
            with pytest.raises(NodeCrashed) as caught:
                events.get(SOON)
            assert isinstance(caught.value.__cause__, RecursionError)
            wait_until(partial(getattr, engine, "done"))
        if raised is None:
            break
    assert crashed > 3


# what failed


@on_every_loop
async def test_loops_what_failed_raises_at_the_next_call_and_a_scrape_tells_at_once() -> None:
    def refused() -> bool:
        try:
            node.members()
        except NodeCrashed:
            return True
        return False

    config = FakeConfig()
    opening = swim_anyio.open_node(HERE, config=config)
    node = await opening.__aenter__()
    collector = NodeCollector(node)
    assert collector.read().keys() == {node.local.name}
    if isinstance(engine_of(node), ThreadedEngine):
        thread_engine_of(node).fail(ZeroDivisionError())
        wait_until(refused)  # while the loop is blocked, and knows nothing yet
    else:
        engine_of(node).failed(ZeroDivisionError())  # type: ignore[attr-defined]
    assert refused()
    assert collector.read() == {}
    with pytest.raises(NodeCrashed):
        node.broadcast(b"x")
    with pytest.raises(NodeCrashed):
        await opening.__aexit__(None, None, None)
