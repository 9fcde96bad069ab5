"""Chaos with all invariants checked, repeatable from its seed, and a command that runs it."""

import os
import re
import subprocess
import sys
from collections import Counter, deque
from typing import Any, cast

import pytest

from swim_core import BroadcastReceived, Config, Event, ProtocolConfig
from swim_core.simulation import SCENARIOS, Bounds, Chaos, InvariantViolated, Report
from swim_core.simulation.__main__ import main

PROOF = {
    "mixed": ["broadcast"],
    "churn": ["crashed", "left", "join", "restart"],
    "partition": ["partition", "heal", "datagrams blocked"],
    "one-way": ["cut", "mend", "deafened", "muted", "datagrams blocked"],
    "stall": ["pause"],
    "middlebox": ["connection reset"],
    "mass-restart": ["mass restart", "restart"],
    "mass-crash": ["mass crash", "crashed", "crashed silently"],
    "clock": ["clock step"],
    "move": ["move"],
    "duplicate-name": ["duplicate name"],
    "loss": ["loss fifth", "datagrams lost"],
    "slow-join": ["slow join", "datagrams lost"],
    "hostile": ["lie"],
    "crowd": ["grown apart", "broadcast"],
    "few": ["few survive"],
    "no-seed": ["seed lost", "partition"],
    "observers": ["observers stalled"],
    "lull": ["end in a lull"],
    "hung": ["hung one ended"],
    "deaf": ["deafened"],
    "blind": ["blinded"],
    "gray": ["gray"],
    "firewall": ["firewall"],
    "deployment": ["deployment"],
    "burst": ["burst"],
    "origin-ends": ["origin ended"],
    "blip": ["blip"],
    "beyond": ["burst"],
    "pauses": ["ended amid pauses"],
}
"""What must have been counted, over a few seeds, for a scenario to have happened."""


OFTEN = ("mixed", "churn", "partition", "few", "firewall", "blip", "pauses")
"""The scenarios that the fast tests play; before anything lands, nine seeds of each one are swept."""


@pytest.mark.parametrize("scenario", [pytest.param(s, marks=[pytest.mark.slow] * (s not in OFTEN)) for s in SCENARIOS])
def test_after_chaos_comes_calm(scenario: str) -> None:
    """One run or two, enough to show that the scenario happens. Sweeps over many seeds are the command's job."""
    faults: Counter[str] = Counter()
    for seed in (1, 2):
        faults += Chaos(seed=seed, scenario=SCENARIOS[scenario]).run().faults
        if all(faults[kind] for kind in PROOF[scenario]):
            return
    pytest.fail(f"{scenario} never happened: {faults}")


SEALED_OFTEN = ("mixed", "hostile")
"""Of a sealed cluster; the others are played as plain ones, and in the sweeps."""


@pytest.mark.parametrize(
    "scenario", [pytest.param(s, marks=[pytest.mark.slow] * (s not in SEALED_OFTEN)) for s in SCENARIOS]
)
def test_after_chaos_comes_calm_in_a_sealed_cluster(scenario: str) -> None:
    Chaos(seed=3, scenario=SCENARIOS[scenario], sealed=True).run()


@pytest.mark.parametrize("members", [2, 3, pytest.param(24, marks=pytest.mark.slow)])
def test_chaos_in_clusters_of_other_sizes(members: int) -> None:
    Chaos(seed=members, members=members).run()


def test_a_broadcast_takes_its_ways_though_its_origin_alone_knows_of_losses() -> None:
    """A probe of the origin had failed, so it told only the rings, while the others relied on it to tell everybody."""
    Chaos(seed=164, members=30, seconds=20.0, scenario=SCENARIOS["crowd"]).run()


@pytest.mark.slow
def test_few_of_many_find_out() -> None:
    """Beyond what one watch asks for help, where the rest was long known and loud."""
    Chaos(seed=1, members=40, seconds=3.0, scenario=SCENARIOS["few"]).run()


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("members", [3, 8, 32])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_much_chaos(scenario: str, members: int) -> None:
    for seed in range(100, 125):
        Chaos(seed=seed, members=members, seconds=120.0, scenario=SCENARIOS[scenario]).run()


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@pytest.mark.parametrize("scenario", ["slow-join", "mass-crash", "loss"])
def test_chaos_among_a_thousand(scenario: str) -> None:
    Chaos(seed=1, members=1_000, scenario=SCENARIOS[scenario]).run()


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
    """A config whose nodes treat what they deliver as the test says, and otherwise work."""

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


@pytest.mark.parametrize(("copies", "found"), [(0, "never got broadcast|missed .* broadcasts"), (2, "got it twice")])
def test_a_bug_is_found_and_can_be_replayed(copies: int, found: str) -> None:
    config = cast(ProtocolConfig, Mutant(copies))
    with pytest.raises(InvariantViolated, match=found) as caught:
        Chaos(seed=4, members=5, seconds=20.0, config=config).run()
    replay = "python -m swim_core.simulation --scenario mixed --runs 1 --seed 4 --members 5 --seconds 20"
    assert replay in caught.value.__notes__[-1]


@pytest.mark.parametrize(
    ("scenario", "bounds", "found"),
    [
        ("stall", Bounds(stall_tolerance=8.0), "died, which runs"),
        ("churn", Bounds(death_known=3.0), "still holds"),
        ("mixed", Bounds(pending=3), "items wait"),
    ],
)
def test_a_protocol_that_keeps_less_than_it_promises_is_found(scenario: str, bounds: Bounds, found: str) -> None:
    def sweep() -> None:
        for seed in range(1, 20):
            Chaos(seed=seed, scenario=SCENARIOS[scenario], bounds=bounds).run()

    with pytest.raises(InvariantViolated, match=found):
        sweep()


def test_the_command_counts_what_it_did(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--runs", "2", "--seed", "7", "--members", "4", "--seconds", "10", "--scenario", "loss"]) == 0
    *runs, excused, last = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in runs] == ["1/2 seed 7 loss", "2/2 seed 8 loss"]
    assert re.match(r"excused .*\d+ of \d+ verdicts", excused)
    assert last.startswith("runs=2 steps=")
    assert " broadcast=" in last
    assert " datagrams_lost=" in last


def test_seeds_take_the_scenarios_in_turn_wherever_a_sweep_begins(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--runs", str(len(SCENARIOS)), "--seed", "5", "--members", "3", "--seconds", "1"]) == 0
    longer = capsys.readouterr().out.splitlines()[:-2]
    assert {line.split()[3] for line in longer} == {f"{name}:" for name in SCENARIOS}
    assert main(["--runs", "1", "--seed", "9", "--members", "3", "--seconds", "1"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split()[1:] == longer[4].split()[1:]


@pytest.mark.processes
def test_processes_can_share_the_runs(capsys: pytest.CaptureFixture[str]) -> None:
    sweep = ["--runs", "6", "--seed", "5", "--members", "3", "--seconds", "3"]
    assert main([*sweep, "--jobs", "2"]) == 0
    shared = capsys.readouterr().out
    assert main(sweep) == 0
    assert capsys.readouterr().out == shared


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(chaos: Chaos) -> None:
        raise InvariantViolated("two and two make five")

    monkeypatch.setattr(Chaos, "run", fails)


@pytest.mark.usefixtures("broken")
def test_the_command_stops_at_a_failure_and_says_how_to_replay_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--runs", "5", "--seed", "3", "--members", "4", "--seconds", "10", "--scenario", "stall"]) == 1
    replay = "replay: python -m swim_core.simulation --scenario stall --runs 1 --seed 3 --members 4 --seconds 10"
    assert capsys.readouterr().out.splitlines() == [
        "1/5 seed 3 stall: InvariantViolated: two and two make five",
        replay,
        "excused nothing",
        "runs=1 steps=0",
    ]


@pytest.mark.usefixtures("broken")
def test_the_command_can_keep_going(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--runs", "5", "--keep-going"]) == 1
    out = capsys.readouterr().out
    assert out.count("replay: ") == 5
    assert out.endswith("runs=5 steps=0\n")


def test_a_long_sweep_that_looks_away_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def looks_away(chaos: Chaos) -> Report:
        counts = Counter({"verdicts": 1})
        return Report(steps=1, faults=Counter(), judged=counts, excused=counts, recovery=0.0, digest="")

    monkeypatch.setattr(Chaos, "run", looks_away)
    assert main(["--runs", str(6 * len(SCENARIOS))]) == 1
    assert "too many verdicts were not judged: at most 2% may be excused" in capsys.readouterr().out
    assert main(["--runs", str(len(SCENARIOS))]) == 0
