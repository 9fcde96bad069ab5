"""Section 7, rule by rule: the two steps of a join, what a newcomer adopts, and how long seeds are asked."""

from functools import partial
from itertools import pairwise

import msgspec
import pytest

from support.hand import EPOCH, UNIX_MS, Hand, Peer, Sent, peer, peers
from swim_core import (
    Address,
    DropReason,
    JoinAttempt,
    MemberJoined,
    SettingsDiffer,
    State,
)
from swim_core.address import unpack
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.messages import Join, JoinAck, Ping, SyncReq

A, B, C = peers(3)
STEP = 1 << 16
SEED = A.address


def joins(hand: Hand, to: Address | None = None) -> list[Sent]:
    return [sent for sent in hand.sent if isinstance(sent.message, Join) and to in (None, sent.to)]


def last_join(hand: Hand, to: Address = SEED) -> Join:
    message = joins(hand, to)[-1].message
    assert isinstance(message, Join)
    return message


def ack(
    hand: Hand, cookie: bytes | None, *, time: int | None = None, held: Claim | None = None, seed: Peer = A
) -> list[Sent]:
    """The seed answers the latest JOIN; with no cookie, and its claim, it lets the node in."""
    answer = JoinAck(
        last_join(hand, seed.address).seq,
        cookie,
        hand.cluster_time if time is None else time,
        1000,
        4,
        5000,
        held,
        None if cookie else seed.claim(),
    )
    return hand.feed(seed, answer)


def joining(**how: int) -> Hand:
    hand = Hand(**how)  # type: ignore[arg-type]
    hand.node.join([SEED], now=hand.now)
    hand.collect()
    return hand


# ------------------------------------------------------------------ two steps, from the newcomer


def test_the_first_join_shows_name_and_settings_and_no_claim() -> None:
    hand = joining()
    (sent,) = joins(hand)
    join = last_join(hand)
    assert (sent.to, join.name, join.interval, join.rings, join.stall, join.limit) == (SEED, "me", 1000, 4, 5000, 1200)
    assert join.cookie is None
    assert join.claim is None
    assert not sent.claims


def test_a_join_is_padded_for_the_longest_answer() -> None:
    """A claim with full metadata must fit into as many bytes as were sent."""
    hand = joining()
    largest = Claim("n" * 64, 2**64 - 1, bytes(16) + b"\1\1", 2**32 - 1, State.SUSPECT, bytes(512), None)
    answer = peer(1).datagram(JoinAck(2**32 - 1, bytes(16), 2**48 - 1, 2**32 - 1, 8, 2**32 - 1, largest))
    assert joins(hand)[0].size >= len(answer) + 25  # the verdict besides


def test_the_second_join_brings_the_cookie_and_the_own_claim_and_then_it_syncs() -> None:
    hand = joining()
    ack(hand, b"cookie")
    second = last_join(hand)
    assert second.cookie == b"cookie"
    assert second.claim is not None
    assert (second.claim.name, second.claim.epoch, second.claim.state) == ("me", hand.me.epoch, State.ALIVE)
    assert not hand.messages(SyncReq)
    ack(hand, None)
    assert hand.state(A) is State.ALIVE
    assert len(hand.messages(SyncReq, A)) == 1
    assert [type(event) for event in hand.events] == [JoinAttempt, MemberJoined]


def test_an_answer_that_was_not_asked_for_is_nothing() -> None:
    hand = joining()
    hand.feed(A, JoinAck(last_join(hand).seq ^ 1, b"c", UNIX_MS + 999_999, 1000, 4, 5000))
    assert hand.dropped(DropReason.UNREQUESTED) == 1
    assert hand.cluster_time < UNIX_MS + 1000
    assert len(joins(hand)) == 1


def test_a_step_is_repeated_until_it_is_answered() -> None:
    hand = joining()
    hand.run(0.9)
    assert len(joins(hand)) >= 2
    assert len({sent.message.seq for sent in joins(hand)}) == 1  # type: ignore[union-attr]  # a slow answer is as good
    hand = joining()
    ack(hand, b"cookie")
    hand.clear()
    hand.run(0.6)
    assert joins(hand)
    assert last_join(hand).cookie == b"cookie"


def test_a_seed_that_answers_slowly_lets_a_node_in_all_the_same() -> None:
    hand = Hand()

    def answer_late(sent: Sent) -> None:
        if isinstance(sent.message, Join) and sent.to == SEED:
            cookie = b"cookie" if sent.message.cookie is None else None
            reply = JoinAck(sent.message.seq, cookie, UNIX_MS, 1000, 4, 5000, None, None if cookie else A.claim())
            hand.after(0.6, partial(hand.feed, A, reply))

    hand.reaction = answer_late
    hand.node.join([SEED], now=hand.now)
    hand.collect()
    hand.until(lambda: hand.state(A) is State.ALIVE, 30.0)


# ------------------------------------------------------------------ what a newcomer adopts


@pytest.mark.parametrize("ahead", [-50 * 3_600_000, -1_000, 1_000, 50 * 3_600_000])
def test_a_node_that_knows_nobody_adopts_the_cluster_time_even_backwards(ahead: int) -> None:
    hand = joining()
    ack(hand, b"cookie", time=UNIX_MS + ahead)
    assert hand.cluster_time == pytest.approx(UNIX_MS + ahead, abs=2)


def test_a_node_that_knows_a_live_member_adopts_no_time_backwards() -> None:
    hand = Hand(knows=[B])
    hand.node.join([SEED], now=hand.now)
    hand.collect()
    ack(hand, b"cookie", time=UNIX_MS - 3_600_000)
    assert hand.cluster_time >= UNIX_MS


def test_a_clock_that_ran_ahead_gives_an_epoch_of_the_clusters_time() -> None:
    hand = joining()
    salt = hand.me.epoch & 0xFFFF
    ack(hand, b"cookie", time=UNIX_MS - 7_000_000)
    assert hand.me.epoch == (UNIX_MS - 7_000_000) * STEP + salt
    assert last_join(hand).claim is not None
    assert last_join(hand).claim.epoch == hand.me.epoch  # type: ignore[union-attr]


def test_a_clock_that_ran_behind_keeps_its_epoch() -> None:
    hand = joining()
    epoch = hand.me.epoch
    ack(hand, b"cookie", time=UNIX_MS + 7_000_000)
    assert hand.me.epoch == epoch


@pytest.mark.parametrize("state", [State.ALIVE, State.DEAD, State.LEFT])
def test_the_epoch_is_above_what_is_held_of_the_name(state: State) -> None:
    """A clock that was set back locks nobody out. The random bits remain its own, so that no two runs are taken for
    one."""
    hand = joining()
    held, bits = Peer("me", hand.me.address, EPOCH + 1_000 * STEP + 77), hand.me.epoch % STEP
    ack(hand, b"cookie", held=held.claim(state, incarnation=9))
    assert hand.me.epoch == EPOCH - EPOCH % STEP + 1_001 * STEP + bits
    assert hand.me.incarnation == 0
    assert not hand.node.statistics().superseded


def test_an_older_run_that_is_held_changes_nothing() -> None:
    hand = joining()
    epoch = hand.me.epoch
    ack(hand, b"cookie", held=Peer("me", hand.me.address, EPOCH - 1_000 * STEP).claim())
    assert hand.me.epoch == epoch


# ------------------------------------------------------------------ two steps, from the seed


def ask(hand: Hand, newcomer: Peer, cookie: bytes | None = None, *, size: int = 700, **changes: object) -> list[Sent]:
    join = Join(5, newcomer.name, 1000, 4, 5000, 1200, cookie, newcomer.claim() if cookie else None, bytes(size))
    return [
        sent for sent in hand.feed(newcomer, msgspec.structs.replace(join, **changes)) if sent.to == newcomer.address
    ]


def cookie_for(hand: Hand, newcomer: Peer) -> bytes:
    (sent,) = ask(hand, newcomer)
    assert isinstance(sent.message, JoinAck)
    assert sent.message.cookie is not None
    return sent.message.cookie


def test_the_seed_answers_with_a_cookie_and_its_time() -> None:
    hand = Hand(knows=[A, B])
    (sent,) = ask(hand, peer(9))
    reply = sent.message
    assert isinstance(reply, JoinAck)
    assert reply.cookie
    assert reply.held is None
    assert (reply.seq, reply.interval, reply.rings, reply.stall) == (5, 1000, 4, 5000)
    assert reply.time == hand.cluster_time


def test_what_is_held_of_the_name_is_told_to_who_brought_the_cookie_back() -> None:
    """Forged claims in its name would need its epoch."""
    hand = Hand(knows=[A, B])
    older = peer(2, epoch=EPOCH - STEP)
    (sent,) = ask(hand, older)
    assert isinstance(sent.message, JoinAck)
    assert sent.message.held is None
    (sent,) = ask(hand, older, sent.message.cookie)
    assert isinstance(sent.message, JoinAck)
    assert sent.message.held == B.claim()
    assert not ask(hand, peer(2, epoch=EPOCH + STEP), b"forged")


def test_a_newcomer_that_learns_in_the_second_step_of_a_later_run_comes_again_above_it() -> None:
    hand = joining()
    first = hand.me.epoch
    ack(hand, b"cookie")
    held = Peer("me", hand.me.address, EPOCH + 1_000 * STEP)
    ack(hand, None, held=held.claim(State.DEAD))
    assert hand.me.epoch > held.epoch > first
    claim = last_join(hand).claim
    assert claim is not None
    assert (claim.epoch, last_join(hand).cookie) == (hand.me.epoch, b"cookie")
    joined = len(joins(hand))
    ack(hand, None)
    assert len(joins(hand)) == joined
    assert hand.state(A) is State.ALIVE


def test_one_that_takes_a_later_run_while_it_is_let_in_comes_again_with_that() -> None:
    """Otherwise the seed would stay with the run that it was shown first, and drop what the later one says."""
    hand = Hand(knows=[B])
    hand.node.join([A.address], now=hand.now)
    hand.collect()
    ack(hand, b"cookie")
    shown = last_join(hand)
    assert shown.claim is not None
    hand.feed(B, claims=[Peer("me", hand.me.address, EPOCH + 1_000 * STEP).claim(State.DEAD)])
    assert hand.me.epoch > shown.claim.epoch
    ack(hand, None)
    claim = last_join(hand).claim
    assert claim is not None
    assert (claim.epoch, last_join(hand).cookie) == (hand.me.epoch, b"cookie")


def test_a_superseded_node_asks_what_is_held_of_its_name_in_both_steps() -> None:
    hand = Hand(knows=[A, B])
    rival = Peer("me", Address("10.5.5.5", 7946), hand.me.epoch + STEP)
    hand.feed(A, claims=[rival.claim()])
    assert hand.node.statistics().superseded
    hand.run(70.0)
    hand.clear()
    hand.until(lambda: joins(hand), 70.0)
    sent = joins(hand)[-1]
    asked = next(each for each in (A, B) if each.address == sent.to) if sent.to in (A.address, B.address) else None
    if asked is None:  # the rival itself is asked first
        hand.until(lambda: hand.messages(Join, A, B), 70.0)
        asked = next(each for each in (A, B) if hand.messages(Join, each))
    join = hand.messages(Join, asked)[-1]
    hand.feed(asked, JoinAck(join.seq, b"c", hand.cluster_time, 1000, 4, 5000, None))
    assert hand.node.statistics().superseded  # nothing has been said under the name yet
    join = hand.messages(Join, asked)[-1]
    assert (join.cookie, join.claim is not None) == (b"c", True)
    hand.feed(asked, JoinAck(join.seq, None, hand.cluster_time, 1000, 4, 5000, None, asked.claim()))
    assert not hand.node.statistics().superseded
    assert hand.me.epoch == rival.epoch + STEP


def test_the_first_step_changes_nothing() -> None:
    hand = Hand(knows=[A])
    ask(hand, peer(9), claim=peer(9).claim())
    assert hand.state(peer(9)) is None
    assert not hand.events


def test_with_its_cookie_the_claim_is_merged_flooded_and_the_seeds_own_told() -> None:
    hand, newcomer = Hand(knows=[A]), peer(9)
    cookie = cookie_for(hand, newcomer)
    hand.clear()
    (sent,) = [sent for sent in ask(hand, newcomer, cookie) if isinstance(sent.message, JoinAck)]
    assert sent.message.cookie is None  # type: ignore[union-attr]
    assert sent.message.own is not None  # type: ignore[union-attr]
    assert (sent.message.own.name, sent.message.own.epoch) == ("me", hand.me.epoch)  # type: ignore[union-attr]
    assert hand.state(newcomer) is State.ALIVE
    assert [type(event) for event in hand.events] == [MemberJoined]
    hand.run(0.1)
    assert hand.told("p9", A)


@pytest.mark.parametrize("wrong", ["none of it", "another address", "another name", "another claim", "old"])
def test_a_bad_cookie_is_dropped(wrong: str) -> None:
    hand, newcomer = Hand(knows=[A]), peer(9)
    cookie = cookie_for(hand, newcomer)
    if wrong == "none of it":
        cookie = bytes(16)
    elif wrong == "another address":
        newcomer = Peer("p9", Address("10.8.8.8", 8))
    elif wrong == "another name":
        newcomer = Peer("p8", newcomer.address)
    elif wrong == "another claim":
        elsewhere = Peer("p9", Address("10.8.8.8", 8)).claim()
        (told,) = ask(hand, newcomer, cookie, claim=elsewhere)
        assert isinstance(told.message, JoinAck)
        assert told.message.cookie == cookie, "which lets nobody in"
        assert unpack(told.message.seen) == newcomer.address
        assert hand.state(newcomer) is None
        return
    else:
        hand.run(130.0)
        hand.clear()
    assert not ask(hand, newcomer, cookie)
    assert hand.dropped(DropReason.BAD_COOKIE) == 1
    assert hand.state(newcomer) is None


def test_a_cookie_lasts_long_enough_to_be_used() -> None:
    hand, newcomer = Hand(knows=[A], now=59.9), peer(9)
    cookie = cookie_for(hand, newcomer)
    hand.run(30.0)
    assert ask(hand, newcomer, cookie)
    assert hand.state(newcomer) is State.ALIVE


def test_a_cookie_brings_the_claim_of_its_name_only() -> None:
    hand, newcomer = Hand(knows=[A]), peer(9)
    cookie = cookie_for(hand, newcomer)
    ask(hand, newcomer, cookie, claim=peer(8).claim())
    assert hand.state(peer(8)) is None
    assert hand.dropped(DropReason.BAD_COOKIE) == 1


def test_cookies_of_other_nodes_are_no_good() -> None:
    newcomer = peer(9)
    cookie = cookie_for(Hand(knows=[A], seed=1), newcomer)
    hand = Hand(knows=[A], seed=2)
    ask(hand, newcomer, cookie)
    assert hand.dropped(DropReason.BAD_COOKIE) == 1


def test_a_lower_claim_than_the_one_held_is_told_the_higher() -> None:
    hand = Hand(knows=[A, B])
    older = peer(2, epoch=EPOCH - STEP)
    cookie = cookie_for(hand, older)
    replies = [sent.message for sent in ask(hand, older, cookie) if isinstance(sent.message, JoinAck)]
    assert [reply.held for reply in replies] == [B.claim()]
    assert hand.held(B).epoch == EPOCH


# ------------------------------------------------------------------ settings that must agree


@pytest.mark.parametrize(
    ("field", "value", "name", "theirs", "ours"),
    [
        ("interval", 2000, "probe_interval", 2.0, 1.0),
        ("rings", 5, "rings", 5, 4),
        ("stall", 10_000, "stall_tolerance", 10.0, 5.0),
    ],
)
def test_a_difference_is_told_and_the_join_goes_on(
    field: str, value: int, name: str, theirs: float, ours: float
) -> None:
    hand, newcomer = Hand(knows=[A]), peer(9)
    cookie = cookie_for(hand, newcomer)
    ask(hand, newcomer, cookie, **{field: value})
    (differ,) = hand.happened(SettingsDiffer)
    assert (differ.address, differ.theirs, differ.ours) == (newcomer.address, {name: theirs}, {name: ours})
    assert hand.state(newcomer) is State.ALIVE
    newcomer_side = joining()
    reply = JoinAck(last_join(newcomer_side).seq, b"c", UNIX_MS, 1000, 4, 5000)
    newcomer_side.feed(A, msgspec.structs.replace(reply, **{field: value}))
    assert len(newcomer_side.happened(SettingsDiffer)) == 1
    assert last_join(newcomer_side).cookie == b"c"


# ------------------------------------------------------------------ again and again


def attempts(hand: Hand, to: Address = SEED) -> list[float]:
    """When a round of asking began: JOINs of one attempt are repeated within 2 s."""
    times = [sent.at for sent in joins(hand, to)]
    announced = [at for at, event in zip(hand.event_times, hand.events, strict=True) if isinstance(event, JoinAttempt)]
    return [at for at in times if any(abs(at - when) < 1e-9 for when in announced)]


def test_a_seed_is_asked_for_ever_with_backoff_from_1_to_60_s() -> None:
    hand = joining()
    hand.run(1_000.0)
    times = attempts(hand)
    gaps = [b - a for a, b in pairwise(times)]
    nominal = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0] + [60.0] * (len(gaps) - 6)
    assert len(gaps) >= 16
    assert all(0.5 * want <= gap <= 1.5 * want for gap, want in zip(gaps, nominal, strict=True))
    assert len({round(gap, 3) for gap in gaps[6:]}) > 3, "jittered"


def test_the_longest_wait_grows_with_the_cluster_beyond_64_members() -> None:
    hand = Hand(knows=peers(255, first=10))
    hand.node.join([SEED], now=hand.now)
    hand.collect()
    hand.run(3_000.0)
    gaps = [b - a for a, b in pairwise(attempts(hand))]
    assert 0.5 * 240.0 <= max(gaps) <= 1.5 * 240.0


def test_each_attempt_is_announced_with_all_addresses() -> None:
    hand = Hand()
    hand.node.join([SEED, B.address], now=hand.now)
    hand.collect()
    assert hand.happened(JoinAttempt)[0].addresses == (SEED, B.address)


def test_a_join_in_answer_to_an_attempt_serves_it_and_starts_no_other() -> None:
    hand = joining()
    hand.until(lambda: len(hand.happened(JoinAttempt)) == 2, 5.0)
    before = len(joins(hand))
    hand.node.join([SEED], now=hand.now)
    hand.collect()
    assert len(hand.happened(JoinAttempt)) == 2
    assert len(joins(hand)) == before
    hand.node.join([SEED, B.address], now=hand.now)
    hand.collect()
    assert len(joins(hand, B.address)) == 1
    assert len(joins(hand)) == before + 1


def test_a_join_again_replaces_the_list_and_keeps_the_backoff() -> None:
    hand = joining()
    hand.run(20.0)
    hand.clear()
    hand.node.join([SEED, B.address], now=hand.now)
    hand.collect()
    assert not joins(hand, SEED)
    assert joins(hand, B.address)
    hand.node.join([B.address], now=hand.now)
    hand.run(200.0)
    assert not joins(hand, SEED)


def test_a_live_members_address_is_not_asked() -> None:
    hand = Hand(knows=[A])
    hand.node.join([SEED], now=hand.now)
    hand.run(300.0)
    assert not joins(hand)
    assert not hand.happened(JoinAttempt)


def test_it_is_asked_again_when_that_member_is_gone() -> None:
    hand = Hand(knows=[A, B])
    hand.node.join([SEED], now=hand.now)
    hand.run(100.0)
    hand.answering = [B]
    hand.feed(B, claims=[A.claim(State.DEAD, time=hand.cluster_time)])
    hand.until(lambda: bool(joins(hand)), 3.0)


def test_three_addresses_are_asked_at_a_time_in_random_order() -> None:
    seeds = [peer(number).address for number in range(10)]
    orders = set()
    for seed in range(5):
        hand = Hand(seed=seed)
        hand.node.join(seeds, now=hand.now)
        hand.collect()
        orders.add(tuple(sent.to for sent in joins(hand)))
        assert len(joins(hand)) == 3
        hand.run(20.0)
        assert {sent.to for sent in joins(hand)} == set(seeds)
    assert len(orders) == 5


def test_the_own_address_is_asked_until_the_question_comes_back() -> None:
    """Another node may be there, if this one is wrong about its address: see `SeenElsewhere`."""
    hand = Hand()
    hand.node.join([hand.me.address], now=hand.now)
    (question,) = [sent for sent in hand.collect() if isinstance(sent.message, Join)]
    assert question.to == hand.me.address
    hand.feed_bytes(question.payload, hand.me.address)
    hand.clear()
    hand.run(100.0)
    assert not hand.sent
    assert not hand.happened(JoinAttempt)


def test_the_own_address_is_not_asked_for_long() -> None:
    hand = Hand()
    hand.node.join([hand.me.address], now=hand.now)
    hand.run(10.0)
    assert 1 <= len(hand.sent) <= 6
    assert {type(sent.message) for sent in hand.sent} == {Join}
    hand.clear()
    hand.run(100.0)
    assert not hand.sent
    assert not hand.happened(JoinAttempt)


def lead_back(hand: Hand) -> None:
    """Deliver what this node asks its seeds to itself."""
    hand.collect()
    for sent in joins(hand):
        hand.feed_bytes(sent.payload, hand.me.address)
    hand.clear()


def test_a_seed_that_leads_back_to_this_node_is_asked_again_at_the_usual_backoff() -> None:
    """It may be the address of a load balancer, behind which there are others, too."""
    hand = Hand()
    other = Address("192.168.0.1", 7946)
    hand.node.join([other], now=hand.now)
    lead_back(hand)
    assert hand.dropped(DropReason.OWN) == 1
    assert hand.cluster_time == UNIX_MS
    attempts = 0
    for _ in range(600):
        hand.run(1.0)
        attempts += len(joins(hand))
        lead_back(hand)
    assert 10 <= attempts <= 22, "not tried again within a step, and every minute in the end"


def test_it_counts_as_unanswered_while_this_node_is_alone_and_no_longer() -> None:
    hand = Hand()
    hand.node.join([Address("192.168.0.1", 7946)], now=hand.now)
    for _ in range(10):
        lead_back(hand)
        hand.run(1.0)
    assert hand.node.statistics().seeds_unanswered == 1
    hand.introduce(peer(1))
    assert hand.node.statistics().seeds_unanswered == 0


def test_after_leaving_nobody_is_asked() -> None:
    hand = joining()
    hand.node.leave(now=hand.now)
    hand.collect()
    hand.clear()
    hand.run(100.0)
    assert not hand.sent


def test_two_lone_nodes_that_join_each_other_agree() -> None:
    """Islands merge: each is the other's seed."""
    left = Hand("left", address=("10.0.0.1", 1), seed=1)
    right = Hand("right", address=("10.0.0.2", 2), seed=2, unix_ms=UNIX_MS + 7_200_000)
    hands = {left.me.address: left, right.me.address: right}
    for hand, other in ((left, right), (right, left)):
        hand.node.join([other.me.address], now=0.0)
        hand.collect()
    for _ in range(100):
        for hand in hands.values():
            hand.run(0.05)
        pending = [(hand, sent) for hand in hands.values() for sent in hand.sent]
        for hand in hands.values():
            hand.sent.clear()
        for hand, sent in pending:
            hands[sent.to].feed_bytes(sent.payload, hand.me.address)
    assert [member.name for member in left.node.members()] == ["left", "right"]
    assert left.node.members() == right.node.members()
    assert left.cluster_time == pytest.approx(right.cluster_time, abs=1_100)
    assert not left.node.statistics().probes_failed


def test_a_join_is_answered_though_its_claim_is_not_needed() -> None:
    """A member that joins again, for example because it lost its table, is let in."""
    hand = Hand(knows=[A, B])
    cookie = cookie_for(hand, B)
    replies = [sent.message for sent in ask(hand, B, cookie) if isinstance(sent.message, JoinAck)]
    assert [reply.cookie for reply in replies] == [None]


def test_pings_of_strangers_admit_nobody() -> None:
    hand = Hand(knows=[A])
    hand.feed(peer(9), Ping(1, hand.short_id, hand.cluster_time))
    assert hand.state(peer(9)) is None


def test_seeds_that_are_live_members_are_asked_only_by_who_hears_nobody() -> None:
    """All may have been restarted while it was cut off: they don't know its run, and it knows none of theirs."""
    members = peers(5)
    hand = Hand(knows=members)
    hand.node.join([members[0].address], now=hand.now)
    hand.run(100.0)
    assert not hand.messages(Join)
    hand.answering = []
    hand.until(lambda: hand.node.statistics().deaf, 10.0)
    hand.run(2.5)
    assert {sent.to for sent in hand.sent if isinstance(sent.message, Join)} == {members[0].address}
    hand.answering = members
    hand.until(lambda: not hand.node.statistics().deaf, 10.0)
    hand.clear()
    hand.run(100.0)
    assert not hand.messages(Join)
