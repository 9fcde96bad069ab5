"""The part of `attacks.py` about many members that end at once, or are cut off from the rest."""

import math
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from random import Random

from measuring import count, progress, section, settled, table

from swim_core import Isolated, MemberDied
from swim_core.simulation import Link, Process, Simulation

__all__ = ["Meter", "mass", "partitions", "survivors"]

STEP = 0.25  # seconds between two looks
OTHERS = ("message", "join", "join_ack", "sync_req", "sync_page", "sync_push")  # of applications, joins and syncs


class Meter:
    """The most datagrams that any process sent in a second, except those of applications, joins and syncs."""

    def __init__(self, processes: Iterable[Process]) -> None:
        self.worst = 0
        self._sent = {process: deque([sent(process)], maxlen=round(1 / STEP) + 1) for process in processes}
        self._first = {process: window[0] for process, window in self._sent.items()}

    def look(self) -> None:
        """Count anew; call this every `STEP` seconds."""
        for process, window in self._sent.items():
            window.append(sent(process))
            self.worst = max(self.worst, window[-1] - window[0])

    def mean(self, seconds: float) -> float:
        """Datagrams a second, on average so far, of the process that sent most."""
        return max(window[-1] - self._first[process] for process, window in self._sent.items()) / seconds


def sent(process: Process) -> int:
    """Datagrams that a node has sent, except those of applications, joins and syncs."""
    statistics = process.node.statistics()
    return statistics.datagrams_sent - sum(statistics.messages_sent.get(kind, 0) for kind in OTHERS)


def formed(seed: object, members: int, loss: float = 0.0) -> Simulation:
    """A cluster that has run for 20 s."""
    simulation = Simulation(seed, tripwires=True, link=Link(loss=loss))
    simulation.start_formed(members)
    simulation.run_for(20.0 if members < 500 else 8.0)
    return simulation


def held(processes: Iterable[Process], names: set[str]) -> int:
    """How many of those names are still live in the view in which most of them are."""
    return max(sum(member.name in names for member in process.node.members()) for process in processes)


# ---------------------------------------------------------------------- few survivors

KEPT = ((20, (1, 2, 5, 10)), (50, (1, 2, 5, 10)), (100, (1, 2, 5, 10)), (200, (1, 2, 5, 10)))
LIMIT = 120.0
COST = "all known after|held then|worst second|mean/s|watches|isolated|false deaths|agreed"


def survivors(seeds: int, sizes: Sequence[int] = ()) -> None:
    """Most members end at once, killed or with their hosts: when the few survivors know it all, and what it costs."""
    section("Within 30 s if killed, 60 s if hosts were lost, at no second over 200 datagrams a node")
    table(f"members|survivors|how|seed|{COST}", _survivors(seeds, sizes))


def _survivors(seeds: int, sizes: Sequence[int]) -> Iterator[Sequence[object]]:
    for members, kept in KEPT if not sizes else [(size, KEPT[0][1]) for size in sizes]:
        for keep in kept:
            for how in ("killed", "hosts"):
                for seed in range(seeds):
                    yield members, keep, how, seed, *_ends(members, keep, how, seed)


def _ends(members: int, keep: int, how: str, seed: int, loss: float = 0.0, limit: float = LIMIT) -> tuple[object, ...]:
    with formed(f"two/{seed}/{members}/{keep}/{how}", members, loss) as simulation:
        processes = simulation.running()
        dead = Random(seed).sample(processes, members - keep)
        for process in dead:
            if how == "killed":
                simulation.crash(process)
            else:
                simulation.lose_host(process)
        left, names, start = simulation.running(), {process.name for process in dead}, simulation.now
        meter, watches = Meter(left), 0
        holding = len(dead)
        while holding and simulation.now < start + limit:
            progress(
                f"{members} members, {keep} left, {how}, seed {seed}: {simulation.now - start:.0f} s, {holding} held"
            )
            simulation.run_for(STEP)
            meter.look()
            watches = max(watches, *(process.node.statistics().watches for process in left))
            holding = held(left, names)
        took = simulation.now - start
        agreed = settled(simulation, simulation.agreed, 10.0, STEP)
        return (
            "never" if holding else f"{took:.1f} s",
            holding,
            meter.worst,
            f"{meter.mean(took):.0f}",
            watches,
            count(left, Isolated, since=start),
            sum(event.member.name not in names for process in left for event in process.told(MemberDied)),
            "never" if math.isinf(agreed) else f"{agreed:.1f} s",
        )


def mass(seeds: int) -> None:
    """A share of all members ends at once."""
    section("Seconds until all survivors know all; nobody declared dead falsely")
    table(f"members|ended|how|loss|seed|{COST}", _mass(seeds))


def _mass(seeds: int) -> Iterator[Sequence[object]]:
    for members, shares, losses in ((50, (0.1, 0.3, 0.5, 0.7, 0.9), (0.0, 0.2)), (200, (0.5, 0.9, 0.95), (0.05,))):
        for how in ("killed", "hosts"):
            for loss in losses:
                for share in shares:
                    for seed in range(seeds):
                        keep = round(members * (1 - share))
                        yield members, f"{share:.0%}", how, f"{loss:.0%}", seed, *_ends(members, keep, how, seed, loss)


# ---------------------------------------------------------------------- partitions

PARTS = ((50, 50), (90, 10), (95, 5), (98, 2), (99, 1), (34, 33, 33), (85, 5, 5, 5))
CUT = 60.0


def partitions(seeds: int) -> None:
    """A cluster of 100 is cut in two for a minute, at 1 % loss: how each side sees the other, and how it heals."""
    section("Each side should hold nobody of the others, at no second over 200 datagrams a node")
    table("parts|seed|held|worst second|mean/s|agreed after|deaths told after|bytes/s a node", _partitions(seeds))


def _partitions(seeds: int) -> Iterator[Sequence[object]]:
    for sizes in PARTS:
        for seed in range(1, seeds + 1):
            progress(f"{sizes}, seed {seed}")
            yield "/".join(map(str, sizes)), seed, *_partition(sizes, seed)


def _partition(sizes: Sequence[int], seed: int) -> tuple[object, ...]:
    with formed(f"part/{sizes}/{seed}", sum(sizes), 0.01) as simulation:
        order = simulation.running()
        Random(seed).shuffle(order)
        parts = [[order.pop() for _ in range(size)] for size in sizes]
        everybody = simulation.running()
        simulation.partition(*parts[:-1])
        meters = [Meter(part) for part in parts]
        began = Counter({process: process.node.statistics().bytes_sent for process in everybody})
        for _ in range(round(CUT / STEP)):
            simulation.run_for(STEP)
            for meter in meters:
                meter.look()
        others = [held(part, {p.name for p in everybody} - {p.name for p in part}) for part in parts]
        sent_bytes = max(process.node.statistics().bytes_sent - began[process] for process in everybody)
        simulation.heal()
        healed = simulation.now
        agreed = settled(simulation, simulation.agreed, 120.0, STEP)
        simulation.run_for(20.0)
        return (
            others,
            [meter.worst for meter in meters],
            [round(meter.mean(CUT)) for meter in meters],
            "never" if math.isinf(agreed) else f"{agreed:.2f} s",
            count(everybody, MemberDied, since=healed),
            f"{sent_bytes / CUT:.0f}",
        )
