"""What a node counts, and what it can explain: `statistics()` and `explain()`."""

import msgspec
import pytest

from support.accuser import Accuser
from support.hand import UNIX_MS, Hand, Peer, peer, peers
from swim_core import Config, Evidence, Losses, Observation, Rule, State, Statistics
from swim_core.native.claims.merging import NEW_HOLD
from swim_core.native.round_trips import RoundTrips
from swim_core.native.wire.messages import Broadcast, Join, JoinAck, Ping, UserMessage, Want
from swim_core.smudge import SmudgeConfig

A, B, C = peers(3)


def test_a_new_node_has_counted_nothing() -> None:
    statistics = Hand().node.statistics()
    assert statistics == Statistics(
        members={State.ALIVE: 1, State.SUSPECT: 0, State.DEAD: 0, State.LEFT: 0}, cluster_time=UNIX_MS
    )


def test_members_are_counted_by_state_this_node_included() -> None:
    hand = Hand(knows=peers(6))
    time = hand.cluster_time
    hand.feed(A, claims=[B.claim(State.SUSPECT, time=time), C.claim(State.DEAD, time=time), peer(4).claim(State.LEFT)])
    assert hand.node.statistics().members == {State.ALIVE: 4, State.SUSPECT: 1, State.DEAD: 1, State.LEFT: 1}


def test_datagrams_and_bytes_are_counted_both_ways() -> None:
    hand = Hand(knows=[A])
    before = hand.node.statistics()
    ping, junk = A.datagram(Ping(1, hand.short_id, UNIX_MS)), b"junk"
    (ack,) = hand.feed_bytes(ping, A.address)
    hand.feed_bytes(junk, A.address)
    after = hand.node.statistics()
    assert after.datagrams_received - before.datagrams_received == 2
    assert after.bytes_received - before.bytes_received == len(ping) + len(junk)
    assert after.datagrams_sent - before.datagrams_sent == 1
    assert after.bytes_sent - before.bytes_sent == ack.size
    assert after.messages_received["ping"] - before.messages_received.get("ping", 0) == 1
    assert after.message_bytes_received["ping"] - before.message_bytes_received.get("ping", 0) == len(ping)
    assert after.messages_sent["ack"] - before.messages_sent.get("ack", 0) == 1
    assert after.message_bytes_sent["ack"] - before.message_bytes_sent.get("ack", 0) == ack.size
    assert sum(after.message_bytes_sent.values()) == after.bytes_sent


@pytest.mark.parametrize("config", [Config(), SmudgeConfig()], ids=["native", "smudge"])
def test_what_the_system_lost_is_counted_and_not_as_sent(config: Config | SmudgeConfig) -> None:
    node = config.create_node("ann", ("127.0.0.1", 1), now=0.0, entropy=bytes(32), unix_ms=UNIX_MS)
    node.join([("127.0.0.1", 2)], now=0.0)
    datagrams = list(iter(node.poll_datagram, None))
    before = node.statistics()
    assert before.datagrams_sent == len(datagrams)
    size = len(datagrams[0].payload)
    node.feed_losses(Losses({"EPERM": 1}, size, 0))
    node.feed_losses(Losses({}, 0, 5))
    after = node.statistics()
    assert (after.datagrams_unsent, after.datagrams_overflowed) == ({"EPERM": 1}, 5)
    assert after.datagrams_sent == before.datagrams_sent - 1
    assert after.bytes_sent == before.bytes_sent - size
    assert after.messages_sent == before.messages_sent
    assert list(iter(node.poll_datagram, None)) == []


def test_broadcasts_are_counted() -> None:
    hand = Hand(knows=[A, B])
    hand.feed(A, broadcasts=[Broadcast("p1", A.epoch, 1, b"x"), Broadcast("p1", A.epoch, 2, b"y")])
    hand.node.broadcast(b"z", now=hand.now)
    statistics = hand.node.statistics()
    assert statistics.broadcasts_delivered == 2
    assert statistics.broadcasts_sent == 1
    assert statistics.retained_broadcasts == 3


def test_broadcasts_sent_again_are_counted() -> None:
    hand = Hand(knows=[A, B])
    for _ in range(3):
        hand.node.broadcast(b"z", now=hand.now)
    hand.feed(A, Want(hand.short_id, [(2, 3)], bytes(200)))
    assert hand.node.statistics().broadcasts_resent == 2


def test_refutations_are_counted() -> None:
    hand = Hand(knows=[A, B])
    own = hand.node.local
    accusation = Peer("me", own.address, own.epoch).claim(State.SUSPECT, time=hand.cluster_time)
    hand.feed(A, claims=[accusation])
    hand.feed(B, claims=[accusation])  # answered already
    assert hand.node.local.incarnation == 1
    assert hand.node.statistics().refutations == 1


def test_tripwires_that_stand_and_that_are_missing_are_counted() -> None:
    hand = Hand(knows=[A, B])

    def counted() -> tuple[int, int]:
        statistics = hand.node.statistics()
        return statistics.tripwires, statistics.tripwires_missing

    assert counted() == (0, 0)
    hand.greet(A)
    assert counted() == (1, 1)
    hand.greet(B)
    assert counted() == (2, 0)
    hand.lose(A)
    assert counted() == (1, 1)
    hand.feed(B, claims=[A.claim(State.LEFT)])
    assert counted() == (1, 0)


def test_differing_settings_are_counted() -> None:
    hand = Hand()
    hand.node.join([A.address], now=hand.now)
    hand.collect()
    join = next(sent.message for sent in hand.sent)
    hand.feed(A, JoinAck(join.seq, b"c", UNIX_MS, 2000, 4, 5000))  # type: ignore[union-attr]
    assert hand.node.statistics().settings_differ == 1


def test_seeds_are_counted_and_those_that_do_not_answer() -> None:
    hand = Hand(knows=[A])
    hand.answering = [A]

    def seeds() -> tuple[int, int]:
        statistics = hand.node.statistics()
        return statistics.seeds, statistics.seeds_unanswered

    assert seeds() == (0, 0)
    hand.node.join([A.address, B.address, C.address, hand.node.local.address], now=hand.now)
    assert seeds() == (3, 0), "none was asked twice"
    hand.run(10.0)
    assert seeds() == (3, 2)
    hand.feed(A, claims=[B.claim()])
    assert seeds() == (3, 1)
    hand.node.join([A.address], now=hand.now)
    assert seeds() == (1, 0)


def test_a_seed_that_answers_from_an_address_of_which_no_member_is_known_has_answered() -> None:
    """As behind an address translator, where no member has the address that is asked."""
    hand = Hand()
    hand.node.join([A.address], now=hand.now)
    hand.run(10.0)
    assert hand.node.statistics().seeds_unanswered == 1

    def joins() -> list[Join]:
        return [sent.message for sent in hand.sent if isinstance(sent.message, Join)]

    asked = len(joins())
    hand.until(lambda: len(joins()) > asked, 60.0)
    hand.feed(B, JoinAck(joins()[-1].seq, b"c", UNIX_MS, 1000, 4, 5000))
    assert hand.node.statistics().seeds_unanswered == 1, "not let in yet"
    hand.feed(B, JoinAck(joins()[-1].seq, None, UNIX_MS, 1000, 4, 5000, own=B.claim()))
    assert hand.node.statistics().seeds_unanswered == 0


def test_round_trips_are_summed_up() -> None:
    hand = Hand(knows=[A, B])
    hand.run(40.0)
    statistics = hand.node.statistics()
    assert statistics.rtt_p50 == pytest.approx(0.001)
    assert statistics.rtt_p99 == pytest.approx(0.001)
    assert statistics.round_trips.count > 30
    assert statistics.round_trips.sum == pytest.approx(0.001 * statistics.round_trips.count)


def test_a_stall_is_seen_in_the_histogram_as_long_as_it_was() -> None:
    """The estimate counts it as half a probe interval, so that it doesn't stretch deadlines."""
    trips = RoundTrips(Config.lan())
    for seconds in (0.001, 0.002, 4.0):
        trips.add(seconds)
    assert dict(trips.histogram.buckets)[0.0025] == 2
    assert dict(trips.histogram.buckets)[2.5] == 2
    assert dict(trips.histogram.buckets)[5.0] == 3
    assert trips.histogram.sum == pytest.approx(4.003)
    assert trips.quantile(1.0) == 0.5


def test_a_snapshot_is_of_its_moment() -> None:
    hand = Hand(knows=[A])
    snapshot = hand.node.statistics()
    hand.feed(A, UserMessage(b"x"))
    hand.feed_bytes(b"", A.address)
    assert hand.node.statistics() != snapshot
    assert snapshot.messages_received.get("user_message", 0) == 0
    assert not snapshot.dropped


# ------------------------------------------------------------------ explain


def evidence_of(hand: Hand, who: Peer) -> Evidence:
    evidence = hand.node.explain(who.name)
    assert evidence is not None
    return evidence


def test_the_accuser_explains_its_verdict_with_what_it_and_its_helpers_saw() -> None:
    hand = Accuser(4)
    hand.accuse()
    hand.until(lambda: hand.verdict() is State.DEAD, 8.0)
    evidence = evidence_of(hand, hand.subject)
    assert (evidence.rule, evidence.accuser) == (Rule.SILENT, "me")
    asked_for = 1e3 * NEW_HOLD  # the verdict is put to the member before it counts
    assert evidence.cluster_time == pytest.approx(hand.cluster_time - asked_for, abs=5)
    words = [observation.what for observation in evidence.observations]
    assert words[:2] == ["probe timed out", "watch began"]
    assert words[-1] in ("declared dead", "claimed dead")
    voters = {observation.observer for observation in evidence.observations if observation.what == "vote silent"}
    assert voters == {helper.name for helper in hand.helpers[:3]}
    assert [observation.at for observation in evidence.observations] == sorted(o.at for o in evidence.observations)


def test_what_is_observed_is_bounded() -> None:
    hand = Accuser(4)
    hand.accuse()
    hand.stated = {helper.name: 0.1 for helper in hand.helpers}
    hand.run(120.0)
    assert 5 < len(evidence_of(hand, hand.subject).observations) <= 40


def test_what_is_told_of_a_forgotten_member_is_gone() -> None:
    hand = Hand(knows=[A, B], config=Config.lan(forget_left_after=2))
    hand.answering = [A]
    hand.feed(A, claims=[B.claim(State.LEFT)])
    assert evidence_of(hand, B).rule is Rule.LEFT
    hand.run(5.0)
    assert hand.node.explain("p2") is None


def test_this_node_can_be_explained_too() -> None:
    hand = Hand(knows=[A])
    assert hand.node.explain("me") == Evidence(None, "", 0)
    hand.node.leave(now=hand.now)
    evidence = hand.node.explain("me")
    assert evidence is not None
    assert (evidence.rule, evidence.accuser) == (Rule.LEFT, "me")


def test_observations_are_plain_values() -> None:
    hand = Accuser(4)
    hand.accuse()
    observation = evidence_of(hand, hand.subject).observations[0]
    assert isinstance(observation, Observation)
    assert msgspec.structs.replace(observation, detail="x") != observation
    with pytest.raises(AttributeError):
        observation.what = "changed"  # type: ignore[misc]
