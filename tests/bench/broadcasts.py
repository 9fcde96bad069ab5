"""What becomes of broadcasts in blips, partitions, stalls, bursts and losses: tables of docs/protocol.md, section 6.

    python tests/bench/broadcasts.py all                     # everything, about half an hour
    python tests/bench/broadcasts.py blips windows           # some of it
    python tests/bench/broadcasts.py rates --members 20

Time is virtual and everything random comes from the seeds, so a table comes out the same each time. Of broadcasts that
a member was there for, "told" counts what `BroadcastsLost` owned up to, "silent" what it neither got nor was told of.
"""

import argparse
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from random import Random
from typing import NamedTuple

from measuring import section, table

from swim_core import BroadcastReceived, BroadcastsLost, Config, Overloaded
from swim_core.simulation import Link, Process, Simulation

WARM = 10.0  # seconds until round trips are known
SOON = 5.0  # seconds after contact within which a loss must be told
SIZES = (2, 4, 8, 13, 14, 32, 100, 400)


class Tally(NamedTuple):
    """What members made of the broadcasts that they should have got."""

    due: int
    got: int
    told: int
    late: int
    """Of those told, how many after `SOON`."""

    @property
    def silent(self) -> int:
        return max(0, self.due - self.got - self.told)

    @property
    def cells(self) -> tuple[object, ...]:
        late = f" ({self.late} late)" if self.late else ""
        return (f"{self.got} of {self.due}", f"{self.told}{late}", self.silent)


def progress(what: str) -> None:
    """Say on standard error what is being done."""
    print(f"\r{what:<70}", end="", file=sys.stderr, flush=True)


def tally(members: Sequence[Process], due: int, since: float, contact: float) -> Tally:
    """Of ``due`` broadcasts to each member, made after ``since``; losses should be known soon after ``contact``."""
    got = told = late = 0
    for member in members:
        for at, event in member.events:
            if at >= since and isinstance(event, BroadcastReceived):
                got += 1
            elif at >= since and isinstance(event, BroadcastsLost):
                told += event.count
                late += event.count * (at > contact + SOON)
    return Tally(due * len(members), got, told, late)


def total(tallies: Sequence[Tally]) -> Tally:
    return Tally(*(sum(column) for column in zip(*tallies, strict=True)))


def datagrams(members: Sequence[Process]) -> int:
    return sum(process.node.statistics().datagrams_sent for process in members)


# ---------------------------------------------------------------------- cut off for a while


def blips(options: argparse.Namespace) -> None:
    """One broadcast while a member is cut off: which members have it in the end?"""
    section("One broadcast, 0.5 s after a cut began, of a member that is not cut off; read minutes later")
    table("members | cut off | for | runs | got | told | silent", _blips(options.seeds, origin=False))
    section("The same of a single member that is cut off itself: the others then")
    table("members | cut off | for | runs | got | told | silent", _blips(options.seeds, origin=True))


def _blips(seeds: int, *, origin: bool) -> Iterator[Sequence[object]]:
    sizes = [(3, 1), (8, 1), (50, 1), (20, 1), (20, 5), (20, 10)]
    for members, cut in sizes if not origin else [(members, 1) for members in (3, 8, 50)]:
        for seconds in (1.0, 3.0, 4.0, 8.0, 40.0) if members == 20 else (1.0, 3.0, 4.0):
            runs = []
            for seed in range(seeds):
                progress(f"{members} members, {cut} cut off for {seconds:g} s, seed {seed}")
                runs.append(_blip(seed, members, cut, seconds, origin))
            yield (members, cut, f"{seconds:g} s", seeds, *total(runs).cells)


def _blip(seed: int, members: int, cut: int, seconds: float, origin: bool) -> Tally:
    with Simulation(f"{seed}/blip/{members}/{cut}/{seconds}", tripwires=True) as simulation:
        processes = simulation.start_formed(members)
        simulation.run_for(WARM + 0.1 * seed)
        there, away = processes[cut:], processes[:cut]
        simulation.partition(away)
        simulation.run_for(0.5)
        since = simulation.now
        simulation.broadcast(away[0] if origin else there[0], b"reload your settings")
        simulation.run_for(seconds - 0.5)
        simulation.heal()
        contact = simulation.now
        simulation.run_for(300.0 if members < 50 else 60.0)
        return tally(there if origin else away, 1, since, contact)


# ---------------------------------------------------------------------- more than the window holds


def windows(_: argparse.Namespace) -> None:
    """More broadcasts of one origin than anybody retains, while somebody stalls or is cut off."""
    section("One of five stalls, within its tolerance")
    table("stalled for | broadcasts | got | told | silent", _stalls())
    section("Five of twenty are cut off from the origin; read 90 s later")
    table("parted for | broadcasts | got | told | silent", _partings())


def _stalls() -> Iterator[Sequence[object]]:
    for count in (1_000, 1_500, 4_000):
        progress(f"{count} broadcasts to one that stalls")
        with Simulation(1) as simulation:
            simulation.start_formed(5)
            simulation.run_for(5.0)
            since = simulation.now
            simulation.pause("node-4", 4.5)
            for _ in range(count):
                simulation.broadcast("node-0", b"%d" % count)
                simulation.run_for(0.9 * 4.5 / count)
            simulation.run_for(60.0)
            yield ("4.5 s", count, *tally([simulation.process("node-4")], count, since, since + 4.5).cells)


def _partings() -> Iterator[Sequence[object]]:
    for rate, seconds, quiet in ((20, 60, 0), (40, 50, 0), (100, 30, 0), (20, 10, 100)):
        progress(f"{rate}/s for {seconds} s to some that are cut off")
        count = rate * seconds
        with Simulation(2) as simulation:
            members = simulation.start_formed(20)
            simulation.run_for(5.0)
            since = simulation.now
            simulation.partition(members[15:])
            for number in range(count):
                simulation.broadcast("node-0", b"%d" % number)
                simulation.run_for(1.0 / rate)
            simulation.run_for(quiet)
            simulation.heal()
            contact = simulation.now
            simulation.run_for(90.0)
            heading = f"{seconds} s, and {quiet} s of quiet" if quiet else f"{seconds} s"
            yield (heading, f"{count} ({rate}/s)", *tally(members[15:], count, since, contact).cells)


# ---------------------------------------------------------------------- forgotten members


def forgotten(_: argparse.Namespace) -> None:
    """Members that were forgotten come back soon after: is what they said delivered again?"""
    section("Half of the members broadcast three times each, are cut off from the others 3 s later, and come back")
    table("members | settings | cut for | delivered twice | all agree", _forgotten())


def _forgotten() -> Iterator[Sequence[object]]:
    for members, cut, setting in (
        (10, 25.0, {"forget_after": 1.0}),
        (10, 40.0, {"forget_after": 10.0}),
        (40, 20.0, {"max_tombstones": 16}),
    ):
        what = ", ".join(f"{name}={value:g}" for name, value in setting.items())
        progress(what)
        with Simulation(f"forgotten/{members}/{what}", config=Config.lan(**setting)) as simulation:
            processes = simulation.start_formed(members)
            simulation.run_for(20.0)
            for process in processes[: members // 2]:
                for _ in range(3):
                    simulation.broadcast(process, b"once")
            simulation.run_for(3.0)
            simulation.partition(processes[members // 2 :])
            simulation.run_for(cut)
            simulation.heal()
            simulation.run_for(100.0)
            copies = Counter(
                (process.label, event.origin.name, event.origin.epoch, event.number)
                for process in processes
                for event in process.told(BroadcastReceived)
            )
            twice = sum(count - 1 for count in copies.values())
            yield members, what, f"{cut:g} s", twice, "yes" if simulation.agreed() else "no"


# ---------------------------------------------------------------------- what one costs, and how soon it comes


def costs(_: argparse.Namespace) -> None:
    """What a lone broadcast costs, without loss, until 10 s after."""
    section("Datagrams beyond those of the same ten seconds without it")
    table("members | datagrams | a member | by the origin", _costs())


def _costs() -> Iterator[Sequence[object]]:
    for members in SIZES:
        progress(f"the cost of one among {members}")
        counts = []
        for told in (False, True):
            with Simulation(f"cost/{members}") as simulation:
                processes = simulation.start_formed(members)
                simulation.run_for(20.0)
                before, by_origin = datagrams(processes), datagrams(processes[:1])
                if told:
                    simulation.broadcast(processes[0], bytes(40))
                simulation.run_for(10.0)
                counts.append((datagrams(processes) - before, datagrams(processes[:1]) - by_origin))
        all_, origin = (with_ - without for without, with_ in zip(*counts, strict=True))
        yield members, all_, f"{all_ / members:.2f}", origin


def losses(options: argparse.Namespace) -> None:
    """How soon broadcasts come where datagrams are lost, in quiet and in trouble."""
    section("Two broadcasts a second; in trouble others join, leave and crash, and receivers stall for up to 4.9 s")
    table("members | loss | trouble | broadcasts | got | told | silent | p50 | p99 | last", _losses(options.members))


def _losses(sizes: Sequence[int]) -> Iterator[Sequence[object]]:
    for members in sizes or (4, 13, 14, 100):
        for loss in (0.0, 0.05, 0.2, 0.4):
            for trouble in (False, True) if members == 100 and loss < 0.4 else (False,):
                progress(f"{members} members, {loss:.0%} lost{', trouble' if trouble else ''}")
                yield _Losses(members, loss, trouble).row()


class _Losses:
    """A minute of broadcasts; those who run throughout are counted."""

    def __init__(self, members: int, loss: float, trouble: bool) -> None:
        self.what = members, f"{loss:.0%}", "yes" if trouble else "no"
        self.random = Random(f"{members}/{loss}/{trouble}")
        self.simulation = Simulation(f"losses/{members}/{loss}/{trouble}", link=Link(loss=loss))
        processes = self.simulation.start_formed(members)
        self.core = processes[: members * 7 // 10] if trouble else processes
        self.simulation.run_for(20.0)
        self.end = self.simulation.now + 60.0
        self.sent: dict[tuple[str, int], float] = {}
        self.newcomers = 0
        self._broadcast()
        if trouble:
            self._trouble()
        self.simulation.run_for(75.0)

    def _broadcast(self) -> None:
        origin = self.random.choice(self.core)
        if self.simulation.now < self.end:
            if not origin.paused:
                self.sent[origin.name, self.simulation.broadcast(origin, bytes(40))] = self.simulation.now
            self.simulation.after(self.random.expovariate(2.0), self._broadcast)

    def _trouble(self) -> None:
        if self.simulation.now >= self.end:
            return
        what = self.random.random()
        others = [p for p in self.simulation.running() if p not in self.core and not p.leaving]
        if what < 0.3 and others:
            self.simulation.crash(self.random.choice(others))
        elif what < 0.5 and others:
            self.simulation.leave(self.random.choice(others))
        elif what < 0.8:
            self.newcomers += 1
            self.simulation.add(f"newcomer-{self.newcomers}", join=self.core[:3])
        else:
            self.simulation.pause(self.random.choice(self.core), self.random.uniform(0.5, 4.9))
        self.simulation.after(self.random.expovariate(2.0), self._trouble)

    def row(self) -> Sequence[object]:
        delays = sorted(
            at - self.sent[event.origin.name, event.number]
            for process in self.core
            for at, event in process.events
            if isinstance(event, BroadcastReceived)
        )
        due = len(self.sent) * (len(self.core) - 1)
        told = sum(event.count for process in self.core for event in process.told(BroadcastsLost))
        return (*self.what, len(self.sent), *Tally(due, len(delays), told, 0).cells, *quantiles(delays))


def quantiles(delays: Sequence[float]) -> tuple[str, str, str]:
    """p50, p99 and the largest of ascending seconds."""
    if not delays:
        return ("–", "–", "–")
    return tuple(f"{1000 * delays[min(len(delays) - 1, int(q * len(delays)))]:.1f} ms" for q in (0.5, 0.99, 1.0))  # type: ignore[return-value]


# ---------------------------------------------------------------------- how many a second


def rates(options: argparse.Namespace) -> None:
    """What a cluster bears for ten seconds, 100 bytes each, by one origin or by all; processors are not simulated."""
    section("Refused are calls that raised Overloaded; of the others each should reach every other member")
    table(
        "members | loss | origins | a second | refused | got | told | silent | p50 | p99 | last | datagrams/s a member",
        _rates(options.members),
    )


def _rates(sizes: Sequence[int]) -> Iterator[Sequence[object]]:
    for members in sizes or (20, 50):
        for loss in (0.0, 0.01):
            for origins in (1, members):
                for rate in (100, 500, 1_000, 2_000, 4_000) if members <= 20 else (100, 500, 1_000, 2_000):
                    progress(f"{members} members, {rate}/s of {origins}, {loss:.0%} lost")
                    yield _rate(members, loss, origins, rate)


def _rate(members: int, loss: float, origins: int, rate: int, seconds: float = 10.0) -> Sequence[object]:
    with Simulation(f"rate/{members}/{loss}/{origins}/{rate}", link=Link(loss=loss)) as simulation:
        processes = simulation.start_formed(members)
        simulation.run_for(20.0)
        began, before = simulation.now, datagrams(processes)
        sent: dict[tuple[str, int], float] = {}
        refused = 0
        for number in range(int(rate * seconds)):
            origin = processes[number % origins]
            try:
                sent[origin.name, simulation.broadcast(origin, bytes(100))] = simulation.now
            except Overloaded:
                refused += 1
            simulation.run_for(1.0 / rate)
        load = (datagrams(processes) - before) / members / (simulation.now - began)
        simulation.run_for(30.0)
        delays = sorted(
            at - sent[event.origin.name, event.number]
            for process in processes
            for at, event in process.events
            if isinstance(event, BroadcastReceived)
        )
        told = sum(event.count for process in processes for event in process.told(BroadcastsLost))
        cells = Tally(len(sent) * (members - 1), len(delays), told, 0).cells
        return (members, f"{loss:.0%}", origins, rate, refused, *cells, *quantiles(delays), f"{load:.0f}")


EXPERIMENTS: Mapping[str, Callable[[argparse.Namespace], None]] = {
    "blips": blips,
    "windows": windows,
    "forgotten": forgotten,
    "costs": costs,
    "losses": losses,
    "rates": rates,
}


def main() -> None:
    """Run the experiments named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=[*EXPERIMENTS, "all"], metavar=f"{{{','.join(EXPERIMENTS)},all}}")
    parser.add_argument("--seeds", type=int, default=20, help="runs of a row of blips")
    parser.add_argument("--members", type=int, nargs="+", default=(), help="sizes in losses and rates")
    options = parser.parse_args()
    for name, experiment in EXPERIMENTS.items():
        if name in options.names or "all" in options.names:
            start = time.perf_counter()
            print(f"\n## {name}: {experiment.__doc__}")
            experiment(options)
            progress("")
            print(f"\n({time.perf_counter() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
