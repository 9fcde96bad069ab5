"""Paths that swallow large datagrams without a word (docs/protocol.md, section 2)."""

import pytest

from support.inside import parts_of
from swim_core import BroadcastReceived, MemberDied, PathNarrow
from swim_core.simulation import Link, Simulation


@pytest.mark.parametrize("largest", [1_180, 1_000, 820, 700, 560])
def test_newcomers_behind_a_narrow_path_learn_of_all_and_say_so(largest: int) -> None:
    with Simulation(largest) as simulation:
        processes = simulation.start_formed(40)
        simulation.run_for(5.0)
        new = [simulation.add(f"new-{number}", join=processes[:3]) for number in range(3)]
        for process in new:
            for source, destination in ((process.address, None), (None, process.address)):
                simulation.network.set_link(source, destination, Link(largest=largest))
        simulation.run_until(simulation.agreed, limit=20.0)
        simulation.run_for(30.0)
        for process in new:
            assert process.times(PathNarrow)
            assert process.node.statistics().narrow_paths > 0
        assert not any(process.times(MemberDied) for process in simulation.running())


@pytest.mark.parametrize(("members", "loss", "seed"), [(40, 0.0, 0), (16, 0.1, 0), (16, 0.1, 1)])
def test_a_newcomer_there_does_not_break_off_its_first_sync(members: int, loss: float, seed: int) -> None:
    """It needs some tries to find the size that passes, and meanwhile has met all members by their pings."""
    with Simulation(seed, link=Link(loss=loss)) as simulation:
        simulation.start_formed(members)
        simulation.run_for(11.0)
        new = simulation.add("new", join=["node-0"])
        for source, destination in ((new.address, None), (None, new.address)):
            simulation.network.set_link(source, destination, Link(loss=loss, largest=560))
        coming = parts_of(new.node).context.coming
        simulation.run_until(lambda: coming.settled, limit=18.0)
        assert new.node.statistics().syncs < 6


def test_a_newcomer_there_knows_all_within_seconds() -> None:
    """Its second request already is as small as can be."""
    with Simulation(1) as simulation:
        processes = simulation.start_formed(40)
        simulation.run_for(5.0)
        new = simulation.add("new", join=processes[:3])
        for source, destination in ((new.address, None), (None, new.address)):
            simulation.network.set_link(source, destination, Link(largest=560))
        simulation.run_until(lambda: len(new.node.members()) == 41, limit=4.0)


@pytest.mark.parametrize("seed", range(8))
def test_a_newcomer_there_gets_what_is_broadcast_while_it_is_cut_off(seed: int) -> None:
    """Its first sync is not over then. It gets nothing from before it came.

    This goes for broadcasts of members that it has met, and of which it heard what they had said so far.
    """
    link = Link(loss=0.1, largest=560)
    with Simulation(seed, tripwires=True) as simulation:
        simulation.form(16)
        simulation.run_for(8.0)
        for number in range(16):
            simulation.broadcast(f"node-{number}", b"before")
            simulation.run_for(0.2)
        new = simulation.add("new", join=["node-0"])
        for source, destination in ((new.address, None), (None, new.address)):
            simulation.network.set_link(source, destination, link)
        simulation.run_for(5.0)
        simulation.partition(["new"])
        simulation.run_for(1.0)
        parts = parts_of(new.node)
        held = [parts.context.table.get(f"node-{number}") for number in range(16)]
        origins = [entry.name for entry in held if entry and parts.broadcasts.number_of(entry.short_id)]
        assert origins
        for name in origins:
            simulation.broadcast(name, b"missed")
        simulation.run_for(2.0)
        simulation.heal()
        simulation.run_for(20.0)
        got = [(event.origin.name, event.payload) for event in new.told(BroadcastReceived)]
        assert sorted(got) == [(name, b"missed") for name in sorted(origins)]


def test_losses_at_random_are_no_narrow_path() -> None:
    with Simulation(3, link=Link(loss=0.1)) as simulation:
        processes = simulation.start_formed(20)
        for number in range(5):
            simulation.add(f"new-{number}", join=processes[:3])
            simulation.run_for(20.0)
        assert simulation.agreed()
        assert not any(process.times(PathNarrow) for process in simulation.running())
