"""Subscriptions of a node on an event loop: each is a bounded queue of its own, from the moment of the call."""

import anyio
import pytest
from anyio.lowlevel import checkpoint

from support.fake_node import FakeConfig, FakeNode
from support.loops import on_every_loop
from support.plain_peer import provoke
from support.waiting import HERE, SOON
from swim_anyio import AsyncNode, Subscription, open_node
from swim_core import Address, Event, EventsLost, Member, MemberJoined, MemberLeft, NodeCrashed, NotRunning, Reconnected


def member(name: str) -> Member:
    return Member(name, Address("127.0.0.1", 4711))


def tell(node: AsyncNode, fake: FakeNode, *names: str) -> None:
    """Have the node tell that members have joined."""
    for name in names:
        fake.others.append(member(name))
        fake.events.append(MemberJoined(member(name)))
    node.broadcast(b"")  # any command delivers what is waiting


def names(events: list[Event]) -> list[str]:
    return [event.member.name if isinstance(event, MemberJoined) else str(event) for event in events]


async def read(subscription: Subscription, count: int) -> list[Event]:
    with anyio.fail_after(SOON):
        return [await subscription.get() for _ in range(count)]


@on_every_loop
async def test_it_starts_at_the_call_and_yields_in_order() -> None:
    config = FakeConfig()
    async with open_node(HERE, config=config) as node:
        tell(node, config.node, "before")
        subscription = node.subscribe()
        tell(node, config.node, "a", "b")
        with subscription as events:
            assert names(await read(events, 2)) == ["a", "b"]


@on_every_loop
async def test_iterating_waits_for_events_and_ends_with_the_node() -> None:
    config = FakeConfig()
    seen: list[Event] = []

    async def follow(events: Subscription) -> None:
        async for event in events:
            seen.append(event)

    async with anyio.create_task_group() as tasks, open_node(HERE, config=config) as node:
        tasks.start_soon(follow, node.subscribe())
        for name in ("a", "b", "c"):
            await checkpoint()
            tell(node, config.node, name)
        config.node.events.append(Reconnected())
    assert names(seen) == ["a", "b", "c", "reconnected"]


@on_every_loop
async def test_each_has_its_own_queue() -> None:
    config = FakeConfig()
    async with open_node(HERE, config=config) as node:
        with node.subscribe() as one, node.subscribe() as two:
            tell(node, config.node, "a")
            assert names(await read(one, 1)) == names(await read(two, 1)) == ["a"]


@on_every_loop
async def test_who_falls_behind_is_told_how_far() -> None:
    config = FakeConfig(event_buffer=3)
    async with open_node(HERE, config=config) as node:
        with node.subscribe() as slow, node.subscribe() as quick:
            for number in range(5):
                tell(node, config.node, str(number))
                assert names(await read(quick, 1)) == [str(number)]
            assert names(await read(slow, 4)) == [str(EventsLost(2)), "2", "3", "4"]


@on_every_loop
async def test_the_current_members_come_first_none_missed_or_doubled() -> None:
    config = FakeConfig(event_buffer=2)
    async with open_node(HERE, config=config, name="self") as node:
        tell(node, config.node, "a", "b", "c", "d")
        with node.subscribe(current=True) as events:
            tell(node, config.node, "e")
            assert names(await read(events, 5)) == ["a", "b", "c", "d", "e"]


@on_every_loop
async def test_a_cancelled_reader_loses_nothing() -> None:
    config = FakeConfig()
    async with open_node(HERE, config=config) as node:
        with node.subscribe() as events:
            with anyio.move_on_after(0.01):
                await events.get()
            tell(node, config.node, "a")
            with anyio.CancelScope() as scope:
                scope.cancel()
                await events.get()
            assert scope.cancelled_caught
            assert names(await read(events, 1)) == ["a"]


@on_every_loop
async def test_a_reader_gives_way_once_for_every_event() -> None:
    config = FakeConfig()
    order: list[str] = []

    async def count(until: int) -> None:
        for _ in range(until):
            order.append("other")
            await checkpoint()

    async with open_node(HERE, config=config) as node, anyio.create_task_group() as tasks:
        with node.subscribe() as events:
            tell(node, config.node, *"abcdef")
            tasks.start_soon(count, 12)
            for _ in range(6):
                await read(events, 1)
                order.append("event")
    between = "".join(what[0] for what in order).strip("o")
    assert between.count("e") == 6
    assert 4 <= between.count("o") <= 6  # five rounds, in each of which trio chooses which task is first


@on_every_loop
async def test_readers_of_one_subscription_share_it() -> None:
    config = FakeConfig()
    got: list[Event] = []

    async def reader(events: Subscription) -> None:
        got.append(await events.get())

    async with open_node(HERE, config=config) as node:
        with node.subscribe() as events:
            with anyio.fail_after(SOON):
                async with anyio.create_task_group() as tasks:
                    for _ in range(3):
                        tasks.start_soon(reader, events)
                    await anyio.sleep(0.01)
                    tell(node, config.node, "a", "b", "c")
            assert sorted(names(got)) == ["a", "b", "c"]


@on_every_loop
async def test_a_closed_one_gives_what_it_held_and_ends() -> None:
    config = FakeConfig()
    async with open_node(HERE, config=config) as node:
        with node.subscribe() as events:
            tell(node, config.node, "a")
        tell(node, config.node, "b")
        assert [event async for event in events] == [MemberJoined(member("a"))]
        with pytest.raises(NotRunning):
            await events.get()
        events.close()


@on_every_loop
async def test_closing_wakes_who_waits() -> None:
    async def reader(events: Subscription) -> None:
        async for _ in events:
            raise AssertionError("no event")

    async with open_node(HERE, config=FakeConfig()) as node:
        with anyio.fail_after(SOON):
            async with anyio.create_task_group() as tasks:
                with node.subscribe() as events:
                    tasks.start_soon(reader, events)
                    await anyio.sleep(0.01)


@on_every_loop
async def test_one_of_a_node_that_failed_raises_after_what_it_held() -> None:
    config = FakeConfig()
    bug = ZeroDivisionError("a bug")
    with pytest.raises(NodeCrashed):  # noqa: PT012
        async with open_node(HERE, config=config) as node:
            events = node.subscribe()
            tell(node, config.node, "a")
            config.node.raises["feed_datagram"] = bug
            provoke(node)
            await anyio.sleep_forever()
    assert names(await read(events, 1)) == ["a"]
    with pytest.raises(NodeCrashed) as caught:
        await events.get()
    assert caught.value.__cause__ is bug
    with pytest.raises(NodeCrashed):
        await anext(events)


@on_every_loop
async def test_waiting_for_members() -> None:
    config = FakeConfig()
    reached: list[int] = []

    async def wait(node: AsyncNode, count: int) -> None:
        await node.wait_for_members(count)
        reached.append(count)

    async with open_node(HERE, config=config) as node:
        await node.wait_for_members(1)
        async with anyio.create_task_group() as tasks:
            for count in (2, 4):
                tasks.start_soon(wait, node, count)
            await anyio.sleep(0.01)
            tell(node, config.node, "a")
            await anyio.sleep(0.01)
            assert reached == [2]
            tell(node, config.node, "b", "c")
    assert reached == [2, 4]


@on_every_loop
async def test_a_member_that_was_there_for_a_moment_only_was_there() -> None:
    config = FakeConfig()
    found: list[Member] = []

    async def wait(node: AsyncNode) -> None:
        found.extend(await node.wait_for_members(2))

    async with open_node(HERE, config=config) as node:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait, node)
            await anyio.sleep(0.01)
            config.node.events += [MemberJoined(member("a")), MemberLeft(member("a"))]
            node.broadcast(b"")
        assert sorted(each.name for each in found) == sorted([node.local.name, "a"])


@on_every_loop
async def test_waiting_for_members_ends_with_the_node() -> None:
    failures: list[Exception] = []

    async def wait(node: AsyncNode) -> None:
        try:
            await node.wait_for_members(2)
        except NotRunning as error:
            failures.append(error)

    async with anyio.create_task_group() as tasks, open_node(HERE, config=FakeConfig()) as node:
        tasks.start_soon(wait, node)
        await anyio.sleep(0.01)
    assert len(failures) == 1
