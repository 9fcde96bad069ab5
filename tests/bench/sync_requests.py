"""What a SYNC_REQ that draws no answer costs beside a ping: `python tests/bench/sync_requests.py`, some seconds.

A node of 128 members is told datagrams of each kind in turn, a thousand of each. What it takes to open one, which goes
by its length, is timed on a second node with the same datagrams, and taken off. The least of each counts, in
microseconds. No answer is drawn by requests of strangers that have no room for one, and by those beyond 20 a second.
docs/limits.md has the figures.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

sys.path.insert(0, str(Path(__file__).parents[1]))

from bench_core import UNIX_MS, address_of, drain, short_id
from bench_sealing import KEY, SENDER, codec_of, node_with

from support.inside import parts_of
from swim_core import Address, Keys
from swim_core.native.wire.datagram import Codec, encode_item
from swim_core.native.wire.messages import Message, Ping, SyncReq

STRANGER, ELSEWHERE = 2**63 + 5, Address("198.51.100.7", 7946)
EACH = 1_000
KINDS: dict[str, tuple[bool, Callable[[int, int], Message]]] = {
    "PING of a member": (True, lambda n, to: Ping(n, to, UNIX_MS)),
    "PING of a stranger": (False, lambda n, to: Ping(n, to, UNIX_MS)),
    "SYNC_REQ of a stranger, 1 digest": (False, lambda n, _: SyncReq(n, [5], 0)),
    "the same, 16 digests": (False, lambda n, _: SyncReq(n, [5] * 16, 0)),
    "the same, 128 digests": (False, lambda n, _: SyncReq(n, [2**63] * 120, 0)),
    "the same, beyond 20 a second": (False, lambda n, _: SyncReq(n, [5], 0, bytes(1_100))),
}
"""Its sender, and what it says."""


def told(codec: Codec, kind: str, number: int, target: int) -> tuple[bytes, Address]:
    """A datagram of that kind, and where it comes from."""
    member, make = KINDS[kind]
    sender = short_id(SENDER) if member else STRANGER
    message = make(number, target)
    bound = not isinstance(message, Ping)
    data = codec.pack(2, sender, encode_item(message), peer=target, bound=bound, now=number * 1e-6)
    return data, address_of(SENDER) if member else ELSEWHERE


def timed(call: Callable[[], object]) -> float:
    began = perf_counter()
    call()
    return (perf_counter() - began) * 1e6


def measure(keys: Keys | None) -> dict[str, tuple[int, float, float, int]]:
    """By kind: bytes, the least time in all and for opening alone, and how many were answered by anything."""
    node, second, codec = node_with(keys), node_with(keys), codec_of(keys)
    target, opener = parts_of(node).local.short_id, parts_of(second).context.codec
    found: dict[str, tuple[int, float, float, int]] = {}
    for number in range(1, EACH + 1):
        for kind in KINDS:
            data, source = told(codec, kind, number, target)
            now = number * 1e-6
            opening = timed(lambda: opener.open(data, now))  # noqa: B023
            whole = timed(lambda: node.feed_datagram(data, source, now=now))  # noqa: B023
            answers = len(drain(node))
            _, least, least_opening, answered = found.get(kind, (0, whole, opening, 0))
            found[kind] = len(data), min(least, whole), min(least_opening, opening), answered + answers
    return found


def main() -> None:
    """Print both tables."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    for way, keys in (("plain", None), ("sealed", KEY)):
        found = measure(keys)
        _, whole, opening, _ = found["PING of a member"]
        print(f"{way:35}bytes   whole  opened    rest  of a ping's  answers, of {EACH}")
        for kind, (size, least, opened, answered) in found.items():
            rest = least - opened
            share = rest / (whole - opening)
            print(f"{kind:35}{size:5}{least:8.1f}{opened:8.1f}{rest:8.1f}{share:14.2f}{answered:9}")


if __name__ == "__main__":
    main()
