"""A node in a thread of its own, for an event loop: when the loop is woken, what runs a node, and blocked loops."""

import asyncio
import threading
import time
from contextlib import closing, suppress

import anyio
import pytest
import trio
from anyio.lowlevel import checkpoint
from trio.testing import MockClock

from support.fake_node import GOODBYE, FakeConfig
from support.inside import awaits_an_event, calls_of_loop, engine_of, protocol_thread, thread_engine_of
from support.loops import LOOPS, run_clean
from support.plain_peer import peer
from support.waiting import HERE, until
from swim_anyio import AsyncNode, open_node
from swim_anyio.engine import Engine
from swim_anyio.threaded import ThreadedEngine
from swim_core import ConfigError, JoinAttempt, NotRunning, Reconnected

pytestmark = pytest.mark.sockets
every_loop = pytest.mark.parametrize("loop", list(LOOPS))


def elsewhere(node: AsyncNode, config: FakeConfig, *events: object) -> None:
    """Have the node raise ``events`` from a thread other than the loop's, as its own thread does."""

    def happen(*_: object) -> None:
        config.node.events.extend(events)  # type: ignore[arg-type]

    thread = threading.Thread(target=thread_engine_of(node).act, args=(happen,))
    thread.start()
    thread.join()


@every_loop
def test_the_loop_is_not_woken_for_what_nobody_waits_for(loop: str) -> None:
    async def main() -> None:
        config = FakeConfig()
        with peer() as (_, sock):
            async with open_node(HERE, config=config) as node:
                events = node.subscribe()
                calls = calls_of_loop(node)
                sock.sendto(b"ping", node.local.address)
                await until(lambda: config.node.datagrams)
                elsewhere(node, config, Reconnected(), JoinAttempt(()))  # there are no names to look up
                assert calls == []
                assert await events.get() == Reconnected()
                assert calls == []

    run_clean(loop, main, "thread")


@every_loop
def test_the_loop_is_woken_once_for_all_that_came_meanwhile(loop: str) -> None:
    async def main() -> None:
        config = FakeConfig()
        seen: list[object] = []

        async def read() -> None:
            async for event in events:
                seen.append(event)

        async with open_node(HERE, config=config) as node, anyio.create_task_group() as tasks:
            with node.subscribe() as events:
                tasks.start_soon(read)
                await until(lambda: awaits_an_event(events))
                calls = calls_of_loop(node)
                for _ in range(3):  # the loop is blocked meanwhile
                    elsewhere(node, config, Reconnected(), Reconnected())
                assert len(calls) == 1
                await until(lambda: len(seen) == 6)
                assert len(calls) == 1

    run_clean(loop, main, "thread")


@every_loop
def test_a_blocked_loop_does_not_keep_the_node_from_answering(loop: str) -> None:
    async def main() -> None:
        config = FakeConfig()
        with peer() as (_, sock):
            async with open_node(HERE, config=config) as node:
                here = node.local.address
                sock.settimeout(5)
                for _ in range(3):
                    sock.sendto(b"ping", here)
                    assert sock.recv(100) == b"ack"  # the loop waits for it
                await checkpoint()

    run_clean(loop, main, "thread")


@every_loop
def test_the_end_awaits_the_thread_even_if_cancelled_again(loop: str) -> None:
    async def main() -> None:
        with anyio.CancelScope() as outer:
            async with open_node(HERE, config=FakeConfig()) as node:
                thread = protocol_thread(node)
                assert thread.is_alive()
                outer.cancel()
                await checkpoint()
        assert not thread.is_alive()

    run_clean(loop, main, "thread")


def test_a_loop_that_is_gone_is_not_called() -> None:
    """As after `loop.stop()`, when nobody has left the block."""
    opened: list[tuple[open_node, AsyncNode]] = []

    async def main() -> None:
        opening = open_node(HERE, config=config, driver="thread")
        opened.append((opening, await opening.__aenter__()))

    config = FakeConfig()
    LOOPS["asyncio"](main)
    engine = thread_engine_of(opened[0][1])
    engine.stop()
    assert engine.done


@pytest.mark.parametrize("loop", [loop for loop in LOOPS if loop != "trio"])  # which closes what is open
def test_a_node_whose_loop_was_closed_says_goodbye_and_ends(loop: str) -> None:
    config = FakeConfig()
    with peer() as (address, sock), closing(new_loop(loop)) as another:
        with closing(new_loop(loop)) as closed:
            opening = open_node(HERE, config=config, driver="thread")
            node = closed.run_until_complete(opening.__aenter__())
            config.node.goodbye_to.append(address)
        engine = thread_engine_of(node)
        with suppress(NotRunning):  # a slow thread's first tick may come this late
            engine.act(lambda fake, now: setattr(fake, "deadline", now))
        engine.wait_ended()
        assert sock.recv(100) == GOODBYE
        assert node.members() == (node.local,)
        with pytest.raises(NotRunning):
            node.broadcast(b"x")
        another.run_until_complete(opening.__aexit__(None, None, None))  # late, but it doesn't hang


def new_loop(kind: str) -> asyncio.AbstractEventLoop:
    if kind == "asyncio":
        return asyncio.new_event_loop()
    import uvloop

    return uvloop.new_event_loop()


@every_loop
def test_what_runs_a_node_can_be_chosen(loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        for variable, expected in (("", ThreadedEngine), ("thread", ThreadedEngine), ("loop", Engine)):
            monkeypatch.setenv("SWIM_DRIVER", variable)
            async with open_node(HERE, config=FakeConfig()) as node:
                assert type(engine_of(node)) is expected
        async with open_node(HERE, config=FakeConfig(), driver="thread") as node:
            assert type(engine_of(node)) is ThreadedEngine

    run_clean(loop, main, "loop")
    monkeypatch.setenv("SWIM_DRIVER", "looop")
    with pytest.raises(ConfigError, match=r"SWIM_DRIVER: 'looop'"):
        open_node(HERE)
    with pytest.raises(ConfigError, match="driver: 'x'"):
        open_node(HERE, driver="x")  # type: ignore[arg-type]


def test_a_thread_is_of_no_use_in_virtual_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async def main() -> None:
        async with open_node(HERE, config=FakeConfig()) as node:
            assert type(engine_of(node)) is Engine

    monkeypatch.delenv("SWIM_DRIVER", raising=False)
    start = time.monotonic()
    trio.run(main, clock=MockClock(autojump_threshold=0))
    trio.run(main, clock=MockClock(rate=1.0))
    assert time.monotonic() - start < 60
