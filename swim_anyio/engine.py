"""Between a protocol node and an event loop: feeds the node, sends what it says, hands its events out."""

import logging
import os
from collections.abc import Callable
from typing import Protocol
from weakref import WeakSet

import anyio

from swim_core import (
    Address,
    Event,
    JoinAttempt,
    KernelEvidence,
    MemberJoined,
    Multicast,
    NodeCrashed,
    NotRunning,
    ProtocolNode,
    SettingsDiffer,
    WrongThread,
)

from .drivers import Driver
from .subscription import Subscription

__all__ = ["DatagramSocket", "Engine"]

log = logging.getLogger("swim_anyio")

DRAINS_BEFORE_TICK = 16  # of 64 datagrams each: more than a default receive buffer holds, yet a flood can't stop time


class DatagramSocket(Protocol):
    """What an engine needs of a socket; `swim_threads.udp.UdpSocket` states the manners."""

    @property
    def saw_errors(self) -> bool: ...

    def fileno(self) -> int: ...

    def receive(
        self,
        on_datagram: Callable[[bytes, Address], None],
        on_refused: Callable[[Address, bytes], None],
        limit: int = 64,
    ) -> bool: ...

    def send(self, payload: bytes, destination: Address, on_refused: Callable[[Address, bytes], None]) -> bool: ...

    def close(self) -> None: ...


class GroupSocket(Protocol):
    """What an engine needs to discover others; `swim_threads.multicast.MulticastSocket` states the manners."""

    @property
    def settings(self) -> Multicast: ...

    @property
    def group(self) -> Address: ...

    def fileno(self) -> int: ...

    def receive(self, on_datagram: Callable[[bytes, Address], None], limit: int = 64) -> bool: ...

    def send(self, payload: bytes) -> str | None: ...

    def close(self) -> None: ...


class Engine:
    """Runs one node on one loop: nothing here waits, and everything is called from that loop.

    Attributes:
        core: the node; after an intent call `settle`.
        clock: the loop's time, seconds.
        spawn: runs a coroutine function in the background, until the node ends; an exception breaks the node.
        failure: what broke the node, or None.
        left: set once the goodbye has been said often enough.
        on_join_attempt: called before each attempt at a seed.
        on_failure: called once, when the node breaks.
    """

    def __init__(
        self,
        core: ProtocolNode,
        socket: DatagramSocket,
        driver: Driver,
        *,
        event_buffer: int,
        multicast: GroupSocket | None = None,
    ) -> None:
        self.core = core
        self.clock = driver.clock
        self.spawn = driver.spawn
        self.failure: Exception | None = None
        self.left = anyio.Event()
        self.on_join_attempt: Callable[[], None] = _nothing
        self.on_failure: Callable[[], None] = _nothing
        self._name = core.local.name
        self._socket = socket
        self._multicast = multicast
        self._group = None if multicast is None else multicast.group
        self._driver = driver
        self._event_buffer = event_buffer
        self._deadline: float | None = None
        self._subscriptions: list[Subscription] = []
        self._closed = False
        self._disowned = False

    def start(self) -> None:
        """Begin to listen, to keep time and, with a group, to discover others."""
        _running.add(self)
        self._driver.start(self)
        if self._multicast is not None:
            self._driver.watch(self._multicast.fileno(), self._group_readable)
            self.core.discover(self._multicast.settings, now=self.clock())
        self.settle()

    @property
    def running(self) -> bool:
        """Whether it has neither been closed nor failed, here or in the process that forked this one."""
        return not self._closed

    def check_loop(self) -> None:
        """Refuse to go on outside the node's loop, or after a fork.

        Raises:
            NotRunning: in the child of a fork.
            WrongThread: outside the loop, unless the node is closed and nothing changes any more.
        """
        if self._disowned:
            raise NotRunning("this node belongs to the process that forked this one: open another one here")
        if not self._closed and not self._driver.is_current():
            raise WrongThread("an asynchronous node is used from within its own event loop only")

    def check_running(self) -> None:
        """The same, and refuse if the node is closed.

        Raises:
            NodeCrashed: if it failed.
            NotRunning: if it was closed, or in the child of a fork.
            WrongThread: outside the loop.
        """
        self.check_loop()
        if self.failure is not None:
            raise NodeCrashed("the node failed") from self.failure
        if self._closed:
            raise NotRunning("this node is closed")

    def subscribe(self, *, current: bool) -> Subscription:
        """A new subscription; with ``current``, `MemberJoined` for each other live member comes first."""
        own = self.core.local.name
        members = self.core.members() if current else ()
        subscription = Subscription(
            self._event_buffer,
            [MemberJoined(member) for member in members if member.name != own],
            check=self.check_loop,
            on_close=self._unsubscribe,
        )
        self._subscriptions.append(subscription)
        return subscription

    def settle(self) -> None:
        """After every input or intent: send, hand events out, move the deadline."""
        if self._closed:
            return
        try:
            self._drain()
            deadline = self.core.poll_deadline()
            if deadline != self._deadline:
                self._deadline = deadline
                self._driver.set_deadline(deadline)
            if self.core.has_left and not self.left.is_set():
                self.left.set()
        except Exception as error:
            self.failed(error)

    def close(self) -> None:
        """Say goodbye once, unless that was done, and end everything. Waits for nothing."""
        if self._closed:
            return
        try:
            self.core.leave(now=self.clock())
            self._drain()
        except Exception:
            log.exception("the node could not say goodbye")
        finally:
            self._end()

    async def stopped(self) -> None:
        """Wait until nothing of the node runs any more; follows `close`."""
        if not self._disowned:  # what was started runs in the parent
            await self._driver.stopped()

    def disown(self) -> None:
        """In the child of a fork: close its copy of the socket and touch nothing else.

        A copy would keep the port of a parent that was killed, and so hide its death from the others.
        """
        self._disowned = self._closed = True
        self._close_sockets()

    # What the driver calls

    def fileno(self) -> int:
        """The socket to watch."""
        return self._socket.fileno()

    def readable(self) -> bool:
        """Take what has arrived, answer, move the deadline."""
        if self._closed:
            return False
        try:
            self._receive()
        except Exception as error:
            self.failed(error)
        self.settle()
        return self._socket.saw_errors

    def expired(self) -> None:
        """Take what has arrived, so that an answer in the kernel's buffer is not missed, then let time pass."""
        if self._closed:
            return
        deadline, self._deadline = self._deadline, None
        try:
            for _ in range(DRAINS_BEFORE_TICK):
                if not self._receive():
                    break
            now = self.clock()  # a loop may round, and call a little early
            self.core.feed_tick(now=now if deadline is None else max(deadline, now))
        except Exception as error:
            self.failed(error)
        self.settle()

    def failed(self, error: Exception) -> None:
        """The node is broken: end everything and tell whoever uses it."""
        if self._closed:
            return
        log.error("the node %s failed", self._name, exc_info=error)
        self.failure = error
        self._end()
        self.on_failure()

    def _receive(self) -> bool:
        return self._socket.receive(self._on_datagram, self._on_refused)

    def _on_datagram(self, data: bytes, source: Address) -> None:
        self.core.feed_datagram(data, source, now=self.clock())
        self._drain()

    def _on_refused(self, destination: Address, quoted: bytes) -> None:
        self.core.feed_evidence(KernelEvidence.REFUSED_UDP, destination, quoted, now=self.clock())

    def _group_readable(self) -> None:
        if self._closed or self._multicast is None:
            return
        try:
            self._multicast.receive(self._on_announcement)
        except Exception as error:
            self.failed(error)
        self.settle()

    def _on_announcement(self, data: bytes, source: Address) -> None:
        self.core.feed_announcement(data, source, now=self.clock())
        self._drain()

    def _drain(self) -> None:
        core, send = self.core, self._socket.send
        while (datagram := core.poll_datagram()) is not None:
            if datagram.destination == self._group:
                self._announce(datagram.payload)
            else:
                send(datagram.payload, datagram.destination, self._on_refused)
        while (event := core.poll_event()) is not None:
            self._hand_out(event)

    def _announce(self, payload: bytes) -> None:
        trouble = self._multicast.send(payload) if self._multicast is not None else None
        if trouble is not None:
            log.warning("%s: %s", self._name, trouble)

    def _hand_out(self, event: Event) -> None:
        for subscription in self._subscriptions:
            subscription.push(event)
        match event:
            case JoinAttempt():
                self.on_join_attempt()
            case SettingsDiffer(address=address, theirs=theirs, ours=ours):
                log.warning(
                    "the node at %s runs with other settings, which should agree in a cluster: %s; here: %s",
                    address,
                    dict(theirs),
                    dict(ours),
                )

    def _unsubscribe(self, subscription: Subscription) -> None:
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def _close_sockets(self) -> None:
        self._socket.close()
        if self._multicast is not None:
            self._multicast.close()

    def _end(self) -> None:
        self._closed = True
        _running.discard(self)
        self._driver.halt()
        self._close_sockets()
        self.left.set()
        for subscription in self._subscriptions:
            subscription.end(self.failure)


def _nothing() -> None:
    pass


_running: WeakSet[Engine] = WeakSet()


def _disown_all() -> None:
    for engine in list(_running):
        engine.disown()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_disown_all)
