"""A process whose nodes, of the real protocol, are interrupted thousands of times, at any instruction of any call.

    interrupted_core.py threads|asyncio|trio|asyncio-loop|trio-loop INTERRUPTS [SEED]

Run by test_interrupts.py. It ends with 0 if every call was done or not done and the nodes went on; or, with the
protocol in the loop, if a node that was broken said so. As in `interrupted.py` the timer is armed for calls only.
"""

import asyncio
import contextlib
import faulthandler
import random
import signal
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Literal

import anyio
import trio

import swim_anyio
import swim_threads
from support.inside import engine_of, waits_left
from support.interrupted import Interrupts
from support.waiting import HERE, SOON, until, wait_until
from swim_core import BroadcastReceived, Config, NodeCrashed, SwimError

CONFIG = Config.local(event_buffer=100_000)
Use = Callable[[], object]


def uses_of(node: Any, others: list[Any]) -> list[Use]:
    """Every kind of call that neither waits nor is a coroutine."""
    numbers = iter(range(10**9))
    seeds = [other.local.address for other in others]
    name = others[0].local.name
    return [
        lambda: tell(node),
        lambda: node.update_metadata({"n": str(next(numbers))}),
        lambda: node.join([random.choice(seeds), "localhost:1"]),
        lambda: node.send(name, b"s"),
        lambda: node.members(gone=True),
        lambda: node.explain(name),
        lambda: node.contact(name),
        node.statistics,
        lambda: node.subscribe(current=True).close(),
    ]


def tell(node: Any) -> None:
    with contextlib.suppress(SwimError):  # Overloaded, soon
        node.broadcast(b"x")


def listen(node: swim_threads.ThreadNode) -> None:
    node.add_listener(lambda _: None).remove()


def get(events: swim_threads.Subscription) -> None:
    with contextlib.suppress(TimeoutError):
        events.get(random.choice([0, 0.0001]))


def wait(node: swim_threads.ThreadNode) -> None:
    with contextlib.suppress(TimeoutError):
        node.wait_for_members(9, timeout=0.0001)


def agree(nodes: list[Any]) -> bool:
    """Whether all see the same members in the same state, and nothing waits to be told."""
    views = [node.members() for node in nodes]
    return all(view == views[0] for view in views) and not any(node.statistics().pending for node in nodes)


def threads(interrupts: Interrupts, count: int) -> None:
    with contextlib.ExitStack() as stack:
        nodes: list[swim_threads.ThreadNode] = []
        for name in "abc":
            join = [nodes[0].local.address] if nodes else None
            nodes.append(stack.enter_context(swim_threads.open_node(HERE, name=name, config=CONFIG, join=join)))
        for node in nodes:
            node.wait_for_members(3, SOON)
        first, *others = nodes
        heard: list[bytes] = []
        for node in others:
            node.add_broadcast_listener(lambda event: heard.append(event.payload))
        events = first.subscribe()
        uses = [*uses_of(first, others), lambda: listen(first), lambda: get(events), lambda: wait(first)]
        while len(interrupts.raised) < count:
            interrupts.end(random.choice(uses))
        first.join([node.local.address for node in others])
        wait_until(lambda: agree(nodes))
        first.broadcast(b"last")
        wait_until(lambda: heard.count(b"last") == 2)
        assert waits_left(first) <= 1, "waits were left behind"  # one of them calls the listeners


@contextlib.asynccontextmanager
async def opened(driver: Literal["thread", "loop"], *names: str) -> AsyncIterator[list[swim_anyio.AsyncNode]]:
    async with contextlib.AsyncExitStack() as stack:
        nodes: list[swim_anyio.AsyncNode] = []
        for name in names:
            join = [nodes[0].local.address] if nodes else None
            opening = swim_anyio.open_node(HERE, name=name, config=CONFIG, join=join, driver=driver)
            nodes.append(await stack.enter_async_context(opening))
        for node in nodes:
            with anyio.fail_after(SOON):
                await node.wait_for_members(len(names))
        yield nodes


async def hears(events: swim_anyio.Subscription, payload: bytes) -> None:
    with anyio.fail_after(SOON):
        async for event in events:
            if isinstance(event, BroadcastReceived) and event.payload == payload:
                return


async def in_a_thread(interrupts: Interrupts, count: int) -> None:
    async with opened("thread", "a", "b", "c") as nodes:
        first, *others = nodes
        with first.subscribe() as mine, others[0].subscribe() as events:
            uses = [*uses_of(first, others), mine.clear]
            while len(interrupts.raised) < count:
                interrupts.end(random.choice(uses))
                await anyio.sleep(0)
            first.join([node.local.address for node in others])
            await until(lambda: agree(nodes))
            first.broadcast(b"last")
            await hears(events, b"last")


async def in_the_loop(interrupts: Interrupts, count: int) -> None:
    """An interrupted node goes on as if nothing had happened, or has failed and says so at every call."""
    failures = 0
    while len(interrupts.raised) < count:
        try:
            async with opened("loop", "a", "b") as nodes:
                first, other = nodes
                with other.subscribe() as events:
                    for number in range(100):
                        interrupts.end(random.choice(uses_of(first, [other])))
                        if engine_of(first).failure is not None:
                            for use in uses_of(first, [other])[1:]:
                                refuses(use)
                            break
                        if number % 10 == 9:
                            first.join([other.local.address])
                            await until(lambda: agree(nodes))
                            first.broadcast(b"%d" % number)
                            await hears(events, b"%d" % number)
                await anyio.sleep(SOON)
            raise AssertionError("a node that failed did not end its block")
        except NodeCrashed as error:
            if not isinstance(error.__cause__, KeyboardInterrupt):
                raise
            failures += 1
    print(failures, "failures")


def refuses(use: Use) -> None:
    try:
        use()
    except NodeCrashed:
        return
    raise AssertionError("a node that failed answered")


def run(kind: str, interrupts: Interrupts, count: int) -> None:
    if kind == "threads":
        threads(interrupts, count)
        return
    backend, _, driver = kind.partition("-")
    main: Callable[[Interrupts, int], Awaitable[None]] = in_the_loop if driver else in_a_thread
    if kind == "trio":
        trio.run(main, interrupts, count)
    elif backend == "trio":
        while len(interrupts.raised) < count:
            # trio's own inside, which a call of ours enters to set a deadline, is safe from Ctrl-C only: it says so
            with contextlib.suppress(trio.TrioInternalError):
                trio.run(main, interrupts, count)
    else:
        asyncio.run(main(interrupts, count))  # type: ignore[arg-type]


if __name__ == "__main__":
    kind, count, seed = sys.argv[1], int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else str(time.time_ns())
    print(f"{kind} {count} {seed}", flush=True)
    faulthandler.dump_traceback_later(SOON + 0.05 * count, exit=True)
    random.seed(seed)
    interrupts = Interrupts()
    run(kind, interrupts, count)
    signal.setitimer(signal.ITIMER_REAL, 0)
    # (`enumerate` keeps those whose start was interrupted.)
    wait_until(lambda: not any(t.is_alive() and t.name.startswith("swim") for t in threading.enumerate()))
