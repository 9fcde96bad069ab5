"""``python -m swim_core.simulation --seed A --runs N --members M``: chaos from one seed after another.

Prints a line a run, and last ``runs=.. steps=..`` with the count of each fault. Exits with 1 at the
first run that fails, after printing why and the command that replays it.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Sequence

from .chaos import Chaos


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m swim_core.simulation", description="Seeded chaos, then calm.")
    parser.add_argument("--seed", type=int, default=1, help="of the first run; each next one takes the next")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--members", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60.0, help="of virtual time in which harm is done")
    options = parser.parse_args(arguments)
    steps, faults = 0, Counter[str]()
    for seed in range(options.seed, options.seed + options.runs):
        chaos = Chaos(seed=seed, members=options.members, seconds=options.seconds)
        try:
            report = chaos.run()
        except Exception as error:
            print(f"seed {seed}: {type(error).__name__}: {error}", *getattr(error, "__notes__", ()), sep="\n")
            print(f"replay: {chaos.replay}")
            return 1
        steps += report.steps
        faults += report.faults
        print(f"seed {seed}: {report.steps} steps, agreed after {report.recovery:.2f} s of calm", flush=True)
    counts = "".join(f" {kind.replace(' ', '_')}={faults[kind]}" for kind in sorted(faults))
    print(f"runs={options.runs} steps={steps}{counts}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
