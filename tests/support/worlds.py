"""One face for every way to run a node, so that the same scenarios run over all of them.

A world opens nodes that are used without `await`, and waits for conditions. The asynchronous adapter runs in
a loop on another thread; the simulator lets virtual time pass instead of waiting.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from typing import Any, Literal, Protocol, Self

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal

import swim_anyio
import swim_threads
from support.driven import DrivenNode
from support.inside import end_abruptly
from support.waiting import HERE, SOON
from swim_core import (
    Address,
    Config,
    Contact,
    Event,
    Evidence,
    Keys,
    Member,
    MemberJoined,
    MemberPinged,
    NotRunning,
    Statistics,
)
from swim_core.embedding.event_queue import EventQueue
from swim_core.embedding.host_port import HostPort
from swim_core.simulation import Process, Simulation

__all__ = ["WORLDS", "DriverWorld", "LoopNode", "Node", "Subscription", "World", "close_all"]

QUICK = Config.local(probe_interval=0.1, stall_tolerance=0.5, verdict_margin=0.05)


class Subscription(Protocol):
    """Events in order."""

    def get(self, timeout: float | None = None) -> Event: ...

    def close(self) -> None: ...


class Node(Protocol):
    """What all adapters offer, and `kill`, which ends its process without a goodbye."""

    @property
    def local(self) -> Member: ...

    def members(self, *, gone: bool = False) -> tuple[Member, ...]: ...

    def member(self, name: str) -> Member | None: ...

    def statistics(self) -> Statistics: ...

    def explain(self, name: str) -> Evidence | None: ...

    def contact(self, name: str) -> Contact | None: ...

    def ping(self, name: str) -> float | None: ...

    def set_keys(self, keys: Keys | str | Iterable[str]) -> None: ...

    def remove(self, name: str) -> None: ...

    def force_leave(self, name: str) -> None: ...

    def broadcast(self, payload: bytes) -> int: ...

    def send(self, to: str | Member, payload: bytes) -> None: ...

    def update_metadata(self, metadata: Mapping[str, str]) -> None: ...

    def join(self, seeds: str | Iterable[HostPort]) -> None: ...

    def wait_for_members(self, count: int, timeout: float | None = None) -> tuple[Member, ...]: ...

    def subscribe(self, *, current: bool = False) -> Subscription: ...

    def leave(self) -> None: ...

    def close(self) -> None: ...

    def kill(self) -> None: ...


class World(ABC):
    """Opens nodes; closing it closes them."""

    def __init__(self) -> None:
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def open(
        self,
        name: str,
        *,
        join: Iterable[Node | Address | str] = (),
        bind: HostPort | None = HERE,
        config: Config | None = QUICK,
        **arguments: Any,
    ) -> Node:
        """A running node; ``join`` takes nodes, too."""
        seeds = [seed if isinstance(seed, str | tuple) else seed.local.address for seed in join]
        node = self._open(bind, name=name, join=seeds or None, config=config, **arguments)
        self._stack.callback(node.kill)  # quicker than a goodbye, which has tests of its own
        return node

    def open_cluster(self, *names: str, **arguments: Any) -> list[Node]:
        """Nodes that know each other."""
        nodes: list[Node] = []
        for name in names:
            nodes.append(self.open(name, join=nodes[:1], **arguments))
        for node in nodes:
            node.wait_for_members(len(names), SOON)
        return nodes

    def wait(self, condition: Callable[[], object]) -> None:
        """Let time pass until ``condition`` holds.

        Raises:
            TimeoutError: if it doesn't soon.
        """
        end = time.monotonic() + SOON
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError("the condition was not met in time")
            time.sleep(0.002)

    @abstractmethod
    def _open(self, bind: HostPort | None, **arguments: Any) -> Node: ...


class ThreadsWorld(World):
    """swim_threads, as it is."""

    class Opened(swim_threads.ThreadNode):
        def kill(self) -> None:
            self._stop()

    def _open(self, bind: HostPort | None, **arguments: Any) -> Node:
        node = swim_threads.open_node(bind, **arguments)
        node.__class__ = self.Opened
        assert isinstance(node, self.Opened)
        return node


class LoopWorld(World):
    """swim_anyio, its loop running on another thread."""

    def __init__(self, backend: str, driver: Literal["thread", "loop"], **options: Any) -> None:
        super().__init__()
        self._driver = driver
        self._portal = self._stack.enter_context(start_blocking_portal(backend, options))

    def _open(self, bind: HostPort | None, **arguments: Any) -> Node:
        driver = self._driver
        return LoopNode(self._portal, self._portal.call(lambda: swim_anyio.open_node(bind, driver=driver, **arguments)))


class LoopNode:
    """An `AsyncNode`, used through a portal."""

    def __init__(self, portal: BlockingPortal, opening: swim_anyio.open_node) -> None:
        self.portal = portal
        self._context = portal.wrap_async_context_manager(opening)
        self.node = self._context.__enter__()
        self._closed = False

    def call(self, function: Callable[..., Any], *arguments: Any, **keywords: Any) -> Any:
        """Make the call in the loop."""
        return self.portal.call(lambda: function(*arguments, **keywords))

    @property
    def local(self) -> Member:
        member: Member = self.call(lambda: self.node.local)
        return member

    def members(self, *, gone: bool = False) -> tuple[Member, ...]:
        members: tuple[Member, ...] = self.call(self.node.members, gone=gone)
        return members

    def member(self, name: str) -> Member | None:
        member: Member | None = self.call(self.node.member, name)
        return member

    def statistics(self) -> Statistics:
        statistics: Statistics = self.call(self.node.statistics)
        return statistics

    def explain(self, name: str) -> Evidence | None:
        evidence: Evidence | None = self.call(self.node.explain, name)
        return evidence

    def contact(self, name: str) -> Contact | None:
        contact: Contact | None = self.call(self.node.contact, name)
        return contact

    def ping(self, name: str) -> float | None:
        return self.portal.call(self.node.ping, name)

    def set_keys(self, keys: Keys | str | Iterable[str]) -> None:
        self.call(self.node.set_keys, keys)

    def remove(self, name: str) -> None:
        self.call(self.node.remove, name)

    def force_leave(self, name: str) -> None:
        self.call(self.node.force_leave, name)

    def broadcast(self, payload: bytes) -> int:
        number: int = self.call(self.node.broadcast, payload)
        return number

    def send(self, to: str | Member, payload: bytes) -> None:
        self.call(self.node.send, to, payload)

    def update_metadata(self, metadata: Mapping[str, str]) -> None:
        self.call(self.node.update_metadata, metadata)

    def join(self, seeds: str | Iterable[HostPort]) -> None:
        self.call(self.node.join, seeds)

    def wait_for_members(self, count: int, timeout: float | None = None) -> tuple[Member, ...]:
        async def wait() -> tuple[Member, ...]:
            with anyio.fail_after(timeout):
                return await self.node.wait_for_members(count)

        return self.portal.call(wait)

    def subscribe(self, *, current: bool = False) -> "LoopSubscription":
        return LoopSubscription(self.portal, self.call(self.node.subscribe, current=current))

    def leave(self) -> None:
        self.portal.call(self.node.leave)

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._context.__exit__(None, None, None)

    def kill(self) -> None:
        if not self._closed:
            self.call(end_abruptly, self.node)
            self.close()


class LoopSubscription:
    """A `swim_anyio.Subscription`, used through a portal."""

    def __init__(self, portal: BlockingPortal, subscription: swim_anyio.Subscription) -> None:
        self._portal = portal
        self._subscription = subscription

    def get(self, timeout: float | None = None) -> Event:
        async def get() -> Event:
            with anyio.fail_after(timeout):
                return await self._subscription.get()

        return self._portal.call(get)

    def close(self) -> None:
        self._portal.call(self._subscription.close)


class SimulatedWorld(World):
    """The simulator: the protocol alone, in virtual time."""

    def __init__(self) -> None:
        super().__init__()
        self.simulation = Simulation(seed="conformance")

    def _open(self, bind: HostPort | None, **arguments: Any) -> Node:
        address = None if bind is None or bind == HERE else bind
        assert address is None or not isinstance(address, str)
        arguments["join"] = arguments["join"] or ()
        label = f"{arguments['name']}/{len(self.simulation.processes)}"
        return SimulatedNode(self, self.simulation.add(label=label, address=address, **arguments))

    def wait(self, condition: Callable[[], object]) -> None:
        self.simulation.run_until(lambda: bool(condition()), SOON)


class SimulatedNode:
    """A simulated process."""

    def __init__(self, world: SimulatedWorld, process: Process) -> None:
        self._world = world
        self._simulation = world.simulation
        self._process = process
        self.members = process.node.members
        self.member = process.node.member
        self.statistics = process.node.statistics
        self.explain = process.node.explain

    @property
    def local(self) -> Member:
        return self._process.node.local

    def contact(self, name: str) -> Contact | None:
        return self._process.node.contact(name, now=self._process.clock)

    def ping(self, name: str) -> float | None:
        self._check()
        events = self.subscribe()
        self._process.do(lambda node, now: node.ping(name, now=now))
        while not isinstance(event := events.get(), MemberPinged):
            pass
        return event.round_trip

    def set_keys(self, keys: Keys | str | Iterable[str]) -> None:
        self._check()
        self._process.do(lambda node, now: node.set_keys(Keys.of(keys), now=now))

    def remove(self, name: str) -> None:
        self._check()
        self._process.do(lambda node, now: node.remove(name, now=now))

    def force_leave(self, name: str) -> None:
        self._check()
        self._process.do(lambda node, now: node.force_leave(name, now=now))

    def broadcast(self, payload: bytes) -> int:
        self._check()
        return self._simulation.broadcast(self._process, payload)

    def send(self, to: str | Member, payload: bytes) -> None:
        self._check()
        self._simulation.send(self._process, to, payload)

    def update_metadata(self, metadata: Mapping[str, str]) -> None:
        self._check()
        self._simulation.update_metadata(self._process, metadata)

    def join(self, seeds: str | Iterable[HostPort]) -> None:
        self._check()
        addresses = [seed for seed in seeds if isinstance(seed, tuple)]
        self._process.do(lambda node, now: node.join(addresses, now=now))

    def wait_for_members(self, count: int, timeout: float | None = None) -> tuple[Member, ...]:
        self._simulation.run_until(lambda: len(self.members()) >= count, timeout or SOON)
        return self.members()

    def subscribe(self, *, current: bool = False) -> "SimulatedSubscription":
        self._check()
        others = [member for member in self.members() if member.name != self.local.name]
        return SimulatedSubscription(
            self._simulation, self._process, [MemberJoined(member) for member in others] if current else []
        )

    def leave(self) -> None:
        self._check()
        self._simulation.leave(self._process)
        self._simulation.run_until(lambda: not self._process.running, SOON)

    def close(self) -> None:
        if self._process.running:
            self.leave()

    def kill(self) -> None:
        if self._process.running:
            self._simulation.crash(self._process)

    def _check(self) -> None:
        if not self._process.running:
            raise NotRunning("this process has ended")


class SimulatedSubscription:
    """The queue that an adapter would fill with a simulated node's events."""

    def __init__(self, simulation: Simulation, process: Process, current: list[Event]) -> None:
        self._simulation = simulation
        self._process = process
        self._current = current
        self._queue = EventQueue(process.config.event_buffer)
        self._taken = len(process.events)

    def get(self, timeout: float | None = None) -> Event:
        if self._current:
            return self._current.pop(0)
        self._simulation.run_until(self._has_any, SOON if timeout is None else timeout)
        event = self._queue.pop()
        assert event is not None
        return event

    def close(self) -> None:
        self._taken = 0

    def _has_any(self) -> bool:
        for _, event in self._process.events[self._taken :]:
            self._queue.push(event)
        self._taken = len(self._process.events)
        return len(self._queue) > 0


class DriverWorld(World):
    """`swim_threads.driver`, in a loop of one's own."""

    def _open(self, bind: HostPort | None, **arguments: Any) -> Node:
        return DrivenNode(bind, **arguments)


WORLDS: dict[str, Callable[[], World]] = {
    "simulation": SimulatedWorld,
    "threads": ThreadsWorld,
    "asyncio": lambda: LoopWorld("asyncio", "thread"),
    "uvloop": lambda: LoopWorld("asyncio", "thread", use_uvloop=True),
    "trio": lambda: LoopWorld("trio", "thread"),
    "asyncio-loop": lambda: LoopWorld("asyncio", "loop"),
    "uvloop-loop": lambda: LoopWorld("asyncio", "loop", use_uvloop=True),
    "trio-loop": lambda: LoopWorld("trio", "loop"),
}


def close_all(nodes: Iterable[Node]) -> None:
    """As in the adapter."""
    on_loops = [node for node in nodes if isinstance(node, LoopNode)]
    if on_loops:
        on_loops[0].portal.call(swim_anyio.leave_all, [node.node for node in on_loops])
        for node in on_loops:
            node.close()
    else:
        swim_threads.close_all(node for node in nodes if isinstance(node, swim_threads.ThreadNode))
