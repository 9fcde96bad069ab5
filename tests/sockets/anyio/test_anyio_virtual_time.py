"""Nodes on real sockets in the virtual time of trio's `MockClock`: minutes pass in moments."""

import pytest
import trio
from trio.testing import MockClock

from support.fake_node import FakeConfig
from support.inside import end_abruptly
from support.waiting import HERE
from swim_anyio import open_node
from swim_core import Config, MemberDied

pytestmark = pytest.mark.sockets


def test_the_deadline_is_one_of_trios_clock() -> None:
    config = FakeConfig()

    async def main() -> None:
        async with open_node(HERE, config=config) as node:
            config.node.deadline = trio.current_time() + 3_600
            node.broadcast(b"")
            await trio.sleep(3_599)
            assert config.node.ticks == []
            await trio.sleep(2)
            assert len(config.node.ticks) == 1

    trio.run(main, clock=MockClock(autojump_threshold=0))


def test_a_cluster_lives_for_ten_minutes_and_notices_a_death() -> None:
    config = Config.lan()

    async def main() -> None:
        async with open_node(HERE, name="a", config=config) as a, open_node(HERE, name="b", config=config) as b:
            b.join([a.local.address])
            async with open_node(HERE, name="c", config=config, join=[a.local.address]) as c:
                for node in (a, b, c):
                    await node.wait_for_members(3)
                await trio.sleep(600)
                assert len(a.members()) == 3
                assert a.statistics().probes_failed == 0

                with a.subscribe() as events:
                    died = trio.current_time()
                    end_abruptly(c)  # as if its process was killed
                    async for event in events:
                        if isinstance(event, MemberDied):
                            assert event.member.name == "c"
                            break
                assert trio.current_time() - died < config.stall_tolerance + 2 * config.probe_interval

    trio.run(main, clock=MockClock(autojump_threshold=0))
