"""Listeners of a node on an event loop: functions, async or not, that get every event from the first one on."""

import asyncio
import logging

import anyio
import pytest
from anyio.lowlevel import checkpoint

from support.fake_node import FakeConfig, FakeNode
from support.loops import on_every_loop
from support.waiting import HERE, SOON, all_logged, until
from swim_anyio import AsyncNode, open_node
from swim_core import (
    Address,
    BroadcastReceived,
    ConfigError,
    Event,
    Member,
    MemberDied,
    MemberJoined,
    NodeCrashed,
    Origin,
    State,
    on_broadcast,
    on_status,
)

FRIEND = Member("friend", Address("127.0.0.1", 4711))
SEED = [("127.0.0.1", 4711)]
HELLO = BroadcastReceived(Origin("friend", 0, None), 1, b"hello")


class Busy(FakeConfig):
    """Makes a node that has an event from the very start, which it raises once it joins."""

    def create_node(self, *args: object, **keywords: object) -> FakeNode:
        node = super().create_node(*args, **keywords)  # type: ignore[arg-type]
        node.events += [MemberJoined(FRIEND), HELLO]
        node.others.append(FRIEND)
        return node


def tell(node: AsyncNode, fake: FakeNode, *events: Event) -> None:
    fake.events.extend(events)
    node.broadcast(b"")  # any command delivers what is waiting


@on_every_loop
async def test_those_given_to_open_node_miss_nothing() -> None:
    config = Busy()
    states: list[tuple[str, State]] = []
    told: list[bytes] = []

    async def keep(broadcast: BroadcastReceived) -> None:
        await checkpoint()
        told.append(broadcast.payload)

    status = on_status(lambda member, state: states.append((member.name, state)))
    async with open_node(HERE, join=SEED, config=config, listeners=[status, on_broadcast(keep)]) as node:
        tell(node, config.node, MemberDied(FRIEND))
        await until(lambda: told and len(states) == 2)
    assert states == [("friend", State.ALIVE), ("friend", State.DEAD)]
    assert told == [b"hello"]


@on_every_loop
async def test_those_added_later_may_begin_with_who_is_there() -> None:
    config = Busy()
    states: list[State] = []
    async with open_node(HERE, join=SEED, config=config) as node:
        node.add_status_listener(lambda member, state: states.append(state), current=True)
        told: list[BroadcastReceived] = []
        handle = node.add_broadcast_listener(told.append)
        tell(node, config.node, MemberDied(FRIEND), HELLO)
        await until(lambda: told and State.DEAD in states)
        handle.remove()
        handle.remove()
        every: list[Event] = []
        node.add_listener(every.append)
        tell(node, config.node, HELLO)
        await until(lambda: every)
        assert (states, told, every) == ([State.ALIVE, State.DEAD], [HELLO], [HELLO])


@on_every_loop
async def test_they_may_use_the_node_and_what_they_raise_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    config = FakeConfig()
    answered = anyio.Event()

    async def ping_back(member: Member, state: State) -> None:
        if state is State.ALIVE:
            node.broadcast(b"welcome")
            node.add_status_listener(answer)
            raise RuntimeError("as told")

    def answer(member: Member, state: State) -> None:
        answered.set()

    with caplog.at_level(logging.ERROR, "swim_anyio"):
        async with open_node(HERE, config=config, listeners=[on_status(ping_back)]) as node:
            tell(node, config.node, MemberJoined(FRIEND))
            await until(lambda: "a listener raised an exception on MemberJoined" in caplog.text)
            tell(node, config.node, MemberDied(FRIEND))
            await until(answered.is_set)
    all_logged()
    assert "as told" in caplog.text


@on_every_loop
async def test_one_that_still_runs_at_the_end_is_cancelled() -> None:
    config = FakeConfig()
    began, ended = anyio.Event(), anyio.Event()

    async def linger(event: Event) -> None:
        began.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    async with open_node(HERE, config=config, listeners=[linger]) as node:
        tell(node, config.node, MemberJoined(FRIEND))
        await until(began.is_set)
        assert not ended.is_set()
    assert ended.is_set()


def test_what_cant_be_called_is_refused() -> None:
    with pytest.raises(ConfigError, match="listeners"):
        open_node(HERE, listeners=["no function"])  # type: ignore[list-item]


class Odd(BaseException):
    """Not an `Exception`."""


ODD = [Odd("mine"), SystemExit("mine"), GeneratorExit("mine"), asyncio.CancelledError("mine")]


@pytest.mark.parametrize("error", ODD, ids=lambda error: type(error).__name__)
@on_every_loop
async def test_whatever_a_listener_raises_it_gets_the_next_event(error: BaseException) -> None:
    heard: list[Event] = []

    def raises(event: Event) -> None:
        heard.append(event)
        raise error

    config = FakeConfig()
    async with open_node(HERE, config=config) as node:
        node.add_listener(raises)
        tell(node, config.node, HELLO, MemberJoined(FRIEND))
        await until(lambda: len(heard) == 2)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), GeneratorExit()], ids=repr)
@on_every_loop
async def test_what_only_ends_tasks_and_loops_is_told_as_a_failure_unless_the_loop_ends(error: BaseException) -> None:
    if isinstance(error, KeyboardInterrupt) and anyio.get_cancelled_exc_class() is asyncio.CancelledError:
        return  # which ends, and raises it

    async def raises(event: Event) -> None:
        raise error

    config = FakeConfig()
    with pytest.raises(NodeCrashed) as caught:  # noqa: PT012 - the end of the block is what matters
        async with open_node(HERE, config=config) as node:
            node.add_listener(raises)
            tell(node, config.node, HELLO)
            await anyio.sleep(SOON)
    assert caught.value.__cause__ is error
