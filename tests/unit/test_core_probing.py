"""Section 3, rule by rule: whose turn it is, cluster time, probe timeouts, and how the dead are tried again."""

import math
from collections import Counter
from itertools import pairwise

import pytest
from core_driver import HASHES, RTT, UNIX_MS, Hand, Peer, Sent, peer, peers

from swim_core import Config, DropReason, MemberJoined, State
from swim_core.prober import offset as implemented
from swim_core.wire import Ack, Ping

GOLDEN = 0.6180339887498949
T_MS = 1000
HOUR = 3_600_000
A, B, C = peers(3)


def phase(name: str) -> float:
    return HASHES.phase(name) / 2**64


def offset(round_: int, n: int) -> int:
    """As the specification has it."""
    return 1 + math.floor((round_ * GOLDEN % 1.0) * (n - 1))


def probes(hand: Hand) -> list[Sent]:
    """The pings that take a turn, not those of a watch."""
    return [sent for sent in hand.sent if isinstance(sent.message, Ping) and sent.message.accused is None]


def turns(me: str, names: list[str], seconds: float) -> list[tuple[int, str, float]]:
    """(round, target, ms of cluster time) of all probes of one member of a cluster of these names."""
    others = [peer(number, name) for number, name in enumerate(names, 1) if name != me]
    hand = Hand(me, knows=others)
    by_address = {other.address: other.name for other in others}
    hand.run(seconds)
    found = []
    for sent in probes(hand):
        target = by_address[sent.to]
        cluster_ms = UNIX_MS + sent.at * 1000.0
        found.append((round(cluster_ms / T_MS - phase(target)), target, cluster_ms))
    return found


@pytest.mark.parametrize("n", range(2, 21))
def test_in_each_round_each_member_is_probed_exactly_once_by_exactly_one_other(n: int) -> None:
    names = [f"member-{number}" for number in range(n)]
    everybodys = [turn for me in names for turn in turns(me, names, 8.0)]
    for round_, target, cluster_ms in everybodys:
        assert cluster_ms == pytest.approx((round_ + phase(target)) * T_MS, abs=1.0)
    count = Counter((round_, target) for round_, target, _ in everybodys)
    first = UNIX_MS // T_MS
    for round_ in range(first + 2, first + 7):
        assert {target: count[round_, target] for target in names} == dict.fromkeys(names, 1)


@pytest.mark.parametrize("n", [2, 3, 7, 20])
def test_the_member_offset_places_before_probes(n: int) -> None:
    names = [f"member-{number}" for number in range(n)]
    order = sorted(names, key=phase)
    me = names[0]
    found = turns(me, names, 20.0)
    assert len(found) >= 18
    for round_, target, _ in found:
        assert order.index(target) == (order.index(me) + offset(round_, n)) % n


def test_offsets_are_a_fraction_of_the_order_from_1_to_n_minus_1() -> None:
    """So a view that differs by one member shifts by at most one place."""
    for n in (2, 3, 10, 1000):
        values = [implemented(round_, n) for round_ in range(1_700_000_000, 1_700_001_000)]
        assert values == [offset(round_, n) for round_ in range(1_700_000_000, 1_700_001_000)]
        assert set(values) <= set(range(1, n))
    for round_ in range(1_700_000_000, 1_700_001_000):
        assert 0 <= implemented(round_, 51) - implemented(round_, 50) <= 1


def test_a_lone_node_probes_nobody() -> None:
    hand = Hand()
    hand.run(60.0)
    assert not hand.sent


def test_probes_may_overlap() -> None:
    """An outstanding probe holds nothing up."""
    hand = Hand(knows=[A, B, C], config=Config.lan(probe_interval=0.1, stall_tolerance=60))
    hand.answering = []
    for _ in range(10):
        hand.run(0.05)
        hand.feed(A)
    assert len(probes(hand)) >= 4


# ------------------------------------------------------------------ cluster time


def test_cluster_time_starts_at_the_wall_clock_and_runs_with_the_local_one() -> None:
    hand = Hand(now=500.0)
    assert hand.cluster_time == UNIX_MS
    hand.run(3.0)
    hand.node.feed_tick(now=hand.now)
    assert hand.cluster_time == pytest.approx(UNIX_MS + 3000, abs=1)


def test_cluster_time_is_raised_to_what_a_ping_shows_and_never_lowered() -> None:
    hand = Hand(knows=[A])
    base = hand.cluster_time
    hand.feed(A, Ping(1, 2, base + 30_000))
    assert hand.cluster_time == pytest.approx(base + 30_000, abs=1)
    hand.feed(A, Ping(1, 2, base - 30_000))
    assert hand.cluster_time == pytest.approx(base + 30_000, abs=1)
    hand.until(lambda: bool(probes(hand)), 3.0)
    ping = probes(hand)[0].message
    assert isinstance(ping, Ping)
    assert ping.time >= base + 30_000


def test_rounds_jumped_over_are_not_made_up() -> None:
    hand = Hand(knows=[A, B])
    hand.feed(A, Ping(1, hand.short_id, hand.cluster_time + 1_000_000))
    hand.clear()
    hand.run(3.0)
    assert len(probes(hand)) <= 4


def test_a_jump_over_an_hour_takes_three_senders_within_10_s() -> None:
    hand = Hand(knows=[A, B, C])
    base = hand.cluster_time
    for source in (A, B):
        hand.feed(source, Ping(1, 2, base + HOUR + 60_000))
        hand.feed(source, Ping(1, 2, base + HOUR + 60_000))
    assert hand.cluster_time < base + 1000
    assert hand.dropped(DropReason.TIME_JUMP) == 4
    hand.run(5.0)
    hand.feed(C, Ping(1, 2, base + HOUR + 120_000))
    assert hand.cluster_time >= base + HOUR + 60_000


def test_witnesses_of_a_jump_count_for_10_s() -> None:
    hand = Hand(knows=[A, B, C])
    base = hand.cluster_time
    for source in (A, B, C):
        hand.feed(source, Ping(1, 2, base + 2 * HOUR))
        hand.run(6.0)
    assert hand.cluster_time < base + HOUR


def test_where_there_are_fewer_than_3_others_all_of_them_do() -> None:
    hand = Hand(knows=[A])
    hand.feed(A, Ping(1, 2, hand.cluster_time + 2 * HOUR))
    assert hand.cluster_time >= UNIX_MS + 2 * HOUR
    hand = Hand(knows=[A, B])
    hand.feed(A, Ping(1, 2, hand.cluster_time + 2 * HOUR))
    assert hand.cluster_time < UNIX_MS + HOUR
    hand.feed(B, Ping(1, 2, hand.cluster_time + 2 * HOUR))
    assert hand.cluster_time >= UNIX_MS + HOUR


def test_a_jump_of_less_than_an_hour_is_taken_from_any_member_and_none_from_strangers() -> None:
    hand = Hand(knows=[A, B, C])
    hand.feed(peer(9), Ping(1, 2, hand.cluster_time + HOUR - 60_000))
    hand.feed(A, Ping(1, 2, hand.cluster_time + HOUR - 60_000), at=peer(9).address)
    assert hand.cluster_time < UNIX_MS + 1_000
    hand.feed(A, Ping(1, 2, hand.cluster_time + HOUR - 60_000))
    assert hand.cluster_time >= UNIX_MS + HOUR - 60_000


def test_a_clock_that_is_pushed_on_stops_no_turns() -> None:
    """Some turn is taken within twice the interval, whatever the clock does."""
    hand = Hand(knows=[A, B])
    for _ in range(400):
        hand.feed(A, Ping(1, 2, hand.cluster_time + 1_000))
        hand.run(0.05)
    assert len(probes(hand)) >= 9


def test_cluster_time_never_feeds_an_age_inside_a_verdict() -> None:
    hand = Hand(knows=[A, B])
    hand.answering = [A]
    hand.until(lambda: bool(hand.node.statistics().watches), 3.0)
    hand.feed(A, Ping(1, 2, hand.cluster_time + HOUR - 60_000))
    hand.run(1.0)
    assert hand.state(B) is State.ALIVE
    assert not hand.node.statistics().verdicts


# ------------------------------------------------------------------ the probe timeout


def timeout_with(rtt: float, samples: int, config: Config | None = None) -> float:
    """How long a probe waits after so many round trips of that length."""
    hand = Hand(knows=[A], config=config)
    hand.answering = []
    acked = 0
    while acked < samples:
        hand.until(lambda: bool(probes(hand)), 100.0)
        ping = probes(hand)[-1].message
        assert isinstance(ping, Ping)
        hand.clear()
        hand.run(rtt)
        hand.feed(A, Ack(ping.seq, hand.digest()))
        acked += 1
    hand.until(lambda: bool(probes(hand)), 100.0)
    failed = hand.node.statistics().probes_failed
    return hand.until(lambda: hand.node.statistics().probes_failed > failed, 10.0)


@pytest.mark.parametrize(
    ("rtt", "samples", "expected"),
    [(0.01, 3, 0.5), (0.01, 30, 0.2), (0.1, 30, 0.3), (0.12, 30, 0.36), (0.3, 30, 0.5)],
)
def test_a_probe_waits_3_times_the_p99_within_a_fifth_and_half_of_t_and_half_before_16_samples(
    rtt: float, samples: int, expected: float
) -> None:
    assert timeout_with(rtt, samples) == pytest.approx(expected, abs=0.01)


def test_the_timeout_scales_with_the_interval() -> None:
    assert timeout_with(0.01, 3, Config.wan()) == pytest.approx(1.0, abs=0.01)
    assert timeout_with(0.01, 30, Config.wan()) == pytest.approx(0.4, abs=0.01)
    assert timeout_with(0.01, 30, Config.local()) == pytest.approx(0.1, abs=0.01)


def answer_late(hand: Hand, late: float) -> None:
    """Let the next probe of A be acked so many seconds after it was sent."""
    hand.answering = []
    hand.clear()
    hand.until(lambda: bool(probes(hand)), 3.0)
    ping = probes(hand)[-1].message
    assert isinstance(ping, Ping)
    hand.run(late)
    hand.feed(A, Ack(ping.seq, hand.digest()))


def test_the_p99_is_over_the_last_256_round_trips() -> None:
    hand = Hand(knows=[A], config=Config.lan(probe_interval=0.05, stall_tolerance=60))
    for _ in range(4):
        answer_late(hand, 0.02)
    assert hand.node.statistics().rtt_p99 == pytest.approx(0.02, abs=0.001)
    hand.answering = [A]
    hand.run(0.05 * 270)
    assert hand.node.statistics().rtt_p99 == pytest.approx(RTT, abs=0.0005)


def test_one_outlier_among_a_hundred_round_trips_does_not_count() -> None:
    hand = Hand(knows=[A])
    hand.answering = [A]
    hand.run(60.0)
    answer_late(hand, 0.4)
    assert hand.node.statistics().rtt_p99 == pytest.approx(RTT, abs=0.0005)


def test_pings_of_a_watch_are_no_samples() -> None:
    hand = Hand(knows=[A])
    hand.answering = [A]
    hand.run(20.0)
    hand.answering = []
    hand.clear()
    hand.run(4.0)  # a member that stalls: it answers all that waits when it wakes
    pings = [sent.message for sent in hand.sent if isinstance(sent.message, Ping)]
    assert len([ping for ping in pings if ping.accused is not None]) > 4
    for ping in pings:
        if ping.accused is not None:
            hand.feed(A, Ack(ping.seq, hand.digest()))
    assert hand.node.statistics().rtt_p99 == pytest.approx(RTT, abs=0.0005)


@pytest.mark.parametrize(("late", "sample"), [(0.51, 0.5), (0.8, 0.5), (4.0, 0.5)])
def test_a_late_ack_of_a_known_seq_is_a_sample_of_at_most_half_an_interval(late: float, sample: float) -> None:
    hand = Hand(knows=[A])
    for _ in range(4):
        answer_late(hand, late)
    assert hand.node.statistics().probes_failed
    assert hand.node.statistics().rtt_p99 == pytest.approx(sample, abs=0.001)


# ------------------------------------------------------------------ those that are gone


def test_left_members_are_not_probed() -> None:
    hand = Hand(knows=[A, B])
    hand.answering = [A]
    hand.feed(A, claims=[B.claim(State.LEFT)])
    hand.run(0.5)
    hand.clear()
    hand.run(300.0)
    assert not hand.messages(Ping, B)


def revivals(hand: Hand, *dead: Peer) -> list[Sent]:
    return [sent for sent in hand.to(*dead) if isinstance(sent.message, Ping)]


def test_a_dead_member_is_probed_with_backoff_2_4_8_up_to_60_s_until_forgotten() -> None:
    hand = Hand(knows=[A, B], config=Config.lan(forget_after=400))
    hand.answering = [A]
    hand.feed(A, claims=[B.claim(State.DEAD, time=hand.cluster_time)])
    died = hand.now
    hand.run(380.0)
    times = [sent.at - died for sent in revivals(hand, B)]
    gaps = [b - a for a, b in pairwise([0.0, *times])]
    expected = [2.0, 4.0, 8.0, 16.0, 32.0] + [60.0] * (len(gaps) - 5)
    assert len(gaps) >= 9
    assert all(want - 1.01 <= gap <= want + 1.01 for gap, want in zip(gaps, expected, strict=True))
    hand.run(60.0)
    hand.clear()
    hand.run(200.0)
    assert not hand.sent or not revivals(hand, B)


def test_a_probe_of_the_dead_carries_the_claim_that_they_are() -> None:
    hand = Hand(knows=[A, B])
    hand.answering = [A]
    end = B.claim(State.DEAD, time=hand.cluster_time)
    hand.feed(A, claims=[end])
    hand.until(lambda: bool(revivals(hand, B)), 5.0)
    assert end in revivals(hand, B)[0].claims


def precedes(me: Peer, dead: Peer, live: list[Peer]) -> bool:
    """Whether a member stands right before the dead one on one of the four rings of the live."""

    def place(member: Peer, ring: int) -> int:
        return HASHES.places(member.name, member.epoch)[ring]

    def before(ring: int) -> Peer:
        lower = [member for member in live if place(member, ring) < place(dead, ring)]
        return max(lower or live, key=lambda member: place(member, ring))

    return any(before(ring) is me for ring in range(4))


def test_the_dead_are_probed_by_their_ring_predecessors_alone() -> None:
    members = peers(20)
    dead = members[7]
    probed_by = []
    for me in members[:7] + members[8:]:
        others = [member for member in members if member is not me]
        hand = Hand(me.name, knows=others)
        live = [Peer(me.name, me.address, hand.me.epoch), *(other for other in others if other is not dead)]
        hand.answering = live[1:]
        hand.feed(live[1], claims=[dead.claim(State.DEAD, time=hand.cluster_time)])
        hand.run(9.0)
        assert bool(revivals(hand, dead)) is precedes(live[0], dead, live)
        probed_by += [me] if revivals(hand, dead) else []
    assert 2 <= len(probed_by) <= 8


def test_at_most_one_probe_of_the_dead_leaves_a_member_per_interval() -> None:
    others = peers(30)
    hand = Hand(knows=others)
    hand.answering = others[:1]
    for other in others[1:]:
        hand.feed(others[0], claims=[other.claim(State.DEAD, time=hand.cluster_time)])
    hand.clear()
    hand.run(40.0)
    times = [sent.at for sent in revivals(hand, *others[1:])]
    assert len(times) >= 30
    for start in range(40):
        assert sum(start <= at - hand.now + 40.0 < start + 0.999 for at in times) <= 2
    assert len(times) <= 41


def test_a_dead_member_that_answers_comes_back_by_its_own_claim() -> None:
    hand = Hand(knows=[A, B])
    hand.answering = [A]
    hand.feed(A, claims=[B.claim(State.DEAD, time=hand.cluster_time)])
    hand.until(lambda: bool(revivals(hand, B)), 5.0)
    ping = revivals(hand, B)[0].message
    assert isinstance(ping, Ping)
    hand.feed(B, Ack(ping.seq, 0))
    assert hand.state(B) is State.DEAD
    hand.feed(B, claims=[B.claim(incarnation=1)])
    assert hand.state(B) is State.ALIVE
    assert not hand.happened(MemberJoined)
