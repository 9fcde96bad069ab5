"""A sample shows what a simulation of all members shows, where much happens to all of them alike."""

import pytest

from swim_core import MemberDied, MemberJoined
from swim_core.simulation import Process, Simulation
from swim_core.simulation.sampled import Sampled


def sent(processes: list[Process]) -> float:
    """Datagrams that each of them has sent."""
    return sum(process.node.statistics().datagrams_sent for process in processes) / len(processes)


def joined(simulation: Simulation, old: list[Process]) -> tuple[float, float, float]:
    """Datagrams of each old member, and when half of the newcomers were known to half, and all to all."""
    since, before = simulation.now, sent(old)
    if isinstance(simulation, Sampled):
        simulation.add_newcomer()
    else:
        for number in range(3):
            simulation.add(f"newcomer-{number}", join=old[2 * number : 2 * number + 2])
    simulation.run_for(2.0)
    times = sorted(at - since for process in old for at in process.times(MemberJoined))
    assert len(times) == 3 * len(old)
    return sent(old) - before, times[len(times) // 2], times[-1]


def test_newcomers() -> None:
    with Sampled(1, kinds=100, count=3, newcomers=1) as sample:
        some = joined(sample, sample.start())
        assert sample.agreed()
    with Simulation(1, tripwires=True) as whole:
        all_of_them = joined(whole, whole.start_formed(300))
    assert some == pytest.approx(all_of_them, rel=0.35)


def parted(simulation: Simulation, members: list[Process]) -> tuple[float, float]:
    """Datagrams of each member until the halves are dead to each other, and when half of those deaths were known."""
    simulation.run_for(2.0)
    since, before = simulation.now, sent(members)
    half = len(members) // 2
    if isinstance(simulation, Sampled):
        simulation.part(range(half))
    else:
        simulation.partition(members[:half])
    simulation.run_for(14.0)
    cost = sent(members) - before
    times = sorted(at - since for process in members for at in process.times(MemberDied))
    simulation.heal()
    simulation.run_for(5.0)
    assert simulation.agreed()
    return cost, times[len(times) // 2]


def test_halves() -> None:
    with Sampled(1, kinds=16, count=4) as sample:
        some = parted(sample, sample.start())
    with Simulation(1, tripwires=True) as whole:
        all_of_them = parted(whole, whole.start_formed(64))
    assert some == pytest.approx(all_of_them, rel=0.25)


def test_a_sample_of_all_is_a_simulation_of_all() -> None:
    with Sampled(1, kinds=20, count=1) as sample:
        sample.start()
        sample.run_for(10.0)
        assert sample.agreed()
        assert sent(sample.running()) == pytest.approx(10.0, rel=0.1)


def test_idle_members() -> None:
    with Sampled(1, kinds=20, count=50) as sample:
        members = sample.start()
        sample.run_for(10.0)
        assert sample.agreed()
        assert not any(process.events for process in members)
        assert sent(members) == pytest.approx(20.0, rel=0.1)  # in reality half of that: see `Sampled`
