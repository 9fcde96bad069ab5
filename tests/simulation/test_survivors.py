"""Few survivors of many find out, send no storm while they do, and a node that was too slow for a while comes back."""

from collections import Counter, deque
from random import Random

import pytest

from swim_core import Isolated, Reconnected
from swim_core.simulation import Link, Simulation

OTHERS = ("message", "join", "join_ack", "sync_req", "sync_page", "sync_push")  # of applications, joins and syncs
MOST = 200  # datagrams a second and node


def sent(simulation: Simulation) -> Counter[str]:
    """Datagrams of each node so far, except those of applications, joins and syncs."""
    counted: Counter[str] = Counter()
    for process in simulation.running():
        statistics = process.node.statistics()
        apart = sum(statistics.messages_sent.get(kind, 0) for kind in OTHERS)
        counted[process.label] = statistics.datagrams_sent - apart
    return counted


SLOW = [pytest.param(*row, marks=pytest.mark.slow) for row in ((40, 2), (40, 5), (100, 2))]


@pytest.mark.parametrize("how", ["killed", "hosts"])
@pytest.mark.parametrize(("members", "left"), [(20, 2), *SLOW])
def test_few_survivors_of_many_know_it_within_half_a_minute(members: int, left: int, how: str) -> None:
    with Simulation(f"{members}/{left}/{how}", tripwires=True) as simulation:
        processes = simulation.start_formed(members)
        simulation.run_for(10.0)
        for process in Random(members).sample(list(processes), members - left):
            if how == "killed":
                simulation.crash(process)
            else:
                simulation.lose_host(process)
        start, before = simulation.now, sent(simulation)
        while not simulation.agreed():
            assert simulation.now < start + (30.0 if how == "killed" else 60.0)
            simulation.run_for(1.0)
            now = sent(simulation)
            assert max((now - before).values()) <= MOST
            before = now


@pytest.mark.parametrize(
    "sizes", [(20, 20), *(pytest.param(sizes, marks=pytest.mark.slow) for sizes in ((50, 50), (34, 33, 33)))]
)
def test_parts_of_a_partition_know_it_within_half_a_minute(sizes: tuple[int, ...]) -> None:
    with Simulation(str(sizes), link=Link(loss=0.01), tripwires=True) as simulation:
        processes = list(simulation.start_formed(sum(sizes)))
        simulation.run_for(10.0)
        Random(1).shuffle(processes)
        parts = [[processes.pop() for _ in range(size)] for size in sizes]
        simulation.partition(*parts[:-1])
        start, seconds = simulation.now, deque([sent(simulation)], maxlen=5)
        while any(len(process.node.members()) > len(part) for part in parts for process in part):
            assert simulation.now < start + 30.0
            simulation.run_for(0.25)
            seconds.append(sent(simulation))
            assert max((seconds[-1] - seconds[0]).values()) <= MOST


def test_a_lone_survivor_ends_isolated() -> None:
    with Simulation(1, tripwires=True) as simulation:
        processes = simulation.start_formed(40)
        simulation.run_for(10.0)
        for process in processes[1:]:
            simulation.lose_host(process)
        simulation.run_for(10.0)
        assert processes[0].told(Isolated)
        assert not processes[0].told(Reconnected)


def test_a_small_part_of_a_partition_knows_it_too() -> None:
    with Simulation(2, tripwires=True) as simulation:
        processes = simulation.start_formed(60)
        simulation.run_for(10.0)
        simulation.partition(processes[:3])
        simulation.run_for(45.0)
        assert all(len(process.node.members()) == 3 for process in processes[:3])
        simulation.heal()
        simulation.run_until(simulation.agreed, limit=30.0, every=0.25)
