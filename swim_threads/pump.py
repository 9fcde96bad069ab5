"""What passes between a node and its host: datagrams, events, what kernels report, what got lost, its own address.

There is no thread, no lock and no waiting here. An engine says when, and lets one thread in at a time.
"""

from collections.abc import Callable, Sequence
from math import inf

from swim_core import (
    Address,
    Event,
    JoinAttempt,
    KernelEvidence,
    MemberDied,
    MemberJoined,
    MemberLeft,
    MemberRecovered,
    MemberUpdated,
    ProtocolNode,
)
from swim_core.embedding.event_queue import EventQueue
from swim_core.embedding.log_messages import WARNING, Notice, Notices

from .logs import Log
from .own_address import OwnAddress
from .resolver import Resolver, Seed
from .sockets.tcp import TcpListener
from .sockets.transport import DatagramSocket, GroupSocket
from .sockets.tripwire_listener import Watcher
from .sockets.tripwires import Tripwires

__all__ = ["Pump"]

# After these the node may want other tripwires. Its plan is read a second later: that takes a quarter of the time in
# which a death gets to the application.
MOVES = frozenset({MemberJoined, MemberRecovered, MemberUpdated, MemberDied, MemberLeft})


class Pump:
    """Feeds a node what has arrived, and sends and hands out what it then has to say.

    Attributes:
        node: the protocol.
        socket: that of its datagrams.
        news: whether there were events since an engine last set it to False, or the goodbye has been said.
        spread: whether several datagrams were sent at once, as in every flood, since an engine last set it to False.
    """

    def __init__(
        self,
        node: ProtocolNode,
        sock: DatagramSocket,
        resolver: Resolver,
        log: Log,
        *,
        clock: Callable[[], float],
        on_event: Callable[[Event], object],
        own_address: OwnAddress | None = None,
        multicast: GroupSocket | None = None,
    ) -> None:
        """Take over the sockets. ``clock`` is the node's, in seconds. ``on_event`` is called with each event, before
        the queues get it; ``own_address`` is watched if it may change."""
        self.node = node
        self.socket = sock
        self.news = self.spread = False
        self._log = log
        self._clock = clock
        self._on_event = on_event
        self._own_address = own_address if own_address is not None and own_address.follows else None
        self._multicast = multicast
        self._group = None if multicast is None else multicast.group
        self._resolver = resolver
        self._tripwires: Tripwires | None = None
        self._fd = sock.fileno()
        self._datagrams_only = [self._fd]
        self._queues: list[EventQueue] = []
        self._notices = Notices()
        self._settling = False
        self._leaving = False

    def lay_tripwires(self, listener: TcpListener, watcher: Watcher) -> None:
        """Take over ``listener``, and have the node use connections, which ``watcher`` watches."""
        self.node.enable_tripwires(now=self._clock())
        self._tripwires = Tripwires(listener, watcher, self.node.tripwire_plan, self._connection_says)

    def join(self, seeds: Sequence[Seed], now: float) -> None:
        """Have the node ask ``seeds`` instead of earlier ones, and keep their names resolved."""
        self._resolver.replace(seeds, self.node, now)
        for host, _ in seeds:
            self.socket.note_zone(host)

    def remember(self, addresses: Sequence[Address], now: float) -> None:
        """Have the node ask these former members besides its seeds (`Resolver.remember`)."""
        self._resolver.remember(addresses, self.node, now)

    def leave(self, now: float) -> None:
        """Begin to say goodbye."""
        self._leaving = True
        self._resolver.stop()
        self.node.leave(now=now)

    def attach(self, queue: EventQueue) -> None:
        """Push every event to ``queue`` from now on."""
        self._queues.append(queue)

    def detach(self, queue: EventQueue) -> None:
        """Stop pushing events to ``queue``."""
        self._queues = [other for other in self._queues if other is not queue]

    # what has arrived

    def receive(self, ready: list[int], limit: int) -> None:
        """Take what has arrived at sockets that are ``ready``, at most ``limit`` datagrams from each."""
        if self._fd in ready:
            self.socket.receive(self._feed, self._refused, limit)
        if ready == self._datagrams_only:
            return
        if self._multicast is not None and self._multicast.fileno() in ready:
            self._multicast.receive(self._feed_announcement, limit)
        if self._tripwires is not None:
            for fd in ready:
                self._tripwires.ready(fd, self._clock())
            self._tripwires.ask(self._clock())

    def receive_datagrams(self) -> bool:
        """Take a round of datagrams; True if more may be waiting."""
        return self.socket.receive(self._feed, self._refused)

    def _feed(self, data: bytes, source: Address) -> None:
        self.node.feed_datagram(data, source, now=self._clock())
        self.settle()

    def _feed_announcement(self, data: bytes, source: Address) -> None:
        self.node.feed_announcement(data, source, now=self._clock())
        self.settle()

    def _refused(self, destination: Address, quoted: bytes) -> None:
        self.node.feed_evidence(KernelEvidence.REFUSED_UDP, destination, quoted, now=self._clock())
        self.settle()

    def _connection_says(self, kind: KernelEvidence, address: Address, greeting: bytes) -> None:
        self.node.feed_evidence(kind, address, greeting, now=self._clock())
        self.settle()

    # what is due

    def deadline(self) -> float:
        """When to `tick` next, if nothing arrives; infinity for never. The own address is looked after besides."""
        deadline = self.node.poll_deadline()
        own = self._resolver.deadline if deadline is None else min(deadline, self._resolver.deadline)
        return own if self._tripwires is None else min(own, self._tripwires.deadline)

    def tick(self, at: float = -inf) -> None:
        """Let time pass for the node, once everything that has arrived was taken, and do what else is due.

        A loop that promised to call at a certain time, and may round it, passes that time as ``at``.
        """
        deadline, now = self.node.poll_deadline(), max(self._clock(), at)
        if deadline is not None and now >= deadline:
            self.node.feed_tick(now=now)
            self.settle()
        self._count_losses()
        while (trouble := self.socket.trouble()) is not None:
            self._log.notice(trouble)
        if self._own_address is not None and now >= self._own_address.due:
            self._look_after(self._own_address, now)
        if now >= self._resolver.deadline:
            self._resolver.turn(self.node, now)
            self.settle()
        if self._tripwires is not None:
            self._tripwires.rewire(self.node.tripwire_plan, now)
            if now >= self._tripwires.deadline:
                self._tripwires.turn(now)

    def _count_losses(self) -> None:
        if (losses := self.socket.losses()) is not None:
            self.node.feed_losses(losses)

    def _look_after(self, own_address: OwnAddress, now: float) -> None:
        notice = own_address.follow(self.node, now)
        if notice is not None:
            self._log.notice(notice)
            if self._multicast is not None:
                self._multicast.move(own_address.address.host)
            self.settle()

    # what the node has to say

    def settle(self) -> None:
        """Send the node's datagrams and hand out its events, as after every input and intent."""
        if self._settling:  # a refusal that surfaced in `send`: the loop that called it handles this, too
            return
        self._settling = True
        try:
            self._drain_outputs()
        finally:
            self._settling = False

    def _drain_outputs(self) -> None:
        node, moved, sent = self.node, False, 0
        while (datagram := node.poll_datagram()) is not None:
            sent += 1
            if datagram.destination == self._group:
                self._announce(datagram.payload)
            else:
                self.socket.send(datagram.payload, datagram.destination, self._refused)
        self.spread = self.spread or sent > 1
        if self.socket.unsent:
            self._count_losses()
        while (event := node.poll_event()) is not None:
            moved = moved or type(event) in MOVES
            self.publish(event)
        if self._tripwires is not None:
            while (address := node.poll_connect()) is not None:
                self._tripwires.test(address)
            if moved:
                self._tripwires.rewire_soon(self._clock())
        if self._leaving and node.has_left:
            self.news = True

    def _announce(self, payload: bytes) -> None:
        trouble = self._multicast.send(payload) if self._multicast is not None else None
        if trouble is not None:
            self._log.notice(Notice(WARNING, "multicast", trouble))

    def publish(self, event: Event) -> None:
        """Hand out an event, of the node or of its engine."""
        self.news = True
        if self._own_address is not None:
            self._own_address.heard(event)
        self._on_event(event)
        if isinstance(event, JoinAttempt):
            self._resolver.refresh(self._clock())
        for queue in self._queues:
            queue.push(event)
        notice = self._notices.of(event)
        if notice is not None:
            self._log.notice(notice)

    # the end

    def stop_look_ups(self) -> None:
        """Ask no name server any longer."""
        self._resolver.stop()

    def close(self, *, announce: bool) -> None:
        """Close all sockets. A member whose connection closes without an announcement takes this for a crash."""
        self.socket.close()
        if self._multicast is not None:
            self._multicast.close()
        if self._tripwires is not None:
            self._tripwires.close(announce=announce)
