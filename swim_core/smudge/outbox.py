"""Outgoing messages: each carries gossip and, if there is one to tell, a broadcast."""

from collections import deque

from swim_core.address import Address
from swim_core.counters import Counters
from swim_core.protocol import Datagram

from .broadcasts import Broadcasts
from .codec import (
    HEADER_SIZE,
    MAX_RECORDS,
    BroadcastRecord,
    MemberRecord,
    Message,
    Verb,
    encode,
    encode_announcement,
    record_size,
)
from .gossip import Gossip
from .peers import Peers

__all__ = ["CARRIER_CODE", "MAX_DATAGRAM", "Outbox"]

MAX_DATAGRAM = 2_048  # what real nodes receive
UNFRAGMENTED = 1_200  # bytes that pass every path unfragmented: the most that a new node is sent
CARRIER_CODE = 0  # of the ACKs that carry news which can't wait; see `push`
BROADCAST_HEAD = {False: 12, True: 24}


class Outbox:
    """Encodes messages and queues them."""

    def __init__(
        self, local: Address, peers: Peers, gossip: Gossip, broadcasts: Broadcasts, counters: Counters
    ) -> None:
        self._local = local
        self._ipv6 = ":" in local.host
        self._peers = peers
        self._gossip = gossip
        self._broadcasts = broadcasts
        self._counters = counters
        self._queue: deque[Datagram] = deque()

    def send(
        self,
        verb: Verb,
        code: int,
        to: Address,
        *,
        first: MemberRecord | None = None,
        broadcast: BroadcastRecord | None = None,
        everyone: bool = False,
    ) -> None:
        """Send a message.

        Args:
            verb: of it.
            code: of it.
            to: the identity of the addressee.
            first: a record to put first.
            broadcast: a broadcast to attach, instead of one that the addressee may miss.
            everyone: whether to fill the message with live nodes.
        """
        heads = [first] if first is not None else []
        size = record_size(ipv6=self._ipv6)
        left = (UNFRAGMENTED if everyone else MAX_DATAGRAM) - HEADER_SIZE - len(heads) * size
        if broadcast is None and not everyone:
            broadcast = self._broadcasts.attach(to, left - BROADCAST_HEAD[self._ipv6])
        if broadcast is not None:
            left -= BROADCAST_HEAD[self._ipv6] + len(broadcast.payload)
        room = min(left // size, MAX_RECORDS - len(heads))
        records = (
            self._gossip.everyone(to, room) if everyone else self._gossip.records(to, room, fill=code != CARRIER_CODE)
        )
        message = Message(verb, self._local.port, code, (*heads, *records), broadcast)
        data = encode(message, ipv6=self._ipv6)
        peer = self._peers.get(to)
        if peer is not None:
            peer.headers.append(data[:HEADER_SIZE])
        self._put(data, to, verb.name.lower())

    def announce(self, cluster: str, code: int, group: Address) -> None:
        """Announce this node to a multicast group."""
        message = Message(Verb.PING, self._local.port, code)
        self._put(encode_announcement(cluster, message, ipv6=self._ipv6), group, "announcement")

    def _put(self, data: bytes, to: Address, kind: str) -> None:
        self._queue.append(Datagram(data, to))
        self._counters.sent[kind].add(len(data))

    def poll(self) -> Datagram | None:
        """The next datagram, or None."""
        return self._queue.popleft() if self._queue else None

    def clear(self) -> None:
        """Drop what waits to be sent."""
        self._queue.clear()
