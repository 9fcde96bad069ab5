"""Clusters of Smudge nodes: the bounds they promise under loss, stalls, kills and restarts."""

from statistics import fmean, median

import pytest

from support.smudge_clusters import I, delays, flaps, formed
from support.smudge_original import OriginalConfig
from swim_core import MemberDied, MemberJoined, MemberRecovered
from swim_core.simulation import Process, Simulation

SIZES = [
    pytest.param(3, range(6), id="3"),
    pytest.param(10, range(2), id="10"),
    pytest.param(30, range(1), id="30", marks=pytest.mark.slow),
    pytest.param(3, range(6, 60), id="3, more seeds", marks=pytest.mark.slow),
    pytest.param(10, range(2, 30), id="10, more seeds", marks=pytest.mark.slow),
    pytest.param(30, range(1, 8), id="30, more seeds", marks=pytest.mark.slow),
]
Sizes = pytest.mark.parametrize(("nodes", "seeds"), SIZES)
Losses = pytest.mark.parametrize("loss", [0.0, 0.1])


def first(process: Process, kind: type[MemberDied | MemberRecovered], name: str, since: float) -> float:
    """How long after ``since`` a process was told, in intervals; infinity for never."""
    return min((t - since for t in process.times(kind, name) if t >= since), default=float("inf")) / I


@Sizes
@Losses
@pytest.mark.parametrize(("refusals", "most", "usual"), [(False, 7, 3), (True, 4, 2)])
def test_a_killed_node_is_dead_at_all_others(
    nodes: int, seeds: range, loss: float, refusals: bool, most: float, usual: float
) -> None:
    times = []
    for seed in seeds:
        with formed(nodes, seed, loss) as simulation:
            victim, killed = simulation.process("node-1").name, simulation.now
            simulation.crash("node-1", refusals=refusals)
            simulation.run_for(most * I)
            told = [first(process, MemberDied, victim, killed) for process in simulation.running()]
            assert max(told) <= most
            assert not flaps(simulation, victim)
            times += told
    assert median(times) <= usual


@Sizes
@Losses
def test_stalls_up_to_one_interval_kill_nobody(nodes: int, seeds: range, loss: float) -> None:
    for seed in seeds:
        with formed(nodes, seed, loss, rest=1.0) as simulation:
            for number in range(min(nodes, 10)):
                simulation.pause(f"node-{number}", I)
                simulation.run_for(I + 0.37)
            assert not [event for event in flaps(simulation) if "Died" in event[2]]
            simulation.run_until(simulation.agreed, 2.0)


@Sizes
@Losses
def test_a_restarted_node_is_alive_everywhere_within_three_intervals(nodes: int, seeds: range, loss: float) -> None:
    for seed in seeds:
        with formed(nodes, seed, loss, rest=3.0) as simulation:
            victim = simulation.process("node-1").name
            simulation.crash("node-1")
            simulation.run_for(20.0)
            restarted = simulation.now
            simulation.restart("node-1")
            simulation.run_for(3 * I)
            others = [process for process in simulation.running() if process.label != "node-1"]
            assert max(first(process, MemberRecovered, victim, restarted) for process in others) <= 3
            assert not flaps(simulation, victim)
            simulation.run_until(simulation.agreed, 5 * I)


@Sizes
@Losses
def test_a_quiet_cluster_reports_nothing(nodes: int, seeds: range, loss: float) -> None:
    for seed in seeds:
        with formed(nodes, seed, loss, rest=30.0) as simulation:
            assert not flaps(simulation)
            assert all(len(process.times(MemberJoined)) == nodes - 1 for process in simulation.running())


# What real nodes took for a burst of 50 at 10 a second: median, mean, 90 %, 99 % and maximum of the delays, seconds.
ORIGINAL = {10: (10.0, 13.4, 30.8, 67.6, 72.1), 30: (11.7, 15.0, 33.3, 57.8, 84.9)}


def spread(values: list[float]) -> tuple[float, ...]:
    """Median, mean, 90 %, 99 %, maximum."""
    ordered = sorted(values)
    return (
        median(ordered),
        fmean(ordered),
        ordered[len(ordered) * 90 // 100],
        ordered[len(ordered) * 99 // 100],
        ordered[-1],
    )


@Sizes
@Losses
def test_single_broadcasts_reach_everyone_in_an_instant(nodes: int, seeds: range, loss: float) -> None:
    for seed in seeds:
        with formed(nodes, seed, loss, rest=1.0) as simulation:
            for number in range(5):
                payload, sent = b"%d" % number, simulation.now
                simulation.broadcast(f"node-{number % nodes}", payload)
                simulation.run_for(2 * I)
                told = delays(simulation, payload, sent)
                assert len(told) == nodes - 1
                assert median(told) <= 1


@Sizes
@Losses
def test_a_burst_is_delivered_completely_in_a_tenth_of_the_originals_time(
    nodes: int, seeds: range, loss: float
) -> None:
    """The original took 72 s at ten nodes and 85 s at thirty, and lost three in 450; three nodes do as well as ten."""
    for seed in seeds:
        with formed(nodes, seed, loss, rest=1.0) as simulation:
            sent = {}
            for number in range(50):
                sent[b"%d" % number] = simulation.now
                simulation.broadcast("node-0", b"%d" % number)
                simulation.run_for(0.1)
            simulation.run_for(8.0)
            told = {payload: delays(simulation, payload, at) for payload, at in sent.items()}
            assert [len(times) for times in told.values()] == [nodes - 1] * 50
            taken = spread([time * I for times in told.values() for time in times])
            assert all(ours < theirs / 10 for ours, theirs in zip(taken, ORIGINAL[max(nodes, 10)], strict=True))


def test_a_cluster_that_was_cut_in_two_finds_itself_again() -> None:
    with formed(6, 1) as simulation:
        simulation.partition(["node-0", "node-1", "node-2"])
        simulation.run_for(20.0)
        assert len(simulation.process("node-0").node.members()) == 3
        simulation.heal()
        simulation.run_until(simulation.agreed, limit=70.0)


def test_the_model_of_the_original_behaves_as_measured() -> None:
    """A ping and an ACK per interval, a death within seconds, broadcasts delivered: otherwise it proves nothing."""
    with Simulation(1, config=OriginalConfig()) as simulation:
        for number in range(10):
            simulation.add(f"node-{number}", join=["node-0"] if number else [])
            simulation.run_for(0.1)
        simulation.run_for(20.0)
        sent = simulation.network.traffic.sent
        simulation.run_for(10.0)
        assert (simulation.network.traffic.sent - sent) / 100 == pytest.approx(4.0, abs=0.1)
        simulation.broadcast("node-3", b"x")
        simulation.run_for(10.0)
        assert len(delays(simulation, b"x", 0.0)) == 9
        name = simulation.process("node-1").name
        simulation.crash("node-1")
        simulation.run_for(6.0)
        assert all(process.times(MemberDied, name) for process in simulation.running())
