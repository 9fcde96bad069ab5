"""What an asynchronous node costs in a thread of its own and within the loop, idle and while loops are blocked.

    python tests/bench/drivers.py                     # 8 members, each a process; about a minute and a half
    python tests/bench/drivers.py --busy              # loops are blocked by Python code that computes, not by waiting
    python tests/bench/drivers.py --loops trio --drivers loop --members 20 --seconds 30

For each loop and driver a cluster on loopback is measured twice. Idle: CPU and wake-ups (voluntary context switches,
Linux only) of a member and second, all its threads together. Blocked: every second member blocks its loop for 300 ms
at a time, with 50 ms between; the others tell what they saw of it: suspicions and deaths, and how late the broadcasts
of one of them came. Compare rows of one run only. `view` is the longest that a program waited for `node.members()`,
which in a thread's case takes its lock.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from swim_anyio import AsyncNode, open_node
from swim_core import BroadcastReceived, Config, MemberDied, MemberSuspected

BLOCK, PAUSE = 0.3, 0.05  # seconds
BETWEEN = 0.2  # seconds from one broadcast to the next
SETTLE = 5.0  # seconds after the last member has joined

Result = dict[str, Any]


def usage() -> tuple[float, int]:
    """Milliseconds of CPU and wake-ups of this process so far."""
    cpu, wakes = 0.0, 0
    for task in Path("/proc/self/task").glob("*"):
        cpu += int((task / "schedstat").read_text().split()[0]) / 1e6
        status = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)
        wakes += int(status["voluntary_ctxt_switches"])
    return cpu, wakes


async def idle(seconds: float) -> Result:
    """Do nothing, and say what it cost."""
    cpu, wakes = usage()
    await anyio.sleep(seconds)
    cpu_after, wakes_after = usage()
    return {"cpu": (cpu_after - cpu) / seconds, "wakes": (wakes_after - wakes) / seconds}


class Observer:
    """What one member sees while others, or itself, block their loops."""

    def __init__(self, node: AsyncNode) -> None:
        self._node = node
        self.seen: Result = {"suspicions": 0, "deaths": 0, "latencies": [], "view": 0.0}

    async def listen(self) -> None:
        with self._node.subscribe() as events:
            async for event in events:
                match event:
                    case MemberSuspected():
                        self.seen["suspicions"] += 1
                    case MemberDied():
                        self.seen["deaths"] += 1
                    case BroadcastReceived(payload=payload):
                        self.seen["latencies"].append(1000 * (time.monotonic() - float(payload)))

    async def look(self) -> None:
        while True:
            start = time.perf_counter()
            self._node.members()
            self.seen["view"] = max(self.seen["view"], 1000 * (time.perf_counter() - start))
            await anyio.sleep(0.02)

    async def tell(self) -> None:
        while True:
            self._node.broadcast(str(time.monotonic()).encode())
            await anyio.sleep(BETWEEN)


async def block(busy: bool) -> None:
    """A program that does not yield to its loop."""
    while True:
        end = time.monotonic() + BLOCK
        if busy:
            while time.monotonic() < end:
                sum(range(1000))
        else:
            time.sleep(BLOCK)
        await anyio.sleep(PAUSE)


async def member(number: int, seed: int, options: argparse.Namespace) -> None:
    """One process: joins, measures, prints what it measured, and stays until its standard input closes."""
    config = Config.lan(probe_interval=options.probe_interval, tripwires=False)
    join = [("127.0.0.1", seed)] if seed else []
    async with open_node(("127.0.0.1", 0), name=f"n{number}", join=join, config=config, driver=options.driver) as node:
        print(node.local.address.port, flush=True)
        await node.wait_for_members(options.members)
        await anyio.sleep(SETTLE)
        result = await idle(options.seconds)
        observer = Observer(node)
        tasks: list[Callable[[], Coroutine[Any, Any, None]]] = [lambda: block(options.busy)]
        if number % 2 == 0:
            tasks = [observer.listen, observer.look]
        if number == 0:
            tasks.append(observer.tell)
        with anyio.move_on_after(options.seconds):
            async with anyio.create_task_group() as group:
                for task in tasks:
                    group.start_soon(task)
        print(json.dumps({**result, **observer.seen}), flush=True)
        await anyio.to_thread.run_sync(sys.stdin.read)


def measure(loop: str, driver: str, options: argparse.Namespace) -> str:
    """Run one cluster; returns its row."""
    argv = [sys.executable, __file__, *sys.argv[1:], "--loops", loop, "--driver", driver]
    processes: list[subprocess.Popen[str]] = []
    seed = 0
    try:
        for number in range(options.members):
            command = [*argv, "--member", str(number), "--seed", str(seed)]
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            processes.append(process)
            assert process.stdout is not None
            port = int(process.stdout.readline())
            seed = seed or port
        results = [json.loads(process.stdout.readline()) for process in processes if process.stdout is not None]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    latencies = sorted(latency for result in results for latency in result["latencies"])
    return (
        f"{loop:8} {driver:7} {statistics.mean(r['cpu'] for r in results):8.3f}"
        f" {statistics.mean(r['wakes'] for r in results):8.2f}"
        f" {sum(r['suspicions'] for r in results):11} {sum(r['deaths'] for r in results):6}"
        f" {statistics.median(latencies):9.1f} {latencies[int(0.99 * len(latencies))]:8.1f}"
        f" {max(r['view'] for r in results):7.1f}"
    )


def main() -> None:
    """Measure what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--loops", nargs="+", default=["asyncio", "trio"])
    parser.add_argument("--drivers", nargs="+", default=["thread", "loop"])
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=10.0, help="of each of the two measurements")
    parser.add_argument("--probe-interval", type=float, default=1.0)
    parser.add_argument("--busy", action="store_true", help="block with computation, which holds the GIL")
    parser.add_argument("--driver", help=argparse.SUPPRESS)
    parser.add_argument("--member", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--seed", type=int, default=0, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.member is not None:
        anyio.run(member, options.member, options.seed, options, backend=options.loops[0])
        os._exit(0)  # standard input is read in a thread that nothing ends
    print("loop     driver   CPU ms/s  wakes/s  suspicions deaths  ms median   ms p99  view ms")
    for loop in options.loops:
        for driver in options.drivers:
            print(measure(loop, driver, options), flush=True)


if __name__ == "__main__":
    main()
