"""Large clusters: what costs nothing in small ones must not cost much in large ones."""

import pytest

from support.scenario import T, deaths, knew
from swim_core import MemberDied, MemberUpdated
from swim_core.simulation import Link, Simulation


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_thousand_members_for_a_minute() -> None:
    with Simulation(1, link=Link(loss=0.01)) as simulation:
        simulation.start_formed(1_000)
        simulation.run_for(60.0)
        assert not any(process.events for process in simulation.running())
        assert simulation.agreed()
        assert 2.0 * 60_000 * 0.97 <= simulation.network.traffic.sent <= 2.5 * 60_000
        simulation.crash("node-500")
        assert knew(simulation, MemberDied, "node-500", simulation.now, limit=5.0)[-1] < 2.5 * T
        assert {name for _, _, name in deaths(simulation)} == {"node-500"}


def test_two_of_many_that_start_together_meet_in_three_datagrams() -> None:
    """So each of fifty takes part in 74 to meet the others. If all ping each other, 155 are sent instead of 115."""
    with Simulation(1, link=Link(delay=0.005, processing=0.0025)) as simulation:
        simulation.form(50, spacing=0.02)
        simulation.run_for(2.0)
        assert simulation.agreed()
        assert simulation.network.traffic.sent <= 130 * 50


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_three_hundred_members_really_join() -> None:
    with Simulation(1) as simulation:
        simulation.form(300, limit=30.0)
        simulation.run_for(5.0)
        assert not deaths(simulation)


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("members", [2_000, 10_000])
def test_thousands_of_members_learn_of_a_crash_and_an_update(members: int) -> None:
    with Simulation(1) as simulation:
        simulation.start_formed(members)
        simulation.run_for(2.0)
        simulation.crash("node-1000")
        assert knew(simulation, MemberDied, "node-1000", simulation.now, limit=5.0)[-1] < 2.5 * T
        since = simulation.now
        simulation.update_metadata("node-7", {"role": "cache"})
        assert knew(simulation, MemberUpdated, "node-7", since, limit=5.0)[-1] < 0.1
        simulation.run_for(5.0)
        assert simulation.agreed()
