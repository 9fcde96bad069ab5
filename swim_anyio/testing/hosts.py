"""The machines of a simulated network: their names, addresses, ports, wall clocks, and what runs on them."""

import errno
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from random import Random

import trio

from swim_core import Address, BindError
from swim_core.simulation import Network
from swim_threads.lookups import LookUp, Outcome, numeric

from .sockets import SimulatedSocket

__all__ = ["Host", "Hosts"]

CLOCK_SKEW = 0.02  # seconds by which wall clocks of hosts are off, at most, either way
FIRST_EPHEMERAL_PORT = 49_152
HERE = "localhost"  # the host of programs that have not been placed on another one


class Host:
    """A machine of the network.

    Attributes:
        name: the name that resolves to it.
        ip: its address.
        clock_offset: seconds by which its wall clock is off.
        sockets: those of all nodes that were opened on it, including ended ones, in order.
        programs: what `SimulatedNetwork.start` runs on it.
        lost: whether it has vanished; binding a socket there brings it back.
    """

    def __init__(self, name: str, ip: str, clock_offset: float) -> None:
        self.name = name
        self.ip = ip
        self.clock_offset = clock_offset
        self.sockets: list[SimulatedSocket] = []
        self.programs: dict[trio.CancelScope, None] = {}
        self.lost = False
        self._last_port = FIRST_EPHEMERAL_PORT - 1

    def __repr__(self) -> str:
        return f"<Host {self.name} at {self.ip}>"

    def cancel_programs(self) -> None:
        """End all programs on it."""
        programs, self.programs = self.programs, {}
        for scope in programs:
            scope.cancel()

    def free_port(self) -> int:
        """A port that was never given out before."""
        self._last_port += 1
        return self._last_port


_here: ContextVar[str] = ContextVar("swim_anyio.testing.host", default=HERE)


class Hosts:
    """All machines by name. A machine is made when it is first named, with an address of its own."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._hosts: dict[str, Host] = {}
        self._make(HERE, "127.0.0.1")

    def __contains__(self, name: object) -> bool:
        return name in self._hosts

    def __getitem__(self, name: str) -> Host:
        return self._hosts[name]

    @property
    def here(self) -> Host:
        """The machine that the calling task is on."""
        return self.named(_here.get())

    @contextmanager
    def at(self, host: Host) -> Iterator[None]:
        """Put the calling task on that machine during the block, with all tasks that it starts meanwhile."""
        before = _here.get()
        _here.set(host.name)
        try:
            yield
        finally:
            _here.set(before)

    def named(self, name: str) -> Host:
        """The machine of that name."""
        host = self._hosts.get(name)
        if host is None:
            count = len(self._hosts)
            host = self._make(name, f"10.{count >> 16 & 255}.{count >> 8 & 255}.{count & 255}")
        return host

    def at_ip(self, ip: str) -> Host:
        """The machine with this address.

        Raises:
            LookupError: if there is none.
        """
        for host in self._hosts.values():
            if host.ip == ip:
                return host
        raise LookupError(f"{ip} is the address of no simulated host")

    def _make(self, name: str, ip: str) -> Host:
        host = self._hosts[name] = Host(name, ip, self._random.uniform(-CLOCK_SKEW, CLOCK_SKEW))
        return host

    def resolve(self, name: str, port: int) -> Address:
        """The address of a host by name, or of a numeric one.

        Raises:
            socket.gaierror: if no host has that name.
        """
        address = numeric(name, port)
        if address is not None:
            return address
        if name not in self._hosts:
            raise socket.gaierror(socket.EAI_NONAME, f"{name} is no host of the simulated network")
        return Address(self._hosts[name].ip, port)

    def ask(self, look_up: LookUp) -> None:
        """Answer as a name server does: a little later."""
        trio.lowlevel.spawn_system_task(self._answer, look_up)

    def cancel(self, look_up: LookUp) -> None:
        """Do nothing: the answer comes in any case."""

    async def _answer(self, look_up: LookUp) -> None:
        try:
            outcome: Outcome = (self.resolve(look_up.host, look_up.port),)
        except OSError as error:
            outcome = error
        look_up.done(outcome)

    def bind(self, network: Network, name: str, port: int) -> tuple[Host, SimulatedSocket]:
        """Bind a socket for the calling task: on its machine, or on any if it is on none in particular.

        Raises:
            BindError: if the address is in use, or of another host.
        """
        host = self._bound(name)
        address = Address(host.ip, port or host.free_port())
        try:
            sock = SimulatedSocket(network, address)
        except ValueError:
            why = f"{address} is in use on the simulated host {host.name}; port 0 takes a free one"
            raise BindError(errno.EADDRINUSE, why) from None
        host.sockets.append(sock)
        host.lost = False
        return host, sock

    def _bound(self, name: str) -> Host:
        here = self.here
        if name in ("0.0.0.0", "::", here.name, here.ip):
            return here
        if here.name != HERE:
            why = f"{name} is not an address of the simulated host {here.name}: bind 0.0.0.0 or {here.name}"
            raise BindError(errno.EADDRNOTAVAIL, why)
        if numeric(name, 1) is None:
            return self.named(name)
        with suppress(LookupError):
            return self.at_ip(name)
        return self._make(name, name)
