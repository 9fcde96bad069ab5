"""A Smudge node that hears from nobody: its own trouble is likelier than everyone else's death."""

import pytest

from support.smudge_clusters import I, cluster, flaps, formed
from support.smudge_original import OriginalConfig, OriginalNode
from swim_core import Isolated, MemberDied, MemberRecovered, MemberSuspected, Reconnected, Rule
from swim_core.simulation import Process, Simulation
from swim_core.smudge import SmudgeConfig

CUT = 30.0  # seconds


def died(process: Process, since: float, until: float = float("inf")) -> list[str]:
    """The members whose deaths a process was told of, except by its own isolation."""
    return [
        event.member.name
        for time, event in process.events
        if isinstance(event, MemberDied)
        and since <= time <= until
        and (event.evidence is None or event.evidence.rule is not Rule.ISOLATED)
    ]


def cut_off(simulation: Simulation, loner: str, seconds: float) -> None:
    simulation.partition([loner])
    simulation.run_for(seconds)
    simulation.heal()


@pytest.mark.parametrize("loss", [0.0, 0.1])
@pytest.mark.parametrize("seed", range(4))
def test_a_node_cut_off_accuses_nobody_and_is_back_soon(seed: int, loss: float) -> None:
    with formed(10, seed, loss) as simulation:
        loner, start = simulation.process("node-3"), simulation.now
        simulation.partition(["node-3"])
        simulation.run_for(CUT)
        statistics = loner.node.statistics()
        assert statistics.deaf
        assert statistics.isolated
        assert loner.node.members() == (loner.node.local,)
        assert len(loner.node.members(gone=True)) == 10
        simulation.heal()
        healed = simulation.now
        simulation.run_until(simulation.agreed, 3 * I)
        simulation.run_for(20.0)
        for process in simulation.running():
            told = died(process, start)
            assert set(told) == (set() if process is loner else {loner.name})
            assert not died(process, healed)
        assert len(loner.times(Isolated)) == len(loner.times(Reconnected)) == 1
        assert len(loner.times(MemberDied)) == len(loner.times(MemberRecovered)) == 9  # of its isolation
        assert not loner.times(MemberSuspected)
        assert not loner.node.statistics().isolated
        assert not loner.node.statistics().deaf


@pytest.mark.parametrize("seed", range(2))
def test_nothing_of_it_reaches_the_application_in_a_short_cut(seed: int) -> None:
    with formed(10, seed) as simulation:
        cut_off(simulation, "node-3", 4.0)
        simulation.run_for(10.0)
        assert not [item for item in flaps(simulation) if item[0] == "node-3"]
        assert not simulation.process("node-3").times(Isolated)
        assert simulation.agreed()


@pytest.mark.parametrize("seed", range(2))
def test_a_node_that_hears_but_is_not_heard_accuses_nobody(seed: int) -> None:
    with formed(6, seed) as simulation:
        loner, start = simulation.process("node-3"), simulation.now
        others = [process for process in simulation.running() if process is not loner]
        for other in others:
            simulation.cut(loner, other)
        simulation.run_for(CUT)
        assert loner.node.statistics().isolated
        simulation.heal()
        simulation.run_until(simulation.agreed, 10 * I)
        assert not died(loner, start)
        assert all(set(died(process, start)) == {loner.name} for process in others)


def test_among_real_nodes_too() -> None:
    """They hear of no false deaths: none are reported when the node is back."""
    with cluster(1, [OriginalConfig()] * 5 + [SmudgeConfig(multicast_enabled=False)]) as simulation:
        loner, start = simulation.process("node-5"), simulation.now
        cut_off(simulation, "node-5", CUT)
        simulation.run_until(lambda: all(len(p.node.members()) == 6 for p in simulation.running()), 20.0)
        simulation.run_for(10.0)
        assert not died(loner, start)
        for process in simulation.running():
            if isinstance(process.node, OriginalNode):
                assert {address for _, address, status in process.node.changes if status == 3} <= {loner.address}


@pytest.mark.parametrize("nodes", [2, 3])
def test_few_nodes_still_report_each_others_death(nodes: int) -> None:
    with formed(nodes, 1) as simulation:
        for number in range(1, nodes):
            simulation.crash(f"node-{number}", refusals=False)
        simulation.run_for(7 * I)
        assert len(died(simulation.process("node-0"), 0.0)) == nodes - 1


def test_when_all_others_die_at_once_refusals_tell_and_silence_does_in_the_end() -> None:
    for refusals in (True, False):
        with formed(6, 1) as simulation:
            survivor = simulation.process("node-0")
            for number in range(1, 6):
                simulation.crash(f"node-{number}", refusals=refusals)
            simulation.run_for(8 * I if refusals else 30 * I)
            assert len(set(died(survivor, 0.0))) == (5 if refusals else 0)
            assert survivor.node.members() == (survivor.node.local,)
            assert len(survivor.times(MemberDied)) == 5
            assert bool(survivor.times(Isolated)) is not refusals


def test_half_of_a_cluster_cut_off_holds_the_other_half_dead() -> None:
    """Each side hears its own members, so it isn't isolated."""
    with formed(10, 1) as simulation:
        start = simulation.now
        simulation.partition([f"node-{number}" for number in range(5)])
        simulation.run_for(8 * I)
        assert all(len(set(died(process, start))) == 5 for process in simulation.running())
        assert not any(process.times(Isolated) for process in simulation.running())
