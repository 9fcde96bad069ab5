"""A node that lives long among members that don't: what it holds doesn't grow with what it has seen."""

import gc
from types import BuiltinFunctionType, FunctionType, ModuleType

import pytest

from swim_core import Config, DropReason, ProtocolNode
from swim_core.simulation import Simulation

ROUND = 60.0  # seconds: in each a newcomer of a new name joins, and ends
STATIC = (type, ModuleType, FunctionType, BuiltinFunctionType)
CONFIG = Config(probe_interval=2.5, forget_after=1_200.0, forget_left_after=600.0)


def held(node: ProtocolNode) -> int:
    """How many objects a node keeps alive, classes and code not counted."""
    seen: set[int] = set()
    found: list[object] = [node]
    while found:
        it = found.pop()
        if id(it) not in seen and not isinstance(it, STATIC):
            seen.add(id(it))
            found.extend(gc.get_referents(it))
    return len(seen)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("hours", [2, 100])
def test_what_a_node_holds_does_not_grow_with_what_it_has_seen(hours: int) -> None:
    rounds = int(hours * 3_600 / ROUND)
    sizes = []
    with Simulation("long lives", config=CONFIG) as simulation:
        ann, *_ = simulation.form(3)
        for number in range(rounds):
            guest = simulation.add(f"guest-{number}", label="guest", join=[ann])
            simulation.run_for(ROUND / 4)
            for _ in range(4):
                guest.broadcast(b"hello")
                ann.broadcast(b"welcome")
            simulation.run_for(ROUND / 4)
            if number % 2:
                simulation.crash(guest)
            else:
                guest.leave()
            simulation.run_for(ROUND / 2)
            ann.events.clear()
            sizes.append(held(ann.node))
        statistics = ann.node.statistics()
    assert statistics.broadcasts_delivered >= 3 * rounds
    assert DropReason.MEMBERS_FULL not in statistics.dropped
    full = rounds // 3  # by then it has forgotten the first
    assert max(sizes[-full:]) < 1.1 * max(sizes[full:-full]), sizes
