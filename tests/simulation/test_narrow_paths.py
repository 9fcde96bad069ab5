"""Paths that swallow large datagrams without a word (docs/protocol.md, section 2)."""

import pytest

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


def test_losses_at_random_are_no_narrow_path() -> None:
    with Simulation(3, link=Link(loss=0.1)) as simulation:
        processes = simulation.start_formed(20)
        for number in range(5):
            simulation.add(f"new-{number}", join=processes[:3])
            simulation.run_for(20.0)
        assert simulation.agreed()
        assert not any(process.times(PathNarrow) for process in simulation.running())
