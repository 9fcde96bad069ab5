"""Plants the bugs of `bugs.py` one at a time, in copies of the tree, and sees what catches them.

    python tests/mutants/plant.py                      # all of them, by fast tests and by 300 runs of chaos
    python tests/mutants/plant.py 5 "one ring"         # those with this number, or this text in what they break
    python tests/mutants/plant.py --by chaos --runs 100 --scenario blind 12

Each is left at the first catch. What was found is kept in a file and not looked for again, so that a run which was
stopped goes on where it was; ``--again`` looks anew. Last comes the table, as it stands in docs/simulation.md.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue

from bugs import BUGS, Bug

ROOT = Path(__file__).resolve().parents[2]
FOUND = ROOT / ".mutants.json"
WAYS = ("tests", "chaos")
LONGEST = 900  # seconds for one bug by one way, when nothing caught it by then
ALL_FAST = ("unit/native", "unit/contract")
UNHURT = "escaped"
NOT_DONE = -1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code: 0 if nothing escaped."""
    options = _parser().parse_args(arguments)
    bugs = [bug for bug in BUGS if not options.bugs or any(_is_meant(bug, what) for what in options.bugs)]
    found: dict[str, str] = json.loads(options.found.read_text()) if options.found.exists() else {}
    todo = [(bug, way) for bug in bugs for way in options.by if options.again or _key(bug, way) not in found]
    unfit = [bug.number for bug in bugs if (ROOT / bug.file).read_text().count(bug.old) != 1]
    if unfit:
        sys.exit(f"the code has moved on: bugs {unfit} no longer fit, see to bugs.py")
    print(f"{len(bugs)} bugs, {len(todo)} trials to go, {options.jobs} at a time", flush=True)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        trees: SimpleQueue[Path] = SimpleQueue()
        for number in range(options.jobs):
            trees.put(_copy(Path(folder, str(number))))
        with ThreadPoolExecutor(options.jobs) as pool:
            trials = {pool.submit(_try, bug, way, trees, options): (bug, way) for bug, way in todo}
            for done, trial in enumerate(as_completed(trials), 1):
                bug, way = trials[trial]
                found[_key(bug, way)] = trial.result()
                options.found.write_text(json.dumps(found, indent=1, sort_keys=True))
                passed = time.monotonic() - began
                print(
                    f"{done}/{len(todo)} [{passed:.0f} s] {bug.number} {bug.breaks}: {way}: {trial.result()}",
                    flush=True,
                )
    _print_table(bugs, found)
    return int(any(found.get(_key(bug, way)) == UNHURT for bug in bugs for way in options.by))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Plant bugs, and see what catches them.")
    parser.add_argument("bugs", nargs="*", help="numbers, or parts of what they break; all by default")
    parser.add_argument("--by", nargs="+", choices=WAYS, default=WAYS)
    parser.add_argument("--runs", type=int, default=300, help="of chaos, at most")
    parser.add_argument("--seed", type=int, default=1, help="of the first run of chaos")
    parser.add_argument("--scenario", default="all", help="that the chaos keeps to")
    parser.add_argument("--jobs", type=int, default=2, help="bugs at a time")
    parser.add_argument("--found", type=Path, default=FOUND, help="file of what was found")
    parser.add_argument("--again", action="store_true", help="also what was found before")
    return parser


def _is_meant(bug: Bug, what: str) -> bool:
    return bug.number == int(what) if what.isdecimal() else what in bug.breaks


def _key(bug: Bug, way: str) -> str:
    return f"{bug.number} {way}"


def _copy(tree: Path) -> Path:
    ignored = shutil.ignore_patterns(".*", "__pycache__", "docs", "_build")
    shutil.copytree(ROOT, tree, ignore=ignored)
    return tree


def _try(bug: Bug, way: str, trees: "SimpleQueue[Path]", options: argparse.Namespace) -> str:
    """Plant one, and see whether it is caught; says by what."""
    tree = trees.get()
    file = tree / bug.file
    sound = file.read_text()
    file.write_text(sound.replace(bug.old, bug.new))
    try:
        return _by_tests(bug, tree) if way == "tests" else _by_chaos(tree, options)
    finally:
        file.write_text(sound)
        trees.put(tree)


def _by_tests(bug: Bug, tree: Path) -> str:
    """The bug's own tests first, then all fast ones."""
    for paths in (bug.tests, ALL_FAST):
        pytest = ["pytest", "-x", "-q", "-n0", "-p", "no:cacheprovider", *(f"tests/{path}" for path in paths)]
        _, lines = _run(tree, pytest)  # none may have failed, and yet it took too long: the machine is just busy
        failed = [line for line in lines if line.startswith(("FAILED", "ERROR"))]
        if failed:
            return failed[0].split(" - ")[0].removeprefix("FAILED tests/")
    return UNHURT


def _by_chaos(tree: Path, options: argparse.Namespace) -> str:
    sweep = ["--runs", str(options.runs), "--seed", str(options.seed), "--scenario", options.scenario]
    code, lines = _run(tree, ["swim_core.simulation", *sweep])
    if code in (0, NOT_DONE):
        return UNHURT
    failed = [line for line in lines if " seed " in line and " steps, " not in line]
    if not failed:
        return f"exit code {code}"
    run, why = failed[0].split(": ", 1)
    return f"{run.split()[3]}, run {run.split('/')[0]}: {why[:150]}"


def _run(tree: Path, module: list[str]) -> tuple[int, list[str]]:
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        ran = subprocess.run(
            [sys.executable, "-m", *module], cwd=tree, env=environment, capture_output=True, text=True, timeout=LONGEST
        )
    except subprocess.TimeoutExpired:
        return NOT_DONE, []
    return ran.returncode, ran.stdout.splitlines()


def _print_table(bugs: Sequence[Bug], found: dict[str, str]) -> None:
    print("\n| | planted | chaos | tests |", "|---|---|---|---|", sep="\n")
    for bug in bugs:
        by = {way: found.get(_key(bug, way), "not tried") for way in WAYS}
        chaos = by["chaos"].split(":")[0]
        tests = by["tests"].split("/")[-1]
        print(f"| {bug.number} | {bug.breaks} | {chaos} | {tests} |")
    for way in WAYS:
        caught = sum(found.get(_key(bug, way), UNHURT) != UNHURT for bug in bugs)
        print(f"caught by {way}: {caught} of {len(bugs)}")


if __name__ == "__main__":
    sys.exit(main())
