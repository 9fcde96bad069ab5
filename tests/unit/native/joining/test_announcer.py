"""Discovery by announcements (section 7): what the group is told, which addresses a node then asks, and how often."""

from collections.abc import Sequence
from itertools import pairwise
from math import inf

import pytest

from support.hand import UNIX_MS, Hand, Peer, Sent, peer, peers
from swim_core import Address, Config, DropReason, JoinAttempt, Multicast, NotRunning
from swim_core.native.wire.hashing import Hashes
from swim_core.native.wire.messages import Announce, Join, JoinAck, Message, Ping

GROUP = Multicast().ipv4
STRANGER = peer(1)
EPHEMERAL = 40_000  # announcements come from a socket of their own


def discovering(multicast: Multicast | None = None, **arguments: object) -> Hand:
    hand = Hand(**arguments)  # type: ignore[arg-type]
    hand.node.discover(multicast or Multicast(interval=inf), now=hand.now)
    hand.collect()
    return hand


def announcement(source: Peer, message: Message | None = None, size: int = 800) -> bytes:
    bare = len(source.datagram(Announce(source.address.port)))
    return source.datagram(message or Announce(source.address.port, bytes(size - bare - 1)))  # a longer length


def hear(hand: Hand, data: bytes, source: Peer) -> None:
    hand.node.feed_announcement(data, (source.address.host, EPHEMERAL), now=hand.now)
    hand.collect()


def announcements(hand: Hand) -> list[Sent]:
    return [sent for sent in hand.sent if isinstance(sent.message, Announce)]


def joins(hand: Hand) -> list[Sent]:
    return [sent for sent in hand.sent if isinstance(sent.message, Join)]


# ---------------------------------------------------------------------- announcing


@pytest.mark.parametrize(
    ("address", "group"),
    [(("10.0.0.1", 7946), Multicast().ipv4), (("fd00::1", 7946), Multicast().ipv6)],
)
def test_a_node_announces_itself_at_once_to_the_group_of_its_kind(address: tuple[str, int], group: Address) -> None:
    (sent,) = announcements(discovering(address=address))
    assert sent.to == group
    assert isinstance(sent.message, Announce)
    assert sent.message.port == 7946
    assert 800 <= sent.size < 830
    assert not sent.claims


def test_a_node_that_is_not_told_to_announces_nothing_and_heeds_nobody() -> None:
    hand = Hand()
    hear(hand, announcement(STRANGER), STRANGER)
    hand.run(60)
    assert hand.sent == []
    assert hand.dropped(DropReason.UNREQUESTED) == 1


def test_it_announces_itself_again_every_interval_by_a_quarter_more_or_less() -> None:
    hand = discovering(Multicast(interval=4))
    hand.run(400)
    times = [sent.at for sent in announcements(hand)]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert all(3 <= gap <= 5 for gap in gaps)
    assert len(set(gaps)) == len(gaps)
    assert sum(gaps) / len(gaps) == pytest.approx(4, rel=0.1)


def test_an_infinite_interval_announces_once() -> None:
    hand = discovering()
    hand.run(1_000)
    assert len(announcements(hand)) == 1


def test_in_a_cluster_of_n_beyond_64_each_announces_itself_n_64ths_as_often() -> None:
    hand = discovering(Multicast(interval=10), knows=peers(127))
    hand.clear()
    hand.run(400)
    assert len(announcements(hand)) == pytest.approx(20, abs=4)


def test_a_node_that_left_announces_nothing_and_heeds_nobody() -> None:
    hand = discovering(Multicast(interval=1))
    hear(hand, announcement(STRANGER), STRANGER)
    hand.node.leave(now=hand.now)
    hand.collect()
    hand.clear()
    hear(hand, announcement(peer(2)), peer(2))
    hand.run(60)
    assert hand.sent == []
    with pytest.raises(NotRunning):
        hand.node.discover(Multicast(), now=hand.now)


def test_an_announcement_does_not_count_as_showing_a_claim() -> None:
    """A joiner whose clock is ahead lowers its epoch only if it has not told anybody anything yet."""
    hand = discovering(unix_ms=UNIX_MS + 600_000)
    hand.node.join([STRANGER.address], now=hand.now)
    (join,) = [sent.message for sent in hand.collect() if isinstance(sent.message, Join)]
    hand.feed(STRANGER, JoinAck(join.seq, b"cookie", UNIX_MS, 1_000, 4, 5_000))
    assert hand.me.epoch >> 16 == UNIX_MS


# ---------------------------------------------------------------------- heeding


def test_an_announcer_is_asked_once_where_it_listens() -> None:
    hand = discovering()
    hand.clear()
    hear(hand, announcement(STRANGER), STRANGER)
    hand.run(60)
    (sent,) = joins(hand)
    assert sent.to == STRANGER.address
    assert sent.at <= 0.2
    assert hand.happened(JoinAttempt) == []


def test_no_more_bytes_are_sent_than_were_announced() -> None:
    for metadata in ({}, {"key": "x" * 480}):
        hand = discovering(name="n" * 64, metadata=metadata)
        hand.clear()
        hear(hand, announcement(STRANGER), STRANGER)
        hand.run(60)
        assert sum(sent.size for sent in hand.sent) <= 800


def test_whoever_answers_is_joined_in_two_steps() -> None:
    hand = discovering()
    hear(hand, announcement(STRANGER), STRANGER)
    hand.until(lambda: bool(joins(hand)), 1)
    first = joins(hand)[0].message
    assert isinstance(first, Join)
    assert first.claim is None
    hand.feed(STRANGER, JoinAck(first.seq, b"cookie", UNIX_MS, 1_000, 4, 5_000))
    second = joins(hand)[1].message
    assert isinstance(second, Join)
    assert second.cookie == b"cookie"
    assert second.claim is not None
    hand.run(10)
    assert len(joins(hand)) == 4  # the second step is tried three times


def test_an_answer_from_elsewhere_counts_for_nothing() -> None:
    hand = discovering()
    hear(hand, announcement(STRANGER), STRANGER)
    hand.until(lambda: bool(joins(hand)), 1)
    first = joins(hand)[0].message
    assert isinstance(first, Join)
    hand.feed(STRANGER, JoinAck(first.seq + 1, b"cookie", UNIX_MS, 1_000, 4, 5_000))
    hand.run(10)
    assert len(joins(hand)) == 1


def test_one_that_is_announced_again_is_asked_again() -> None:
    hand = discovering()
    for _ in range(3):
        hear(hand, announcement(STRANGER), STRANGER)
        hand.run(10)
    assert [sent.to for sent in joins(hand)] == [STRANGER.address] * 3


def test_a_live_member_is_not_asked() -> None:
    hand = discovering(knows=[STRANGER])
    hear(hand, announcement(STRANGER), STRANGER)
    hand.run(60)
    assert joins(hand) == []


def test_a_live_member_is_known_by_its_run_wherever_its_announcement_comes_from() -> None:
    """For example at another address than the one that it advertises."""
    hand = discovering(knows=[STRANGER])
    hand.node.feed_announcement(announcement(STRANGER), ("10.8.8.8", EPHEMERAL), now=hand.now)
    hand.run(60)
    assert joins(hand) == []


def test_no_turn_is_lost_to_those_that_became_members_meanwhile() -> None:
    known = peers(10)
    hand = discovering(knows=known)
    newcomers = peers(30, first=100)
    for newcomer in newcomers:
        hear(hand, announcement(newcomer), newcomer)
    hand.feed(known[0], claims=[newcomer.claim() for newcomer in newcomers[1:]])
    hand.answering += newcomers[1:]
    hand.run(0.2 * 41)
    assert [sent.to for sent in joins(hand)] == [newcomers[0].address]


def test_one_that_became_a_member_meanwhile_is_not_asked() -> None:
    hand = discovering(knows=peers(100, first=2))
    hear(hand, announcement(STRANGER), STRANGER)
    hand.feed(peer(2), claims=[STRANGER.claim()])
    hand.answering.append(STRANGER)
    hand.run(60)
    assert hand.state(STRANGER) is not None
    assert joins(hand) == []


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (announcement(STRANGER, size=799), DropReason.UNDECODABLE),
        (announcement(STRANGER, Ping(1, 1, UNIX_MS)), DropReason.UNDECODABLE),
        (announcement(STRANGER)[:-1], DropReason.UNDECODABLE),
        (announcement(STRANGER) + b"x", DropReason.UNDECODABLE),
        (announcement(STRANGER, Announce(0, bytes(800))), DropReason.UNDECODABLE),
        (announcement(peer(1, hashes=Hashes("other", 4))), DropReason.OTHER_CLUSTER),
        (b"", DropReason.BAD_HEADER),
    ],
)
def test_what_is_no_announcement_of_this_cluster_is_dropped_whole(data: bytes, reason: DropReason) -> None:
    hand = discovering()
    hand.clear()
    hear(hand, data, STRANGER)
    assert hand.dropped(reason) == 1
    hand.run(60)
    assert hand.sent == []


def test_claims_that_ride_on_an_announcement_are_not_believed() -> None:
    hand = discovering()
    message = Announce(STRANGER.address.port, bytes(800))
    hear(hand, STRANGER.datagram(message, claims=[STRANGER.claim(), peer(2).claim()]), STRANGER)
    hand.run(10)
    assert len(hand.node.members(gone=True)) == 1


def test_its_own_announcement_comes_back_to_it_and_is_dropped() -> None:
    hand = discovering()
    (own,) = announcements(hand)
    hand.clear()
    hand.node.feed_announcement(own.payload, ("10.0.0.1", EPHEMERAL), now=hand.now)
    hand.run(60)
    assert hand.dropped(DropReason.OWN) == 1
    assert hand.sent == []


def test_an_announcement_to_one_node_alone_is_dropped() -> None:
    hand = discovering(knows=[STRANGER])
    hand.feed_bytes(announcement(STRANGER), STRANGER.address)
    assert hand.dropped(DropReason.UNREQUESTED) == 1
    hand.run(60)
    assert joins(hand) == []


def test_a_node_whose_name_another_process_owns_is_silent() -> None:
    hand = discovering(Multicast(interval=1), knows=[STRANGER])
    rival = Peer(hand.me.name, Address("10.9.9.9", 7946), hand.me.epoch + (1 << 16))
    hand.feed(STRANGER, claims=[rival.claim()])
    assert hand.node.statistics().superseded
    hand.clear()
    hear(hand, announcement(peer(2)), peer(2))
    hand.run(30)
    assert hand.dropped(DropReason.SUPERSEDED) == 1
    assert announcements(hand) == joins(hand) == []


# ---------------------------------------------------------------------- bounds


def flood(hand: Hand, strangers: Sequence[Peer], seconds: int) -> list[Sent]:
    """Feed many announcements of strangers; returns the JOINs that they caused."""
    hand.clear()
    for _ in range(seconds * 10):
        for stranger in strangers:
            hear(hand, announcement(stranger), stranger)
        hand.run(0.1)
    return joins(hand)


def test_however_much_is_announced_n_members_together_ask_ten_times_a_second() -> None:
    strangers = peers(20, first=1_000)
    assert len(flood(discovering(), strangers, 20)) == pytest.approx(200, rel=0.3)
    assert len(flood(discovering(knows=peers(9)), strangers, 60)) == pytest.approx(60, rel=0.5)


def test_addresses_that_wait_to_be_asked_are_bounded_in_number() -> None:
    hand = discovering(knows=peers(9))
    for stranger in peers(100, first=1_000):
        hear(hand, announcement(stranger), stranger)
    assert hand.dropped(DropReason.RATE_LIMITED) == 36
    hand.run(200)
    assert len(joins(hand)) == 64


# ---------------------------------------------------------------------- all together


def test_nodes_find_each_other_without_seeds_in_little_more_than_a_second() -> None:
    hands = [
        discovering(Multicast(), name=f"n{i}", address=(f"10.1.0.{i}", 7946), seed=i, config=Config.lan())
        for i in range(1, 9)
    ]
    carry(hands, 2.0)
    for hand in hands:
        assert [member.name for member in hand.node.members()] == [f"n{i}" for i in range(1, 9)]


def carry(hands: Sequence[Hand], seconds: float) -> None:
    """Carry datagrams between nodes without delay, for a while: to one address, or to the group."""
    at = {hand.me.address: hand for hand in hands}
    start, now = hands[0].now, hands[0].now
    while now <= start + seconds:
        for hand in hands:
            hand.run(now - hand.now)
        while any(hand.sent for hand in hands):
            for hand in hands:
                sent = list(hand.sent)
                hand.clear_sent()
                for item in sent:
                    if item.to == GROUP:
                        for other in hands:
                            source = (hand.me.address.host, EPHEMERAL)
                            other.node.feed_announcement(item.payload, source, now=other.now)
                            other.collect()
                    elif item.to in at:
                        at[item.to].feed_bytes(item.payload, hand.me.address)
        now += 0.01
