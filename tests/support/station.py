"""The TCP side of one node, run by hand: real sockets, a clock that the test sets."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from swim_core import Address, KernelEvidence, Tripwire, TripwirePlan
from swim_core.tripwire import greeting_of
from swim_threads.sockets.poller import Poller
from swim_threads.sockets.tcp import open_pair
from swim_threads.sockets.tripwires import Tripwires

__all__ = ["LABEL", "Station", "dial", "fill_backlog", "run_until", "station"]

LABEL = 7
PATIENCE = 10.0  # real seconds allowed for what takes milliseconds


class Station:
    """A listener, a poller and the tripwires between them; ``said`` is what kernels said, in order."""

    def __init__(self, run: int = 1, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.greeting = greeting_of(LABEL, run)
        self.udp, listener, reason = open_pair(host, port, tcp=True)
        assert listener is not None, reason
        self.listener = listener
        self.address = self.udp.address
        self.poller = Poller()
        self.said: list[tuple[KernelEvidence, Address, bytes]] = []
        self.now = 100.0
        self.wakes = 0
        self.tripwires = Tripwires(listener, self.poller, TripwirePlan(self.greeting, ()), self._hear)

    def _hear(self, kind: KernelEvidence, address: Address, greeting: bytes) -> None:
        self.said.append((kind, address, greeting))

    @property
    def kinds(self) -> list[KernelEvidence]:
        return [kind for kind, _, _ in self.said]

    @property
    def tripwire(self) -> Tripwire:
        """The address and run of this station."""
        return Tripwire(self.address, self.greeting)

    @property
    def inbound(self) -> int:
        return len(self.tripwires.inbound)

    def wire(self, *peers: Tripwire) -> None:
        """Have the station connect to these and no others, and wait for as long as that takes."""
        self.tripwires.rewire(TripwirePlan(self.greeting, peers), self.now)
        self.pass_time(1.01)

    def spin(self, seconds: float = 0.01) -> list[int]:
        """Wait for the sockets, and do what is due."""
        ready = self.poller.wait(seconds)
        self.wakes += bool(ready)
        for fd in ready:
            self.tripwires.ready(fd, self.now)
        self.tripwires.turn(self.now)
        return ready

    def settle(self) -> None:
        """Spin until nothing more is ready."""
        while self.spin(0.02):
            pass

    def pass_time(self, seconds: float) -> None:
        """Move the clock of the station; whatever is ready comes first, as in the engine."""
        self.settle()
        self.now += seconds
        self.tripwires.turn(self.now)

    def close(self, *, announce: bool = True) -> None:
        self.tripwires.close(announce=announce)
        self.poller.close()
        self.udp.close()


@contextmanager
def station(run: int = 1, **arguments: object) -> Iterator[Station]:
    """A station that is closed at the end."""
    made = Station(run, **arguments)  # type: ignore[arg-type]
    try:
        yield made
    finally:
        made.close()


def run_until(condition: Callable[[], object], *stations: Station) -> None:
    """Let stations run until a condition holds."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "did not happen"
        for each in stations:
            each.spin()


@contextmanager
def dial(to: Address, say: bytes = b"") -> Iterator[socket.socket]:
    """A stranger's connection that begins with ``say``."""
    with socket.create_connection(to, timeout=PATIENCE) as sock:
        if say:
            sock.sendall(say)
        yield sock


def fill_backlog(stack: ExitStack, address: Address) -> None:
    """Connect until the kernel there no longer answers, though it is alive."""
    for _ in range(100):
        sock = stack.enter_context(socket.socket())
        sock.settimeout(0.2)
        try:
            sock.connect(address)
        except TimeoutError:
            return
    raise AssertionError("it takes all")
