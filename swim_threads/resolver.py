"""The seeds of one node: names among them are looked up again and again, for as long as it runs.

Often while a seed has not answered, and slowly when all is well: two nodes that a name first led to different
places make two clusters, each complete by its own lights, and only the name can tell them of each other. An
address that a look-up drops is still asked for a while, since name servers often answer with some of what they
know. Every adapter uses this class; it has no thread and no clock, which its engine lends it.
"""

import contextlib
import random
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from math import inf
from typing import Protocol, TypeAlias

import msgspec

from swim_core import Address, NodeCrashed, NotRunning, ProtocolNode
from swim_core.embedding.log_messages import WARNING, Notice

from .lookups import LONGEST, LookUp, Outcome, look_ups, numeric
from .services import check_services

__all__ = ["Deed", "LookUpService", "Resolver", "Seed"]

Seed: TypeAlias = tuple[str, int]
Deed: TypeAlias = Callable[[ProtocolNode, float], object]

FIRST_BACKOFF = 1.0  # seconds until a name that doesn't resolve is tried again, doubled each time
BACKOFF_MAX = 60.0  # seconds, for a protocol that names none
FRESH = 0.5  # seconds, less than between two attempts at a seed: a join must not cause the look-up that caused it
KEPT = 600.0  # seconds for which an address is asked after a look-up dropped it
MAX_KEPT = 64  # such addresses of each name: a server may answer with different ones each time
MANY = 64  # members, beyond which each looks names up less often, as it asks seeds less often


class LookUpService(Protocol):
    """What looks names up: `LookUps`, or a simulated network."""

    def ask(self, look_up: LookUp) -> None: ...

    def cancel(self, look_up: LookUp) -> None: ...


class _Name(msgspec.Struct, eq=False):
    """A name, what is known of it, and when it is to be looked up; while it is, when that is given up."""

    seed: Seed
    due: float
    addresses: tuple[Address, ...] = ()
    dropped: dict[Address, float] = msgspec.field(default_factory=dict)  # and until when each is asked
    resolved_at: float = -inf
    failures: int = 0
    look_up: LookUp | None = None
    until: float = inf

    @property
    def deadline(self) -> float:
        return min(self.due if self.look_up is None else self.until, *self.dropped.values(), inf)

    def found(self, addresses: tuple[Address, ...], now: float) -> None:
        gone = {address: now + KEPT for address in self.addresses if address not in addresses}
        kept = {address: until for address, until in self.dropped.items() if address not in addresses} | gone
        self.dropped = dict(list(kept.items())[-MAX_KEPT:])
        self.addresses, self.resolved_at, self.failures = addresses, now, 0


class Resolver:
    """Keeps a node's seeds. To be used as the node is: under its lock, or in its loop.

    Args:
        families: of the addresses that the node's socket reaches.
        act: has a deed done with the node, from any thread, soon; may raise what an engine that has ended raises.
        warn: takes notices for the log.
        backoff_max: seconds between two look-ups of a name at most, in a small cluster.

    Attributes:
        deadline: when to call `turn`.
    """

    def __init__(
        self,
        families: Sequence[socket.AddressFamily],
        act: Callable[[Deed], object],
        warn: Callable[[Notice], None],
        *,
        backoff_max: float = BACKOFF_MAX,
        service: LookUpService = look_ups,
    ) -> None:
        self.deadline = inf
        self._families = families
        self._act = act
        self._warn = warn
        self._backoff_max = backoff_max
        self._service = service
        self._seeds: tuple[Seed, ...] = ()
        self._names: dict[Seed, _Name] = {}
        self._told: set[Address] = set()
        self._remembered: tuple[Address, ...] = ()
        self._forgotten_at = inf

    def replace(self, seeds: Iterable[Seed], node: ProtocolNode, now: float) -> None:
        """Have the node ask ``seeds`` in place of others; the names among them as soon as they are resolved.

        Raises:
            ConfigError: if one needs what is not installed.
            NotRunning: if it has left. Nothing is changed.
        """
        seeds = tuple(seeds)
        check_services(seeds)
        wanted = tuple(seed for seed in seeds if self._reaches(seed))
        names = {seed: self._names.get(seed) or _Name(seed, now) for seed in wanted if numeric(*seed) is None}
        self._join(wanted, names, node, now)
        for seed in self._names.keys() - names.keys():
            self._cancel(self._names[seed])
        self._seeds, self._names = wanted, names
        self._plan()
        self.turn(node, now)

    def remember(self, addresses: Iterable[Address], node: ProtocolNode, now: float) -> None:
        """Have the node ask these, too, until it has company, and for ten minutes at least: they were members once."""
        self._remembered = tuple(address for address in addresses if _family(address) in self._families)
        self._forgotten_at = now + KEPT if self._remembered else inf
        self._tell_changes(node, now)

    def refresh(self, now: float) -> None:
        """Look names up again, except those just looked up, because the seeds are about to be asked."""
        for name in self._names.values():
            if name.look_up is None and not name.failures and now - name.resolved_at > FRESH:
                name.due = min(name.due, now)
        self._plan()

    def turn(self, node: ProtocolNode, now: float) -> None:
        """Do what is due."""
        if now < self.deadline:
            return
        for name in self._names.values():
            name.dropped = {address: until for address, until in name.dropped.items() if until > now}
            if name.look_up is not None and name.until <= now:
                self._cancel(name)
                self._failed(name, f"no answer from a name server within {LONGEST:g} s", now)
            if name.look_up is None and name.due <= now:
                self._begin(name, now)
        if self._forgotten_at <= now:
            alone = len(node.members()) == 1
            self._remembered = self._remembered if alone else ()
            self._forgotten_at = now + KEPT if alone else inf
        self._tell_changes(node, now)

    def stop(self) -> None:
        """Stop looking up names."""
        for name in self._names.values():
            self._cancel(name)
        self._seeds, self._names, self._remembered, self._forgotten_at = (), {}, (), inf
        self._told = set()
        self._plan()

    def _reaches(self, seed: Seed) -> bool:
        address = numeric(*seed)
        if address is None or _family(address) in self._families:
            return True
        text = f"this node can't reach the seed {address}, which has another IP version"
        self._warn(Notice(WARNING, "seeds", text, {"event": "unreachable", "seeds": [str(address)]}))
        return False

    def _begin(self, name: _Name, now: float) -> None:
        name.look_up = look_up = LookUp(*name.seed, self._families, lambda outcome: self._done(name, look_up, outcome))
        name.until = now + LONGEST
        try:
            self._service.ask(look_up)
        except OSError as error:
            name.look_up = None
            self._failed(name, error, now)

    def _cancel(self, name: _Name) -> None:
        if name.look_up is not None:
            self._service.cancel(name.look_up)
            name.look_up = None

    def _done(self, name: _Name, look_up: LookUp, outcome: Outcome) -> None:
        """Pass the outcome on; called in the thread that looked the name up."""
        with contextlib.suppress(NotRunning, NodeCrashed):
            self._act(partial(self._answered, name, look_up, outcome))

    def _answered(self, name: _Name, look_up: LookUp, outcome: Outcome, node: ProtocolNode, now: float) -> None:
        if self._names.get(name.seed) is not name:
            return
        if not isinstance(outcome, OSError):  # which is as good when it comes after it was given up
            self._cancel(name)
            name.found(outcome, now)
            name.due = now + self._backoff_max * max(1.0, len(node.members()) / MANY) * random.uniform(0.75, 1.0)
        elif name.look_up is look_up:
            name.look_up = None
            self._failed(name, outcome, now)
        self._tell_changes(node, now)

    def _failed(self, name: _Name, reason: object, now: float) -> None:
        if not name.failures:
            host = name.seed[0]
            text = f"the seed {host!r} does not resolve, trying again: {reason}"
            self._warn(Notice(WARNING, "seeds", text, {"event": "unresolved", "seeds": [host]}))
        wait = min(BACKOFF_MAX, FIRST_BACKOFF * 2**name.failures)
        name.due = now + wait * random.uniform(0.75, 1.0)
        name.failures = min(name.failures + 1, 10)

    def _tell_changes(self, node: ProtocolNode, now: float) -> None:
        self._plan()
        if {*_addresses(self._seeds, self._names), *self._remembered} != self._told:
            with contextlib.suppress(NotRunning):  # it has left
                self._join(self._seeds, self._names, node, now)

    def _join(self, seeds: Sequence[Seed], names: Mapping[Seed, _Name], node: ProtocolNode, now: float) -> None:
        addresses = tuple(dict.fromkeys((*_addresses(seeds, names), *self._remembered)))
        node.join(addresses, now=now)
        self._told = set(addresses)

    def _plan(self) -> None:
        self.deadline = min((name.deadline for name in self._names.values()), default=inf)
        self.deadline = min(self.deadline, self._forgotten_at)


def _family(address: Address) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address.host else socket.AF_INET


def _addresses(seeds: Iterable[Seed], names: Mapping[Seed, _Name]) -> tuple[Address, ...]:
    """What the seeds stand for as far as that is known, each address once, those that were dropped last."""
    found: dict[Address, None] = {}
    for seed in seeds:
        address = numeric(*seed)
        found |= dict.fromkeys([address] if address is not None else names[seed].addresses)
    for name in names.values():
        found |= dict.fromkeys(name.dropped)
    return tuple(found)
