"""Real datagrams, damaged in any way: nothing raises, and nothing that is kept grows without bound.

What each costs is measured by `tests/bench/fuzz.py`, which runs a million.
"""

import pytest

from support.fuzzer import AT_ONCE, Fuzzer
from support.measures import sizes
from swim_core import DropReason

WAYS = {"plain": (False, False), "without the key": (True, False), "with the key": (True, True)}
AT_THE_DOOR = (
    DropReason.TOO_LARGE,
    DropReason.BAD_HEADER,
    DropReason.OTHER_CLUSTER,
    DropReason.SEALED,
    DropReason.NOT_SEALED,
    DropReason.UNKNOWN_KEY,
    DropReason.UNOPENED,
    DropReason.REPLAYED,
    DropReason.UNDECODABLE,
)
MOST = 5_000  # in any place: the largest bounds are of 4,096 hosts


@pytest.mark.parametrize(("keys", "inside"), WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(
    ("seed", "count"), [(1, 2_000), *(pytest.param(seed, 25_000, marks=pytest.mark.slow) for seed in range(2, 6))]
)
def test_any_datagram(seed: int, count: int, keys: bool, inside: bool) -> None:
    fuzzer = Fuzzer(seed, keys=keys, inside=inside)
    for number in range(count):
        data, source = fuzzer.drawn()
        try:
            fuzzer.feed(data, source)
        except Exception as error:
            error.add_note(f"number {number} of seed {seed}: {data.hex()} from {source}")
            raise
        if number % AT_ONCE == AT_ONCE - 1:
            fuzzer.go_on()
    assert {place: size for place, size in sizes(fuzzer.node).items() if size > MOST} == {}
    dropped = fuzzer.node.statistics().dropped
    read = count - sum(dropped.get(reason, 0) for reason in AT_THE_DOOR)
    assert read > count / 10 if inside or not keys else read < count / 4, read
