"""Seeds by name: resolved in the background, again before each attempt, and tried again when they can't be."""

import threading

import anyio
import anyio.to_thread
import pytest

from support.fake_node import FakeConfig
from support.loops import on_every_loop
from support.names import Names
from support.waiting import HERE, SOON, until
from swim_anyio import open_node, opening
from swim_core import BindError, ConfigError, JoinAttempt
from swim_threads import resolver


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Replaces the system's resolver."""
    names = Names()
    monkeypatch.setattr("socket.getaddrinfo", names.getaddrinfo)
    return names


@on_every_loop
async def test_numeric_seeds_are_joined_at_once_and_nothing_is_resolved(names: Names) -> None:
    config = FakeConfig()
    async with open_node(HERE, config=config, join="127.0.0.1:7001, [::1]:7002, 127.0.0.2:7003"):
        assert config.node.joins == [[("127.0.0.1", 7001), ("127.0.0.2", 7003)]]  # IPv6 is out of reach
    assert not names.asked


@on_every_loop
async def test_a_name_is_joined_once_resolved(names: Names) -> None:
    config = FakeConfig()
    names.known = {"seed.example": ["127.0.0.2", "127.0.0.3", "127.0.0.2"]}
    async with open_node(HERE, config=config, join=["127.0.0.1:7001", "seed.example:7002"]):
        await until(lambda: len(config.node.joins) == 2)
        assert config.node.joins[0] == [("127.0.0.1", 7001)]
        assert config.node.joins[1] == [("127.0.0.1", 7001), ("127.0.0.2", 7002), ("127.0.0.3", 7002)]


@on_every_loop
async def test_the_end_does_not_wait_for_a_name(names: Names) -> None:
    config = FakeConfig()
    with anyio.fail_after(5):
        async with open_node(HERE, config=config, join=["never.example"]):
            await until(lambda: names.asked)


@on_every_loop
async def test_a_name_that_is_resolved_while_the_node_leaves(names: Names) -> None:
    config = FakeConfig()
    names.known = {"seed.example": ["127.0.0.2"]}
    names.hold = threading.Event()
    async with open_node(HERE, config=config, join=["seed.example"]) as node:
        await until(lambda: names.asked)
        await node.leave()
        names.hold.set()
        await anyio.sleep(0.01)
    assert config.node.joins == [[]]


@on_every_loop
async def test_another_list_replaces_the_first(names: Names) -> None:
    config = FakeConfig()
    names.known = {"one.example": ["127.0.0.2"], "two.example": ["127.0.0.3"]}
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


@on_every_loop
async def test_the_loops_own_threads_are_left_alone(names: Names) -> None:
    names.hold = threading.Event()
    async with open_node(HERE, config=FakeConfig(), join=[f"seed{number}" for number in range(100)]):
        await until(lambda: len(names.asked) == 3)
        with anyio.fail_after(SOON / 2):
            assert await anyio.to_thread.run_sync(int, "7") == 7
        looking = [thread for thread in threading.enumerate() if thread.name == "swim resolver"]
        assert len(looking) == 3
    assert not names.hold.is_set()
    names.hold.set()


@on_every_loop
async def test_an_attempt_looks_a_name_up_again(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "FRESH", -1.0)
    config = FakeConfig()
    names.known = {"seed.example": ["127.0.0.2"]}
    async with open_node(HERE, config=config, join="seed.example:1") as node:
        await until(lambda: len(config.node.joins) == 2)
        names.known = {"seed.example": ["127.0.0.9"]}
        config.node.events.append(JoinAttempt(()))
        node.broadcast(b"")
        await until(lambda: config.node.joins[-1] == [("127.0.0.9", 1), ("127.0.0.2", 1)])


@on_every_loop
async def test_when_all_is_well_names_are_looked_up_slowly(names: Names) -> None:
    config = FakeConfig(join_backoff_max=0.01)
    names.known = {"seed.example": ["127.0.0.2"]}
    async with open_node(HERE, config=config, join="seed.example:1"):
        await until(lambda: len(names.asked) > 3)
        names.known = {"seed.example": ["127.0.0.2", "127.0.0.9"]}
        await until(lambda: config.node.joins[-1] == [("127.0.0.2", 1), ("127.0.0.9", 1)])


@on_every_loop
async def test_names_to_listen_on_and_to_advertise(names: Names) -> None:
    names.known = {"here": ["127.0.0.1"], "outside": ["2001:db8::1", "192.0.2.9"]}
    async with open_node("here:0", advertise="outside:5", config=FakeConfig()) as node:
        assert node.local.address == ("192.0.2.9", 5)
    with pytest.raises(BindError, match="'nowhere', the host to listen on, does not resolve: Name or service"):
        async with open_node("nowhere:0", config=FakeConfig()):
            pass
    with pytest.raises(ConfigError, match="advertise: 'nowhere' does not resolve"):
        async with open_node(HERE, advertise="nowhere", config=FakeConfig()):
            pass


@on_every_loop
async def test_a_first_seed_that_is_slow_to_resolve_delays_a_wildcard_by_little(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "FIRST_LOOK_UP", 0.01)
    names.hold = threading.Event()
    async with open_node("0.0.0.0:0", join="slow:9", config=FakeConfig()) as node:
        assert not names.hold.is_set()
        assert node.local.address.host != "0.0.0.0"
    names.hold.set()
