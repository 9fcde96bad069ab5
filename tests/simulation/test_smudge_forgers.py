"""Forged heartbeats in whole clusters: afterwards deaths and restarts are seen in the usual time, everywhere."""

import pytest

from support.smudge_clusters import CONFIG, I, cluster, formed
from support.smudge_forger import FORGERIES, NEAR_TOP
from support.smudge_hostile import Front
from support.smudge_original import OriginalConfig, OriginalNode
from swim_core import Address, MemberDied, ProtocolConfig
from swim_core.simulation import Process, Simulation
from swim_core.smudge import encode

STRANGER = Address("10.0.99.99", 9999)
DEATH, REVIVAL = 7 * I, 3 * I  # as without a forger (test_smudge_cluster)
REVIVAL_OF_REAL = 10.0  # as in test_smudge_company
VICTIM = "node-1"  # forgeries about a third node are about this one

Forgeries = pytest.mark.parametrize("forgery", FORGERIES)
Forgers = pytest.mark.parametrize("member", [False, True], ids=["a stranger", "a member"])


def forge(simulation: Simulation, forgery: str, forger: Address, victims: list[Process]) -> None:
    """Send all that a forgery consists of to each of the victims, within a second."""
    third = simulation.process(VICTIM).address
    for victim in victims:
        messages = [*FORGERIES[forgery](forger, victim.address, third)]
        for number, message in enumerate(messages):
            at = simulation.now + number / len(messages)
            simulation.network.timeline.at(at, simulation.network.send, forger, victim.address, encode(message))
    simulation.run_for(1.5)


def check_death_and_restart(simulation: Simulation, revival: float) -> None:
    name, killed = simulation.process(VICTIM).name, simulation.now
    simulation.crash(VICTIM, refusals=False)
    simulation.run_for(DEATH)
    assert [p.label for p in simulation.running() if not any(t >= killed for t in p.times(MemberDied, name))] == []
    simulation.run_for(10.0)
    simulation.restart(VICTIM)
    simulation.run_for(revival)
    everyone = {process.name for process in simulation.running()}
    assert {p.label: everyone - {m.name for m in p.node.members()} for p in simulation.running()} == {
        p.label: set() for p in simulation.running()
    }


@Forgers
@Forgeries
def test_among_our_own(forgery: str, member: bool) -> None:
    with formed(6, 1) as simulation:
        forger = simulation.process("node-5").address if member else STRANGER
        forge(simulation, forgery, forger, [p for p in simulation.running() if p.address != forger])
        check_death_and_restart(simulation, REVIVAL)


@Forgers
@Forgeries
@pytest.mark.parametrize("ours", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_beside_real_nodes_which_learn_nothing_of_it(forgery: str, member: bool, ours: int) -> None:
    """The forger talks only to our nodes, and what it says must not get beyond them."""
    kinds: list[ProtocolConfig] = [OriginalConfig()] * (5 - ours) + [OriginalConfig(kind=Front)] + [CONFIG] * ours
    with cluster(1, kinds) as simulation:
        forger = simulation.process(f"node-{5 - ours}").address if member else STRANGER
        forge(simulation, forgery, forger, [p for p in simulation.running() if p.config is CONFIG])
        for process in simulation.running():
            if type(process.node) is OriginalNode:
                assert process.node.heartbeat < NEAR_TOP
                assert all(entry.heartbeat < NEAR_TOP for entry in process.node.table.values())
        check_death_and_restart(simulation, REVIVAL_OF_REAL)
