"""Sixteen sealed members amid harm, while their keys are changed and what they said is played back.

What befalls single members whose keys don't suit those of the others stands here, too.
"""

from collections.abc import Iterable
from random import Random
from unittest.mock import patch

import pytest

from support.rotation import Playback, Rotation
from swim_core import BroadcastReceived, DropReason, Key, Keys, MemberDied, MemberRecovered, MemberSuspected, Unsealed
from swim_core.simulation import Bounds, Harm, Process, Simulation, watch_all
from swim_core.simulation.ways import SyncsLevel

BOUNDS = Bounds()
LIFE = ((6, Harm.broadcast), (2, Harm.change_metadata))
CHURN = ((2, Harm.crash), (1, Harm.leave), (2, Harm.join), (4, Harm.restart), (1, Harm.bounce), (2, Harm.stall))


def live(seed: int, seconds: float) -> Simulation:
    """Form, rotate and harm for so long, let the last rotation end and all agree, and have everybody broadcast."""
    random = Random(f"{seed}/rotation")
    simulation = Simulation(seed, keys=Rotation.all_keys(), tripwires=seed % 2 == 0)
    with simulation, patch.object(SyncsLevel, "WITHIN", 1.0):  # who lacks the first key is asked in the second
        watch_all(simulation, BOUNDS)
        rotation, playback = Rotation(simulation, random), Playback(simulation, random)
        simulation.form(16, seeds=3)
        acts = (*LIFE, *CHURN, (12, rotation.act), (12, playback.act))
        harm = Harm(simulation, acts, longest_stall=0.8 * BOUNDS.stall_tolerance)
        harm.play(seconds, every=0.25)
        harm.end()
        rotation.finish()
        simulation.run_until(simulation.agreed, 60.0, every=0.25)
        simulation.run_for(BOUNDS.death_known)
        for process in simulation.running():
            simulation.broadcast(process, b"all clear")
        simulation.run_for(BOUNDS.death_known)
        simulation.calm()
        statistics = [process.node.statistics() for process in simulation.running()]
        assert sum(one.members_other_key for one in statistics) == 0
        dropped = sum(one.dropped.get(DropReason.REPLAYED, 0) for one in statistics)
        assert dropped > playback.sent / 10
        assert rotation.done >= 1
        simulation.faults["keys replaced"], simulation.faults["played back"] = rotation.done, playback.sent
    return simulation


def test_keys_change_amid_harm_and_recordings() -> None:
    live(2, 15.0)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
def test_keys_change_for_long() -> None:
    for seed in range(100, 120):
        live(seed, 60.0)


# ------------------------------------------------------------------ members whose keys don't suit those of the others

OLD, NEW = (Key(bytes(range(number, number + 32))) for number in (0, 50))
RINGS = {"old": Keys([OLD]), "new, old": Keys([NEW, OLD]), "old, new": Keys([OLD, NEW]), "new": Keys([NEW])}
# what the two halves of the others hold; which newcomers all of them let in at once, and which at the end of the pass
STAGES = {
    "before": (("old", "old"), ("old", "new, old", "old, new"), ("old", "new, old", "old, new")),
    "amid the first pass": (("new, old", "old"), ("old", "new, old", "old, new"), tuple(RINGS)),
    "between": (("new, old", "new, old"), tuple(RINGS), tuple(RINGS)),
    "amid the second pass": (("new", "new, old"), ("new, old", "old, new", "new"), ("new, old", "old, new", "new")),
    "after": (("new", "new"), ("new, old", "old, new", "new"), ("new, old", "old, new", "new")),
}


def all_know(simulation: Simulation, names: Iterable[str]) -> bool:
    known = [{member.name for member in simulation.process(name).node.members()} for name in names]
    return all(set(names) <= each for each in known)


def troubled(process: Process) -> set[str]:
    """The members that it was told to be suspected or dead."""
    events: list[MemberDied | MemberSuspected] = [*process.told(MemberDied), *process.told(MemberSuspected)]
    return {event.member.name for event in events}


@pytest.mark.parametrize("stage", STAGES)
def test_who_joins_amid_a_rotation_is_let_in_by_all_that_hold_a_key_of_theirs_and_disturbs_nobody(stage: str) -> None:
    held, at_once, at_last = STAGES[stage]
    with Simulation(1, keys=RINGS["old"], tripwires=True) as simulation:
        members = [process.label for process in simulation.start_formed(16)]
        simulation.run_for(3.0)
        for number, label in enumerate(members):
            for ring in list(RINGS)[1 : list(RINGS).index(held[number % 2]) + 1 : 2]:
                simulation.set_keys(label, RINGS[ring])
        simulation.run_for(3.0)
        for ring in RINGS:
            simulation.add(ring, join=members[:2], keys=RINGS[ring])
        simulation.run_until(lambda: all_know(simulation, (*members, *at_once)), 3.0)
        simulation.run_for(5.0)
        for label in (*members, "new, old", "old, new"):
            simulation.set_keys(label, RINGS[held[0]])
        simulation.run_until(lambda: all_know(simulation, (*members, *at_last)), 5.0)
        for label in members:
            simulation.broadcast(label, label.encode())
        simulation.run_for(10.0)
        for label in (*members, *at_last):
            process = simulation.process(label)
            assert {event.payload.decode() for event in process.told(BroadcastReceived)} == {*members} - {label}
            assert not troubled(process) & {*members, *at_last}
            assert {member.name for member in process.node.members()} == {*members, *at_last}


@pytest.mark.parametrize("seed", range(2))
def test_a_member_that_was_down_during_a_rotation_stays_outside_until_it_has_the_file(seed: int) -> None:
    """Both sides say why; nobody else notices, and it misses nothing from then on."""
    with Simulation(seed, keys=RINGS["old"], tripwires=True) as simulation:
        members = [process.label for process in simulation.start_formed(16)]
        simulation.run_for(3.0)
        *others, absent = members
        simulation.crash(absent)
        simulation.run_for(5.0)
        for ring in ("new, old", "new"):
            for label in others:
                simulation.set_keys(label, RINGS[ring])
            simulation.run_for(3.0)
        back = simulation.restart(absent, join=others[:2])
        simulation.run_for(20.0)
        assert [member.name for member in back.node.members()] == [absent]
        assert not any(simulation.process(label).told(MemberRecovered) for label in others)
        for process in (back, simulation.process(others[0])):
            assert {notice.reason for notice in process.told(Unsealed)} == {DropReason.UNKNOWN_KEY}
        simulation.set_keys(absent, RINGS["new"])
        simulation.run_until(simulation.agreed, 25.0)  # it asks its seeds less and less often
        simulation.broadcast(others[0], b"to all")
        simulation.broadcast(absent, b"back")
        simulation.run_for(5.0)
        told = [event.payload for process in simulation.running() for event in process.told(BroadcastReceived)]
        assert told.count(b"to all") == told.count(b"back") == 15
        assert set[str]().union(*(troubled(simulation.process(label)) for label in others)) == {absent}
