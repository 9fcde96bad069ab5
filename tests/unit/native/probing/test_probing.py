"""Section 3, rule by rule: whose turn it is, cluster time, probe timeouts, and how the dead are tried again."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.hand import HASHES, RTT, UNIX_MS, Hand, Peer, Sent, peer, peers
from swim_core import Config, DropReason, MemberJoined, Rule, State
from swim_core.native.detection.pairing import meeting, moment
from swim_core.native.wire.datagram import Flags
from swim_core.native.wire.messages import Ack, Ping

GOLDEN = 0.6180339887498949
T_MS = 1000
HOUR = 3_600_000
A, B, C = peers(3)


def phase(name: str) -> int:
    return HASHES.phase(name)


def pairs(round_: int, n: int) -> dict[int, int]:
    """The partner of each place, found by going through all pairs: i + j = c modulo M, M the odd one of n - 1 and n."""
    modulus = n if n % 2 else n - 1
    turn = math.floor((round_ * GOLDEN % 1.0) * modulus)
    met = {i: j for i in range(modulus) for j in range(modulus) if i != j and (i + j) % modulus == turn}
    (left_over,) = set(range(modulus)) - set(met)
    if n % 2:
        return met | {left_over: left_over}
    return met | {left_over: n - 1, n - 1: left_over}


ROUNDS = range(1_700_000_000, 1_700_000_200)


@pytest.mark.parametrize("n", range(2, 34))
def test_in_each_round_each_member_meets_one_other_and_is_pinged_or_pings(n: int) -> None:
    for round_ in ROUNDS:
        found = [meeting(place, round_, n) for place in range(n)]
        assert {place: found[place].partner for place in range(n)} == pairs(round_, n)
        left_over = [place for place in range(n) if found[place].partner == place]
        assert len(left_over) == n % 2
        assert [(place, meets.besides) for place, meets in enumerate(found) if meets.besides is not None] == [
            ((place + 1) % n, place) for place in left_over
        ]
        for place, meets in enumerate(found):
            assert place in left_over or meets.pings is not found[meets.partner].pings


@pytest.mark.parametrize("n", range(2, 34))
def test_everybody_meets_everybody_and_as_often_pings_as_is_pinged(n: int) -> None:
    for place in range(n):
        meetings = [meeting(place, round_, n) for round_ in range(1_700_000_000, 1_700_000_000 + 40 * n)]
        met = [meets for meets in meetings if meets.partner != place]
        assert {meets.partner for meets in met} == set(range(n)) - {place}
        assert sum(meets.pings for meets in met) == pytest.approx(len(met) / 2, rel=0.25)


def test_a_view_that_differs_by_one_member_shifts_partners_by_few_places() -> None:
    """Members that are left over in one of the two views are excepted."""
    exceptions = 0
    for n in (100, 101):
        for round_ in ROUNDS:
            for place in range(n):
                partner, other = meeting(place, round_, n).partner, meeting(place, round_, n + 1).partner
                exceptions += min((partner - other) % n, (other - partner) % n) > 4
    assert exceptions <= 4 * 2 * len(ROUNDS)


@settings(derandomize=True)
@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1), st.integers(0, 10**11))
def test_both_know_when_they_meet_and_it_is_in_the_first_quarter_of_a_round(a: int, b: int, round_: int) -> None:
    assert moment(a, b, round_, 1.0) == moment(b, a, round_, 1.0)
    assert round_ <= moment(a, b, round_, 1.0) <= round_ + 0.25


def test_the_pairs_of_a_round_meet_at_different_times() -> None:
    """Otherwise all members of a large cluster would send at once."""
    order = sorted(phase(f"member-{number}") for number in range(200))
    for round_ in list(ROUNDS)[:20]:
        times = sorted({moment(order[a], order[b], round_, 1.0) for a, b in pairs(round_, 200).items()})
        assert times[len(times) * 19 // 20] - times[len(times) // 20] > 0.15


def probes(hand: Hand) -> list[Sent]:
    """The pings of regular turns, without those of a watch."""
    return [sent for sent in hand.sent if isinstance(sent.message, Ping) and sent.message.accused is None]


def turns(me: str, names: list[str], seconds: float) -> list[tuple[int, str, float]]:
    """(round, target, seconds later than they were to meet) of all probes of one member; the others only ack."""
    others = [peer(number, name) for number, name in enumerate(names, 1) if name != me]
    hand = Hand(me, knows=others)
    by_address = {other.address: other.name for other in others}
    hand.run(seconds)
    found = []
    for sent in probes(hand):
        target = by_address[sent.to]
        cluster_ms = UNIX_MS + sent.at * 1000.0
        round_ = int(cluster_ms // T_MS)
        found.append((round_, target, (cluster_ms - moment(phase(me), phase(target), round_, T_MS)) / 1000.0))
    return found


@pytest.mark.parametrize("n", [2, 3, 4, 7, 20])
def test_a_member_pings_its_partner_when_they_meet_or_later_if_that_one_did_not(n: int) -> None:
    names = [f"member-{number}" for number in range(n)]
    order = sorted(names, key=phase)
    for me in names:
        pinged = turns(me, names, 20.0)
        first, last = pinged[0][0] + 1, pinged[-1][0] - 1  # the first one was planned before all members were known
        for round_ in range(first, last + 1):
            meets = meeting(order.index(me), round_, n)
            found = {target: late for at, target, late in pinged if at == round_}
            expected = {order[meets.partner]} - {me} | ({order[meets.besides]} if meets.besides is not None else set())
            assert set(found) == expected
            if meets.partner != order.index(me) and meets.pings:
                assert found[order[meets.partner]] == pytest.approx(0.0, abs=0.001)
            elif meets.partner != order.index(me):
                assert 0.099 <= found[order[meets.partner]] <= 0.251  # half of the probe timeout


class Meeting:
    """A node whose ``partner`` is to begin their next meeting, at ``at`` on the local clock."""

    def __init__(self) -> None:
        self.hand = hand = Hand(knows=[A, B, C])
        order = sorted((hand.me.name, A.name, B.name, C.name), key=phase)
        place = order.index(hand.me.name)
        round_ = int((UNIX_MS + hand.now * 1000.0) // T_MS) + 1
        while meeting(place, round_, 4).pings:
            round_ += 1
        name = order[meeting(place, round_, 4).partner]
        self.partner = next(other for other in (A, B, C) if other.name == name)
        self.at = (moment(phase(hand.me.name), phase(name), round_, T_MS) - UNIX_MS) / 1000.0
        self.next = (moment(0, 0, round_ + 1, T_MS) - UNIX_MS) / 1000.0
        self.wait(self.at - 0.3)

    def wait(self, until: float) -> None:
        self.hand.run(until - self.hand.now)
        self.hand.clear()

    def probed(self) -> bool:
        """Whether the node pings before the round ends."""
        self.hand.run(self.next - self.hand.now - 1e-6)
        return bool(probes(self.hand))


def test_who_is_pinged_by_its_partner_pings_nobody_in_that_round() -> None:
    meet = Meeting()
    meet.wait(meet.at + 0.05)
    meet.hand.feed(meet.partner, Ping(1, meet.hand.short_id, meet.hand.cluster_time))
    assert meet.hand.messages(Ack)
    assert not meet.probed()


def test_anything_that_the_partner_sends_about_then_will_do() -> None:
    for early in (0.05, -0.05):
        meet = Meeting()
        meet.wait(meet.at - early)
        meet.hand.feed(meet.partner)
        assert not meet.probed()


def test_who_waits_in_vain_pings() -> None:
    meet = Meeting()
    assert meet.probed()
    assert {sent.to for sent in probes(meet.hand)} == {meet.partner.address}


def test_others_earlier_and_the_deaf_do_not_count() -> None:
    meet = Meeting()
    meet.hand.feed(meet.partner)
    meet.wait(meet.at + 0.05)
    other = next(other for other in (A, B, C) if other is not meet.partner)
    meet.hand.feed(other, Ping(1, meet.hand.short_id, meet.hand.cluster_time))
    meet.hand.feed(meet.partner, Ping(1, meet.hand.short_id, meet.hand.cluster_time), flags=Flags.DEAF)
    assert meet.probed()
    assert {sent.to for sent in probes(meet.hand)} == {meet.partner.address}


def test_changes_of_the_view_do_not_excuse_a_partner_that_is_overdue() -> None:
    meet = Meeting()
    meet.wait(meet.at + 0.02)
    other = next(other for other in (A, B, C) if other is not meet.partner)
    for number in range(7, 12):
        meet.hand.feed(other, claims=[peer(number).claim()])
    assert meet.probed()
    assert meet.partner.address in {sent.to for sent in probes(meet.hand)}


def test_a_partner_that_dies_before_they_meet_is_not_pinged_in_its_turn() -> None:
    meet = Meeting()
    other = next(other for other in (A, B, C) if other is not meet.partner)
    meet.wait(meet.at + 0.02)
    meet.hand.feed(other, claims=[meet.partner.claim(State.DEAD, time=meet.hand.cluster_time)])
    assert not meet.probed()


def test_who_is_pinged_pings_who_is_left_over_all_the_same() -> None:
    """Of three members one is left over in each round; nobody would miss its ping, so it must be pinged."""
    hand = Hand(knows=[A, B])
    hand.run(2.0)
    order = sorted((hand.me.name, A.name, B.name), key=phase)
    place = order.index(hand.me.name)
    round_ = int((UNIX_MS + hand.now * 1000.0) // T_MS) + 1
    while (meets := meeting(place, round_, 3)).besides is None or meets.pings:
        round_ += 1
    partner, left_over = (next(p for p in (A, B) if p.name == order[at]) for at in (meets.partner, meets.besides))
    at = (moment(phase(hand.me.name), phase(partner.name), round_, T_MS) - UNIX_MS) / 1000.0
    hand.run(at - hand.now)
    hand.clear()
    hand.feed(partner, Ping(1, hand.short_id, hand.cluster_time))
    assert [sent.to for sent in probes(hand)] == [left_over.address]


def test_a_lone_node_probes_nobody() -> None:
    hand = Hand()
    hand.run(60.0)
    assert not hand.sent


def test_probes_may_overlap() -> None:
    """A probe that is still unanswered holds nothing up."""
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
    """How long a probe waits after this many round trips of that length."""
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
def test_a_probe_waits_3_times_the_p99_within_a_fifth_and_half_of_t_and_half_before_8_samples(
    rtt: float, samples: int, expected: float
) -> None:
    assert timeout_with(rtt, samples) == pytest.approx(expected, abs=0.01)


def test_the_timeout_scales_with_the_interval() -> None:
    assert timeout_with(0.01, 3, Config.wan()) == pytest.approx(1.0, abs=0.01)
    assert timeout_with(0.01, 30, Config.wan()) == pytest.approx(0.4, abs=0.01)
    assert timeout_with(0.01, 30, Config.local()) == pytest.approx(0.1, abs=0.01)


def answer_late(hand: Hand, late: float) -> None:
    """Have the next probe of A acked this many seconds after it was sent."""
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
    hand.run(4.0)  # a member that stalls answers all that has waited once it wakes
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


def test_who_refuted_its_death_is_not_accused_by_a_probe_from_before() -> None:
    hand = Hand(knows=[A, B])
    hand.answering = [A]
    hand.until(lambda: any(isinstance(sent.message, Ping) for sent in hand.to(B)), 5.0)
    hand.feed(A, claims=[B.claim(State.DEAD, rule=Rule.GONE, time=hand.cluster_time)])
    hand.feed(A, claims=[B.claim(incarnation=1)])
    assert hand.state(B) is State.ALIVE
    hand.run(0.6)
    assert hand.node.statistics().watches == 0


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


def test_a_dead_member_is_probed_after_2_and_4_s_and_then_in_turn_until_forgotten() -> None:
    """Of two live members each has every second turn."""
    hand = Hand(knows=[A, B], config=Config.lan(forget_after=400))
    hand.answering = [A]
    hand.feed(A, claims=[B.claim(State.DEAD, rule=Rule.GONE, time=hand.cluster_time)])
    died = hand.now
    hand.run(380.0)
    times = [sent.at - died for sent in revivals(hand, B)]
    gaps = [b - a for a, b in pairwise([0.0, *times])]
    assert len(gaps) >= 30
    assert gaps[:2] == pytest.approx([2.0, 4.0], abs=1.01)
    assert 0.0 < gaps[2] <= 11.01
    assert all(8.9 <= gap <= 11.1 for gap in gaps[3:])
    hand.run(60.0)
    hand.clear()
    hand.run(200.0)
    assert not hand.sent or not revivals(hand, B)


def test_a_probe_of_the_dead_brings_the_own_claim_and_again_once_it_was_refuted() -> None:
    """After a partition each side considers the other dead, and must hear that it lives."""
    hand = Hand(knows=[A, B])
    hand.answering = [A]
    hand.feed(A, claims=[B.claim(State.DEAD, rule=Rule.GONE, time=hand.cluster_time)])
    hand.until(lambda: bool(revivals(hand, B)), 5.0)
    (first,) = revivals(hand, B)
    assert hand.own_claim() in first.claims
    assert isinstance(first.message, Ping)
    hand.feed(B, Ack(first.message.seq, 0), claims=[hand.own_claim(State.DEAD)])
    second = revivals(hand, B)[-1]
    assert second is not first
    assert [claim.incarnation for claim in second.claims if claim.name == "me"] == [1]


def test_the_news_of_ones_death_may_overtake_the_ack_or_come_after_it() -> None:
    """The member that is considered dead sends both at once; in neither order may that cost the next try."""
    hand = Hand(knows=[A, B])
    hand.answering = [A]
    hand.feed(A, claims=[B.claim(State.DEAD, rule=Rule.GONE, time=hand.cluster_time)])
    hand.until(lambda: bool(revivals(hand, B)), 5.0)
    (first,) = revivals(hand, B)
    assert isinstance(first.message, Ping)
    hand.feed(B, Ack(first.message.seq, 0))
    assert len(revivals(hand, B)) == 1
    hand.feed(B, claims=[hand.own_claim(State.DEAD)])
    second = revivals(hand, B)[-1]
    assert second is not first
    assert [claim.incarnation for claim in second.claims if claim.name == "me"] == [1]


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
