"""The addresses that a node asks to be let in, and how far it has got with each."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from swim_core.address import Address
from swim_core.errors import Overloaded
from swim_core.shared.timers import Timer

if TYPE_CHECKING:  # only with keys
    from swim_core.native.sealing.ring import RingKey

__all__ = ["FIRST_BACKOFF", "Seed", "SeedList"]

FIRST_BACKOFF = 1.0  # seconds
ANNOUNCED = 16  # announced addresses, asked once each, whose answers are awaited
MAX_ADDED = 64  # seeds that tools may add: each is asked for as long as the node runs


class Seed(msgspec.Struct):
    """One address. A *step* is a JOIN and its repetitions, which have one number, until the answer or the last try.

    Attributes:
        backoff: seconds until the next attempt but one, about.
        due: when to attempt it next.
        seq: the number of the step under way; None if there is none.
        cookie: the address's, in the second step.
        key: what its answer was sealed with, until the next JOIN is sent.
        tries: in this step.
        waits: how often more a late answer was waited for.
        announced: whether it is asked once only, and is no seed that the application named.
        known: whether it is asked even if it is a live member's address, to learn what it holds of this node.
        asked: how often it was asked since it last answered or was a live member.
        asked_since: when the first of these times was.
        led_back: whether the last question to it came back to this very node.
        shown: the epoch of the claim that it was shown last.
        renewed: whether it was once shown a later claim than the first one.
        dropped: whether it is to be asked no longer.
    """

    address: Address
    backoff: float
    due: float
    seq: int | None = None
    cookie: bytes | None = None
    key: "RingKey | None" = None
    tries: int = 0
    waits: int = 0
    announced: bool = False
    known: bool = False
    asked: int = 0
    asked_since: float = 0.0
    led_back: bool = False
    shown: int = 0
    renewed: bool = False
    dropped: bool = False
    timer: Timer | None = None

    def pause(self) -> None:
        """Don't repeat the JOIN under way."""
        if self.timer is not None:
            self.timer.cancel()

    def drop(self) -> None:
        """Ask it no longer."""
        self.dropped = True
        self.pause()


class SeedList:
    """The seeds that the application named and tools added, and the latest announced addresses.

    Iterating gives the seeds without the announced ones.
    """

    def __init__(self) -> None:
        self._seeds: dict[Address, Seed] = {}
        self._added: dict[Address, None] = {}
        self._announced: dict[Address, Seed] = {}

    def __iter__(self) -> Iterator[Seed]:
        return iter(self._seeds.values())

    @property
    def addresses(self) -> tuple[Address, ...]:
        """The addresses of the seeds."""
        return tuple(self._seeds)

    @property
    def announced(self) -> bool:
        """Whether there are announced addresses."""
        return bool(self._announced)

    def all(self) -> Sequence[Seed]:
        """The seeds and the announced addresses."""
        return [*self._seeds.values(), *self._announced.values()]

    def at(self, address: Address) -> Seed | None:
        """The seed there, if there is one."""
        return self._seeds.get(address)

    def is_announced(self, address: Address) -> bool:
        """Whether it is among the announced addresses."""
        return address in self._announced

    def replace(self, addresses: Sequence[Address], now: float) -> None:
        """Keep these seeds and those that tools added, and drop all others."""
        old = self._seeds
        self._seeds = {a: old.get(a) or Seed(a, FIRST_BACKOFF, now) for a in (*addresses, *self._added)}
        for seed in old.values():
            if seed.address not in self._seeds:
                seed.drop()

    def add(self, addresses: Sequence[Address], now: float) -> bool:
        """Add seeds that `replace` will keep; returns whether any of them is new.

        Raises:
            Overloaded: if there would be more added seeds than are allowed.
        """
        added = self._added | dict.fromkeys(a for a in addresses if a not in self._seeds)
        if len(added) > MAX_ADDED:
            raise Overloaded(f"at most {MAX_ADDED} seeds can be added to a running member")
        new = len(added) > len(self._added)
        if new:
            self._added = added
            self._seeds = {a: self._seeds.get(a) or Seed(a, FIRST_BACKOFF, now) for a in (*self._seeds, *added)}
        return new

    def announce(self, seed: Seed) -> None:
        """Add an announced address, in place of what was known of it. If there are too many, the oldest goes."""
        before = self._announced.pop(seed.address, None)
        if before is not None:
            before.drop()
        self._announced[seed.address] = seed
        if len(self._announced) > ANNOUNCED:
            self._announced.pop(next(iter(self._announced))).drop()

    def clear(self) -> None:
        """Drop all of them."""
        for seed in self.all():
            seed.drop()
        self._seeds.clear()
        self._added.clear()
        self._announced.clear()
