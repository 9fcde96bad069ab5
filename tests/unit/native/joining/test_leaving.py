"""Section 7, rule by rule: what a node says when it leaves, and what it still answers afterwards."""

import pytest

from support.hand import Hand, Sent, peer, peers
from swim_core import Config, KernelEvidence, MemberJoined, MemberLeft, NotRunning, Rule, State
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.messages import Ack, Join, Ping, PingReq, SyncReq

A, B, C = peers(3)


def departing(count: int = 3) -> Hand:
    hand = Hand(knows=peers(count))
    hand.run(1.0)
    hand.clear()
    hand.node.leave(now=hand.now)
    hand.collect()
    return hand


def departed() -> Hand:
    hand = departing()
    hand.run(0.5)
    hand.clear()
    return hand


def goodbyes(sent: list[Sent]) -> list[Claim]:
    return [claim for item in sent for claim in item.claims if claim.state is State.LEFT and claim.name == "me"]


@pytest.mark.parametrize("others", [1, 2, 3])
def test_leaving_floods_left_and_repeats_it_at_50_and_200_ms(others: int) -> None:
    hand = departing(others)
    start = hand.now
    assert {sent.to for sent in hand.sent} == {each.address for each in peers(others)}
    hand.run(2.0)
    for receiver in peers(others):
        times = [sent.at - start for sent in hand.to(receiver) if goodbyes([sent])]
        assert times == pytest.approx([0.0, 0.05, 0.2], abs=0.011)


def test_the_claim_says_left_by_itself_at_the_incarnation_held() -> None:
    hand = departing()
    claim = goodbyes(hand.sent)[0]
    assert (claim.epoch, claim.incarnation, claim.metadata) == (hand.me.epoch, 0, None)
    assert claim.verdict is not None
    assert (claim.verdict.accuser, claim.verdict.rule) == (hand.short_id, Rule.LEFT)
    assert hand.me.state is State.LEFT


@pytest.mark.parametrize("others", [1, 3])
def test_it_is_done_at_250_ms(others: int) -> None:
    hand = departing(others)
    assert not hand.node.has_left
    hand.run(0.249)
    assert not hand.node.has_left
    hand.run(0.002)
    assert hand.node.has_left


def test_where_nobody_is_there_to_hear_it_is_done_at_once() -> None:
    hand = Hand()
    hand.node.leave(now=hand.now)
    assert hand.node.has_left
    hand.run(1.0)
    assert not hand.sent


def test_it_leaves_at_once_even_where_the_last_push_was_just_now() -> None:
    hand = Hand(knows=[A, B])
    for number in range(20):
        hand.node.broadcast(b"%d" % number, now=hand.now)
    hand.collect()
    hand.clear()
    hand.node.leave(now=hand.now)
    assert goodbyes(hand.collect())


def test_others_take_it_as_a_departure() -> None:
    hand = Hand(knows=[A, B])
    hand.feed(B, claims=[B.claim(State.LEFT, by=B.short_id, time=hand.cluster_time)])
    assert hand.state(B) is State.LEFT
    (left,) = hand.happened(MemberLeft)
    assert left.evidence is not None
    assert (left.evidence.rule, left.evidence.accuser) == (Rule.LEFT, "p2")


def test_it_still_answers_pings() -> None:
    hand = departed()
    sent = hand.feed(A, Ping(7, hand.short_id, hand.cluster_time))
    assert [item.message.seq for item in sent if isinstance(item.message, Ack)] == [7]


def test_it_probes_accuses_and_joins_nobody() -> None:
    hand = Hand(knows=[A, B, C])
    hand.answering = []
    hand.node.join([("10.5.5.5", 5)], now=hand.now)
    hand.until(lambda: bool(hand.node.statistics().watches), 5.0)
    ping = [sent for sent in hand.sent if isinstance(sent.message, Ping)][-1]
    hand.node.leave(now=hand.now)
    hand.run(0.3)
    hand.clear()
    hand.evidence(KernelEvidence.REFUSED_UDP, ping.to, ping.payload)
    hand.run(60.0)
    assert not [sent for sent in hand.sent if isinstance(sent.message, Ping | PingReq | Join | SyncReq)]
    assert hand.node.statistics().watches == 0


def test_it_never_raises_its_incarnation_for_left() -> None:
    hand = departed()
    for incarnation in (0, 1, 5):
        hand.feed(A, claims=[hand.own_claim(State.LEFT, incarnation=incarnation)])
    assert hand.me.incarnation == 0
    hand.run(1.0)
    assert not goodbyes(hand.sent)


@pytest.mark.parametrize("state", [State.SUSPECT, State.DEAD])
@pytest.mark.parametrize("above", [1, 5])
def test_it_answers_an_accusation_with_left_at_a_higher_incarnation(state: State, above: int) -> None:
    hand = departed()
    hand.feed(A, claims=[hand.own_claim(state, incarnation=above)])
    assert (hand.me.state, hand.me.incarnation) == (State.LEFT, above + 1)
    hand.run(0.1)
    assert {claim.incarnation for claim in goodbyes(hand.sent)} == {above + 1}


@pytest.mark.parametrize("state", [State.SUSPECT, State.DEAD])
def test_an_accusation_at_its_own_incarnation_does_not_bring_it_back(state: State) -> None:
    """LEFT outranks both anyway."""
    hand = departed()
    hand.feed(A, claims=[hand.own_claim(state, incarnation=0)])
    hand.run(1.0)
    assert hand.me.state is State.LEFT
    assert not [claim for claim in hand.told("me") if claim.state is not State.LEFT]


def test_whoever_still_holds_it_alive_is_told() -> None:
    hand = departed()
    hand.feed(A, claims=[hand.own_claim(State.ALIVE, incarnation=0)])
    assert goodbyes(hand.to(A))


def test_a_new_run_of_its_name_is_welcome() -> None:
    hand = departed()
    hand.feed(A, claims=[hand.own_claim(epoch=hand.me.epoch + (1 << 16))])
    hand.run(1.0)
    assert hand.me.state is State.LEFT
    assert not hand.events
    assert not goodbyes(hand.sent)


def test_leaving_is_final() -> None:
    hand = departed()
    hand.feed(peer(9), claims=[peer(9).claim()])
    hand.run(30.0)
    assert hand.me.state is State.LEFT
    assert hand.node.has_left
    with pytest.raises(NotRunning):
        hand.node.broadcast(b"x", now=hand.now)


def test_views_go_on_after_leaving() -> None:
    hand = departed()
    assert hand.node.local.state is State.LEFT
    assert {member.name for member in hand.node.members()} == {"p1", "p2", "p3"}
    assert {member.name for member in hand.node.members(gone=True)} == {"me", "p1", "p2", "p3"}
    assert hand.node.statistics().members[State.LEFT] == 1


def test_a_node_that_is_ticked_for_long_after_it_left_stays_itself() -> None:
    """Others forget that it left, but the node itself must not."""
    hand = Hand(knows=peers(3), config=Config.lan(forget_left_after=1.0))
    hand.node.leave(now=hand.now)
    hand.run(20.0)
    assert hand.me.state is State.LEFT


# ------------------------------------------------------------------ before a seed's answer has come


def carry(sender: Hand, receiver: Hand) -> None:
    """Everything that was sent arrives."""
    sent = list(sender.sent)
    sender.clear_sent()
    for datagram in sent:
        if datagram.to == receiver.me.address:
            receiver.feed_bytes(datagram.payload, sender.me.address)


def entering() -> tuple[Hand, Hand]:
    """A newcomer that has shown its claim to a seed, and that seed, whose answer is still on its way."""
    seed, newcomer = Hand("seed"), Hand("newcomer", address=C.address)
    newcomer.node.join([seed.me.address], now=newcomer.now)
    newcomer.collect()
    carry(newcomer, seed)
    carry(seed, newcomer)
    carry(newcomer, seed)
    assert [type(event) for event in seed.events] == [MemberJoined]
    assert newcomer.node.members() == (newcomer.node.local,)
    seed.clear_sent()
    return seed, newcomer


def leave(hand: Hand) -> None:
    hand.node.leave(now=hand.now)
    hand.collect()


def test_a_seed_that_has_let_a_node_in_hears_its_goodbye_though_the_node_has_not_heard_of_it() -> None:
    seed, newcomer = entering()
    leave(newcomer)
    carry(newcomer, seed)
    assert [type(event) for event in seed.events] == [MemberJoined, MemberLeft]


def test_that_goodbye_is_said_three_times_and_then_it_is_done() -> None:
    seed, newcomer = entering()
    leave(newcomer)
    start = newcomer.now
    newcomer.clear_sent()
    newcomer.run(0.21)
    assert not newcomer.node.has_left
    assert [sent.at - start for sent in newcomer.sent] == pytest.approx([0.05, 0.2], abs=0.011)
    newcomer.run(0.05)
    assert newcomer.node.has_left
    newcomer.clear_sent()
    newcomer.run(60)
    assert not newcomer.sent
    assert seed.node.member("newcomer") is not None


def test_a_seed_that_has_not_seen_the_claim_is_told_nothing() -> None:
    newcomer = Hand("newcomer")
    newcomer.node.join([A.address], now=newcomer.now)
    newcomer.collect()
    newcomer.clear_sent()
    leave(newcomer)
    assert newcomer.node.has_left
    newcomer.run(60)
    assert not newcomer.sent


def test_a_goodbye_that_overtakes_the_claim_lets_nobody_in() -> None:
    """The seed never saw the claim, so it ignores the goodbye of an unknown name."""
    seed, newcomer = Hand("seed"), Hand("newcomer", address=C.address)
    newcomer.node.join([seed.me.address], now=newcomer.now)
    newcomer.collect()
    carry(newcomer, seed)
    carry(seed, newcomer)
    newcomer.clear_sent()  # the second JOIN is lost
    leave(newcomer)
    carry(newcomer, seed)
    assert not seed.events
    assert seed.node.members(gone=True) == (seed.node.local,)
