"""Dead members are found within the promised time, and others are left alone."""

from random import Random
from statistics import median

import pytest

from support.scenario import S, T, deaths, knew
from swim_core import Config, Isolated, MemberDied, MemberJoined, MemberRecovered, MemberSuspected
from swim_core.simulation import Link, Simulation

SEEDS = range(1, 6)


def formed(seed: int, members: int, link: Link | None = None) -> Simulation:
    """A cluster that has run for a while, so that round trips are known, and a crash falls anywhere in an interval."""
    simulation = Simulation(seed, link=link)
    simulation.start_formed(members)
    simulation.run_for(20.0 + 0.19 * seed)
    return simulation


@pytest.mark.parametrize("members", [16, pytest.param(128, marks=pytest.mark.slow)])
def test_a_crash_is_known_to_all_in_about_one_interval(members: int) -> None:
    last = []
    for seed in SEEDS:
        with formed(seed, members) as simulation:
            simulation.crash("node-3")
            last.append(knew(simulation, MemberDied, "node-3", simulation.now, limit=3.0)[-1])
            assert {name for _, _, name in deaths(simulation)} == {"node-3"}
    assert median(last) < 0.5 * T + 0.1 + 0.5 + 0.2
    assert max(last) < 1.5 * T + 0.25


@pytest.mark.parametrize("after", [0.05, 0.3, 1.5])
def test_one_that_crashes_before_others_than_its_seed_have_met_it_is_found(after: float) -> None:
    """Like a program that fails when it starts: the others, who confirm its death, know it from hearsay."""
    others = ("node-1", "node-2")
    with Simulation(1) as simulation:
        simulation.form(3)
        simulation.run_for(5.0)
        simulation.add("new", join=["node-0"])
        for other in others:
            simulation.cut("new", other)
        seed = simulation.process("node-0")
        simulation.run_until(lambda: bool(seed.told(MemberJoined, "new")), limit=5.0)
        simulation.run_for(after)
        simulation.crash("new")
        for other in others:
            simulation.mend("new", other)
        assert simulation.run_until(lambda: bool(seed.told(MemberDied, "new")), limit=30.0) < 1.5 * T + 2.0
        assert not any(simulation.process(other).told(MemberJoined, "new") for other in others)


@pytest.mark.parametrize("members", [2, 3, 4, 16, pytest.param(128, marks=pytest.mark.slow)])
def test_without_refusals_a_crash_is_known_when_the_stall_tolerance_is_over(members: int) -> None:
    last = []
    for seed in SEEDS:
        with formed(seed, members) as simulation:
            simulation.crash("node-1", refusals=False)
            times = knew(simulation, MemberDied, "node-1", simulation.now, limit=10.0)
            assert times[0] >= S
            last.append(times[-1])
    assert median(last) < S + 0.3 + 0.5 * T + 0.25  # the median of only five seeds varies
    assert max(last) < S + 0.3 + T


@pytest.mark.parametrize("loss", [0.05, 0.2])
def test_losses_delay_it_little(loss: float) -> None:
    for seed in SEEDS:
        with formed(seed, 32, Link(loss=loss)) as simulation:
            simulation.lose_host("node-1")
            assert knew(simulation, MemberDied, "node-1", simulation.now, limit=15.0)[-1] < S + 5 * T
            assert {name for _, _, name in deaths(simulation)} == {"node-1"}


def test_a_silent_member_is_suspected_at_half_the_tolerance() -> None:
    with formed(1, 16) as simulation:
        simulation.lose_host("node-1")
        lost = simulation.now
        times = knew(simulation, MemberSuspected, "node-1", lost, limit=6.0)
        assert times[0] >= S / 2
        assert times[-1] <= S / 2 + T + 0.5
        assert not deaths(simulation)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_member_that_loses_most_datagrams_makes_nobody_else_suspected(seed: int) -> None:
    """Its requests reach the helpers late; their first votes, before any answer, confirm nothing."""
    with formed(seed, 16) as simulation:
        lossy = simulation.process("node-7")
        simulation.network.set_link(lossy.address, None, Link(loss=0.8))
        simulation.network.set_link(None, lossy.address, Link(loss=0.8))
        simulation.run_for(150.0)
        suspected = {event.member.name for p in simulation.running() for event in p.told(MemberSuspected)}
        assert lossy.node.statistics().probes_failed > 50
        assert suspected <= {lossy.name}


@pytest.mark.parametrize("members", [3, 16])
@pytest.mark.parametrize("seed", range(1, 4))
def test_a_stall_just_under_the_tolerance_is_survived(seed: int, members: int) -> None:
    with formed(seed, members) as simulation:
        for number in range(members):
            simulation.pause(f"node-{number}", 0.95 * S)
            simulation.run_for(0.95 * S + 1.7)
        assert not deaths(simulation)
        assert simulation.run_until(simulation.agreed, limit=2.0) < 2.0


def test_many_stalls_at_once_are_survived() -> None:
    with formed(2, 32, Link(loss=0.01)) as simulation:
        for _ in range(5):
            for number in range(0, 32, 4):
                simulation.pause(f"node-{number}", 0.95 * S)
            simulation.run_for(0.95 * S + 2.0)
        assert not deaths(simulation)


def test_a_hung_process_is_found_and_recovers_when_it_wakes() -> None:
    with formed(3, 16) as simulation:
        simulation.pause("node-5", 12.0)
        stalled = simulation.now
        assert knew(simulation, MemberDied, "node-5", stalled, limit=8.0)[-1] < S + 0.3 + T
        simulation.run_until(lambda: not simulation.process("node-5").paused, limit=10.0)
        assert knew(simulation, MemberRecovered, "node-5", stalled, limit=5.0)
        simulation.run_until(simulation.agreed, limit=5.0)
        assert {name for _, _, name in deaths(simulation)} == {"node-5"}


@pytest.mark.parametrize(("lost", "members"), [(2, 3), (3, 5), (8, 10)])
@pytest.mark.parametrize("seed", [1, 2])
def test_many_hosts_lost_at_once_are_all_found(lost: int, members: int, seed: int) -> None:
    with formed(seed, members) as simulation:
        for number in range(lost):
            simulation.lose_host(f"node-{number}")
        # More than half of the others are silent, so the tolerance counts threefold until enough are found dead.
        simulation.run_until(simulation.agreed, limit=3 * S + 10.0)


def test_a_third_of_a_cluster_lost_at_once_is_found() -> None:
    with formed(1, 64, Link(loss=0.01)) as simulation:
        for number in range(20):
            simulation.lose_host(f"node-{number}")
        simulation.run_until(simulation.agreed, limit=15.0)
        gone = {f"node-{number}" for number in range(20)}
        assert {name for _, _, name in deaths(simulation)} == gone


def test_nodes_that_all_pause_often_still_find_a_lost_host() -> None:
    with formed(1, 16) as simulation:

        def pause_now_and_then(label: str) -> None:
            if simulation.processes[label].running:
                simulation.pause(label, 0.3)
                simulation.after(4.0, pause_now_and_then, label)

        for number, process in enumerate(simulation.running()):
            simulation.after(0.25 * number, pause_now_and_then, process.label)
        simulation.run_for(8.0)
        simulation.lose_host("node-7")
        assert knew(simulation, MemberDied, "node-7", simulation.now, limit=20.0)[-1] < S + 5 * T
        assert {name for _, _, name in deaths(simulation)} == {"node-7"}


@pytest.mark.parametrize("jump", [-3_600.0, 2.0, 86_400.0])
def test_a_clock_that_jumps_kills_nobody(jump: float) -> None:
    with formed(1, 8) as simulation:
        simulation.step_clock("node-2", monotonic=jump)
        simulation.run_for(20.0)
        assert not deaths(simulation)
        assert simulation.agreed()


def test_one_way_cuts_between_a_few_kill_nobody() -> None:
    with formed(1, 16) as simulation:
        simulation.cut("node-1", "node-2")
        simulation.cut("node-3", "node-2")
        simulation.cut("node-2", "node-4")
        simulation.run_for(60.0)
        assert not deaths(simulation)


def test_a_node_that_hears_nobody_blames_itself() -> None:
    with formed(1, 8) as simulation:
        simulation.partition(["node-0"])
        simulation.run_for(2.5 * S)
        cut_off = simulation.process("node-0")
        assert cut_off.times(Isolated)
        assert not cut_off.times(MemberDied)
        simulation.heal()
        healed = simulation.now
        simulation.run_until(simulation.agreed, limit=10.0)
        assert not deaths(simulation, since=healed)


def test_a_quiet_cluster_costs_one_small_datagram_a_member_and_interval() -> None:
    sizes: list[int] = []
    with formed(1, 32) as simulation:
        simulation.network.tap = lambda what, source, destination, payload: (
            sizes.append(len(payload)) if what == "sent" else None
        )
        simulation.run_for(30.0)
    assert len(sizes) / 32 / 30 == pytest.approx(1.0, abs=0.05)
    assert sum(sizes) / len(sizes) <= 46


@pytest.mark.parametrize("seed", range(40))
def test_one_of_two_that_dies_while_the_other_pauses_is_found(seed: int) -> None:
    """After two pauses a node begins no watch until an ack is in time or S has passed: maybe nobody is left to ack."""
    quick = Config.local(probe_interval=0.1, stall_tolerance=0.5, verdict_margin=0.05)
    chance = Random(seed)
    with Simulation(seed) as simulation:
        ann = simulation.add("ann", config=quick)
        bob = simulation.add("bob", join=["ann"], config=quick)
        simulation.run_for(1.0)
        simulation.pause(ann, 0.3)
        simulation.run_for(0.3 + chance.random() * 0.1)
        simulation.crash(bob)
        simulation.pause(ann, 0.3)
        simulation.run_until(lambda: len(ann.node.members()) == 1, limit=5.0)
