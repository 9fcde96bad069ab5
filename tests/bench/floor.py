"""What our members pay besides the least that any Python process pays: `python tests/bench/floor.py`.

Clusters of processes on loopback, one after the other: the floor, which knows all beforehand and tells all by itself
(`floor_member.py`); the floor with what our members do besides, one thing at a time; and members of `swim_threads`.
It wants Linux, and a machine that has nothing else to do.
"""

import argparse
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from measuring import progress, section, table

KINDS = {
    "the floor": [],
    "its network in a thread of its own": ["--thread"],
    "two places test before a verdict": ["--verdicts"],
    "both": ["--thread", "--verdicts"],
    "ours": ["--ours"],
}
BROADCASTS, APART = 20, 0.25  # seconds between two of them
VICTIMS, KNOWN_WITHIN = 3, 1.0  # seconds after which all know of a kill
QUIET = 12.0  # seconds until all connections stand, and for which the load is measured
FORMED_WITHIN = 120.0
FEWEST = 10  # of which three are killed, and each has four witnesses


class Cluster:
    """Processes of one kind, and what they have printed: each into a file, so that reading costs nothing meanwhile."""

    def __init__(self, kind: list[str], size: int, folder: Path, stack: ExitStack) -> None:
        ports = free_ports(size)
        program = [sys.executable, str(Path(__file__).with_name("floor_member.py"))]
        self._files = [folder / str(number) for number in range(size)]
        self.processes: list[subprocess.Popen[bytes]] = []
        for number, path in enumerate(self._files):
            command = [*program, *kind, str(number), *map(str, ports)]
            output = stack.enter_context(path.open("wb"))
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output)
            stack.callback(end, process)
            self.processes.append(process)

    def heard(self, kind: str, what: str = "") -> list[list[float]]:
        """When each process said that, about ``what`` or about anything; seconds since 1970."""
        rows = ([line.split() for line in path.read_text().splitlines()] for path in self._files)
        return [[float(t) for t, said, about in lines if said == kind and what in ("", about)] for lines in rows]

    def wait_formed(self) -> None:
        """Raises TimeoutError."""
        deadline = time.monotonic() + FORMED_WITHIN
        while not all(len(times) >= len(self.processes) - 1 for times in self.heard("alive")):
            if time.monotonic() > deadline:
                raise TimeoutError("the processes did not find each other")
            time.sleep(0.2)

    def load(self) -> float:
        """Milliseconds of a processor for each process so far."""
        tasks = (task for process in self.processes for task in Path(f"/proc/{process.pid}/task").iterdir())
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks) / 1e6 / len(self.processes)


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


def free_ports(count: int) -> list[int]:
    """Ports that are free for UDP and TCP, now."""
    with ExitStack() as stack:
        ports: list[int] = []
        while len(ports) < count:
            tcp, udp = stack.enter_context(socket.socket()), stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            tcp.bind(("127.0.0.1", 0))
            try:
                udp.bind(tcp.getsockname())
            except OSError:
                continue
            ports.append(tcp.getsockname()[1])
        return ports


@contextmanager
def cluster(kind: list[str], size: int) -> Iterator[Cluster]:
    """A cluster that has formed and come to rest; its processes are killed in the end."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        made = Cluster(kind, size, Path(folder), stack)
        made.wait_formed()
        time.sleep(QUIET)
        yield made


def measure(kind: list[str], size: int) -> list[float]:
    """Milliseconds: a broadcast until half and all but one in a hundred have it, a kill until half and the last know
    it; and of a processor, each second."""
    with cluster(kind, size) as made:
        before = made.load()
        time.sleep(QUIET)
        load = (made.load() - before) / QUIET
        broadcasts: list[float] = []
        for number in range(BROADCASTS):
            began, stdin = time.time(), made.processes[number % size].stdin
            assert stdin is not None
            stdin.write(b"text-%d\n" % number)
            stdin.flush()
            time.sleep(APART)
            broadcasts += [t - began for times in made.heard("broadcast", f"text-{number}") for t in times]
        kills: list[float] = []
        lasts: list[float] = []
        for victim in range(size - 2, size - 2 - 2 * VICTIMS, -2):  # no witness judges in place of a victim
            began = time.time()
            os.kill(made.processes[victim].pid, signal.SIGKILL)
            time.sleep(KNOWN_WITHIN)
            known = [t - began for times in made.heard("dead", str(victim)) for t in times]
            kills += known
            lasts.append(max(known))
        figures = [statistics.median(broadcasts), statistics.quantiles(broadcasts, n=100)[-1]]
        return [*(1000 * figure for figure in (*figures, statistics.median(kills), statistics.median(lasts))), load]


def row(name: str, half: float, most: float, known: float, last: float, load: float) -> list[str]:
    return [name, f"{half:.1f}, {most:.1f}", f"{known:.1f}, {last:.1f}", f"{load:.2f}"]


def main() -> None:
    """Measure each kind in turn, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", "--members", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    if options.members < FEWEST or options.rounds < 1:
        parser.error(f"at least {FEWEST} members and one round are needed")
    measured: dict[str, list[list[float]]] = {name: [] for name in KINDS}
    for number in range(options.rounds):
        for name, kind in KINDS.items():
            progress(f"round {number + 1} of {options.rounds}: {name}")
            measured[name].append(measure(kind, options.members))
    medians = {
        name: [statistics.median(column) for column in zip(*rows, strict=True)] for name, rows in measured.items()
    }
    section(f"{options.members} processes, medians of {options.rounds} rounds")
    header = "ms | broadcast known: half, 99 % | kill known: half, last | processor, ms a second"
    table(
        header,
        (
            [name, f"{b:.1f}, {c:.1f}", f"{k:.1f}, {last:.1f}", f"{p:.2f}"]
            for name, (b, c, k, last, p) in medians.items()
        ),
    )


if __name__ == "__main__":
    main()
