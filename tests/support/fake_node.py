"""A node that does nothing of its own: tests script what it sends, tells and raises, and read what it was fed."""

import time
from collections import deque
from collections.abc import Iterable, Mapping

import attrs
from msgspec.structs import replace

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
    NotRunning,
    State,
    Statistics,
)
from swim_core.keys import Keys
from swim_core.tripwire import NO_TRIPWIRES

__all__ = ["FakeConfig", "FakeNode"]

GOODBYE = b"goodbye"
GOODBYE_TAKES = 0.01  # seconds until `has_left`


class FakeNode(NothingToShow):
    """Has the interface of `ProtocolNode`. A ``Boom`` in ``raises`` is raised by the method of that name."""

    def __init__(self, name: str, address: AddressLike, now: float, metadata: Mapping[str, str]) -> None:
        self.local = Member(name, Address(*address), metadata=metadata)
        self.others: list[Member] = []
        self.datagrams: list[tuple[bytes, Address, float]] = []
        self.announcements: list[tuple[bytes, Address]] = []
        self.refused: list[tuple[Address, bytes]] = []
        self.losses: list[Losses] = []
        self.broadcasts: list[bytes] = []
        self.notes: list[tuple[str | Member, bytes]] = []
        self.connections: list[tuple[KernelEvidence, Address, bytes]] = []
        self.connects: deque[Address] = deque()
        self.tripwire_plan = NO_TRIPWIRES
        self.speaks_tcp = False
        self.ticks: list[float] = []
        self.order: list[str] = []
        self.joins: list[list[AddressLike]] = []
        self.pinged: list[str] = []
        self.left_at: float | None = None
        self.has_left = False
        self.outbox: deque[Datagram] = deque()
        self.events: deque[Event] = deque()
        self.deadline: float | None = None
        self.raises: dict[str, Exception] = {}
        self.goodbye_to: list[Address] = []
        self._ahead = now - time.monotonic()

    def time(self) -> float:
        """Now, on the clock that it is fed."""
        return time.monotonic() + self._ahead

    def feed_datagram(self, data: bytes, source: AddressLike, *, now: float) -> None:
        self._maybe_raise("feed_datagram")
        self.order.append("datagram")
        self.datagrams.append((data, Address(*source), now))
        if data == b"ping":
            self.outbox.append(Datagram(b"ack", Address(*source)))

    def feed_announcement(self, data: bytes, source: AddressLike, *, now: float) -> None:
        self._maybe_raise("feed_announcement")
        self.announcements.append((data, Address(*source)))

    def feed_evidence(self, kind: KernelEvidence, destination: AddressLike, quoted: bytes = b"", *, now: float) -> None:
        if kind is KernelEvidence.REFUSED_UDP:
            self.refused.append((Address(*destination), quoted))
        else:
            self.connections.append((kind, Address(*destination), quoted))

    def feed_losses(self, losses: Losses) -> None:
        self.losses.append(losses)

    def feed_tick(self, *, now: float) -> None:
        self._maybe_raise("feed_tick")
        self.order.append("tick")
        self.ticks.append(now)
        if self.deadline is not None and now >= self.deadline:
            self.deadline = None
        self.has_left = self.left_at is not None and now >= self.left_at + GOODBYE_TAKES

    def join(self, addresses: Iterable[AddressLike], *, now: float) -> None:
        if self.left_at is not None:
            raise NotRunning("left")
        self.joins.append(list(addresses))

    def discover(self, multicast: Multicast, *, now: float) -> None:
        self._maybe_raise("discover")
        self.outbox.append(Datagram(b"here I am", multicast.group_for(self.local.address)))

    def broadcast(self, payload: bytes, *, now: float) -> int:
        self._maybe_raise("broadcast")
        self.broadcasts.append(payload)
        self.outbox.extend(Datagram(payload, member.address) for member in self.others)
        return 1

    def send(self, to: str | Member, payload: bytes, *, now: float) -> None:
        self.notes.append((to, payload))

    def update_metadata(self, metadata: Mapping[str, str], *, now: float) -> None:
        raise NotImplementedError

    def update_address(self, address: AddressLike, *, now: float) -> None:
        self._maybe_raise("update_address")
        self.local = replace(self.local, address=Address(*address))

    def ping(self, name: str, *, now: float) -> None:
        self._maybe_raise("ping")
        self.pinged.append(name)

    def remove(self, name: str, *, now: float) -> None:
        raise NotImplementedError

    def force_leave(self, name: str, *, now: float) -> None:
        raise NotImplementedError

    def set_state(self, name: str, state: State, *, now: float) -> None:
        raise NotImplementedError

    def set_keys(self, keys: Keys, *, now: float) -> None:
        raise NotImplementedError

    def leave(self, *, now: float) -> None:
        self._maybe_raise("leave")
        if self.left_at is None:
            self.left_at = now
            self.deadline = now + GOODBYE_TAKES
            self.outbox.extend(Datagram(GOODBYE, address) for address in self.goodbye_to)

    def poll_datagram(self) -> Datagram | None:
        return self.outbox.popleft() if self.outbox else None

    def poll_event(self) -> Event | None:
        return self.events.popleft() if self.events else None

    def enable_tripwires(self, *, now: float) -> None:
        self.speaks_tcp = True

    def poll_connect(self) -> Address | None:
        return self.connects.popleft() if self.connects else None

    def poll_deadline(self) -> float | None:
        return self.deadline

    def members(self, *, gone: bool = False) -> tuple[Member, ...]:
        return tuple(sorted([self.local, *self.others], key=lambda member: member.name))

    def statistics(self) -> Statistics:
        return Statistics(datagrams_received=len(self.datagrams))

    def _maybe_raise(self, method: str) -> None:
        if method in self.raises:
            raise self.raises[method]


@attrs.define
class FakeConfig:
    """Makes fake nodes and keeps them in ``nodes``. Each node starts with the contents of ``raises``."""

    event_buffer: int = 8
    listen: tuple[str, int] | None = None
    seeds: tuple[tuple[str, int], ...] = ()
    discovery: Multicast | None = None
    tripwires: bool = False
    join_backoff_max: float = 60.0
    nodes: list[FakeNode] = attrs.Factory(list)
    raises: dict[str, Exception] = attrs.Factory(dict)

    @property
    def node(self) -> FakeNode:
        """The last node that was made."""
        return self.nodes[-1]

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
    ) -> FakeNode:
        assert len(entropy) == 32
        assert unix_ms > 1_700_000_000_000
        if "create_node" in self.raises:
            raise self.raises["create_node"]
        node = FakeNode(name, address, now, metadata or {})
        node.raises = dict(self.raises)
        self.nodes.append(node)
        return node
