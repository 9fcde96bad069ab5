"""The sharded cache, tested through a partition and a crash: on a network that does not exist, in milliseconds.

    python -m pytest docs/examples/test_sharded_cache.py

`sharded_cache.py` is tested as it is. Only its TCP connections are replaced: they ask the simulated network for a path
between the two hosts, and then call the other shard.
"""

from collections.abc import Awaitable, Callable

import anyio
import pytest
import sharded_cache
import trio
from sharded_cache import Shard

import swim_anyio
from swim_anyio.testing import SimulatedNetwork
from swim_core import Member

NAMES = ("ann", "bob", "eve")
KEYS = [f"user:{number}" for number in range(30)]
KNOWN = 10.0  # seconds in which everybody has learned of anything


class Cache:
    """Three shards, each on a host of its own."""

    def __init__(self, network: SimulatedNetwork) -> None:
        self.network = network
        self.shards: dict[str, Shard] = {}

    async def member(self, name: str) -> None:
        """What runs on each host, as `sharded_cache.open_shard` does it."""
        async with (
            swim_anyio.open_node("0.0.0.0:7946", name=name, join="ann", metadata={"role": "cache"}) as node,
            anyio.create_task_group() as tasks,
        ):
            self.shards[name] = shard = Shard(node)
            await tasks.start(shard.follow)

    async def ask(self, owner: Member, request: str) -> str:
        """In place of a connection: the same patience, the same answers."""
        try:
            with anyio.fail_after(1):
                await self.network.reach(owner.address)
                return await self.shards[owner.name].answer(f"HERE {request}")
        except OSError:
            return f"ERROR {owner.name} does not answer"

    async def at(self, name: str, request: str) -> str:
        """The answer of a shard to its own client."""
        with self.network.host(name):
            return await self.shards[name].answer(request)

    async def values(self, name: str) -> dict[str, str]:
        """What a client of that shard finds of all keys."""
        return {key: answer for key in KEYS if (answer := await self.at(name, f"GET {key}")).startswith("VALUE")}

    async def filled(self) -> None:
        """Give every key a value, by way of ann."""
        for key in KEYS:
            assert await self.at("ann", f"SET {key} {key.upper()}") == "OK"
        assert all(self.shards[name].store for name in NAMES)


Scene = Callable[[Cache], Awaitable[None]]


@pytest.fixture
def play(swim_network: SimulatedNetwork, monkeypatch: pytest.MonkeyPatch) -> Callable[[Scene], None]:
    """Runs a scene with a cache that is up."""
    cache = Cache(swim_network)
    monkeypatch.setattr(sharded_cache, "ask", cache.ask)

    async def main(scene: Scene) -> None:
        async with trio.open_nursery() as nursery:
            for name in NAMES:
                swim_network.start(nursery, name, cache.member, name)
            await trio.sleep(KNOWN)
            await cache.filled()
            await scene(cache)
            nursery.cancel_scope.cancel()

    return lambda scene: swim_network.run(main, scene)


def test_any_member_finds_every_key(play: Callable[[Scene], None]) -> None:
    async def scene(cache: Cache) -> None:
        for name in NAMES:
            assert await cache.values(name) == {key: f"VALUE {key.upper()}" for key in KEYS}

    play(scene)


def test_a_crash_loses_the_keys_of_one_member_and_no_others(play: Callable[[Scene], None]) -> None:
    async def scene(cache: Cache) -> None:
        lost = set(cache.shards["eve"].store)
        cache.network.kill("eve")
        key = min(lost)
        assert await cache.at("ann", f"GET {key}") == "ERROR eve does not answer"  # nobody knows yet
        await trio.sleep(KNOWN)
        assert set(await cache.values("ann")) == set(KEYS) - lost
        assert await cache.at("ann", f"SET {key} again") == "OK"  # somebody else owns it now
        assert await cache.at("bob", f"GET {key}") == "VALUE again"

    play(scene)


def test_both_sides_of_a_partition_go_on_and_agree_when_it_heals(play: Callable[[Scene], None]) -> None:
    async def scene(cache: Cache) -> None:
        cache.network.partition(["ann", "bob"], ["eve"])
        key = min(cache.shards["eve"].store)
        assert await cache.at("ann", f"GET {key}") == "ERROR eve does not answer"
        await trio.sleep(KNOWN)  # longer than the stall tolerance: now each side is a cluster of its own
        assert await cache.at("ann", f"SET {key} here") == "OK"
        assert await cache.at("eve", f"SET {key} there") == "OK"
        assert await cache.at("bob", f"GET {key}") == "VALUE here"
        cache.network.heal()
        await trio.sleep(60.0)  # members that seem dead are tried again after up to a minute
        for name in NAMES:
            found = await cache.values(name)
            assert len(found) == len(KEYS)
            assert found[key] == "VALUE there"  # the owner's own: what was set elsewhere does not replace it

    play(scene)
