"""Looks names up: the system's resolver, which can't be interrupted, runs in a few threads that hold nobody up.

All nodes of a process share three daemon threads. They are started when there is something to look up and end when
there isn't; the interpreter does not wait for them. A name that has been slow, or is already being looked up, never
takes the last thread. So a name that has given no trouble gets its turn, whatever hangs.
"""

import contextlib
import errno
import os
import socket
import threading
import time
from collections.abc import Callable, Collection
from typing import TypeAlias

import msgspec

from swim_core import Address, ConfigError
from swim_core.address import canonical

from .services import is_service, targets

__all__ = ["ANY_FAMILY", "LONGEST", "LookUp", "LookUps", "Outcome", "look_ups", "numeric", "resolve", "resolve_within"]

ANY_FAMILY = (socket.AF_INET, socket.AF_INET6)
LONGEST = 10.0
"""Seconds to wait for a look-up: longer than glibc takes to try one name server twice."""
THREADS = 3
SLOW = 1.0  # seconds after which a name counts as slow
MAX_SLOW = 256  # slow names remembered

Outcome: TypeAlias = tuple[Address, ...] | OSError


def numeric(host: str, port: int) -> Address | None:
    """The address, if ``host`` is a numeric one; None for a name."""
    try:
        return canonical(host, port)
    except ConfigError:
        return None


def resolve(host: str, port: int, families: Collection[int] = ANY_FAMILY) -> tuple[Address, ...]:
    """The addresses of a name in ``families``, each once, in the system's order. Blocks.

    For a service name, the addresses of all of its targets, with their ports.

    Raises:
        OSError: if it does not resolve to any.
    """
    if not is_service(host):
        return _resolve(host, port, families)
    found: dict[Address, None] = {}
    failure = OSError(errno.ENOENT, "none of its targets resolves")
    for target in targets(host):
        try:
            address = numeric(*target)
            found |= dict.fromkeys([address] if address is not None else _resolve(*target, families))
        except OSError as error:
            failure = error
    if not found:
        raise failure
    return tuple(found)


def _resolve(host: str, port: int, families: Collection[int]) -> tuple[Address, ...]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except UnicodeError as error:  # from the IDNA codec, for a label that is empty or too long
        raise OSError(errno.EINVAL, "not a host name") from error
    addresses = dict.fromkeys(canonical(str(entry[4][0]), port) for entry in found if entry[0] in families)
    if not addresses:
        raise OSError(errno.EAFNOSUPPORT, "no address of an IP version that the socket supports")
    return tuple(addresses)


class LookUp(msgspec.Struct, frozen=True, eq=False):
    """A name to look up; ``done`` is called with the outcome, in a thread of `LookUps`, under no lock."""

    host: str
    port: int
    families: Collection[int]
    done: Callable[[Outcome], None]


class LookUps:
    """At most three threads, and the names that wait for one of them. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._threads: set[threading.Thread] = set()
        self._waiting: list[LookUp] = []
        self._running: list[LookUp] = []
        self._slow: dict[str, None] = {}

    def ask(self, look_up: LookUp) -> None:
        """Have a name looked up as soon as there is a thread for it. Never waits.

        Raises:
            OSError: if no thread can be started: the system has none left, or the interpreter is ending.
        """
        with self._lock:
            self._waiting.append(look_up)
            if len(self._threads) < THREADS and not self._start() and not self._threads:
                self._waiting.remove(look_up)
                raise OSError(errno.EAGAIN, "no thread could be started for the lookup")

    def cancel(self, look_up: LookUp) -> None:
        """Cancel a look-up that has not begun. One that has begun continues, and its outcome is reported."""
        with self._lock, contextlib.suppress(ValueError):
            self._waiting.remove(look_up)

    def _start(self) -> bool:
        thread = threading.Thread(target=self._run, name="swim resolver", daemon=True)
        try:
            self._threads.add(thread)
            thread.start()
        except RuntimeError:
            self._threads.discard(thread)
            return False
        except BaseException:  # from a signal handler: a thread that runs removes itself from the set at its end
            self._threads.discard(thread)
            raise
        return True

    def _run(self) -> None:
        while (look_up := self._next()) is not None:
            began, outcome = time.monotonic(), _outcome(look_up)
            with self._lock:
                self._running.remove(look_up)
                self._remember(look_up.host, time.monotonic() - began)
            look_up.done(outcome)

    def _next(self) -> LookUp | None:
        """The next name for this thread; None if there is none, and then the thread ends."""
        with self._lock:
            ready = self._ready()
            if not ready:  # the threads at work take care of the slow ones
                self._threads.discard(threading.current_thread())
                return None
            look_up = ready[0]
            self._waiting.remove(look_up)
            self._running.append(look_up)
            return look_up

    def _ready(self) -> list[LookUp]:
        hosts = {look_up.host for look_up in self._running}
        ready = [other for other in self._waiting if other.host not in self._slow and other.host not in hosts]
        return self._waiting if not ready and len(self._running) < THREADS - 1 else ready

    def _remember(self, host: str, took: float) -> None:
        self._slow.pop(host, None)
        if took > SLOW:
            self._slow[host] = None
            if len(self._slow) > MAX_SLOW:
                del self._slow[next(iter(self._slow))]

    def after_fork_in_child(self) -> None:
        """The threads run in the parent, and the lock may never be released."""
        self.__init__()  # type: ignore[misc]


def _outcome(look_up: LookUp) -> Outcome:
    try:
        return resolve(look_up.host, look_up.port, look_up.families)
    except OSError as error:
        return error
    except Exception as error:  # a resolver with which a program replaced the system's may raise anything
        return OSError(errno.EIO, repr(error))


look_ups = LookUps()
"""The look-ups of this process."""

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=look_ups.after_fork_in_child)


def resolve_within(
    host: str, port: int, families: Collection[int] = ANY_FAMILY, seconds: float = LONGEST
) -> tuple[Address, ...]:
    """As `resolve`, but give up after some time.

    Raises:
        OSError: if it does not resolve, or not within ``seconds``.
    """
    outcomes: list[Outcome] = [OSError(errno.ETIMEDOUT, f"no answer from a name server within {seconds:g} s")]
    answered = threading.Event()

    def done(outcome: Outcome) -> None:
        outcomes.append(outcome)
        answered.set()

    look_ups.ask(look_up := LookUp(host, port, families, done))
    try:
        answered.wait(seconds)
    finally:
        look_ups.cancel(look_up)
    outcome = outcomes[-1]
    if isinstance(outcome, OSError):
        raise outcome
    return outcome
