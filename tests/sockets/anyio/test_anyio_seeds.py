"""Seeds by name: resolved in the background, again before each attempt, and tried again when they can't be."""

import logging
import math
import socket
from itertools import pairwise

import anyio
import pytest
import trio
from trio.testing import MockClock

from support.fake_node import FakeConfig
from support.loops import on_every_loop
from support.waiting import HERE, until
from swim_anyio import open_node
from swim_core import ConfigError, JoinAttempt


class Resolver:
    """In place of the system's: answers from ``table``, and keeps what it was asked."""

    def __init__(self) -> None:
        self.table: dict[str, list[str]] = {}
        self.asked: list[str] = []

    async def getaddrinfo(self, host: str, port: int, *, family: int, type: int) -> list[object]:
        self.asked.append(host)
        await anyio.sleep(0.001)
        if host not in self.table:
            raise socket.gaierror(socket.EAI_NONAME, "not known")
        return [(family, type, 0, "", (address, port)) for address in self.table[host]]


@pytest.fixture
def resolver(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """Replaces the system's resolver."""
    resolver = Resolver()
    monkeypatch.setattr(anyio, "getaddrinfo", resolver.getaddrinfo)
    return resolver


@on_every_loop
async def test_numeric_seeds_are_joined_at_once_and_nothing_is_resolved(resolver: Resolver) -> None:
    config = FakeConfig()
    async with open_node(HERE, config=config, join="127.0.0.1:7001, [::1]:7002, 127.0.0.2:7003"):
        assert config.node.joins == [[("127.0.0.1", 7001), ("127.0.0.2", 7003)]]  # IPv6 is out of reach
    assert not resolver.asked


@on_every_loop
async def test_a_name_is_joined_once_resolved(resolver: Resolver) -> None:
    config = FakeConfig()
    resolver.table = {"seed.example": ["127.0.0.2", "127.0.0.3", "127.0.0.2"]}
    async with open_node(HERE, config=config, join=["127.0.0.1:7001", "seed.example:7002"]):
        assert config.node.joins == [[("127.0.0.1", 7001)]]
        await until(lambda: len(config.node.joins) == 2)
        assert config.node.joins[1] == [("127.0.0.1", 7001), ("127.0.0.2", 7002), ("127.0.0.3", 7002)]


@on_every_loop
async def test_the_end_does_not_wait_for_a_name(resolver: Resolver) -> None:
    config = FakeConfig()
    with anyio.fail_after(5):
        async with open_node(HERE, config=config, join=["never.example"]):
            await until(lambda: resolver.asked)


@on_every_loop
async def test_a_name_that_is_resolved_while_the_node_leaves(resolver: Resolver) -> None:
    config = FakeConfig()
    resolver.table = {"seed.example": ["127.0.0.2"]}
    async with open_node(HERE, config=config, join=["seed.example"]) as node:
        await node.leave()
    assert config.node.joins == [[]]


@on_every_loop
async def test_another_list_replaces_the_first(resolver: Resolver) -> None:
    config = FakeConfig()
    resolver.table = {"one.example": ["127.0.0.2"], "two.example": ["127.0.0.3"]}
    async with open_node(HERE, config=config, join="one.example:1") as node:
        node.join([("two.example", 2)])
        await until(lambda: config.node.joins and config.node.joins[-1] == [("127.0.0.3", 2)])
        node.join([])
        assert config.node.joins[-1] == []
        await anyio.sleep(0.01)
        assert config.node.joins[-1] == []
        with pytest.raises(ConfigError, match="join"):
            node.join(["seed.example:port"])


@on_every_loop
async def test_something_that_is_no_host_name(caplog: pytest.LogCaptureFixture) -> None:
    config = FakeConfig()
    async with open_node(HERE, config=config, join=[("." * 70, 1)]):
        await until(lambda: "does not resolve" in caplog.text)


@on_every_loop
async def test_the_systems_resolver() -> None:
    config = FakeConfig()
    async with open_node(HERE, config=config, join="localhost:7001"):
        await until(lambda: config.node.joins[-1] == [("127.0.0.1", 7001)])


@pytest.mark.sockets
def test_an_attempt_resolves_again_unless_that_was_just_done(resolver: Resolver) -> None:
    config = FakeConfig()
    resolver.table = {"seed.example": ["127.0.0.2"]}

    async def main() -> None:
        async with open_node(HERE, config=config, join="seed.example:1") as node:
            await trio.sleep(0.1)
            config.node.events.append(JoinAttempt(()))  # caused by the join itself
            node.broadcast(b"")
            await trio.sleep(0.1)
            assert resolver.asked == ["seed.example"]

            await trio.sleep(10)
            resolver.table = {"seed.example": ["127.0.0.9"]}
            config.node.events.append(JoinAttempt(()))
            node.broadcast(b"")
            await trio.sleep(0.1)
            assert resolver.asked == ["seed.example"] * 2
            assert config.node.joins == [[], [("127.0.0.2", 1)], [("127.0.0.9", 1)]]

            await trio.sleep(10)
            resolver.table = {}
            config.node.events.append(JoinAttempt(()))
            node.broadcast(b"")
            await trio.sleep(0.1)
            assert config.node.joins[-1] == [("127.0.0.9", 1)]  # DNS being down is no reason to forget

    trio.run(main, clock=MockClock(autojump_threshold=0))


@pytest.mark.sockets
def test_a_name_that_can_not_be_resolved_is_tried_again_ever_more_rarely(
    resolver: Resolver, caplog: pytest.LogCaptureFixture
) -> None:
    config = FakeConfig()
    times: list[float] = []

    async def main() -> None:
        start = trio.current_time()
        async with open_node(HERE, config=config, join="seed.example:1"):
            while len(times) < 10:
                asked = len(resolver.asked)
                while len(resolver.asked) == asked:
                    await trio.sleep(0.01)
                times.append(trio.current_time() - start)
            resolver.table = {"seed.example": ["127.0.0.2"]}
            await trio.sleep(61)
            assert config.node.joins[-1] == [("127.0.0.2", 1)]

    with caplog.at_level(logging.WARNING, "swim_anyio"):
        trio.run(main, clock=MockClock(autojump_threshold=0))
    gaps = [later - sooner for sooner, later in pairwise(times)]
    assert [round(gap) for gap in gaps] == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert math.isclose(times[0], 0, abs_tol=0.1)
    assert "the seed 'seed.example' does not resolve" in caplog.text
