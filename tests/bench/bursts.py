"""How many broadcasts a second real processes on one host bear, and what becomes of what is too much.

    python tests/bench/bursts.py                              # 25,000 deliveries a second of 16 bytes, 60 s
    python tests/bench/bursts.py --rate 20000 --size 256
    python tests/bench/bursts.py --rate 60000 --seconds 20    # too much for two cores: refused, not lost

A delivery is one broadcast at one other member, so ten members that deliver 25,000 a second make 278 broadcasts a
second each. Latencies are by one clock of the host, from the call of `broadcast` to that of the listener; those shown
are the worst member's. Refused are those for which `broadcast` raised `Overloaded`. Of the others, unread are events
that the listener was too slow for, as it was told (a BroadcastsLost may be among them), and lost are those that some
member neither got nor was told of.
"""

import argparse
import json
import subprocess
import sys
import time
from collections import Counter
from typing import Any

from measuring import table

import swim_threads
from swim_core import BroadcastReceived, BroadcastsLost, Event, EventsLost, MemberDied, Overloaded

HEAD = 8  # bytes of a payload that say when it was sent
PATIENCE = 15.0  # seconds in which the last ones must arrive


def quantile(sorted_values: list[int], share: float) -> float:
    """That quantile, in milliseconds; the values are nanoseconds, ascending."""
    return sorted_values[min(len(sorted_values) - 1, int(share * len(sorted_values)))] / 1e6 if sorted_values else 0.0


def member(name: str, seed: str | None, members: int, rate: float, size: int, seconds: float) -> None:
    """One process: say where it is, wait for the word, broadcast, and print what happened."""
    ages: list[int] = []
    counts: Counter[str] = Counter()

    def heard(event: Event) -> None:
        if isinstance(event, BroadcastReceived):
            ages.append(time.monotonic_ns() - int.from_bytes(event.payload[:HEAD], "big"))
        elif isinstance(event, BroadcastsLost):
            counts["told lost"] += event.count
        elif isinstance(event, EventsLost):  # the program was too slow; the node had them
            counts["unread"] += event.count
        elif isinstance(event, MemberDied):
            counts["deaths"] += 1

    with swim_threads.open_node("127.0.0.1:0", name=name, join=seed) as node:
        node.add_listener(heard)
        print(node.local.address, flush=True)
        node.wait_for_members(members, timeout=60)
        print("ready", flush=True)
        sys.stdin.readline()
        filler = bytes(size - HEAD)
        begun, due = time.monotonic(), 0
        while (now := time.monotonic()) - begun < seconds:
            while due < (now - begun) * rate:
                due += 1
                try:
                    node.broadcast(time.monotonic_ns().to_bytes(HEAD, "big") + filler)
                    counts["sent"] += 1
                except Overloaded:
                    counts["refused"] += 1
            time.sleep(0.002)
        print("done", flush=True)
        sys.stdin.readline()
        ages.sort()
        cpu = time.process_time()
        print(
            json.dumps(
                {**counts, "got": len(ages), "p50": quantile(ages, 0.5), "p99": quantile(ages, 0.99), "cpu": cpu}
            )
        )
        sys.stdout.flush()
        sys.stdin.readline()


def start(arguments: argparse.Namespace, number: int, seed: str | None) -> "subprocess.Popen[str]":
    """A member's process."""
    rate = arguments.rate / arguments.members / (arguments.members - 1)
    command = [sys.executable, __file__, "--member", str(number), "--members", str(arguments.members)]
    command += ["--rate", str(rate), "--size", str(arguments.size), "--seconds", str(arguments.seconds)]
    command += ["--seed", seed] if seed else []
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def say(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def hear(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def measure(arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Run all members; what each has to report."""
    first = start(arguments, 0, None)
    processes = [first]
    try:
        seed = hear(first)
        processes += [start(arguments, number, seed) for number in range(1, arguments.members)]
        for process in processes[1:]:
            hear(process)
        for process in processes:
            assert hear(process) == "ready"
        for process in processes:
            say(process)
        for process in processes:
            assert hear(process) == "done"
        time.sleep(PATIENCE)
        for process in processes:
            say(process)
        reports = [json.loads(hear(process)) for process in processes]
        for process in processes:
            say(process)
            process.wait(10)
        return reports
    finally:
        for process in processes:
            process.kill()


def main() -> None:
    """Read the command line, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--members", type=int, default=10)
    parser.add_argument("--rate", type=float, default=25_000, help="deliveries a second, of all members together")
    parser.add_argument("--size", type=int, default=16, help="bytes of a payload, 8 or more")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--member", help=argparse.SUPPRESS)
    parser.add_argument("--seed", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.member is not None:
        a = arguments
        member(f"member-{a.member}", a.seed, a.members, a.rate, a.size, a.seconds)
        return
    reports = measure(arguments)
    keys = ("sent", "refused", "got", "unread", "told lost", "deaths", "cpu")
    total = {key: sum(report.get(key, 0) for report in reports) for key in keys}
    lost = total["sent"] * (arguments.members - 1) - total["got"] - total["unread"] - total["told lost"]
    row = [
        f"{arguments.rate:,.0f} of {arguments.size}",
        *(f"{number:,}" for number in (*(total[key] for key in keys[:5]), lost)),
        f"{total['got'] / arguments.seconds:,.0f}",
        f"{max(report['p50'] for report in reports):.0f} / {max(report['p99'] for report in reports):.0f}",
        total["deaths"],
        f"{total['cpu'] / arguments.seconds:.2f}",
    ]
    header = "asked/s, bytes|sent|refused|delivered|unread|told lost|lost|delivered/s|p50 / p99 ms|deaths|cores"
    table(header, [row])


if __name__ == "__main__":
    main()
