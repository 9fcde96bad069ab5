"""Wrong uses of an asynchronous node, and what it says about them and in its log."""

import asyncio
import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable

import anyio
import anyio.to_thread
import pytest
import trio

import swim_anyio
from support.fake_node import FakeConfig
from support.inside import engine_of, socket_of
from support.loops import on_every_loop
from support.plain_peer import peer, received
from support.waiting import HERE, all_logged
from swim_anyio import AsyncNode, open_node
from swim_core import Address, ConfigError, NotRunning, SettingsDiffer, WrongThread

USES: dict[str, Callable[[AsyncNode], object]] = {
    "local": lambda node: node.local,
    "members": lambda node: node.members(),
    "member": lambda node: node.member("x"),
    "statistics": lambda node: node.statistics(),
    "explain": lambda node: node.explain("x"),
    "subscribe": lambda node: node.subscribe(),
    "broadcast": lambda node: node.broadcast(b"x"),
    "send": lambda node: node.send("x", b"x"),
    "update_metadata": lambda node: node.update_metadata({}),
    "join": lambda node: node.join([]),
}
VIEWS = {"local", "members", "member", "statistics", "explain"}


@pytest.mark.parametrize("use", list(USES))
@on_every_loop
async def test_another_thread_may_read_what_is_guarded_by_a_lock_and_do_nothing_else(use: str) -> None:
    refused: list[Exception] = []

    def elsewhere() -> None:
        try:
            USES[use](node)
        except WrongThread as error:
            refused.append(error)

    async with open_node(HERE, config=FakeConfig()) as node:
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
    locked = os.environ.get("SWIM_DRIVER") != "loop"
    assert len(refused) == (0 if locked and use in VIEWS else 1)


@on_every_loop
async def test_another_loop_is_refused() -> None:
    async def elsewhere(node: AsyncNode, events: swim_anyio.Subscription) -> None:
        for wait in (node.leave(), node.wait_for_members(2), events.get(), anext(events)):
            with pytest.raises(WrongThread):
                await wait

    async with open_node(HERE, config=FakeConfig()) as node:
        events = node.subscribe()
        for run in (lambda: asyncio.run(elsewhere(node, events)), lambda: trio.run(elsewhere, node, events)):
            thread = threading.Thread(target=run)
            thread.start()
            thread.join()


@pytest.mark.parametrize("use", list(USES))
@on_every_loop
async def test_a_closed_node_can_still_be_looked_at(use: str) -> None:
    async with open_node(HERE, config=FakeConfig()) as node:
        pass
    if use in VIEWS:
        USES[use](node)
    else:
        with pytest.raises(NotRunning):
            USES[use](node)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
@on_every_loop
async def test_the_child_of_a_fork_gives_up_its_copy() -> None:
    config = FakeConfig()
    with peer() as (address, sock):
        async with open_node(HERE, config=config) as node:
            config.node.goodbye_to = [address]
            fileno = socket_of(node).fileno()
            child = os.fork()
            if not child:
                os._exit(_child(node, fileno))
            _, status = os.waitpid(child, 0)
            assert os.waitstatus_to_exitcode(status) == 0
            assert received(sock, any_sent=False) == []
            sock.sendto(b"ping", node.local.address)
            with anyio.fail_after(5):
                while not config.node.datagrams:
                    await anyio.sleep(0.001)


def _child(node: AsyncNode, fileno: int) -> int:
    """What the child finds; 0 if everything is as it should be."""
    try:
        os.fstat(fileno)
        return 1
    except OSError:
        pass
    for use in USES.values():
        try:
            use(node)
            return 2
        except NotRunning as error:
            if "forked" not in str(error):
                return 3
    engine_of(node).close()  # as happens when the child's stack unwinds
    return 0


@on_every_loop
async def test_other_settings_of_others_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    config = FakeConfig()
    event = SettingsDiffer(Address("127.0.0.1", 4711), {"probe_interval": 2.0}, {"probe_interval": 1.0})
    async with open_node(HERE, config=config) as node:
        with node.subscribe() as events, caplog.at_level(logging.WARNING, "swim_anyio"):
            config.node.events.append(event)
            node.broadcast(b"")
            assert await events.get() == event
    all_logged()
    assert "127.0.0.1:4711" in caplog.text
    assert "'probe_interval': 2.0" in caplog.text


@on_every_loop
async def test_listening_to_the_world_is_warned_of_and_an_address_chosen(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "swim_anyio"):
        async with open_node(("0.0.0.0", 0), config=FakeConfig(), join="127.0.0.1:9", insecure=False) as node:
            assert node.local.address.host == "127.0.0.1"
    all_logged()
    assert "this protocol can't be sealed: whoever reaches this port can read, join, and forge" in caplog.text
    assert "from the route to the seed" in caplog.text
    caplog.clear()
    async with open_node(HERE, config=FakeConfig()):
        pass
    all_logged()
    assert not caplog.records


@on_every_loop
async def test_a_wildcard_waits_for_its_first_seeds_name(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "swim_anyio"):
        async with open_node(("0.0.0.0", 0), config=FakeConfig(), join="localhost:9") as node:
            assert node.local.address.host == "127.0.0.1"
    all_logged()
    assert "from the route to the seed" in caplog.text
    async with open_node(("0.0.0.0", 0), config=FakeConfig(), advertise="192.0.2.1", join="localhost:9") as node:
        assert node.local.address.host == "192.0.2.1"
        assert node.local.address.port > 0


def test_arguments_are_checked_at_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match="bind"):
        open_node("127.0.0.1:port")
    monkeypatch.setenv("SWIM_JOIN", "127.0.0.1:0")
    with pytest.raises(ConfigError, match="SWIM_JOIN"):
        open_node()


def test_without_anyio_the_error_says_what_to_install() -> None:
    code = "import sys; sys.modules['anyio'] = None; from swim_anyio import open_node"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "ImportError" in result.stderr
    assert 'pip install "swim-membership[anyio]"' in result.stderr


def test_asyncio_programs_need_no_trio() -> None:
    code = """
import asyncio, sys
sys.modules["trio"] = None
import swim_anyio

async def main():
    async with swim_anyio.open_node("127.0.0.1:0"):
        pass

asyncio.run(main())
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_importing_it_says_nothing() -> None:
    assert any(isinstance(handler, logging.NullHandler) for handler in logging.getLogger("swim_anyio").handlers)
