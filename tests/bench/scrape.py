"""How long a scrape of a node with many members takes, over HTTP, beside the running node.

    python tests/bench/scrape.py                      # 1,000 members
    python tests/bench/scrape.py --members 10000 --backend trio

Members are put into the table without having been met, and the probe interval is a minute, so that nothing else goes
on. A row states the median, the 99th percentile and the worst of the scrapes, each from connecting to the last byte.
"""

import argparse
import statistics
import sys
import time
import urllib.request
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import anyio
import anyio.to_thread

from support.inside import engine_of
from swim_anyio import open_node
from swim_anyio.command.web.agent_pages import AgentPages
from swim_core import Address, Config, Member, Node, ProtocolNode, State


def members(count: int) -> list[Member]:
    """Members that nobody has met."""
    return [
        Member(f"node-{number}", Address(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 7946), 1 << 40, 0,
               State.ALIVE, {"role": "cache"})
        for number in range(count)
    ]  # fmt: skip


def scrape(url: str) -> tuple[float, int]:
    """Scrape once; returns the seconds and the bytes that it took."""
    start = time.perf_counter()
    with urllib.request.urlopen(url) as answer:
        size = len(answer.read())
    return time.perf_counter() - start, size


async def main(count: int, scrapes: int, backend: str) -> None:
    """Print a row."""
    config = Config.lan(probe_interval=60.0, stall_tolerance=120.0, max_members=max(count + 1, 10_000))
    async with AgentPages("127.0.0.1", 0, backend) as server, open_node(("127.0.0.1", 0), config=config) as node:

        def adopt(core: ProtocolNode, now: float) -> None:
            assert isinstance(core, Node)
            core.adopt(core.formed_cluster([core.local, *members(count)]), now=now)

        engine_of(node).act(adopt)  # there is no public way to know members without meeting them
        server.observe(node)
        url = f"http://{server.address}/metrics"
        taken = [await anyio.to_thread.run_sync(scrape, url) for _ in range(scrapes)]
        assert len(node.members()) == count + 1
    seconds = sorted(second for second, _ in taken[1:])  # the first one loads what is loaded once
    p50, p99 = statistics.median(seconds), statistics.quantiles(seconds, n=100)[98]
    print("| members | backend | bytes | first | p50 | p99 | max |\n|---|---|---|---|---|---|---|")
    row = [f"{1000 * second:.1f} ms" for second in (taken[0][0], p50, p99, seconds[-1])]
    print(f"| {count:,} | {backend} | {taken[-1][1]:,} | {' | '.join(row)} |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=1_000)
    parser.add_argument("--scrapes", type=int, default=200)
    parser.add_argument("--backend", choices=["asyncio", "trio"], default="asyncio")
    options = parser.parse_args()
    anyio.run(main, options.members, options.scrapes, options.backend, backend=options.backend)
