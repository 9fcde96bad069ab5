"""Paths that swallow large datagrams without a word (docs/protocol.md, section 2)."""

import pytest

from support.inside import parts_of
from swim_core import MemberDied, PathNarrow
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
        sync = parts_of(new.node).sync
        simulation.run_until(lambda: sync.first_done, limit=18.0)
        assert new.node.statistics().syncs < 6


def test_losses_at_random_are_no_narrow_path() -> None:
    with Simulation(3, link=Link(loss=0.1)) as simulation:
        processes = simulation.start_formed(20)
        for number in range(5):
            simulation.add(f"new-{number}", join=processes[:3])
            simulation.run_for(20.0)
        assert simulation.agreed()
        assert not any(process.times(PathNarrow) for process in simulation.running())
