"""Harm that the simulator has no verb for: slow processes, and paths that take or drop what a rule says."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from swim_core.address import Address
from swim_core.simulation import Process, Simulation

__all__ = ["Slow", "hindered", "slow", "tcp_dark"]

BUFFER = 256  # datagrams that a socket holds, as for stalled processes


class Slow:
    """What a slow process has before it.

    Attributes:
        service: seconds that each datagram takes of its one core; may change at any time.
        dropped: datagrams that found the socket's buffer full.
        waiting: those that have not been read.
    """

    def __init__(self, service: float) -> None:
        self.service = service
        self.dropped = 0
        self.waiting: deque[tuple[bytes, Address]] = deque()
        self.busy = False


_slow: dict[Process, Slow] = {}


def slow(process: Process, service: float) -> Slow:
    """Make a process take this many seconds for each datagram; its timers wait for the one in hand."""
    _slow[process] = Slow(service)
    process.__class__ = _SlowProcess
    return _slow[process]


class _SlowProcess(Process):
    __slots__ = ()

    def receive(self, payload: bytes, source: Address) -> None:
        state = _slow[self]
        if len(state.waiting) < BUFFER:
            state.waiting.append((payload, source))
        else:
            state.dropped += 1
        self._next()

    def _next(self) -> None:
        state = _slow[self]
        if not state.busy and state.waiting and self.running:
            state.busy = True
            self._timeline.at(self._timeline.now + state.service, self._served)

    def _served(self) -> None:
        state = _slow[self]
        state.busy = False
        item = state.waiting.popleft()
        if self.running and not self.paused:
            Process.receive(self, *item)
            self._tick_if_due()
        self._next()

    def _tick_if_due(self) -> None:
        if not _slow[self].busy:
            Process._tick_if_due(self)


@contextmanager
def hindered(simulation: Simulation, fate: Callable[[Address, Address, bytes], float | None]) -> Iterator[None]:
    """Each datagram takes ``fate(source, destination, payload)`` seconds longer; None drops it."""
    network, send = simulation.network, simulation.network.send

    def hinder(source: Address, destination: Address, payload: bytes) -> None:
        delay = fate(source, destination, payload)
        if delay is None:
            network.traffic.sent += 1
            network.traffic.lost += 1
        elif delay:
            simulation.after(delay, send, source, destination, payload)
        else:
            send(source, destination, payload)

    network.send = hinder  # type: ignore[method-assign]
    try:
        yield
    finally:
        network.send = send  # type: ignore[method-assign]


@contextmanager
def tcp_dark(simulation: Simulation, dark: Callable[[Address, Address], bool]) -> Iterator[None]:
    """No packet of TCP passes where ``dark(source, destination)``; datagrams do."""
    network, transit = simulation.network, simulation.network.transit
    network.transit = lambda source, destination: (  # type: ignore[method-assign]
        None if dark(source, destination) else transit(source, destination)
    )
    try:
        yield
    finally:
        network.transit = transit  # type: ignore[method-assign]
