"""Runs a coroutine function under each event loop that swim_anyio serves, with what runs a node there.

And sees that nothing is left behind.
"""

import asyncio
import inspect
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import cache, partial, wraps
from typing import Any
from unittest.mock import patch

import pytest
import trio
from anyio.lowlevel import checkpoint

from support.waiting import SOON

__all__ = ["DRIVERS", "LOOPS", "on_every_loop", "run_clean"]

Main = Callable[[], Awaitable[None]]


def _uvloop(main: Callable[[], Any]) -> None:
    import uvloop

    uvloop.run(main())


LOOPS: dict[str, Callable[[Callable[[], Any]], None]] = {
    "asyncio": lambda main: asyncio.run(main()),
    "uvloop": _uvloop,
    "trio": lambda main: trio.run(main),
}
if sys.platform == "win32":
    del LOOPS["uvloop"]


DRIVERS = ("thread", "loop")


def run_clean(loop: str, main: Main, driver: str) -> None:
    """Run ``main``; afterwards no task or thread of it lives, and no file is open that was not before."""

    async def watched() -> None:
        before = _tasks()
        try:
            await main()
        finally:
            assert _tasks() == before, "a task is left"

    _warm(loop)
    files, threads = _open_files(), set(threading.enumerate())
    try:
        with patch.dict(os.environ, SWIM_DRIVER=driver):
            LOOPS[loop](watched)
    finally:
        left = set(threading.enumerate()) - threads
        for thread in left:
            if thread.name in ("swim resolver", "swim log"):  # shared by all nodes, they end by themselves
                thread.join(SOON)
        assert not any(thread.name.startswith("swim") for thread in left if thread.is_alive()), "a thread is left"
        assert _open_files() == files, "a socket is left"


def on_every_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Make of an async function a test that `run_clean` runs under each loop and driver; it may take fixtures."""

    @pytest.mark.sockets
    @pytest.mark.parametrize("driver", DRIVERS)
    @pytest.mark.parametrize("loop", list(LOOPS))
    @wraps(test)
    def run(loop: str, driver: str, **fixtures: Any) -> None:
        run_clean(loop, partial(test, **fixtures), driver)

    parameters = inspect.signature(test).parameters.values()
    own = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in ("loop", "driver")]
    keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in parameters]
    run.__signature__ = inspect.Signature([*own, *keywords])
    marked: Callable[..., None] = run
    return marked


@cache
def _warm(loop: str) -> None:
    """Let a loop open what it keeps for the life of the process (in uvloop a pipe for signals)."""

    async def nothing() -> None:
        await checkpoint()

    LOOPS[loop](nothing)


def _tasks() -> int:
    if trio.lowlevel.in_trio_task():  # type: ignore[attr-defined,unused-ignore]
        return trio.lowlevel.current_statistics().tasks_living
    return len(asyncio.all_tasks())


def _open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 0
