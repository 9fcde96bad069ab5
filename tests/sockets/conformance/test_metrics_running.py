"""Collectors of running nodes: scraped in the node's loop, from other threads, and while the loop is blocked."""

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import anyio
import anyio.to_thread
import pytest
from prometheus_client import CollectorRegistry, generate_latest

import swim_anyio
import swim_threads
from support.loops import on_every_loop
from support.waiting import HERE
from swim_anyio import prometheus
from swim_anyio.crossing import Crossing
from swim_threads.prometheus import NodeCollector

pytestmark = pytest.mark.sockets


def value(text: str, start: str) -> float:
    """The value of the one sample that begins like this."""
    (line,) = [line for line in text.splitlines() if line.startswith(start)]
    return float(line.rpartition(" ")[2])


def test_a_node_with_threads() -> None:
    registry = CollectorRegistry(auto_describe=True)
    with (
        swim_threads.open_node(HERE, name="ann") as ann,
        swim_threads.open_node(HERE, name="bob", join=[ann.local.address]) as bob,
    ):
        registry.register(NodeCollector(ann, bob))
        ann.wait_for_members(2, timeout=30)
        text = generate_latest(registry).decode()
        assert value(text, 'swim_members{node="ann",state="alive"}') == 2
        assert f'swim_node_info{{address="{bob.local.address}",node="bob"}} 1.0' in text


@on_every_loop
async def test_in_the_loop_and_from_another_thread() -> None:
    registry = CollectorRegistry(auto_describe=True)
    async with (
        swim_anyio.open_node(HERE, name="ann") as ann,
        swim_anyio.open_node(HERE, name="bob", join=[ann.local.address]) as bob,
    ):
        registry.register(prometheus.NodeCollector(ann, bob))
        await ann.wait_for_members(2)
        for text in (generate_latest(registry), await anyio.to_thread.run_sync(generate_latest, registry)):
            assert value(text.decode(), 'swim_members{node="ann",state="alive"}') == 2
            assert value(text.decode(), 'swim_up{node="bob"}') == 1


@on_every_loop
async def test_while_the_loop_is_blocked_nothing_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swim_anyio.anywhere.PATIENCE", 0.01)
    registry = CollectorRegistry()
    async with swim_anyio.open_node(HERE, name="ann") as node:
        registry.register(prometheus.NodeCollector(node))
        with ThreadPoolExecutor(1) as elsewhere:
            text = elsewhere.submit(generate_latest, registry).result().decode()
            own_thread = os.environ["SWIM_DRIVER"] == "thread"  # a node there can still be asked
            assert value(text, "swim_up") == (1 if own_thread else 0)
            assert ('swim_syncs_total{node="ann"}' in text) is own_thread
            again = elsewhere.submit(generate_latest, registry)
            while not again.done():
                await anyio.sleep(0.001)
        monkeypatch.undo()
        assert value((await anyio.to_thread.run_sync(generate_latest, registry)).decode(), "swim_up") == 1


@on_every_loop
async def test_collectors_are_made_in_the_loop() -> None:
    async with swim_anyio.open_node(HERE) as node:
        with pytest.raises(RuntimeError):
            await anyio.to_thread.run_sync(prometheus.NodeCollector, node)


def test_after_its_end_the_node_is_down() -> None:
    async def main() -> None:
        async with swim_anyio.open_node(HERE, name="ann") as node:
            registry.register(prometheus.NodeCollector(node))

    for backend in ("asyncio", "trio"):
        registry = CollectorRegistry()
        anyio.run(main, backend=backend)
        assert value(generate_latest(registry).decode(), "swim_up") == 0


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
def test_in_the_child_of_a_fork_the_node_is_down() -> None:
    with swim_threads.open_node(HERE, name="ann") as node:
        collector = NodeCollector(node)
        child = os.fork()
        if child == 0:
            os._exit(0 if not collector.read() else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@on_every_loop
async def test_a_question_is_answered_in_the_loop_or_not_at_all() -> None:
    crossing, here = Crossing(), threading.get_ident()
    assert crossing.ask(threading.get_ident, 0) == here
    assert await anyio.to_thread.run_sync(crossing.ask, threading.get_ident, 30) == here
    with pytest.raises(ZeroDivisionError):
        await anyio.to_thread.run_sync(crossing.ask, lambda: 1 // 0, 30)
    answered: list[int] = []
    with ThreadPoolExecutor(1) as elsewhere:
        asked = elsewhere.submit(crossing.ask, lambda: answered.append(1), 0.01)
        assert isinstance(asked.exception(), TimeoutError)
    for _ in range(3):
        await anyio.sleep(0)
    assert answered == []


@on_every_loop
async def test_a_question_that_the_loop_is_at_when_time_is_up_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    crossing, begun = Crossing(), threading.Event()
    tell = crossing.tell

    def until_begun(function: Callable[[], object]) -> None:
        tell(function)
        assert begun.wait(30)

    def question() -> str:
        begun.set()
        time.sleep(0.05)  # the asker waits no longer by now
        return "answered"

    monkeypatch.setattr(crossing, "tell", until_begun)
    assert await anyio.to_thread.run_sync(crossing.ask, question, 0) == "answered"
