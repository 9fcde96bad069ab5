"""Lines that the thread which reads them has the loop carry out without a task."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import anyio
import pytest
from anyio.to_thread import run_sync

from support.fake_node import FakeConfig
from support.loops import LOOPS, run_clean
from support.waiting import HERE
from swim_anyio import AsyncNode, open_node
from swim_anyio.command import console
from swim_anyio.command.console import Console
from swim_core import PayloadTooLarge

pytestmark = [
    pytest.mark.sockets,
    pytest.mark.parametrize("loop", list(LOOPS)),
    pytest.mark.parametrize("driver", ["loop", "thread"]),
]

LINES = [b"broadcast x", b"broadcast too much", b"send ann x", b"members", b"leave", b"", b"nonsense"]


def of(node: AsyncNode, *, confirms: bool = False) -> Console:
    return Console(node, cast(Any, None), lambda: None, confirms=confirms)


def test_broadcasts_are_carried_out_and_all_else_is_left_to_a_task(loop: str, driver: str) -> None:
    async def main() -> None:
        config = FakeConfig()
        async with open_node(HERE, config=config) as node:
            done: dict[bytes, bool] = {}
            for line in LINES:
                if line.endswith(b"too much"):
                    config.node.raises["broadcast"] = PayloadTooLarge("too much waits")
                done[line] = await run_sync(of(node).obey_at_once, line)
            assert done == {line: line in (b"broadcast x", b"send ann x") for line in LINES}
            assert config.node.broadcasts == [b"x"]
            assert config.node.notes == [("ann", b"x")]

    run_clean(loop, main, cast(Any, driver))


def test_a_broadcast_that_is_to_be_confirmed_is_left_to_a_task(loop: str, driver: str) -> None:
    async def main() -> None:
        config = FakeConfig()
        async with open_node(HERE, config=config) as node:
            assert not await run_sync(of(node, confirms=True).obey_at_once, b"broadcast x")
            assert config.node.broadcasts == []

    run_clean(loop, main, cast(Any, driver))


def test_a_line_that_a_busy_loop_does_not_get_to_is_left_to_a_task_and_not_carried_out_twice(
    loop: str, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "BUSY", 0.01)

    async def main() -> None:
        config = FakeConfig()
        async with open_node(HERE, config=config) as node:
            obey, done = of(node).obey_at_once, list[bool]()
            with ThreadPoolExecutor(1) as reader:
                done.append(reader.submit(obey, b"broadcast x").result(30))  # meanwhile the loop is blocked
            await anyio.sleep(0.01)
            assert done == [False]
            assert config.node.broadcasts == []

    run_clean(loop, main, cast(Any, driver))
