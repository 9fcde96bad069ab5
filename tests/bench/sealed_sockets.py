"""How soon news is known among processes, plain and sealed in turn: `python tests/bench/sealed_sockets.py`.

Agents on loopback with the lan preset. Each run: the median of thirty broadcasts until the last member has printed it,
and how long after a `kill -9` the last one has printed that. The median of the sealed runs is to lie within the spread
of the plain ones, or below it.
"""

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.agents import AgentProcess, agents
from swim_core import Key

BROADCASTS = 30
SETTLED = (
    12.0  # seconds from the last join until all tripwires stand, and answers no longer take as long as at the start
)
KEY = Key(bytes(range(32)))


def last(listeners: list[AgentProcess], event: str, since: float, **facts: object) -> float:
    """Milliseconds from ``since`` until the last agent printed that event; all clocks are one."""
    return (max(float(agent.wait_for(event, **facts)["t"]) for agent in listeners) - since) * 1000


def once(members: int, key_file: str | None) -> dict[str, float]:
    """One cluster; milliseconds by what was waited for."""
    with agents() as start:
        more = ["--key-file", key_file] if key_file else []
        nodes = [start("n0", *more, settings=())]
        nodes += [start(f"n{n}", *more, join=nodes[0], settings=()) for n in range(1, members)]
        for node in nodes:
            for other in nodes:
                if other is not node:
                    node.wait_for("alive", member=other.name)
        time.sleep(SETTLED)
        times = []
        for number in range(BROADCASTS):
            began = time.time()
            nodes[0].command(b"broadcast %d" % number)
            times.append(last(nodes[1:], "broadcast", began, data=str(number)))
            time.sleep(0.1)
        began = time.time()
        nodes[-1].process.kill()
        return {"broadcast": statistics.median(times), "death": last(nodes[:-1], "dead", began, member=nodes[-1].name)}


def main() -> None:
    """Measure plain and sealed clusters in turn, and print what each took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=6)
    parser.add_argument("--runs", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "swim.key"
        path.write_text(KEY.reveal())
        path.chmod(0o600)
        ways = (None, str(path))
        runs = [(way, once(arguments.members, way)) for _ in range(arguments.runs) for way in ways]
    print("ms, lowest, median and highest of", arguments.runs)
    for what in ("broadcast", "death"):
        plain, sealed = ([run[what] for used, run in runs if used is way] for way in ways)
        for name, times in (("plain", plain), ("sealed", sealed)):
            print(f"{what:10} {name:7} {min(times):7.2f} {statistics.median(times):7.2f} {max(times):7.2f}")
        print(f"{what:10} {'good' if statistics.median(sealed) <= max(plain) else 'SLOWER'}")


if __name__ == "__main__":
    main()
