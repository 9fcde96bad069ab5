"""The nodes that a Smudge node knows, and those that it has given up on."""

from bisect import insort
from collections import OrderedDict, deque
from collections.abc import Iterator
from functools import lru_cache
from ipaddress import ip_address
from math import floor, inf, log

import msgspec

from swim_core.address import Address
from swim_core.member import Contact, Member, State

from .codec import Status

__all__ = ["STATUSES", "Peer", "Peers", "customary", "usable"]

MAX_TOMBSTONES = 4_096
HEADERS = 4  # of what was last sent to a peer, to recognise in a refusal

_STATES = {Status.ALIVE: State.ALIVE, Status.SUSPECTED: State.SUSPECT, Status.DEAD: State.DEAD}
STATUSES = {state: status for status, state in _STATES.items()}


@lru_cache(maxsize=1_024)
def customary(nodes: int) -> int:
    """k(n) = floor(2.5 ln n + 0.5): how many relays, records a message and tellings real nodes use."""
    return floor(2.5 * log(nodes) + 0.5) if nodes > 0 else 0


@lru_cache(maxsize=65_536)
def usable(address: Address, ipv6: bool) -> bool:
    """Whether a node could listen there: no port 0, other family, unspecified, multicast or broadcast address."""
    ip = ip_address(address.host)
    if not address.port or (ip.version == 6) is not ipv6:
        return False
    return not (ip.is_unspecified or ip.is_multicast or address.host == "255.255.255.255" or address.host[:2] == "0.")


class Peer(msgspec.Struct, eq=False, kw_only=True):
    """Another node as seen here.

    Attributes:
        address: its identity.
        status: ALIVE, SUSPECTED or DEAD.
        heartbeat: of the claim that set the status.
        source: who made that claim, None if unknown; this node's own address for what was seen here.
        since: when the status was set.
        came: when it was met, or was last back from the dead; infinity while it is dead.
        heard: when a datagram of it last came; -inf for never.
        refused: when its kernel last refused; -inf for never.
        shown: the latest code that it showed itself, or at first the heartbeat of what others say.
        pinged: the largest code of its own PINGs.
        proven: whether it has answered a ping, which shows that it receives at its address.
        round_trip: of the last ping that it answered, seconds.
        unanswered: pings in a row that it has not answered.
        tellings: how often its status is still to be told.
        retry: how often it was tried since it died.
        countdown: rounds until it is tried next.
        checked: when it was last pinged out of turn, or last found answering; bounds how often that happens.
        headers: the first bytes of what was last sent to it.
    """

    address: Address
    name: str
    status: Status
    heartbeat: int
    source: Address | None
    since: float
    came: float
    shown: int
    heard: float = -inf
    refused: float = -inf
    pinged: int = 0
    proven: bool = False
    round_trip: float | None = None
    unanswered: int = 0
    tellings: int = 0
    retry: int = 0
    countdown: int = 2
    checked: float = -inf
    headers: deque[bytes] = msgspec.field(default_factory=lambda: deque(maxlen=HEADERS))

    @property
    def live(self) -> bool:
        """ALIVE or SUSPECTED."""
        return self.status is not Status.DEAD

    def contact(self, now: float) -> Contact:
        """This node's own contact with it so far."""
        heard = None if self.heard == -inf else now - self.heard
        return Contact(age=now - self.since, heard=heard, round_trip=self.round_trip, unanswered=self.unanswered)

    @property
    def member(self) -> Member:
        """The member as applications see it."""
        return Member(self.name, self.address, state=_STATES[self.status])


class Peers:
    """The table, without this node itself, in order of address."""

    def __init__(self, limit: int) -> None:
        self._limit = limit - 1
        self._peers: dict[Address, Peer] = {}
        self._live: list[Address] = []
        self._names: dict[str, Address] = {}
        self._dead: OrderedDict[Address, None] = OrderedDict()
        self._unheard: OrderedDict[Address, None] = OrderedDict()  # those that have shown themselves go when it is read
        self._tombstones: OrderedDict[Address, int] = OrderedDict()

    def __len__(self) -> int:
        """n as real nodes count it: the dead and this node included."""
        return len(self._peers) + 1

    def __iter__(self) -> Iterator[Peer]:
        return iter(self._peers.values())

    @property
    def live(self) -> list[Address]:
        """Where the live ones are, in order; not to be changed."""
        return self._live

    @property
    def full(self) -> bool:
        """Whether one more node would exceed the limit."""
        return len(self._peers) >= self._limit

    def get(self, address: Address) -> Peer | None:
        """The node at that address."""
        return self._peers.get(address)

    def named(self, name: str) -> Peer | None:
        """The node whose address reads like that."""
        address = self._names.get(name)
        return self._peers[address] if address is not None else None

    def spare(self) -> Peer | None:
        """The node to give up for a newcomer: the longest dead, else one that never showed itself; None if all have."""
        for address in self._dead:
            return self._peers[address]
        while self._unheard:
            peer = self._peers[next(iter(self._unheard))]
            if peer.heard == -inf:
                return peer
            del self._unheard[peer.address]
        return None

    def buried(self, address: Address) -> int | None:
        """The heartbeat with which a removed node was dead: news of it must be later; None if it was not removed."""
        return self._tombstones.get(address)

    def add(self, peer: Peer) -> None:
        """Take a node in."""
        self._peers[peer.address] = peer
        self._names[peer.name] = peer.address
        self._tombstones.pop(peer.address, None)
        self._unheard[peer.address] = None
        if peer.live:
            insort(self._live, peer.address)
        else:
            self._dead[peer.address] = None

    def mark(self, peer: Peer, status: Status, now: float) -> None:
        """Set a node's status."""
        was, peer.status = peer.live, status
        if was and not peer.live:
            self._live.remove(peer.address)
            self._dead[peer.address] = None
            peer.came = inf
        elif peer.live and not was:
            insort(self._live, peer.address)
            del self._dead[peer.address]
            peer.came = now

    def remove(self, peer: Peer) -> None:
        """Forget a node, except for what is needed to tell old news about it from new."""
        del self._peers[peer.address], self._names[peer.name]
        self._unheard.pop(peer.address, None)
        if peer.live:
            self._live.remove(peer.address)
        else:
            del self._dead[peer.address]
        self._tombstones[peer.address] = max(peer.heartbeat, peer.shown)
        if len(self._tombstones) > MAX_TOMBSTONES:
            self._tombstones.popitem(last=False)
