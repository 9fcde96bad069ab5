"""Broadcasts while somebody is cut off, stalls, or is forgotten: received once or reported lost, soon after contact."""

from collections import Counter
from collections.abc import Sequence

import pytest

from swim_core import BroadcastReceived, BroadcastsLost, Config, MemberDied
from swim_core.simulation import Link, Process, Simulation

SOON = 5.0  # seconds after contact


def formed(seed: object, members: int, *, tripwires: bool = True, **settings: float) -> Simulation:
    simulation = Simulation(seed, tripwires=tripwires, config=Config.lan(**settings))  # type: ignore[arg-type]
    simulation.start_formed(members)
    simulation.run_for(10.0)
    return simulation


def members(simulation: Simulation) -> list[Process]:
    return list(simulation.running())


def received(process: Process) -> int:
    return len(process.told(BroadcastReceived))


def lost(process: Process) -> int:
    return sum(event.count for event in process.told(BroadcastsLost))


def twice(processes: Sequence[Process]) -> int:
    copies = Counter(
        (process.label, event.origin.name, event.origin.epoch, event.number)
        for process in processes
        for event in process.told(BroadcastReceived)
    )
    return sum(count - 1 for count in copies.values())


# ------------------------------------------------------------------ cut off


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("count", [3, 8, 50])
def test_who_was_cut_off_for_some_seconds_gets_what_was_broadcast_meanwhile(count: int, seed: int) -> None:
    """Nobody was suspected, views agree, and the origin says nothing more: the numbers on pings alone show it."""
    with formed(f"{count}/{seed}", count) as simulation:
        origin, *_, away = members(simulation)
        simulation.partition([away])
        simulation.run_for(0.2 + 0.2 * seed)
        simulation.broadcast(origin, b"reload your settings")
        simulation.run_for(2.5)
        simulation.heal()
        assert not received(away)
        simulation.run_until(lambda: received(away) == 1, limit=SOON)
        assert not origin.times(MemberDied)


@pytest.mark.parametrize("count", [3, 8, 50])
def test_all_get_what_a_member_broadcast_while_it_was_cut_off(count: int) -> None:
    with formed(count, count) as simulation:
        origin, *others = members(simulation)
        simulation.partition([origin])
        simulation.run_for(0.5)
        simulation.broadcast(origin, b"reload your settings")
        simulation.run_for(2.5)
        simulation.heal()
        simulation.run_until(lambda: all(received(other) == 1 for other in others), limit=SOON)


def test_one_that_nobody_could_reach_for_some_seconds_gets_it_though_it_was_heard() -> None:
    with formed("one way", 8) as simulation:
        origin, *others, away = members(simulation)
        for process in (origin, *others):
            simulation.cut(process, away)
        simulation.run_for(0.5)
        simulation.broadcast(origin, b"reload your settings")
        simulation.run_for(2.5)
        simulation.heal()
        assert not received(away)
        simulation.run_until(lambda: received(away) == 1, limit=SOON)


@pytest.mark.parametrize("away", [1, 10])
@pytest.mark.parametrize("seconds", [3.0, 8.0, 40.0])
def test_each_side_gets_what_the_other_broadcast_in_a_partition(away: int, seconds: float) -> None:
    with formed(f"{away}/{seconds}", 20) as simulation:
        everybody = members(simulation)
        simulation.partition(everybody[:away])
        simulation.run_for(0.5)
        simulation.broadcast(everybody[0], b"from one side")
        simulation.broadcast(everybody[-1], b"from the other")
        simulation.run_for(seconds - 0.5)
        simulation.heal()
        mine = {everybody[0]: 1, everybody[-1]: 1}
        simulation.run_until(simulation.agreed, limit=30.0)
        simulation.run_until(lambda: all(received(p) == 2 - mine.get(p, 0) for p in everybody), limit=SOON)
        simulation.run_for(10.0)
        assert twice(everybody) == 0


@pytest.mark.parametrize("loss", [0.0, 0.2])
def test_whose_origin_ended_meanwhile_come_from_those_that_have_them(loss: float) -> None:
    with Simulation(f"ended/{loss}", tripwires=True, link=Link(loss=loss)) as simulation:
        origin, *others, away = simulation.start_formed(8)
        simulation.run_for(10.0)
        simulation.partition([away])
        simulation.run_for(0.5)
        simulation.broadcast(origin, b"the last word")
        simulation.run_for(1.0)
        simulation.crash(origin)
        simulation.run_for(1.5)
        simulation.heal()
        simulation.run_until(lambda: received(away) + lost(away) == 1, limit=SOON + 3.0)
        assert received(away) == 1
        assert all(received(other) == 1 for other in others)


def test_those_of_all_members_come_within_5_s_too() -> None:
    with formed("many", 60, tripwires=False) as simulation:
        *others, away = members(simulation)
        simulation.partition([away])
        simulation.run_for(0.5)
        for other in others:
            simulation.broadcast(other, b"from everybody")
        simulation.run_for(2.0)
        simulation.heal()
        simulation.run_until(lambda: received(away) == len(others), limit=SOON)


def test_a_rare_one_is_shown_also_while_others_broadcast_much() -> None:
    """What waits to be pushed would fill every ping, and this many broadcasts leave room for the last second only."""
    with formed("busy", 7, tripwires=False) as simulation:
        rare, *busy, away = members(simulation)
        simulation.partition([away])
        simulation.run_for(0.5)
        simulation.broadcast(rare, b"reload your settings")
        for number in range(7_000):
            if number == 2_000:
                simulation.heal()
            simulation.broadcast(busy[number % len(busy)], bytes(150))
            simulation.run_for(0.001)
        shown: list[BroadcastReceived | BroadcastsLost] = [*away.told(BroadcastReceived), *away.told(BroadcastsLost)]
        assert rare.name in {event.origin.name for event in shown}


@pytest.mark.parametrize("seed", range(3))
def test_the_first_member_of_a_cluster_gets_them_too(seed: int) -> None:
    """Nobody ever had to tell it of the others, so it never synced; it was still there all the time."""
    with Simulation(seed) as simulation:
        first = simulation.add("first")
        others = [simulation.add(f"other-{number}", join=[first]) for number in range(4)]
        simulation.run_until(simulation.agreed, limit=10.0)
        simulation.run_for(5.0)
        simulation.partition([first])
        simulation.run_for(0.3)
        simulation.broadcast(others[0], b"reload your settings")
        simulation.update_metadata(others[1], {"so": "that digests differ, and it syncs"})
        simulation.run_for(2.5)
        simulation.heal()
        simulation.run_until(lambda: received(first) == 1, limit=SOON)


def test_a_newcomer_is_told_of_nothing_that_was_before_it() -> None:
    with formed("newcomer", 20, tripwires=False) as simulation:
        origin, *_ = everybody = members(simulation)
        for _ in range(1_500):
            simulation.broadcast(origin, b"before")
            simulation.run_for(0.001)
        simulation.run_for(2.0)
        newcomers = [simulation.add(f"newcomer-{number}", join=everybody[:3]) for number in range(5)]
        simulation.run_for(10.0)
        assert [(received(newcomer), lost(newcomer)) for newcomer in newcomers] == [(0, 0)] * 5
        simulation.broadcast(origin, b"after")
        simulation.run_for(1.0)
        assert all(received(newcomer) == 1 for newcomer in newcomers)


# ------------------------------------------------------------------ more than can be kept


def test_a_stalled_member_is_told_of_what_it_can_get_no_more() -> None:
    with formed("stall", 5, tripwires=False) as simulation:
        origin, *_, stalled = members(simulation)
        simulation.pause(stalled, 4.5)
        for _ in range(4_000):
            simulation.broadcast(origin, b"much")
            simulation.run_for(0.001)
        simulation.run_for(0.5 + SOON)
        assert lost(stalled) > 0
        assert received(stalled) + lost(stalled) == 4_000


@pytest.mark.parametrize("quiet", [0.0, pytest.param(90.0, marks=pytest.mark.slow)])
def test_whoever_was_parted_is_told_of_what_it_can_get_no_more(quiet: float) -> None:
    """Even if the origin has long been quiet, so that no new broadcast shows the gap."""
    with formed(f"parted/{quiet}", 12, tripwires=False) as simulation:
        origin, *_ = everybody = members(simulation)
        away = everybody[8:]
        simulation.partition(away)
        for _ in range(1_500):
            simulation.broadcast(origin, b"much")
            simulation.run_for(0.01)
        simulation.run_for(quiet)
        simulation.heal()
        simulation.run_until(simulation.agreed, limit=30.0)
        simulation.run_for(SOON)
        assert [received(process) + lost(process) for process in away] == [1_500] * len(away)


def test_what_is_kept_comes_within_5_s_of_contact_however_large() -> None:
    with formed("large", 20, tripwires=False) as simulation:
        origin, *_ = everybody = members(simulation)
        simulation.partition([everybody[-1]])
        for _ in range(1_000):
            simulation.broadcast(origin, bytes(256))
            simulation.run_for(0.002)
        simulation.run_for(1.0)
        simulation.heal()
        simulation.run_until(lambda: received(everybody[-1]) == 1_000, limit=SOON)


@pytest.mark.parametrize(
    "settings", [{"forget_after": 1.0}, pytest.param({"max_tombstones": 16}, marks=pytest.mark.slow)]
)
def test_nothing_is_delivered_twice_though_members_were_forgotten(settings: dict[str, float]) -> None:
    with formed(repr(settings), 40, tripwires=False, **settings) as simulation:
        everybody = members(simulation)
        for process in everybody[:20]:
            simulation.broadcast(process, b"once")
        simulation.run_for(3.0)
        simulation.partition(everybody[20:])
        simulation.run_for(20.0)
        simulation.heal()
        simulation.run_until(simulation.agreed, limit=60.0)
        simulation.run_for(10.0)
        assert twice(everybody) == 0


# ------------------------------------------------------------------ what one costs


def sent(simulation: Simulation) -> int:
    return sum(process.node.statistics().datagrams_sent for process in simulation.running())


@pytest.mark.parametrize("count", [2, 3, 4, 8, 13, 14, 32, 100])
def test_a_lone_broadcast_costs_k_and_one_datagrams_a_member_and_three_in_small_clusters(count: int) -> None:
    spent = []
    for told in (False, True):
        with Simulation(count) as simulation:
            origin, *others = simulation.start_formed(count)
            simulation.run_for(10.0)
            before = sent(simulation)
            if told:
                simulation.broadcast(origin, b"x")
            simulation.run_for(10.0)
            spent.append(sent(simulation) - before)
            assert all(received(other) == told for other in others)
    assert spent[1] - spent[0] <= (3 if count <= 13 else 5) * count
