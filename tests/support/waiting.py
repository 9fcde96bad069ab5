"""Waits for conditions, never for a time, so that a busy machine only makes tests slower."""

import threading
import time
from collections.abc import Callable

import anyio

from swim_threads.logs import log_writer

__all__ = ["HERE", "SOON", "all_logged", "until", "wait_until"]

HERE = ("127.0.0.1", 0)
SOON = 40.0
"""Seconds that bound what would otherwise hang; a tenth of a second is enough on an idle machine."""


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


def all_logged() -> None:
    """Wait until what nodes have said so far is in the log: another thread writes it."""
    written = threading.Event()
    if log_writer.then(written.set):
        assert written.wait(SOON), "nothing writes the log"
