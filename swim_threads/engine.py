"""The protocol thread: one lock around the sans-I/O node, one socket, and as few wake-ups as the protocol needs."""

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from math import inf
from typing import TypeVar
from weakref import WeakSet

from swim_core import Address, Event, JoinAttempt, KernelEvidence, NodeCrashed, NotRunning, ProtocolNode
from swim_core.embedding.event_queue import EventQueue
from swim_core.embedding.log_messages import ERROR, WARNING, Notice, Notices
from swim_core.embedding.mistakes import is_mistake

from .condition import Condition
from .errands import Errand, Worker, in_main_thread
from .key_file import KeyFile, KeyWatch
from .logs import Log
from .own_address import LOOK_EVERY, OwnAddress
from .resolver import BACKOFF_MAX, Resolver, Seed
from .sockets.multicast import MulticastSocket
from .sockets.poller import Poller
from .sockets.tcp import TcpListener
from .sockets.tripwires import Tripwires
from .sockets.udp import UdpSocket

__all__ = ["Engine", "clock"]

T = TypeVar("T")

# This clock runs on while the machine is suspended, so the protocol sees a suspension as what it is, a pause of this
# node: pending probes are dropped, and cluster time is right at once. CLOCK_MONOTONIC stops, and the node would take
# its peers' hour for a moment.
_BOOTTIME = getattr(time, "CLOCK_BOOTTIME", None)

# A datagram usually comes alone, and asking for a second one that isn't there costs a fifth of the wake-up (an
# exception on a cold path), so a burst is recognized only at its fifth datagram. But a flood must not stop the clock:
# after so many rounds, everything is read that the default receive buffer held at the deadline.
SINGLES, MANY = 4, 64
MAX_ROUNDS = 12

LOOK_AFTER = 1.0  # seconds; a thread that waits longer for the protocol thread checks whether that still runs

_give_way: Callable[[], None] = getattr(os, "sched_yield", lambda: None)

clock: Callable[[], float] = time.monotonic if _BOOTTIME is None else partial(time.clock_gettime, _BOOTTIME)
"""Seconds on the clock of every node of this adapter."""


def _nothing(_: Event) -> None:
    pass


class Engine:
    """Runs a node in a thread of its own and lets other threads use it, one at a time.

    The node is touched only under ``lock``, and no code of the user's (listeners, log handlers) runs under it or in
    this thread. Calls from other threads send their datagrams themselves, and wake the protocol thread only if it would
    otherwise sleep too long.

    A signal handler may raise an exception anywhere in the main thread. So changes that the main thread asks for are
    made by the protocol thread (`do`), and such an exception ends the wait for them. To look, the main thread takes the
    lock, which must not stay held. A ``with`` around the lock itself makes sure of that, since nothing comes between
    taking it and the block (except in early releases of Python 3.14, where one instruction does). A context manager
    written in Python would not, so there are functions to call instead; and no such block contains a loop, whose last
    jump Python 3.13 leaves outside.

    Attributes:
        node: the protocol; use it under ``lock``.
        lock: guards everything here.
        changed: notified, under ``lock``, after events and when the node has left, ends or fails.
        log: the node's log.
        forked: True in a forked child process, which may not use the engine.
        ended: True from the moment the engine stops or fails.
        done: True once the sockets are closed and the thread has only its last few instructions left.
        failure: what broke the node, or None.
    """

    def __init__(
        self,
        node: ProtocolNode,
        sock: UdpSocket,
        *,
        on_event: Callable[[Event], None] = _nothing,
        own_address: OwnAddress | None = None,
        multicast: MulticastSocket | None = None,
        listener: TcpListener | None = None,
        backoff_max: float = BACKOFF_MAX,
        on_change: Callable[[], None] | None = None,
        abandoned: Callable[[], bool] | None = None,
        log: Log | None = None,
    ) -> None:
        """Take over ``sock``, ``multicast`` (to discover others with) and ``listener`` (for tripwires).

        ``own_address`` is watched if it may change. ``on_event`` is called under the lock with each event, before
        subscribers see it; so is ``on_change``, whenever ``changed`` is notified and at the very end. Before each tick
        ``abandoned`` is asked, also under the lock, whether nobody is left to use the node and close it: then the node
        says goodbye once and ends. ``backoff_max`` is the longest time in seconds between two look-ups of a seed's
        name.
        """
        self.node = node
        self.lock = threading.Lock()
        self.changed = Condition(self.lock)
        self.ended = self.done = False
        self.failure: BaseException | None = None
        self._socket = sock
        self._on_event = on_event
        self._on_change = on_change
        self._abandoned = abandoned
        self._own_address = own_address if own_address is not None and own_address.follows else None
        self._longest_sleep = None if self._own_address is None else LOOK_EVERY
        self.log = log or Log("swim_threads", node.local.name)
        self._multicast = multicast
        self._group = None if multicast is None else multicast.group
        self._fd = sock.fileno()
        self._datagrams_only = [self._fd]
        self._poller = Poller(self._fd) if multicast is None else Poller(self._fd, multicast.fileno())
        self._tripwires = None if listener is None else self._lay_tripwires(listener)
        self._queues: list[EventQueue] = []
        self._sleeps_until = -inf
        self._settling = False
        self._news = False  # events for which nobody has been woken yet
        self._spread = False  # several datagrams were sent at once, as in every flood
        self._leaving = False
        self.forked = False
        self._notices = Notices()
        self._resolver = Resolver(sock.reachable_families, self.act, self.log.notice, backoff_max=backoff_max)
        self._errands: deque[Callable[[], None]] = deque()
        self._key_watch: KeyWatch | None = None
        self._thread = Worker(self._run, f"swim {node.local.name}")
        _engines.add(self)

    def _lay_tripwires(self, listener: TcpListener) -> Tripwires:
        self.node.enable_tripwires(now=clock())
        return Tripwires(listener, self._poller, self.node.tripwire_plan, self._connection_says)

    def start(self) -> None:
        """Start the protocol thread, and the node's announcements.

        Raises:
            RuntimeError: if no thread can be started, or it ended at once.
        """
        self._thread.begin()
        if self._multicast is not None:
            settings = self._multicast.settings
            self.act(lambda node, now: node.discover(settings, now=now))

    def check_usable(self) -> None:
        """Raises NotRunning in a forked child, and NodeCrashed after a failure."""
        if self.forked:
            raise NotRunning("this node belongs to the process that forked this one: open another one here")
        if self.failure is not None:
            raise NodeCrashed(f"the node failed: {self.failure!r}") from self.failure

    def check_running(self) -> None:
        """As `check_usable`, and raises NotRunning after the end."""
        self.check_usable()
        if self.ended:
            raise NotRunning("the node was closed")

    def clock(self) -> float:
        """Seconds on the clock of every node of this adapter."""
        return clock()

    def look(self, question: Callable[[ProtocolNode], T]) -> T:
        """The answer of ``question``, which may look at the node; also after the end."""
        with self.lock:
            self.check_usable()
            return question(self.node)

    def do(self, work: Callable[[], T]) -> T:
        """Have ``work`` done under the lock, completely or not at all, whatever signal handlers raise.

        In the main thread such an exception ends the wait: the protocol thread has done the work or does it soon.

        Returns:
            What ``work`` returns. Its exceptions are raised.
        """
        if not in_main_thread() or self.done or self._thread.ident is None:
            with self.lock:
                return work()
        errand = Errand(work)
        try:
            self._run_soon(errand.run)
            while not errand.wait(LOOK_AFTER):
                self.see_that_it_lives()
        except BaseException:
            self._poller.wake()  # the exception may have come between the errand and its wake-up
            raise
        return errand.outcome()

    def act(self, deed: Callable[[ProtocolNode, float], T]) -> T:
        """Have ``deed`` change the node, at the time passed to it; what the node then has to say is sent at once.

        Returns:
            What ``deed`` returns. Its exceptions are raised.

        Raises:
            NotRunning: after the end.
            NodeCrashed: if the node fails because of it.
        """
        return self.do(lambda: self._act(deed))

    def _act(self, deed: Callable[[ProtocolNode, float], T]) -> T:
        self.check_running()
        told = False
        try:
            result = deed(self.node, clock())
            told = True
            self._settle()
            if self._deadline() < self._sleeps_until:
                self._poller.wake()
        except BaseException as error:
            if told or not is_mistake(error, self.node):
                self._fail(error)
            if isinstance(error, Exception):
                self.check_usable()
            raise
        self._tell_news()
        return result

    def watch_keys(self, file: KeyFile) -> None:
        """Take over the keys in a file whenever it changes, until the node ends."""
        self._key_watch = KeyWatch(file, self)

    def reload_keys(self) -> bool:
        """Have the key file read at once; False if there is none."""
        if self._key_watch is not None:
            self._key_watch.look_now()
        return self._key_watch is not None

    @property
    def running(self) -> bool:
        """Whether the node goes on."""
        return not self.ended

    def act_soon(self, deed: Callable[[ProtocolNode, float], None]) -> None:
        """As `act`, but without effect once the node has ended."""
        with suppress(NotRunning, NodeCrashed):
            self.act(deed)

    def tell_soon(self, event: Event) -> None:
        """Tell subscribers an event that the node itself did not raise; from any thread, no effect once it ended."""

        def tell(node: ProtocolNode, now: float) -> None:
            self._publish(event)
            self._news = True

        self.act_soon(tell)

    def fail(self, error: Exception) -> None:
        """End everything because the node is broken, as its user will see."""
        self._run_soon(partial(self._fail, error))

    def see_that_it_lives(self) -> None:
        """Have the node fail if the protocol thread is gone silently: nobody would do its work."""
        if not self._thread.is_alive() and not self.done:
            with self.lock:
                self._fail(RuntimeError("the protocol thread has ended: threading.excepthook was told why"))
                self._finish()

    def join(self, seeds: Iterable[Seed]) -> None:
        """Have the node ask ``seeds`` instead of earlier ones, and keep their names resolved. Raises as `act`."""
        seeds = tuple(seeds)

        def join(node: ProtocolNode, now: float) -> None:
            self._resolver.replace(seeds, node, now)
            for host, _ in seeds:
                self._socket.note_zone(host)

        self.act(join)

    def remember(self, addresses: Sequence[Address]) -> None:
        """Have the node ask these former members besides its seeds (`Resolver.remember`). Raises as `act`."""
        self.act(lambda node, now: self._resolver.remember(addresses, node, now))

    def leave(self, *, wait: bool) -> None:
        """Say goodbye. With ``wait`` return only when it was said often enough, or the engine has ended."""
        self.act(self._leave)
        if wait:
            self.changed.wait_for(lambda: self.node.has_left or self.ended)
            self.check_usable()

    def halt(self) -> None:
        """Have the thread end and close the sockets, without waiting for it."""
        if self._thread.is_alive() or self.done:
            self._run_soon(self._end)
        else:
            with self.lock:
                self._end()
                self._finish()

    def stop(self) -> None:
        """End the thread and close the socket, at once. A second call waits for the same."""
        self.halt()
        self.wait_ended()

    def wait_ended(self) -> None:
        """Wait for the thread, if it ever started; follows `halt`."""
        if self._thread.ident is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def attach(self, queue: EventQueue) -> None:
        """Push every event to ``queue`` from now on. Call it through `do`."""
        self._queues.append(queue)

    def detach(self, queue: EventQueue) -> None:
        """Stop pushing events to ``queue``. Call it through `do`."""
        self._queues = [other for other in self._queues if other is not queue]

    def after_fork_in_child(self) -> None:
        """Give up this copy: its sockets are closed (`sockets.owned`), its locks may never be released."""
        self.forked = self.ended = self.done = True
        self.lock = threading.Lock()
        self.changed = Condition(self.lock)

    def _leave(self, node: ProtocolNode, now: float) -> None:
        self._leaving = True
        self._resolver.stop()
        node.leave(now=now)

    def _run_soon(self, work: Callable[[], None]) -> None:
        """Have the protocol thread do ``work``, which must not raise, under the lock; for any thread."""
        self._errands.append(work)
        self._poller.wake()
        if self.done:  # nobody else will do it
            with self.lock:
                self._run_errands()

    def _run_errands(self) -> None:
        self._sleeps_until = -inf  # this thread does the errands now and needs no waking
        while self._errands:
            self._errands.popleft()()

    def _run(self) -> None:
        failure: BaseException | None = None
        try:
            self._serve()
        except BaseException as error:
            failure = error
        for _ in range(3):  # a trace function and a profile function may also raise here, once each
            try:
                self._conclude(failure)
                return
            except BaseException as error:
                failure = failure or error

    def _conclude(self, failure: BaseException | None) -> None:
        with self.lock:
            if failure is not None:
                self._fail(failure)
            self._finish()

    def _serve(self) -> None:
        rounds = 0  # in a row in which something had arrived
        timeout: float | None = 0.0
        due = inf
        while True:
            ready = self._poller.wait(timeout)
            with self.lock:
                if self._errands:
                    self._run_errands()
                if self.ended:
                    return
                if ready:
                    rounds += 1
                    self._receive(ready, 1 if rounds <= SINGLES else MANY)
                    if self._tripwires is not None and ready != self._datagrams_only:
                        self._serve_connections(self._tripwires, ready)
                # An answer that waits to be read is not missing, so everything must be drained before the clock ticks,
                # including what came while this thread waited for the lock, under which the deadline was moved up.
                if rounds >= MAX_ROUNDS or (not ready and self._deadline() >= due):
                    rounds = 0
                    self._tick()
                self._sleeps_until = due = self._deadline()
                timeout = self._longest_sleep if due == inf else due - clock()
                if self._longest_sleep is not None and timeout is not None and timeout > self._longest_sleep:
                    timeout = self._longest_sleep
                self._tell_news()
            if self._spread:
                # The receivers of this flood, here and elsewhere, have more urgent work than this thread: next come
                # only the copies that others send back. It lets the receivers go first, and finds these copies all at
                # once.
                self._spread = False
                rounds = max(rounds, SINGLES)
                _give_way()

    def _receive(self, ready: list[int], limit: int) -> None:
        if self._fd in ready:
            self._socket.receive(self._feed, self._refused, limit)
        if self._multicast is not None and self._multicast.fileno() in ready:
            self._multicast.receive(self._feed_announcement, limit)

    def _serve_connections(self, tripwires: Tripwires, ready: list[int]) -> None:
        for fd in ready:
            tripwires.ready(fd, clock())

    def _tick(self) -> None:
        deadline, now = self.node.poll_deadline(), clock()
        if self._abandoned is not None and self._abandoned():
            self.node.leave(now=now)
            self._settle()
            self._end()
            return
        if deadline is not None and now >= deadline:
            self.node.feed_tick(now=now)
            self._settle()
        self._count_losses()
        while (trouble := self._socket.trouble()) is not None:
            self.log.notice(trouble)
        if self._own_address is not None and now >= self._own_address.due:
            self._look_after(self._own_address, now)
        if now >= self._resolver.deadline:
            self._resolver.turn(self.node, now)
            self._settle()
        if self._tripwires is not None:
            self._tripwires.rewire(self.node.tripwire_plan, now)  # there is no event when the node's own run changes
            if now >= self._tripwires.deadline:
                self._tripwires.turn(now)

    def _count_losses(self) -> None:
        if (losses := self._socket.losses()) is not None:
            self.node.feed_losses(losses)

    def _look_after(self, own_address: OwnAddress, now: float) -> None:
        notice = own_address.follow(self.node, now)
        if notice is not None:
            self.log.notice(notice)
            if self._multicast is not None:
                self._multicast.move(own_address.address.host)
            self._settle()

    def _deadline(self) -> float:
        deadline = self.node.poll_deadline()
        own = self._resolver.deadline if deadline is None else min(deadline, self._resolver.deadline)
        return own if self._tripwires is None else min(own, self._tripwires.deadline)

    def _feed(self, data: bytes, source: Address) -> None:
        self.node.feed_datagram(data, source, now=clock())
        self._settle()

    def _feed_announcement(self, data: bytes, source: Address) -> None:
        self.node.feed_announcement(data, source, now=clock())
        self._settle()

    def _refused(self, destination: Address, quoted: bytes) -> None:
        self.node.feed_evidence(KernelEvidence.REFUSED_UDP, destination, quoted, now=clock())
        self._settle()

    def _connection_says(self, kind: KernelEvidence, address: Address, greeting: bytes) -> None:
        self.node.feed_evidence(kind, address, greeting, now=clock())
        self._settle()

    def _settle(self) -> None:
        """Send the node's datagrams and hand out its events, as after every input and act."""
        if self._settling:  # a refusal that surfaced in `send`: the loop that called it handles this, too
            return
        self._settling = True
        try:
            self._drain_outputs()
        finally:
            self._settling = False

    def _drain_outputs(self) -> None:
        node, news, sent = self.node, False, 0
        while (datagram := node.poll_datagram()) is not None:
            sent += 1
            if datagram.destination == self._group:
                self._announce(datagram.payload)
            else:
                self._socket.send(datagram.payload, datagram.destination, self._refused)
        self._spread = self._spread or sent > 1
        if self._socket.unsent:
            self._count_losses()
        while (event := node.poll_event()) is not None:
            news = True
            self._publish(event)
        if self._tripwires is not None:
            while (address := node.poll_connect()) is not None:
                self._tripwires.test(address)
            if news:
                self._tripwires.rewire(node.tripwire_plan, clock())
        if news or (self._leaving and node.has_left):
            self._news = True

    def _announce(self, payload: bytes) -> None:
        trouble = self._multicast.send(payload) if self._multicast is not None else None
        if trouble is not None:
            self.log.notice(Notice(WARNING, "multicast", trouble))

    def _publish(self, event: Event) -> None:
        if self._own_address is not None:
            self._own_address.heard(event)
        self._on_event(event)
        if isinstance(event, JoinAttempt):
            self._resolver.refresh(clock())
        for queue in self._queues:
            queue.push(event)
        notice = self._notices.of(event)
        if notice is not None:
            self.log.notice(notice)

    def _fail(self, error: BaseException) -> None:
        if not self.ended:
            self.failure = error
            self.log.say(ERROR, "the node failed", error=error)
        self._end()

    def _end(self) -> None:
        self.ended = True
        self._resolver.stop()
        self._notify()
        self._poller.wake()

    def _finish(self) -> None:
        try:
            self._close()
        finally:
            self.done = True
            self._run_errands()  # they find that the node has ended
            self._notify()

    def _tell_news(self) -> None:
        """Wake the waiting threads. Do this last, since they need the lock that this thread still holds."""
        if self._news:
            self._news = False
            self._notify()

    def _notify(self) -> None:
        self.changed.notify_all()
        if self._on_change is not None:
            self._on_change()

    def _close(self) -> None:
        if self._key_watch is not None:
            self._key_watch.stop()
        self._socket.close()
        if self._multicast is not None:
            self._multicast.close()
        if (
            self._tripwires is not None
        ):  # a member whose connection closes without an announcement takes this for a crash
            self._tripwires.close(announce=self.failure is None)
        self._poller.close()


_engines: "WeakSet[Engine]" = WeakSet()
"""All engines, ended ones included: in the child of a fork their locks may be held, too."""


def _after_fork_in_child() -> None:
    for engine in list(_engines):
        engine.after_fork_in_child()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork_in_child)
