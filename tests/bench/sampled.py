"""What a join of 1 % and a partition cost 100,000 members, by a sample: docs/performance.md, "Large clusters".

    python tests/bench/sampled.py join partition --members 100000
    python tests/bench/sampled.py join partition --members 300 1000 --full

A few members are simulated, each of which stands for its twins (`swim_core.simulation.Sampled`). With --full, all are
simulated, too, to compare. A join is that of one newcomer for each hundred members, all at the same moment, each with
two seeds of its own. A partition cuts the members in halves for 20 s.
"""

import argparse
import gc
import time
from collections.abc import Iterator
from statistics import mean, median
from typing import Any

from measuring import progress, section, table

from swim_core import Config, MemberJoined
from swim_core.simulation import Process, Simulation
from swim_core.simulation.sampled import Sampled

QUIET = 3.0  # seconds before it begins
CUT = 20.0


class Timed:
    """A node that counts the processor time which it takes."""

    def __init__(self, node: Any) -> None:
        self.node = node
        self.seconds = 0.0

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.node, name)
        if not name.startswith("feed_"):
            return found

        def feed(*arguments: Any, **keywords: Any) -> None:
            began = time.thread_time()
            found(*arguments, **keywords)
            self.seconds += time.thread_time() - began

        setattr(self, name, feed)
        return feed


class Run:
    """A cluster, simulated as a whole or by a sample, and what its members have cost.

    Attributes:
        members: how many there are.
        simulation: of them.
        old: those that are simulated, newcomers left out.
    """

    def __init__(self, members: int, kinds: int, growth: int) -> None:
        self.members = members
        self._kinds = kinds
        room = max(16_384, 2 * members)
        config = Config.lan(max_members=room, max_tombstones=room, max_new_members_per_second=growth)
        self.simulation: Simulation
        if kinds:
            sampled = self.simulation = Sampled(1, kinds=kinds, count=members // kinds, newcomers=1, config=config)
            self.old = sampled.start()
        else:
            self.simulation = Simulation(1, tripwires=True, config=config)
            self.old = self.simulation.start_formed(members)
        for process in self.old:
            process.node = Timed(process.node)
        gc.freeze()  # what is there by now stays: to search it for garbage again and again would take long
        self._began = time.monotonic()

    def newcomers(self) -> list[Process]:
        """Start the newcomers: one for each hundred members."""
        if isinstance(self.simulation, Sampled):
            started = [self.simulation.add_newcomer()]
        else:
            started = []
            for number in range(self.members // 100):
                started.append(self.simulation.add(f"newcomer-{number}", join=self.old[2 * number : 2 * number + 2]))
        for process in started:
            process.node = Timed(process.node)
        return started

    def halves(self) -> None:
        """Cut the members in halves."""
        half, simulation = len(self.old) // 2, self.simulation
        if isinstance(simulation, Sampled):
            simulation.part(range(half))
        else:
            addresses = [process.address for process in self.old]
            simulation.network.partition([addresses[:half], addresses[half:]])

    def say(self, what: str) -> None:
        """Show how far it is."""
        spent = time.monotonic() - self._began
        progress(
            f"{self.members} members, {len(self.old)} simulated: {what} ({self.simulation.now:.0f} s, {spent:.0f})"
        )


def live(process: Process) -> int:
    """How many live members it sees."""
    return sum(count for state, count in process.node.statistics().members.items() if state.live)


def sent(processes: list[Process]) -> tuple[float, float, float]:
    """Datagrams and bytes that each of them has sent so far, and milliseconds of processor time."""
    statistics = [process.node.statistics() for process in processes]
    return (
        mean(sum(each.messages_sent.values()) for each in statistics),
        mean(each.bytes_sent for each in statistics),
        mean(1000 * process.node.seconds for process in processes),  # type: ignore[attr-defined]
    )


def grown(before: tuple[float, ...], after: tuple[float, ...]) -> list[float]:
    return [later - earlier for earlier, later in zip(before, after, strict=True)]


def quantity(number: float) -> str:
    """Bytes in a unit that suits them."""
    return f"{number / 1e6:.1f} MB" if number >= 1e6 else f"{number / 1e3:.1f} kB"


def joined(members: int, kinds: int, growth: int, limit: float) -> list[object]:
    """1 % of newcomers at once."""
    run = Run(members, kinds, growth)
    simulation = run.simulation
    with simulation:
        simulation.run_for(QUIET)
        before, since = sent(run.old), simulation.now
        newcomers = run.newcomers()
        every = members + members // 100 if not kinds else (kinds + 1) * (members // kinds)
        knew = False
        while not knew and simulation.now < since + limit:
            simulation.run_for(0.1 if members < 10_000 else 0.5)
            knew = all(live(process) == every for process in (*newcomers, *run.old))
            run.say(f"newcomers know {live(newcomers[0])}")
        seconds = simulation.now - since
        cost, own = grown(before, sent(run.old)), sent(newcomers)
        received = mean(process.node.statistics().bytes_received for process in newcomers)
        known = min(live(process) for process in newcomers)
        times = [sorted(at - since for at in process.times(MemberJoined)) for process in run.old]
        half = [each[len(each) // 2] for each in times]
        last_of_newcomers = max(process.times(MemberJoined)[-1] - since for process in newcomers)
    return [
        f"{members:,}",
        len(run.old),
        f"{growth:,}",
        f"{1000 * median(half):.0f} ms",
        f"{max(each[-1] for each in times):.2f} s",
        f"{last_of_newcomers:.1f} s" if knew else f"{known:,} after {seconds:.1f} s",
        f"{cost[0] - seconds:.0f}",
        quantity(cost[1]),
        f"{cost[2]:.0f} ms",
        f"{own[0]:,.0f}",
        f"{quantity(own[1])}, {quantity(received)}",
        f"{own[2] / 1000:.1f} s",
    ]


def parted(members: int, kinds: int, limit: float) -> Iterator[list[object]]:
    """A cut into halves for `CUT` seconds, and what follows, second by second."""
    run = Run(members, kinds, 1_000)
    simulation = run.simulation
    size = members // kinds if kinds else 1
    with simulation:
        simulation.run_for(QUIET)
        since = simulation.now
        run.halves()
        cut, last = True, sent(run.old)
        second = 0
        while simulation.now < since + CUT + limit:
            simulation.run_for(1.0)
            second += 1
            now = sent(run.old)
            seen = [live(process) for process in run.old]
            figures = grown(last, now)
            last = now
            yield [
                second,
                f"{figures[0]:.0f}",
                quantity(figures[1]),
                f"{figures[2]:.0f} ms",
                f"{median(seen):,.0f}",
                f"{min(seen):,}",
            ]
            run.say(f"{'cut' if cut else 'healed'}, the others see {median(seen):.0f}")
            if cut and second >= CUT:
                cut = False
                simulation.network.heal()
            if not cut and min(seen) == len(run.old) * size and simulation.agreed():
                break


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="+", choices=["join", "partition"])
    parser.add_argument("--members", type=int, nargs="+", default=[100_000])
    parser.add_argument("--simulated", type=int, default=100, help="how many of them are simulated")
    parser.add_argument("--full", action="store_true", help="simulate all of them, too")
    parser.add_argument("--growth", type=int, nargs="+", default=[1_000], help="max_new_members_per_second")
    parser.add_argument(
        "--limit", type=float, default=60.0, help="seconds after the join, or after the network is whole"
    )
    options = parser.parse_args()
    if not 2 <= options.simulated <= min(options.members):
        parser.error("--simulated: at least 2, and at most as many as there are members")
    samples = [
        (members, kinds) for members in options.members for kinds in ([0] if options.full else []) + [options.simulated]
    ]
    if "join" in options.what:
        section("One newcomer for each hundred members, all at once")
        header = (
            "members | simulated | new members a second | half of them known to half | all to all | newcomers know all"
        )
        header += " | datagrams of each old member | bytes | core CPU"
        header += " | datagrams of a newcomer | bytes sent, received | core CPU"
        table(
            header,
            (joined(members, kinds, growth, options.limit) for members, kinds in samples for growth in options.growth),
        )
    if "partition" in options.what:
        for members, kinds in samples:
            section(f"{members} members, {kinds or members} simulated, cut in halves for 20 s")
            table(
                "second | datagrams | bytes | core CPU | live in the median view | in the smallest",
                parted(members, kinds, options.limit),
            )


if __name__ == "__main__":
    main()
