"""Broadcasts and updates reach everybody once, quickly."""

from random import Random

import pytest

from support.inside import parts_of
from support.outsider import KEY
from support.scenario import knew
from swim_core import BroadcastReceived, BroadcastsLost, Keys, MemberUpdated
from swim_core.simulation import Link, Simulation
from swim_core.simulation.deliveries import DeliveredOnce, DeliveredToAll
from swim_core.simulation.obstruction import Obstructions


def watched(seed: int, members: int, link: Link | None = None) -> Simulation:
    simulation = Simulation(seed, link=link)
    obstructions = Obstructions(simulation)
    simulation.watch(obstructions, DeliveredOnce(), DeliveredToAll(simulation, obstructions))
    simulation.start_formed(members)
    simulation.run_for(5.0)
    return simulation


@pytest.mark.slow
def test_an_update_reaches_a_thousand_members_within_eight_hops() -> None:
    hop = 0.001
    with Simulation(1, link=Link.exact(hop)) as simulation:
        simulation.start_formed(1_000)
        simulation.run_for(1.0)
        changed = simulation.now
        simulation.update_metadata("node-123", {"role": "x"})
        assert knew(simulation, MemberUpdated, "node-123", changed, limit=1.0)[-1] <= 8.5 * hop


@pytest.mark.parametrize("members", [2, 3, 5, 13, 14, 32])
def test_a_broadcast_reaches_all_once(members: int) -> None:
    with watched(1, members) as simulation:
        simulation.broadcast("node-1", b"hello")
        simulation.run_for(0.1)
        for process in simulation.running():
            assert len(process.times(BroadcastReceived)) == (process.label != "node-1")
        simulation.calm()


@pytest.mark.parametrize("seed", range(1, 6))
def test_broadcasts_under_loss_are_all_delivered_once(seed: int) -> None:
    link = Link(loss=0.1, duplication=0.05, reordering=0.05)
    with watched(seed, 16, link) as simulation:
        for round_ in range(10):
            for process in simulation.running():
                simulation.broadcast(process, b"%d from %s" % (round_, process.label.encode()))
            simulation.run_for(0.1)
        simulation.run_for(20.0)
        simulation.calm()


def test_a_burst_from_one_node_is_delivered_whole() -> None:
    with watched(1, 32, Link(loss=0.05)) as simulation:
        for number in range(500):
            simulation.broadcast("node-0", b"%03d" % number + bytes(100))
        simulation.run_for(20.0)
        simulation.calm()


def test_a_stalled_member_gets_what_it_missed() -> None:
    with watched(1, 16) as simulation:
        simulation.pause("node-3", 4.0)
        for number in range(200):
            simulation.broadcast("node-0", b"%03d" % number + bytes(100))
            simulation.run_for(0.01)
        simulation.run_for(15.0)
        simulation.calm()


def test_neither_claims_nor_broadcasts_starve() -> None:
    with watched(1, 16) as simulation:
        for number in range(300):
            simulation.broadcast("node-0", bytes(200))
            if number == 150:
                changed = simulation.now
                simulation.update_metadata("node-1", {"role": "busy"})
            simulation.run_for(0.005)
        assert knew(simulation, MemberUpdated, "node-1", changed, limit=5.0)[-1] < 0.5
        simulation.run_for(15.0)
        simulation.calm()


@pytest.mark.parametrize("keys", [None, KEY], ids=["plain", "sealed"])
@pytest.mark.parametrize("comes", ["new", "restarted"])
def test_a_newcomer_gets_all_that_is_broadcast_from_then_on_and_nothing_older(keys: Keys | None, comes: str) -> None:
    """Of some members it learns from a sync first, others show themselves first."""
    for seed in range(4):
        random = Random(seed)
        with Simulation(seed, keys=keys, tripwires=True) as simulation:
            simulation.form(12)
            simulation.run_for(3.0)
            if comes == "restarted":
                simulation.crash("node-5")
            others = [process.label for process in simulation.running()]
            for number in range(30):
                say(simulation, random.choice(others), f"old {number}")
            seeds = random.sample(others, 3)
            if comes == "restarted":
                newcomer = simulation.restart("node-5", join=seeds)
            else:
                newcomer = simulation.add("late", join=seeds)
            simulation.run_until(simulation.agreed, 5.0)
            for number in range(10):
                say(simulation, random.choice(others), f"new {number}")
            simulation.run_for(3.0)
            got = [event.payload.decode() for event in newcomer.told(BroadcastReceived)]
            assert sorted(got) == [f"new {number}" for number in range(10)]
            assert not newcomer.told(BroadcastsLost)


@pytest.mark.parametrize(("loss", "seeds"), [(0.05, (3, 27, 39)), (0.2, (0, 1, 7, 13, 15, 16))])
def test_nor_do_newcomers_where_datagrams_of_their_join_are_lost(loss: float, seeds: tuple[int, ...]) -> None:
    """It may be let in without knowing it, or have met all others by the time that it asks for the first sync again."""
    for seed in seeds:
        with Simulation(seed, tripwires=True, link=Link(loss=loss)) as simulation:
            simulation.form(16)
            simulation.run_for(6.0)  # so that it has been a cluster for ten seconds when the first one comes
            random, came = Random(seed), {}
            for number in range(60):
                label = f"node-{random.randrange(16)}"
                simulation.broadcast(label, str(number).encode())
                simulation.run_for(0.2)
                if number in (30, 35, 40, 45):
                    came[simulation.add(f"late-{number}", join=["node-0"])] = number
            simulation.run_for(5.0)
            for newcomer, first in came.items():
                got = [int(event.payload) for event in newcomer.told(BroadcastReceived)]
                assert min(got) > first - 5, seed


@pytest.mark.parametrize("ago", [3.0, 70.0], ids=["kept", "no longer kept"])
@pytest.mark.parametrize("cut", [0.5, 3.0, 12.0])
def test_nor_by_one_that_was_cut_off_when_it_came_and_it_is_told_of_no_loss(cut: float, ago: float) -> None:
    """It hears how much that one had broadcast when it comes, and of that one itself much later."""
    with Simulation(1, tripwires=True) as simulation:
        simulation.form(8)
        simulation.run_for(12.0)
        for number in range(26):
            say(simulation, "node-3", f"old {number}")
        simulation.run_for(ago)
        simulation.partition(["node-3"])
        simulation.run_for(cut)
        newcomer = simulation.add("new", join=["node-0", "node-1"])
        simulation.run_for(40.0)
        simulation.heal()
        simulation.run_for(20.0)
        say(simulation, "node-3", "new")
        assert [event.payload for event in newcomer.told(BroadcastReceived)] == [b"new"]
        assert not newcomer.told(BroadcastsLost)


def test_nor_is_it_told_of_a_loss_if_members_that_are_behind_tell_it_less_at_first() -> None:
    for seed in range(3):
        with Simulation(seed, tripwires=True) as simulation:
            simulation.form(9)
            simulation.run_for(12.0)
            for number in range(20):
                say(simulation, "node-3", f"old {number}")
            behind = [["node-4"], ["node-5"], ["node-6"]]
            simulation.partition(*behind)
            for number in range(20, 26):
                say(simulation, "node-3", f"old {number}")
            simulation.partition(["node-3"], *behind)
            simulation.run_for(15.0)
            newcomer = simulation.add("new", join=["node-0", "node-1"])
            simulation.run_for(80.0)
            simulation.heal()
            simulation.run_for(20.0)
            say(simulation, "node-3", "new")
            assert [event.payload for event in newcomer.told(BroadcastReceived)] == [b"new"]
            assert not newcomer.told(BroadcastsLost)


def test_a_forged_number_hides_no_broadcasts_but_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """A newcomer was told an enormous number of a member that it met later: it misses what comes then."""
    monkeypatch.setattr("swim_core.native.dissemination.broadcasts.FAR", 3)
    with Simulation(1, tripwires=True) as simulation:
        simulation.form(4)
        simulation.run_for(12.0)
        newcomer = simulation.add("new", join=["node-0"])
        simulation.run_for(3.0)
        entry = parts_of(newcomer.node).context.table.get("node-3")
        assert entry is not None
        parts_of(newcomer.node).context.coming._before[entry.short_id] = 2**32 - 1  # noqa: SLF001
        say(simulation, "node-3", "1")
        simulation.partition(["new"])
        for number in range(2, 8):
            say(simulation, "node-3", str(number))
        simulation.heal()
        simulation.run_for(10.0)
        got = {event.payload for event in newcomer.told(BroadcastReceived)}
        assert got == {b"1", b"5", b"6", b"7"}


def test_what_one_origin_broadcasts_at_a_high_rate_is_passed_on_as_fast() -> None:
    """Whoever passes on can't keep up otherwise, drops some, and nobody retains them for long enough."""
    with Simulation(1) as simulation:
        simulation.start_formed(15)
        simulation.run_for(2.0)
        for _ in range(6_000):
            simulation.broadcast("node-0", bytes(100))
            simulation.run_for(0.00025)
        simulation.run_for(5.0)
        for process in simulation.running()[1:]:
            assert len(process.told(BroadcastReceived)) == 6_000
            assert not process.told(BroadcastsLost)


def say(simulation: Simulation, label: str, text: str) -> None:
    simulation.broadcast(label, text.encode())
    simulation.run_for(0.25)
