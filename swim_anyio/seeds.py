"""Keeps a node's seeds resolved: names are looked up in the background, and again before each attempt."""

import logging
import math
import socket
from collections.abc import Iterable
from functools import partial

import anyio

from swim_core import Address, ConfigError
from swim_core.address import canonical

from .engine import Engine

__all__ = ["Seeds", "look_up"]

log = logging.getLogger("swim_anyio")

Seed = tuple[str, int]

RETRY_FIRST = 1.0  # seconds until an unresolvable name is tried again, doubled each time
RETRY_MAX = 60.0  # as `join_backoff_max`: a seed that appears later is found within a minute
FRESH = 0.5  # seconds for which an answer serves, less than between two attempts: the attempt that it causes needs none


class Seeds:
    """The addresses to join, some given as names.

    Args:
        family: of the addresses that the socket reaches, AF_UNSPEC for both.
        engine: whose node joins them.
    """

    def __init__(self, family: socket.AddressFamily, engine: Engine) -> None:
        self._family = family
        self._engine = engine
        engine.on_join_attempt = self.refresh
        self._numeric: list[Address] = []
        self._names: dict[Seed, list[Address]] = {}  # and what each was last resolved to
        self._resolved_at: dict[Seed, float] = {}
        self._looking: set[Seed] = set()

    def replace(self, seeds: Iterable[Seed]) -> None:
        """Take another list: numeric addresses count at once, names as soon as they are resolved."""
        self._numeric, names = [], {}
        for seed in seeds:
            try:
                self._numeric.append(canonical(*seed))
            except ConfigError:
                names[seed] = self._names.get(seed, [])
        self._names = names
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
        self._engine.core.join(dict.fromkeys(self._numeric + found), now=self._engine.clock())
        self._engine.settle()

    async def _look_up(self, seed: Seed) -> None:
        delay = RETRY_FIRST
        try:
            while seed in self._names:
                try:
                    found = await look_up(*seed, self._family)
                except OSError as error:
                    log.warning("the seed %s can't be resolved (%s); next try in %g s", seed[0], error, delay)
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
            self._join()


async def look_up(host: str, port: int, family: socket.AddressFamily = socket.AF_UNSPEC) -> list[Address]:
    """The addresses of a name, canonical, in the resolver's order.

    Raises:
        OSError: if there are none.
    """
    try:
        answers = await anyio.getaddrinfo(host, port, family=family, type=socket.SOCK_DGRAM)
    except UnicodeError as error:  # no name that DNS could hold
        raise OSError(f"{host!r} is not a host name: {error}") from error
    return list(dict.fromkeys(canonical(*answer[4][:2]) for answer in answers))
