"""A member in a process, and perhaps a network namespace, of its own: it prints the members that it meets, and ends
with its input.

Started with: threads|asyncio|trio PROTOCOL BIND NAME [SEED]; with a seed a native one does not discover anybody. Each
line of input is answered with the number of announcements so far.
"""

import json
import logging
import sys
from functools import partial
from typing import Any

import anyio

import swim_anyio
import swim_threads
from swim_core import Config, Event, MemberJoined, Multicast, ProtocolConfig, Statistics
from swim_core.smudge import SmudgeConfig

CONFIGS: dict[str, ProtocolConfig] = {
    "native": Config.local(),
    "smudge": SmudgeConfig(multicast_announce_interval=1),  # which discovers unless told not to
}


def report(event: Event) -> None:
    """Print which member has joined, for the test to read."""
    if isinstance(event, MemberJoined):
        print(json.dumps({"met": event.member.name, "at": str(event.member.address)}), flush=True)


def answer(statistics: Statistics) -> None:
    """Print how often this node has announced itself."""
    print(json.dumps({"announced": statistics.messages_sent.get("announce", 0)}), flush=True)


def in_a_thread(**arguments: Any) -> None:
    """Run a member of swim_threads."""
    with swim_threads.open_node(**arguments) as node:
        node.add_listener(report, current=True)  # nobody met before it is missed
        for _ in sys.stdin:
            answer(node.statistics())


async def in_a_loop(**arguments: Any) -> None:
    """Run a member of swim_anyio."""
    async with anyio.create_task_group() as tasks, swim_anyio.open_node(**arguments) as node:
        tasks.start_soon(_report_all, node)
        async for _ in anyio.wrap_file(sys.stdin):
            answer(node.statistics())
        tasks.cancel_scope.cancel()


async def _report_all(node: swim_anyio.AsyncNode) -> None:
    with node.subscribe(current=True) as events:
        async for event in events:
            report(event)


def main(adapter: str, protocol: str, bind: str, name: str, seed: str = "") -> None:
    """Run until the end of the input."""
    logging.basicConfig(format="%(message)s")
    arguments: dict[str, Any] = {"bind": bind, "name": name, "join": seed, "config": CONFIGS[protocol]}
    if not seed and protocol == "native":
        arguments["discover"] = Multicast(interval=0.5)
    if adapter == "threads":
        in_a_thread(**arguments)
    else:
        anyio.run(partial(in_a_loop, **arguments), backend=adapter)


if __name__ == "__main__":
    main(*sys.argv[1:])
