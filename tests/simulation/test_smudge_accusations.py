"""How accusations of a healthy node by real ones end under heavy loss: one of ours is no worse off than one of them."""

from collections import Counter

import pytest

from support.smudge_clusters import CONFIG, cluster
from support.smudge_original import OriginalConfig, OriginalNode
from swim_core import ProtocolConfig
from swim_core.simulation import Link, Simulation
from swim_core.smudge import Status

LOSS, SECONDS, SEEDS = 0.08, 200.0, 10

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1_800)]


def accusations(simulation: Simulation, since: float) -> dict[bool, Counter[int]]:
    """How often real nodes no longer considered a node alive, how often it was DEAD then, and whether it is ours."""
    ours = {process.address for process in simulation.running() if process.config is CONFIG}
    counts: dict[bool, Counter[int]] = {True: Counter(), False: Counter()}
    for process in simulation.running():
        if not isinstance(process.node, OriginalNode):
            continue
        held: dict[object, int] = {}
        for time, address, status in process.node.changes:
            if time < since or address == process.address:
                continue
            before, held[address] = held.get(address, Status.ALIVE), status
            if before == Status.ALIVE and status != Status.ALIVE:
                counts[address in ours][Status.SUSPECTED] += 1
            if status == Status.DEAD and before != Status.DEAD:
                counts[address in ours][Status.DEAD] += 1
    return counts


def deadly_share(ours: int) -> dict[bool, float]:
    """DEAD per accusation, of our nodes and of real ones, with ``ours`` of ours among ten."""
    total: dict[bool, Counter[int]] = {True: Counter(), False: Counter()}
    kinds: list[ProtocolConfig] = [OriginalConfig()] * (10 - ours) + [CONFIG] * ours
    for seed in range(SEEDS):
        with cluster(seed, kinds) as simulation:
            simulation.network.link = Link(loss=LOSS)
            start = simulation.now
            simulation.run_for(SECONDS)
            for mine, counts in accusations(simulation, start).items():
                total[mine] += counts
    return {mine: c[Status.DEAD] / c[Status.SUSPECTED] for mine, c in total.items() if c[Status.SUSPECTED]}


def test_one_of_ours_is_accused_to_death_no_more_often_than_a_real_node_among_its_like() -> None:
    """It defends the nine others by checking what is claimed of them, and nobody defends it."""
    alone, among = deadly_share(0), deadly_share(1)
    print(alone, among)
    assert among[True] < alone[False]
    assert among[False] < alone[False]
