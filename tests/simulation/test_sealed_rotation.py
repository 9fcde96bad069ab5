"""Keys that change, and clusters that go from plain to sealed and back, while members run."""

from collections import Counter
from itertools import permutations
from random import Random
from typing import Any

import pytest

from support.outsider import Outsider
from swim_core import (
    BroadcastReceived,
    BroadcastsLost,
    Config,
    ConfigError,
    JoinAttempt,
    Key,
    Keys,
    KeysChanged,
    MemberDied,
    MemberSuspected,
    MessageReceived,
    PlainAccepted,
)
from swim_core.simulation import Link, Process, Simulation

OLD, NEW, THIRD = (Key(bytes(range(number, number + 32))) for number in (0, 50, 100))
ACCEPT = Config.lan(plain="accept")


def seen(simulation: Simulation, kind: type[Any]) -> list[Any]:
    return [event for process in simulation.running() for event in process.told(kind)]


def other_key(simulation: Simulation) -> int:
    return sum(process.node.statistics().members_other_key for process in simulation.running())


@pytest.mark.parametrize("seed", range(3))
def test_a_key_is_rotated_in_two_passes_in_any_order_and_nobody_notices(seed: int) -> None:
    random, sent = Random(seed), dict[bytes, str]()
    with Simulation(seed, keys=Keys([OLD]), link=Link(loss=0.02)) as simulation:
        labels = [process.label for process in simulation.form(8)]
        simulation.run_for(5.0)
        simulation.crash("node-7")  # down throughout, and back with the file that it had
        simulation.run_for(10.0)
        for keys in (Keys([NEW, OLD]), Keys([NEW])):
            for label in random.sample(labels[:7], 7):
                simulation.set_keys(label, keys)
                sent[payload := f"{len(keys)} {label}".encode()] = origin = random.choice(labels[:7])
                simulation.broadcast(origin, payload)
                simulation.run_for(random.uniform(0.0, 2.5))
            if keys == Keys([NEW, OLD]):
                simulation.restart("node-7")
                simulation.run_for(5.0)
                assert simulation.agreed()
                assert other_key(simulation) > 7  # node-7 about all others, and these about node-7
                simulation.set_keys("node-7", keys)
                simulation.run_for(12.0)
                assert other_key(simulation) == 0
                simulation.set_keys("node-7", Keys([NEW]))
        simulation.run_for(20.0)
        assert simulation.agreed()
        deaths = [event for event in seen(simulation, MemberDied) if event.member.name != "node-7"]
        assert deaths == []
        assert not [event for event in seen(simulation, MemberSuspected) if event.member.name != "node-7"]
        assert seen(simulation, BroadcastsLost) == []
        for label in labels[:7]:
            received = [event.payload for event in simulation.process(label).told(BroadcastReceived)]
            assert sorted(received) == sorted(payload for payload, origin in sent.items() if origin != label)


def test_what_an_old_key_sealed_counts_no_more_once_it_is_dropped() -> None:
    with Simulation(1, keys=Keys([OLD])) as simulation:
        outsider = Outsider(simulation)
        simulation.form(4)
        simulation.run_for(5.0)
        recorded = list(outsider.recorded)
        for keys in (Keys([NEW, OLD]), Keys([NEW])):
            for number in range(4):
                simulation.set_keys(f"node-{number}", keys)
            simulation.run_for(3.0)
        simulation.restart("node-1")
        simulation.run_for(5.0)
        outsider.events.clear()
        outsider.send(recorded)
        assert outsider.events == []
        late = simulation.add("late", join=["node-0"], keys=Keys([OLD]))
        simulation.run_for(10.0)
        assert len(late.node.members()) == 1


@pytest.mark.parametrize("ours", [(OLD,), (OLD, NEW), (NEW, OLD)], ids=["a", "ab", "ba"])
@pytest.mark.parametrize("theirs", [*permutations([OLD, NEW, THIRD], 2), (OLD,), (THIRD,)])
def test_two_talk_if_they_share_a_key_whichever_they_prefer(ours: tuple[Key, ...], theirs: tuple[Key, ...]) -> None:
    with Simulation(2) as simulation:
        simulation.add("a", keys=Keys(ours))
        simulation.add("b", keys=Keys(theirs), join=["a"])
        simulation.run_for(5.0)
        shared = any(key in ours for key in theirs)
        assert simulation.agreed() is shared
        if shared:
            simulation.broadcast("a", b"to b")
            simulation.broadcast("b", b"to a")
            simulation.run_for(2.0)
            assert len(seen(simulation, BroadcastReceived)) == 2
            assert seen(simulation, MemberSuspected) == []


@pytest.mark.parametrize("seed", range(3))
def test_who_joins_with_the_new_key_before_others_have_it_is_soon_known_to_all(seed: int) -> None:
    """A key that isn't held costs one try of the first JOIN, and nothing afterwards."""
    with Simulation(seed, keys=Keys([OLD])) as simulation:
        simulation.form(8)
        simulation.run_for(5.0)
        simulation.add("late", join=["node-0"], keys=Keys([NEW, OLD]))
        simulation.run_until(simulation.agreed, 0.55)


def test_a_node_tells_that_its_keys_have_changed_and_takes_none_that_it_cannot_use() -> None:
    with Simulation(3, keys=Keys([OLD])) as simulation:
        process = simulation.add("a")
        simulation.set_keys("a", Keys([OLD]))
        assert process.told(KeysChanged) == []
        simulation.set_keys("a", Keys([NEW, OLD]))
        (changed,) = process.told(KeysChanged)
        assert (changed.preferred, len(changed.held)) == (changed.held[0], 2)
        with pytest.raises(ConfigError, match="only asks members"):
            process.do(lambda node, now: node.set_keys(Keys([OLD.reader_of("")]), now=now))
        assert process.told(KeysChanged) == [changed]


def test_a_node_without_keys_takes_none_while_it_runs() -> None:
    with Simulation(3) as simulation, pytest.raises(ConfigError, match="made without keys"):
        simulation.add("a").do(lambda node, now: node.set_keys(Keys([OLD]), now=now))


def restarted(simulation: Simulation, label: str, config: Config, keys: Keys | None) -> Process:
    """Restart a process with other settings, as after editing a file."""
    old = simulation.process(label)
    simulation.leave(label)
    simulation.run_for(0.5)
    process = simulation.add(label, address=old.address, join=old.seeds, config=config, keys=keys)
    simulation.run_for(1.0)
    return process


@pytest.mark.parametrize("seed", range(2))
def test_a_plain_cluster_becomes_sealed_in_two_passes_and_plain_again(seed: int) -> None:
    """One restart after the other, in any order. The other members see the restarts and nothing else."""
    random, keys = Random(seed), Keys([OLD])
    with Simulation(seed) as simulation:
        labels = [process.label for process in simulation.form(6)]
        for config, held in ((ACCEPT, keys), (Config.lan(), keys), (ACCEPT, keys), (Config.lan(), None)):
            for label in random.sample(labels, len(labels)):
                restarted(simulation, label, config, held)
                assert simulation.agreed(), (label, config.plain)
            simulation.run_for(12.0)  # until everybody has met everybody
            statistics = [process.node.statistics() for process in simulation.running()]
            assert sum(one.members_plain for one in statistics) == 0
            assert all(one.sealed is (held is not None) for one in statistics)
        assert seen(simulation, MemberSuspected) == []
        assert seen(simulation, MemberDied) == []


def test_while_plain_is_accepted_every_hour_tells_how_many_members_still_speak_it() -> None:
    with Simulation(4, config=ACCEPT) as simulation:
        simulation.add("plain", config=Config.lan())
        simulation.add("sealed", join=["plain"], keys=Keys([OLD]))
        simulation.run_for(3_590.0)
        assert seen(simulation, PlainAccepted) == []
        simulation.run_for(20.0)
        assert [(process.label, process.told(PlainAccepted)) for process in simulation.running()] == [
            ("plain", []),
            ("sealed", [PlainAccepted(1)]),
        ]
        simulation.leave("plain")
        simulation.run_for(3_600.0)
        assert simulation.process("sealed").told(PlainAccepted)[1:] == [PlainAccepted(0)]


@pytest.mark.parametrize("plain", [1, 3, 5])
def test_plain_members_live_among_keyed_ones_that_accept_it_as_among_plain_ones(plain: int) -> None:
    """Whichever of them joins, broadcasts, is sent something, dies, starts again and leaves."""
    told = []
    for keyed in (None, Keys([OLD])):
        with Simulation(7) as simulation:
            outsider = Outsider(simulation)
            for number in range(6):
                keys, config = (None, Config.lan()) if number < plain else (keyed, ACCEPT if keyed else Config.lan())
                seeds = [f"node-{number - 1}"] if number else []
                simulation.add(f"node-{number}", join=seeds, keys=keys, config=config)
                simulation.run_for(0.5)
            simulation.run_until(simulation.agreed, 10.0)
            for number in range(6):
                simulation.broadcast(f"node-{number}", b"of %d" % number)
                simulation.send(f"node-{number}", f"node-{5 - number}", b"to the one across")
                simulation.run_for(1.0)
            told.append(Counter(map(type, outsider.events)))
            outsider.events.clear()
            for number in (0, 5):
                simulation.crash(f"node-{number}")
                simulation.run_for(2.0)
                simulation.restart(f"node-{number}", join=["node-2"])
                simulation.run_until(simulation.agreed, 5.0)
            for number in (4, 0):
                simulation.leave(f"node-{number}")
                simulation.run_for(3.0)
            assert simulation.agreed()
            besides = BroadcastReceived, JoinAttempt  # and how often seeds are asked depends on how long all takes
            told.append(Counter(type(event) for event in outsider.events if not isinstance(event, besides)))
    assert told[:2] == told[2:]  # but what who comes back gets of what was said before
    assert (told[0][BroadcastReceived], told[0][MessageReceived], told[1][MemberDied]) == (30, 6, 10)


def test_while_plain_is_accepted_members_that_can_seal_do() -> None:
    with Simulation(4, config=ACCEPT) as simulation:
        outsider = Outsider(simulation)
        simulation.add("plain", config=Config.lan())
        for label in ("a", "b"):
            simulation.add(label, join=["plain"], keys=Keys([OLD]))
        simulation.run_for(5.0)
        assert simulation.agreed()
        outsider.recorded.clear()
        simulation.run_for(10.0)
        plain = simulation.process("plain").address
        for source, destination, payload in outsider.recorded:
            assert bool(payload[1] & 1) is (plain not in (source, destination))
        assert simulation.process("a").node.statistics().members_plain == 1
