"""The thread that runs a node: it waits for sockets, deadlines and errands, and wakes up as seldom as possible."""

import os
import threading
from collections import deque
from collections.abc import Callable
from math import inf
from typing import TypeVar
from weakref import WeakSet

from swim_core import NodeCrashed, NotRunning
from swim_core.embedding.log_messages import ERROR
from swim_core.embedding.mistakes import BROKEN_OFF

from .clock import clock
from .condition import Condition
from .errands import Errand, Worker, in_main_thread
from .logs import Log
from .pump import Pump
from .sockets.poller import Poller

__all__ = ["LOOK_AFTER", "ProtocolThread"]

T = TypeVar("T")

# A datagram usually comes alone, and asking for a second one that isn't there costs a fifth of the wake-up (an
# exception on a cold path), so a burst is recognized only at its fifth datagram. But a flood must not stop the clock:
# after this many rounds, everything is read that the default receive buffer held at the deadline.
SINGLES, MANY = 4, 64
MAX_ROUNDS = 12

LOOK_AFTER = 1.0  # seconds; a thread that waits longer for the protocol thread checks whether that still runs

_give_way: Callable[[], None] = getattr(os, "sched_yield", lambda: None)


class ProtocolThread:
    """One node's thread and its lock, the errands that other threads have it run, and its end.

    The node is touched only under ``lock``, and no code of the user's (listeners, log handlers) runs under it or in
    this thread.

    A signal handler may raise an exception anywhere in the main thread. So changes that the main thread asks for are
    made by the protocol thread (`do`), and such an exception ends the wait for them. To look, the main thread takes the
    lock, which must not stay held. A ``with`` around the lock itself makes sure of that, since nothing comes between
    taking it and the block (except in early releases of Python 3.14, where one instruction does). A context manager
    written in Python would not, so there are functions to call instead; and no such block contains a loop, whose last
    jump Python 3.13 leaves outside.

    Attributes:
        lock: guards the node, and everything here.
        changed: notified, under ``lock``, after events and when the node has left, ends or fails.
        log: the node's log.
        forked: True in a forked child process, which may not use the node.
        ended: True from the moment the thread is to stop, or the node fails.
        done: True once the sockets are closed and the thread has only its last few instructions left.
        failure: what broke the node, or None.
    """

    def __init__(
        self,
        pump: Pump,
        poller: Poller,
        log: Log,
        *,
        longest_sleep: float | None,
        on_change: Callable[[], None] | None,
        abandoned: Callable[[], bool] | None,
    ) -> None:
        """Prepare the thread, which `begin` starts.

        ``on_change`` is called, under the lock, whenever ``changed`` is notified and at the very end. Before each tick
        ``abandoned`` is asked, also under the lock, whether nobody is left to use the node and close it: then the node
        says goodbye once and ends.
        """
        self.lock = threading.Lock()
        self.changed = Condition(self.lock)
        self.forked = self.ended = self.done = False
        self.failure: BaseException | None = None
        self._failure_told = False
        self._midway = False  # in a change of the node, or one was broken off, and so was the note of that
        self.log = log
        self._pump = pump
        self._poller = poller
        self._longest_sleep = longest_sleep
        self._on_change = on_change
        self._abandoned = abandoned
        self._errands: deque[Callable[[], None]] = deque()
        self._sleeps_until = -inf
        self._thread = Worker(self._run, f"swim {pump.node.local.name}")
        _threads.add(self)

    def begin(self) -> None:
        """Start the thread.

        Raises:
            RuntimeError: if no thread can be started, or it ended at once.
        """
        self._thread.begin()

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

    # what other threads ask for

    def do(self, work: Callable[[], T]) -> T:
        """Have ``work`` done under the lock, completely or not at all, whatever signal handlers raise.

        In the main thread such an exception ends the wait: the protocol thread has done the work or does it soon.

        Returns:
            What ``work`` returns. Its exceptions are raised.
        """
        if not in_main_thread() or self.done or self._thread.ident is None:
            try:
                with self.lock:
                    return work()
            except BaseException:
                self._poller.wake()  # if the caller's stack is used up, the protocol thread does what is left to do
                raise
        errand = Errand(work)
        try:
            self._run_soon(errand.run)
            while not errand.wait(LOOK_AFTER):
                self.see_that_it_lives()
        except BaseException:
            self._poller.wake()  # the exception may have come between the errand and its wake-up
            raise
        return errand.outcome()

    def see_that_it_lives(self) -> None:
        """Have the node fail if the protocol thread is gone silently: nobody would do its work."""
        if not self._thread.is_alive() and not self.done:
            with self.lock:
                self._fail(RuntimeError("the protocol thread has ended: threading.excepthook was told why"))
                self._finish()

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

    def after_fork_in_child(self) -> None:
        """Give up this copy: its sockets are closed (`sockets.owned`), its locks may never be released."""
        self.forked = self.ended = self.done = True
        self.lock = threading.Lock()
        self.changed = Condition(self.lock)

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

    # what the thread does

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
            self._end()
            self._finish()

    def _serve(self) -> None:
        pump = self._pump
        rounds = 0  # in a row in which something had arrived
        timeout: float | None = 0.0
        due = inf
        while True:
            ready = self._poller.wait(timeout)
            with self.lock:
                if self._errands:
                    self._run_errands()
                if self._midway:
                    raise RuntimeError(BROKEN_OFF)
                if self.ended:
                    return
                if ready:
                    rounds += 1
                    pump.receive(ready, 1 if rounds <= SINGLES else MANY)
                # An answer that waits to be read is not missing, so everything must be drained before the clock ticks,
                # including what came while this thread waited for the lock, under which the deadline was moved up.
                if rounds >= MAX_ROUNDS or (not ready and pump.deadline() >= due):
                    rounds = 0
                    self._tick()
                self._sleeps_until = due = pump.deadline()
                timeout = self._longest_sleep if due == inf else due - clock()
                if self._longest_sleep is not None and timeout is not None and timeout > self._longest_sleep:
                    timeout = self._longest_sleep
                self._tell_news()
            if pump.spread:
                # The receivers of this flood, here and elsewhere, have more urgent work than this thread: next come
                # only the copies that others send back. It lets the receivers go first, and finds these copies all at
                # once.
                pump.spread = False
                rounds = max(rounds, SINGLES)
                _give_way()

    def _tick(self) -> None:
        if self._abandoned is not None and self._abandoned():
            self._pump.leave(clock())
            self._pump.settle()
            self._end()
        else:
            self._pump.tick()

    def _tell_news(self) -> None:
        """Wake the waiting threads. Do this last, since they need the lock that this thread still holds."""
        if self._pump.news:
            self._notify()
            self._pump.news = False

    def _notify(self) -> None:
        self.changed.notify_all()
        if self._on_change is not None:
            self._on_change()

    # the end, under the lock

    def _fail(self, error: BaseException) -> None:
        if not self.ended:
            self.failure, self.ended = error, True  # first: a thread that fails deep in its stack may be unable to call
        self._end()

    def _end(self) -> None:
        """End the work. The thread does this once more, since another one that failed may not have got through."""
        self.ended = True
        if self.failure is not None and not self._failure_told:
            self.log.say(ERROR, "the node failed", error=self.failure)
            self._failure_told = True
        self._pump.stop_look_ups()
        self._notify()
        self._poller.wake()

    def _finish(self) -> None:
        try:
            self._close()
        finally:
            self.done = True
            self._run_errands()  # they find that the node has ended
            self._notify()

    def _close(self) -> None:
        self._pump.close(announce=self.failure is None)
        self._poller.close()


_threads: "WeakSet[ProtocolThread]" = WeakSet()
"""The threads of all nodes, ended ones included: in the child of a fork their locks may be held, too."""


def _after_fork_in_child() -> None:
    for thread in list(_threads):
        thread.after_fork_in_child()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_after_fork_in_child)
