"""How a node under `async with` begins and ends: nothing that the block raises is wrapped, nothing is left."""

# ruff: noqa: PT012, SIM117 - what whole blocks raise is the subject here
import signal
import socket

import anyio
import pytest
from anyio.lowlevel import checkpoint

from support.fake_node import GOODBYE, FakeConfig
from support.loops import DRIVERS, LOOPS, on_every_loop, run_clean
from support.plain_peer import peer, provoke, received
from support.waiting import HERE, SOON
from swim_anyio import open_node
from swim_core import BindError, ConfigError, NodeCrashed, NotRunning, PayloadTooLarge


@on_every_loop
async def test_a_normal_end_waits_for_the_goodbye() -> None:
    config = FakeConfig()
    with peer() as (address, sock):
        async with open_node(HERE, config=config) as node:
            config.node.goodbye_to = [address]
            port = node.local.address.port
        assert received(sock) == [GOODBYE]
    assert config.node.has_left
    assert config.node.ticks
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as again:
        again.bind(("127.0.0.1", port))  # the port is free


@pytest.mark.sockets
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_under_anyios_own_run(backend: str) -> None:
    config = FakeConfig()

    async def main() -> None:
        async with open_node(HERE, config=config), anyio.create_task_group():
            await checkpoint()

    anyio.run(main, backend=backend)
    assert config.node.has_left


@on_every_loop
async def test_leaving_twice_is_leaving_once() -> None:
    config = FakeConfig()
    with peer() as (address, sock):
        async with open_node(HERE, config=config) as node:
            config.node.goodbye_to = [address]
            await node.leave()
            await node.leave()
        assert received(sock) == [GOODBYE]
    with pytest.raises(NotRunning):
        await node.leave()


@on_every_loop
async def test_an_exception_leaves_the_block_as_itself_and_says_goodbye_without_waiting() -> None:
    config = FakeConfig()
    error = ValueError("the application's")
    with peer() as (address, sock):
        with pytest.raises(ValueError, match="the application's") as caught:
            async with open_node(HERE, config=config):
                config.node.goodbye_to = [address]
                raise error
        assert caught.value is error
        assert error.__cause__ is None
        assert received(sock) == [GOODBYE]
    assert not config.node.has_left


@on_every_loop
async def test_a_group_of_the_application_stays_the_group_it_is() -> None:
    group = ExceptionGroup("the application's", [ValueError("one"), KeyError("two")])
    with pytest.raises(ExceptionGroup) as caught:
        async with open_node(HERE, config=FakeConfig()):
            raise group
    assert caught.value is group

    seen: list[BaseException] = []
    try:
        async with open_node(HERE, config=FakeConfig()), anyio.create_task_group() as tasks:
            tasks.start_soon(_raise, ValueError("a task's"))
            await anyio.sleep_forever()
    except* ValueError as caught_group:
        seen.extend(caught_group.exceptions)
    assert [str(error) for error in seen] == ["a task's"]


@on_every_loop
async def test_generator_exits_pass() -> None:
    """These two exceptions have a meaning for context managers themselves."""
    for error in (StopIteration("mine"), StopAsyncIteration("mine")):
        with pytest.raises(type(error)) as caught:
            async with open_node(HERE, config=FakeConfig()):
                raise error
        assert caught.value is error


@on_every_loop
async def test_a_deadline_around_the_block_is_not_overrun_by_the_goodbye(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support.fake_node.GOODBYE_TAKES", 1000.0)  # otherwise a slow machine might reach its end
    config = FakeConfig()
    with peer() as (address, _), anyio.move_on_after(0.05) as scope:
        async with open_node(HERE, config=config):
            config.node.goodbye_to = [address]
            await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert not config.node.has_left
    assert config.node.left_at is not None


@on_every_loop
async def test_a_deadline_that_passes_while_leaving_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("support.fake_node.GOODBYE_TAKES", SOON)
    config = FakeConfig()
    with anyio.move_on_after(SOON) as scope:
        async with open_node(HERE, config=config):
            scope.cancel()
    assert scope.cancelled_caught
    assert config.node.left_at is not None
    assert not config.node.has_left


@on_every_loop
async def test_scopes_inside_the_block_are_the_applications_own() -> None:
    config = FakeConfig()
    async with open_node(HERE, config=config) as node:
        with anyio.move_on_after(0.01) as scope:
            await anyio.sleep_forever()
        assert scope.cancelled_caught
        with pytest.raises(TimeoutError), anyio.fail_after(0.01):
            await node.wait_for_members(2)
        await checkpoint()
    assert config.node.has_left


@on_every_loop
async def test_cancelled_before_it_opens_nothing_is_opened() -> None:
    config = FakeConfig()
    with anyio.CancelScope() as scope:
        scope.cancel()
        async with open_node(HERE, config=config):
            raise AssertionError("unreachable")
    assert not config.nodes


@on_every_loop
async def test_a_failing_node_cancels_the_block_and_is_the_cause_of_what_is_raised() -> None:
    config = FakeConfig()
    bug = ZeroDivisionError("a bug")
    ended = False
    with pytest.raises(NodeCrashed) as caught:
        async with open_node(HERE, config=config, name="broken") as node:
            config.node.raises["feed_datagram"] = bug
            provoke(node)
            try:
                await anyio.sleep_forever()
            finally:
                ended = True
                with pytest.raises(NodeCrashed):
                    node.broadcast(b"x")
    assert ended
    assert caught.value.__cause__ is bug
    assert "broken" in str(caught.value)
    await checkpoint()  # the cancellation was used up


@pytest.mark.parametrize("method", ["feed_tick", "poll_datagram", "poll_event", "poll_deadline"])
@on_every_loop
async def test_wherever_the_node_fails(method: str) -> None:
    config = FakeConfig()
    bug = ZeroDivisionError("a bug")

    def fail() -> None:
        raise bug

    with pytest.raises(NodeCrashed) as caught:
        async with open_node(HERE, config=config) as node:
            config.node.deadline = config.node.time()
            setattr(config.node, method, lambda **_: fail())
            provoke(node)
            await anyio.sleep_forever()
    assert caught.value.__cause__ is bug


@on_every_loop
async def test_a_failing_block_and_a_failing_node_the_blocks_exception_wins() -> None:
    config = FakeConfig()
    error = KeyError("the application's")
    with pytest.raises(KeyError) as caught:
        async with open_node(HERE, config=config) as node:
            config.node.raises["feed_datagram"] = ZeroDivisionError("a bug")
            provoke(node)
            try:
                await anyio.sleep_forever()
            finally:
                raise error
    assert caught.value is error


@on_every_loop
async def test_a_block_that_swallows_its_cancellation_still_learns_of_the_crash() -> None:
    config = FakeConfig()
    with pytest.raises(NodeCrashed):
        async with open_node(HERE, config=config) as node:
            config.node.raises["feed_datagram"] = ZeroDivisionError("a bug")
            provoke(node)
            with anyio.move_on_after(0.05, shield=True):
                await anyio.sleep_forever()


@on_every_loop
async def test_a_node_that_fails_while_leaving() -> None:
    config = FakeConfig()
    with pytest.raises(NodeCrashed):
        async with open_node(HERE, config=config):
            config.node.raises["feed_tick"] = ZeroDivisionError("a bug")


@on_every_loop
async def test_a_node_that_cannot_even_say_goodbye_is_closed_all_the_same() -> None:
    config = FakeConfig()
    with pytest.raises(ValueError, match="mine"):
        async with open_node(HERE, config=config):
            config.node.raises["leave"] = ZeroDivisionError("a bug")
            raise ValueError("mine")


@on_every_loop
async def test_nodes_nest_and_only_the_block_of_the_one_that_fails_is_cancelled() -> None:
    outer, inner = FakeConfig(), FakeConfig()
    async with open_node(HERE, config=outer, name="outer"):
        with pytest.raises(NodeCrashed, match="inner"):
            async with open_node(HERE, config=inner, name="inner") as node:
                inner.node.raises["feed_datagram"] = ZeroDivisionError("a bug")
                provoke(node)
                await anyio.sleep_forever()
        await checkpoint()
    assert outer.node.has_left

    outer, inner = FakeConfig(), FakeConfig()
    with pytest.raises(NodeCrashed, match="outer"):
        async with open_node(HERE, config=outer, name="outer") as node:
            async with open_node(HERE, config=inner, name="inner"):
                outer.node.raises["feed_datagram"] = ZeroDivisionError("a bug")
                provoke(node)
                await anyio.sleep_forever()
    assert inner.node.left_at is not None


@on_every_loop
async def test_a_task_group_around_and_inside() -> None:
    config = FakeConfig()

    async def serve(started: anyio.Event) -> None:
        async with open_node(HERE, config=config), anyio.create_task_group() as inner:
            inner.start_soon(anyio.sleep_forever)
            started.set()
            await anyio.sleep_forever()

    started = anyio.Event()
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(serve, started)
        await started.wait()
        tasks.cancel_scope.cancel()
    assert config.node.left_at is not None


@pytest.mark.sockets
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("loop", list(LOOPS))
def test_control_c(loop: str, driver: str) -> None:
    config = FakeConfig()

    async def main() -> None:
        async with open_node(HERE, config=config):
            config.node.goodbye_to = [address]
            signal.raise_signal(signal.SIGINT)
            await anyio.sleep_forever()

    with peer() as (address, sock):
        with pytest.raises(KeyboardInterrupt):
            run_clean(loop, main, driver)
        assert received(sock) == [GOODBYE]


@on_every_loop
async def test_entered_once_only() -> None:
    opening = open_node(HERE, config=FakeConfig())
    async with opening:
        pass
    with pytest.raises(RuntimeError, match="call open_node again"):
        await opening.__aenter__()


@on_every_loop
async def test_a_port_in_use_is_told_and_leaves_nothing() -> None:
    with peer() as (address, _), pytest.raises(BindError, match="port 0"):
        async with open_node(address, config=FakeConfig()):
            raise AssertionError("unreachable")


@on_every_loop
async def test_a_node_that_cannot_be_made_leaves_nothing() -> None:
    config = FakeConfig(raises={"create_node": PayloadTooLarge("metadata")})
    with pytest.raises(PayloadTooLarge):
        async with open_node(HERE, config=config):
            raise AssertionError("unreachable")


@on_every_loop
async def test_hosts_to_listen_on_and_to_advertise_may_be_names() -> None:
    async with open_node("localhost:0", advertise="localhost:4711", config=FakeConfig()) as node:
        assert node.local.address in (("127.0.0.1", 4711), ("::1", 4711))
    with pytest.raises(BindError, match=r"no\.such\.host"):
        async with open_node("no.such.host.invalid:0", config=FakeConfig()):
            raise AssertionError("unreachable")
    with pytest.raises(ConfigError, match="advertise"):
        async with open_node(HERE, advertise="no.such.host.invalid", config=FakeConfig()):
            raise AssertionError("unreachable")


async def _raise(error: Exception) -> None:
    await checkpoint()
    raise error
