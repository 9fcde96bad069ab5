"""What a node on an event loop does with its socket and its deadline."""

import asyncio
import os
import socket
import sys
import time

import anyio
import pytest
from anyio.lowlevel import checkpoint

from support.fake_node import FakeConfig, FakeNode
from support.inside import engine_of, socket_of
from support.loops import on_every_loop, run_clean
from support.plain_peer import nobody, peer, provoke, received
from support.waiting import HERE, SOON, until
from swim_anyio import open_node
from swim_core import Address, Datagram, Member, NodeCrashed

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has an error queue")


@on_every_loop
async def test_a_datagram_is_answered_in_the_wake_up_that_it_caused() -> None:
    config = FakeConfig()
    with peer() as (address, sock):
        async with open_node(HERE, config=config) as node:
            sock.sendto(b"ping", node.local.address)
            await until(lambda: config.node.datagrams)
            with engine_of(node).lock:  # nothing more is sent now, but the kernel may still be busy with the answer
                sock.settimeout(SOON)
                assert sock.recv(100) == b"ack"
            data, source, now = config.node.datagrams[0]
            assert (data, source) == (b"ping", address)
            assert 0 <= config.node.time() - now < SOON


@on_every_loop
async def test_a_burst_is_taken_whole_and_in_order() -> None:
    config = FakeConfig()
    with peer() as (_, sock):
        async with open_node(HERE, config=config) as node:
            payloads = [b"%d" % number for number in range(200)]  # more than three drains, less than a buffer
            for payload in payloads:
                sock.sendto(payload, node.local.address)
            await until(lambda: len(config.node.datagrams) == len(payloads))
            assert [data for data, *_ in config.node.datagrams] == payloads


@on_every_loop
async def test_what_has_arrived_is_taken_before_time_passes() -> None:
    """An answer in the kernel's buffer must not count as missing because the program is busy."""
    config = FakeConfig()
    with peer() as (_, sock):
        async with open_node(HERE, config=config) as node:
            here = node.local.address
            held_up = False
            while not held_up:
                config.node.datagrams.clear()
                schedule(config.node, here, 0.02)
                await until(lambda: config.node.datagrams)
                with engine_of(node).lock:  # so that a thread is held up, too
                    held_up = not config.node.ticks  # otherwise the deadline has passed: the machine was busy
                    config.node.ticks.clear()
                    if held_up:
                        config.node.order.clear()
                        for _ in range(100):
                            sock.sendto(b"late", here)
                        time.sleep(0.04)  # the program blocks its loop, beyond the deadline
            await until(lambda: config.node.ticks)
            assert config.node.order == ["datagram"] * 100 + ["tick"]


@on_every_loop
async def test_a_deadline_is_kept_once_and_never_early() -> None:
    config = FakeConfig()
    async with open_node(HERE, config=config) as node:
        deadline = schedule(config.node, node.local.address, 0.01)
        await until(lambda: config.node.ticks)
        await anyio.sleep(0.02)
        assert len(config.node.ticks) == 1
        assert config.node.ticks[0] >= deadline


@on_every_loop
async def test_a_deadline_moves_to_earlier_to_later_and_away() -> None:
    config = FakeConfig()
    async with open_node(HERE, config=config) as node:
        here = node.local.address
        schedule(config.node, here, 60)
        await until(lambda: len(config.node.datagrams) == 1)
        deadline = schedule(config.node, here, 0.01)
        await until(lambda: config.node.ticks)
        assert config.node.ticks[0] >= deadline

        schedule(config.node, here, 0.03)
        await until(lambda: len(config.node.datagrams) == 3)
        schedule(config.node, here, 60)
        await until(lambda: len(config.node.datagrams) == 4)
        await anyio.sleep(0.05)
        assert none_since_the_last_datagram(config.node), "a deadline that has moved on must not cost a wake-up"

        schedule(config.node, here, 0.03)
        await until(lambda: len(config.node.datagrams) == 5)
        config.node.deadline = None
        provoke(node)
        await until(lambda: len(config.node.datagrams) == 6)
        await anyio.sleep(0.05)
        assert none_since_the_last_datagram(config.node)


def none_since_the_last_datagram(node: FakeNode) -> bool:
    """Whether no tick came after it. One that came before was due, since the machine was busy."""
    *_, moved = node.datagrams[-1]
    return all(tick <= moved for tick in node.ticks)


@on_every_loop
async def test_an_intent_moves_the_deadline_too() -> None:
    config = FakeConfig()
    async with open_node(HERE, config=config) as node:
        config.node.deadline = config.node.time() + 0.01
        node.broadcast(b"x")
        await until(lambda: config.node.ticks)


@on_every_loop
async def test_a_tick_that_sets_the_next_deadline() -> None:
    config = FakeConfig()

    def tick(*, now: float) -> None:
        fake.ticks.append(now)
        fake.deadline = now + 0.002 if len(fake.ticks) < 10 else None
        fake.has_left = fake.left_at is not None

    async with open_node(HERE, config=config) as node:
        fake = config.node
        fake.feed_tick = tick  # type: ignore[method-assign]
        schedule(fake, node.local.address, 0.002)
        await until(lambda: len(fake.ticks) == 10)
        assert fake.ticks == sorted(fake.ticks)
        await checkpoint()


@linux_only
@on_every_loop
async def test_refusals_are_reported_and_nothing_goes_deaf() -> None:
    config = FakeConfig()
    with peer() as (address, sock):
        async with open_node(HERE, config=config) as node:
            for round in range(3):
                dead = nobody()
                config.node.others = [Member("dead", dead)]
                node.broadcast(b"anyone?")
                await until(lambda: len(config.node.refused) == round + 1)  # noqa: B023
                assert config.node.refused[-1] == (dead, b"anyone?")
                config.node.others = [Member("alive", address)]
                node.broadcast(b"hello")
                assert received(sock) == [b"hello"]
                sock.sendto(b"ping", node.local.address)
                await until(lambda: len(config.node.datagrams) == round + 1)  # noqa: B023
                with engine_of(node).lock:
                    assert received(sock) == [b"ack"]


@linux_only
@pytest.mark.sockets
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
def test_an_error_that_another_callback_has_drained_leaves_the_node_hearing(loop: str) -> None:
    """libuv stops watching a socket that had an error, even if the error is gone by the time it calls."""
    config = FakeConfig()

    async def main() -> None:
        readable, writable = os.pipe()
        with peer() as (address, sock):
            async with open_node(HERE, config=config) as node:

                def first() -> None:
                    os.read(readable, 1)
                    config.node.others = [Member("alive", address)]
                    node.broadcast(b"drains the error")

                asyncio.get_running_loop().add_reader(readable, first)
                await anyio.sleep(0.01)
                os.write(writable, b"x")
                config.node.others = [Member("dead", nobody())]
                node.broadcast(b"anyone?")
                sock.sendto(b"1", node.local.address)
                await until(lambda: len(config.node.datagrams) == 1)
                sock.sendto(b"2", node.local.address)
                await until(lambda: len(config.node.datagrams) == 2)
                asyncio.get_running_loop().remove_reader(readable)
        os.close(readable)
        os.close(writable)

    run_clean(loop, main, "loop")


@on_every_loop
async def test_what_can_not_be_sent_is_dropped_and_harms_nobody() -> None:
    config = FakeConfig()
    with peer() as (address, sock):
        async with open_node(HERE, config=config) as node:
            config.node.outbox.extend(
                [Datagram(b"v6 from a v4 socket", Address("::1", 9)), Datagram(b"x" * 70_000, address)]
            )
            config.node.others = [Member("alive", address)]
            node.broadcast(b"hello")
            assert received(sock) == [b"hello"]


@on_every_loop
async def test_closing_the_socket_under_a_node_is_a_failure_not_a_busy_loop() -> None:
    config = FakeConfig()
    with pytest.raises(NodeCrashed):  # noqa: PT012
        async with open_node(HERE, config=config) as node:
            socket_of(node).close()
            config.node.outbox.append(Datagram(b"x", nobody()))
            node.broadcast(b"x")
            await anyio.sleep_forever()


@pytest.mark.sockets
def test_a_loop_without_add_reader() -> None:
    """As on Windows' Proactor, where anyio watches the socket from a thread of its own."""

    class Proactor(asyncio.SelectorEventLoop):
        def add_reader(self, *_: object) -> None:
            raise NotImplementedError

    config = FakeConfig()

    async def main() -> None:
        with peer() as (_, sock):
            async with open_node(HERE, config=config, driver="loop") as node:
                for count in range(1, 4):
                    sock.sendto(b"ping", node.local.address)
                    await until(lambda: len(config.node.datagrams) == count)  # noqa: B023
                schedule(config.node, node.local.address, 0.01)
                await until(lambda: config.node.ticks)
        assert len(asyncio.all_tasks()) == 1

    with asyncio.Runner(loop_factory=Proactor) as runner:
        runner.run(main())


def schedule(fake: FakeNode, address: Address, delay: float) -> float:
    """Give the fake a deadline and the adapter a reason to look at it; returns the deadline."""
    fake.deadline = fake.time() + delay
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.sendto(b"x", address)
    return fake.deadline
