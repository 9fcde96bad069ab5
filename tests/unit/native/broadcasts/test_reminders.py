"""Section 6, rule by rule: pings and acks name the latest broadcasts, so that none is missed during a blip."""

import pytest

from support.hand import UNIX_MS, Hand, Peer, Sent, peer, peers
from swim_core import BroadcastReceived, BroadcastsLost, Config, Isolated, State
from swim_core.native.wire.messages import (
    Ack,
    Broadcast,
    Number,
    PageEntry,
    Ping,
    PingReq,
    SyncPage,
    SyncPush,
    SyncReq,
    Vote,
    Want,
)

A, B, C = peers(3)


def settled(count: int = 3, config: Config | None = None) -> Hand:
    hand = Hand(knows=peers(count), config=config)
    hand.run(1.0)
    hand.clear()
    return hand


def item(number: int, origin: Peer = A) -> Broadcast:
    return Broadcast(origin.name, origin.epoch, number, b"x")


def delivered(hand: Hand) -> list[int]:
    return [event.number for event in hand.happened(BroadcastReceived)]


def lost(hand: Hand) -> int:
    return sum(event.count for event in hand.happened(BroadcastsLost))


def reminders(hand: Hand) -> list[Sent]:
    return [sent for sent in hand.sent if sent.envelope.numbers]


def acked(hand: Hand, pinger: Peer) -> list[Number]:
    """The numbers that ride on the ack to a ping."""
    (sent,) = [sent for sent in hand.feed(pinger, Ping(7, hand.short_id, UNIX_MS)) if isinstance(sent.message, Ack)]
    return sent.envelope.numbers


# ------------------------------------------------------------------ what is told, to whom, for how long


def test_pings_and_acks_carry_the_own_number_for_60_s_after_the_last_broadcast() -> None:
    hand = settled()
    for _ in range(3):
        hand.node.broadcast(b"x", now=hand.now)
    hand.run(0.5)
    hand.clear()
    assert acked(hand, B) == [Number(hand.short_id, 3)]
    hand.run(58.0)
    pings = [sent for sent in hand.sent if isinstance(sent.message, Ping)]
    assert len(pings) > 20
    assert all(sent.envelope.numbers == [Number(hand.short_id, 3)] for sent in pings)
    hand.run(3.0)
    hand.clear()
    assert acked(hand, B) == []
    hand.run(10.0)
    assert not reminders(hand)


def test_they_carry_the_highest_number_received_of_others() -> None:
    hand = settled()
    hand.feed(B, broadcasts=[item(2)])
    hand.feed(B, broadcasts=[item(1)])
    hand.run(0.5)
    assert acked(hand, C) == [Number(A.short_id, 2)]


def test_a_number_is_told_on_only_by_who_has_the_broadcast() -> None:
    """A member that hears a number asks whoever told it, which must therefore have the broadcast."""
    hand = settled()
    hand.feed(B, numbers=[Number(A.short_id, 2)])
    hand.run(0.2)
    assert acked(hand, C) == []
    hand.feed(B, broadcasts=[item(1)])
    hand.run(0.2)
    assert acked(hand, C) == [Number(A.short_id, 1)]


def test_a_number_costs_no_datagram_of_its_own() -> None:
    hand = settled()
    hand.node.broadcast(b"x", now=hand.now)
    hand.run(0.5)
    hand.clear()
    hand.run(10.0)
    assert {type(sent.message) for sent in reminders(hand)} <= {Ping, Ack}


def test_own_numbers_are_not_told_while_own_broadcasts_still_wait() -> None:
    """Broadcasts that have not been sent yet would seem lost, and a long queue holds more of them than a window."""
    hand = settled(config=Config.lan(max_broadcast=600))
    for _ in range(200):
        hand.node.broadcast(bytes(500), now=hand.now)
    hand.clear()
    assert acked(hand, B) == []
    hand.run(3.0)
    hand.clear()
    assert acked(hand, B) == [Number(hand.short_id, 200)]


def flooded(hand: Hand, count: int) -> None:
    """Let this many broadcasts of C wait to be passed on."""
    for start in range(1, count + 1, 5):
        hand.feed(B, broadcasts=[Broadcast(C.name, C.epoch, start + i, bytes(200)) for i in range(5)])


def test_while_much_waits_only_numbers_known_for_3_s_are_told() -> None:
    hand = settled()
    hand.feed(B, broadcasts=[item(1)])
    hand.run(3.1)
    flooded(hand, 1_000)
    assert hand.node.statistics().pending > 256
    hand.clear()
    assert acked(hand, B) == [Number(A.short_id, 1)]
    hand.until(lambda: hand.node.statistics().pending == 0, limit=2.0)
    hand.clear()
    assert {number.origin for number in acked(hand, B)} == {A.short_id, C.short_id}


def test_while_much_waits_an_answered_want_is_followed_after_03_s() -> None:
    hand = settled()
    hand.feed(B, broadcasts=[item(9)])
    hand.run(0.2)
    flooded(hand, 3_000)
    hand.run(0.15)
    hand.feed(A, broadcasts=[item(1)])
    hand.run(0.26)
    assert hand.node.statistics().pending > 256
    wants = [sent.at for sent in hand.sent if sent.message == Want(A.short_id, [(1, 8)])]
    again = [sent.at for sent in hand.sent if sent.message == Want(A.short_id, [(2, 8)])]
    assert [b - a for a, b in zip(wants, again, strict=True)] == pytest.approx([0.3])


def test_the_pings_of_a_watch_carry_numbers_but_no_broadcasts() -> None:
    """Reminders come often where packets are lost, and are small enough for any path."""
    hand = settled()
    hand.answering = [B, C]
    hand.until(lambda: any(ping.accused is not None for ping in hand.messages(Ping, A)), limit=10.0)
    hand.clear()
    for _ in range(30):
        hand.node.broadcast(bytes(200), now=hand.now)
    hand.run(2.0)
    watching = [sent for sent in hand.to(A) if isinstance(sent.message, Ping) and sent.message.accused is not None]
    assert any(sent.envelope.numbers == [Number(hand.short_id, 30)] for sent in watching)
    assert not any(sent.envelope.broadcasts for sent in watching)


def test_strangers_and_the_gone_are_told_no_numbers() -> None:
    hand = settled()
    hand.node.broadcast(b"x", now=hand.now)
    hand.run(0.5)
    hand.feed(B, claims=[C.claim(State.DEAD, time=hand.cluster_time)])
    hand.clear()
    hand.feed(C, Ping(7, hand.short_id, UNIX_MS))
    hand.feed(peer(9), Ping(7, hand.short_id, UNIX_MS))
    assert hand.to(C, peer(9))
    assert not [sent for sent in hand.to(C, peer(9)) if sent.envelope.numbers]


def test_with_reminders_a_ping_still_passes_every_path_and_an_accusation_comes_first() -> None:
    hand = settled(40)
    for member in peers(40):
        hand.feed(A, broadcasts=[item(1, member)])
    hand.run(1.0)
    hand.clear()
    hand.feed(B, claims=[A.claim(State.SUSPECT, time=hand.cluster_time)])
    hand.run(5.0)
    assert all(sent.size <= 548 for sent in hand.sent if sent.envelope.numbers)
    acks = hand.feed(A, Ping(7, hand.short_id, UNIX_MS))
    assert [claim.state for claim in acks[0].claims] == [State.SUSPECT]
    assert acks[0].envelope.numbers


@pytest.mark.parametrize(("origins", "rounds"), [(4, 1), (5, 2), (40, 2), (60, 2), (120, 4), (300, 10)])
def test_of_many_origins_a_part_is_told_in_each_round(origins: int, rounds: int) -> None:
    hand = Hand(knows=peers(origins), config=Config.lan(max_new_members_per_second=10_000))
    hand.run(1.0)
    for member in peers(origins):
        hand.feed(A, broadcasts=[item(1, member)])
        hand.run(0.01)
    hand.run(2.0)
    told: set[int] = set()
    for _ in range(rounds):
        numbers = [number.origin for number in acked(hand, B)]
        assert len(numbers) <= 45
        told.update(numbers)
        hand.run(1.0)
    assert told == {member.short_id for member in peers(origins)}


def test_reminders_last_longer_than_any_cut_that_leaves_no_trace() -> None:
    assert Config.lan().remind_broadcasts == 60.0
    assert Config.lan(retain_broadcasts=1.0).remind_broadcasts == 20.0
    hand = settled(config=Config.lan(retain_broadcasts=1.0))
    hand.node.broadcast(b"x", now=hand.now)
    hand.run(19.0)
    assert hand.node.statistics().retained_broadcasts == 0
    assert acked(hand, B) == [Number(hand.short_id, 1)]


# ------------------------------------------------------------------ what is made of it


def test_what_a_ping_shows_is_asked_of_the_pinger_first_and_then_of_the_origin() -> None:
    hand = settled(6)
    hand.feed(B, Ping(7, hand.short_id, UNIX_MS), numbers=[Number(A.short_id, 2)])
    hand.run(0.65)
    wants = [sent for sent in hand.sent if isinstance(sent.message, Want)]
    assert [sent.to for sent in wants] == [B.address, A.address]
    assert wants[0].message == Want(A.short_id, [(1, 2)])
    hand.feed(B, broadcasts=[item(1), item(2)])
    hand.run(5.0)
    assert delivered(hand) == [1, 2]
    assert not lost(hand)


def test_what_was_repaired_is_passed_on() -> None:
    """If many were cut off, it is enough that one of them meets a member that has the broadcast."""
    hand = settled()
    hand.feed(B, numbers=[Number(A.short_id, 1)])
    hand.run(0.31)
    hand.clear()
    hand.feed(B, broadcasts=[item(1)])
    hand.run(0.026)
    assert [each.number for sent in hand.sent for each in sent.envelope.broadcasts] == [1]


def test_a_number_that_nobody_makes_good_is_told_lost_within_5_s() -> None:
    hand = settled()
    hand.feed(B, numbers=[Number(A.short_id, 2)])
    hand.run(5.0)
    (event,) = hand.happened(BroadcastsLost)
    assert (event.origin.name, event.count) == ("p1", 2)


# ------------------------------------------------------------------ told anew


def live_again(hand: Hand, who: Peer) -> None:
    hand.feed(C, claims=[who.claim(State.DEAD, time=hand.cluster_time)])
    hand.run(1.0)
    hand.feed(who, claims=[who.claim(incarnation=1)])


def test_all_numbers_are_told_anew_when_a_member_is_back() -> None:
    hand = settled()
    hand.feed(B, broadcasts=[item(5)])
    hand.feed(B, numbers=[Number(C.short_id, 5)])
    hand.node.broadcast(b"x", now=hand.now)
    hand.run(70.0)
    assert acked(hand, B) == []
    live_again(hand, B)
    hand.run(1.0)
    assert set(map(repr, acked(hand, B))) == {repr(Number(hand.short_id, 1)), repr(Number(A.short_id, 5))}


def test_all_numbers_are_told_anew_by_one_that_was_held_dead() -> None:
    hand = settled()
    hand.node.broadcast(b"x", now=hand.now)
    hand.run(70.0)
    hand.clear()
    hand.feed(B, claims=[hand.own_claim(State.DEAD)])
    hand.run(1.0)
    assert acked(hand, B) == [Number(hand.short_id, 1)]


def test_all_numbers_are_told_anew_by_one_that_was_isolated() -> None:
    hand = settled(8)
    hand.node.broadcast(b"x", now=hand.now)
    hand.answering = []
    hand.run(70.0)
    assert hand.happened(Isolated)
    hand.clear()
    hand.answering = peers(8)
    hand.run(3.0)
    assert reminders(hand)


def test_one_that_was_held_dead_syncs_with_who_said_so() -> None:
    for sayer in (A, B, C):
        hand = settled()
        hand.feed(sayer, claims=[hand.own_claim(State.DEAD)])
        assert [sent.to for sent in hand.sent if isinstance(sent.message, SyncReq)] == [sayer.address]


def test_one_that_was_isolated_syncs_with_who_answers() -> None:
    hand = settled(8)
    hand.answering = []
    hand.run(20.0)
    assert hand.happened(Isolated)
    hand.until(lambda: bool(hand.messages(Ping, peer(5))), limit=20.0)
    sent = hand.feed(peer(5), Ack(hand.messages(Ping, peer(5))[-1].seq, hand.digest()))
    assert [each.to for each in sent if isinstance(each.message, SyncReq)] == [peer(5).address]


# ------------------------------------------------------------------ newcomers, and the first of a cluster


def test_what_a_newcomer_hears_of_before_its_first_sync_is_over_is_not_missed() -> None:
    hand = Hand()
    request = hand.come_by(B)
    hand.feed(B, claims=[A.claim()], numbers=[Number(B.short_id, 5)], broadcasts=[item(2_000)])
    hand.run(0.35)
    assert not hand.messages(Want)
    hand.feed(B, SyncPage(request.id, None, b"\1", []))
    hand.answering = [A, B]
    hand.feed(B, numbers=[Number(B.short_id, 6)])
    hand.run(3.0)
    assert {repr(want) for want in hand.messages(Want)} == {repr(Want(B.short_id, [(6, 6)]))}
    assert delivered(hand) == [2_000]
    assert lost(hand) == 1


def test_what_a_later_sync_tells_of_one_that_has_not_answered_yet_is_missed_from_there_on_only() -> None:
    hand = Hand()
    request = hand.come_by(B)
    hand.answering = [B]
    for told in (SyncPage(request.id, None, b"\1", [PageEntry(A.claim(), 5)]), SyncPush([PageEntry(A.claim(), 7)])):
        hand.feed_bytes(B.datagram(told), B.address)  # A, of which it tells, does not answer yet
    assert hand.state(A) is None
    hand.answering = [A, B]
    hand.run(3.0)
    assert hand.state(A) is State.ALIVE
    assert {want.ranges[0] for want in hand.messages(Want) if want.origin == A.short_id} == {(6, 7)}


@pytest.mark.parametrize("later", [0.0, 5.0])
def test_the_first_of_a_cluster_misses_what_it_did_not_get_though_nobody_told_it_of_the_cluster(later: float) -> None:
    """It never had to sync; when it does, broadcasts sent meanwhile don't count as older than its membership."""
    hand = Hand()
    hand.introduce(B)
    hand.introduce(A)
    hand.answering = [A, B]
    hand.run(later)
    assert not hand.messages(SyncReq)
    hand.feed(B, claims=[hand.own_claim(State.DEAD)])
    request = hand.messages(SyncReq)[-1]
    hand.feed(B, SyncPage(request.id, None, b"\1", [PageEntry(A.claim(), 3)]))
    hand.run(0.35)
    assert hand.messages(Want) == [Want(A.short_id, [(1, 3)])]


def test_a_newcomer_that_a_member_of_its_cluster_joins_misses_nothing_that_was_said_before() -> None:
    """As with discovery: the newcomer announces itself, and a member asks it, then syncs with it."""
    hand = Hand()
    hand.introduce(B, members=40)
    hand.answering = [A, B]
    hand.feed(B, SyncPush([PageEntry(A.claim(), 5), PageEntry(B.claim(), 3)]))
    hand.run(3.0)
    assert hand.state(A) is State.ALIVE
    asked = A if hand.messages(SyncReq, A) else B  # what B pushed may have been lost, so this node asks as well
    hand.feed(asked, SyncPage(hand.messages(SyncReq, asked)[-1].id, None, b"\0", []))
    assert not hand.messages(Want)
    hand.feed(A, numbers=[Number(A.short_id, 6)])
    hand.run(0.35)
    assert hand.messages(Want) == [Want(A.short_id, [(6, 6)])]


def test_votes_carry_none() -> None:
    hand = settled()
    hand.node.broadcast(b"x", now=hand.now)
    hand.run(0.5)
    hand.clear()
    hand.feed(B, PingReq(1, C.claim()))
    votes = [sent for sent in hand.sent if isinstance(sent.message, Vote)]
    assert votes
    assert not [sent for sent in votes if sent.envelope.numbers]
