"""Clocks and counters of sealed members: wrong by years, apart, pushed, stopped, at their end.

A header says the sender's cluster time, and what was not heard before is believed only if that is near one's own.
"""

import pytest

from support.inside import parts_of
from support.outsider import KEY
from swim_core import Address, BroadcastReceived, MemberDied, MemberSuspected, MemberUpdated
from swim_core.simulation import Simulation

HOUR = 3_600.0
YEAR = 365.0 * 24 * HOUR


@pytest.mark.parametrize("off", [5 * YEAR, -5 * YEAR])
def test_who_joins_may_have_any_wall_clock(off: float) -> None:
    with Simulation(4, keys=KEY) as simulation:
        simulation.form(4)
        simulation.wall_offsets["late"] = off
        simulation.add("late", join=["node-0"])
        simulation.run_until(simulation.agreed, 5.0)


@pytest.mark.parametrize("seed", range(6))
def test_a_run_under_a_clock_set_back_is_not_taken_for_copies_of_an_earlier_one(seed: int) -> None:
    """The first run asks under the epoch of its own clock, and takes one of the cluster's once it has an answer. The
    next run takes an epoch above that, which must not be the one under which the first asked."""
    with Simulation(seed, keys=KEY, clock_skew=0.0) as simulation:
        simulation.form(5)
        simulation.run_for(5.0)
        first = simulation.add("late", join=["node-0", "node-1", "node-2"])
        asked = first.node.local.epoch
        simulation.run_for(5.0)
        simulation.crash("late")
        simulation.wall_offsets["late"] = -HOUR
        simulation.restart("late", join=["node-0", "node-1", "node-2"])
        simulation.run_for(10.0)
        late = simulation.process("late").node.local
        assert late.epoch not in (asked, first.node.local.epoch)
        for number in range(5):
            entry = parts_of(simulation.process(f"node-{number}").node).table.get(late.name)
            assert entry is not None
            assert (entry.claim.epoch, entry.live) == (late.epoch, True)
            assert entry.heard is not None


@pytest.mark.parametrize("off", [25.0, 40.0, HOUR, 23 * HOUR])
def test_islands_whose_clocks_are_apart_become_one(off: float) -> None:
    with Simulation(3, keys=KEY) as simulation:
        ours, theirs = ([f"{island}{number}" for number in range(4)] for island in "ab")
        simulation.wall_offsets.update(dict.fromkeys(theirs, off))
        for island in (ours, theirs):
            for label in island:
                simulation.add(label, join=island[:1] if label is not island[0] else [])
                simulation.run_for(0.1)
        simulation.run_for(12.0)
        address: Address = simulation.process("a1").address
        simulation.process("b2").do(lambda node, now: node.join([address], now=now))
        simulation.run_until(simulation.agreed, 10.0)
        simulation.run_for(30.0)
        assert simulation.agreed()
        assert not any(process.told(MemberSuspected) or process.told(MemberDied) for process in simulation.running())


@pytest.mark.parametrize("seconds", [20.0, 60.0, 300.0])
def test_a_member_that_was_stopped_comes_back(seconds: float) -> None:
    """Others have dropped what they knew of its run, and what waited for it is too old to be accepted unasked."""
    with Simulation(6, keys=KEY, tripwires=True) as simulation:
        simulation.form(5)
        simulation.run_for(5.0)
        simulation.pause("node-2", seconds)
        simulation.broadcast("node-1", b"meanwhile")
        simulation.run_for(seconds)
        simulation.run_until(simulation.agreed, 10.0)
        simulation.broadcast("node-2", b"back")
        simulation.run_for(2.0)
        told = [event.payload for process in simulation.running() for event in process.told(BroadcastReceived)]
        assert told.count(b"back") == told.count(b"meanwhile") == 4


@pytest.mark.parametrize("push", [40.0, -40.0, 24 * HOUR, -24 * HOUR, 400 * 24 * HOUR, -400 * 24 * HOUR])
def test_a_member_whose_clocks_are_pushed_stays_and_lets_others_in(push: float) -> None:
    """Its datagrams then say another time than those of all others, by more than is taken of one not heard before."""
    with Simulation(11, keys=KEY, tripwires=True) as simulation:
        simulation.form(5)
        simulation.run_for(5.0)
        simulation.step_clock("node-2", wall=push, monotonic=push)
        simulation.run_for(20.0)
        for label, seed in (("late", "node-2"), ("later", "node-0")):
            simulation.add(label, join=[seed])
        simulation.run_until(simulation.agreed, 10.0)
        simulation.broadcast("node-2", b"pushed")
        simulation.broadcast("later", b"to all")
        simulation.run_for(5.0)
        told = [event.payload for process in simulation.running() for event in process.told(BroadcastReceived)]
        assert told.count(b"pushed") == told.count(b"to all") == 6
        assert not any(process.told(MemberSuspected) or process.told(MemberDied) for process in simulation.running())
        simulation.crash("node-2")  # and back under the clock that was pushed
        simulation.run_for(
            2.0
        )  # to the one that joined there the verdict looks old, so that it asks first, for a second
        assert all(process.told(MemberDied, "node-2") for process in simulation.running())
        simulation.restart("node-2")
        simulation.run_until(simulation.agreed, 10.0)


def test_a_member_begins_a_new_run_before_its_counters_end() -> None:
    with Simulation(8, keys=KEY) as simulation:
        simulation.form(4)
        simulation.run_for(2.0)
        process = simulation.process("node-1")
        epoch = process.node.local.epoch
        sealer = parts_of(process.node).context.sealer
        assert sealer is not None
        sealer.start_over(2**32 - 2**20)
        simulation.run_for(5.0)
        assert process.node.local.epoch == epoch + 2**16
        assert simulation.agreed()
        assert len(simulation.process("node-2").told(MemberUpdated, "node-1")) == 1
        assert not any(process.told(MemberSuspected) or process.told(MemberDied) for process in simulation.running())
