"""What the failure detector bears, attacked in the simulator: the tables of docs/protocol.md, "Attacked".

    python tests/bench/attacks.py suspicion overload     # two of them
    python tests/bench/attacks.py all --seeds 3

Time is virtual and everything random follows from the seeds, so a table comes out the same each time. Progress is on
standard error.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping

from attacks_gray import dark, overload, suspicion

EXPERIMENTS: Mapping[str, tuple[Callable[[int], None], int]] = {  # and the runs of a row, unless told otherwise
    "suspicion": (suspicion, 1),
    "overload": (overload, 1),
    "dark": (dark, 1),
}


def main() -> None:
    """Run the experiments named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=[*EXPERIMENTS, "all"], metavar=f"{{{','.join(EXPERIMENTS)},all}}")
    parser.add_argument("--seeds", type=int, help="runs of a row")
    options = parser.parse_args()
    for name, (experiment, seeds) in EXPERIMENTS.items():
        if name in options.names or "all" in options.names:
            start = time.perf_counter()
            print(f"\n## {name}: {experiment.__doc__}")
            experiment(options.seeds or seeds)
            print(f"\n({time.perf_counter() - start:.0f} s)", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
