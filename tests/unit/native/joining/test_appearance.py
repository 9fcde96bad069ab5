"""How others see a node (section 7): what a seed or member says of its address is reported once, and checked."""

from support.hand import Hand, Peer, peer
from swim_core import Address, SeenElsewhere
from swim_core.address import pack
from swim_core.native.wire.messages import AckElsewhere, Join, JoinAck, Ping

A = peer(1)
SEEN = Address("203.0.113.7", 4242)
UNIX_MS = 1_700_000_000_000


def joins(hand: Hand) -> list[Join]:
    return [sent.message for sent in hand.sent if isinstance(sent.message, Join)]


def refuse(hand: Hand, seed: Peer) -> None:
    """The seed hands out a cookie, but doesn't let the node in with it."""
    hand.feed(seed, JoinAck(joins(hand)[-1].seq, b"cookie", UNIX_MS, 1000, 4, 5000, seen=pack(SEEN)))
    assert joins(hand)[-1].cookie == b"cookie"
    hand.feed(seed, JoinAck(joins(hand)[-1].seq, b"cookie", UNIX_MS, 1000, 4, 5000, seen=pack(SEEN)))


def test_a_seed_that_sees_it_elsewhere_is_believed_once_and_has_not_answered() -> None:
    hand = Hand()
    hand.node.join([A.address], now=hand.now)
    hand.collect()
    refuse(hand, A)
    assert hand.happened(SeenElsewhere) == [SeenElsewhere(SEEN, hand.node.local.address, A.address)]
    asked = len(joins(hand))
    hand.until(lambda: len(joins(hand)) > asked, 60.0)
    assert joins(hand)[-1].cookie in (None, b"cookie"), "asked again at the usual backoff"
    refuse_again = joins(hand)[-1]
    hand.feed(A, JoinAck(refuse_again.seq, b"cookie", UNIX_MS, 1000, 4, 5000, seen=pack(SEEN)))
    statistics = hand.node.statistics()
    assert statistics.seen_elsewhere
    assert statistics.seeds_unanswered == 1
    assert len(hand.happened(SeenElsewhere)) == 1


def test_a_node_that_is_let_in_is_fine() -> None:
    hand = Hand()
    hand.node.join([A.address], now=hand.now)
    hand.collect()
    refuse(hand, A)
    hand.until(lambda: joins(hand)[-1].cookie is None, 60.0)
    hand.feed(A, JoinAck(joins(hand)[-1].seq, None, UNIX_MS, 1000, 4, 5000, own=A.claim()))
    assert not hand.node.statistics().seen_elsewhere


def ack_elsewhere(hand: Hand, seen: bytes) -> None:
    """For ten seconds A answers each ping with this ack."""
    acked: set[int] = set()
    for _ in range(100):
        for sent in hand.messages(Ping, A):
            if sent.seq not in acked:
                acked.add(sent.seq)
                hand.feed(A, AckElsewhere(sent.seq, 0, seen))
        hand.run(0.1)


def test_members_that_see_it_elsewhere_for_long_are_believed_and_asked() -> None:
    hand = Hand(knows=[A])
    hand.answering = []
    ack_elsewhere(hand, pack(SEEN))
    assert hand.happened(SeenElsewhere) == [SeenElsewhere(SEEN, hand.node.local.address, A.address)]
    assert 1 <= len(joins(hand)) <= 4
    assert hand.node.statistics().members[A.claim().state] == 2, "its acks show that it lives"
    hand.answering = [A]
    hand.run(90.0)
    assert not hand.node.statistics().seen_elsewhere


def test_one_that_is_not_listed_where_it_is_asks_to_be_let_in() -> None:
    hand = Hand(knows=[A])
    hand.answering = []
    ack_elsewhere(hand, pack(hand.node.local.address))
    assert not hand.happened(SeenElsewhere)
    assert joins(hand)


def test_a_node_that_moves_to_where_it_is_seen_is_fine_at_once() -> None:
    hand = Hand(knows=[A])
    hand.answering = []
    ack_elsewhere(hand, pack(SEEN))
    assert hand.node.statistics().seen_elsewhere
    hand.node.update_address(SEEN, now=hand.now)
    assert not hand.node.statistics().seen_elsewhere
