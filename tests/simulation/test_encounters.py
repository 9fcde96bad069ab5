"""Clusters and members that meet something unexpected: other clocks, another cluster, a link that takes seconds."""

import pytest

from support.outsider import KEY
from swim_core import ClocksDiffer, ClustersMet, Isolated, Keys, MemberDied
from swim_core.simulation import Link, Process, Simulation

DAY = 86_400.0
BOTH_WAYS = pytest.mark.parametrize("keys", [None, KEY], ids=["plain", "sealed"])


def two_clusters(simulation: Simulation, *, ahead: float = 0.0) -> tuple[list[Process], list[Process]]:
    """Two clusters, a to c and d to g, that know nothing of each other; the clocks of the second may be ahead."""
    first: list[Process] = []
    second: list[Process] = []
    for name in "abc":
        first.append(simulation.add(name, join=first[:1]))
    for name in "defg":
        if ahead:
            simulation.wall_offsets[name] = ahead
        second.append(simulation.add(name, join=second[:1]))
    simulation.run_for(15.0)
    return first, second


def test_two_formed_clusters_that_meet_say_so_with_sizes_and_addresses() -> None:
    with Simulation(1) as simulation:
        _, second = two_clusters(simulation)
        simulation.process("c").do(lambda node, now: node.join([second[0].address], now=now))
        simulation.run_until(simulation.agreed, 30.0)
        (here,) = simulation.process("c").told(ClustersMet)
        (there,) = second[0].told(ClustersMet)
        assert here == ClustersMet(simulation.process("c").address, 3, second[0].address, 4)
        assert there == ClustersMet(second[0].address, 4, simulation.process("c").address, 3)


def test_members_that_start_or_come_back_are_no_cluster_that_is_met() -> None:
    with Simulation(2) as simulation:
        simulation.form(12)
        names = [process.label for process in simulation.running()]
        simulation.partition(names[:5], names[5:])
        simulation.run_for(30.0)
        simulation.heal()
        simulation.run_until(simulation.agreed, 60.0)
        simulation.restart("node-3")
        simulation.run_for(30.0)
        assert not any(process.told(ClustersMet) for process in simulation.processes.values())


@BOTH_WAYS
@pytest.mark.parametrize("asks", ["behind", "ahead"])
def test_clusters_whose_clocks_are_days_apart_stay_apart_and_say_so(asks: str, keys: Keys | None) -> None:
    with Simulation(3, keys=keys) as simulation:
        behind, ahead = two_clusters(simulation, ahead=3 * DAY)
        one, other = (behind, ahead) if asks == "behind" else (ahead, behind)
        one[2].do(lambda node, now: node.join([other[0].address], now=now))
        simulation.run_for(60.0)
        sign = 1 if asks == "behind" else -1
        sides = [(one[2], sign), (other[0], -sign)]
        if keys is not None:  # a question may be a recording, so it proves nothing about another cluster
            assert not other[0].told(ClocksDiffer)
            sides.pop()
        for process, sign in sides:
            told = process.told(ClocksDiffer)
            assert told, process
            assert told[0].seconds == pytest.approx(sign * 3 * DAY, abs=60.0)
        assert {len(process.node.members()) for process in behind} == {3}
        assert {len(process.node.members()) for process in ahead} == {4}
        for process in ahead:  # as advised: set the clocks, and restart all of them at once
            simulation.wall_offsets[process.label] = 0.0
            simulation.crash(process)
        for process in ahead:
            simulation.restart(process.label, join=[behind[0].address])
        simulation.run_until(simulation.agreed, 60.0)


@pytest.mark.parametrize("keys", [None, KEY], ids=["plain", "sealed"])
@pytest.mark.parametrize("seed", range(6))
def test_members_restarted_together_with_wrong_clocks_list_nobody_who_does_not_list_them(
    seed: int, keys: Keys | None
) -> None:
    """Once it has shown its claim to another node, which restarts, it can no longer take a cluster's time."""
    with Simulation(seed, keys=keys) as simulation:
        first = simulation.add("a")
        simulation.add("b", join=[first])
        simulation.wall_offsets.update(c=3 * DAY, d=3 * DAY)
        other = simulation.add("c", join=[first])
        simulation.add("d", join=[first, other])
        simulation.partition(["a", "b"], ["c", "d"])
        simulation.run_for(60.0)
        simulation.heal()
        simulation.run_for(60.0)
        for label in "cd":
            simulation.restart(label)
        simulation.run_for(180.0)
        views = {process.name: {m.name for m in process.node.members()} for process in simulation.running()}
        assert all(one in views[other] for one, view in views.items() for other in view), views


@pytest.mark.parametrize("off", [400 * DAY, -400 * DAY])
@pytest.mark.parametrize("seed", range(20))
def test_one_that_starts_again_under_a_clock_far_off_comes_back(seed: int, off: float) -> None:
    """Even if the old run is still pinged, and the new one says that it is another one before a seed answers."""
    with Simulation(seed) as simulation:
        simulation.form(6)
        simulation.run_for(20.0)
        simulation.set_link(Link(loss=0.4))
        simulation.crash("node-3")
        simulation.run_for(0.02 * (seed % 8))
        simulation.step_clock("node-3", wall=off)
        simulation.restart("node-3")
        simulation.run_for(8.0)
        simulation.set_link(Link())
        simulation.run_until(simulation.agreed, 90.0)
        assert not any(process.told(ClocksDiffer) for process in simulation.running())


@BOTH_WAYS
@pytest.mark.parametrize("round_trip", [1.6, 3.0, 5.0])
def test_members_join_over_links_that_take_seconds(round_trip: float, keys: Keys | None) -> None:
    with Simulation(4, link=Link(delay=round_trip / 2, jitter=0.1, loss=0.01), keys=keys) as simulation:
        first = simulation.add("n0")
        for number in range(1, 5):
            simulation.add(f"n{number}", join=[first])
            simulation.run_for(1.0)
        simulation.run_until(simulation.agreed, 90.0)
        simulation.run_for(120.0)
        assert simulation.agreed()
        assert not any(process.told(MemberDied) or process.told(Isolated) for process in simulation.running())


@BOTH_WAYS
@pytest.mark.parametrize("others", [1, 2, 8])
@pytest.mark.parametrize("lived", [0.5, 8.0])
def test_one_that_is_replaced_under_another_name_is_dead_in_a_second(
    others: int, lived: float, keys: Keys | None
) -> None:
    """A renamed host, a container's new id: the new process itself knows that the old one lost its socket."""
    with Simulation(5, keys=keys) as simulation:
        first = simulation.add("n0")
        for number in range(1, others):
            simulation.add(f"n{number}", join=[first])
        simulation.run_for(5.0)
        old = simulation.add("old", join=[first])
        simulation.run_for(lived)
        simulation.crash("old")
        at = simulation.now
        simulation.run_for(0.003)
        simulation.add("new", address=old.address, join=[first])
        simulation.run_for(10.0)
        for number in range(others):
            assert simulation.process(f"n{number}").times(MemberDied, "old")[0] - at < 2.5
