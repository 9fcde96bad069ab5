"""What `swim watch`, `swim events` and the page cost the member that is asked, among real agents on this machine.

    python tests/bench/tools.py                  # 200 members, some 30 MB each
    python tests/bench/tools.py --members 50 --seconds 20

Each member is `swim agent`, a process of its own, in a network namespace made for the run (by `unshare`, part of
util-linux; for others than root where the system lets them). All but the asked one yield to it (niceness 10). Where
memory doesn't allow so many, there are fewer, and a line says so. Some die first, so that there is a past. Prints how
long a view, a timeline and a refresh of the page take, from the question to the last byte, the processor time that each
costs the asked agent, and which share of a core that is, beside what it takes anyway.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import anyio
import anyio.to_thread
from measuring import progress, table

from support.agents import SWIM, AgentProcess, agents, environment
from swim_anyio.command.tools.asking import Target, ask, read_target
from swim_anyio.command.tools.events import ask_timeline
from swim_anyio.command.tools.following import PACE
from swim_core.native.wire.queries import EVER, What, pack_age

INSIDE = "BENCH_INSIDE"  # a variable that is set within the namespace
MEMORY = 34e6  # bytes of each agent, at most
SPARED = 2e9  # bytes that are left to others
AT_ONCE = 8  # agents that start at the same time
DYING = 10
PATIENCE = 120.0  # seconds until the asked member sees the latest ones
CALM = 10.0  # seconds after the last one has joined or died

Question = Callable[[], Awaitable[object]]


def used(agent: AgentProcess) -> float:
    """Seconds of processor time of the agent's process so far."""
    tasks = Path(f"/proc/{agent.process.pid}/task").iterdir()
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e9


def affordable() -> int:
    """How many agents there is memory for."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    available = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    return int((available * 1024 - SPARED) / MEMORY)


@contextmanager
def crowd(asked: AgentProcess, count: int) -> Iterator[list["subprocess.Popen[bytes]"]]:
    """So many agents that the asked one sees, and some more that it saw die."""
    target = read_target(asked.address, None)
    running: list[subprocess.Popen[bytes]] = []

    async def until(live: int) -> None:
        with anyio.fail_after(PATIENCE):
            while (await ask(target, What.KEYS))[-1].teller.live != live:
                await anyio.sleep(0.1)

    try:
        for number in range(count + DYING):
            command = [*SWIM, "agent", "--bind", "127.0.0.1:0", "--name", f"node-{number}", "--join", asked.address]
            command += ["--format", "json", "--metadata", "role=web"]
            away = subprocess.DEVNULL
            running.append(
                subprocess.Popen(["nice", *command], env=environment(), stdin=away, stdout=away, stderr=away)
            )
            if len(running) % AT_ONCE == 0 or len(running) == count + DYING:
                progress(f"{len(running)} agents")
                anyio.run(until, len(running) + 1, backend="asyncio")
        for process in running[:DYING]:
            process.kill()
        anyio.run(until, count + 1, backend="asyncio")
        progress("")
        yield running[DYING:]
    finally:
        for process in running:
            process.kill()
        for process in running:
            process.wait()


def size_of(processes: list["subprocess.Popen[bytes]"]) -> float:
    """Bytes of memory that each has to itself, or shares with the others, on average."""
    sizes = []
    for process in processes:
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text().splitlines()
        sizes.append(next(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:")))
    return statistics.fmean(sizes)


async def repeated(
    question: Question, agent: AgentProcess, seconds: float, pace: float
) -> tuple[list[float], float, float]:
    """How long each answer took, and the processor time that the agent took meanwhile, in all and per second."""
    took, began, before = [], time.monotonic(), used(agent)
    while time.monotonic() - began < seconds:
        asked = time.monotonic()
        await question()
        took.append(time.monotonic() - asked)
        await anyio.sleep(pace)
    spent = used(agent) - before
    return took, spent, spent / (time.monotonic() - began)


async def nothing() -> None:
    """Ask nothing, for comparison."""


async def refresh(page: str) -> None:
    """What the page asks for when something has happened, and every five seconds."""

    def get() -> None:
        with urllib.request.urlopen(f"http://{page}/members") as answer:
            answer.read()

    await anyio.to_thread.run_sync(get)


async def of_one_side(target: Target) -> None:
    """What `swim page` asks each of the members that it shows."""
    await ask(target, What.EVERYONE)
    await ask(target, What.EVENTS, pack_age(6_000))


async def measure(agent: AgentProcess, page: str, seconds: float) -> None:
    """A row for each question."""
    target = read_target(agent.address, None)
    await ask_timeline(target, EVER)
    await anyio.sleep(CALM)
    questions: list[tuple[str, float, Question]] = [
        ("nothing, with a stream of events open", PACE, nothing),
        ("a view, as `swim watch` does", PACE, partial(ask, target, What.EVERYONE)),
        ("a timeline of all, as `swim events` does", 1.0, partial(ask_timeline, target, EVER)),
        ("view and news, as `swim page` does", 1.0, partial(of_one_side, target)),
        ("the agent's page", 5.0, partial(refresh, page)),
    ]
    rows, idle = [], 0.0
    with urllib.request.urlopen(f"http://{page}/events"):  # which stays open, and tells nothing while nothing happens
        await refresh(page)  # which loads what is loaded once
        for name, pace, question in questions:
            took, spent, share = await repeated(question, agent, max(seconds, 4 * pace), pace)
            idle = idle or share
            each = (spent - idle * spent / share) / len(took)
            median, worst = (f"{1e3 * value:.1f} ms" for value in (statistics.median(took), max(took)))
            rows.append((name, f"{pace:g} s", len(took), median, worst, f"{1e3 * each:.1f} ms", f"{share:.2%}"))
    table("asked for|every|times|median|worst|processor time of the asked one, each|of a core, in all", rows)


def main() -> None:
    """Read the command line, and start the cluster."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    if INSIDE not in os.environ:
        apart = ["unshare", "--net", *(["--map-root-user"] if os.geteuid() else [])]
        os.execvpe(apart[0], [*apart, sys.executable, *sys.argv], {**os.environ, INSIDE: "1"})
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    members = min(options.members, affordable() - DYING)
    if members < options.members:
        print(f"There is memory for {members} members.")
    with agents() as start:
        agent = start("asked", "--http", "127.0.0.1:0", settings=[])
        page = str(agent.wait_for("started")["metrics"])
        with crowd(agent, members - 1) as others:
            print(f"{members} agents, {size_of(others) / 1e6:.0f} MB each, {os.cpu_count()} cores\n")
            anyio.run(measure, agent, page, options.seconds, backend="asyncio")


if __name__ == "__main__":
    main()
