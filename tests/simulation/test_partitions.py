"""Parts of a cluster that lost each other find each other again, and no live member is declared dead when they meet."""

from itertools import pairwise

import pytest

from support.outsider import KEY
from support.scenario import S, deaths
from swim_core import Address, Keys, MemberDied
from swim_core.simulation import Link, Simulation


@pytest.mark.parametrize("members", [6, 16, *(pytest.param(count, marks=pytest.mark.slow) for count in (64, 128))])
def test_a_partition_heals_without_a_false_death(members: int) -> None:
    with Simulation(members, link=Link(loss=0.01)) as simulation:
        processes = simulation.start_formed(members)
        simulation.run_for(10.0)
        half = processes[: members // 2]
        simulation.partition(half)
        simulation.run_for(30.0)
        assert all(len(process.times(MemberDied)) == members // 2 for process in processes)
        simulation.heal()
        healed = simulation.now
        simulation.run_until(simulation.agreed, limit=70.0)
        simulation.run_for(5.0)
        assert not deaths(simulation, since=healed)


@pytest.mark.parametrize("minority", [1, 2, 5])
def test_a_minority_comes_back(minority: int) -> None:
    with Simulation(minority) as simulation:
        processes = simulation.start_formed(16)
        simulation.run_for(5.0)
        simulation.partition(processes[:minority])
        simulation.run_for(60.0)
        simulation.heal()
        healed = simulation.now
        simulation.run_until(simulation.agreed, limit=70.0)
        simulation.run_for(5.0)
        assert not deaths(simulation, since=healed)


@pytest.mark.parametrize("seed", range(1, 4))
def test_a_partition_shorter_than_the_tolerance_kills_nobody(seed: int) -> None:
    with Simulation(seed) as simulation:
        processes = simulation.start_formed(16)
        simulation.run_for(5.0 + 0.3 * seed)
        simulation.partition(processes[:8])
        simulation.run_for(0.95 * S)
        simulation.heal()
        simulation.run_for(10.0)
        assert not deaths(simulation)
        assert simulation.agreed()


@pytest.mark.parametrize("members", [5, 12])
def test_a_dead_member_is_tried_every_5_s_by_whose_turn_it_is_so_a_healed_partition_is_found_within_that(
    members: int,
) -> None:
    """All deaths of a partition come at one moment; if all were tried at once, a long pause would follow."""
    with Simulation(members) as simulation:
        processes = simulation.start_formed(members)
        simulation.run_for(5.0)
        dead, tried = processes[-1].address, list[float]()  # no seed

        def tap(what: str, source: Address, destination: Address, payload: bytes) -> None:
            if what == "sent" and destination == dead:
                tried.append(simulation.now)

        simulation.crash(processes[-1], refusals=False)
        simulation.run_for(30.0)
        simulation.network.tap = tap
        simulation.run_for(100.0)
        assert 18 <= len(tried) <= 22
        assert all(2.9 <= after - before <= 7.1 for before, after in pairwise(tried))


@pytest.mark.parametrize("seed", range(3))
def test_a_network_that_heals_while_verdicts_are_made_leaves_nobody_dead_by_them(seed: int) -> None:
    """Votes from before that moment might do so; hence each accuser asks the member itself once more, three times."""
    with Simulation(seed) as simulation:
        processes = simulation.start_formed(16)
        simulation.run_for(10.0)
        simulation.partition(processes[:5])
        simulation.run_until(lambda: any(process.times(MemberDied) for process in processes[:5]), 25.0)
        simulation.heal()
        healed = simulation.now
        simulation.run_for(5.0)
        assert not deaths(simulation, since=healed + 0.003)


@pytest.mark.slow
def test_three_parts_and_members_that_come_and_go_meanwhile() -> None:
    with Simulation(5) as simulation:
        processes = simulation.start_formed(18)
        simulation.run_for(5.0)
        simulation.partition(processes[:6], processes[6:12])
        simulation.run_for(20.0)
        simulation.crash("node-1")
        simulation.leave("node-7")
        simulation.restart("node-13", join=["node-14"])
        simulation.run_for(20.0)
        simulation.heal()
        healed = simulation.now
        simulation.run_until(simulation.agreed, limit=90.0)
        assert {name for _, _, name in deaths(simulation, since=healed)} <= {"node-1", "node-13"}


def test_two_islands_with_different_seeds_merge() -> None:
    with Simulation(3) as simulation:
        west = [simulation.add(f"west-{number}", join=["west-0"] if number else []) for number in range(4)]
        bridge = [west[0]]
        simulation.partition(west)
        for number in range(4):
            seeds = ["east-0"] if number else []
            simulation.add(f"east-{number}", join=[*seeds, *(bridge if number == 2 else [])])
        simulation.run_for(100.0)
        assert {len(process.node.members()) for process in simulation.running()} == {4}
        simulation.heal()
        simulation.run_until(simulation.agreed, limit=70.0)
        assert not deaths(simulation)


@pytest.mark.parametrize("keys", [None, pytest.param(KEY, marks=pytest.mark.slow)], ids=["plain", "sealed"])
@pytest.mark.parametrize("loss", [0.0, 0.2])
@pytest.mark.parametrize("dies", ["before", "during"])
@pytest.mark.parametrize("members", [3, 6, 17])
def test_a_partition_heals_though_the_only_seed_is_dead(
    members: int, dies: str, loss: float, keys: Keys | None
) -> None:
    """Each side considers the other dead, and nobody is left to let both in."""
    with Simulation(f"{members}/{dies}/{loss}", link=Link(loss=loss), keys=keys) as simulation:
        seed = simulation.add("m0")
        for number in range(1, members):
            simulation.add(f"m{number}", join=[seed])
            simulation.run_for(0.1)
        simulation.run_until(simulation.agreed, 30.0)
        if dies == "before":
            simulation.crash("m0")
            simulation.run_for(10.0)
        names = [process.label for process in simulation.running()]
        simulation.partition(names[: len(names) // 2], names[len(names) // 2 :])
        simulation.run_for(20.0)
        if dies == "during":
            simulation.crash("m0")
        simulation.run_for(20.0)
        simulation.heal()
        assert simulation.run_until(simulation.agreed, 60.0) < 60.0
        healed = simulation.now
        simulation.run_for(60.0)
        for process in simulation.running():
            assert not [time for time in process.times(MemberDied) if time > healed]
