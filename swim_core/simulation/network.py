"""A network in virtual time: addresses, links, cuts, partitions, and kernels that refuse."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from math import log
from random import Random
from struct import Struct
from typing import Protocol

import attrs

from swim_core.address import Address
from swim_core.address import pack as pack_address
from swim_core.digests import blake2b

from .link import Link
from .timeline import Schedule, Timeline
from .traffic import Traffic

__all__ = ["Endpoint", "Network", "Tap"]

ICMP_BURST = 6  # measured on Linux: port-unreachables to one host, 6 at once, then 1 per second
ICMP_PER_SECOND = 1.0
TEARDOWN = (0.001, 0.002)  # seconds from a kill until a socket is closed, measured: 0.8 ms at the median, 1.7 at most
ICMP_QUOTE = 520  # bytes of the refused datagram that an IPv4 port-unreachable carries back
NOTES_AT_ONCE = 1_000  # pieces that are hashed in one go: one by one they would take a tenth of a simulation's time

_time_bytes = Struct("<d").pack
_packed = lru_cache(maxsize=65_536)(pack_address)  # of each datagram, for the digest

Tap = Callable[[str, Address, Address, bytes], None]
"""Called with "sent", "lost", "blocked", "delivered" or "refused", source, destination and payload."""


class Endpoint(Protocol):
    """What is bound to an address: the socket of a process."""

    def receive(self, payload: bytes, source: Address) -> None:
        """A datagram arrived."""

    def refused(self, destination: Address, quoted: bytes) -> None:
        """The kernel at ``destination`` said that nobody listens there, quoting what was sent."""


@attrs.define
class _Host:
    up: bool = True
    refuses: bool = True
    tokens: dict[str, tuple[float, float]] = attrs.Factory(dict)  # by sender: left at that time


class Network:
    """Carries datagrams between endpoints, as `link` and the present cuts determine.

    Everything random comes from ``seed``, and `digest` covers everything that arrived, so two runs
    with one seed can be compared.

    Attributes:
        timeline: the clock.
        link: the link between addresses that have none of their own (`set_link`).
        traffic: counters.
        limit_refusals: whether a host's kernel limits port-unreachables as Linux does (loopback is exempt).
        rejected: addresses at which a firewall refuses datagrams, as if nobody listened.
        tap: called for every datagram at each stage of its way, for tests and observers; or None.
    """

    def __init__(self, seed: object = 0, *, link: Link | None = None, timeline: Schedule | None = None) -> None:
        self.timeline: Schedule = timeline or Timeline()
        self.link: Link = link or Link()
        self.traffic: Traffic = Traffic()
        self.limit_refusals = True
        self.rejected: dict[Address, None] = {}
        self.tap: Tap | None = None
        self._random = Random(f"{seed}/network")
        self._teardown = Random(f"{seed}/teardown")
        self._closing: dict[Address, tuple[float, float]] = {}  # when the sockets of a killed process are closed
        self._endpoints: dict[Address, Endpoint] = {}
        self._hosts: dict[str, _Host] = {}
        self._links: dict[tuple[Address | None, Address | None], Link] = {}
        self._cuts: dict[tuple[Address, Address], None] = {}
        self._group_of: dict[Address, int] = {}
        self._history = blake2b(digest_size=16)
        self._notes: list[bytes] = []  # what is not yet in it

    # endpoints and hosts

    def bind(self, address: Address, endpoint: Endpoint) -> None:
        """Deliver datagrams for ``address`` to ``endpoint``; its host is up from now on.

        Raises:
            ValueError: if the address is bound already.
        """
        if address in self._endpoints:
            raise ValueError(f"{address} is in use")
        self._endpoints[address] = endpoint
        self._closing.pop(address, None)
        host = self._host(address)
        host.up = host.refuses = True

    def close(self, address: Address, *, refuses: bool = True) -> None:
        """Let nobody listen at ``address`` from now on. The host continues, and ``refuses`` what is sent there or is
        silent."""
        del self._endpoints[address]
        self._host(address).refuses = refuses

    def tear_down(self, address: Address, *, refuses: bool = True) -> None:
        """As `close`, when a process is killed. Its kernel closes one socket after the other, and until then takes
        datagrams and connections that nobody reads."""
        self.close(address, refuses=refuses)
        udp, tcp = (self.timeline.now + self._teardown.uniform(*TEARDOWN) for _ in range(2))
        self._closing[address] = udp, tcp

    def accepts(self, address: Address) -> bool:
        """Whether somebody listens at ``address`` for connections, or did until a moment ago."""
        if address in self._endpoints:
            return True
        return address in self._closing and self.timeline.now < self._closing[address][1]

    def lose_host(self, host: str) -> None:
        """Remove a host, with every endpoint on it: it is silent from now on."""
        for address in [address for address in self._endpoints if address.host == host]:
            del self._endpoints[address]
        self._hosts.setdefault(host, _Host()).up = False

    def _host(self, address: Address) -> _Host:
        host = self._hosts.get(address.host)
        if host is None:
            host = self._hosts[address.host] = _Host()
        return host

    # links

    def set_link(self, source: Address | None, destination: Address | None, link: Link | None) -> None:
        """Give one direction a link of its own; ``link=None`` takes it away again.

        An end that is None stands for every address. A link between two addresses takes precedence over one for all
        that leaves the first, and that over one for all that arrives at the second.
        """
        if link is None:
            self._links.pop((source, destination), None)
        else:
            self._links[source, destination] = link

    def _link(self, source: Address, destination: Address) -> Link:
        for ends in ((source, destination), (source, None), (None, destination)):
            if (link := self._links.get(ends)) is not None:
                return link
        return self.link

    def cut(self, source: Address, destination: Address) -> None:
        """Let nothing pass from ``source`` to ``destination``; the other direction is unchanged."""
        self._cuts[source, destination] = None

    def mend(self, source: Address, destination: Address) -> None:
        """Undo `cut`; harmless if there was none."""
        self._cuts.pop((source, destination), None)

    def partition(self, groups: Iterable[Iterable[Address]]) -> None:
        """Let datagrams pass within each group only; addresses in none form one more group.

        Replaces an earlier partition. Datagrams on their way still arrive.
        """
        self._group_of = {address: number for number, group in enumerate(groups, 1) for address in group}

    def heal(self) -> None:
        """Undo every cut and partition."""
        self._cuts.clear()
        self._group_of = {}

    @property
    def cuts(self) -> tuple[tuple[Address, Address], ...]:
        """Source and destination of every cut, oldest first."""
        return tuple(self._cuts)

    @property
    def whole(self) -> bool:
        """Whether there is no cut, no partition, and no firewall."""
        return not (self._cuts or self._group_of or self.rejected)

    @property
    def clear(self) -> bool:
        """Whether everything arrives, once and in order as far as the usual jitter lets it."""
        link = self.link
        return self.whole and not self._links and not (link.loss or link.duplication or link.reordering)

    def blocked(self, source: Address, destination: Address) -> bool:
        """Whether a cut or the partition lies between."""
        group_of = self._group_of
        return (source, destination) in self._cuts or group_of.get(source, 0) != group_of.get(destination, 0)

    # packets other than datagrams

    def transit(self, source: Address, destination: Address) -> float | None:
        """How long one packet of another protocol would take, in seconds; None if it would not arrive. Not counted."""
        link = self._links.get((source, destination), self.link)
        if self.blocked(source, destination) or (link.loss and self._random.random() < link.loss):
            return None
        return self._latency(link)

    def endpoint(self, address: Address) -> Endpoint | None:
        """What is bound to ``address``, stalled or not."""
        return self._endpoints.get(address)

    def refuses(self, address: Address) -> bool:
        """Whether the host of ``address`` is up and refuses what nobody there listens for."""
        host = self._hosts.get(address.host)
        return host is not None and host.up and host.refuses

    # datagrams

    def send(self, source: Address, destination: Address, payload: bytes) -> None:
        """Send a datagram. Lost ones are forgotten at once."""
        traffic = self.traffic
        traffic.sent += 1
        if self.tap:
            self.tap("sent", source, destination, payload)
        link = self._link(source, destination) if self._links else self.link
        if (self._cuts or self._group_of) and self.blocked(source, destination):
            traffic.blocked += 1
            if self.tap:
                self.tap("blocked", source, destination, payload)
            return
        if (link.loss and self._random.random() < link.loss) or len(payload) > link.largest:
            traffic.lost += 1
            if self.tap:
                self.tap("lost", source, destination, payload)
            return
        timeline = self.timeline
        timeline.at(timeline.now + self._latency(link), self._arrive, source, destination, payload)
        if link.duplication and self._random.random() < link.duplication:
            traffic.duplicated += 1
            timeline.at(timeline.now + self._latency(link), self._arrive, source, destination, payload)

    def _latency(self, link: Link) -> float:
        random = self._random.random
        latency = link.delay
        if link.processing:
            latency += link.processing * random()
        if link.jitter:
            latency -= link.jitter * log(1.0 - random())
        if link.reordering and random() < link.reordering:
            self.traffic.reordered += 1
            latency += link.holding * random()
        return latency

    def _arrive(self, source: Address, destination: Address, payload: bytes) -> None:
        endpoint = self._endpoints.get(destination)
        if endpoint is None or destination in self.rejected:
            self._nobody(source, destination, payload)
            return
        self.traffic.delivered += 1
        self.note(_packed(source), _packed(destination), payload)
        if self.tap:
            self.tap("delivered", source, destination, payload)
        endpoint.receive(payload, source)

    # refusals

    def _nobody(self, source: Address, destination: Address, payload: bytes) -> None:
        host = self._hosts.get(destination.host)
        swallowed = destination in self._closing and self.timeline.now < self._closing[destination][0]
        if swallowed or host is None or not (host.up and host.refuses and self._may_refuse(host, source)):
            self.traffic.vanished += 1
            return
        self.traffic.refused += 1
        link = self._link(destination, source)
        if self.blocked(destination, source) or (link.loss and self._random.random() < link.loss):
            return
        arrival = self.timeline.now + self._latency(link)
        self.timeline.at(arrival, self._refused, source, destination, payload[:ICMP_QUOTE])

    def _may_refuse(self, host: _Host, source: Address) -> bool:
        """Take a token of the limit that a kernel keeps for each peer."""
        if not self.limit_refusals or source.host == "::1" or source.host.startswith("127."):
            return True
        now = self.timeline.now
        left, since = host.tokens.get(source.host, (float(ICMP_BURST), now))
        left = min(left + (now - since) * ICMP_PER_SECOND, ICMP_BURST)
        if left < 1:
            return False
        host.tokens[source.host] = (left - 1, now)
        return True

    def _refused(self, source: Address, destination: Address, quoted: bytes) -> None:
        endpoint = self._endpoints.get(source)
        if endpoint is None:
            return
        self.note(b"refused", _packed(source), _packed(destination), quoted)
        if self.tap:
            self.tap("refused", source, destination, quoted)
        endpoint.refused(destination, quoted)

    # replay

    def note(self, *what: bytes) -> None:
        """Make something that happened now part of `digest`."""
        notes = self._notes
        notes.append(_time_bytes(self.timeline.now))
        notes += what
        if len(notes) > NOTES_AT_ONCE:
            self._take_notes()

    def _take_notes(self) -> None:
        self._history.update(b"".join(self._notes))
        self._notes.clear()

    @property
    def digest(self) -> str:
        """A hash, in hex, of every arrival so far with its time: equal for equal runs."""
        self._take_notes()
        return self._history.hexdigest()
