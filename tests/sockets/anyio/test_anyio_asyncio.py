"""asyncio's own ways to cancel and group tasks, around and inside a node's block."""

# ruff: noqa: PT012 - what whole blocks raise is the subject here
import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from support.fake_node import FakeConfig
from support.loops import DRIVERS, run_clean
from support.plain_peer import provoke
from support.waiting import HERE, SOON
from swim_anyio import open_node
from swim_core import NodeCrashed, NotRunning

pytestmark = [
    pytest.mark.sockets,
    pytest.mark.parametrize("loop", ["asyncio", "uvloop"]),
    pytest.mark.parametrize("driver", DRIVERS),
]


async def fail_inside(config: FakeConfig) -> None:
    """A block that its node's failure cancels."""
    async with open_node(HERE, config=config) as node:
        config.node.raises["feed_datagram"] = ZeroDivisionError("a bug")
        provoke(node)
        await asyncio.sleep(60)


def test_a_task_that_is_cancelled_is_cancelled(loop: str, driver: str) -> None:
    config = FakeConfig()

    async def serve() -> None:
        async with open_node(HERE, config=config):
            entered.set()
            await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(serve())
        await entered.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert config.node.left_at is not None
        assert not config.node.has_left

    entered = asyncio.Event()
    run_clean(loop, main, driver)


def test_a_timeout_around_the_block(loop: str, driver: str) -> None:
    async def main() -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.02):
                async with open_node(HERE, config=FakeConfig()):
                    await asyncio.sleep(60)

    run_clean(loop, main, driver)


def test_a_timeout_inside_the_block(loop: str, driver: str) -> None:
    async def main() -> None:
        async with open_node(HERE, config=FakeConfig()):
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.02):
                    await asyncio.sleep(60)
            await asyncio.sleep(0)

    run_clean(loop, main, driver)


def test_a_crash_leaves_no_cancellation_behind(loop: str, driver: str) -> None:
    async def main() -> None:
        with pytest.raises(NodeCrashed):
            await fail_inside(FakeConfig())
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        await asyncio.sleep(0)

    run_clean(loop, main, driver)


def test_a_crash_inside_a_task_group_is_that_tasks_exception(loop: str, driver: str) -> None:
    async def main() -> None:
        with pytest.raises(ExceptionGroup) as caught:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(fail_inside(FakeConfig()))
                tasks.create_task(asyncio.sleep(60))
        assert [type(error) for error in caught.value.exceptions] == [NodeCrashed]

    run_clean(loop, main, driver)


def test_a_crash_cancels_a_task_group_inside_the_block(loop: str, driver: str) -> None:
    config = FakeConfig()

    async def main() -> None:
        with pytest.raises(NodeCrashed):
            async with open_node(HERE, config=config) as node, asyncio.TaskGroup() as tasks:
                tasks.create_task(asyncio.sleep(60))
                config.node.raises["feed_datagram"] = ZeroDivisionError("a bug")
                provoke(node)

    run_clean(loop, main, driver)


def test_a_cancellation_from_outside_outweighs_a_crash(loop: str, driver: str) -> None:
    config = FakeConfig()

    async def serve() -> None:
        async with open_node(HERE, config=config) as node:
            config.node.raises["feed_datagram"] = ZeroDivisionError("a bug")
            provoke(node)
            try:
                await asyncio.sleep(60)
            finally:
                tasks[0].cancel()  # now both have cancelled it

    async def main() -> None:
        tasks.append(asyncio.create_task(serve()))
        with pytest.raises(asyncio.CancelledError):
            await tasks[0]

    tasks: list[asyncio.Task[None]] = []
    run_clean(loop, main, driver)


def test_entering_and_leaving_in_tasks_of_their_own(loop: str, driver: str) -> None:
    """The fixtures of pytest-asyncio and unittest's set-up do this."""
    config = FakeConfig()

    async def in_a_task(step: Coroutine[Any, Any, object]) -> None:
        await asyncio.create_task(step)

    async def main() -> None:
        opening = open_node(HERE, config=config)
        await in_a_task(opening.__aenter__())
        await in_a_task(opening.__aexit__(None, None, None))
        assert config.node.has_left

        opening = open_node(HERE, config=config)
        node = await asyncio.create_task(opening.__aenter__())
        config.node.raises["feed_datagram"] = ZeroDivisionError("a bug")
        provoke(node)
        await asyncio.sleep(0.01)
        with pytest.raises(NodeCrashed):
            await in_a_task(opening.__aexit__(None, None, None))

    run_clean(loop, main, driver)


def test_leaving_in_another_task_while_the_first_goes_on(loop: str, driver: str) -> None:
    """Frameworks with hooks at start and end may do this: what one hook enters the other one leaves."""
    config = FakeConfig()

    async def main() -> None:
        opening = open_node(HERE, config=config)
        node = await opening.__aenter__()
        async with asyncio.timeout(SOON):
            await asyncio.create_task(_leave(opening))
        assert config.node.has_left
        with pytest.raises(NotRunning):
            node.broadcast(b"too late")
        async with open_node(HERE, config=config) as again:  # nothing of it is in the way of what comes next
            assert again.local.address != node.local.address

    async def _leave(opening: open_node) -> None:
        await opening.__aexit__(None, None, None)

    run_clean(loop, main, driver)
