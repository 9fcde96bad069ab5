"""Seeds given by name: resolved in a thread that lives only while some name waits for it."""

import contextlib
import errno
import logging
import random
import socket
import threading
from collections.abc import Callable, Collection, Iterable, Sequence

import attrs

from swim_core import Address, ConfigError
from swim_core.address import canonical

from .engine import clock

__all__ = ["Resolver", "numeric", "resolve"]

logger = logging.getLogger("swim_threads.seeds")

Seed = tuple[str, int]
ANY_FAMILY = (socket.AF_INET, socket.AF_INET6)

MIN_BACKOFF, MAX_BACKOFF = (
    1.0,
    60.0,
)  # seconds between two tries at a name that doesn't resolve, the protocol's for seeds
FRESH = 0.5  # seconds, less than between two attempts at a seed: a join must not cause the resolution that caused it


def numeric(host: str, port: int) -> Address | None:
    """The address, if ``host`` is a numeric one; None for a name."""
    try:
        return canonical(host, port)
    except ConfigError:
        return None


def resolve(host: str, port: int, families: Collection[int] = ANY_FAMILY) -> tuple[Address, ...]:
    """What a name stands for in ``families``, each address once, in the system's order. Blocks.

    Raises:
        OSError: if it does not resolve to any.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
    except UnicodeError as error:  # what the IDNA codec makes of a label that is empty or too long
        raise OSError(errno.EINVAL, "no host name") from error
    addresses = dict.fromkeys(canonical(str(entry[4][0]), port) for entry in found if entry[0] in families)
    if not addresses:
        raise OSError(errno.EAFNOSUPPORT, "no address of an IP version that the socket reaches")
    return tuple(addresses)


@attrs.define(eq=False)
class _Name:
    """A name and what is known of it; ``due`` is when to resolve it, None when it need not be."""

    seed: Seed
    due: float | None
    addresses: tuple[Address, ...] = ()
    resolved_at: float = float("-inf")
    failures: int = 0


class Resolver:
    """Knows the addresses of the seeds. Its methods are called under the lock that it was given, save `join`."""

    def __init__(self, lock: threading.Lock, families: Collection[int], apply: Callable[[], None]) -> None:
        """Resolve names in ``families``; after each change ``apply`` is called, without the lock."""
        self._changed = threading.Condition(lock)
        self._families = families
        self._apply = apply
        self._seeds: tuple[Seed, ...] = ()
        self._names: dict[Seed, _Name] = {}
        self._thread: threading.Thread | None = None
        self._blocked = False  # in getaddrinfo, which nothing interrupts
        self._stopped = False

    def known(self, seeds: Iterable[Seed] | None = None) -> tuple[Address, ...]:
        """The addresses of ``seeds``, by default those of `replace`, as far as they are known."""
        addresses: dict[Address, None] = {}
        for seed in self._seeds if seeds is None else seeds:
            address = numeric(*seed)
            found = self._names[seed].addresses if seed in self._names else ()
            addresses.update(dict.fromkeys([address] if address else found))
        return tuple(addresses)

    def replace(self, seeds: Sequence[Seed]) -> None:
        """Take ``seeds`` in place of others, and resolve the names among them that are new."""
        self._seeds = tuple(seeds)
        now = clock()
        names = [seed for seed in seeds if numeric(*seed) is None]
        self._names = {seed: self._names.get(seed) or _Name(seed, due=now) for seed in names}
        self._start()

    def refresh(self) -> None:
        """The seeds are about to be asked: resolve names anew that were not resolved just now."""
        now = clock()
        for name in self._names.values():
            if name.due is None and now - name.resolved_at > FRESH:
                name.due = now
        self._start()

    def stop(self) -> None:
        """Resolve no more."""
        self._stopped = True
        self._changed.notify_all()

    def join(self) -> None:
        """After `stop` wait for the thread, unless the system's resolver holds it; then it ends with that call."""
        thread = self._thread
        if thread is not None and not self._blocked and thread is not threading.current_thread():
            thread.join()

    def _start(self) -> None:
        if self._thread is None and not self._stopped and any(name.due is not None for name in self._names.values()):
            thread = threading.Thread(target=self._run, name="swim resolver", daemon=True)
            with contextlib.suppress(RuntimeError):  # the interpreter is ending
                thread.start()
                self._thread = thread
        self._changed.notify_all()

    def _run(self) -> None:
        while (name := self._next()) is not None:
            try:
                outcome: tuple[Address, ...] | OSError = resolve(*name.seed, self._families)
            except OSError as error:
                outcome = error
            with self._changed:
                self._blocked = False
                first_failure = isinstance(outcome, OSError) and not name.failures
                news = self._record(name, outcome) and not self._stopped
            if first_failure:
                extra = {"event": "unresolved", "seeds": [name.seed[0]]}
                logger.warning("the seed %r does not resolve, retrying: %s", name.seed[0], outcome, extra=extra)
            if news:
                self._apply()

    def _next(self) -> _Name | None:
        """Wait for the next name to resolve; None when there is none, and then the thread is to end."""
        with self._changed:
            while True:
                waiting = [(name.due, name) for name in self._names.values() if name.due is not None]
                if self._stopped or not waiting:
                    self._thread = None
                    return None
                due, name = min(waiting, key=lambda pair: pair[0])
                now = clock()
                if due <= now:
                    self._blocked = True
                    return name
                self._changed.wait(due - now)

    def _record(self, name: _Name, outcome: tuple[Address, ...] | OSError) -> bool:
        """Note what came of it; returns whether the addresses are others now."""
        if isinstance(outcome, OSError):
            backoff = min(MAX_BACKOFF, MIN_BACKOFF * 2**name.failures) * random.uniform(0.75, 1.0)
            name.failures = min(name.failures + 1, 10)
            name.due = clock() + backoff
            return False
        name.failures, name.due, name.resolved_at = 0, None, clock()
        before, name.addresses = name.addresses, outcome
        return set(outcome) != set(before) and self._names.get(name.seed) is name
