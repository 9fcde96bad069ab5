"""Tripwires: a kill is known in milliseconds, a lost host by S_host, and nobody else is harmed."""

from statistics import median

import pytest

from support.scenario import S, T, deaths, knew
from swim_core import Config, MemberDied, MemberJoined, MemberSuspected, Rule, State
from swim_core.simulation import Link, Simulation

SEEDS = range(1, 6)
S_HOST = 3.0


def few(members: int) -> range:
    """Seeds of the simulations, fewer where each takes long."""
    return SEEDS if members < 100 else SEEDS[:2]


def formed(seed: int, members: int, link: Link | None = None, config: Config | None = None) -> Simulation:
    """A cluster that has run for a while, with its connections made."""
    simulation = Simulation(seed, link=link, config=config, tripwires=True)
    simulation.start_formed(members)
    simulation.run_for(20.0 + 0.19 * seed)
    return simulation


def rules(simulation: Simulation) -> set[Rule | None]:
    """By which rules members were declared dead."""
    found = (event for process in simulation.running() for _, event in process.events)
    return {event.evidence.rule for event in found if isinstance(event, MemberDied) and event.evidence}


def wires(simulation: Simulation) -> dict[str, set[str]]:
    assert simulation.wires is not None
    return {p.label: {other.label for other in simulation.wires.kept(p)} for p in simulation.running()}


# ------------------------------------------------------------------ what is gained


KILLS = [(2, 0.01), (3, 0.01), (16, 0.01), pytest.param(128, 0.015, marks=pytest.mark.slow)]


@pytest.mark.parametrize(("members", "most"), KILLS)
def test_a_kill_is_known_to_all_after_the_teardown_and_a_few_hops(members: int, most: float) -> None:
    for seed in few(members):
        with formed(seed, members) as simulation:
            simulation.crash("node-1")
            assert knew(simulation, MemberDied, "node-1", simulation.now, limit=3.0)[-1] < most
            assert {name for _, _, name in deaths(simulation)} == {"node-1"}
            assert rules(simulation) == {Rule.GONE}


def test_who_asks_while_sockets_are_still_being_closed_delays_a_kill_rarely_and_by_one_repetition() -> None:
    """On a path this short tests are faster than the kernel. Of 60 seeds, 7 take over 5 ms (where votes of others don't
    have the judge ask again: 20)."""
    last = []
    for seed in range(60):
        with formed(seed, 20, Link(delay=0.00005, jitter=0.00005, processing=0.0002)) as simulation:
            simulation.crash("node-9")
            last.append(knew(simulation, MemberDied, "node-9", simulation.now, limit=3.0)[-1])
    assert sum(seconds > 0.005 for seconds in last) <= 10
    assert max(last) < 0.015


@pytest.mark.parametrize(("loss", "most"), [(0.05, 0.02), (0.2, 0.05)])
def test_losses_delay_it_by_a_repetition_or_two(loss: float, most: float) -> None:
    """Of the last to know: tests are repeated after 10 and 30 ms, the news after 50.

    At 20 % half of all members are under some watch when one is killed, and a helper's kernel may have reached its
    listener just before, as with the seeds 1, 43 and 70. The worst of 120 seeds is 0.14 s.
    """
    last = []
    for seed in (*SEEDS, 43, 70):
        with formed(seed, 32, Link(loss=loss)) as simulation:
            simulation.crash("node-1")
            last.append(knew(simulation, MemberDied, "node-1", simulation.now, limit=8.0)[-1])
            assert {name for _, _, name in deaths(simulation)} == {"node-1"}
    assert median(last) < most
    assert max(last) < 0.15


def test_far_apart_it_takes_some_round_trips() -> None:
    with formed(1, 32, Link(delay=0.04, jitter=0.002), Config.wan()) as simulation:
        simulation.run_for(20.0)
        simulation.crash("node-1")
        assert knew(simulation, MemberDied, "node-1", simulation.now, limit=5.0)[-1] < 0.6


@pytest.mark.parametrize("members", [2, 3, 4, 16, pytest.param(128, marks=pytest.mark.slow)])
def test_a_lost_host_is_known_when_s_host_is_over(members: int) -> None:
    last = []
    for seed in few(members):
        with formed(seed, members) as simulation:
            simulation.lose_host("node-1")
            times = knew(simulation, MemberDied, "node-1", simulation.now, limit=8.0)
            assert times[0] >= S_HOST
            last.append(times[-1])
            assert {name for _, _, name in deaths(simulation)} == {"node-1"}
            assert rules(simulation) == {Rule.HOST_GONE}
    assert median(last) < S_HOST + 0.5 + (0.5 * T if len(last) > 2 else T)
    assert max(last) < S_HOST + 0.5 + T


def test_a_third_killed_at_once_is_found_at_once() -> None:
    with formed(1, 48) as simulation:
        for number in range(16):
            simulation.crash(f"node-{number}")
        simulation.run_until(simulation.agreed, limit=3 * T)
        assert {name for _, _, name in deaths(simulation)} == {f"node-{number}" for number in range(16)}


def test_a_process_that_replaces_a_killed_one_within_milliseconds_is_told_from_it() -> None:
    for seed in SEEDS:
        with formed(seed, 8) as simulation:
            old = simulation.process("node-3")
            simulation.crash(old)
            simulation.run_for(0.0005)
            simulation.add("newcomer", address=old.address, join=["node-0"])
            knew(simulation, MemberDied, "node-3", simulation.now, limit=2.0, besides="newcomer")  # never knew it
            simulation.run_until(simulation.agreed, limit=5.0)
            assert {name for _, _, name in deaths(simulation)} == {"node-3"}


def test_a_restart_within_milliseconds_is_a_new_run_and_is_not_harmed() -> None:
    for seed in SEEDS:
        with formed(seed, 8) as simulation:
            simulation.restart("node-3")
            simulation.run_until(simulation.agreed, limit=5.0)
            restarted = simulation.now
            simulation.run_for(10.0)
            assert not deaths(simulation, since=restarted)
            joined = [p for p in simulation.running() if p.times(MemberJoined, "node-3")]
            assert len(joined) == 7


# ------------------------------------------------------------------ who is not harmed


@pytest.mark.parametrize("members", [2, 3, 16])
@pytest.mark.parametrize("seed", range(1, 4))
def test_a_stall_just_under_the_tolerance_is_survived_for_the_kernel_accepts(seed: int, members: int) -> None:
    with formed(seed, members) as simulation:
        for number in range(members):
            simulation.pause(f"node-{number}", 0.95 * S)
            simulation.run_for(0.95 * S + 1.7)
        assert not deaths(simulation)


@pytest.mark.parametrize("members", [2, 3, 16])
@pytest.mark.parametrize("loss", [0.0, 0.05])
def test_so_is_one_whose_backlog_somebody_fills_for_the_kernel_acks_on_the_tripwires(members: int, loss: float) -> None:
    with formed(2, members, Link(loss=loss)) as simulation:
        assert simulation.wires is not None
        for number in range(members):
            process = simulation.process(f"node-{number}")
            simulation.wires.firewalled = {process.address: None}
            simulation.pause(process, 0.95 * S)
            simulation.run_for(0.95 * S + 1.7)
        assert not deaths(simulation)
        simulation.lose_host("node-1")
        knew(simulation, MemberDied, "node-1", simulation.now, limit=8.0)
        assert rules(simulation) == {Rule.HOST_GONE}


@pytest.mark.parametrize("members", [2, 3, 16])
def test_so_is_one_whose_tripwires_break_besides_and_cannot_be_made_again(members: int) -> None:
    with formed(3, members) as simulation:
        assert simulation.wires is not None
        for number in range(members):
            process = simulation.process(f"node-{number}")
            simulation.wires.firewalled = {process.address: None}
            simulation.pause(process, 0.95 * S)
            simulation.run_for(0.1 * S)
            simulation.wires.reset(process)
            simulation.run_for(0.85 * S + 1.7)
        assert not deaths(simulation)


def test_many_stalls_at_once_with_losses_are_survived() -> None:
    with formed(2, 32, Link(loss=0.05)) as simulation:
        for _ in range(3):
            for number in range(0, 32, 4):
                simulation.pause(f"node-{number}", 0.9 * S)
            simulation.run_for(S + 2.0)
        assert not deaths(simulation)


def test_a_hung_process_is_declared_dead_by_s_and_not_before() -> None:
    with formed(3, 16) as simulation:
        simulation.pause("node-5", 12.0)
        times = knew(simulation, MemberDied, "node-5", simulation.now, limit=8.0)
        assert times[0] >= S
        assert rules(simulation) == {Rule.SILENT}


def test_middleboxes_that_break_every_connection_kill_and_accuse_nobody() -> None:
    with formed(1, 32) as simulation:
        assert simulation.wires is not None
        sent = simulation.network.traffic.sent
        simulation.run_for(10.0)
        quiet = simulation.network.traffic.sent - sent
        for _ in range(5):
            simulation.wires.reset()
            simulation.run_for(2.0)
        extra = simulation.network.traffic.sent - sent - 2 * quiet
        assert not deaths(simulation)
        assert not [process for process in simulation.running() if process.times(MemberSuspected)]
        assert extra / 32 / 5 <= 4 * 2 * 3  # K connections, a ping and its answer, and a little
        simulation.run_for(60.0)
        assert all(len(kept) == 4 for kept in wires(simulation).values())


def test_where_only_datagrams_pass_a_silent_kernel_says_nothing() -> None:
    """Otherwise a stall would count as a lost host."""
    with Simulation(1, tripwires=True) as simulation:
        assert simulation.wires is not None
        processes = simulation.start_formed(8)
        simulation.wires.firewalled = {process.address: None for process in processes}
        simulation.run_for(20.0)
        assert not any(wires(simulation).values())
        for number in range(8):
            simulation.pause(f"node-{number}", 0.95 * S)
            simulation.run_for(0.95 * S + 1.7)
        assert not deaths(simulation)
        simulation.crash("node-1")
        assert knew(simulation, MemberDied, "node-1", simulation.now, limit=3.0)[-1] < 1.75 * T


@pytest.mark.parametrize("members", [2, 3, 8])
def test_once_tcp_is_dark_for_40_s_stalls_are_survived_and_in_the_light_lost_hosts_are_found_as_before(
    members: int,
) -> None:
    """A firewall that begins to drop TCP tells nobody, so kernels find out by asking each other."""
    with formed(4, members) as simulation:
        assert simulation.wires is not None
        one = simulation.process("node-1")
        simulation.wires.dark[one.address] = None
        simulation.run_for(41.0)
        for _ in range(3):
            simulation.pause(one, 0.95 * S)
            simulation.run_for(2 * S)
        assert not deaths(simulation)
        simulation.wires.dark.clear()
        simulation.run_for(90.0)
        simulation.lose_host(one)
        knew(simulation, MemberDied, "node-1", simulation.now, limit=8.0)
        assert rules(simulation) == {Rule.HOST_GONE}


@pytest.mark.parametrize("members", [2, 3, 8, 32])
def test_a_short_stall_in_the_dark_teaches_what_a_silent_kernel_is_worth_there(members: int) -> None:
    """Even though the tripwires still stand."""
    with formed(5, members) as simulation:
        assert simulation.wires is not None
        one = simulation.process("node-1")
        simulation.wires.dark[one.address] = None
        for _ in range(3):
            simulation.pause(one, 0.9 * S_HOST)
            simulation.run_for(S_HOST + 1.0)
        simulation.pause(one, 0.95 * S)
        simulation.run_for(2 * S)
        assert not deaths(simulation)


def test_a_blip_in_which_nothing_passes_delays_the_discovery_of_a_host_lost_soon_after_by_nothing() -> None:
    with formed(6, 8) as simulation:
        simulation.partition(["node-1"])
        simulation.run_for(2.5)
        simulation.heal()
        simulation.run_for(2.5)
        simulation.lose_host("node-1")
        assert knew(simulation, MemberDied, "node-1", simulation.now, limit=8.0)[0] < S
        assert rules(simulation) == {Rule.HOST_GONE}


def test_a_member_without_tripwires_is_found_by_refused_pings() -> None:
    with Simulation(1, tripwires=True) as simulation:
        for number in range(8):
            plain = Config.lan(tripwires=False) if number == 3 else None
            simulation.add(f"node-{number}", join=["node-0"] if number else [], config=plain)
        simulation.run_for(20.0)
        assert "node-3" not in set().union(*wires(simulation).values())
        assert not wires(simulation)["node-3"]
        simulation.crash("node-3")
        assert knew(simulation, MemberDied, "node-3", simulation.now, limit=3.0)[-1] < 1.75 * T
        simulation.crash("node-4")
        assert knew(simulation, MemberDied, "node-4", simulation.now, limit=3.0)[-1] < 0.01


def test_one_way_cuts_between_a_few_kill_nobody() -> None:
    with formed(1, 16) as simulation:
        simulation.cut("node-1", "node-2")
        simulation.cut("node-3", "node-2")
        simulation.cut("node-2", "node-4")
        simulation.run_for(60.0)
        assert not deaths(simulation)


def test_a_partition_shorter_than_s_host_kills_nobody_and_a_longer_one_heals() -> None:
    with formed(1, 12) as simulation:
        simulation.partition([f"node-{number}" for number in range(4)])
        simulation.run_for(0.9 * S_HOST)
        simulation.heal()
        simulation.run_for(5.0)
        assert not deaths(simulation)
        simulation.partition([f"node-{number}" for number in range(4)])
        simulation.run_for(2 * S)
        assert deaths(simulation)
        simulation.heal()
        simulation.run_until(simulation.agreed, limit=60.0)
        healed = simulation.now
        simulation.run_for(10.0)
        assert not deaths(simulation, since=healed)


def test_who_leaves_is_not_tested() -> None:
    with formed(1, 16) as simulation:
        simulation.leave("node-5")
        simulation.run_for(5.0)
        for process in simulation.running():
            member = process.node.member("node-5")
            assert member is not None
            assert member.state is State.LEFT
            assert process.node.statistics().probes_failed == 0
        assert not deaths(simulation)


# ------------------------------------------------------------------ the connections


def test_each_member_is_connected_to_four_and_from_four_on_average() -> None:
    with formed(1, 40) as simulation:
        kept = wires(simulation)
        assert {len(others) for others in kept.values()} == {4}
        incoming = [sum(label in others for others in kept.values()) for label in kept]
        assert sum(incoming) == 160
        assert min(incoming) >= 1


def test_all_are_connected_to_all_where_they_are_few() -> None:
    with formed(1, 4) as simulation:
        kept = wires(simulation)
        assert all(others == set(kept) - {label} for label, others in kept.items())


def test_connections_follow_the_rings() -> None:
    with formed(1, 24) as simulation:
        for number in range(8):
            simulation.lose_host(f"node-{number}")
        simulation.run_for(20.0)
        kept = wires(simulation)
        assert {len(others) for others in kept.values()} == {4}
        assert all(others <= set(kept) for others in kept.values())


def test_the_same_seed_gives_the_same_run() -> None:
    digests = set()
    for _ in range(2):
        with formed(5, 12, Link(loss=0.05)) as simulation:
            simulation.crash("node-1")
            simulation.run_for(5.0)
            digests.add(simulation.digest)
    assert len(digests) == 1
