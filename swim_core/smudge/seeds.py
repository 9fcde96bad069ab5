"""Seeds, which are asked until each is a live node, so that islands merge too."""

from collections.abc import Callable, Iterable, Sequence
from random import Random

import msgspec

from swim_core.address import Address
from swim_core.events import Event, JoinAttempt
from swim_core.shared.timers import Timer, Timers

from .peers import Peers
from .pings import Pings

__all__ = ["Seeds"]

FIRST_BACKOFF = 1.0  # seconds
LAST_BACKOFF = 60.0
VAIN = 2  # askings after which a seed counts as unanswered, as in the native protocol


class _Seed(msgspec.Struct):
    due: float
    backoff: float = FIRST_BACKOFF
    asked: int = 0
    asked_since: float = 0.0


class Seeds:
    """Pings the seeds that are not live nodes, with backoff, as long as the node runs."""

    def __init__(
        self,
        local: Address,
        peers: Peers,
        pings: Pings,
        timers: Timers,
        random: Random,
        emit: Callable[[Event], None],
    ) -> None:
        self._local = local
        self._peers = peers
        self._pings = pings
        self._timers = timers
        self._random = random
        self._emit = emit
        self._seeds: dict[Address, _Seed] = {}
        self._timer: Timer | None = None
        self._answering = False

    @property
    def addresses(self) -> Sequence[Address]:
        """The seeds, this node itself not among them."""
        return [*self._seeds]

    @property
    def unanswered(self) -> Sequence[Address]:
        """The seeds that were asked more than once and are not live nodes."""
        return [a for a, seed in self._seeds.items() if seed.asked >= VAIN and self._wanted(a)]

    def join(self, addresses: Iterable[Address], now: float) -> None:
        """Replace the seeds; those that remain keep their backoff, so a call in answer to `JoinAttempt` starts no new
        attempt."""
        self._seeds = {a: self._seeds.get(a) or _Seed(now) for a in addresses if a != self._local}
        if self._answering:
            self._answering = False
            self._ask(now)
        else:
            self._attempt(now)

    def _wanted(self, address: Address) -> bool:
        peer = self._peers.get(address)
        return peer is None or not peer.live

    def _attempt(self, now: float) -> None:
        self._answering = False
        if any(seed.due <= now and self._wanted(address) for address, seed in self._seeds.items()):
            vain = self.unanswered
            waited = now - min((self._seeds[address].asked_since for address in vain), default=now)
            self._emit(JoinAttempt(tuple(self._seeds), tuple(vain), waited))
            self._answering = True
        self._ask(now)

    def _ask(self, now: float) -> None:
        for address, seed in self._seeds.items():
            if seed.due > now:
                continue
            if self._wanted(address):
                self._pings.ping(address, now)
                seed.asked_since = seed.asked_since if seed.asked else now
                seed.asked += 1
                seed.due = now + seed.backoff * self._random.uniform(0.75, 1.25)
                seed.backoff = min(2 * seed.backoff, LAST_BACKOFF)
            else:
                seed.due, seed.backoff, seed.asked = now + LAST_BACKOFF, FIRST_BACKOFF, 0
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._seeds:
            self._timer = self._timers.at(min(seed.due for seed in self._seeds.values()), self._attempt)
