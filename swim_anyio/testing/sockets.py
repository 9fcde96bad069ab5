"""The socket and the driver of a node on a simulated network."""

import math
import socket
from collections import deque
from collections.abc import Callable

import trio

from swim_core import Address, Losses
from swim_core.embedding.log_messages import Notice
from swim_core.simulation import Network
from swim_core.simulation.process import RECEIVE_BUFFER

from ..trio_driver import TrioDriver

__all__ = ["SimulatedDriver", "SimulatedSocket"]

OnDatagram = Callable[[bytes, Address], None]
OnRefused = Callable[[Address, bytes], None]


class _Mailbox:
    """The endpoint on the network. It keeps what arrives, as a kernel's buffer does."""

    def __init__(self) -> None:
        self.items: deque[tuple[bool, Address, bytes]] = deque()  # whether it is a refusal, from or about where, what
        self.on_arrival: Callable[[], None] = lambda: None

    def receive(self, payload: bytes, source: Address) -> None:
        self._keep(False, source, payload)

    def refused(self, destination: Address, quoted: bytes) -> None:
        self._keep(True, destination, quoted)

    def _keep(self, refusal: bool, address: Address, data: bytes) -> None:
        if len(self.items) < RECEIVE_BUFFER:
            self.items.append((refusal, address, data))
            self.on_arrival()


class SimulatedSocket:
    """Obeys `DatagramSocket`: what the network delivers waits here until the node's driver reads it.

    Attributes:
        address: where it is bound.
        saw_errors: always false.
        stalled_until: when the stall of its process ends, in trio's time; None while it runs.
        dead: whether its process was killed: it reaches nobody, and nobody reaches it.
    """

    saw_errors = False
    reachable_families = (socket.AF_INET,)

    def __init__(self, network: Network, address: Address) -> None:
        """Bind it.

        Raises:
            ValueError: if the address is in use.
        """
        self.address = address
        self.stalled_until: float | None = None
        self.dead = False
        self._network = network
        self._closed = False
        self._mailbox = _Mailbox()
        self._held: list[tuple[Address, bytes]] = []  # sent by the program while the process stalled
        self._change = trio.Event()
        self._mailbox.on_arrival = self._changed
        network.bind(address, self._mailbox)

    # for the engine

    def note_zone(self, host: str) -> None:
        """Do nothing, since there are no zones."""

    def fileno(self) -> int:
        """None, since there is no trouble."""
        return -1

    def receive(self, on_datagram: OnDatagram, on_refused: OnRefused, limit: int = 64) -> bool:
        """Hand over what has arrived; True if there may be more."""
        items = self._mailbox.items
        for _ in range(limit):
            if not items:
                return False
            refusal, address, data = items.popleft()
            if refusal:
                on_refused(address, data)
            else:
                on_datagram(data, address)
        return True

    def send(self, payload: bytes, destination: Address, on_refused: OnRefused) -> bool:
        """Put a datagram on its way; one that is sent during a stall leaves when that ends."""
        if self.dead or self._closed:
            return False
        if self.stalled_until is not None:
            self._held.append((destination, payload))
        else:
            self._network.send(self.address, destination, payload)
        return True

    unsent = False

    def losses(self) -> Losses | None:
        """None: the network takes everything."""
        return None

    def trouble(self) -> Notice | None:
        """None, for the same reason."""
        return None

    def close(self) -> None:
        """The program has closed it."""
        if not self._closed:
            self._closed = True
            self._unbind()

    # for the driver

    async def wait_readable(self) -> None:
        """Wait until the process runs and something has arrived."""
        while self.stalled_until is not None or not self._mailbox.items:
            await self._change.wait()

    async def wait_awake(self) -> None:
        """Wait until the process runs."""
        while self.stalled_until is not None:
            await self._change.wait()

    # faults

    @property
    def open(self) -> bool:
        """Whether it is bound."""
        return not (self._closed or self.dead)

    def kill(self) -> None:
        """End its process: the port is free and refuses what is sent there."""
        if self.open:
            self._unbind()
            self.dead = True
            self._mailbox.items.clear()

    def stall(self, until: float) -> None:
        """Stall its process."""
        self.stalled_until = max(until, self.stalled_until or 0.0)

    def wake(self, *, at: float = math.inf) -> None:
        """Wake its process, unless the stall now lasts beyond ``at``."""
        if self.stalled_until is not None and self.stalled_until <= at:
            self.stalled_until = None
            held, self._held = self._held, []
            for destination, payload in held:
                if self.open:
                    self._network.send(self.address, destination, payload)
            self._changed()

    def _unbind(self) -> None:
        if not self.dead:
            self._network.close(self.address)

    def _changed(self) -> None:
        self._change.set()
        self._change = trio.Event()


class SimulatedDriver(TrioDriver):
    """Drives a node that has a simulated socket: as `TrioDriver`, but without watching anything in the kernel."""

    def __init__(self, sock: SimulatedSocket) -> None:
        super().__init__()
        self._socket = sock

    async def _run(self) -> None:
        while not self._halted:
            with trio.CancelScope(deadline=self._deadline) as self._waiting:
                while not self._halted:
                    await self._socket.wait_readable()
                    self._reactor.readable()
            self._waiting = None
            self._deadline = math.inf
            if not self._halted:
                await self._socket.wait_awake()
            if not self._halted:
                self._reactor.expired()
