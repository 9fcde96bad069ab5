"""Fuzzed datagrams by the hundred thousand: nothing raises, memory stays, and none costs much more than honest ones.

    python tests/bench/fuzz.py                        # 1,000,000, a third each plain, without the key and with it
    python tests/bench/fuzz.py --count 30000 --way "with the key"
    python tests/bench/fuzz.py --count 100000 --calls # counts calls instead of timing

A datagram is dear if it takes more than twice as long as the dearest that members really send of at most its length,
each timed nine times on clusters of their own, of which the least counts. Honest ones are timed in the middle of their
cluster's life, so suspects are told to clusters that were told others before.

With `--calls` the functions that are called for each are counted, Python's and C's: the same on every machine, however
busy, so every datagram is judged and none has to be timed again.
"""

import argparse
import resource
import sys
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parents[1]))

import pytest

from support.fuzzer import AT_ONCE, Fuzzer, Measure, seconds
from support.measures import calls
from support.outsider import KEY
from swim_core import Address, Node
from swim_core.simulation import Simulation

WAYS = {"plain": (False, False), "without the key": (True, False), "with the key": (True, True)}
CHUNK = 20_000  # datagrams told to one cluster
AGAIN = 9


def memory() -> float:
    """MB that this process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def least(seed: int, way: str, data: bytes, source: Address) -> float:
    """The least seconds that it takes on clusters where it was not told before."""
    keys, inside = WAYS[way]

    def once() -> float:
        fuzzer = Fuzzer(seed, keys=keys, inside=inside)
        fuzzer.warm_up()
        return fuzzer.feed(data, source)

    return min(once() for _ in range(AGAIN))


class Honest:
    """What it costs to take the datagrams that members really send, by length: joins, broadcasts, deaths, goodbyes.

    The same life is lived several times. Of each datagram the least time counts, and of each length the most.
    """

    def __init__(self, keys: bool, measure: Measure = seconds) -> None:
        self._measure = measure
        lives = [list(self._live(keys)) for _ in range(AGAIN if measure is seconds else 1)]
        costs = sorted((same[0][0], min(cost for _, cost in same)) for same in zip(*lives, strict=True))
        self._sizes = [size for size, _ in costs]
        self._dearest = list(accumulate((cost for _, cost in costs), max))

    def _live(self, keys: bool) -> Iterator[tuple[int, float]]:
        told: list[tuple[int, float]] = []

        def feed(node: Node, data: bytes, source: Address | tuple[str, int], *, now: float) -> None:
            told.append((len(data), self._measure(lambda: plain(node, data, source, now=now))))

        plain = Node.feed_datagram
        with pytest.MonkeyPatch.context() as patch, Simulation(1, keys=KEY if keys else None) as simulation:
            patch.setattr(Node, "feed_datagram", feed)
            simulation.form(12)
            for number in range(20):
                simulation.broadcast(f"node-{number % 12}", bytes(200))
                simulation.run_for(0.3)
            simulation.crash("node-4")
            simulation.partition(["node-1", "node-2", "node-3"])
            simulation.run_for(8.0)
            simulation.heal()
            simulation.restart("node-4")
            simulation.leave("node-5")
            simulation.run_for(8.0)
        return iter(told)

    def of(self, length: int) -> float:
        """The cost of the dearest datagram of at most that length; of the shortest one if all are longer."""
        found: float = self._dearest[max(0, bisect_right(self._sizes, length) - 1)]
        return found


def count_calls(way: str, count: int) -> int:
    """Returns how many were too dear by the calls that they took."""
    keys, inside = WAYS[way]
    honest = Honest(keys, calls)
    worst, dear = 0.0, 0
    for done in range(0, count, CHUNK):
        fuzzer = Fuzzer(done + 1, keys=keys, inside=inside)
        for number in range(min(CHUNK, count - done)):
            data, source = fuzzer.drawn()
            taken, usual = fuzzer.feed(data, source, calls), honest.of(len(data))
            worst = max(worst, taken / usual)
            if taken > 2 * usual:
                dear += 1
                print(f"  dear: {taken:.0f} calls for {len(data)} bytes, honest {usual:.0f}: {data.hex()[:200]}")
            if number % AT_ONCE == AT_ONCE - 1:
                fuzzer.go_on()
    print(f"{way}: {count} datagrams, none raised; the dearest took {worst:.2f} times an honest one's calls")
    return dear


def run(way: str, count: int) -> int:
    """Returns how many were too dear."""
    keys, inside = WAYS[way]
    honest = Honest(keys)
    suspects: list[tuple[float, int, bytes, Address]] = []
    first, began, dropped = 0.0, perf_counter(), Counter[str]()
    for done in range(0, count, CHUNK):
        fuzzer = Fuzzer(done + 1, keys=keys, inside=inside)
        for number in range(min(CHUNK, count - done)):
            data, source = fuzzer.drawn()
            taken = fuzzer.feed(data, source)
            if taken > 2 * honest.of(len(data)):
                suspects.append((taken, done + 1, data, source))
            if number % AT_ONCE == AT_ONCE - 1:
                fuzzer.go_on()
        dropped.update({reason.value: n for reason, n in fuzzer.node.statistics().dropped.items()})
        first = first or memory()
    seconds = perf_counter() - began
    print(f"{way}: {count} datagrams, none raised, {seconds:.0f} s, memory {first:.0f} to {memory():.0f} MB")
    print(f"  dropped: {dict(dropped.most_common(9))}")
    dear = 0
    for _, seed, data, source in sorted(suspects, key=lambda suspect: -suspect[0])[:50]:
        taken = least(seed, way, data, source)
        if taken > 2 * honest.of(len(data)):
            dear += 1
            usual = honest.of(len(data)) * 1e6
            print(f"  dear: {taken * 1e6:.0f} us for {len(data)} bytes, honest {usual:.0f}: {data.hex()[:200]}")
    print(f"  {len(suspects)} took over twice an honest one's time at first; of the 50 worst {dear} did again")
    return dear


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1_000_000)
    parser.add_argument("--way", choices=WAYS, action="append")
    parser.add_argument("--calls", action="store_true", help="count calls instead of timing")
    arguments = parser.parse_args()
    ways, one = arguments.way or list(WAYS), count_calls if arguments.calls else run
    sys.exit(sum(one(way, arguments.count // len(ways)) for way in ways) > 0)
