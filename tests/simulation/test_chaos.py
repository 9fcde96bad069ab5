"""Chaos under the eyes of every invariant, the same again from its seed, and a command to run it."""

import os
import subprocess
import sys
from collections import deque
from typing import Any, cast

import pytest

from swim_core import BroadcastReceived, Config, Event, ProtocolConfig
from swim_core.simulation import Chaos, InvariantViolated
from swim_core.simulation.__main__ import main


@pytest.mark.parametrize("seed", range(1, 7))
def test_after_chaos_comes_calm(seed: int) -> None:
    report = Chaos(seed=seed, members=8, seconds=40.0).run()
    assert report.faults.total() > 10


@pytest.mark.parametrize("members", [2, 3, 24])
def test_chaos_in_clusters_of_other_sizes(members: int) -> None:
    Chaos(seed=members, members=members, seconds=30.0).run()


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("members", [3, 5, 8, 32])
@pytest.mark.parametrize("seed", range(100, 125))
def test_much_chaos(seed: int, members: int) -> None:
    Chaos(seed=seed, members=members, seconds=120.0).run()


def test_a_run_is_a_function_of_its_seed() -> None:
    first, again, other = (Chaos(seed=seed, members=6, seconds=15.0).run() for seed in (1, 1, 2))
    assert first == again
    assert first.digest != other.digest


@pytest.mark.processes
def test_a_run_does_not_depend_on_the_hash_seed() -> None:
    program = "from swim_core.simulation import Chaos; print(Chaos(seed=5, members=6, seconds=15.0).run().digest)"
    digests = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            check=True,
            text=True,
            timeout=100,
        ).stdout
        for hash_seed in ("1", "2")
    }
    assert len(digests) == 1


class Mutant:
    """A config whose nodes treat what they deliver as told, and are otherwise in order."""

    event_buffer = 16

    def __init__(self, copies: int) -> None:
        self._copies = copies

    def create_node(self, *arguments: Any, **keywords: Any) -> Any:
        return _MutantNode(Config.lan().create_node(*arguments, **keywords), self._copies)


class _MutantNode:
    def __init__(self, node: Any, copies: int) -> None:
        self._node = node
        self._copies = copies
        self._told: deque[Event] = deque()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._node, name)

    def poll_event(self) -> Event | None:
        while (event := self._node.poll_event()) is not None:
            self._told.extend([event] * (self._copies if isinstance(event, BroadcastReceived) else 1))
        return self._told.popleft() if self._told else None


@pytest.mark.parametrize(("copies", "found"), [(0, "never got broadcast"), (2, "got it twice")])
def test_a_bug_is_found_and_can_be_replayed(copies: int, found: str) -> None:
    config = cast(ProtocolConfig, Mutant(copies))
    with pytest.raises(InvariantViolated, match=found) as caught:
        Chaos(seed=4, members=5, seconds=20.0, config=config).run()
    assert "python -m swim_core.simulation --runs 1 --seed 4 --members 5 --seconds 20" in caught.value.__notes__[-1]


def test_the_command_counts_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--runs", "2", "--seed", "7", "--members", "4", "--seconds", "10"]) == 0
    *runs, last = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in runs] == ["seed 7", "seed 8"]
    assert last.startswith("runs=2 steps=")
    assert "broadcast=" in last


def test_the_command_stops_at_a_failure_and_says_how_to_replay_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(chaos: Chaos) -> None:
        raise InvariantViolated("two and two make five")

    monkeypatch.setattr(Chaos, "run", fails)
    assert main(["--runs", "5", "--seed", "3", "--members", "4", "--seconds", "10"]) == 1
    out = capsys.readouterr().out
    assert "two and two make five" in out
    assert out.endswith("replay: python -m swim_core.simulation --runs 1 --seed 3 --members 4 --seconds 10\n")
