"""What a node remembers of the past, and the order of the rings along which news floods."""

import pytest

from swim_core import Config, Rule
from swim_core.protocol import ProtocolConfig
from swim_core.simulation import Simulation
from swim_core.smudge import SmudgeConfig


def killed(config: ProtocolConfig) -> Simulation:
    simulation = Simulation(seed=3, config=config)
    simulation.form(4)
    simulation.crash(list(simulation.processes)[3])
    simulation.run_until(simulation.agreed, limit=60.0)
    return simulation


@pytest.mark.parametrize("config", [Config.lan(), SmudgeConfig()], ids=["native", "smudge"])
def test_what_happened_is_remembered_whoever_took_the_events(config: ProtocolConfig) -> None:
    with killed(config) as simulation:
        node = next(iter(simulation.running())).node
        history = node.history()
        assert [past.number for past in history] == sorted(past.number for past in history)
        assert {past.member for past in history if past.what == "joined"} >= {m.name for m in node.members()} - {
            node.local.name
        }
        (death,) = [past for past in history if past.what == "dead"]
        assert death.rule in (Rule.GONE, Rule.SILENT, None)
        assert node.history(since=death.number)[0] == death
        assert node.history(since=history[-1].number + 1) == ()


def test_all_members_see_the_same_rings() -> None:
    with killed(Config.lan()) as simulation:
        seen = {process.node.rings() for process in simulation.running()}
        (rings,) = seen
        live = sorted(process.name for process in simulation.running())
        assert len(rings) == 4
        assert all(sorted(ring) == live for ring in rings)


def test_smudges_protocol_has_no_rings() -> None:
    with killed(SmudgeConfig()) as simulation:
        assert next(iter(simulation.running())).node.rings() == ()
