"""What `swim watch` and `swim events` cost the member that is asked, in a cluster of real nodes on this machine.

    python tests/bench/tools.py                  # 200 members
    python tests/bench/tools.py --members 50 --seconds 20

The asked member is an agent, a process of its own; the others are nodes in the threads of another process. Some of them
are killed first, so that there is a past. Prints how long a view and a timeline take, from the question to the last
page, the processor time that each costs the agent, and which share of a core a watch takes there, beside none. A
timeline asks all members, and those of one process share a core there: alone they would answer sooner.
"""

import argparse
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import anyio
from measuring import table

from support.agents import AgentProcess, agents
from swim_anyio.command.tools.asking import Target, ask, read_target
from swim_anyio.command.tools.events import ask_timeline
from swim_anyio.command.tools.following import PACE
from swim_core.native.wire.queries import EVER, What

CROWD = """
import sys
from contextlib import ExitStack
from swim_threads import Config, open_node

count, seed = int(sys.argv[1]), sys.argv[2]
with ExitStack() as stack:
    nodes = [
        stack.enter_context(open_node("127.0.0.1:0", name=f"node-{i}", join=seed, config=Config.lan(tripwires=False),
                                      metadata={"role": "web"}))
        for i in range(count)
    ]
    for node in nodes[:10]:
        node.close()
    print("ready", flush=True)
    sys.stdin.read()
"""
TICK = 1 / os.sysconf("SC_CLK_TCK")
SETTLING = 30.0  # seconds at most until the agent sees all


def used(agent: AgentProcess) -> float:
    """Seconds of processor time of the agent's process so far."""
    fields = Path(f"/proc/{agent.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK


async def view(target: Target) -> None:
    """What a watch asks each time."""
    await ask(target, What.EVERYONE)


async def timeline(target: Target) -> None:
    """What `swim events` asks, of all members."""
    await ask_timeline(target, EVER)


async def repeated(
    question: Callable[[Target], Awaitable[None]], target: Target, agent: AgentProcess, seconds: float, pace: float
) -> tuple[list[float], float]:
    """How long each answer took, and the processor time that the agent took meanwhile, in seconds per second."""
    took, began, before = [], time.monotonic(), used(agent)
    while time.monotonic() - began < seconds:
        asked = time.monotonic()
        await question(target)
        took.append(time.monotonic() - asked)
        await anyio.sleep(pace)
    return took, (used(agent) - before) / (time.monotonic() - began)


async def nothing(target: Target) -> None:
    """Ask nothing, for comparison."""


async def measure(agent: AgentProcess, members: int, seconds: float) -> None:
    """Wait until the agent sees the others, and print a row for each question."""
    target = read_target(agent.address, None)
    with anyio.fail_after(SETTLING):
        while (await ask(target, What.KEYS))[-1].teller.live < members:
            await anyio.sleep(0.2)
    await anyio.sleep(5.0)
    rows = []
    idle = 0.0
    for name, question, pace in (("nothing", nothing, PACE), ("a view", view, PACE), ("a timeline", timeline, 1.0)):
        took, share = await repeated(question, target, agent, seconds, pace)
        idle = idle or share
        each = (share - idle) * seconds / len(took)
        quickest, worst = (f"{1e3 * value:.0f} ms" for value in (statistics.median(took), max(took)))
        rows.append((name, len(took), quickest, worst, f"{1e3 * each:.1f} ms", f"{share:.1%}"))
    table("asked for|times|median|worst|processor time of the asked one, each|of a core", rows)


def main() -> None:
    """Read the command line, and start the cluster."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    with agents() as start:
        agent = start("asked", "--no-tripwires", settings=[])
        command = [sys.executable, "-c", CROWD, str(options.members - 1 + 10), agent.address]
        crowd = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert crowd.stdin is not None
        assert crowd.stdout is not None
        crowd.stdout.readline()
        try:
            anyio.run(partial(measure, agent, options.members, options.seconds), backend="asyncio")
        finally:
            crowd.kill()
            crowd.wait()


if __name__ == "__main__":
    main()
