"""The engine of an asynchronous node, whether it runs in the event loop or in a thread of its own."""

import os
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import TypeVar
from weakref import WeakSet

import anyio

from swim_core import Address, Event, MemberJoined, NodeCrashed, NotRunning, ProtocolNode, WrongThread
from swim_core.embedding.log_messages import ERROR
from swim_threads.key_file import KeyFile
from swim_threads.logs import Log
from swim_threads.resolver import Seed

from .loops import Loop
from .subscription import Subscription

__all__ = ["BaseEngine", "finish"]

T = TypeVar("T")


class BaseEngine(ABC):
    """Runs one node for one event loop. Only `stopped` waits, and everything is called from that loop.

    Attributes:
        core: the node; use it only in `look` and `act`, except for what never changes.
        lock: held while the node is used.
        clock: the node's time, seconds.
        event_buffer: events that a subscription holds.
        log: the node's log.
        failure: what broke the node, or None.
        left: set once the goodbye has been said often enough, or the node is closed.
        on_failure: called in the loop when the node breaks, twice if the first call is interrupted.
        threadsafe: whether the lock lets other threads use the node too.
    """

    threadsafe = False

    def __init__(
        self,
        core: ProtocolNode,
        loop: Loop,
        *,
        lock: AbstractContextManager[object],
        clock: Callable[[], float],
        event_buffer: int,
        log: Log,
    ) -> None:
        self.core = core
        self.log = log
        self.lock = lock
        self.clock = clock
        self.event_buffer = event_buffer
        self.failure: BaseException | None = None
        self.left = anyio.Event()
        self.on_failure: Callable[[], None] = _nothing
        self._loop = loop
        self._subscriptions: list[Subscription] = []
        self._closed = False
        self._disowned = False
        self._to_end: list[Callable[[], object]] = [loop.halt, self._release, self._tell_end]
        _engines.add(self)

    @abstractmethod
    def start(self) -> None:
        """Begin to listen, to keep time and, with a group, to discover others."""

    @abstractmethod
    def act(self, deed: Callable[[ProtocolNode, float], T]) -> T:
        """Have ``deed`` change the node, at the time passed to it; what the node then has to say is sent at once.

        Returns:
            What ``deed`` returns. Its exceptions are raised.

        Raises:
            NodeCrashed: if it failed.
            NotRunning: if it was closed, or in the child of a fork.
            WrongThread: outside the loop.
        """

    @abstractmethod
    def watch_keys(self, file: KeyFile) -> None:
        """Take over the keys in a file whenever it changes, until the node ends."""

    @abstractmethod
    def reload_keys(self) -> bool:
        """Have the key file read at once; False if there is none."""

    @abstractmethod
    def join(self, seeds: Iterable[Seed]) -> None:
        """Have the node ask ``seeds`` instead of earlier ones, and keep their names resolved. Raises as `act`."""

    @abstractmethod
    def remember(self, addresses: Sequence[Address]) -> None:
        """Have the node ask these former members besides its seeds (`Resolver.remember`). Raises as `act`."""

    @abstractmethod
    def leave(self) -> None:
        """Begin to say goodbye; `left` says when that is done. Raises as `act` does."""

    def close(self) -> None:
        """Say goodbye once, unless that was done, and end everything. Never waits; a second call ends what is left."""
        self.on_failure = _nothing  # the block ends anyway
        try:
            if not self._closed:
                self.failure = self._cause()
            if self.running:
                self._say_goodbye()
        except Exception as error:
            self.log.say(ERROR, "the node could not say goodbye", error=error)
        finally:
            self._end()

    @abstractmethod
    async def stopped(self) -> None:
        """Wait until nothing of the node is running; call it after `close`."""

    @abstractmethod
    def spawn(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run ``work`` in the background, until the node ends; an exception breaks the node."""

    @abstractmethod
    def _say_goodbye(self) -> None:
        """Begin to leave, and send what there is to send at once."""

    @abstractmethod
    def _release(self) -> None:
        """Close the sockets, or have them closed soon."""

    @property
    def running(self) -> bool:
        """Whether it was neither closed nor failed, here or in the process that forked this one; for any thread."""
        return not self._closed and self._cause() is None

    def check_owned(self) -> None:
        """Raises NotRunning in the child of a fork."""
        if self._disowned:
            raise NotRunning("this node belongs to the process that forked this one: open another one here")

    def check_sound(self) -> None:
        """Raises NodeCrashed if the node failed."""
        if (cause := self._cause()) is not None:
            if self._to_end:  # the loop's call for that may have been broken off at once, or never asked for
                self._loop.post(self._end_in_turn)
            raise NodeCrashed("the node failed") from cause

    def check_loop(self) -> None:
        """Check that the caller is in the node's loop, and not in the child of a fork.

        Raises:
            NotRunning: in the child of a fork.
            WrongThread: outside the loop, unless the node is closed and no longer changes.
        """
        self.check_owned()
        if not self._closed and not self._loop.is_current():
            raise WrongThread("an asynchronous node is used from within its own event loop only")

    def check_usable(self) -> None:
        """As `check_loop`, and check that the node has not failed.

        Raises:
            NodeCrashed: if it failed.
            NotRunning: in the child of a fork.
            WrongThread: outside the loop, unless the node is closed and no longer changes.
        """
        self.check_loop()
        self.check_sound()

    def check_running(self) -> None:
        """As `check_usable`, and check that the node is not closed.

        Raises:
            NodeCrashed: if it failed.
            NotRunning: if it was closed, or in the child of a fork.
            WrongThread: outside the loop.
        """
        self.check_usable()
        if self._closed:
            raise NotRunning("this node is closed")

    def look(self, question: Callable[[ProtocolNode], T]) -> T:
        """The answer of ``question``, which may look at the node; also after the end, except after a failure.

        Raises as `check_usable` does. This is a function and not a context manager: see `swim_threads.engine.Engine`.
        """
        self.check_usable()
        with self.lock:
            return question(self.core)

    def subscribe(self, *, current: bool) -> Subscription:
        """A new subscription; with ``current``, `MemberJoined` for each other live member comes first."""
        self.check_running()
        with self.lock:
            return self._subscribe(current)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stop passing events to a subscription. A second call does nothing."""
        with self.lock:
            self._unsubscribe(subscription)

    def disown(self) -> None:
        """Refuse to go on in the child of a fork, where the sockets are already closed."""
        self._disowned = self._closed = True
        self._to_end = []  # the loop shares what it asks the kernel with the parent's

    def _cause(self) -> BaseException | None:
        """What broke the node, whether the loop knows it yet or not."""
        return self.failure

    def _subscribe(self, current: bool) -> Subscription:
        own = self.core.local.name
        members = self.core.members() if current else ()
        subscription = Subscription(self, [MemberJoined(member) for member in members if member.name != own])
        self._subscriptions.append(subscription)
        return subscription

    def _unsubscribe(self, subscription: Subscription) -> None:
        self._subscriptions = [other for other in self._subscriptions if other is not subscription]

    def _keep(self, event: Event) -> None:
        """Give every subscription the event. Under the lock."""
        for subscription in self._subscriptions:
            subscription.push(event)

    def _end(self) -> None:
        """End everything at once, without a goodbye. What is broken off is done in the loop's next turn, or by the next
        call."""
        self._closed = True
        if self._to_end:
            try:
                finish(self._to_end)
            except BaseException:
                self._loop.post(self._end_in_turn)
                raise

    def _end_in_turn(self) -> None:
        """End everything, in a turn of the loop: there the stack is fresh, and what can't be done then never can."""
        while True:
            for _ in range(ATTEMPTS):
                try:
                    self._note_cause()
                    finish(self._to_end)
                    return
                except Exception as error:
                    trouble = error
            del self._to_end[:1]
            self.log.say(ERROR, "not all of the node could be ended", error=trouble)

    def _note_cause(self) -> None:
        if not self._closed:
            self.failure = self._cause()
        self._closed = True

    def _tell_end(self) -> None:
        self.left.set()
        for subscription in self._subscriptions:
            subscription.end(self.failure)
        if self.failure is not None:
            self.on_failure()


ATTEMPTS = 3  # more than the interruptions within a millisecond


def finish(steps: list[Callable[[], object]]) -> None:
    """Carry out ``steps`` in order, each of which may be repeated, and take out those that are done.

    Then raise what interrupted them, unless that was an `Exception` and they are done.
    """
    interruption: BaseException | None = None
    for _ in range(ATTEMPTS):
        try:
            while steps:
                steps[0]()
                del steps[0]
            break
        except BaseException as error:
            interruption = interruption or error
    if interruption is not None and (steps or not isinstance(interruption, Exception)):
        raise interruption


def _nothing() -> None:
    pass


_engines: WeakSet[BaseEngine] = WeakSet()
"""All engines, ended ones included: in the child of a fork their locks may be held, too."""


def _disown_all() -> None:
    for engine in list(_engines):
        engine.disown()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_disown_all)
