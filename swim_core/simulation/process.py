"""One run of one simulated process: a node, its socket, its clock, and its stalls."""

from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum
from functools import partial
from random import Random
from typing import Any, TypeVar

from swim_core.address import Address
from swim_core.events import Event
from swim_core.keys import Keys
from swim_core.protocol import KernelEvidence, ProtocolConfig, ProtocolNode
from swim_core.shared.timers import Timer, Timers

from .application import Program, SimulatedNode
from .network import Network

__all__ = ["Hooks", "Process", "SimulationError", "Stop"]

T = TypeVar("T")
E = TypeVar("E", bound=Event)

RECEIVE_BUFFER = 256
"""Datagrams that queue at a stalled process: what Linux's default socket buffer holds of small ones."""

MAX_TICKS_AT_ONCE = 10_000  # a node whose deadline never moves on would stop virtual time


class SimulationError(Exception):
    """A simulated process can't do now what it was asked for, or its node misbehaves."""


class Stop(Enum):
    """How a process ended."""

    CRASHED = "crashed"
    """Killed; the kernel of its host goes on and refuses datagrams."""
    CRASHED_SILENTLY = "crashed silently"
    """Killed; something on the path keeps refusals back."""
    HOST_LOST = "host lost"
    """The whole host is gone."""
    LEFT = "left"
    """It said goodbye, then closed its socket."""


class Hooks:
    """The functions to call when something happens to a process or around it; see `Observer`."""

    def __init__(self) -> None:
        self.on_start: list[Callable[[Process], None]] = []
        self.on_stop: list[Callable[[Process, Stop], None]] = []
        self.on_pause: list[Callable[[Process], None]] = []
        self.on_wake: list[Callable[[Process], None]] = []
        self.on_network: list[Callable[[], None]] = []
        self.on_broadcast: list[Callable[[Process, int, bytes], None]] = []
        self.on_event: list[Callable[[Process, Event], None]] = []
        self.on_send: list[Callable[[Process, Address, bytes], None]] = []
        self.on_receive: list[Callable[[Process, bytes, Address], None]] = []
        self.on_turn: list[Callable[[Process], None]] = []
        self.on_calm: list[Callable[[], None]] = []


class Process:
    """A node, run as an adapter runs it: after every input its outputs are drained and its deadline is read.

    Processes are made by `Simulation`; a restart makes a new one under the same label.

    Attributes:
        label: its name in the simulation; the node's name unless chosen otherwise.
        run: 0 for the first process of that label, then 1, 2, ...
        node: the node itself, to look at; change it through `do` only.
        config: its settings.
        address: the address that it is bound to.
        seeds: the seeds that it was told to join.
        keys: the keys of its node; None if it has none.
        program: what makes the application of each run; None if nothing runs on the node.
        application: what ``program`` made for this run, or None.
        metadata: the metadata that its application last set.
        events: all events of the node, with virtual times, oldest first.
        started: when, in virtual time.
        running: False once crashed or left.
        paused: whether it is stalled.
        wakes_at: when the latest stall ends or ended, in virtual time.
        leaving: whether it is saying goodbye.
    """

    __slots__ = (
        "_armed",
        "_deadline",
        "_hooks",
        "_last_tick",
        "_network",
        "_offset",
        "_on_left",
        "_queue",
        "_telling",
        "_ticks",
        "_timeline",
        "_timers",
        "_untold",
        "address",
        "application",
        "config",
        "events",
        "keys",
        "label",
        "leaving",
        "metadata",
        "node",
        "paused",
        "program",
        "run",
        "running",
        "seeds",
        "started",
        "wakes_at",
    )

    def __init__(
        self,
        label: str,
        run: int,
        node: ProtocolNode,
        config: ProtocolConfig,
        address: Address,
        seeds: tuple[Address, ...],
        *,
        network: Network,
        hooks: Hooks,
        clock_offset: float,
        on_left: Callable[["Process"], None],
    ) -> None:
        self.label: str = label
        self.run: int = run
        self.node: ProtocolNode = node
        self.config: ProtocolConfig = config
        self.address: Address = address
        self.seeds: tuple[Address, ...] = seeds
        self.keys: Keys | None = None
        self.program: Program | None = None
        self.application: Any = None
        self.metadata: Mapping[str, str] = node.local.metadata
        self.events: list[tuple[float, Event]] = []
        self.started: float = network.timeline.now
        self.running: bool = True
        self.paused: bool = False
        self.wakes_at: float = 0.0
        self.leaving: bool = False
        self._network = network
        self._timeline = network.timeline
        self._hooks = hooks
        self._on_left = on_left
        self._offset = clock_offset
        self._queue: deque[Callable[[], None]] = deque()  # arrivals at the socket during a stall
        self._deadline: float | None = None
        self._armed: float | None = None
        self._last_tick = -1.0
        self._ticks = 0
        self._timers: Timers | None = None
        self._untold: deque[Event] = deque()
        self._telling = False

    def __repr__(self) -> str:
        return f"<Process {self.label} run {self.run} at {self.address}>"

    @property
    def name(self) -> str:
        """The name of its node."""
        return self.node.local.name

    @property
    def clock(self) -> float:
        """Its own monotonic clock, which differs from every other's."""
        return self._timeline.now + self._offset

    def do(self, intent: Callable[[ProtocolNode, float], T]) -> T:
        """Call ``intent(node, now)``, and send what the node then has to say.

        Raises:
            SimulationError: if the process is stalled or has ended.
        """
        if self.paused or not self.running:
            raise SimulationError(f"{self.label} is {'stalled' if self.running else 'not running'}")
        result = intent(self.node, self.clock)
        self._turn()
        return result

    def told(self, kind: type[E], name: str | None = None) -> list[E]:
        """The events of that class, oldest first: all, or those of the member called ``name``."""
        return [event for _, event in self.events if isinstance(event, kind) and (not name or _about(event) == name)]

    def times(self, kind: type[Event], name: str | None = None) -> list[float]:
        """When events of that class came, of the member called ``name`` if one is given."""
        return [time for time, event in self.events if isinstance(event, kind) and (not name or _about(event) == name)]

    # what runs on it

    def start_program(self, program: Program, random: Random) -> None:
        """Start the application of this run, which gets every event from now on."""
        self.program = program
        self.application = program(SimulatedNode(self, random))

    def broadcast(self, payload: bytes) -> int:
        """Have its node broadcast; returns the broadcast's number."""
        number = self.do(lambda node, now: node.broadcast(payload, now=now))
        for hook in self._hooks.on_broadcast:
            hook(self, number, payload)
        return number

    def update_metadata(self, metadata: Mapping[str, str]) -> None:
        """Have its node change its metadata."""
        self.do(lambda node, now: node.update_metadata(metadata, now=now))
        self.metadata = dict(metadata)

    def leave(self) -> None:
        """Have its node say goodbye; the process ends when that is done."""
        self.leaving = True
        self.do(lambda node, now: node.leave(now=now))

    def after(self, seconds: float, call: Callable[..., object], *arguments: Any) -> Timer:
        """Have ``call(*arguments)`` happen that much later by its own clock, if it still runs then."""
        if self._timers is None:
            self._timers = Timers()
        timer = self._timers.at(self.clock + seconds, lambda now: self._call(call, arguments))
        if self.running and not self.paused:
            self._arm()
        return timer

    def _call(self, call: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        if self.running:  # otherwise the application ended it in the timer before
            call(*arguments)

    def _tell(self) -> None:
        """Pass the node's events to the application. What it does in response may raise more, which wait their turn."""
        if self._telling:
            return
        self._telling = True
        try:
            while self._untold and self.running:
                self.application.on_event(self._untold.popleft())
        finally:
            self._telling = False

    # what the network and the clock do to it

    def receive(self, payload: bytes, source: Address) -> None:
        """Take a datagram; a stalled process finds it when it wakes, if the buffer has room."""
        if not self.paused:
            for hook in self._hooks.on_receive:
                hook(self, payload, source)
            self.node.feed_datagram(payload, source, now=self._timeline.now + self._offset)
            self._turn()
        elif len(self._queue) < RECEIVE_BUFFER:
            self._queue.append(partial(self.receive, payload, source))

    def refused(self, destination: Address, quoted: bytes) -> None:
        """The kernel reports that what was sent to ``destination`` found nobody."""
        self.evidence(KernelEvidence.REFUSED_UDP, destination, quoted)

    def evidence(self, kind: KernelEvidence, destination: Address, quoted: bytes = b"") -> None:
        """The kernel reports something; a stalled process learns it when it wakes, if the buffer has room."""
        if not self.paused and self.running:
            self.node.feed_evidence(kind, destination, quoted, now=self.clock)
            self._turn()
        elif len(self._queue) < RECEIVE_BUFFER:
            self._queue.append(partial(self.evidence, kind, destination, quoted))

    def pause(self, until: float) -> None:
        """Stop running, as after SIGSTOP: nothing is sent, nothing read, no timer fires."""
        self.paused = True
        self.wakes_at = until

    def wake(self) -> None:
        """Go on: read everything that queued, then look at the clock, as the adapters do."""
        self.paused = False
        while self._queue and self.running and not self.paused:
            self._queue.popleft()()
        if self.running and not self.paused:
            self._tick_if_due()

    def stop(self) -> None:
        """End at once, telling nobody."""
        self.running = False
        self._queue.clear()
        self._timers = None

    def step_clock(self, seconds: float) -> None:
        """Move its monotonic clock."""
        self._offset += seconds
        if self.running and not self.paused:
            self._arm()

    # the loop of an adapter

    def _turn(self) -> None:
        node = self.node
        send, address = self._network.send, self.address
        while (datagram := node.poll_datagram()) is not None:
            send(address, datagram.destination, datagram.payload)
            for tap in self._hooks.on_send:
                tap(self, datagram.destination, datagram.payload)
        while (event := node.poll_event()) is not None:
            self._record(event)
        self._arm()
        for hook in self._hooks.on_turn:
            hook(self)
        if self._untold:
            self._tell()
        if self.leaving and self.running and node.has_left:
            self._on_left(self)

    def _record(self, event: Event) -> None:
        self.events.append((self._timeline.now, event))
        if self.application is not None:
            self._untold.append(event)
        self._network.note(f"{self.label} {type(event).__name__} {_about(event)}".encode())
        for hook in self._hooks.on_event:
            hook(self, event)

    def _arm(self) -> None:
        """Make sure that a tick is scheduled no later than the deadlines of the node and of its application's timers.

        A deadline that moves later leaves the scheduled tick where it is: on its way it finds that nothing
        is due and goes on to the true one. Most datagrams move a deadline later, and so cost nothing here.
        """
        deadline = self.node.poll_deadline()
        if self._timers is not None and (due := self._timers.deadline()) is not None:
            deadline = due if deadline is None or due < deadline else deadline
        self._deadline = deadline
        if deadline is None:
            return
        time = max(deadline - self._offset, self._timeline.now)
        if self._armed is None or time < self._armed:
            self._armed = time
            self._timeline.at_end_of(time, self._on_tick, time)

    def _on_tick(self, time: float) -> None:
        if time != self._armed:
            return  # an earlier tick took its place
        self._armed = None
        if self.running and not self.paused:
            self._tick_if_due()

    def _tick_if_due(self) -> None:
        deadline, now = self._deadline, self._timeline.now
        if deadline is None or deadline - self._offset > now:
            self._arm()
            return
        self._ticks = self._ticks + 1 if now == self._last_tick else 1
        self._last_tick = now
        if self._ticks > MAX_TICKS_AT_ONCE:
            raise SimulationError(f"{self.label} wants tick after tick: its deadline {deadline} never moves on")
        clock = max(deadline, now + self._offset)  # rounding must not make a tick early
        self.node.feed_tick(now=clock)
        self._turn()
        if self._timers is not None and self.running:
            self._timers.run(clock)
            self._arm()


def _about(event: Event) -> str:
    """The name of the member that an event is about, or "" if it is about none."""
    member = getattr(event, "member", None) or getattr(event, "origin", None)
    return member.name if member else ""
