"""Runs a node whose turns somebody else gives it: without a thread, a lock or a loop."""

from collections import deque
from collections.abc import Callable, Iterable
from math import inf
from typing import TypeVar

from swim_core import Address, ConfigError, Event, NodeCrashed, NotRunning, ProtocolNode
from swim_core.embedding.mistakes import BROKEN_OFF, is_mistake

from .clock import clock
from .logs import Log
from .lookups import numeric
from .preparing import OwnAddress
from .pump import Pump
from .resolver import Resolver, Seed
from .sockets.udp import UdpSocket

__all__ = ["TurnEngine", "numeric_address"]

T = TypeVar("T")

ROUNDS = 12  # of 64 datagrams: more than a receive buffer holds by default, but a flood can't stop the clock


def _nothing(*_: object) -> None:
    pass


class TurnEngine:
    """Runs a node whose turns its user gives it. Not thread-safe.

    What an exception leaves half done, wherever it came from, breaks the node.

    Attributes:
        failure: what broke the node, or None.
        event_buffer: how many events a subscription holds, as configured.
        events: those that no turn has handed out yet.
        promised: when the next turn was last said to be due; None before that, and for never.
        on_earlier: called when a verb makes it due before that.
    """

    def __init__(self, node: ProtocolNode, sock: UdpSocket, own: OwnAddress, log: Log, *, event_buffer: int) -> None:
        """Take over ``sock``."""
        self.node = node
        self.event_buffer = event_buffer
        self.socket = sock
        self.events: deque[Event] = deque()
        self.promised: float | None = None
        self.on_earlier: Callable[[], object] = _nothing
        self.failure: BaseException | None = None
        self._midway = False  # in a change of the node, or one was broken off, and so was the note of that
        self._own = own
        resolver = Resolver(sock.reachable_families, self.act, log.notice)  # looks nothing up
        self._pump = Pump(node, sock, resolver, log, clock=clock, on_event=self.events.append, own_address=own)

    def clock(self) -> float:
        """Seconds on the node's clock."""
        return clock()

    def look(self, question: Callable[[ProtocolNode], T]) -> T:
        """What ``question`` finds out; also after the end. Raises NodeCrashed after a failure."""
        self.check_sound()
        return question(self.node)

    def act(self, deed: Callable[[ProtocolNode, float], T]) -> T:
        """Have ``deed`` tell the node something; what it has to say then is sent, and its events wait for a turn."""
        self.check_open()
        outer, self._midway = self._midway, True  # handlers of its log lines may use the node
        told = False
        try:
            result = deed(self.node, clock())
            told = True
            self._pump.settle()
            deadline = self.deadline()
        except BaseException as error:
            if told or not is_mistake(error, self.node):
                self.failure = self.failure or error
                self.on_earlier()
            self._midway = outer
            if isinstance(error, Exception):
                self.check_sound()
            raise
        self._midway = outer
        if deadline is not None and (self.promised is None or deadline < self.promised):
            self.promised = deadline
            self.on_earlier()
        return result

    def join(self, seeds: Iterable[Seed]) -> None:
        """Ask ``seeds``, which must be numeric."""
        seeds = tuple(seeds)
        for host, port in seeds:
            numeric_address("join", host, port)
        self.act(lambda node, now: self._pump.join(seeds, now))

    def leave(self) -> None:
        """Say goodbye."""
        self.act(lambda node, now: self._pump.leave(now))

    def check_sound(self) -> None:
        """Raises NodeCrashed after a failure."""
        if self.failure is not None:
            raise NodeCrashed(f"the node failed: {self.failure!r}") from self.failure

    def check_open(self) -> None:
        """As `check_sound`, and raises NotRunning once the socket is closed: by `Driver.close`, or by the fork that
        made this process."""
        self.check_sound()
        if self.socket.fileno() < 0:
            raise NotRunning("the node was closed, or belongs to the process that forked this one")

    def deadline(self) -> float | None:
        """When the next turn is due, if nothing arrives; None for never."""
        if self.events or self.failure is not None:
            return clock()
        deadline = min(self._pump.deadline(), self._own.due)
        return None if deadline == inf else deadline

    def take_turn(self) -> None:
        """Feed all that waits, since an answer that is read after the clock has ticked counts as missing; then tick."""
        try:
            if self._midway:
                raise RuntimeError(BROKEN_OFF)
            self.check_open()
            self._midway = True
            for _ in range(ROUNDS):
                if not self._pump.receive_datagrams():
                    break
            self._pump.tick()
            self._midway = False
        except BaseException as error:
            if self._midway:
                self.failure = self.failure or error
            if isinstance(error, Exception):
                self.check_sound()
            raise


def numeric_address(source: str, host: str, port: int) -> Address:
    """An address that is given as such.

    Raises:
        ConfigError: if it is a name.
    """
    address = numeric(host, port)
    if address is None:
        raise ConfigError(f"{source}: {host!r} is a name, and a driver looks up none: pass its addresses")
    return address
