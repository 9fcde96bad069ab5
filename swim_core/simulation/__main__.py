"""``python -m swim_core.simulation --seed A --runs N --members M``: chaos from one seed after another.

The seeds are A to A + N - 1. The command prints one line per run, then ``excused ..`` (how much of what it watches it
did not judge), and finally ``runs=.. steps=..`` with the count of each fault. A run that fails prints the reason and
the command that replays it. The sweep then ends with exit code 1, at once unless it was told to keep going. A long
sweep of all scenarios also ends with 1 if too much was excused: chaos that looks away sees nothing.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import cycle, islice

import attrs

from .chaos import Chaos, Report
from .scenarios import SCENARIOS

ALL = "all"
MANY = 50  # with fewer judgements a share may be chance
LONG = 6  # with fewer runs of each scenario a share may be chance
EXCUSED_AT_MOST = {
    "broadcasts": 0.55,  # of and for those that came later, or have ended
    "deaths told": 0.2,  # of members that run, but were obstructed
    "ends known in time": 0.8,  # each put off anew by each disturbance; "at last" has no excuse
    "floods": 0.2,
    "old deaths": 0.1,
    "probes": 0.96,  # most scenarios are never quiet
    "syncs": 0.85,  # most scenarios are never quiet
    "verdicts": 0.02,
}
"""The share of what is watched that may go unjudged: a little more than was measured."""
AHEAD = 4  # runs handed to each process at a time, so that a failure stops the sweep soon


@attrs.frozen
class Failure:
    """Why a run failed, as text: exceptions with notes don't survive the way between processes."""

    why: str


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    options = _parser().parse_args(arguments)
    number, steps, failures = 0, 0, 0
    faults, judged, excused = Counter[str](), Counter[str](), Counter[str]()
    runs = list(_runs(options))
    for number, (chaos, outcome) in enumerate(zip(runs, _outcomes(runs, options.jobs), strict=True), 1):
        start = f"{number}/{options.runs} seed {chaos.seed} {chaos.scenario.name}"
        if isinstance(outcome, Failure):
            print(f"{start}: {outcome.why}", f"replay: {chaos.replay}", sep="\n", flush=True)
            failures += 1
            if not options.keep_going:
                break
            continue
        steps += outcome.steps
        faults += outcome.faults
        judged += outcome.judged
        excused += outcome.excused
        print(f"{start}: {outcome.steps} steps, agreed after {outcome.recovery:.2f} s of calm", flush=True)
    shares = {kind: (excused[kind], judged[kind] + excused[kind]) for kind in sorted(judged | excused)}
    print("excused", ", ".join(f"{some} of {all} {kind}" for kind, (some, all) in shares.items()) or "nothing")
    if options.scenario == ALL and options.runs >= LONG * len(SCENARIOS):
        for kind, (some, all) in shares.items():
            if all >= MANY and some > EXCUSED_AT_MOST.get(kind, 1.0) * all:
                print(f"too many {kind} were not judged: at most {EXCUSED_AT_MOST[kind]:.0%} may be excused")
                failures += 1
    counts = "".join(f" {kind.replace(' ', '_')}={faults[kind]}" for kind in sorted(faults))
    print(f"runs={number} steps={steps}{counts}")
    return 1 if failures else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m swim_core.simulation", description="Seeded chaos, then calm.")
    parser.add_argument("--seed", type=int, default=1, help="of the first run; each next one takes the next")
    parser.add_argument("--runs", type=int, default=2 * len(SCENARIOS))
    parser.add_argument("--members", type=int, help="by default as the scenario says; over 64 start formed")
    parser.add_argument(
        "--seconds", type=float, help="of virtual time in which harm is done; by default as the scenario says"
    )
    parser.add_argument(
        "--scenario",
        choices=(ALL, *SCENARIOS),
        default=ALL,
        help=f"what happens; with {ALL}, the seeds take them in turn",
    )
    parser.add_argument("--sealed", action="store_true", help="nodes have a key, and seal what they say")
    parser.add_argument("--jobs", type=int, default=1, help="processes that share the runs")
    parser.add_argument("--keep-going", action="store_true", help="go on after a run that failed")
    return parser


def _runs(options: argparse.Namespace) -> Iterator[Chaos]:
    """The scenario of a seed does not depend on the seed that a sweep begins with."""
    for seed in range(options.seed, options.seed + options.runs):
        scenario = options.scenario
        if scenario == ALL:
            scenario = next(islice(cycle(SCENARIOS), seed % len(SCENARIOS), None))
        given = {"members": options.members, "seconds": options.seconds, "sealed": options.sealed}
        yield Chaos(seed=seed, scenario=scenario, **{name: value for name, value in given.items() if value is not None})


def _outcomes(runs: Sequence[Chaos], jobs: int) -> Iterator[Report | Failure]:
    if jobs == 1:
        yield from map(_run, runs)
        return
    with ProcessPoolExecutor(jobs) as pool:
        for start in range(0, len(runs), jobs * AHEAD):
            yield from pool.map(_run, runs[start : start + jobs * AHEAD])


def _run(chaos: Chaos) -> Report | Failure:
    try:
        return chaos.run()
    except Exception as error:
        notes = getattr(error, "__notes__", ())
        return Failure("\n".join((f"{type(error).__name__}: {error}", *notes)))


if __name__ == "__main__":
    sys.exit(main())
