"""Asynchronous nodes keep tripwires too, whatever runs them.

An interval of a minute leaves probes no part in it: what is known within seconds is known by a broken connection.
"""

from collections.abc import AsyncIterable

import anyio
import pytest

import swim_threads
from support.inside import engine_of
from support.loops import on_every_loop
from support.tripwired import RARE, connected
from support.waiting import HERE, SOON, until, wait_until
from swim_anyio import AsyncNode, open_node
from swim_anyio.epoll_watcher import EpollWatcher
from swim_core import Event, MemberDied, MemberLeft, Rule

pytestmark = pytest.mark.skipif(not EpollWatcher.available, reason="nodes within a loop have tripwires on Linux only")


@pytest.fixture(autouse=True)
def connections_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nodes of this process not wait a second for the rings to settle."""
    monkeypatch.setattr("swim_threads.sockets.tripwires.SETTLE", 0.05)


def connections(node: AsyncNode) -> int:
    """How many tripwires an asynchronous node keeps."""
    return node.statistics().tripwires


async def next_of(events: AsyncIterable[Event], kind: type[Event]) -> Event:
    with anyio.fail_after(SOON):
        async for event in events:
            if isinstance(event, kind):
                return event
    raise AssertionError("no more events")


@on_every_loop
async def test_a_node_that_ends_without_a_word_is_known_by_its_connections() -> None:
    with swim_threads.open_node(HERE, name="b", config=RARE) as b:
        c = swim_threads.open_node(HERE, name="c", join=[b.local.address], config=RARE)
        async with open_node(HERE, name="a", join=[b.local.address], config=RARE) as a:
            await a.wait_for_members(3)
            with a.subscribe() as events:
                await until(lambda: connections(a) == 2)
                engine_of(c).fail(RuntimeError("planted"))
                died = await next_of(events, MemberDied)
            assert isinstance(died, MemberDied)
            assert died.member.name == "c"
            assert died.evidence is not None
            assert died.evidence.rule is Rule.GONE
        c.close()


@on_every_loop
async def test_one_that_leaves_says_so_on_its_connections() -> None:
    with swim_threads.open_node(HERE, name="b", config=RARE) as b:
        async with open_node(HERE, name="a", join=[b.local.address], config=RARE) as a:
            await a.wait_for_members(2)
            await until(lambda: connected(b) == connections(a) == 1)
            events = b.subscribe()
        left = events.get(timeout=SOON)
        assert isinstance(left, MemberLeft)
        wait_until(lambda: connected(b) == 0)
        evidence = b.explain("a")
        assert evidence is not None
        assert "connection lost" not in [observation.what for observation in evidence.observations]
        events.close()
