"""Members that join, restart, leave, change, or share a name."""

import pytest

from support.inside import take_epoch
from support.scenario import deaths, knew
from swim_core import (
    BroadcastReceived,
    JoinAttempt,
    MemberDied,
    MemberJoined,
    MemberLeft,
    MemberSuspected,
    MemberUpdated,
    NameConflict,
    NameRegained,
    State,
)
from swim_core.simulation import Link, Simulation

DAY = 86_400.0


@pytest.mark.parametrize("loss", [0.0, 0.1])
@pytest.mark.parametrize("members", [2, 3, 20])
def test_nodes_join_and_agree(members: int, loss: float) -> None:
    with Simulation(members, link=Link(loss=loss)) as simulation:
        processes = simulation.form(members, limit=10.0)
        simulation.run_for(10.0)
        assert simulation.agreed()
        assert not deaths(simulation)
        for process in processes:
            joined = [event.member.name for _, event in process.events if isinstance(event, MemberJoined)]
            assert sorted(joined) == sorted(other.name for other in processes if other is not process)


def test_a_seed_that_is_not_up_yet_is_asked_until_it_is() -> None:
    with Simulation(1) as simulation:
        simulation.add("early", join=[("10.9.9.9", 7946)])
        simulation.run_for(300.0)
        simulation.add("late", address=("10.9.9.9", 7946))
        simulation.run_until(simulation.agreed, limit=80.0)


def test_all_that_restart_at_once_find_each_other() -> None:
    with Simulation(1) as simulation:
        simulation.form(10)
        simulation.run_for(5.0)
        for process in simulation.running():
            simulation.crash(process)
        simulation.run_for(1.0)
        for number in range(9, -1, -1):  # the first, whom all others know as a seed, comes last
            simulation.restart(f"node-{number}")
        simulation.run_until(simulation.agreed, limit=30.0)


@pytest.mark.parametrize("refusals", [True, False])
@pytest.mark.parametrize("down", [0.0, 0.5, 20.0])
def test_a_restarted_member_is_back_at_once(down: float, refusals: bool) -> None:
    with Simulation(1) as simulation:
        simulation.start_formed(8)
        simulation.run_for(5.0)
        simulation.crash("node-3", refusals=refusals)
        simulation.run_for(down)
        again = simulation.restart("node-3")
        assert simulation.run_until(simulation.agreed, limit=10.0) < 2.0
        simulation.run_for(20.0)
        assert simulation.agreed()
        for process in simulation.running():
            if process is not again:
                assert len(process.times(MemberDied, "node-3")) == 1


@pytest.mark.parametrize("down", [0.0, 20.0])
def test_a_clock_that_stepped_back_a_day_locks_nobody_out(down: float) -> None:
    with Simulation(1) as simulation:
        simulation.start_formed(8)
        simulation.run_for(5.0)
        simulation.crash("node-3")
        simulation.run_for(down)
        simulation.step_clock("node-3", wall=-DAY)
        simulation.restart("node-3")
        simulation.run_until(simulation.agreed, limit=10.0)
        simulation.run_for(20.0)
        assert simulation.agreed()


def test_a_member_that_moves_to_another_address_keeps_its_name() -> None:
    with Simulation(1) as simulation:
        simulation.start_formed(8)
        simulation.run_for(5.0)
        simulation.lose_host("node-3")
        simulation.run_for(2.0)
        moved = simulation.restart("node-3", address=("10.7.7.7", 7946))
        simulation.run_until(simulation.agreed, limit=10.0)
        held = simulation.process("node-0").node.member("node-3")
        assert held is not None
        assert held.address == moved.address


def test_of_two_live_processes_with_one_name_one_is_superseded_until_the_other_dies() -> None:
    with Simulation(1) as simulation:
        simulation.start_formed(5)
        simulation.run_for(5.0)
        twin = simulation.add("node-2", label="twin", join=["node-0"])
        simulation.run_for(20.0)
        twins = [simulation.process("node-2"), twin]
        conflicts = {process.label: process.times(NameConflict) for process in twins}
        assert sorted(len(times) for times in conflicts.values()) == [0, 1]
        [loser] = [process for process in twins if conflicts[process.label]]
        [winner] = [process for process in twins if process is not loser]
        others = [process for process in simulation.running() if process not in twins]
        assert {member.address for p in others for member in p.node.members() if member.name == "node-2"} == {
            winner.address
        }
        settled = simulation.now
        simulation.run_for(60.0)
        news = [event for process in others for time, event in process.events if time > settled]
        assert all(isinstance(event, JoinAttempt) for event in news)  # they don't flap, and ask a seed that fell silent
        simulation.crash(winner)
        simulation.run_until(simulation.agreed, limit=130.0)
        assert all(len(process.node.members()) == 5 for process in simulation.running())
        assert len(loser.times(NameRegained)) == 1
        assert not winner.times(NameRegained)


@pytest.mark.parametrize("members", [2, 3, 16])
def test_a_leaver_is_gone_at_once_for_all_and_nobody_calls_it_dead(members: int) -> None:
    with Simulation(1) as simulation:
        simulation.start_formed(members)
        simulation.run_for(5.0)
        simulation.leave("node-1")
        assert knew(simulation, MemberLeft, "node-1", simulation.now, limit=1.0)[-1] < 0.1
        simulation.run_for(20.0)
        assert not deaths(simulation)
        assert simulation.agreed()


def test_a_goodbye_that_is_echoed_does_not_bring_the_leaver_back() -> None:
    with Simulation(1, link=Link(duplication=1.0, reordering=0.5, holding=0.1, loss=0.05)) as simulation:
        simulation.start_formed(8)
        simulation.run_for(5.0)
        leaver = simulation.process("node-1")
        simulation.pause("node-2", 0.2)  # it repeats what it knew, while the leaving member still answers
        simulation.leave(leaver)
        simulation.run_for(30.0)
        assert leaver.node.local.incarnation == 0
        for process in simulation.running():
            held = process.node.member("node-1")
            assert held is not None
            assert held.state is State.LEFT
            assert len(process.times(MemberLeft, "node-1")) == 1
            assert not process.times(MemberJoined, "node-1")


def test_a_suspected_member_that_leaves_has_left() -> None:
    with Simulation(1) as simulation:
        simulation.start_formed(8)
        simulation.run_for(5.0)
        simulation.pause("node-1", 4.0)
        simulation.run_for(4.0)
        simulation.leave("node-1")
        simulation.run_for(10.0)
        assert not deaths(simulation)
        states = {held.state for p in simulation.running() if (held := p.node.member("node-1")) is not None}
        assert states == {State.LEFT}


def test_one_that_left_may_come_back() -> None:
    with Simulation(1) as simulation:
        simulation.form(5)
        simulation.leave("node-4")
        simulation.run_for(5.0)
        simulation.restart("node-4")
        simulation.run_until(simulation.agreed, limit=5.0)


def test_new_metadata_reaches_all() -> None:
    with Simulation(1) as simulation:
        simulation.start_formed(16)
        simulation.run_for(5.0)
        changed = simulation.now
        simulation.update_metadata("node-2", {"role": "draining"})
        assert knew(simulation, MemberUpdated, "node-2", changed, limit=1.0)[-1] < 0.1
        held = [p.node.member("node-2") for p in simulation.running()]
        assert all(member is not None and member.metadata == {"role": "draining"} for member in held)


def test_a_superseded_member_whose_seed_is_gone_for_good_learns_from_others_that_its_rival_ended() -> None:
    with Simulation(1) as simulation:
        simulation.form(6)
        loser = simulation.process("node-1")  # its only seed is node-0
        rival = simulation.add("node-1", label="rival", join=["node-3"])
        simulation.run_until(lambda: bool(loser.times(NameConflict)), limit=5.0)
        simulation.lose_host("node-0")
        simulation.lose_host(rival)
        simulation.run_until(simulation.agreed, limit=150.0, every=0.5)


@pytest.mark.parametrize("members", [2, 3, 12])
def test_a_member_whose_host_gets_another_address_goes_on_in_the_same_run(members: int) -> None:
    with Simulation(members) as simulation:
        simulation.form(members)
        simulation.run_for(5.0)
        one = simulation.process("node-1")
        epoch, number = one.node.local.epoch, simulation.broadcast(one, b"before")
        simulation.run_for(1.0)
        simulation.change_address(one)
        simulation.broadcast(one, b"after")
        assert simulation.run_until(simulation.agreed, 5.0) < 1.0
        simulation.run_for(30.0)
        assert simulation.agreed()
        for other in simulation.running():
            if other is not one:
                assert [event.member.address for event in other.told(MemberUpdated, "node-1")] == [one.address]
                assert not other.told(MemberDied)
                assert not other.told(MemberSuspected)
                assert [event.payload for event in other.told(BroadcastReceived)] == [b"before", b"after"]
                assert other.told(BroadcastReceived)[-1].number == number + 1
        assert one.node.local.epoch == epoch


def test_a_member_that_moves_to_the_address_of_a_dead_one_is_itself() -> None:
    with Simulation(5) as simulation:
        simulation.form(5)
        dead = simulation.process("node-3")
        simulation.crash(dead, refusals=False)
        simulation.run_for(8.0)
        simulation.change_address("node-1", dead.address)
        simulation.run_until(simulation.agreed, 10.0)
        simulation.run_for(20.0)
        assert simulation.agreed()


def test_clones_that_come_by_one_epoch_do_not_flap() -> None:
    """A machine is cloned while its member runs, and the clone gets another address: one of the two gives way."""
    with Simulation(9) as simulation:
        simulation.form(6)
        original = simulation.process("node-1")
        clone = simulation.add("node-1", label="clone")
        take_epoch(clone.node, original.node.local.epoch, clone.clock)
        clone.do(lambda node, now: node.join([simulation.process("node-0").address], now=now))
        simulation.run_for(20.0)
        events = [event for process in simulation.running() for event in process.told(MemberUpdated, "node-1")]
        assert len(events) <= 4 * len(simulation.running())
        assert original.node.statistics().superseded is not clone.node.statistics().superseded
