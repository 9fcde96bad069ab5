"""Experiments on the rules of the protocol that were reasoned before they were tried (docs/experiments.md).

    python tests/bench/rules.py all                 # everything, about twenty minutes
    python tests/bench/rules.py deaf --seeds 5      # one experiment, five runs a row

Each prints Markdown tables. Time is virtual, the seeds are 0, 1, 2 .., and everything random follows from them, so
a table comes out the same each time. "a / b" is the median and the worst over the runs of a row. Where a variant of
a rule is tried, a constant or function of the core is replaced for the runs of that row.
"""

import argparse
import time
from collections.abc import Callable, Mapping

from rules_identity import clocks, names
from rules_spreading import credit, joins, strangers
from rules_verdicts import deaf, held_back, repeats

EXPERIMENTS: Mapping[str, tuple[Callable[[int], None], int]] = {  # and the runs of a row, unless told otherwise
    "names": (names, 3),
    "clocks": (clocks, 3),
    "repeats": (repeats, 6),
    "deaf": (deaf, 3),
    "joins": (joins, 2),
    "strangers": (strangers, 1),
    "credit": (credit, 2),
    "held-back": (held_back, 4),
}


def main() -> None:
    """Run the experiments named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=[*EXPERIMENTS, "all"], metavar=f"{{{','.join(EXPERIMENTS)},all}}")
    parser.add_argument("--seeds", type=int, help="runs of a row; large clusters take fewer")
    options = parser.parse_args()
    for name, (experiment, seeds) in EXPERIMENTS.items():
        if name in options.names or "all" in options.names:
            start = time.perf_counter()
            print(f"\n## {name}: {experiment.__doc__}")
            experiment(options.seeds or seeds)
            print(f"\n({time.perf_counter() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
