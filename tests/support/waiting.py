"""Waiting for conditions, and never for a time: a busy machine is slow, and nothing else."""

import time
from collections.abc import Callable

import anyio

__all__ = ["HERE", "SOON", "until", "wait_until"]

HERE = ("127.0.0.1", 0)
SOON = 40.0
"""Seconds that bound what would otherwise hang; a tenth of a second is enough on a machine that does nothing else."""


def wait_until(condition: Callable[[], object]) -> None:
    """Look again and again until ``condition`` holds."""
    end = time.monotonic() + SOON
    while not condition():
        assert time.monotonic() < end, "did not happen"
        time.sleep(0.005)


async def until(condition: Callable[[], object]) -> None:
    """Let the loop run until ``condition`` holds."""
    with anyio.fail_after(SOON):
        while not condition():
            await anyio.sleep(0.001)
