"""What a call of a running node takes: `broadcast`, `send` and `members`, by who calls and by what else runs.

    python tests/bench/calls.py                       # about a minute
    python tests/bench/calls.py --calls 2000 --faces threads loop

Two members on loopback in one process. Microseconds, median and 99th percentile, of single calls with pauses between
them, as programs make them. `main` is the main thread, the one in which signal handlers run; `other` is any other one.
`loop` stands for asyncio with the driver "loop", `asyncio` and `trio` for a protocol in a thread. With `busy`, another
thread of the process computes all the time: who hands something to another thread waits for the interpreter, too.
Compare rows of one run, or of alternating runs.
"""

import argparse
import contextlib
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from typing import Any, Literal

import anyio
import anyio.to_thread

import swim_anyio
import swim_threads
from swim_core import Config

PAUSE = 0.001  # seconds between two calls
BROADCAST_PAUSE = 0.022  # the same for broadcasts, of which a node tells fifty a second: none is to wait
HERE = ("127.0.0.1", 0)
FACES = ("main", "other", "asyncio", "trio", "loop")

Calls = dict[str, tuple[Callable[[], object], float]]


def calls_of(node: Any) -> Calls:
    """What is measured, and how long to wait after each."""
    return {
        "broadcast": (lambda: node.broadcast(b"sixteen bytes it"), BROADCAST_PAUSE),
        "send": (lambda: node.send("b", b"sixteen bytes it"), PAUSE),
        "members": (node.members, PAUSE),
    }


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return (time.perf_counter() - start) * 1e6


def row(name: str, call: str, taken: list[float]) -> None:
    taken.sort()
    print(f"{name:14} {call:10} {statistics.median(taken):9.1f} {taken[int(0.99 * len(taken))]:9.1f}", flush=True)


def threads(name: str, count: int) -> None:
    config = Config.local()
    with (
        swim_threads.open_node(HERE, name="a", config=config) as node,
        swim_threads.open_node(HERE, name="b", config=config, join=[node.local.address]),
    ):
        node.wait_for_members(2, 20)
        for call, (function, pause) in calls_of(node).items():
            taken = []
            for _ in range(count):
                time.sleep(pause)
                taken.append(timed(function))
            row(name, call, taken)


async def loops(name: str, count: int, driver: Literal["thread", "loop"]) -> None:
    config = Config.local()
    async with (
        swim_anyio.open_node(HERE, name="a", config=config, driver=driver) as node,
        swim_anyio.open_node(HERE, name="b", config=config, driver=driver, join=[node.local.address]),
    ):
        await node.wait_for_members(2)
        for call, (function, pause) in calls_of(node).items():
            taken = []
            for _ in range(count):
                await anyio.sleep(pause)
                taken.append(timed(function))
            row(name, call, taken)


def measure(face: str, name: str, count: int) -> None:
    if face == "main":
        threads(name, count)
    elif face == "other":
        thread = threading.Thread(target=threads, args=(name, count))
        thread.start()
        thread.join()
    else:
        backend = "trio" if face == "trio" else "asyncio"
        anyio.run(loops, name, count, "loop" if face == "loop" else "thread", backend=backend)


@contextlib.contextmanager
def computing() -> Any:
    """Another thread that computes and never waits."""
    ended = threading.Event()

    def compute() -> None:
        while not ended.is_set():
            sum(range(1_000))

    thread = threading.Thread(target=compute)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def main() -> None:
    """Measure what the command line asks for, each face in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=300, help="of each kind")
    parser.add_argument("--faces", nargs="+", choices=FACES, default=FACES)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--busy", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        with computing() if options.busy else contextlib.nullcontext():
            measure(options.one, options.one + (", busy" if options.busy else ""), options.calls)
        return
    print("who calls      what          median       p99   (microseconds)")
    for face in options.faces:
        for busy in ([], ["--busy"]):
            argv = [sys.executable, __file__, "--calls", str(options.calls), "--one", face, *busy]
            subprocess.run(argv, check=True)


if __name__ == "__main__":
    main()
