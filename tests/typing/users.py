"""What the type checkers of users see: mypy checks this file with the rest, and nothing runs it.

`assert_type` pins what a call gives; a line with an ignored error is one that must stay an error, since mypy complains
about ignores that are not needed.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import assert_type

import swim_anyio
import swim_threads
from swim_core import (
    Address,
    BroadcastReceived,
    Config,
    Contact,
    Event,
    EventsLost,
    Evidence,
    Member,
    MemberDied,
    MemberJoined,
    Node,
    ProtocolConfig,
    ProtocolNode,
    State,
    Statistics,
    on_broadcast,
    on_status,
)
from swim_core.placement import Move, Placement, moved
from swim_core.simulation import Simulation
from swim_core.smudge import SmudgeConfig, SmudgeNode


def threads() -> None:
    with swim_threads.open_node("127.0.0.1:0", name="ann", join=["127.0.0.1:7946", ("b", 1)]) as node:
        assert_type(node, swim_threads.ThreadNode)
        assert_type(node.local, Member)
        assert_type(node.members(), tuple[Member, ...])
        assert_type(node.member("bob"), Member | None)
        assert_type(node.statistics(), Statistics)
        assert_type(node.explain("bob"), Evidence | None)
        assert_type(node.contact("bob"), Contact | None)
        assert_type(node.ping("bob"), float | None)
        assert_type(node.broadcast(b"hello"), int)
        assert_type(node.wait_for_members(2, timeout=10), tuple[Member, ...])
        node.broadcast("hello")  # type: ignore[arg-type]  # bytes, not text
        node.members(True)  # type: ignore[call-arg]  # by keyword only
        node.add_status_listener(lambda member, state: print(member.name, state.live))
        with node.subscribe(current=True) as events:
            for event in events:
                told(event)


async def loops() -> None:
    async with swim_anyio.open_node("127.0.0.1:0", driver="thread", metadata={"role": "cache"}) as node:
        assert_type(node, swim_anyio.AsyncNode)
        assert_type(node.members(gone=True), tuple[Member, ...])
        assert_type(node.broadcast(b"hello"), int)
        assert_type(await node.ping("bob"), float | None)
        assert_type(await node.wait_for_members(2), tuple[Member, ...])
        seconds: float | None = node.ping("bob")  # type: ignore[assignment]  # it has to be awaited
        print(seconds)
        with node.subscribe() as events:
            async for event in events:
                told(event)
    swim_anyio.open_node(driver="process")  # type: ignore[arg-type]  # no such driver


def told(event: Event) -> str:
    """A `match` narrows an event to its class."""
    match event:
        case MemberJoined(member=member):
            assert_type(member, Member)
            assert_type(member.metadata, Mapping[str, str])
            return member.name
        case MemberDied(member=member, evidence=evidence):
            assert_type(evidence, Evidence | None)
            return member.name
        case BroadcastReceived(origin=origin, number=number, payload=payload):
            assert_type(origin.address, Address | None)
            assert_type(number, int)
            assert_type(payload, bytes)
            return origin.name
        case EventsLost(count=count):
            assert_type(count, int)
            return ""
        case _:
            return ""


def settings() -> None:
    config = Config.lan(probe_interval=timedelta(seconds=0.5), cluster="shop")
    assert_type(config, Config)
    assert_type(config.probe_interval, float)
    Config.lan(probe_intervall=1.0)  # type: ignore[call-arg]  # a slip is an error before the program runs
    config.probe_interval = 1.0  # type: ignore[misc]  # a configuration is immutable
    whichever: tuple[ProtocolConfig, ...] = (config, SmudgeConfig())
    print(whichever)


def embedded(node: Node, other: SmudgeNode) -> None:
    either: tuple[ProtocolNode, ...] = (node, other)
    for each in either:
        assert_type(each.poll_deadline(), float | None)
        while (datagram := each.poll_datagram()) is not None:
            assert_type(datagram.payload, bytes)
            assert_type(datagram.destination, Address)
    node.feed_tick()  # type: ignore[call-arg]  # time comes from outside, always


def owned(members: tuple[Member, ...]) -> None:
    placement = Placement(members, where={"role": "cache"})
    assert_type(placement.owner("user:42"), Member)
    assert_type(moved(placement, placement, ["a"]), tuple[Move[str], ...])
    assert_type(moved(placement, placement, [b"a"]), tuple[Move[bytes], ...])


def simulated() -> None:
    with Simulation(seed=1) as simulation:
        simulation.start_formed(3)
        assert_type(simulation.process("node-0").node, ProtocolNode)
        assert_type(simulation.run_until(simulation.agreed), float)


def listened() -> None:
    on_status(lambda member, state: assert_type(state, State))
    on_broadcast(lambda broadcast: assert_type(broadcast, BroadcastReceived))
