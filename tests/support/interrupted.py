"""A process whose node is interrupted hundreds of times, as if by Ctrl-C, at any instruction; it ends with 0 or hangs.

Run by test_threads_interrupts.py. The timer is armed for a use of the node only, and not for what surrounds it: no
Python code can be written that ends well wherever an exception is raised in it. Each exception is kept, since its
traceback keeps alive what was left undone.
"""

import asyncio
import contextlib
import faulthandler
import random
import signal
import sys
import threading
from collections.abc import Callable

import swim_anyio
import swim_threads
from support.fake_node import FakeConfig
from support.inside import engine_of
from support.waiting import HERE
from swim_core import Isolated
from swim_threads import Subscription, ThreadNode

ROUNDS = 80  # of interruptions, one of each use
PATIENCE = 20.0  # seconds; bounds what would otherwise hang


class Interrupts:
    """Raises `KeyboardInterrupt` in the main thread once for each time that it was armed."""

    def __init__(self) -> None:
        self.raised: list[KeyboardInterrupt] = []
        self._armed = False
        signal.signal(signal.SIGALRM, self._interrupt)

    def end(self, use: Callable[[], object]) -> None:
        """Repeat ``use`` until it is interrupted."""
        try:
            self._repeat(use)  # a loop of its own frame: Python 3.12 and 3.13 leave its last jump outside of `try`
        except KeyboardInterrupt as error:
            self.raised.append(error)

    def end_each(self, *uses: Callable[[], object]) -> None:
        """Do this with all ``uses`` in turn."""
        for use in uses * ROUNDS:
            self.end(use)

    def _repeat(self, use: Callable[[], object]) -> None:
        self._armed = True
        signal.setitimer(signal.ITIMER_REAL, random.uniform(0.00002, 0.0006))
        while self._armed:  # an exception raised in a destructor is swallowed, and printed, by the interpreter
            use()

    def _interrupt(self, *_: object) -> None:
        if self._armed:
            self._armed = False
            raise KeyboardInterrupt


def read(events: Subscription, timeout: float) -> None:
    with contextlib.suppress(TimeoutError):
        events.get(timeout)


def wait(node: ThreadNode) -> None:
    with contextlib.suppress(TimeoutError):
        node.wait_for_members(2, timeout=0.0001)


def threads(interrupts: Interrupts) -> None:
    config = FakeConfig()
    with swim_threads.open_node(HERE, config=config) as node:
        empty, events = node.subscribe(), node.subscribe()
        interrupts.end_each(
            node.members,
            lambda: node.broadcast(b"x"),
            lambda: engine_of(node).act(lambda *_: config.node.events.append(Isolated())),
            lambda: read(events, 0),
            lambda: read(empty, 0.0001),
            lambda: wait(node),
        )


async def loop(interrupts: Interrupts) -> None:
    config = FakeConfig()
    async with swim_anyio.open_node(HERE, config=config, driver="thread") as node:
        with node.subscribe() as events:
            interrupts.end_each(
                node.members,
                lambda: node.broadcast(b"x"),
                lambda: engine_of(node).act(lambda *_: config.node.events.append(Isolated())),
                events.clear,
            )


if __name__ == "__main__":
    faulthandler.dump_traceback_later(PATIENCE, exit=True)
    interrupts = Interrupts()
    if sys.argv[1] == "threads":
        threads(interrupts)
    else:
        asyncio.run(loop(interrupts))
    assert interrupts.raised
    assert [thread for thread in threading.enumerate() if thread.name.startswith("swim")] == []
