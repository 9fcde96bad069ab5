"""Section 5, rule by rule: which members are told news, how often, and what rides along."""

from itertools import pairwise

import pytest

from support.hand import HASHES, UNIX_MS, Hand, Peer, Sent, peer, peers
from support.inside import parts_of
from swim_core import Address, Config, DropReason, Rule, State
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.messages import Ack, Broadcast, Ping, UserMessage

A, B, C = peers(3)


def pushes(hand: Hand) -> list[Sent]:
    """Datagrams without a message, that is, pushes."""
    return [sent for sent in hand.sent if sent.message is None]


def successors(hand: Hand, members: list[Peer]) -> list[Peer]:
    """On each of the four rings the next live member not yet chosen."""
    chosen: list[Peer] = []
    mine = HASHES.places(hand.me.name, hand.me.epoch)
    for ring in range(min(4, len(members))):
        place = {member: HASHES.places(member.name, member.epoch)[ring] for member in members}
        around = sorted(members, key=lambda member: (place[member] - mine[ring]) % 2**64)
        chosen.append(next(member for member in around if member not in chosen))
    return chosen


def quiet(count: int, **settings: Config) -> tuple[Hand, list[Peer]]:
    members = peers(count)
    hand = Hand(knows=members, **settings)  # type: ignore[arg-type]
    hand.run(2.0)
    hand.clear()
    return hand, members


# ------------------------------------------------------------------ to whom


@pytest.mark.parametrize("count", [13, 20, 100])
def test_what_is_new_goes_to_the_next_live_member_on_each_of_four_rings(count: int) -> None:
    hand, members = quiet(count)
    newcomer = peer(500)
    hand.feed(members[0], claims=[newcomer.claim()])
    expected = {member.address for member in successors(hand, [*members, newcomer])}
    assert {sent.to for sent in pushes(hand)} == expected
    assert len(pushes(hand)) == 4
    assert all(sent.claims == [newcomer.claim()] for sent in pushes(hand))


def test_of_many_newcomers_four_are_told_at_once_and_the_others_together_after_200_ms() -> None:
    hand, members = quiet(20)
    hand.run(2.0)
    newcomers = peers(12, first=500)
    for newcomer in newcomers:
        hand.push(members[0], [newcomer])
        hand.run(0.01)
    assert [sent.claims for sent in pushes(hand)[::4]] == [[newcomer.claim()] for newcomer in newcomers[:4]]
    hand.clear()
    hand.run(0.1)  # the fifth came 40 ms after the first
    gone = newcomers[5]
    hand.feed(gone, claims=[gone.claim(State.LEFT)])  # isn't held back, and outdates what is
    assert all(sent.claims == [gone.claim(State.LEFT)] for sent in pushes(hand))
    changed = newcomers[6].claim(incarnation=1)
    hand.run(0.02)
    hand.feed(newcomers[6], claims=[changed])  # the same
    assert changed in pushes(hand)[-1].claims
    hand.clear()
    hand.run(0.2)
    told = [sent for sent in pushes(hand) if sent.claims != [changed]]
    assert len(told) == 4
    assert {claim.name for claim in told[0].claims} == {other.name for other in (newcomers[4], *newcomers[7:])}


def test_those_that_come_one_by_one_are_told_at_once() -> None:
    hand, members = quiet(20)
    for newcomer in peers(12, first=500):
        hand.clear()
        hand.feed(members[0], claims=[newcomer.claim()])
        assert len(pushes(hand)) == 4
        hand.run(1.01)


def test_members_that_are_gone_are_skipped_on_the_rings() -> None:
    hand, members = quiet(70)
    gone = successors(hand, members)[0]
    hand.feed(members[0], claims=[gone.claim(State.LEFT)])
    hand.run(1.0)
    hand.clear()
    hand.node.broadcast(b"x", now=hand.now)
    hand.collect()
    left = [member for member in members if member is not gone]
    assert {sent.to for sent in pushes(hand)} == {member.address for member in successors(hand, left)}


@pytest.mark.parametrize("count", [1, 2, 5, 12, 13, 64])
def test_up_to_64_others_the_origin_of_a_broadcast_tells_all(count: int) -> None:
    hand, members = quiet(count)
    hand.node.broadcast(b"x", now=hand.now)
    hand.collect()
    assert sorted(sent.to for sent in pushes(hand)) == sorted(member.address for member in members)


@pytest.mark.parametrize("count", [1, 2, 5, 12, 13, 64])
def test_there_each_passes_a_broadcast_on_to_one_that_is_not_its_origin(count: int) -> None:
    hand, members = quiet(count)
    origin = successors(hand, members)[0]
    hand.feed(A, broadcasts=[Broadcast(origin.name, origin.epoch, 1, b"x")])
    hand.run(0.024)
    assert not pushes(hand)  # the first copies are those of its origin
    hand.run(0.002)
    following = [member.address for member in members if member is not origin]
    assert len(pushes(hand)) == min(1, len(following))
    assert {sent.to for sent in pushes(hand)} <= set(following)


def test_there_nothing_is_saved_for_30_s_after_a_probe_failed() -> None:
    """Packets may be lost, and three paths to each member are few."""
    hand, members = quiet(6)
    hand.answering = members[1:]
    hand.until(lambda: hand.node.statistics().probes_failed > 0, limit=20.0)
    hand.answering = members
    for number, thrifty in ((1, False), (2, False), (3, True)):
        hand.clear()
        hand.feed(B, broadcasts=[Broadcast("p1", A.epoch, number, b"x")])
        hand.run(0.026)
        assert len(pushes(hand)) == (1 if thrifty else 6)
        hand.clear()
        hand.node.broadcast(b"x", now=hand.now)
        hand.run(1.0)
        told = [sent for sent in hand.to(B) if sent.envelope.broadcasts and sent.message is None]
        assert len(told) == (2 if thrifty else 3)
        hand.run(15.0)


def test_an_origin_tells_all_though_a_probe_failed() -> None:
    """The others, whose probes are answered, wait for the accuser's copy and pass it on to one member only."""
    hand, members = quiet(20)
    hand.answering = []
    hand.until(lambda: hand.node.statistics().probes_failed > 0, limit=5.0)
    hand.answering = members
    hand.run(1.0)
    hand.clear()
    hand.node.broadcast(b"x", now=hand.now)
    hand.collect()
    assert {sent.to for sent in pushes(hand)} == {member.address for member in members}


def test_there_all_are_told_what_others_broadcast_if_they_are_told_something_anyway() -> None:
    hand, _ = quiet(5)
    hand.feed(A, claims=[B.claim(incarnation=1)], broadcasts=[Broadcast("p1", A.epoch, 1, b"x")])
    assert len(pushes(hand)) == 5
    assert all(sent.envelope.broadcasts and sent.claims for sent in pushes(hand))


def test_there_many_from_all_sides_go_to_all_by_their_origins_and_to_one_more_by_each() -> None:
    """When ten broadcasting members told everybody each time, each broadcast arrived nine times, and none kept up."""
    hand, members = quiet(5)
    mine = HASHES.places(hand.me.name, hand.me.epoch)[0]
    places = {member: HASHES.places(member.name, member.epoch)[0] for member in members}
    first, second, *_ = sorted(members, key=lambda member: (places[member] - mine) % 2**64)
    for number in range(1, 11):
        for origin in members:
            hand.feed(origin, broadcasts=[Broadcast(origin.name, origin.epoch, number, bytes(200))])
        hand.node.broadcast(bytes(200), now=hand.now)
    hand.collect()
    hand.run(0.19)  # before its own are repeated
    receivers: dict[tuple[str, int], list[Address]] = {}
    for sent in pushes(hand):
        for broadcast in sent.envelope.broadcasts:
            receivers.setdefault((broadcast.origin, broadcast.number), []).append(sent.to)
    assert len(receivers) == 60
    everybody = sorted(member.address for member in members)
    relayed = {key: told for key, told in receivers.items() if key[0] != "me" and sorted(told) != everybody}
    assert len(relayed) > 40  # the first ones ride along with what goes to everybody anyway
    for (name, _), told in relayed.items():
        assert told == [second.address if name == first.name else first.address]
    assert all(sorted(told) == everybody for key, told in receivers.items() if key[0] == "me")


def told(hand: Hand, number: int) -> list[Address]:
    """The members that were sent a broadcast of this node, or of the first other one."""
    numbers = ((sent.to, {(item.origin, item.number) for item in sent.envelope.broadcasts}) for sent in pushes(hand))
    return [to for to, carried in numbers if carried & {("me", number), ("p1", number)}]


@pytest.mark.parametrize(("others", "rings"), [(12, False), (13, True), (64, True)])
def test_with_over_12_others_many_broadcasts_a_second_take_the_rings(others: int, rings: bool) -> None:
    hand, members = quiet(others)
    everybody = sorted(member.address for member in members)
    around = sorted(member.address for member in successors(hand, members))
    for number in range(1, 61):
        hand.feed(A, broadcasts=[Broadcast("p1", A.epoch, number, b"x")])
        hand.run(0.01)
    for pause, crowded in ((0.05, rings), (2.0, False)):
        hand.run(pause)
        hand.clear()
        number += 1
        hand.feed(A, broadcasts=[Broadcast("p1", A.epoch, number, b"x")])
        hand.run(0.05)
        assert len(told(hand, number)) == (len(around) if crowded else 1)
        hand.run(0.05)
        hand.clear()
        own = hand.node.broadcast(b"x", now=hand.now)
        hand.collect()
        assert sorted(told(hand, own)) == (around if crowded else everybody)


def test_the_number_of_rings_is_a_setting() -> None:
    members = peers(70)
    hand = Hand(knows=members, config=Config.lan(rings=2))
    hand.run(1.0)
    hand.clear()
    hand.node.broadcast(b"x", now=hand.now)
    hand.collect()
    assert len(pushes(hand)) == 2


def test_a_suspect_is_still_told() -> None:
    hand, _ = quiet(2)
    hand.feed(B, claims=[A.claim(State.SUSPECT, time=hand.cluster_time)])
    hand.run(1.0)
    hand.clear()
    hand.node.broadcast(b"x", now=hand.now)
    hand.collect()
    assert {sent.to for sent in pushes(hand)} == {A.address, B.address}


# ------------------------------------------------------------------ when


def test_a_higher_claim_is_pushed_at_its_first_receipt_only() -> None:
    hand, members = quiet(3)
    claim = peer(500).claim()
    hand.feed(members[0], claims=[claim])
    assert len(pushes(hand)) == 4
    hand.run(1.0)
    hand.clear()
    for member in members:
        hand.feed(member, claims=[claim, members[0].claim()])
    hand.run(1.0)
    assert not pushes(hand)


def test_a_lower_claim_is_not_pushed() -> None:
    hand, _ = quiet(3)
    hand.feed(A, claims=[B.claim(incarnation=5)])
    hand.run(1.0)
    hand.clear()
    for state in State:
        hand.feed(A, claims=[B.claim(state, incarnation=4, time=hand.cluster_time)])
    hand.run(1.0)
    assert not pushes(hand)
    assert not [sent for sent in hand.sent if sent.claims]


@pytest.mark.parametrize(("others", "again"), [(3, [0.2]), (64, [0.2]), (65, [0.05, 0.2])])
def test_an_originator_pushes_again_after_50_and_200_ms_in_small_clusters_once(others: int, again: list[float]) -> None:
    hand, members = quiet(others)
    told = A if others <= 64 else successors(hand, members)[0]
    start = hand.now
    hand.node.broadcast(b"x", now=hand.now)
    hand.collect()
    hand.run(0.9)
    times = [sent.at - start for sent in hand.to(told) if sent.envelope.broadcasts and sent.message is None]
    assert times == pytest.approx([0.0, *again], abs=0.011)


def test_a_metadata_change_and_a_refutation_are_repeated_too() -> None:
    for _ in range(2):
        hand, _ = quiet(3)
        start = hand.now
        if hand.me.incarnation:
            hand.feed(A, claims=[hand.own_claim(State.SUSPECT)])
        else:
            hand.node.update_metadata({"k": "v"}, now=hand.now)
        hand.collect()
        hand.run(0.9)
        times = [sent.at - start for sent in hand.to(B) if sent.claims and sent.message is None]
        assert times == pytest.approx([0.0, 0.05, 0.2], abs=0.011)


def told_of_death(hand: Hand, members: list[Peer], *, refuted: bool) -> list[float]:
    """Seconds after which a successor is told of a death that this node hears now."""
    start = hand.now
    hand.feed(A, claims=[C.claim(State.DEAD, time=hand.cluster_time)])
    told = successors(hand, [member for member in members if member is not C])[0]
    if refuted:
        hand.run(0.02)
        hand.feed(A, claims=[C.claim(incarnation=1)])
    hand.run(0.9)
    claims = [(sent.at - start, claim.state) for sent in hand.to(told) for claim in sent.claims if not sent.message]
    return [at for at, state in claims if state is State.DEAD]


def test_a_death_is_told_again_by_all_who_hear_of_it_while_it_holds() -> None:
    for refuted in (False, True):
        hand, members = quiet(66)
        times = told_of_death(hand, members, refuted=refuted)
        assert times == pytest.approx([0.0] if refuted else [0.0, 0.2], abs=0.002)


def test_where_packets_may_be_getting_lost_it_is_told_again_sooner() -> None:
    hand, members = quiet(66)
    hand.answering = members[:30]
    hand.until(lambda: hand.node.statistics().probes_failed > 0, limit=20.0)
    hand.clear()
    assert told_of_death(hand, members, refuted=False) == pytest.approx([0.0, 0.05], abs=0.002)


@pytest.mark.parametrize("others", [4, 64])
def test_one_of_which_the_accuser_has_told_all_is_passed_on_to_two_after_a_while_and_then_to_the_rest(
    others: int,
) -> None:
    for refuted in (False, True):
        hand, members = quiet(others)
        assert told_of_death(hand, members, refuted=refuted) == pytest.approx([] if refuted else [0.025], abs=0.002)
        told = [sent.to for sent in hand.sent if any(claim.state is State.DEAD for claim in sent.claims)]
        assert len(told) == len(set(told)) == (0 if refuted else min(others - 1, 4))


def test_of_several_deaths_in_a_row_those_that_no_accuser_may_tell_to_all_are_passed_on_at_once() -> None:
    """An accuser tells 64 others at once, and then 30 a second."""
    hand, members = quiet(40)
    for member, expected in ((members[5], [0.025, 0.2]), (members[6], [0.0, 0.05])):
        hand.clear()
        start = hand.now
        hand.feed(A, claims=[member.claim(State.DEAD, time=hand.cluster_time)])
        hand.run(0.25)
        about = [sent for sent in hand.sent if any(claim.name == member.name for claim in sent.claims)]
        assert sorted({round(sent.at - start, 3) for sent in about}) == pytest.approx(expected, abs=0.002)


def test_where_packets_may_be_getting_lost_a_death_is_passed_on_at_once() -> None:
    hand, members = quiet(6)
    hand.answering = members[1:]
    hand.until(lambda: hand.node.statistics().probes_failed > 0, limit=20.0)
    hand.clear()
    hand.feed(B, claims=[C.claim(State.DEAD, time=hand.cluster_time)])
    assert len(pushes(hand)) == 5


def test_a_relay_does_not_repeat() -> None:
    hand, _ = quiet(3)
    hand.feed(A, broadcasts=[Broadcast("p1", A.epoch, 1, b"x")], claims=[C.claim(incarnation=1)])
    hand.run(0.9)
    assert len([sent for sent in hand.to(B) if sent.message is None]) == 1


def test_what_is_outdated_by_then_is_not_repeated() -> None:
    hand, _ = quiet(3)
    hand.node.update_metadata({"k": "1"}, now=hand.now)
    hand.run(0.03)
    hand.node.update_metadata({"k": "2"}, now=hand.now)
    hand.collect()
    hand.run(0.02)
    hand.clear()
    hand.run(0.9)
    assert {claim.incarnation for claim in hand.told("me")} == {2}


def test_pushes_leave_every_20_ms_in_the_long_run_and_at_most_four_at_once() -> None:
    hand, _ = quiet(2)
    start = hand.now
    number = 0
    while hand.now < start + 2.0:
        number += 1
        hand.node.broadcast(b"%d" % number, now=hand.now)
        hand.collect()
        hand.run(0.001)
    times = sorted({sent.at for sent in pushes(hand)})
    for window in (0.1, 0.5, 1.0):
        for first in times:
            assert sum(first <= at < first + window for at in times) <= window / 0.02 + 4
    assert len(times) <= 2.0 / 0.02 + 5
    last = [b - a for a, b in pairwise(times[20:])]
    assert min(last) >= 0.009
    assert hand.now > start + 2.0 - 0.001


def test_all_that_is_pending_goes_in_one_push_of_up_to_four_datagrams() -> None:
    hand, _ = quiet(1, config=Config.lan(max_broadcast=600))
    for _ in range(4):  # use up what may leave at once
        hand.node.broadcast(b"x", now=hand.now)
    hand.collect()
    hand.clear()
    start = hand.now
    for _ in range(12):
        hand.node.broadcast(bytes(600), now=hand.now)
    hand.collect()
    assert not pushes(hand)
    hand.run(0.021)
    first = [sent for sent in pushes(hand) if sent.at <= start + 0.021]
    assert len(first) == 4
    assert hand.node.statistics().pending == 8


# ------------------------------------------------------------------ what rides along


def test_what_is_pending_rides_on_other_datagrams() -> None:
    hand, _ = quiet(2)
    for _ in range(5):
        hand.node.broadcast(b"x", now=hand.now)
    hand.collect()
    hand.clear()
    (ack,) = hand.feed(A, Ping(1, hand.short_id, UNIX_MS))
    assert isinstance(ack.message, Ack)
    assert [item.number for item in ack.envelope.broadcasts] == [5]


def test_what_is_claimed_of_a_member_that_is_not_alive_rides_on_datagrams_to_it() -> None:
    hand, _ = quiet(3)
    suspicion = B.claim(State.SUSPECT, time=hand.cluster_time)
    hand.feed(A, claims=[suspicion])
    hand.run(2.0)
    hand.clear()
    (ack,) = [sent for sent in hand.feed(B, Ping(1, hand.short_id, UNIX_MS)) if isinstance(sent.message, Ack)]
    assert ack.claims == [suspicion]
    hand.node.send("p2", b"hi", now=hand.now)
    hand.collect()
    assert [sent.claims for sent in hand.to(B) if isinstance(sent.message, UserMessage)] == [[suspicion]]
    assert not [sent for sent in hand.to(A, C) if sent.claims]


@pytest.mark.parametrize("subject", [A, B, C])
def test_so_it_does_on_a_push_to_it_and_the_others_get_one_and_the_same_datagram(subject: Peer) -> None:
    hand, _ = quiet(3)
    suspicion = subject.claim(State.SUSPECT, time=hand.cluster_time)
    hand.feed(A if subject is not A else B, claims=[suspicion])
    hand.run(2.0)
    hand.clear()
    before = hand.node.statistics()
    hand.node.broadcast(b"x", now=hand.now)
    hand.collect()
    sent = pushes(hand)
    after = hand.node.statistics()
    assert {each.to: each.claims for each in sent} == {
        each.address: [suspicion] if each is subject else [] for each in (A, B, C)
    }
    assert after.messages_sent["gossip"] - before.messages_sent["gossip"] == 3
    assert after.bytes_sent - before.bytes_sent == sum(each.size for each in sent)
    assert len({each.payload for each in sent if each.to != subject.address}) == 1


def test_claims_and_broadcasts_alternate_for_the_room_so_neither_starves() -> None:
    hand, _ = quiet(1, config=Config.lan(max_broadcast=200))
    for number in range(4):
        hand.node.broadcast(b"%d" % number, now=hand.now)
    hand.collect()
    hand.clear()
    large = [peer(number, metadata=b"\x81\xa1k\xd9\x80" + b"v" * 128) for number in range(100, 140)]
    claims = [member.claim() for member in large]
    for start in range(0, 40, 5):
        hand.push(A, large[start : start + 5])
    for _ in range(20):
        hand.node.broadcast(bytes(150), now=hand.now)
    hand.collect()
    hand.run(0.021)
    first = pushes(hand)[0]
    assert abs(len(first.claims) - len(first.envelope.broadcasts)) <= 1
    assert first.claims[0] == claims[0]
    numbers = [item.number for item in first.envelope.broadcasts]
    assert numbers == sorted(numbers)
    assert first.size > 1000


def test_a_newer_claim_takes_the_place_of_the_older_one_that_waits() -> None:
    hand, _ = quiet(2)
    for number in range(4):
        hand.node.broadcast(b"%d" % number, now=hand.now)
    hand.collect()
    hand.clear()
    for incarnation in range(1, 6):
        hand.feed(A, claims=[C.claim(incarnation=incarnation)])
    hand.run(0.1)
    told: list[Claim] = [claim for sent in hand.to(B) for claim in sent.claims]
    assert [claim.incarnation for claim in told] == [5]


def test_user_broadcasts_give_way_first_where_too_much_waits() -> None:
    hand, members = quiet(30, config=Config.lan(max_pending=16))
    for number in range(4):
        hand.node.broadcast(b"%d" % number, now=hand.now)
    hand.collect()
    hand.clear()
    claims = [member.claim(incarnation=1) for member in members]
    hand.feed(A, claims=claims, broadcasts=[Broadcast("p1", A.epoch, 1, b"x")])
    assert hand.dropped(DropReason.PENDING_FULL) == 1
    hand.run(0.5)
    assert {claim.name for sent in hand.sent for claim in sent.claims} == {claim.name for claim in claims}


def test_a_lone_node_keeps_nothing_to_tell() -> None:
    hand = Hand()
    for _ in range(1_000):
        hand.node.broadcast(b"x", now=hand.now)
    hand.run(0.1)
    assert not hand.sent
    assert hand.node.statistics().pending == 0


# ---------------------------------------------------------------------- the budget for trouble


def test_of_several_ends_its_originator_tells_all_of_the_first_only() -> None:
    """Of 50 members of which 40 are killed at once, each would tell all of several: 270 datagrams in a second."""
    others = peers(50)
    hand = Hand(knows=others)
    hand.run(2.0)
    gossip = parts_of(hand.node).gossip
    told = []
    for dead in others[:3]:
        hand.clear()
        claim = dead.claim(State.DEAD, rule=Rule.GONE, time=hand.cluster_time)
        gossip.tell_claim(claim, hand.now, originator=True)
        gossip.settle(hand.now)
        hand.collect()
        told.append(len({sent.to for sent in hand.sent if claim in sent.claims}))
    assert told == [50, 4, 4]


@pytest.mark.parametrize("state", [State.ALIVE, State.DEAD])
def test_what_is_told_costs_the_budget_for_trouble_something_if_it_is_an_accusation(state: State) -> None:
    """An application whose members often change their metadata must not make verdicts on others hastier."""
    others = peers(30)
    hand = Hand(knows=others)
    hand.run(2.0)
    trouble = parts_of(hand.node).context.trouble
    assert trouble.wait(hand.now, 1.0) == 0.0
    claims = [other.claim(state, incarnation=1, time=hand.cluster_time) for other in others[10:20]]
    for claim in claims:
        hand.feed(others[0], claims=[claim])
    assert any(claim in sent.claims for sent in hand.sent for claim in claims)
    assert (trouble.wait(hand.now, 1.0) > 0.0) is (state is State.DEAD)
