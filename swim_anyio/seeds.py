"""Keeps a node's seeds resolved: names are looked up in the background, and again before each attempt."""

import contextlib
import logging
import math
import socket
from collections.abc import Awaitable, Callable, Iterable
from functools import partial

import anyio

from swim_core import Address, ConfigError, NodeCrashed, NotRunning
from swim_core.address import canonical
from swim_threads.sockets.udp import family_of

from .base import BaseEngine

__all__ = ["Seeds", "look_up", "numeric"]

log = logging.getLogger("swim_anyio.seeds")

Seed = tuple[str, int]
Families = tuple[socket.AddressFamily, ...]
Resolver = Callable[[str, int, Families], Awaitable[list[Address]]]

RETRY_FIRST = 1.0  # seconds until an unresolvable name is tried again, doubled each time
RETRY_MAX = 60.0  # as `join_backoff_max`: a seed that appears later is found within a minute
FRESH = 0.5  # seconds for which an answer serves, less than between two attempts: the attempt that it causes needs none


class Seeds:
    """The addresses to join, some given as names.

    Args:
        families: of the addresses that the node's socket reaches.
        engine: whose node joins them.
        resolver: finds the addresses of names, in place of `look_up`.
    """

    def __init__(self, families: Families, engine: BaseEngine, *, resolver: Resolver | None = None) -> None:
        self._families = families
        self._resolver = resolver
        self._engine = engine
        self._numeric: list[Address] = []
        self._names: dict[Seed, list[Address]] = {}  # and what each was last resolved to
        self._resolved_at: dict[Seed, float] = {}
        self._looking: set[Seed] = set()

    def replace(self, seeds: Iterable[Seed]) -> None:
        """Take another list: numeric addresses count at once, names as soon as they are resolved."""
        self._numeric, names = [], {}
        for seed in seeds:
            address = numeric(*seed)
            if address is None:
                names[seed] = self._names.get(seed, [])
            elif family_of(address.host) in self._families:
                self._numeric.append(address)
            else:
                extra = {"event": "unreachable", "seeds": [str(address)]}
                log.warning("the seed %s is out of reach of this node: another IP version", address, extra=extra)
        self._names = names
        self._engine.on_join_attempt = self.refresh if names else None
        self._join()
        self.refresh()

    def refresh(self) -> None:
        """Look up again each name whose addresses are not fresh."""
        stale = self._engine.clock() - FRESH
        for seed in self._names:
            if seed not in self._looking and self._resolved_at.get(seed, -math.inf) <= stale:
                self._looking.add(seed)
                self._engine.spawn(partial(self._look_up, seed))

    def _join(self) -> None:
        """Tell the node the addresses known so far, each once."""
        found = [address for addresses in self._names.values() for address in addresses]
        addresses = dict.fromkeys(self._numeric + found)
        self._engine.act(lambda core, now: core.join(addresses, now=now))

    async def _look_up(self, seed: Seed) -> None:
        delay = RETRY_FIRST
        try:
            while seed in self._names:
                try:
                    found = await (self._resolver or look_up)(*seed, self._families)
                except OSError as error:
                    level = logging.WARNING if delay == RETRY_FIRST else logging.DEBUG
                    extra = {"event": "unresolved", "seeds": [seed[0]]}
                    log.log(level, "the seed %r does not resolve, retrying: %s", seed[0], error, extra=extra)
                else:
                    self._found(seed, found)
                    return
                await anyio.sleep(delay)
                delay = min(2 * delay, RETRY_MAX)
        finally:
            self._looking.discard(seed)

    def _found(self, seed: Seed, found: list[Address]) -> None:
        self._resolved_at[seed] = self._engine.clock()
        if seed in self._names and self._names[seed] != found:
            self._names[seed] = found
            with contextlib.suppress(NotRunning, NodeCrashed):  # it has left meanwhile
                self._join()


def numeric(host: str, port: int) -> Address | None:
    """The address, if ``host`` is a numeric one; None for a name."""
    try:
        return canonical(host, port)
    except ConfigError:
        return None


async def look_up(host: str, port: int, families: Families = ()) -> list[Address]:
    """The addresses of a name, canonical, each once, in the resolver's order.

    Args:
        host: a name, or a numeric host, which is its own answer.
        port: of the addresses.
        families: which are of use; all if empty.

    Raises:
        OSError: if there are none.
    """
    family = families[0] if len(families) == 1 else socket.AF_UNSPEC
    try:
        answers = await anyio.getaddrinfo(host, port, family=family, type=socket.SOCK_DGRAM)
    except UnicodeError as error:  # no name that DNS could hold
        raise OSError(f"{host!r} is not a host name: {error}") from error
    return list(dict.fromkeys(canonical(*answer[4][:2]) for answer in answers))
