"""Machines, names and faults of a simulated network, for programs that use `open_node`."""

import errno
import math
import socket
from collections.abc import Awaitable, Callable, Iterable, Iterator
from contextlib import contextmanager
from random import Random
from typing import Any, TypeVar

import trio
from anyio.abc import TaskGroup
from trio.testing import MockClock

from swim_anyio import simulation_hook
from swim_core import Address
from swim_core.address import split_host_port
from swim_core.protocol import AddressLike
from swim_core.simulation import Link, Network, Traffic

from ..node import AsyncNode
from .hosts import Host, Hosts
from .opening import SimulatedMachine
from .schedule import TrioSchedule
from .scheduling import deterministic_scheduling
from .sockets import SimulatedSocket

__all__ = ["Host", "Nursery", "SimulatedNetwork", "Who", "simulated_network"]

T = TypeVar("T")

Who = str | AddressLike | AsyncNode
"""A host by its name, or one node by its address or the node itself."""

Nursery = trio.Nursery | TaskGroup
"""Anything that can start a task."""


class SimulatedNetwork:
    """A network that exists in trio's time only. `simulated_network` puts it in place of the real one.

    A host is made when it is first named, by `host`, by `start` or as what a node binds to. It has an address of its
    own, to which its name resolves. Nodes that were not placed anywhere are on ``localhost``.

    Attributes:
        seed: what everything random comes from, the entropy and wall clocks of nodes included.
    """

    def __init__(self, seed: object = 0, *, link: Link | None = None) -> None:
        self.seed = seed
        self._schedule = TrioSchedule()
        self._network = Network(seed, link=link, timeline=self._schedule)
        self._random = Random(f"{seed}/hosts")
        self._hosts = Hosts(self._random)
        self._by_address: dict[Address, SimulatedSocket] = {}  # as advertised; the latest of each
        self._change = trio.Event()
        self._machine = SimulatedMachine(seed, self._network, self._hosts, self._random, self._opened)

    @property
    def traffic(self) -> Traffic:
        """Counters of datagrams: sent, delivered, lost, blocked ..."""
        return self._network.traffic

    @property
    def digest(self) -> str:
        """A hash, in hex, of every arrival so far with its time: equal for equal runs."""
        return self._network.digest

    # running programs

    def run(self, program: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """Run ``program(*arguments)`` under trio, on a clock that jumps over all waiting; returns what it returns."""
        return trio.run(program, *arguments, clock=self.clock())

    @staticmethod
    def clock() -> MockClock:
        """A clock that jumps as soon as every task waits, for programs that start trio themselves."""
        return MockClock(autojump_threshold=0.0)

    @contextmanager
    def host(self, name: str) -> Iterator[Host]:
        """Put the nodes that the block opens, and the tasks that it starts, on the host of that name."""
        host = self._hosts.named(name)
        with self._hosts.at(host):
            yield host

    def start(self, nursery: Nursery, host: str, program: Callable[..., Awaitable[object]], *arguments: Any) -> None:
        """Run ``program(*arguments)`` in a task on the host of that name. `kill` of the host ends it."""
        scope = trio.CancelScope()

        async def run() -> None:
            try:
                with scope:
                    await program(*arguments)
            finally:
                machine.programs.pop(scope, None)

        with self.host(host) as machine:
            machine.programs[scope] = None
            nursery.start_soon(run, name=f"{getattr(program, '__qualname__', program)} on {host}")

    # faults

    def kill(self, who: Who) -> None:
        """End processes as ``kill -9`` does: nobody is told, and the host refuses what is sent to them.

        A host's programs (`start`) are cancelled, and can't reach the network any longer. For a node that the test
        itself holds, only the network ends: it hears nobody, and nobody hears it.
        """
        host = self._hosts[who] if isinstance(who, str) and who in self._hosts else None
        for sock in self._sockets(who) if host is None else host.sockets:
            sock.kill()
        if host is not None:
            host.cancel_programs()

    def lose_host(self, name: str) -> None:
        """Remove a whole host: nothing answers at its address until something is started there again."""
        self.kill(name)
        self._hosts[name].lost = True
        self._network.lose_host(self._hosts[name].ip)

    def stall(self, who: Who, seconds: float = math.inf) -> None:
        """Stall nodes: they read nothing, their timers don't fire, and what they are told to send waits.

        The program around a node continues, since it shares the event loop with the test. The longer of two stalls
        counts.
        """
        until = self._schedule.now + seconds
        for sock in self._sockets(who):
            sock.stall(until)
            if until < math.inf:
                self._schedule.at(until, self._wake_at, sock, until)

    @staticmethod
    def _wake_at(sock: SimulatedSocket, until: float) -> None:
        sock.wake(at=until)

    def resume(self, who: Who) -> None:
        """Wake stalled nodes now."""
        for sock in self._sockets(who):
            sock.wake()

    def partition(self, *groups: Iterable[Who]) -> None:
        """Let datagrams pass within groups only; those in no group form one more. Replaces an earlier partition."""
        self._network.partition([self._addresses(*group) for group in groups])
        self._changed()

    def cut(self, source: Who, destination: Who) -> None:
        """Let nothing pass from one to the other; the way back is unchanged."""
        for one in self._addresses(source):
            for other in self._addresses(destination):
                self._network.cut(one, other)

    def mend(self, source: Who, destination: Who) -> None:
        """Undo `cut`."""
        for one in self._addresses(source):
            for other in self._addresses(destination):
                self._network.mend(one, other)
        self._changed()

    def heal(self) -> None:
        """Undo all cuts and the partition."""
        self._network.heal()
        self._changed()

    def set_link(self, link: Link, source: Who | None = None, destination: Who | None = None) -> None:
        """Treat datagrams like this from now on: all, those from ``source``, those to ``destination``, or both."""
        if source is None and destination is None:
            self._network.link = link
            return
        for one in self._addresses(source) if source is not None else [None]:
            for other in self._addresses(destination) if destination is not None else [None]:
                self._network.set_link(one, other, link)

    async def reach(self, destination: Who) -> None:
        """Wait as a connection of the program's own would, from the host of the calling task to another.

        There is a path if the other host is not lost, and no cut or partition lies between a node here and one there,
        in either direction. This waits until there is one, and then for a round trip.

        Raises:
            ConnectionRefusedError: if no node runs there.
        """
        here = self._sockets(self._hosts.here.name)
        there = self._addresses(destination)
        while not any(self._path(sock.address, address) for sock in here for address in there):
            await self._change.wait()
        await trio.sleep(2 * self._network.link.delay)
        if not any(sock.open for sock in self._sockets(destination)):
            raise ConnectionRefusedError(errno.ECONNREFUSED, f"no node runs at {destination}")

    def _path(self, one: Address, other: Address) -> bool:
        if self._hosts.at_ip(other.host).lost:
            return False
        return not (self._network.blocked(one, other) or self._network.blocked(other, one))

    def _changed(self) -> None:
        self._change.set()
        self._change = trio.Event()

    # which host and node is meant

    def _sockets(self, who: Who) -> list[SimulatedSocket]:
        """The sockets of a host, including those of dead processes, or the socket of a node."""
        if isinstance(who, str) and who in self._hosts:
            found = self._hosts[who].sockets
        else:
            address = who.local.address if isinstance(who, AsyncNode) else self._parse(who)
            found = [self._by_address[address]] if address in self._by_address else []
        if not found:
            raise LookupError(f"no node has been opened at {who!r}")
        return found

    def _parse(self, who: str | AddressLike) -> Address:
        try:
            return self._hosts.resolve(*(split_host_port(who) if isinstance(who, str) else who))
        except socket.gaierror as error:
            raise LookupError(error.strerror) from None

    def _addresses(self, *who: Who) -> list[Address]:
        return list(dict.fromkeys(sock.address for each in who for sock in self._sockets(each)))

    def _opened(self, address: Address, sock: SimulatedSocket) -> None:
        self._by_address[address] = sock
        self._changed()


@contextmanager
def simulated_network(seed: object = 0, *, link: Link | None = None) -> Iterator[SimulatedNetwork]:
    """Put a simulated network in place of the real one for the length of the block: every `open_node` uses it.

    trio's own scheduling is seeded too, so that a run is a function of the seed, and of the program. An exception
    that leaves the block carries the seed in a note.

    Args:
        seed: any value; its text is what counts.
        link: between any two nodes; by default a healthy local network.

    Raises:
        RuntimeError: inside another such block.
    """
    network = SimulatedNetwork(seed, link=link)
    simulation_hook.replace(network._machine)
    try:
        with deterministic_scheduling(f"{seed}/scheduling"):
            yield network
    except BaseException as error:
        error.add_note(f"on a simulated network; replay: simulated_network(seed={seed!r})")
        raise
    finally:
        simulation_hook.replace(None)
