"""What the protocol withstands, attacked in the simulator: the tables of docs/attacks.md, and some of docs/protocol.md.

    python tests/bench/attacks.py suspicion overload     # two of them
    python tests/bench/attacks.py all --seeds 3

Time is virtual and everything random follows from the seeds, so a table comes out the same each time. Progress is on
standard error.
"""

import argparse
import sys
import time
from collections.abc import Callable, Mapping

from attacks_ends import mass, partitions, survivors
from attacks_ghosts import ghosts, growth
from attacks_gray import dark, overload, suspicion
from attacks_paths import gray
from attacks_restarts import flapping, restarts

EXPERIMENTS: Mapping[str, tuple[Callable[..., None], int]] = {  # and the runs of a row, unless told otherwise
    "suspicion": (suspicion, 1),
    "overload": (overload, 1),
    "dark": (dark, 1),
    "survivors": (survivors, 1),
    "mass": (mass, 1),
    "partitions": (partitions, 1),
    "gray": (gray, 1),
    "flapping": (flapping, 1),
    "restarts": (restarts, 1),
    "ghosts": (ghosts, 1),
    "growth": (growth, 2),
}


def main() -> None:
    """Run the experiments named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="+", choices=[*EXPERIMENTS, "all"], metavar=f"{{{','.join(EXPERIMENTS)},all}}")
    parser.add_argument("--seeds", type=int, help="runs of a row")
    parser.add_argument("--members", type=int, nargs="+", default=[], help="sizes, for survivors and ghosts")
    options = parser.parse_args()
    for name, (experiment, seeds) in EXPERIMENTS.items():
        if name in options.names or "all" in options.names:
            start = time.perf_counter()
            print(f"\n## {name}: {experiment.__doc__}")
            sizes = {"sizes": options.members} if options.members and experiment in (survivors, ghosts) else {}
            experiment(options.seeds or seeds, **sizes)
            print(f"\n({time.perf_counter() - start:.0f} s)", file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
