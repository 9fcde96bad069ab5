"""A node that writes down what is done to it and does what it is told: for tests of the simulator itself."""

from collections.abc import Iterable, Mapping
from typing import Any

from support.nothing_to_show import NothingToShow
from swim_core import (
    Address,
    AddressLike,
    Datagram,
    Event,
    KernelEvidence,
    Losses,
    Member,
    Multicast,
    State,
    Statistics,
    TripwirePlan,
)
from swim_core.keys import Keys
from swim_core.tripwire import NO_TRIPWIRES


class RecordingNode(NothingToShow):
    """A `ProtocolNode`; ``calls`` holds (what, arguments, now), and tests fill ``out``, ``told``, ``deadline``."""

    def __init__(self, name: str, address: Address, unix_ms: int, entropy: bytes) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], float]] = []
        self.out: list[Datagram] = []
        self.told: list[Event] = []
        self.deadline: float | None = None
        self.repeat: float | None = None
        self.unix_ms = unix_ms
        self.entropy = entropy
        self.known: tuple[Member, ...] = ()
        self.counters = Statistics()
        self.itself = Member(name, address, epoch=unix_ms)
        self._left_at: float | None = None
        self._now = 0.0

    def _called(self, what: str, now: float, *arguments: Any) -> None:
        self.calls.append((what, arguments, now))
        self._now = now

    def heard(self, what: str) -> list[tuple[Any, ...]]:
        """The arguments of the calls of that kind."""
        return [arguments for kind, arguments, _ in self.calls if kind == what]

    def times(self, what: str) -> list[float]:
        """When, on its own clock, calls of that kind came."""
        return [now for kind, _, now in self.calls if kind == what]

    def feed_datagram(self, data: bytes, source: AddressLike, *, now: float) -> None:
        self._called("datagram", now, data, source)

    def feed_announcement(self, data: bytes, source: AddressLike, *, now: float) -> None:
        self._called("announcement", now, data, source)

    def feed_evidence(self, kind: KernelEvidence, destination: AddressLike, quoted: bytes = b"", *, now: float) -> None:
        self._called("evidence", now, kind, destination, quoted)

    def feed_losses(self, losses: Losses) -> None:
        self.calls.append(("losses", (losses,), self._now))

    def feed_tick(self, *, now: float) -> None:
        self._called("tick", now)
        if self.deadline is not None and now >= self.deadline:
            self.deadline = None if self.repeat is None else self.deadline + self.repeat

    def join(self, addresses: Iterable[AddressLike], *, now: float) -> None:
        self._called("join", now, *addresses)

    def discover(self, multicast: Multicast, *, now: float) -> None:
        self._called("discover", now, multicast)

    def broadcast(self, payload: bytes, *, now: float) -> int:
        self._called("broadcast", now, payload)
        return len(self.heard("broadcast"))

    def send(self, to: str | Member, payload: bytes, *, now: float) -> None:
        self._called("send", now, to, payload)

    def update_metadata(self, metadata: Mapping[str, str], *, now: float) -> None:
        self._called("metadata", now, metadata)

    def update_address(self, address: AddressLike, *, now: float) -> None:
        self._called("move", now, address)

    def ping(self, name: str, *, now: float) -> None:
        self._called("ping", now, name)

    def remove(self, name: str, *, now: float) -> None:
        self._called("remove", now, name)

    def force_leave(self, name: str, *, now: float) -> None:
        self._called("force leave", now, name)

    def set_state(self, name: str, state: State, *, now: float) -> None:
        self._called("state", now, name, state)

    def set_keys(self, keys: Keys, *, now: float) -> None:
        self._called("keys", now, keys)

    def leave(self, *, now: float) -> None:
        self._called("leave", now)
        self._left_at = self.deadline = now + 0.25

    def formed_cluster(self, members: Iterable[Member]) -> tuple[Member, ...]:
        return tuple(members)

    def adopt(self, formed: tuple[Member, ...], *, now: float) -> None:
        self._called("adopt", now)
        self.known = formed

    def poll_datagram(self) -> Datagram | None:
        return self.out.pop(0) if self.out else None

    def poll_event(self) -> Event | None:
        return self.told.pop(0) if self.told else None

    def enable_tripwires(self, *, now: float) -> None:
        self._called("tripwires", now)

    def poll_deadline(self) -> float | None:
        return self.deadline

    @property
    def tripwire_plan(self) -> TripwirePlan:
        return NO_TRIPWIRES

    @property
    def local(self) -> Member:
        return self.itself

    @property
    def has_left(self) -> bool:
        return self._left_at is not None and self._now >= self._left_at

    def members(self, *, gone: bool = False) -> tuple[Member, ...]:
        return self.known or (self.itself,)

    def statistics(self) -> Statistics:
        return self.counters


class RecordingConfig:
    """Makes recording nodes."""

    event_buffer = 16
    tripwires = False
    discovery = None
    join_backoff_max = 60.0
    listen = None
    seeds = ()

    def create_node(
        self,
        name: str,
        address: AddressLike,
        *,
        now: float,
        entropy: bytes,
        unix_ms: int,
        metadata: Mapping[str, str] | None = None,
        keys: Keys | None = None,
    ) -> RecordingNode:
        return RecordingNode(name, Address(*address), unix_ms, entropy)
