"""`swim_anyio.testing`: programs that know only `open_node` run on a simulated network, in no time, and replay."""

import logging
from collections.abc import Awaitable, Callable

import anyio
import pytest
import trio

import swim_anyio
from swim_anyio import AsyncNode, simulation_hook
from swim_anyio.testing import Link, SimulatedNetwork, simulated_network
from swim_core import (
    BindError,
    BroadcastReceived,
    ConfigError,
    Event,
    Key,
    MemberDied,
    MemberJoined,
    MemberLeft,
    MemberRecovered,
    MessageReceived,
    Multicast,
    State,
)

NAMES = ("ann", "bob", "eve")


class Log:
    """The events that a program got, by node and time, over all its runs."""

    def __init__(self) -> None:
        self.told: list[tuple[float, str, Event]] = []
        self.nodes: dict[str, AsyncNode] = {}

    async def member(self, name: str, join: str = "ann:7946") -> None:
        """The program under test: it knows nothing of simulations."""
        async with swim_anyio.open_node("0.0.0.0:7946", name=name, join=join) as node:
            self.nodes[name] = node
            with node.subscribe() as events:
                async for event in events:
                    self.told.append((anyio.current_time(), name, event))

    def of(self, kind: type[Event], name: str = "") -> list[tuple[str, str]]:
        """Which nodes got an event of this kind, and about which member."""
        return [
            (teller, event.member.name)  # type: ignore[union-attr]
            for _, teller, event in self.told
            if isinstance(event, kind) and (not name or event.member.name == name)  # type: ignore[union-attr]
        ]


Play = Callable[[SimulatedNetwork, Log], Awaitable[None]]


def play(script: Play, seed: object = 1, link: Link | None = None) -> tuple[Log, SimulatedNetwork]:
    """Start ann, bob and eve, each on a host of its own; once they know each other go through ``script``."""
    log = Log()

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            for name in NAMES:
                network.start(nursery, name, log.member, name)
            await trio.sleep(5.0)
            assert all(len(node.members()) == 3 for node in log.nodes.values())
            await script(network, log)
            nursery.cancel_scope.cancel()

    with simulated_network(seed, link=link) as network:
        network.run(main)
    return log, network


def test_programs_meet_by_the_names_of_their_hosts() -> None:
    async def script(network: SimulatedNetwork, log: Log) -> None:
        assert [str(log.nodes[name].local.address) for name in NAMES] == [f"10.0.0.{n}:7946" for n in (1, 2, 3)]
        assert sorted(log.of(MemberJoined)) == [(a, b) for a in NAMES for b in NAMES if a != b]

    play(script)


def test_programs_are_sealed_where_they_have_a_key_and_are_never_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that listens to the world needs no key here, since nobody else is there; it may have one, too."""
    monkeypatch.delenv("SWIM_INSECURE")
    for key in ("", Key(bytes(range(32))).reveal()):
        monkeypatch.setenv("SWIM_KEY", key)

        async def script(network: SimulatedNetwork, log: Log) -> None:
            log.nodes["ann"].broadcast(b"hello")
            await trio.sleep(1.0)
            assert {name for _, name, event in log.told if isinstance(event, BroadcastReceived)} == {"bob", "eve"}
            assert {node.statistics().sealed for node in log.nodes.values()} == {bool(key)}  # noqa: B023

        play(script)


def test_minutes_pass_at_once() -> None:
    async def script(network: SimulatedNetwork, log: Log) -> None:
        before = anyio.current_time()
        await anyio.sleep(600)
        assert anyio.current_time() - before == pytest.approx(600)

    _, network = play(script)
    assert network.traffic.sent > 3 * 600


def test_a_killed_host_is_found_dead_within_seconds_and_can_be_started_again() -> None:
    async def script(network: SimulatedNetwork, log: Log) -> None:
        network.kill("bob")
        await trio.sleep(2.5)
        assert log.of(MemberDied) == [("ann", "bob"), ("eve", "bob")] or log.of(MemberDied) == [
            ("eve", "bob"),
            ("ann", "bob"),
        ]
        async with trio.open_nursery() as nursery:
            network.start(nursery, "bob", log.member, "bob")
            await trio.sleep(2.0)
            assert len(log.nodes["ann"].members()) == len(log.nodes["bob"].members()) == 3
            nursery.cancel_scope.cancel()

    log, _ = play(script)
    assert not log.of(MemberLeft, "ann")


def test_a_lost_host_is_silent() -> None:
    async def script(network: SimulatedNetwork, log: Log) -> None:
        network.lose_host("bob")
        await trio.sleep(2.5)
        assert not log.of(MemberDied)
        await trio.sleep(8.0)
        assert len(log.of(MemberDied, "bob")) == 2

    _, network = play(script)
    assert not network.traffic.refused


def test_a_stall_within_the_tolerance_is_borne_and_what_was_said_in_it_is_sent_after() -> None:
    async def script(network: SimulatedNetwork, log: Log) -> None:
        network.stall("bob", 4.0)
        await trio.sleep(1.0)
        log.nodes["bob"].broadcast(b"late")
        await trio.sleep(2.5)
        told = [teller for _, teller, event in log.told if isinstance(event, BroadcastReceived)]
        assert told == []
        await trio.sleep(3.0)
        told = [teller for _, teller, event in log.told if isinstance(event, BroadcastReceived)]
        assert sorted(told) == ["ann", "eve"]
        assert not log.of(MemberDied)

    play(script)


def test_a_longer_stall_kills_and_its_end_brings_back() -> None:
    async def script(network: SimulatedNetwork, log: Log) -> None:
        network.stall(log.nodes["bob"])
        await trio.sleep(12.0)
        assert log.nodes["ann"].member("bob").state is State.DEAD  # type: ignore[union-attr]
        network.resume("bob")
        await trio.sleep(5.0)
        assert {teller for teller, name in log.of(MemberRecovered) if name == "bob"} == {"ann", "eve"}

    play(script)


def test_partitions_and_cuts_heal() -> None:
    async def script(network: SimulatedNetwork, log: Log) -> None:
        network.partition(["ann", log.nodes["bob"]], ["eve:7946"])
        await trio.sleep(12.0)
        assert len(log.nodes["ann"].members()) == 2
        network.heal()
        await trio.sleep(60.0)
        assert all(len(node.members()) == 3 for node in log.nodes.values())
        network.cut("ann", "bob")
        log.nodes["ann"].send("bob", b"lost")
        log.nodes["bob"].send("ann", b"heard")
        await trio.sleep(1.0)
        network.mend("ann", "bob")
        log.nodes["ann"].send("bob", b"heard too")
        await trio.sleep(1.0)
        messages = [event.payload for _, _, event in log.told if isinstance(event, MessageReceived)]
        assert messages == [b"heard", b"heard too"]

    play(script)


def test_links_are_those_of_the_core_simulator() -> None:
    async def script(network: SimulatedNetwork, log: Log) -> None:
        network.set_link(Link.exact(0.2), destination="eve")
        network.set_link(Link.exact(0.1), "ann", "eve")
        network.set_link(Link.exact(0.05), "bob")
        before = trio.current_time()
        for sender in ("ann", "bob"):
            log.nodes[sender].send("eve", sender.encode())
        await trio.sleep(1.0)
        took = {
            event.payload: pytest.approx(time - before)
            for time, _, event in log.told
            if isinstance(event, MessageReceived)
        }
        assert took == {b"bob": 0.05, b"ann": 0.1}
        network.set_link(Link(loss=1.0))
        network.set_link(Link(loss=1.0), "bob")
        sent = network.traffic.sent
        await trio.sleep(3.0)
        assert network.traffic.lost > 0
        assert network.traffic.sent > sent

    play(script)


def test_connections_of_the_program_itself_can_ask_for_a_path() -> None:
    async def script(network: SimulatedNetwork, log: Log) -> None:
        with network.host("ann"):
            before = trio.current_time()
            await network.reach("bob")
            assert trio.current_time() - before == pytest.approx(0.0006)
            network.cut("bob", "ann")
            with trio.move_on_after(5.0) as scope:
                await network.reach(log.nodes["bob"])
            assert scope.cancelled_caught
            async with trio.open_nursery() as nursery:
                nursery.start_soon(network.reach, "bob")
                await trio.sleep(1.0)
                network.heal()
            network.kill("bob")
            with pytest.raises(ConnectionRefusedError):
                await network.reach("bob")
            with pytest.raises(LookupError):
                await network.reach("nobody")
            network.lose_host("eve")
            with trio.move_on_after(5.0) as scope:
                await network.reach("eve")
            assert scope.cancelled_caught
            async with trio.open_nursery() as nursery:
                nursery.start_soon(network.reach, "eve")
                network.start(nursery, "eve", log.member, "eve")
                await trio.sleep(1.0)
                network.kill("eve")

    play(script)


async def _harm(network: SimulatedNetwork, log: Log) -> None:
    network.set_link(Link(loss=0.2, duplication=0.1, reordering=0.1))
    network.stall("ann", 2.0)
    for number in range(10):
        log.nodes["eve"].broadcast(b"%d" % number)
        await trio.sleep(0.2)
    network.kill("bob")
    await trio.sleep(10.0)


def test_a_run_is_a_function_of_its_seed() -> None:
    (first, one), (again, two), (_, other) = (play(_harm, seed) for seed in (1, 1, 2))
    assert first.told == again.told
    assert one.digest == two.digest != other.digest


def test_a_failure_says_how_to_replay_it() -> None:
    async def script(network: SimulatedNetwork, log: Log) -> None:
        raise ValueError("no")

    with pytest.raises(ExceptionGroup) as caught:
        play(script, seed=17)
    assert caught.value.__notes__ == ["on a simulated network; replay: simulated_network(seed=17)"]


def test_nodes_that_the_test_itself_opens_live_on_localhost_or_where_they_bind() -> None:
    async def main() -> None:
        async with (
            swim_anyio.open_node(name="one") as one,
            swim_anyio.open_node("127.0.0.1:0", name="two", join=["localhost"]) as two,
            swim_anyio.open_node("192.0.2.9:7946", name="three", join="127.0.0.1", metadata={"k": "v"}) as three,
            swim_anyio.open_node("cellar:7946", join=[("192.0.2.9", 7946)], advertise="cellar:7946") as four,
        ):
            await four.wait_for_members(4)
            assert [str(n.local.address) for n in (one, two, three, four)] == [
                "127.0.0.1:7946",
                "127.0.0.1:49152",
                "192.0.2.9:7946",
                "10.0.0.2:7946",
            ]
            assert four.local.name.startswith("localhost-")
            assert one.member("three").metadata == {"k": "v"}  # type: ignore[union-attr]
            network.kill(two)
            last = two.members()
            await trio.sleep(5.0)
            assert one.member("two").state is State.DEAD  # type: ignore[union-attr]
            assert two.members() == last, "which learns nothing any more"

    with simulated_network() as network:
        network.run(main)


def test_an_orderly_end_says_goodbye() -> None:
    async def main() -> None:
        async with swim_anyio.open_node(name="ann") as ann:
            with ann.subscribe() as events:
                async with swim_anyio.open_node("127.0.0.1:0", name="bob", join="127.0.0.1") as bob:
                    await bob.wait_for_members(2)
                assert [type(await events.get()), type(await events.get())] == [MemberJoined, MemberLeft]

    with simulated_network() as network:
        network.run(main)


@pytest.mark.trio
async def test_it_runs_under_pytest_trio_and_its_clock(autojump_clock: trio.testing.MockClock) -> None:
    with simulated_network() as network, network.host("here"):
        async with swim_anyio.open_node("here:1") as node:
            await trio.sleep(100.0)
            assert [member.name for member in node.members()] == [node.local.name]


def test_where_a_node_cannot_be_had() -> None:
    async def main() -> None:
        with network.host("a"):
            async with swim_anyio.open_node("0.0.0.0:7946"):
                with pytest.raises(BindError, match="in use on the simulated host a; port 0 takes a free one"):
                    await swim_anyio.open_node("a:7946").__aenter__()
            async with swim_anyio.open_node("a:7946"):
                pass
            with pytest.raises(BindError, match=r"127\.0\.0\.1 is not an address of the simulated host a"):
                await swim_anyio.open_node().__aenter__()
            with pytest.raises(ConfigError, match="nowhere is no host"):
                await swim_anyio.open_node("a:1", advertise="nowhere").__aenter__()
            async with swim_anyio.open_node("a:1"):  # the failed program has left no socket behind
                pass

    with simulated_network() as network:
        network.run(main)


def test_names_that_do_not_resolve_are_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with swim_anyio.open_node("early:7946", name="early", join="late:7946") as early:
            await trio.sleep(10.0)
            async with swim_anyio.open_node("late:7946", name="late"):
                await early.wait_for_members(2)

    with simulated_network() as network, caplog.at_level(logging.WARNING, "swim_anyio"):
        network.run(main)
    assert "late is no host of the simulated network" in caplog.text


def test_there_is_no_multicast(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        async with swim_anyio.open_node(discover=Multicast()):
            pass

    with simulated_network() as network:
        network.run(main)
    assert "a simulated network has none" in caplog.text


def test_programs_may_be_started_in_a_task_group_of_anyio() -> None:
    log = Log()

    async def main() -> None:
        async with anyio.create_task_group() as tasks:
            for name in ("ann", "bob"):
                network.start(tasks, name, log.member, name)
            await anyio.sleep(5.0)
            assert len(log.nodes["bob"].members()) == 2
            network.kill("ann")
            network.kill("bob")  # and so the group ends

    with simulated_network() as network:
        network.run(main)


def test_a_program_may_be_killed_before_it_has_opened_a_node_and_may_fail() -> None:
    async def waits() -> None:
        await trio.sleep_forever()

    async def fails() -> None:
        raise ValueError("no")

    async def main() -> None:
        async with trio.open_nursery() as nursery:
            network.start(nursery, "slow", waits)
            await trio.sleep(1.0)
            network.kill("slow")
        with pytest.raises(ExceptionGroup):
            async with trio.open_nursery() as nursery:
                network.start(nursery, "bad", fails)
        with network.host("bad") as host:
            assert not host.programs

    with simulated_network() as network:
        network.run(main)


def test_it_is_there_under_trio_only() -> None:
    async def main() -> None:
        await swim_anyio.open_node().__aenter__()

    with simulated_network(), pytest.raises(RuntimeError, match="under trio only"):
        anyio.run(main, backend="asyncio")


def test_one_network_at_a_time_and_none_afterwards() -> None:
    with simulated_network():
        with pytest.raises(RuntimeError, match="there is a simulated network already"), simulated_network():
            pass
        assert simulation_hook.current() is not None
    assert simulation_hook.current() is None
