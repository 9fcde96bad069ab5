"""How fast a placement is made and asked, and how evenly it spreads keys, by the number of members.

    python tests/bench/placement.py                    # 10,000 keys
    python tests/bench/placement.py --keys 100000

Prints a Markdown table: making a placement, `owner` of every key, three `owners` of every key, and `moved` when one
member dies, in ms (the best of three); the share that moved; the largest share of a member over the mean.
"""

import argparse
import time
from collections import Counter
from collections.abc import Callable

from measuring import table

from swim_core import Address, Member
from swim_core.placement import Placement, moved


def best_of_three(action: Callable[[], object]) -> str:
    """The shortest of three times that it takes, in ms."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        action()
        times.append(time.perf_counter() - start)
    return f"{min(times) * 1000:.1f}"


def row(count: int, keys: list[str]) -> list[object]:
    """The figures for ``count`` members."""
    members = [Member(f"cache-{number}", Address("10.0.0.1", 7946), 1) for number in range(count)]
    placement, rest = Placement(members), Placement(members[1:])
    shares = Counter(placement.owner(key).name for key in keys)
    return [
        count,
        best_of_three(lambda: Placement(members)),
        best_of_three(lambda: [placement.owner(key) for key in keys]),
        best_of_three(lambda: [placement.owners(key, 3) for key in keys]),
        best_of_three(lambda: moved(placement, rest, keys)),
        f"{100 * len(moved(placement, rest, keys)) / len(keys):.1f} %",
        f"{max(shares.values()) * count / len(keys):.2f}",
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=10_000)
    keys = [f"user:{number}" for number in range(parser.parse_args().keys)]
    table("members|make|owner|owners|moved|that moved|largest share", (row(count, keys) for count in (3, 10, 100)))


if __name__ == "__main__":
    main()
