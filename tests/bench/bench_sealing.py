"""What sealing costs: `python -m pytest -n0 tests/bench/bench_sealing.py`; figures in docs/performance.md.

Each datagram is handled by a node of 128 members: a ping that it answers, a message of 1,000 bytes, and a broadcast
that it passes on to four. Beside the good ones, sealed and plain: copies, forged ones, and those of another key.
"""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from bench_core import EPOCH, MEMBERS, UNIX_MS, address_of, drain, formed_cluster_of, short_id

from support.inside import parts_of
from swim_core import Config, Key, Keys, Node
from swim_core.native.cluster_clock import ClusterClock
from swim_core.native.sealing.ring import KeyRing
from swim_core.native.sealing.seal import Sealer
from swim_core.native.wire.datagram import NIL, Codec, encode_item
from swim_core.native.wire.hashing import Hashes
from swim_core.native.wire.messages import Broadcast, Message, Ping, UserMessage

KEY, OTHER = Keys([Key(bytes(range(32)))]), Keys([Key(bytes(range(50, 82)))])
SENDER = 1


def node_with(keys: Keys | None) -> Node:
    config = Config.lan(max_broadcast=1_000, max_datagram=1_400)
    node = Node("m0", address_of(0), config=config, now=0.0, entropy=bytes(32), unix_ms=UNIX_MS, keys=keys)
    node.adopt(formed_cluster_of(node, MEMBERS), now=0.0)
    drain(node)
    return node


def codec_of(keys: Keys | None) -> Codec:
    """The codec of the member that sends."""
    sealer = None
    if keys is not None:
        sealer = Sealer(KeyRing(keys, ""), ClusterClock(UNIX_MS, 0.0), counter=1, most_runs=10)
    return Codec(Hashes("", 4).label, sealer)


def spoiled(data: bytes) -> bytes:
    return data[:-1] + bytes((data[-1] ^ 1,))


def packed(codec: Codec, node: Node, what: str, number: int) -> bytes:
    """A datagram of that kind for the node."""
    target = parts_of(node).local.short_id
    how: dict[str, Any] = {"peer": target, "bound": what != "ping", "now": number * 1e-4}
    if what == "broadcast":
        news = encode_item(Broadcast("m2", EPOCH, number, b"x" * 64))
        return codec.pack(2, short_id(SENDER), NIL, (), (), [news], **how)
    message: Message = Ping(number, target, UNIX_MS) if what == "ping" else UserMessage(bytes(1_000))
    return codec.pack(2, short_id(SENDER), encode_item(message), **how)


WAYS: dict[str, tuple[Keys | None, Keys | None, Callable[[bytes], bytes] | None]] = {
    "plain": (None, None, None),
    "sealed": (KEY, KEY, None),
    "forged": (KEY, KEY, spoiled),
    "another key": (KEY, OTHER, None),
    "not sealed": (KEY, None, None),
}
"""Keys of the node, keys of the sender, and what is done to its datagrams on the way."""


@pytest.mark.parametrize("way", [*WAYS, "copies"])
@pytest.mark.parametrize("what", ["ping", "message", "broadcast"])
def test_a_datagram(benchmark: Any, what: str, way: str) -> None:
    own, theirs, harm = WAYS["sealed" if way == "copies" else way]
    node, codec, numbers = node_with(own), codec_of(theirs), count(1)
    first = packed(codec, node, what, next(numbers))
    node.feed_datagram(first, address_of(SENDER), now=0.0)
    drain(node)

    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        number = next(numbers)
        data = first if way == "copies" else packed(codec, node, what, number)
        return (data if harm is None else harm(data), number * 1e-4), {}

    def handle(data: bytes, now: float) -> None:
        node.feed_datagram(data, address_of(SENDER), now=now)
        drain(node)

    benchmark.extra_info["bytes"] = len(first)
    benchmark.pedantic(handle, setup=setup, rounds=4_000)
