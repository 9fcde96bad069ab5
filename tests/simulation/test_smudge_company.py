"""Smudge nodes among real ones, and among peers that do half their duty, or harm."""

import pytest

from support.smudge_clusters import CONFIG, I, cluster, delays, flaps
from support.smudge_hostile import AcksOnly, PingsOnly, RelaysNothing, SendsRubbish
from support.smudge_original import OriginalConfig, OriginalNode
from swim_core import MemberDied, ProtocolConfig
from swim_core.simulation import Simulation


def ours(simulation: Simulation) -> list[str]:
    """The names of nodes of this library."""
    return [process.name for process in simulation.running() if process.config is CONFIG]


MIXES: dict[str, list[ProtocolConfig]] = {
    "ours first": [CONFIG, OriginalConfig(), CONFIG, OriginalConfig(), CONFIG, OriginalConfig()],
    "theirs first": [OriginalConfig(), CONFIG, OriginalConfig(), CONFIG, OriginalConfig(), CONFIG],
    "one of ours": [OriginalConfig(), OriginalConfig(), OriginalConfig(), CONFIG],
    "one of theirs": [CONFIG, CONFIG, CONFIG, OriginalConfig()],
    "a pair": [CONFIG, OriginalConfig()],
}
Mixes = pytest.mark.parametrize("mix", MIXES)


@Mixes
@pytest.mark.parametrize("seed", range(2))
def test_nobody_flaps_and_all_broadcasts_cross(mix: str, seed: int) -> None:
    with cluster(seed, MIXES[mix]) as simulation:
        formed = simulation.now
        for number, process in enumerate(simulation.running()):
            payload = b"%d" % number
            simulation.broadcast(process, payload)
            simulation.run_for(5.0)
            assert len(delays(simulation, payload, 0.0)) == len(MIXES[mix]) - 1
        simulation.run_for(20.0)
        assert all(len(process.node.members()) == len(MIXES[mix]) for process in simulation.running())
        assert not flaps(simulation, since=formed)
        for process in simulation.running():
            if isinstance(process.node, OriginalNode):
                assert not [change for change in process.node.changes if change[2] != 1]
                assert not process.node.lost


@Mixes
def test_a_kill_is_seen_and_a_restart_too(mix: str) -> None:
    for victim in ("node-0", "node-1"):
        with cluster(3, MIXES[mix]) as simulation:
            name, killed = simulation.process(victim).name, simulation.now
            simulation.crash(victim)
            simulation.run_for(7 * I)
            assert all(process.times(MemberDied, name) for process in simulation.running())
            assert not flaps(simulation, name, since=killed)
            simulation.run_for(10.0)
            simulation.restart(victim, join=[label for label in simulation.processes if label != victim][:1])
            simulation.run_for(10.0)
            assert all(len(process.node.members()) == len(MIXES[mix]) for process in simulation.running())


@pytest.mark.parametrize("ours_asks", [True, False])
def test_each_relays_for_the_other(ours_asks: bool) -> None:
    """The path between two nodes is cut, and all that could relay are of the other kind."""
    asker, others = (CONFIG, OriginalConfig()) if ours_asks else (OriginalConfig(), CONFIG)
    with cluster(1, [asker, others, others, others]) as simulation:
        cut = simulation.now
        simulation.cut("node-0", "node-1")
        simulation.cut("node-1", "node-0")
        simulation.run_for(30.0)
        assert not flaps(simulation, since=cut)
        for process in simulation.running():
            if isinstance(process.node, OriginalNode):
                assert not [change for change in process.node.changes if change[0] >= cut and change[2] != 1]
        assert all(len(process.node.members()) == 4 for process in simulation.running())


def test_an_ipv6_cluster_is_no_different() -> None:
    with Simulation(1, config=CONFIG) as simulation:
        for number, config in enumerate(MIXES["ours first"]):
            address = (f"fd77::{number + 1:x}", 9999)
            simulation.add(f"node-{number}", join=["node-0"] if number else [], config=config, address=address)
            simulation.run_for(0.1)
        simulation.run_for(8.0)
        formed = simulation.now
        for number, process in enumerate(simulation.running()):
            simulation.broadcast(process, b"%d" % number)
            simulation.run_for(5.0)
            assert len(delays(simulation, b"%d" % number, 0.0)) == 5
        assert all(len(process.node.members()) == 6 for process in simulation.running())
        assert not flaps(simulation, since=formed)
        name = simulation.process("node-1").name
        simulation.crash("node-1", refusals=False)
        simulation.run_for(7 * I)
        assert all(process.times(MemberDied, name) for process in simulation.running())


def test_a_real_node_that_restarts_is_heard_from_its_first_broadcast() -> None:
    """Defect 23: its index starts at 1 again, so that real nodes take it for a repeat."""
    for seed in range(3):
        with cluster(seed, [CONFIG, CONFIG, CONFIG, OriginalConfig()]) as simulation:
            simulation.broadcast("node-3", b"first")
            simulation.run_for(5.0)
            simulation.restart("node-3")
            simulation.run_for(3.0)
            simulation.broadcast("node-3", b"again")
            simulation.run_for(120.0)
            assert len(delays(simulation, b"first", 0.0)) == len(delays(simulation, b"again", 0.0)) == 3


@pytest.mark.parametrize("seed", range(3))
def test_what_real_nodes_claim_falsely_under_loss_is_not_believed(seed: int) -> None:
    """They accuse healthy nodes whenever two relays stay silent; ours check, and answer for one another."""
    with cluster(seed, MIXES["ours first"], loss=0.02) as simulation:
        simulation.run_for(60.0)
        healthy = ours(simulation)
        told = [(p.label, e) for p in simulation.running() if p.config is CONFIG for _, e in p.events]
        died = [item for item in told if isinstance(item[1], MemberDied) and item[1].member.name in healthy]
        assert not died


@pytest.mark.parametrize("kind", [AcksOnly, PingsOnly, RelaysNothing, SendsRubbish])
def test_bad_peers_change_nothing_for_the_others(kind: type[OriginalNode]) -> None:
    with cluster(1, [CONFIG, CONFIG, CONFIG, CONFIG, OriginalConfig(kind=kind)]) as simulation:
        simulation.run_for(20.0)
        healthy = ours(simulation)
        bad = [process.name for process in simulation.processes.values() if process.name not in healthy]
        extra = {m.name for p in simulation.running() if p.config is CONFIG for m in p.node.members(gone=True)}
        invented = [name for name in extra if name not in healthy]
        assert not flaps(simulation, *bad, *invented)
        simulation.broadcast("node-1", b"x")
        simulation.run_for(2 * I)
        assert len([1 for _ in delays(simulation, b"x", 0.0)]) >= len(healthy) - 1
        name = simulation.process("node-2").name
        simulation.crash("node-2", refusals=False)
        simulation.run_for(7 * I)
        survivors = [process for process in simulation.running() if process.config is CONFIG]
        assert all(process.times(MemberDied, name) for process in survivors)


def test_peers_that_only_ack_or_relay_nothing_stay_alive_themselves() -> None:
    for kind in (AcksOnly, RelaysNothing):
        with cluster(1, [CONFIG, CONFIG, CONFIG, OriginalConfig(kind=kind)]) as simulation:
            simulation.run_for(20.0)
            assert not flaps(simulation)
