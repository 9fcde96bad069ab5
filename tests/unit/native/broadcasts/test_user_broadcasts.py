"""Section 6, rule by rule: user broadcasts arrive at most once, gaps are repaired, and losses are told once."""

import pytest

from support.hand import EPOCH, Hand, Peer, peer, peers
from swim_core import (
    BroadcastReceived,
    BroadcastsLost,
    Config,
    DropReason,
    MessageReceived,
    PayloadTooLarge,
    Rule,
    State,
)
from swim_core.native.wire.messages import Broadcast, Number, PageEntry, SyncPage, SyncReq, UserMessage, Want

A, B, C = peers(3)
STEP = 1 << 16


def settled(count: int = 3, config: Config | None = None) -> Hand:
    hand = Hand(knows=peers(count), config=config)
    hand.run(1.0)
    hand.clear()
    return hand


def item(number: int, origin: Peer = A, payload: bytes = b"x") -> Broadcast:
    return Broadcast(origin.name, origin.epoch, number, payload)


def delivered(hand: Hand) -> list[int]:
    return [event.number for event in hand.happened(BroadcastReceived)]


def relayed(hand: Hand) -> list[tuple[str, int]]:
    return [(each.origin, each.number) for sent in hand.sent for each in sent.envelope.broadcasts]


# ------------------------------------------------------------------ identity


def test_numbers_count_from_1_in_each_run() -> None:
    hand = settled()
    assert [hand.node.broadcast(b"x", now=hand.now) for _ in range(3)] == [1, 2, 3]
    hand.collect()
    assert {(each.origin, each.epoch) for sent in hand.sent for each in sent.envelope.broadcasts} == {
        ("me", hand.me.epoch)
    }


@pytest.mark.parametrize("why", ["refutation", "metadata", "old run"])
def test_a_node_that_takes_a_new_epoch_starts_at_1_again(why: str) -> None:
    hand = settled()
    hand.node.broadcast(b"x", now=hand.now)
    top = 2**32 - 1
    if why == "refutation":
        hand.feed(A, claims=[hand.own_claim(State.SUSPECT, incarnation=top)])
    elif why == "metadata":
        hand.feed(A, claims=[hand.own_claim(State.SUSPECT, incarnation=top - 1)])
        hand.node.update_metadata({"k": "v"}, now=hand.now)
    else:
        hand.feed(A, claims=[hand.own_claim(epoch=hand.me.epoch + STEP)])
    hand.clear()
    assert hand.node.broadcast(b"y", now=hand.now) == 1
    hand.run(0.1)
    assert {each.epoch for sent in hand.sent for each in sent.envelope.broadcasts if each.payload == b"y"} == {
        hand.me.epoch
    }


def test_a_broadcast_says_who_sent_it() -> None:
    hand = settled()
    hand.feed(B, broadcasts=[item(1, payload=b"hello")])
    (event,) = hand.happened(BroadcastReceived)
    assert event.payload == b"hello"
    assert event.number == 1
    assert (event.origin.name, event.origin.epoch, event.origin.address) == ("p1", A.epoch, A.address)


# ------------------------------------------------------------------ at most once


def test_a_broadcast_is_delivered_and_relayed_once_however_often_it_comes() -> None:
    hand = settled()
    for source in (A, B, C, A):
        hand.feed(source, broadcasts=[item(1), item(1)])
    hand.run(0.5)
    assert delivered(hand) == [1]
    assert relayed(hand).count(("p1", 1)) == 1
    assert hand.dropped(DropReason.DUPLICATE) == 7


def test_it_is_never_delivered_to_its_origin() -> None:
    hand = settled()
    for epoch in (hand.me.epoch, hand.me.epoch - STEP, hand.me.epoch + STEP):
        hand.feed(A, broadcasts=[Broadcast("me", epoch, 1, b"x")])
    hand.node.broadcast(b"mine", now=hand.now)
    hand.run(10.0)
    assert not hand.happened(BroadcastReceived)


def test_the_window_is_1024_below_the_highest_received() -> None:
    hand = settled()
    hand.feed(A, broadcasts=[item(2_000)])
    hand.feed(A, broadcasts=[item(2_000 - 1_023)])
    hand.feed(A, broadcasts=[item(2_000 - 1_024), item(2_000 - 1_025), item(1)])
    assert delivered(hand) == [2_000, 977]
    assert hand.dropped(DropReason.DUPLICATE) == 3
    hand.feed(A, broadcasts=[item(977), item(1_500), item(1_500)])
    assert delivered(hand) == [2_000, 977, 1_500]


def test_what_an_older_run_said_last_is_news_though_nothing_was_heard_of_that_run() -> None:
    hand = settled()
    second = peer(1, epoch=EPOCH + STEP)
    hand.feed(B, claims=[second.claim()])
    hand.answering = [second, B, C]
    hand.feed(B, numbers=[Number(A.short_id, 1)])
    hand.run(0.31)
    assert hand.messages(Want, B) == [Want(A.short_id, [(1, 1)])]
    hand.feed(B, broadcasts=[item(1)])
    assert delivered(hand) == [1]


def test_a_member_that_was_forgotten_and_comes_back_is_not_heard_twice() -> None:
    """Others remember the member and still have its broadcasts; those that it sent meanwhile are new."""
    hand = settled(config=Config.lan(forget_after=5.0))
    hand.feed(A, broadcasts=[item(1), item(3)])
    hand.feed(B, claims=[A.claim(State.DEAD, time=hand.cluster_time)])
    hand.answering = [B, C]
    hand.run(10.0)
    assert hand.state(A) is None
    hand.feed(B, claims=[A.claim(incarnation=1)], numbers=[Number(A.short_id, 4)])
    hand.answering = [A, B, C]
    hand.feed(B, broadcasts=[item(number) for number in (1, 2, 3, 4)])
    hand.run(5.0)
    assert delivered(hand) == [1, 3, 2, 4]


@pytest.mark.parametrize("way", ["tombstones", "removed"])
def test_nor_is_one_that_was_forgotten_in_another_way(way: str) -> None:
    hand = settled(20, config=Config.lan(max_tombstones=16))
    hand.feed(A, broadcasts=[item(1)])
    gone = peers(18) if way == "tombstones" else [A]
    deaths = [member.claim(State.DEAD, rule=Rule.GONE, time=hand.cluster_time) for member in gone]
    hand.answering = [peer(20)]
    hand.feed(peer(20), claims=deaths)
    hand.run(2.1)
    if way == "removed":
        hand.node.remove("p1", now=hand.now)
    assert hand.state(A) is None
    hand.feed(peer(20), claims=[A.claim(incarnation=1)], broadcasts=[item(1)], numbers=[Number(A.short_id, 1)])
    hand.run(3.0)
    assert delivered(hand) == [1]
    assert not hand.messages(Want)


def test_order_is_not_promised_but_nothing_is_lost_for_it() -> None:
    hand = settled()
    for number in (3, 1, 2, 5, 4):
        hand.feed(A, broadcasts=[item(number)])
    assert delivered(hand) == [3, 1, 2, 5, 4]
    hand.run(5.0)
    assert not hand.messages(Want)


def test_runs_are_kept_apart_and_the_previous_ones_window_for_60_s() -> None:
    hand = settled()
    hand.feed(A, broadcasts=[item(1), item(2)])
    second = peer(1, epoch=EPOCH + STEP)
    hand.feed(B, claims=[second.claim()])
    hand.answering = [second, B, C]
    hand.feed(second, broadcasts=[item(1, second)])
    assert delivered(hand) == [1, 2, 1]
    hand.run(30.0)
    hand.feed(B, broadcasts=[item(1), item(2)])
    assert delivered(hand) == [1, 2, 1]
    hand.feed(B, broadcasts=[item(3)])
    assert delivered(hand) == [1, 2, 1, 3], "what an older run said last is still news"
    hand.run(29.0)
    hand.feed(B, broadcasts=[item(3)])
    assert delivered(hand) == [1, 2, 1, 3]
    hand.run(10.0)
    hand.feed(B, broadcasts=[item(1), item(2), item(3)])
    assert delivered(hand) == [1, 2, 1, 3]


# ------------------------------------------------------------------ bounds


def test_a_payload_is_up_to_max_broadcast() -> None:
    hand = settled()
    hand.node.broadcast(bytes(256), now=hand.now)
    with pytest.raises(PayloadTooLarge, match="256"):
        hand.node.broadcast(bytes(257), now=hand.now)
    assert hand.node.broadcast(b"", now=hand.now) == 2


def test_an_empty_payload_is_a_payload() -> None:
    hand = settled()
    hand.feed(A, broadcasts=[item(1, payload=b"")])
    assert [event.payload for event in hand.happened(BroadcastReceived)] == [b""]


def test_a_payload_over_the_own_limit_is_not_delivered() -> None:
    hand = settled()
    hand.feed(A, broadcasts=[item(1, payload=bytes(257))])
    assert not delivered(hand)
    assert hand.dropped(DropReason.TOO_LARGE_PAYLOAD) == 1


# ------------------------------------------------------------------ repair


def test_a_gap_seen_for_03_s_causes_a_want() -> None:
    hand = settled()
    hand.feed(B, broadcasts=[item(1)])
    hand.feed(B, broadcasts=[item(4)])
    hand.feed(B, broadcasts=[item(7)])
    hand.run(0.29)
    assert not hand.messages(Want)
    hand.run(0.02)
    (want,) = hand.messages(Want)
    assert want.origin == A.short_id
    assert want.ranges == [(2, 3), (5, 6)]


def test_the_beginning_is_missing_too() -> None:
    hand = settled()
    hand.feed(B, broadcasts=[item(3)])
    hand.run(0.31)
    assert hand.messages(Want)[0].ranges == [(1, 2)]


def test_a_gap_that_closes_by_itself_causes_none() -> None:
    hand = settled()
    hand.feed(B, broadcasts=[item(1), item(3)])
    hand.run(0.2)
    hand.feed(B, broadcasts=[item(2)])
    hand.run(5.0)
    assert not hand.messages(Want)


def test_a_higher_number_seen_for_03_s_causes_a_want() -> None:
    hand = settled()
    hand.feed(B, broadcasts=[item(1)])
    hand.feed(B, numbers=[Number(A.short_id, 3)])
    hand.run(0.31)
    (want,) = hand.messages(Want)
    assert want.ranges == [(2, 3)]


def test_a_number_never_moves_the_window() -> None:
    hand = settled()
    hand.feed(B, broadcasts=[item(1)])
    hand.feed(B, numbers=[Number(A.short_id, 2**32 - 1)])
    hand.run(5.0)
    hand.feed(A, broadcasts=[item(2), item(3)])
    assert delivered(hand) == [1, 2, 3]


def test_at_most_eight_tries_03_s_apart_and_then_the_loss_is_told_once() -> None:
    hand = settled(6)
    start = hand.now
    hand.feed(B, broadcasts=[item(1), item(4)])
    hand.run(2.65)
    assert not hand.happened(BroadcastsLost)
    hand.run(0.1)
    times = [sent.at - start for sent in hand.sent if isinstance(sent.message, Want)]
    assert sorted(set(times)) == pytest.approx([0.3 * number for number in range(1, 9)], abs=0.01)
    assert len(times) == 2 + 6 * 2, "one member twice, then two at a time"
    (lost,) = hand.happened(BroadcastsLost)
    assert (lost.origin.name, lost.origin.epoch, lost.count) == ("p1", A.epoch, 2)
    assert hand.node.statistics().broadcasts_lost == 2
    hand.run(60.0)
    assert len(hand.happened(BroadcastsLost)) == 1
    assert len(hand.messages(Want)) == 14


@pytest.mark.parametrize("others", [2, 3, 40])
def test_the_origin_is_asked_first_and_then_others_by_and_large_not_asked_yet(others: int) -> None:
    hand = settled(others)
    hand.feed(B, broadcasts=[item(1), item(4)])
    hand.run(3.0)
    asked = [sent.to for sent in hand.sent if isinstance(sent.message, Want)]
    assert asked[0] == A.address
    assert len(asked) == 14
    assert min(others, 11) <= len(set(asked)) <= others


def test_the_tries_count_anew_when_some_of_it_came() -> None:
    hand = settled()
    hand.feed(B, broadcasts=[item(9)])
    for number in range(1, 9):
        hand.run(1.0)
        hand.feed(C, broadcasts=[item(number)])
    hand.run(5.0)
    assert len(hand.messages(Want)) > 8
    assert not hand.happened(BroadcastsLost)
    assert sorted(delivered(hand)) == list(range(1, 10))


def test_whoever_gets_an_answer_asks_on_after_01_s() -> None:
    hand = settled()
    start = hand.now
    hand.feed(B, broadcasts=[item(9)])
    for at, number in ((0.35, 1), (0.45, 2)):
        hand.run(start + at - hand.now)
        hand.feed(A, broadcasts=[item(number)])
    hand.run(0.6)
    times = [sent.at - start for sent in hand.sent if isinstance(sent.message, Want)]
    assert times == pytest.approx([0.3, 0.4, 0.5, 0.8], abs=0.001), "and after 0.3 s where none came"


def test_the_origin_itself_is_asked_first() -> None:
    hand = settled(6)
    hand.feed(B, broadcasts=[item(2)])
    hand.run(0.31)
    (want,) = [sent for sent in hand.sent if isinstance(sent.message, Want)]
    assert want.to == A.address


def test_what_comes_late_all_the_same_is_delivered() -> None:
    hand = settled()
    hand.feed(B, broadcasts=[item(2)])
    hand.run(3.0)
    assert hand.happened(BroadcastsLost)
    hand.feed(B, broadcasts=[item(1)])
    assert delivered(hand) == [2, 1]


def test_a_repaired_gap_is_no_loss() -> None:
    hand = settled()
    hand.feed(B, broadcasts=[item(2)])
    hand.run(0.31)
    hand.feed(A, broadcasts=[item(1)])
    hand.run(5.0)
    assert len(hand.messages(Want)) == 1
    assert not hand.happened(BroadcastsLost)
    assert hand.node.statistics().broadcasts_delivered == 2


def test_a_want_names_at_most_32_ranges() -> None:
    hand = settled()
    hand.feed(B, broadcasts=[item(number) for number in range(2, 101, 2)])
    hand.run(0.31)
    assert len(hand.messages(Want)[0].ranges) == 32


def test_a_want_is_answered_with_what_is_retained() -> None:
    hand = settled()
    for number in range(1, 6):
        hand.feed(A, broadcasts=[item(number)])
    hand.node.broadcast(b"mine", now=hand.now)
    hand.run(1.0)
    hand.clear()
    hand.feed(C, Want(A.short_id, [(2, 3), (5, 9)]))
    assert sorted(relayed(hand)) == [("p1", 2), ("p1", 3), ("p1", 5)]
    assert {sent.to for sent in hand.sent} == {C.address}
    hand.clear()
    hand.feed(C, Want(hand.short_id, [(1, 1)]))
    assert relayed(hand) == [("me", 1)]
    hand.clear()
    hand.feed(C, Want(12345, [(1, 1)]))
    assert not hand.sent


def test_a_want_for_many_is_answered_in_several_datagrams() -> None:
    hand = settled()
    for number in range(1, 41):
        hand.feed(A, broadcasts=[item(number, payload=bytes(200))])
        hand.run(0.03)
    hand.run(1.0)
    hand.clear()
    hand.feed(C, Want(A.short_id, [(1, 40)]))
    assert sorted(number for _, number in relayed(hand)) == list(range(1, 41))
    assert max(sent.size for sent in hand.sent) <= 1200


@pytest.mark.parametrize(
    "config",
    [Config.lan(max_retained_broadcasts=5), Config.lan(max_retained_bytes=1024, max_broadcast=200)],
    ids=["number", "bytes"],
)
def test_retained_is_bounded_over_all_origins_oldest_out_first(config: Config) -> None:
    hand = settled(config=config)
    payload = bytes(180)
    for number in range(1, 5):
        hand.feed(A, broadcasts=[item(number, payload=payload)])
        hand.feed(B, broadcasts=[item(number, B, payload=payload)])
        hand.run(0.05)
    assert hand.node.statistics().retained_broadcasts <= 5
    hand.run(1.0)
    hand.clear()
    hand.feed(C, Want(A.short_id, [(1, 4)]))
    hand.feed(C, Want(B.short_id, [(1, 4)]))
    assert ("p1", 1) not in relayed(hand)
    assert {("p1", 4), ("p2", 4)} <= set(relayed(hand))


def test_an_item_retained_again_counts_once_against_the_bound() -> None:
    """Broadcasts of an origin that stays unknown may arrive again once they were given up."""
    hand = settled(config=Config.lan(max_retained_bytes=1024))
    for _ in range(12):
        hand.feed(A, broadcasts=[item(1, peer(9), bytes(100))])
        hand.run(5.1)
    hand.run(70.0)
    for number in range(1, 4):
        hand.feed(A, broadcasts=[item(number, payload=bytes(100))])
        hand.run(0.1)
    assert hand.node.statistics().retained_broadcasts == 3


def test_retained_for_60_s() -> None:
    hand = settled()
    hand.feed(A, broadcasts=[item(1)])
    hand.run(59.0)
    hand.clear()
    hand.feed(C, Want(A.short_id, [(1, 1)]))
    assert relayed(hand) == [("p1", 1)]
    hand.run(1.5)
    hand.clear()
    hand.feed(C, Want(A.short_id, [(1, 1)]))
    assert not relayed(hand)
    hand.run(1.1)
    assert hand.node.statistics().retained_broadcasts == 0


# ------------------------------------------------------------------ registers


def test_numbers_are_merged_by_max() -> None:
    hand = settled()
    hand.feed(B, broadcasts=[item(number) for number in range(1, 6)])
    hand.feed(B, numbers=[Number(A.short_id, 3)])
    hand.run(2.0)
    assert not hand.messages(Want)
    hand.clear()
    hand.feed(B, SyncReq(1, [0], 0, bytes(900)))
    page = hand.messages(SyncPage)[0]
    assert {entry.claim.name: entry.number for entry in page.entries}["p1"] == 5


def test_numbers_are_told_with_the_claims_in_syncs() -> None:
    hand = settled()
    hand.node.broadcast(b"x", now=hand.now)
    hand.node.broadcast(b"y", now=hand.now)
    hand.feed(B, numbers=[Number(A.short_id, 7)])
    hand.clear()
    hand.feed(B, SyncReq(1, [0], 0, bytes(900)))
    numbers = {entry.claim.name: entry.number for entry in hand.messages(SyncPage)[0].entries}
    assert numbers == {"me": 2, "p1": 7, "p2": 0, "p3": 0}


def joined_by_sync(number: int, *, first: bool) -> Hand:
    """A newcomer that learns of A, and of A's highest number, in a sync: its first, or a later one."""
    hand = Hand()
    request = hand.come_by(B)
    entry = PageEntry(A.claim(), number)
    hand.answering = [A, B]
    hand.feed(B, SyncPage(request.id, None, b"\1", [entry] if first else []))
    if not first:
        hand.run(1.1)
        hand.clear()
        hand.feed(B, claims=[hand.own_claim(State.DEAD)])
        hand.feed(B, SyncPage(hand.messages(SyncReq)[-1].id, None, b"\1", [entry]))
    assert hand.state(A) is State.ALIVE
    return hand


def test_what_was_sent_before_the_first_sync_is_not_missed() -> None:
    hand = joined_by_sync(50, first=True)
    hand.run(3.0)
    assert not hand.messages(Want)
    assert not hand.happened(BroadcastsLost)
    hand.feed(A, broadcasts=[item(52)])
    hand.run(0.35)
    assert hand.messages(Want)[0].ranges == [(51, 51)]


def test_what_is_learned_in_later_syncs_is_missed_from_number_1() -> None:
    hand = joined_by_sync(5, first=False)
    hand.run(0.35)
    assert hand.messages(Want)[0].ranges == [(1, 5)]


# ------------------------------------------------------------------ origins not known yet


def test_an_item_of_an_unknown_origin_is_relayed_and_delivered_when_its_claim_arrives() -> None:
    hand = settled()
    unknown = peer(9)
    hand.feed(A, broadcasts=[item(1, unknown, b"early")])
    hand.run(0.026)
    assert ("p9", 1) in relayed(hand)
    assert not delivered(hand)
    hand.run(3.0)
    hand.feed(B, claims=[unknown.claim()])
    (event,) = hand.happened(BroadcastReceived)
    assert (event.origin.name, event.origin.address, event.payload) == ("p9", unknown.address, b"early")


def test_an_item_of_an_unknown_origin_is_dropped_and_counted_after_5_s() -> None:
    hand = settled()
    unknown = peer(9)
    hand.feed(A, broadcasts=[item(1, unknown)])
    hand.run(4.9)
    assert hand.dropped(DropReason.UNKNOWN_ORIGIN) == 0
    hand.run(0.2)
    assert hand.dropped(DropReason.UNKNOWN_ORIGIN) == 1
    hand.feed(B, claims=[unknown.claim()])
    assert not delivered(hand)


def test_at_most_64_wait() -> None:
    hand = settled()
    unknown = [peer(number) for number in range(100, 180)]
    for other in unknown:
        hand.feed(A, broadcasts=[item(1, other)])
    assert hand.dropped(DropReason.UNKNOWN_ORIGIN) == 16
    for other in unknown:
        hand.push(A, [other])
    assert len(delivered(hand)) == 64


def test_a_waiting_item_comes_once() -> None:
    hand = settled()
    unknown = peer(9)
    for source in (A, B, C):
        hand.feed(source, broadcasts=[item(1, unknown)])
    hand.feed(B, claims=[unknown.claim()])
    hand.feed(B, broadcasts=[item(1, unknown)])
    hand.run(6.0)
    assert delivered(hand) == [1]


def test_an_item_that_comes_with_its_origins_claim_is_delivered() -> None:
    hand = settled()
    unknown = peer(9)
    hand.feed(A, claims=[unknown.claim()], broadcasts=[item(1, unknown)])
    assert delivered(hand) == [1]


# ------------------------------------------------------------------ direct messages


def test_a_message_is_taken_from_live_members_only() -> None:
    hand = settled()
    hand.feed(A, UserMessage(b"from a member"))
    hand.feed(peer(9), UserMessage(b"from a stranger"))
    hand.feed(B, claims=[C.claim(State.LEFT)])
    hand.feed(C, UserMessage(b"from one that left"))
    (event,) = hand.happened(MessageReceived)
    assert event.payload == b"from a member"
    assert (event.origin.name, event.origin.epoch, event.origin.address) == ("p1", A.epoch, A.address)
    assert hand.dropped(DropReason.STRANGER) == 2


def test_a_message_over_the_own_limit_is_dropped() -> None:
    hand = settled()
    hand.feed(A, UserMessage(bytes(257)))
    assert not hand.events
    assert hand.dropped(DropReason.TOO_LARGE_PAYLOAD) == 1


def test_a_message_goes_to_its_receiver_once() -> None:
    hand = settled()
    hand.node.send("p2", b"hi", now=hand.now)
    hand.run(5.0)
    assert [(sent.to, sent.message) for sent in hand.sent if isinstance(sent.message, UserMessage)] == [
        (B.address, UserMessage(b"hi"))
    ]


# ---------------------------------------------------------------------- numbers that nobody can have reached

FAR = 1 << 20


@pytest.mark.parametrize("how", ["broadcast", "number"])
def test_a_forged_number_near_the_top_does_not_silence_its_origin(how: str) -> None:
    hand = settled()
    top = Broadcast(A.name, A.epoch, 2**32 - 1, b"forged")
    hand.feed(A, broadcasts=[Broadcast(A.name, A.epoch, 1, b"x")])
    if how == "broadcast":
        hand.feed(B, broadcasts=[top])
    else:
        hand.feed(B, numbers=[Number(A.short_id, 2**32 - 1)])
    assert hand.dropped(DropReason.FAR_NUMBER) == 1
    hand.feed(A, broadcasts=[Broadcast(A.name, A.epoch, 2, b"x")])
    hand.run(5.0)
    assert delivered(hand) == [1, 2]
    assert not hand.happened(BroadcastsLost)


def test_the_origin_itself_is_taken_at_its_word() -> None:
    hand = settled()
    hand.feed(A, broadcasts=[Broadcast(A.name, A.epoch, 5 * FAR, b"x")])
    assert delivered(hand) == [5 * FAR]
    hand.run(5.0)
    assert not hand.happened(BroadcastsLost)  # all sent before this node heard of it


def test_two_members_are_believed_where_one_is_not() -> None:
    hand = settled()
    hand.feed(B, broadcasts=[Broadcast(A.name, A.epoch, 2**32 - 1, b"forged")])
    hand.feed(C, broadcasts=[Broadcast(A.name, A.epoch, 5 * FAR, b"x")])
    assert delivered(hand) == [5 * FAR]
    hand.feed(B, broadcasts=[Broadcast(A.name, A.epoch, 5 * FAR + 1, b"y")])
    assert delivered(hand) == [5 * FAR, 5 * FAR + 1]


def test_numbers_that_are_near_come_by_anybody() -> None:
    hand = settled()
    hand.feed(B, broadcasts=[Broadcast(A.name, A.epoch, FAR, b"x")])
    assert delivered(hand) == [FAR]
