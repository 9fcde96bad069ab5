"""What makes a good node among those of the original, point by point, without the original's defects."""

from itertools import pairwise

import pytest

from support.smudge_hand import ME, PORT, UNIX_MS, Hand, at, ping, pingreq, record
from swim_core import (
    Address,
    BroadcastReceived,
    ConfigError,
    DropReason,
    Isolated,
    KernelEvidence,
    MemberDied,
    MemberForgotten,
    MemberJoined,
    MemberPinged,
    MemberRecovered,
    MemberSuspected,
    Multicast,
    NotRunning,
    NotSupported,
    Origin,
    Overloaded,
    Paused,
    PayloadTooLarge,
    Reconnected,
    Rule,
    State,
    UnknownMember,
)
from swim_core.smudge import BroadcastRecord, Message, Status, Verb, decode_announcement, encode, encode_announcement

ALIVE, SUSPECTED, DEAD = Status.ALIVE, Status.SUSPECTED, Status.DEAD


# ---------------------------------------------------------------------- 1: address mode, own port, identity


def test_1_every_header_carries_the_own_port_and_records_the_own_address_size() -> None:
    for address, peer in ((Address("10.0.0.1", 7000), at(2)), (Address("fd77::1", 7000), Address("fd77::2", PORT))):
        hand = Hand(address=address)
        hand.feed(peer, ping(1, record(ALIVE, 0, 1, peer, address=peer._replace(port=5))))
        hand.run(5.0)
        assert {sent.message.sender_port for sent in hand.sent} == {7000}
        size = 17 if not hand.ipv6 else 41
        assert all(len(sent.data) == 11 + size * len(sent.message.members) for sent in hand.sent)


def test_1_a_peer_is_known_by_its_ip_and_the_port_in_its_header() -> None:
    hand = Hand()
    (sent, *_) = hand.feed(at(2), Message(Verb.PING, 1234, 7), ephemeral=55_555)
    assert sent.to == ("10.0.0.2", 1234)
    assert hand.node.member("10.0.0.2:1234") is not None


@pytest.mark.parametrize("source", ["fd77::2", "0.0.0.0", "255.255.255.255", "224.0.0.1", "nonsense"])
def test_1_sources_that_cant_be_answered_in_this_mode_are_dropped(source: str) -> None:
    hand = Hand()
    assert hand.feed_bytes(encode(ping(1)), Address(source, 1)) == []
    assert hand.node.statistics().dropped == {DropReason.BAD_SOURCE: 1}


# ---------------------------------------------------------------------- 2: acks


@pytest.mark.parametrize("verb", [Verb.PING, Verb.NFPING])
@pytest.mark.parametrize("code", [0, 1, 77, 2**32 - 1])
def test_2_pings_are_acked_at_once_with_the_same_code(verb: Verb, code: int) -> None:
    hand = Hand(knows=1)
    for source in (at(2), at(9)):
        (ack, *_) = hand.feed(source, ping(code, verb=verb))
        assert (ack.verb, ack.code, ack.to) == (Verb.ACK, code, source)


def test_2_suspected_and_dead_nodes_are_acked_too() -> None:
    hand = Hand(knows=2)
    for state in (State.SUSPECT, State.DEAD):
        hand.node.set_state("10.0.0.2:9999", state, now=hand.now)
        assert [s.code for s in hand.feed(at(2), ping(1)) if s.verb is Verb.ACK and s.code] == [1]


# ---------------------------------------------------------------------- 3: heartbeat


def test_3_each_ping_has_a_higher_code_which_follows_the_largest_heard_minus_one() -> None:
    hand = Hand(knows=1)
    for verb in (Verb.PING, Verb.NFPING, Verb.ACK):
        heard = max(sent.code for sent in hand.run(0.6) if sent.verb is Verb.PING) + 500
        hand.feed(at(2), ping(heard, verb=verb))
        assert min(sent.code for sent in hand.run(0.6) if sent.verb is Verb.PING) == heard
    hand.answering.clear()
    hand.run(5.0)
    codes = [sent.code for sent in hand.of(Verb.PING)]
    assert codes == sorted(codes)


def test_3_a_process_starts_above_all_codes_that_an_earlier_one_used() -> None:
    first = Hand(knows=2)
    code = max(sent.code for sent in first.run(60.0) if sent.verb is Verb.PING)
    second = Hand(knows=1, unix_ms=UNIX_MS + 61_000)
    assert min(sent.code for sent in second.run(1.0) if sent.verb is Verb.PING) > code


def test_3_strangers_move_it_a_little_and_forgers_not_at_all() -> None:
    hand = Hand(knows=1)
    for source, code in ((at(9), 100_000), (at(2), 2**32 - 1), (at(2), 2**30)):
        hand.feed(source, ping(code))
    assert max(sent.code for sent in hand.run(2.0) if sent.verb is Verb.PING) < 100
    hand.feed(at(2), ping(2**27))
    assert max(sent.code for sent in hand.run(0.6) if sent.verb is Verb.PING) >= 2**27


def test_3_a_cluster_far_ahead_is_followed_when_three_of_its_nodes_agree() -> None:
    hand = Hand(knows=3)
    hand.run(3.0)  # each has answered a ping
    for number, code in ((2, 2**31), (3, 2**31 + 5), (4, 2**31 + 9)):
        hand.feed(at(number), ping(code))
    assert 2**31 <= max(sent.code for sent in hand.run(0.6) if sent.verb is Verb.PING) < 2**31 + 9


# ---------------------------------------------------------------------- 4 and 5: relays


def test_4_a_pingreq_is_forwarded_at_once_and_the_answer_relayed_with_the_records_heartbeat() -> None:
    hand = Hand(knows=2)
    sent = hand.feed(at(2), pingreq(23, at(9), 24))
    assert [(s.verb, s.to, s.code) for s in sent] == [(Verb.NFPING, at(9), 24)]
    assert hand.state(9) is None
    sent = hand.feed(at(9), Message(Verb.ACK, PORT, 24))
    assert (Verb.ACK, at(2), 24) in [(s.verb, s.to, s.code) for s in sent]


def test_4_all_who_asked_for_one_target_are_answered() -> None:
    """Defect 14: with one entry per target and code, the second request would overwrite the first."""
    hand = Hand(knows=3)
    hand.answering.clear()
    hand.feed(at(2), pingreq(50, at(4), 50))
    hand.feed(at(3), pingreq(50, at(4), 50))
    sent = hand.feed(at(4), Message(Verb.ACK, PORT, 50))
    assert {s.to for s in sent if s.verb is Verb.ACK and s.code == 50} == {at(2), at(3)}
    assert not [s for s in hand.feed(at(4), Message(Verb.ACK, PORT, 50)) if s.code == 50]


def test_4_a_strangers_request_counts_and_a_request_for_this_node_is_answered() -> None:
    hand = Hand()
    assert Verb.NFPING in [s.verb for s in hand.feed(at(7), pingreq(1, at(8), 1))]
    assert (Verb.ACK, at(7), 5) in [(s.verb, s.to, s.code) for s in hand.feed(at(7), pingreq(2, ME, 5))]


def test_4_requests_cant_make_a_flood_of_it() -> None:
    hand = Hand(knows=1)
    for code in range(1, 2_000):
        hand.feed(at(2), pingreq(code, at(9), code))
    assert 100 <= len(hand.of(Verb.NFPING)) <= 600
    assert hand.node.statistics().dropped[DropReason.RATE_LIMITED] > 1_000


def test_5_a_silent_node_is_pinged_by_live_relays_whose_requests_name_it_first() -> None:
    hand = Hand(knows=5)
    hand.node.set_state("10.0.0.6:9999", State.DEAD, now=hand.now)
    hand.answering -= {at(2), at(6)}
    hand.run(3.0)
    requests = hand.of(Verb.PINGREQ)
    assert {s.to for s in requests} == {at(3), at(4), at(5)}
    for sent in requests:
        first = sent.message.members[0]
        assert (first.status, first.address, first.heartbeat) == (Status.FORWARD_TO, at(2), sent.code)


def test_5_one_relays_success_saves_it_however_many_are_silent() -> None:
    """Defect 11: in the original one silent relay suspects, and two kill."""
    hand = Hand(knows=5)
    hand.answering -= {at(2)}
    answered = 0
    for _ in range(100):
        hand.run(0.1)
        for sent in hand.of(Verb.PINGREQ, at(3))[answered:]:
            hand.feed(at(3), Message(Verb.ACK, PORT, sent.code))
            answered += 1
    assert answered
    assert hand.state(2) is State.ALIVE
    assert not hand.heard(MemberSuspected)


def test_5_when_all_fail_it_is_suspected_and_when_they_fail_again_dead() -> None:
    hand = Hand(knows=4)
    hand.answering -= {at(2)}
    hand.run(4.0)
    (suspected,), (died,) = hand.heard(MemberSuspected), hand.heard(MemberDied)
    assert suspected.evidence is not None
    assert died.evidence is not None
    assert (suspected.evidence.rule, died.evidence.rule) == (Rule.SUSPICION, Rule.SILENT)
    assert died.evidence.accuser == str(ME)
    assert [o.what for o in died.evidence.observations][:2] == ["ping timed out", "all relays failed"]
    assert hand.node.explain("10.0.0.2:9999") == died.evidence


def test_5_a_pair_takes_the_same_steps() -> None:
    """Defect 17: in the original one lost ping between two nodes is a death."""
    hand = Hand(knows=1)
    hand.answering.clear()
    hand.run(0.7)
    hand.answering.add(at(2))
    hand.run(5.0)
    assert not hand.heard(MemberDied)
    hand.answering.clear()
    hand.run(3.0)
    assert len(hand.heard(MemberDied)) == 1


def test_5_a_node_that_nobody_answers_accuses_nobody_and_says_so() -> None:
    """Defect 29: a deaf node declares everybody dead. That isn't so with two or three, which may well have died."""
    hand = Hand(knows=5)
    hand.answering.clear()
    hand.run(11.0)
    assert [type(event) for event in hand.events] == [Isolated]
    assert hand.node.statistics().deaf
    assert hand.node.statistics().isolated
    assert {r.status for s in hand.sent for r in s.message.members} == {ALIVE, Status.FORWARD_TO}
    assert len(hand.sent) < 200
    hand.answering.add(at(2))
    hand.run(3.0)
    assert Reconnected in [type(event) for event in hand.events]
    assert not hand.node.statistics().isolated
    hand.run(10.0)
    rules = [event.evidence.rule for event in hand.heard(MemberDied) if event.evidence is not None]
    assert rules == [Rule.ISOLATED] * 5 + [Rule.SILENT] * 4  # now that one answers, the silence of the others is theirs


def test_5_a_stalled_process_accuses_nobody() -> None:
    hand = Hand(knows=3)
    hand.answering.clear()
    hand.run(0.55)
    hand.clear()
    hand.now += 5.0
    hand.answering |= {at(2), at(3), at(4)}
    hand.run(10.0)
    assert not hand.of(Verb.PINGREQ)
    assert not hand.heard(MemberSuspected)
    assert hand.node.statistics().pauses == 1
    (paused,) = hand.heard(Paused)
    assert 4.0 < paused.seconds <= 5.0


# ---------------------------------------------------------------------- 6: gossip


def test_6_a_change_is_passed_on_unchanged_and_never_to_its_subject() -> None:
    hand = Hand(knows=4)
    news = record(ALIVE, 9, 77, at(8))
    hand.tell(at(2), news)
    hand.run(5.0)
    told = [s for s in hand.sent if news in s.message.members]
    assert len(told) >= 4
    for sent in hand.sent:
        listed = [r.address for r in sent.message.members if r.status != Status.FORWARD_TO]
        assert ME not in listed
        assert sent.to not in listed
        assert len(listed) == len(set(listed)) <= 63


def test_6_own_verdicts_name_this_node_and_its_heartbeat() -> None:
    hand = Hand(knows=3)
    hand.answering -= {at(2)}
    hand.run(4.0)
    told = {r for s in hand.sent for r in s.message.members if r.address == at(2) and r.status == DEAD}
    ((claim),) = told
    assert claim.source == ME
    assert max(s.code for s in hand.of(Verb.PING)) >= claim.heartbeat > 1


def test_6_lists_are_of_customary_length_but_a_newcomer_is_told_of_everyone() -> None:
    hand = Hand(knows=30)
    (ack, *_) = hand.feed(at(50), ping(1))
    assert len(ack.message.members) >= 29
    assert len(ack.data) <= 1_200
    hand.node.set_state("10.0.0.50:9999", State.DEAD, now=hand.now)
    (ack,) = [s for s in hand.feed(at(50), ping(2)) if s.verb is Verb.ACK]
    assert len(ack.message.members) >= 29  # it may have started anew
    hand.answering.add(at(50))
    hand.run(5.0)
    hand.clear()
    hand.run(10.0)
    assert {len(s.message.members) for s in hand.of(Verb.PING)} == {9}


def test_6_the_dead_are_not_brought_up_when_that_is_no_news() -> None:
    """Defect 19: they would come back at nodes that have removed them."""
    hand = Hand(knows=4)
    hand.answering -= {at(2)}
    hand.node.set_state("10.0.0.2:9999", State.DEAD, now=hand.now)
    hand.run(5.0)
    hand.clear()
    hand.run(10.0)
    assert at(2) not in {r.address for s in hand.sent for r in s.message.members}


# ---------------------------------------------------------------------- 7: broadcasts


def test_7_a_broadcast_goes_out_at_once_to_all_few_in_messages_that_real_nodes_do_not_answer() -> None:
    hand = Hand(knows=3)
    index = hand.node.broadcast(b"hello", now=hand.now)
    sent = hand.drain()
    assert {s.to for s in sent} == {at(2), at(3), at(4)}
    assert {(s.verb, s.code) for s in sent} == {(Verb.ACK, 0)}
    assert {s.message.broadcast for s in sent} == {BroadcastRecord(ME, index, b"hello")}
    assert not hand.heard(BroadcastReceived)


def test_7_numbers_start_anew_after_a_restart() -> None:
    """Defect 23: an index that starts at 1 again is swallowed as a repeat."""
    numbers = [Hand(unix_ms=UNIX_MS + ms).node.broadcast(b"x", now=0.0) for ms in (0, 2_000)]
    assert numbers[0] + 1_000 < numbers[1]


def test_7_it_is_delivered_once_and_relayed_not_back_to_those_who_have_it() -> None:
    hand = Hand(knows=6)
    received = BroadcastRecord(at(7), 5, b"hi")
    for verb in (Verb.PING, Verb.ACK, Verb.NFPING, Verb.PINGREQ):
        for source in (at(2), at(3)):
            hand.feed(source, ping(9, record(ALIVE, 4, 1), verb=verb, broadcast=received))
        hand.run(20.0)
    assert hand.heard(BroadcastReceived) == [BroadcastReceived(Origin("10.0.0.7:9999", 0, at(7)), 5, b"hi")]
    relayed = {s.to for s in hand.sent if s.message.broadcast == received}
    assert relayed == {at(3), at(4), at(5), at(6)}


def test_7_who_comes_once_it_has_spread_is_offered_nothing_nor_who_comes_back_from_the_dead() -> None:
    """Real nodes don't either: a node that restarts on a command must not get it again."""
    hand = Hand(knows=3)
    hand.answering.discard(at(4))
    hand.node.set_state(str(at(4)), State.DEAD, now=hand.now)
    hand.node.broadcast(b"restart now", now=hand.now)
    hand.run(1.0)
    hand.feed(at(7), ping(1))  # in time
    hand.answering.add(at(7))
    hand.run(2.0)
    for number in (4, 8):
        hand.answering.add(at(number))
        hand.feed(at(number), ping(1))
    hand.run(60.0)
    assert {s.to for s in hand.sent if s.message.broadcast} == {at(2), at(3), at(7)}
    hand.clear()
    hand.node.broadcast(b"hello", now=hand.now)
    hand.run(1.0)
    assert {s.to for s in hand.sent if s.message.broadcast} == {at(2), at(3), at(4), at(7), at(8)}


@pytest.mark.parametrize("millis", [10, 20, 50, 100, 500])
def test_7_no_copy_goes_out_when_real_nodes_have_forgotten_it(millis: int) -> None:
    """Defect 22: that is after fifty intervals, and the copy would be delivered again."""
    hand = Hand(knows=5, heartbeat_millis=millis)
    sent = hand.now
    hand.node.broadcast(b"x", now=sent)
    hand.run(60.0)
    copies = [s.at - sent for s in hand.sent if s.message.broadcast]
    assert len(copies) >= 5
    assert max(copies) <= 50 * millis / 1000 / 2


def test_7_a_repeat_is_no_news_for_minutes_and_its_origin_need_not_be_known() -> None:
    """Defect 22: the original forgets a broadcast after about 100 messages."""
    hand = Hand(knows=2)
    for number in range(100, 109):
        hand.feed(at(2), ping(1, broadcast=BroadcastRecord(at(99), 5, b"hi")))
        hand.run(250.0)
        hand.feed(at(2), ping(1, broadcast=BroadcastRecord(at(99), number, b"other")))  # what is old is looked for then
        hand.run(250.0)
    told = [event for event in hand.heard(BroadcastReceived) if event.number == 5]
    assert [event.origin for event in told] == [Origin("10.0.0.99:9999", 0, None)]


def test_7_a_real_node_that_restarted_counts_from_1_again() -> None:
    hand = Hand(knows=2)
    first = BroadcastRecord(at(2), 1, b"first")
    hand.feed(at(2), ping(500, broadcast=first))
    hand.run(30.0)
    hand.feed(at(2), ping(501, broadcast=first))
    assert len(hand.heard(BroadcastReceived)) == 1
    hand.run(30.0)
    hand.feed(at(2), ping(1, broadcast=BroadcastRecord(at(2), 1, b"again")))
    assert [event.payload for event in hand.heard(BroadcastReceived)] == [b"first", b"again"]


def test_7_one_index_with_two_payloads_is_two_broadcasts_however_soon() -> None:
    """Defect 23: a restarted node counts from 1 again, and adopts the cluster's codes before most could notice."""
    hand = Hand(knows=3)
    old, new = BroadcastRecord(at(2), 1, b"old"), BroadcastRecord(at(2), 1, b"new")
    for source, record_ in ((2, old), (3, new), (4, old), (2, new), (3, old)):
        hand.feed(at(source), ping(500, broadcast=record_))
    assert [event.payload for event in hand.heard(BroadcastReceived)] == [b"old", b"new"]


def test_7_after_a_restart_the_same_words_count_again_once_no_copies_can_arrive() -> None:
    hand = Hand(knows=2)
    again = BroadcastRecord(at(2), 1, b"hello")
    for code, delivered in ((500, 1), (1, 1), (501, 1), (502, 1)):
        hand.feed(at(2), ping(code, broadcast=again))
        assert len(hand.heard(BroadcastReceived)) == delivered
        hand.run(90.0)
    hand.run(20.0)
    hand.feed(at(2), ping(2, broadcast=again))
    assert len(hand.heard(BroadcastReceived)) == 2


def test_7_a_members_ping_is_answered_though_its_broadcast_is_too_long() -> None:
    """Defect 5: the original drops it whole, and then suspects the node that it did not answer. A stranger's is
    dropped."""
    hand = Hand(knows=2)
    long = BroadcastRecord(at(3), 1, bytes(257))
    sent = hand.feed(at(2), ping(9, record(ALIVE, 8, 3), broadcast=long))
    assert (Verb.ACK, 9, at(2)) in [(s.verb, s.code, s.to) for s in sent]
    assert hand.state(8) is State.ALIVE
    assert hand.feed(at(7), ping(9, broadcast=long)) == []
    assert hand.state(7) is None
    hand.run(5.0)
    assert not hand.heard(BroadcastReceived)
    assert not [s for s in hand.sent if s.message.broadcast]
    assert hand.node.statistics().dropped == {DropReason.TOO_LARGE_PAYLOAD: 2}


def test_7_what_peers_would_drop_is_never_sent() -> None:
    hand = Hand(knows=2)
    with pytest.raises(PayloadTooLarge, match="257"):
        hand.node.broadcast(bytes(257), now=hand.now)
    for host in ("::1", "64:ff9b::1"):
        node = Hand(address=Address(host, PORT)).node
        with pytest.raises(ConfigError, match="broadcasts"):
            node.broadcast(b"x", now=0.0)
    for origin in (Address("0.1.2.3", 5), Address("10.0.0.9", 0), ME):
        hand.feed(at(2), ping(1, broadcast=BroadcastRecord(origin, 1, b"x")))
    hand.run(10.0)
    assert not [s for s in hand.sent if s.message.broadcast]
    assert not hand.heard(BroadcastReceived)


def test_7_no_datagram_is_larger_than_real_nodes_receive() -> None:
    hand = Hand(knows=60, max_broadcast_bytes=2_000)
    hand.node.broadcast(bytes(2_000), now=hand.now)
    hand.run(5.0)
    assert [s for s in hand.of(Verb.PING) if s.message.broadcast]
    assert max(len(s.data) for s in hand.sent) <= 2_048


def test_7_nor_is_an_ipv6_request_with_a_broadcast() -> None:
    """A record takes 41 bytes there: with the one that names the target, the longest payload does not fit."""
    hand = Hand(address=Address("fd77::1", PORT), max_broadcast_bytes=2_000)
    for number in range(2, 42):
        hand.feed(Address(f"fd77::{number:x}", PORT), ping(1))
    for _ in range(10):
        hand.node.broadcast(bytes(2_000), now=hand.now)
        hand.run(0.2)
    assert hand.of(Verb.PINGREQ)
    assert [s for s in hand.of(Verb.PING) if s.message.broadcast]
    assert max(len(s.data) for s in hand.sent) <= 2_048


def test_7_how_much_is_told_at_a_time_is_bounded() -> None:
    hand = Hand()
    for _ in range(1_024):
        hand.node.broadcast(b"x", now=0.0)
    with pytest.raises(Overloaded, match="told already"):
        hand.node.broadcast(b"x", now=0.0)
    assert hand.node.broadcast(b"x", now=61.0)


# ---------------------------------------------------------------------- 8: believed dead, and back


def test_8_claims_about_this_node_are_outbid_and_answered_and_never_believed() -> None:
    """Defect 13: the original becomes SUSPECTED by hearsay, and never says a word."""
    for status in (SUSPECTED, DEAD):
        hand = Hand(knows=2)
        sent = hand.tell(at(2), record(status, 0, 900, at(3), address=ME))
        assert [(s.to, s.code) for s in sent if s.verb is Verb.PING] == [(at(3), 901)]
        assert hand.node.local.state is State.ALIVE
        assert not hand.events


def test_8_a_dead_node_that_starts_anew_with_low_codes_is_back_at_once() -> None:
    """Defect 18: the original waits for a retry, about as long as the node was dead."""
    hand = Hand(knows=3)
    hand.node.set_state("10.0.0.2:9999", State.DEAD, now=hand.now)
    hand.feed(at(2), ping(1))
    hand.run(0.01)
    assert hand.state(2) is State.ALIVE
    assert len(hand.heard(MemberRecovered)) == 1


def test_8_late_acks_do_not_revive() -> None:
    hand = Hand(knows=3)
    hand.answering.clear()
    old = hand.run(0.1) or hand.run(0.5)
    hand.node.set_state("10.0.0.2:9999", State.DEAD, now=hand.now)
    hand.feed(at(2), Message(Verb.ACK, PORT, old[0].code))
    assert hand.state(2) is State.DEAD


# ---------------------------------------------------------------------- 9: sources


def test_9_sources_unknown_or_none_are_carried_and_never_contacted() -> None:
    hand = Hand(knows=3)
    for number, source in ((8, None), (9, at(77))):
        hand.tell(at(2), record(ALIVE, number, 5, source))
    hand.run(3.0)
    assert at(77) not in {s.to for s in hand.sent}
    assert {r.source for s in hand.sent for r in s.message.members if r.address in (at(8), at(9))} >= {None, at(77)}


def test_9_a_wrapped_ipv4_source_is_not_passed_on() -> None:
    """Defect 7: such an address, passed on, crashes real nodes."""
    hand = Hand(address=Address("fd77::1", PORT))
    peer, other = Address("fd77::2", PORT), Address("fd77::3", PORT)
    hand.feed(peer, ping(1, record(ALIVE, 0, 5, at(9), address=other)))
    hand.feed(Address("fd77::4", PORT), ping(1))
    told = {r.source for s in hand.sent for r in s.message.members if r.address == other}
    assert told == {None}


# ---------------------------------------------------------------------- 10: nothing before the socket, 2,048 bytes


def test_10_nothing_is_sent_before_the_first_input_and_2048_bytes_are_taken() -> None:
    hand = Hand(max_broadcast_bytes=2_000)
    assert hand.drain() == []
    full = BroadcastRecord(at(2), 1, bytes(2_000))
    data = encode(ping(1, record(ALIVE, 3, 1), broadcast=full))
    assert len(data) == 2_040
    assert hand.feed_bytes(data, at(2))
    assert hand.feed_bytes(encode(ping(1, *[record(ALIVE, n, 1) for n in range(3, 66)])) + bytes(978), at(2)) == []
    assert hand.node.statistics().dropped == {DropReason.TOO_LARGE: 1}


# ---------------------------------------------------------------------- rules of the table


@pytest.mark.parametrize("worse", [SUSPECTED, DEAD])
def test_hearsay_is_checked_before_it_is_believed(worse: Status) -> None:
    hand = Hand(knows=3)
    hand.tell(at(3), record(worse, 2, 50, at(3)))
    hand.run(1.0)
    assert hand.state(2) is State.ALIVE
    assert not hand.events
    assert record(ALIVE, 2, 51, ME) in [r for s in hand.sent for r in s.message.members]  # tells the accuser, too
    hand.answering -= {at(2)}
    hand.tell(at(3), record(worse, 2, 90, at(3)))
    hand.run(0.3)  # T grows a little while the history fills
    assert hand.state(2) is (State.SUSPECT if worse is SUSPECTED else State.DEAD)
    evidence = hand.node.explain("10.0.0.2:9999")
    assert evidence is not None
    assert (evidence.rule, evidence.accuser) == (None, str(at(3)))


def test_old_claims_are_ignored_and_on_equal_heartbeats_the_worse_status_wins() -> None:
    hand = Hand(knows=3, heartbeat_millis=60_000)
    hand.answering -= {at(2)}
    hand.node.set_state("10.0.0.2:9999", State.SUSPECT, now=hand.now)
    told = hand.run(0.1)
    (held,) = {r.heartbeat for s in told for r in s.message.members if r.address == at(2)}
    for status, heartbeat in ((ALIVE, held), (ALIVE, held - 1), (DEAD, held - 1)):
        hand.tell(at(3), record(status, 2, heartbeat))
        hand.run(0.3)
        assert hand.state(2) is State.SUSPECT
    hand.tell(at(3), record(DEAD, 2, held))
    hand.run(0.3)
    assert hand.state(2) is State.DEAD
    sent = hand.tell(at(3), record(SUSPECTED, 2, held + 1))
    assert hand.state(2) is State.DEAD
    assert [s.code > held + 1 for s in sent if s.verb is Verb.PING and s.to == at(2)] == [True]  # it was seen since
    hand.tell(at(3), record(ALIVE, 2, held + 1))
    assert hand.state(2) is State.ALIVE


@pytest.mark.parametrize("status", [0, 4, 5, 255])
def test_other_statuses_are_ignored(status: int) -> None:
    hand = Hand(knows=2)
    hand.tell(at(2), record(status, 3, 99), record(status, 9, 99))
    assert (hand.state(3), hand.state(9)) == (State.ALIVE, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "0.1.2.3", "224.0.0.1", "255.255.255.255"])
def test_impossible_addresses_are_ignored(host: str) -> None:
    hand = Hand(knows=1)
    hand.tell(at(2), record(ALIVE, 0, 1, address=Address(host, 5)), record(ALIVE, 0, 1, address=Address("10.0.0.9", 0)))
    assert len(hand.node.members(gone=True)) == 2


def test_a_claim_from_the_far_future_protects_and_kills_nobody() -> None:
    hand = Hand(knows=2)
    hand.tell(at(2), record(DEAD, 3, 2**32 - 1), record(ALIVE, 9, 2**32 - 1))
    hand.feed(at(8), ping(2**32 - 1))
    hand.run(2.0)
    assert (hand.state(3), hand.state(9), hand.state(8)) == (State.ALIVE, None, State.DEAD)


def test_unknown_nodes_are_taken_in_alive_but_not_dead_and_not_without_limit() -> None:
    hand = Hand(knows=1, max_members=5)
    hand.tell(at(2), record(DEAD, 8, 9), *[record(ALIVE, n, 9) for n in range(10, 20)])
    assert len(hand.node.members(gone=True)) == 5
    assert hand.node.statistics().dropped == {DropReason.UNKNOWN_GONE: 1, DropReason.MEMBERS_FULL: 7}
    for number in range(60, 64):  # a node that shows itself takes the place of one that others only mention
        hand.feed(at(number), ping(1))
    assert [hand.state(number) for number in range(60, 64)] == [State.ALIVE] * 3 + [None]
    assert hand.state(2) is State.ALIVE
    assert (Verb.ACK, at(63)) in [(s.verb, s.to) for s in hand.sent]


def test_dead_entries_made_up_by_others_dont_keep_newcomers_out() -> None:
    hand = Hand(knows=2, max_members=40)
    hand.tell(at(2), *[record(ALIVE, n, 9) for n in range(10, 60)])
    hand.run(40.0)  # they never answer
    assert len([member for member in hand.node.members(gone=True) if member.state is State.DEAD]) == 37
    for number in (100, 101):
        hand.answering.add(at(number))
        hand.feed(at(number), ping(1))
    hand.run(30.0)
    assert [hand.state(number) for number in (2, 3, 100, 101)] == [State.ALIVE] * 4
    assert len(hand.heard(MemberForgotten)) == 2
    hand.tell(at(2), *[record(ALIVE, n, 9) for n in range(200, 250)])  # hearsay takes nobody's place
    assert len(hand.heard(MemberForgotten)) == 2


def test_the_longest_dead_makes_room_first() -> None:
    hand = Hand(knows=4, max_members=5)
    for number in (3, 2):
        hand.answering.discard(at(number))
        hand.node.set_state(str(at(number)), State.DEAD, now=hand.now)
    hand.feed(at(60), ping(1))
    assert (hand.state(3), hand.state(2), hand.state(60)) == (None, State.DEAD, State.ALIVE)


def test_a_node_listed_twice_joins_once() -> None:
    """Defect 33."""
    hand = Hand(knows=1)
    hand.tell(at(2), record(ALIVE, 9, 1), record(ALIVE, 9, 1))
    assert len(hand.heard(MemberJoined)) == 1


def test_a_dead_node_is_tried_with_backoff_then_removed_and_stays_so() -> None:
    hand = Hand(knows=2, heartbeat_millis=10)
    hand.answering -= {at(3)}
    hand.run(2.0)
    hand.node.set_state("10.0.0.3:9999", State.DEAD, now=hand.now)
    hand.run(2046 * 0.01 + 2.0)
    (died,) = [i for i, event in enumerate(hand.events) if isinstance(event, MemberDied)]
    tried = [sent.at for sent in hand.of(Verb.PING, at(3))][-9:]
    rounds = [round((b - a) / 0.01) for a, b in pairwise(tried)]
    assert rounds == [4, 8, 16, 32, 64, 128, 256, 512]
    assert isinstance(hand.events[died + 1], MemberForgotten)
    for status in (DEAD, SUSPECTED, ALIVE):
        hand.tell(at(2), record(status, 3, 1))
    assert hand.state(3) is None
    hand.feed(at(3), ping(1))
    assert hand.state(3) is State.ALIVE


def test_refusals_make_a_death_quick_but_one_alone_makes_none() -> None:
    hand = Hand(knows=4)
    hand.answering -= {at(2)}
    hand.refusing.add(at(2))
    start = hand.now
    while not hand.heard(MemberDied):
        hand.run(0.01)
    assert hand.now - start < 2.0 + 0.3
    (died,) = hand.heard(MemberDied)
    assert died.evidence is not None
    assert died.evidence.rule is Rule.GONE


def test_one_refusal_only_makes_it_look() -> None:
    hand = Hand(knows=4)
    hand.answering -= {at(2)}
    while not hand.of(Verb.PING, at(2)):
        hand.run(0.01)
    quoted = hand.of(Verb.PING, at(2))[0].data
    hand.node.feed_evidence(KernelEvidence.REFUSED_UDP, at(2), quoted, now=hand.now)
    assert Verb.PINGREQ in [sent.verb for sent in hand.drain()]
    hand.run(3.0)
    (died,) = hand.heard(MemberDied)
    assert died.evidence is not None
    assert died.evidence.rule is Rule.SILENT


def test_refusals_that_quote_nothing_we_sent_are_forged() -> None:
    hand = Hand(knows=4)
    for quoted in (b"", b"x" * 11, encode(ping(5))):
        hand.node.feed_evidence(KernelEvidence.REFUSED_UDP, at(2), quoted, now=hand.now)
    assert hand.node.statistics().dropped[DropReason.FORGED_EVIDENCE] == 3
    assert hand.node.statistics().watches == 0


def test_a_refusal_between_answers_is_no_death() -> None:
    hand = Hand(knows=4)
    hand.refusing.add(at(2))
    hand.run(20.0)
    assert not hand.events


# ---------------------------------------------------------------------- joining, announcing, leaving, the rest


def test_seeds_are_pinged_until_they_answer_and_are_no_members_before() -> None:
    hand = Hand()
    hand.node.join([at(2), ME, Address("::1", PORT)], now=hand.now)
    hand.run(20.0)
    tried = len(hand.of(Verb.PING, at(2)))
    assert 4 <= tried <= 8
    assert {sent.to for sent in hand.sent} == {at(2)}
    assert len(hand.node.members(gone=True)) == 1
    hand.answering.add(at(2))
    hand.run(40.0)
    assert [event.member.name for event in hand.heard(MemberJoined)] == ["10.0.0.2:9999"]
    assert not hand.heard(MemberDied)


def test_announcements_go_to_the_group_and_introduce_their_sender() -> None:
    hand = Hand(cluster_name="mine")
    group = Multicast(ipv4=("224.0.0.0", 9998), interval=10.0)
    hand.node.discover(group, now=0.0)
    announced = []
    for now in (0.0, 5.0, 10.0, 20.0):
        hand.node.feed_tick(now=now)
        while (datagram := hand.node.poll_datagram()) is not None:
            announced.append((now, datagram.destination, *decode_announcement(datagram.payload)))
    assert announced == [(t, ("224.0.0.0", 9998), "mine", Message(Verb.PING, PORT, 0)) for t in (0.0, 10.0, 20.0)]
    hand.now = 21.0
    for cluster in ("mine", "Mine", ""):
        source = at(5 + len(cluster) * (cluster == "mine"))
        hand.node.feed_announcement(encode_announcement(cluster, ping(2**20)), source, now=21.0)
    sent = hand.drain()
    assert [member.name for member in hand.node.members()] == ["10.0.0.1:9999", "10.0.0.9:9999"]
    assert [(s.verb, s.to, s.code) for s in sent] == [(Verb.PING, at(9), 1)]


def test_leaving_is_silence() -> None:
    hand = Hand(knows=2)
    hand.node.broadcast(b"x", now=hand.now)
    hand.node.leave(now=hand.now)
    assert hand.node.has_left
    assert hand.node.poll_deadline() is None
    assert hand.drain() == []
    assert hand.feed(at(2), ping(3)) == []
    for intent in (
        lambda: hand.node.broadcast(b"x", now=hand.now),
        lambda: hand.node.join([at(3)], now=hand.now),
        lambda: hand.node.ping("10.0.0.2:9999", now=hand.now),
    ):
        with pytest.raises(NotRunning):
            intent()


def test_what_the_protocol_has_not_is_an_error() -> None:
    node = Hand(knows=1).node
    with pytest.raises(NotSupported, match="single members"):
        node.send("10.0.0.2:9999", b"x", now=2.0)
    with pytest.raises(NotSupported, match="metadata"):
        node.update_metadata({}, now=2.0)
    with pytest.raises(NotSupported, match="don't leave, they die"):
        node.force_leave("10.0.0.2:9999", now=2.0)


def test_what_smudge_offers_of_single_nodes_is_here() -> None:
    hand = Hand(knows=2)
    name = "10.0.0.2:9999"
    evidence, before = hand.node.explain(name), hand.node.contact(name, now=hand.now)
    assert evidence is not None
    assert before is not None
    assert evidence.accuser == str(ME)
    assert before.heard is not None
    assert 0 <= before.heard <= before.age < 2.0
    hand.node.ping(name, now=hand.now)
    hand.run(0.01)
    after = hand.node.contact(name, now=hand.now)
    assert after is not None
    assert after.round_trip == pytest.approx(0.001)
    assert after.unanswered == 0
    assert [event.round_trip for event in hand.events if isinstance(event, MemberPinged)] == [after.round_trip]
    hand.node.remove(name, now=hand.now)
    assert hand.node.member(name) is None
    with pytest.raises(UnknownMember):
        hand.node.ping(name, now=hand.now)
    with pytest.raises(ConfigError):
        hand.node.set_state("10.0.0.3:9999", State.LEFT, now=hand.now)


def test_a_ping_that_nobody_answers_is_told_too() -> None:
    hand = Hand(knows=2)
    hand.answering.clear()
    hand.node.ping("10.0.0.2:9999", now=hand.now)
    hand.run(1.0)
    assert [event.round_trip for event in hand.events if isinstance(event, MemberPinged)] == [None]
    contact = hand.node.contact("10.0.0.2:9999", now=hand.now)
    assert contact is not None
    assert contact.unanswered > 1
    assert hand.node.contact("10.0.0.99:9999", now=hand.now) is None
    own = hand.node.contact(str(ME), now=hand.now)
    assert own is not None
    assert own.heard is None
    assert own.age > 1.0


def test_only_allowed_sources_are_heard() -> None:
    hand = Hand(allowed_sources=["10.0.0.0/30"])
    assert hand.feed(at(2), ping(1))
    assert hand.feed(at(9), ping(1)) == []
    assert hand.node.statistics().dropped == {DropReason.STRANGER: 1}
