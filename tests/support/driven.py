"""A loop as an embedder writes it: a thread gives a `Driver` its turns, and others use the node meanwhile."""

import select
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Any, TypeVar

from support.inside import engine_of, socket_of
from support.waiting import SOON
from swim_core import (
    Contact,
    Event,
    Evidence,
    Keys,
    Member,
    MemberJoined,
    MemberPinged,
    NotRunning,
    Statistics,
)
from swim_core.embedding.event_queue import EventQueue
from swim_core.embedding.host_port import HostPort
from swim_threads.driver import Driver

__all__ = ["DrivenNode"]

T = TypeVar("T")


class DrivenNode:
    """What all adapters offer, built from a driver, a thread, a lock and a pair of sockets that wakes the thread."""

    def __init__(self, bind: HostPort | None, **arguments: Any) -> None:
        self.changed = threading.Condition(threading.RLock())
        self.queues: list[EventQueue] = []
        self._woken, self._waker = socket.socketpair()
        try:
            self.driver = Driver(bind, on_event=self._tell, on_earlier=partial(self._waker.send, b"\0"), **arguments)
        except BaseException:
            self._woken.close()
            self._waker.close()
            raise
        self._ended = False
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended:
            with self.changed:
                timeout = self.driver.timeout()
            ready, _, _ = select.select([self.driver.fileno(), self._woken.fileno()], [], [], timeout)
            with self.changed:
                if self._woken.fileno() in ready:
                    self._woken.recv(4096)
                self.driver.turn()
                self.changed.notify_all()

    def _tell(self, event: Event) -> None:
        for queue in self.queues:
            queue.push(event)

    def do(self, call: Callable[[], T]) -> T:
        with self.changed:
            if self._ended:
                raise NotRunning("it was closed")
            return call()

    @property
    def local(self) -> Member:
        return self.driver.local

    def members(self, *, gone: bool = False) -> tuple[Member, ...]:
        with self.changed:
            return self.driver.members(gone=gone)

    def member(self, name: str) -> Member | None:
        with self.changed:
            return self.driver.member(name)

    def statistics(self) -> Statistics:
        with self.changed:
            return self.driver.statistics()

    def explain(self, name: str) -> Evidence | None:
        with self.changed:
            return self.driver.explain(name)

    def contact(self, name: str) -> Contact | None:
        with self.changed:
            return self.driver.contact(name)

    def ping(self, name: str) -> float | None:
        events = self.subscribe()
        self.do(lambda: engine_of(self.driver).act(lambda node, now: node.ping(name, now=now)))
        while not isinstance(event := events.get(SOON), MemberPinged):
            pass
        return event.round_trip

    def set_keys(self, keys: Keys | str | Iterable[str]) -> None:
        self.do(lambda: self.driver.set_keys(keys))

    def remove(self, name: str) -> None:
        self.do(lambda: self.driver.remove(name))

    def force_leave(self, name: str) -> None:
        self.do(lambda: self.driver.force_leave(name))

    def broadcast(self, payload: bytes) -> int:
        return self.do(lambda: self.driver.broadcast(payload))

    def send(self, to: str | Member, payload: bytes) -> None:
        self.do(lambda: self.driver.send(to, payload))

    def update_metadata(self, metadata: Mapping[str, str]) -> None:
        self.do(lambda: self.driver.update_metadata(metadata))

    def join(self, seeds: str | Iterable[HostPort]) -> None:
        self.do(lambda: self.driver.join(seeds))

    def wait_for_members(self, count: int, timeout: float | None = None) -> tuple[Member, ...]:
        with self.changed:
            if not self.changed.wait_for(lambda: self._ended or len(self.driver.members()) >= count, timeout):
                raise TimeoutError(f"no {count} members")
            return self.do(self.driver.members)

    def subscribe(self, *, current: bool = False) -> "DrivenSubscription":
        return self.do(lambda: DrivenSubscription(self, current=current))

    def leave(self) -> None:
        with self.changed:
            self.do(self.driver.leave)
            assert self.changed.wait_for(lambda: self._ended or self.driver.has_left, SOON)

    def close(self) -> None:
        if not self._ended:
            self.leave()
        self.kill()

    def kill(self) -> None:
        if self._ended:
            return
        self._ended = True
        self._waker.send(b"\0")
        self._thread.join(SOON)
        socket_of(self.driver).close()
        self._woken.close()
        self._waker.close()
        with self.changed:
            self.changed.notify_all()

    @property
    def ended(self) -> bool:
        return self._ended


class DrivenSubscription:
    """The events of a node, kept as an adapter would keep them."""

    def __init__(self, node: DrivenNode, *, current: bool) -> None:
        self._node = node
        self._queue = EventQueue(engine_of(node.driver).event_buffer)
        others = [member for member in node.members() if member.name != node.local.name]
        self._current: list[Event] = [MemberJoined(member) for member in others] if current else []
        node.queues.append(self._queue)

    def get(self, timeout: float | None = None) -> Event:
        end = time.monotonic() + (SOON if timeout is None else timeout)
        with self._node.changed:
            while True:
                event = self._current.pop(0) if self._current else self._queue.pop()
                if event is not None:
                    return event
                if self._node.ended:
                    raise NotRunning("it was closed")
                if not self._node.changed.wait(end - time.monotonic()):
                    raise TimeoutError("no event in time")

    def close(self) -> None:
        with self._node.changed:
            self._node.queues.remove(self._queue)
