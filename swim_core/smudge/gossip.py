"""The records about other nodes that ride on messages: recent changes first, then live nodes drawn at random."""

from random import Random

from swim_core.address import Address

from .codec import MAX_RECORDS, MemberRecord
from .peers import Peer, Peers, customary

__all__ = ["Gossip"]


class Gossip:
    """Chooses the member records of each message, never one about the addressee or about this node itself."""

    def __init__(self, peers: Peers, random: Random) -> None:
        self._peers = peers
        self._random = random
        self._news: dict[Address, Peer] = {}

    def __len__(self) -> int:
        """The changes still to be told."""
        return len(self._news)

    def tell(self, peer: Peer) -> None:
        """Tell a node's change of status as often as real nodes mean to, k(n) times."""
        peer.tellings = customary(len(self._peers))
        self._news[peer.address] = peer

    def forget(self, peer: Peer) -> None:
        """Stop telling of a node."""
        self._news.pop(peer.address, None)

    def records(self, to: Address, room: int, *, fill: bool) -> list[MemberRecord]:
        """At most ``room`` records, usually k(n): the changes told least often first, and with ``fill`` also live
        nodes.

        Dead nodes are mentioned while that is news, and not again when others have removed them.
        """
        count = min(room, customary(len(self._peers)))
        news = [peer for peer in self._news.values() if peer.address != to]
        if len(news) > count:
            news.sort(key=lambda peer: -peer.tellings)
        chosen = {peer.address: peer for peer in news[:count]}
        for peer in chosen.values():
            peer.tellings -= 1
            if not peer.tellings:
                del self._news[peer.address]
        live = self._peers.live
        drawn = min(count + 1, len(live)) if fill and len(chosen) < count else 0  # one may be the addressee
        for address in self._random.sample(live, drawn):
            other = self._peers.get(address)
            if len(chosen) < count and address != to and other is not None:
                chosen.setdefault(address, other)
        return [_record(peer) for peer in chosen.values()]

    def everyone(self, to: Address, room: int) -> list[MemberRecord]:
        """As many live nodes as a datagram holds, for a newcomer."""
        live = self._peers.live
        chosen = self._random.sample(live, min(len(live), room, MAX_RECORDS))
        return [_record(peer) for address in chosen if address != to and (peer := self._peers.get(address)) is not None]


def _record(peer: Peer) -> MemberRecord:
    return MemberRecord(peer.status, peer.address, peer.heartbeat, peer.source)
