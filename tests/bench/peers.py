"""This library beside kinship and Serf, as real processes: the tables "Real processes" of docs/performance.md.

`cluster_bench.py` starts clusters in a network namespace of their own and measures them; it is not part of this
repository. It needs root (for the namespace), `ip`, `nft`, and what it is to run: Debian's package `serf`, and

    python -m venv /tmp/bench && /tmp/bench/bin/pip install ".[cli]" kinship     # not -e: installed as users have it

This runs it on a machine that should have nothing else to do, and renders what it measured:

    python tests/bench/peers.py --bench cluster_bench.py --python /tmp/bench/bin/python -n 20 --steady-seconds 60
    python tests/bench/peers.py --bench cluster_bench.py --python /tmp/bench/bin/python -n 20 --loss 10
    python tests/bench/peers.py --render results.json
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

PEERS = "swim-threads,swim-asyncio,swim-trio,swim-trio-plain,kinship,serf"
Result = Mapping[str, Any]


def of(result: Result, *path: str) -> Any:
    """What stands at a path of a result; None where it was not measured."""
    found: Any = result
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def number(value: float | None, digits: int = 2, unit: str = "") -> str:
    return "–" if value is None else f"{value:.{digits}f}{unit}"


def span(result: Result, scenario: str) -> str:
    """Median and last, of all survivors; and how many never knew."""
    if of(result, scenario, "median") is None:
        return "–"
    missing = of(result, scenario, "missing")
    never = f", {missing} never" if missing else ""
    return f"{seconds(of(result, scenario, 'median'))} / {seconds(of(result, scenario, 'last'))}{never}"


def seconds(value: float) -> str:
    return f"{value:.2f} s" if value >= 0.5 else f"{1000 * value:.0f} ms"


def cpu(result: Result, kinship: float | None) -> str:
    """Milliseconds of processor time a second and node, and how much that is of kinship's."""
    own = of(result, "steady", "cpu_ms/s")
    ratio = f" ({own / kinship:.1f})" if own is not None and kinship else ""
    return number(own) + ratio


ROWS: dict[str, Callable[[Result, float | None], str]] = {
    "formed after": lambda r, _: "never" if r.get("form") is None else seconds(r["form"]),
    "`kill -9` known, median / last": lambda r, _: span(r, "crash"),
    "lost host known, median / last": lambda r, _: span(r, "hostloss"),
    "broadcast, p50 / p99": lambda r, _: " / ".join(
        number(of(r, "broadcast", name), 0, " ms") for name in ("p50_ms", "p99_ms")
    ),
    "broadcasts delivered; twice": lambda r, _: (
        f"{number(100 * of(r, 'broadcast', 'delivered'), 1, ' %')}; {of(r, 'broadcast', 'duplicates') or 0}"
        if of(r, "broadcast")
        else "–"
    ),
    "5 s stall: deaths told": lambda r, _: str(of(r, "stall", "deaths")) if of(r, "stall") else "–",
    "false suspicions; deaths": lambda r, _: (
        f"{of(r, 'quiet', 'false_suspects')}; {of(r, 'quiet', 'false_deaths')}" if of(r, "quiet") else "–"
    ),
    "bytes a second": lambda r, _: number(of(r, "steady", "bytes/s"), 0),
    "CPU, ms a second (of kinship's)": cpu,
    "memory, MB": lambda r, _: number(of(r, "steady", "rss_mb"), 0),
}


def render(measured: Mapping[str, Any]) -> str:
    """A Markdown table, a column for each system."""
    arguments, results = measured["args"], measured["results"]
    kinship = next((of(r, "steady", "cpu_ms/s") for r in results if r["peer"] == "kinship"), None)
    title = (
        f"n = {arguments['n']}, interval {arguments['interval']:g} s, {arguments['loss']:g} % of all datagrams lost,"
        f" {arguments['steady_seconds']:g} s of quiet"
    )
    lines = [title, "", f"| | {' | '.join(r['peer'] for r in results)} |", "|---" * (len(results) + 1) + "|"]
    lines += [f"| {name} | {' | '.join(cell(r, kinship) for r in results)} |" for name, cell in ROWS.items()]
    return "\n".join(lines)


def measure(arguments: argparse.Namespace, others: list[str]) -> Mapping[str, Any]:
    """Run `cluster_bench.py`, which shows its progress, and return its results."""
    binaries = arguments.python.parent
    environ = {**os.environ, "BENCH_PYTHON": str(arguments.python), "PATH": f"{binaries}:{os.environ['PATH']}"}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "results.json"
        command = [
            str(arguments.python),
            str(arguments.bench),
            "--peers",
            arguments.peers,
            "--json",
            str(path),
            *others,
        ]
        subprocess.run(command, check=True, env=environ, cwd=folder)
        if arguments.save:
            arguments.save.write_bytes(path.read_bytes())
        measured: Mapping[str, Any] = json.loads(path.read_text())
        return measured


def main() -> None:
    """Measure and render, or only render."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Any other option goes to cluster_bench.py.",
    )
    parser.add_argument("--bench", type=Path, help="where cluster_bench.py is")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="of the environment to measure")
    parser.add_argument("--peers", default=PEERS)
    parser.add_argument("--save", type=Path, help="also keep the results as JSON")
    parser.add_argument("--render", type=Path, help="only render results that were kept")
    arguments, others = parser.parse_known_args()
    if arguments.render is None and arguments.bench is None:
        parser.error("say where cluster_bench.py is (--bench), or what to --render")
    measured = json.loads(arguments.render.read_text()) if arguments.render else measure(arguments, others)
    print(render(measured))


if __name__ == "__main__":
    main()
