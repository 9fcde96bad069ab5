"""`force_leave`: a dead member is gone for everybody, and one that lives after all is back once it is heard."""

import pytest

from swim_core import Config, MemberLeft, MemberRecovered, Rule, State, UnknownMember
from swim_core.simulation import Simulation

ISLANDS = (["node-0", "node-1", "node-2"], ["node-3", "node-4", "node-5"])


def state(simulation: Simulation, observer: str, name: str) -> State | None:
    member = simulation.process(observer).node.member(name)
    return None if member is None else member.state


def remove(simulation: Simulation, by: str, name: str) -> None:
    simulation.process(by).do(lambda node, now: node.force_leave(name, now=now))


def islands(seed: int) -> Simulation:
    """Two halves of a cluster, each of which considers the other dead."""
    simulation = Simulation(seed, config=Config.lan())
    simulation.form(6)
    simulation.run_for(5.0)
    simulation.partition(*ISLANDS)
    simulation.run_until(
        lambda: all(
            state(simulation, observer, name) is State.DEAD
            for here, there in (ISLANDS, ISLANDS[::-1])
            for observer in here
            for name in there
        ),
        limit=60.0,
    )
    return simulation


@pytest.mark.parametrize("sides", [ISLANDS[:1], ISLANDS], ids=["one side", "both sides"])
@pytest.mark.parametrize("wait", [5.0, 900.0])
def test_the_removed_come_back_when_they_are_heard(sides: tuple[list[str], ...], wait: float) -> None:
    """Even after `forget_left_after`, when nobody remembers them: then seeds bring them together."""
    simulation = islands(3)
    for side in sides:
        for name in ISLANDS[1] if side is ISLANDS[0] else ISLANDS[0]:
            remove(simulation, side[0], name)
    simulation.run_for(wait)
    expected = State.LEFT if wait < 600.0 else None
    assert state(simulation, "node-1", "node-4") is expected
    simulation.heal()
    simulation.run_until(simulation.agreed, limit=120.0)


def test_whoever_removes_is_told_to_all_and_no_event_follows_the_death() -> None:
    simulation = Simulation(4, config=Config.lan())
    simulation.form(5)
    simulation.run_for(5.0)
    simulation.crash("node-4")
    rest = [simulation.process(f"node-{number}") for number in range(4)]
    simulation.run_until(lambda: all(state(simulation, p.name, "node-4") is State.DEAD for p in rest), limit=20.0)
    remove(simulation, "node-2", "node-4")
    simulation.run_until(lambda: all(state(simulation, p.name, "node-4") is State.LEFT for p in rest), limit=2.0)
    for process in rest:
        evidence = process.node.explain("node-4")
        assert evidence is not None
        assert (evidence.rule, evidence.accuser) == (Rule.REMOVED, "node-2")
        assert not process.told(MemberLeft, "node-4")
    simulation.restart("node-4")
    simulation.run_until(lambda: all(state(simulation, p.name, "node-4") is State.ALIVE for p in rest), limit=20.0)


@pytest.mark.parametrize("how", ["alive", "suspect"])
def test_live_members_are_not_removed(how: str) -> None:
    simulation = Simulation(5, config=Config.lan())
    simulation.form(5)
    simulation.run_for(5.0)
    if how == "suspect":
        simulation.pause("node-4", 4.0)
        simulation.run_until(lambda: state(simulation, "node-0", "node-4") is State.SUSPECT, limit=5.0)
    with pytest.raises(UnknownMember, match="'node-4' is live: only members that are dead are removed"):
        remove(simulation, "node-0", "node-4")
    simulation.run_for(10.0)
    assert state(simulation, "node-1", "node-4") is State.ALIVE
    assert len(simulation.process("node-1").told(MemberRecovered, "node-4")) <= 1
