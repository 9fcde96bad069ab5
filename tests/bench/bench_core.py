"""What the core costs: `python -m pytest -n0 tests/bench/bench_core.py` prints medians; figures in docs/performance.md.

Hot figures: the same code ran a moment ago. A node on a quiet cluster acts some three times a second, with cold caches:
for what that costs see `bench_cold.py`.
"""

import gc
import tracemalloc
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import count
from typing import Any, NamedTuple

import msgspec
import pytest
from msgspec import Raw
from msgspec.structs import replace

from support.inside import parts_of
from swim_core import Address, Config, Member, Node
from swim_core.address import pack as pack_address
from swim_core.member import Rule, State
from swim_core.native.table.formed_cluster import FormedCluster
from swim_core.native.wire.claim import Claim, Verdict
from swim_core.native.wire.datagram import NIL, Codec, encode_item
from swim_core.native.wire.hashing import Hashes
from swim_core.native.wire.messages import Ack, Broadcast, Message, Ping
from swim_core.simulation import Simulation

UNIX_MS = 1_700_000_000_000
EPOCH = UNIX_MS << 16
HASHES = Hashes("", 4)
MEMBERS = 128


def address_of(number: int) -> Address:
    return Address(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}", 7946)


def short_id(number: int) -> int:
    return HASHES.short_id(f"m{number}", EPOCH)


def member(number: int) -> Member:
    return Member(f"m{number}", address_of(number), epoch=EPOCH)


def claim(number: int, incarnation: int = 0) -> Claim:
    return Claim(f"m{number}", EPOCH, pack_address(address_of(number)), incarnation, State.ALIVE, b"", None)


def node_knowing(members: int, **overrides: Any) -> Node:
    """Node number 0, with members 1 to ``members``, its outputs drained."""
    config = Config.lan(max_members=20_000, max_new_members_per_second=1_000_000, **overrides)
    node = Node("m0", address_of(0), config=config, now=0.0, entropy=bytes(32), unix_ms=UNIX_MS)
    node.adopt(formed_cluster_of(node, members), now=0.0)
    drain(node)
    return node


def formed_cluster_of(node: Node, members: int) -> FormedCluster:
    """The node itself and members 1 to ``members``."""
    return node.formed_cluster([node.local, *(member(number) for number in range(1, members + 1))])


def drain(node: Node) -> list[tuple[bytes, Address]]:
    """What an adapter does after every input."""
    sent: list[tuple[bytes, Address]] = []
    while (datagram := node.poll_datagram()) is not None:
        sent.append(datagram)
    while node.poll_event() is not None:
        pass
    node.poll_deadline()
    return sent


def datagram(sender: int, message: Message | None = None, **items: Iterable[Claim | Broadcast]) -> bytes:
    lists = {kind: [encode_item(item) for item in values] for kind, values in items.items()}
    encoded: Raw = NIL if message is None else encode_item(message)
    return Codec(HASHES.label).pack(2, short_id(sender), encoded, **lists)  # type: ignore[arg-type]


class Step(NamedTuple):
    """Something that a node does all the time: ``call`` is timed, with the arguments that ``setup`` makes."""

    setup: Callable[[], tuple[tuple[Any, ...], dict[str, Any]]]
    call: Callable[..., None]


def ping_step(node: Node) -> Step:
    """A ping of another member arrives, a little later each time; the ack goes out."""
    target = parts_of(node).local.short_id
    clock = count(1)

    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        number = next(clock)
        sender = 1 + number % 16
        return (datagram(sender, Ping(number, target, UNIX_MS)), address_of(sender), number * 1e-4), {}

    return Step(setup, partial(feed, node))


def ack_step(node: Node) -> Step:
    """The node's own ping goes out and is acked; only the ack is timed."""
    digest = parts_of(node).table.view_digest.value
    clock = count(1)

    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        number = next(clock)
        peer = 1 + number % 16
        entry = parts_of(node).table.get(f"m{peer}")
        assert entry is not None
        parts_of(node).prober.probe(entry, number * 1e-4)
        drain(node)
        seq = next(reversed(parts_of(node).pings._sent))
        return (datagram(peer, Ack(seq, digest)), entry.address, number * 1e-4 + 5e-5), {}

    return Step(setup, partial(feed, node))


def turn_step(node: Node) -> Step:
    """A tick that takes this node's turn: one ping out, the next turn planned."""

    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        parts_of(node).prober.drop()
        parts_of(node).pings.drop()
        while (deadline := node.poll_deadline()) is None or deadline < parts_of(node).prober._taken:
            node.feed_tick(now=deadline or 0.0)
        parts_of(node).health.hear(deadline)
        return (deadline,), {}

    def tick(now: float) -> None:
        node.feed_tick(now=now)
        drain(node)

    return Step(setup, tick)


def meet_step(node: Node) -> Step:
    """The ping of the partner in this round arrives: the ack goes out, and the next turn is planned."""
    prober, target = parts_of(node).prober, parts_of(node).local.short_id

    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        while (partner := prober.awaited) is None:
            now = node.poll_deadline() or 0.0
            node.feed_tick(now=now)
            parts_of(node).health.hear(now)
            prober.drop()
            parts_of(node).pings.drop()
            drain(node)
        now = max(prober._opens, parts_of(node).health.seen) + 1e-4
        parts_of(node).health.hear(now)
        parts_of(node).watches.stop()  # of partners that didn't answer a turn: their looks, overdue, would be a pause
        return (datagram(int(partner.name[1:]), Ping(1, target, UNIX_MS)), partner.address, now), {}

    return Step(setup, partial(feed, node))


STEPS: dict[str, Callable[[Node], Step]] = {
    "ping": ping_step,
    "ack": ack_step,
    "turn": turn_step,
    "meet": meet_step,
}


def feed(node: Node, data: bytes, source: Address, now: float) -> None:
    node.feed_datagram(data, source, now=now)
    drain(node)


@pytest.mark.parametrize("step", STEPS)
def test_a_steady(benchmark: Any, step: str) -> None:
    setup, call = STEPS[step](node_knowing(MEMBERS))
    benchmark.pedantic(call, setup=setup, rounds=5_000)


@pytest.mark.parametrize("members", [16, 1_000, 10_000])
@pytest.mark.parametrize("step", STEPS)
def test_a_step_at_any_size(benchmark: Any, step: str, members: int) -> None:
    setup, call = STEPS[step](node_knowing(members))
    benchmark.pedantic(call, setup=setup, rounds=3_000)


@pytest.mark.parametrize("members", [MEMBERS, 10_000])
def test_gossip_of_8_new_claims(benchmark: Any, members: int) -> None:
    node = node_knowing(members)
    rising = count(1)

    def inputs() -> Iterator[tuple[bytes, Address]]:
        for incarnation in rising:
            news = [claim(2 + (8 * incarnation + n) % (members - 2), incarnation) for n in range(8)]
            yield datagram(1, claims=news), address_of(1)

    prepared = inputs()
    clock = count(1)

    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        parts_of(node).queue.clear()
        return (*next(prepared), next(clock) * 0.1), {}

    def feed(data: bytes, source: Address, now: float) -> None:
        node.feed_datagram(data, source, now=now)

    benchmark.pedantic(feed, setup=setup, rounds=3_000)


def test_a_flood_of_one_broadcast(benchmark: Any) -> None:
    """A broadcast arrives, is delivered, and is pushed to the successors on 4 rings."""
    node = node_knowing(MEMBERS)
    numbers = count(1)

    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        number = next(numbers)
        news = Broadcast("m2", EPOCH, number, b"x" * 64)
        return (datagram(1, broadcasts=[news]), address_of(1), number * 0.1), {}

    def feed(data: bytes, source: Address, now: float) -> None:
        node.feed_datagram(data, source, now=now)
        drain(node)

    benchmark.pedantic(feed, setup=setup, rounds=3_000)


def test_merging_10_000_claims(benchmark: Any) -> None:
    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        return (node_knowing(1), [claim(number) for number in range(2, 10_002)]), {}

    def merge(node: Node, claims: list[Claim]) -> None:
        for item in claims:
            parts_of(node).table.merge(item, 1.0)

    benchmark.pedantic(merge, setup=setup, rounds=5)


def test_memory_of_10_000_members() -> None:
    """Prints how many MB more than an empty node it takes, by the allocator; the claims came in datagrams."""
    encoded = [bytes(encode_item(claim(number))) for number in range(1, 10_001)]
    read = msgspec.msgpack.Decoder(Claim).decode
    node = node_knowing(0)
    gc.collect()
    tracemalloc.start()
    for data in encoded:
        parts_of(node).table.merge(read(data), 1.0)
    gc.collect()
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    print(f"\n10,000 known members: {size / 1e6:.1f} MB over an empty node")
    assert len(node.members()) == 10_001


@pytest.mark.parametrize("kept", [True, False], ids=["journal", "no journal"])
def test_a_death_and_a_recovery(benchmark: Any, kept: bool) -> None:
    """Another member tells of the death, the member itself that it lives. The two ids differ by what history costs."""
    node = node_knowing(MEMBERS)
    if not kept:
        parts_of(node).journal.take = lambda event, now, cluster_ms: None  # type: ignore[method-assign]
    rising = count(1)

    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        number = next(rising)
        who = 2 + number % (MEMBERS - 2)
        verdict = Verdict(short_id(1), Rule.GONE, UNIX_MS + 100 * number)
        alive = claim(who, number)
        dead = replace(alive, incarnation=number - 1, state=State.DEAD, metadata=None, verdict=verdict)
        parts_of(node).queue.clear()
        return (datagram(1, claims=[dead]), datagram(who, claims=[alive]), address_of(who), number * 0.1), {}

    def feed_both(dead: bytes, alive: bytes, source: Address, now: float) -> None:
        feed(node, dead, address_of(1), now)
        feed(node, alive, source, now + 0.05)

    benchmark.pedantic(feed_both, setup=setup, rounds=3_000)
    assert len(list(parts_of(node).journal.since(0, 0.0))) == 768 * kept


def test_simulated_datagrams_per_second(benchmark: Any) -> None:
    """A formed cluster of 1,000 for 5 s of virtual time; the extra info says how many datagrams."""

    def setup() -> tuple[tuple[Any, ...], dict[str, Any]]:
        simulation = Simulation(seed=1)
        simulation.start_formed(1_000)
        simulation.run_for(2.0)
        return (simulation,), {}

    def run(simulation: Simulation) -> None:
        before = simulation.network.traffic.sent
        simulation.run_for(5.0)
        benchmark.extra_info["datagrams"] = simulation.network.traffic.sent - before

    benchmark.pedantic(run, setup=setup, rounds=1)
