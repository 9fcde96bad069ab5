"""What `open_node` finds on a simulated network in place of this machine: host names, sockets, clocks and entropy."""

import logging
import socket
from collections.abc import Callable
from random import Random

import trio

from swim_anyio.loops import Loop
from swim_core import Address, ConfigError, ProtocolNode
from swim_core.embedding.advertising import advertised_address
from swim_core.embedding.arguments import Arguments
from swim_core.simulation import Network
from swim_threads.logs import DirectWriter, Log
from swim_threads.preparing import held_keys

from ..engine import Engine
from .hosts import Host, Hosts
from .sockets import SimulatedDriver, SimulatedSocket

__all__ = ["SimulatedMachine"]

START_MS = 1_700_000_000_000  # the wall clock at time 0

log = logging.getLogger("swim_anyio")


class SimulatedMachine:
    """Opens nodes on the host that the calling task is on; a `SimulationHook`."""

    def __init__(
        self,
        seed: object,
        network: Network,
        hosts: Hosts,
        random: Random,
        on_open: Callable[[Address, SimulatedSocket], None],
    ) -> None:
        """Open nodes on ``network``; ``on_open`` is called with the advertised address and the socket of each."""
        self._seed = seed
        self._network = network
        self._hosts = hosts
        self._random = random
        self._on_open = on_open
        self._opened = 0

    @property
    def hostname(self) -> str:
        """The name of the host that the calling task is on."""
        return self._hosts.here.name

    def suffix(self) -> str:
        """Random characters for the default name of a node."""
        return self._random.randbytes(4).hex()

    async def prepare(self, arguments: Arguments) -> tuple[Engine, Loop]:
        """Bind a node's socket here, and make the node.

        Raises:
            RuntimeError: outside of trio.
        """
        try:
            trio.lowlevel.current_task()
        except RuntimeError:
            why = "a simulated network is there under trio only: asyncio has no clock that jumps"
            raise RuntimeError(why) from None
        host, sock = self._hosts.bind(self._network, *arguments.bind)
        try:
            address = self._advertised(arguments, sock.address)
            driver = SimulatedDriver(sock)
            core = self._make_node(arguments, address, host, driver.clock())
        except BaseException:
            sock.close()
            raise
        if arguments.discover is not None:
            log.warning("%s: no discovery by multicast: a simulated network has none", arguments.name)
        self._on_open(address, sock)
        engine = Engine(
            core,
            sock,
            driver,
            event_buffer=arguments.config.event_buffer,
            backoff_max=arguments.config.join_backoff_max,
            look_up_service=self._hosts,
            log=_log(arguments),
        )
        return engine, driver

    def _advertised(self, arguments: Arguments, bound: Address) -> Address:
        advertise = None
        if arguments.advertise is not None:
            try:
                advertise = self._hosts.resolve(*arguments.advertise)
            except socket.gaierror as error:
                raise ConfigError(f"advertise: {error.strerror}") from error
        return advertised_address(bound, advertise, (), dual_stack=False, route_source=lambda _: None).address

    def _make_node(self, arguments: Arguments, address: Address, host: Host, now: float) -> ProtocolNode:
        self._opened += 1
        return arguments.config.create_node(
            arguments.name,
            address,
            now=now,
            entropy=Random(f"{self._seed}/{arguments.name}/{self._opened}").randbytes(32),
            unix_ms=START_MS + int((now + host.clock_offset) * 1000),
            metadata=arguments.metadata,
            keys=held_keys(arguments, log=_log(arguments))[0],
        )


def _log(arguments: Arguments) -> Log:
    return Log("swim_anyio", arguments.name, DirectWriter())
