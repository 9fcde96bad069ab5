"""Datagrams of a newer release: known parts are used, claims are passed on unchanged, the rest is ignored."""

from contextlib import suppress
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from support.accuser import Accuser
from support.datagrams import opened, pack_datagram
from support.drawn import MESSAGES
from support.hand import HASHES, Hand, peer, peers
from support.measures import calls
from swim_core import DropReason, MemberJoined, Rule, State
from swim_core.member import known
from swim_core.native.wire.claim import Claim
from swim_core.native.wire.datagram import encode_item
from swim_core.native.wire.growth import MAX_BYTES, MAX_FIELDS
from swim_core.native.wire.messages import (
    Ack,
    Broadcast,
    ClaimOf,
    JoinAck,
    KernelVerdict,
    Message,
    Number,
    PageEntry,
    Ping,
    PingReq,
    Poll,
    SyncPage,
    SyncPush,
    Vote,
    VoteKind,
)

A, B, NEW = peer(1), peer(2), peer(7)
NEW_ACK = Ack(3, 4)  # not a message that may follow another one
more = st.lists(
    st.none() | st.integers(0, 2**63) | st.binary(max_size=9) | st.lists(st.integers(0, 9), max_size=3),
    min_size=1,
    max_size=4,
)
encode = msgspec.msgpack.encode
parts = msgspec.msgpack.Decoder(list[Raw]).decode


def grown(item: Any, *new: object) -> Raw:
    """An encoded array with more fields behind its last one."""
    return Raw(encode([*parts(encode_item(item)), *new]))


def body(data: bytes) -> list[Raw]:
    return parts(data[6:])


def datagram(*items: object) -> bytes:
    """A body of any parts, behind this cluster's header."""
    return pack_datagram(Hand().hashes.label, 0, 1)[:6] + encode(list(items))


@pytest.mark.parametrize("kind", get_args(Message), ids=lambda kind: kind.__name__)
def test_a_message_with_more_fields_is_what_is_known_of_it(kind: type) -> None:
    @settings(deadline=None, max_examples=15)
    @given(MESSAGES[kind], more)
    def check(message: Any, new: list[object]) -> None:
        assert opened(datagram(1, grown(message, *new))).message == message

    check()


@settings(deadline=None, max_examples=50)
@given(more, more)
def test_lists_and_their_items_may_grow_and_so_may_the_datagram(new: list[object], lists: list[object]) -> None:
    number, broadcast, poll = Number(5, 6), Broadcast("x", 1, 2, b"hello"), Poll(1, 2, 3)
    further = [grown(poll, *new), [99, "unknown"], encode_item(NEW_ACK)]
    known = [grown(number, *new)], [grown(broadcast, *new)], further
    envelope = opened(datagram(9, grown(Ack(1, 2), *new), [], *known, *lists))
    assert envelope.further == [poll]
    assert (envelope.sender, envelope.message) == (9, Ack(1, 2))
    assert (envelope.numbers, envelope.broadcasts) == ([number], [broadcast])


@pytest.mark.parametrize("tag", [99, 100, 2**31])
def test_an_unknown_message_is_left_and_what_rides_along_is_taken(tag: int) -> None:
    envelope = opened(datagram(9, [tag, "anything", {"at": "all"}], [], [encode_item(Number(5, 6))], []))
    assert envelope.message is None
    assert envelope.numbers == [Number(5, 6)]


@settings(deadline=None, max_examples=100)
@given(more)
def test_a_claim_is_handed_on_as_it_came_wherever_it_stands(new: list[object]) -> None:
    plain, raw = NEW.claim(), grown(NEW.claim(), *new)
    envelope = opened(datagram(1, None, [raw], [], []))
    assert encode_item(envelope.claims[0]) == raw
    for message in (ClaimOf(1, plain), JoinAck(1, None, 5, 1, 1, 1, None, plain), PingReq(1, plain)):
        items = parts(encode_item(message))
        place = items.index(encode_item(plain))
        again: Any = opened(datagram(1, [*items[:place], raw, *items[place + 1 :]])).message
        assert raw in parts(encode_item(again))
    for page in (SyncPage(1, None, b"", [PageEntry(plain, 3)]), SyncPush([PageEntry(plain, 3)])):
        items = parts(encode_item(page))
        read: Any = opened(datagram(1, [*items[:-1], [[raw, 3, *new]]])).message
        assert encode_item(read.entries[0].claim) == raw


def test_a_member_of_a_newer_release_is_told_of_as_it_is() -> None:
    hand = Hand(knows=peers(6))
    raw = grown(NEW.claim(), "new", 7)
    hand.exist(NEW.claim())
    label = hand.hashes.label
    hand.feed_bytes(pack_datagram(label, 0, A.short_id, None, [raw]), A.address)
    assert [event.member.name for event in hand.happened(MemberJoined)][-1:] == [NEW.name]
    hand.run(1.0)
    told = [sent for sent in hand.sent if any(claim.name == NEW.name for claim in sent.envelope.claims)]
    assert told
    assert all(encode_item(claim) == raw for sent in told for claim in sent.envelope.claims if claim.name == NEW.name)
    assert hand.node.statistics().datagrams_newer == 1


@pytest.mark.parametrize("new", [range(MAX_FIELDS + 1), [b"x" * MAX_BYTES]], ids=["fields", "bytes"])
def test_a_claim_with_more_than_can_be_handed_on_is_refused(new: Any) -> None:
    with pytest.raises(ValueError, match="undecodable"):
        opened(datagram(1, None, [grown(NEW.claim(), *new)], [], []))


def test_bounds_stand_for_what_is_known() -> None:
    for wrong in (
        Raw(encode([1, -1, 2, 3, None, "new"])),
        Raw(encode([1, 2**40, 2, 3, None, "new"])),
        Raw(encode("x")),
    ):
        with pytest.raises(ValueError, match="undecodable"):
            opened(datagram(1, wrong))
    with pytest.raises(ValueError, match="undecodable"):
        opened(datagram(1))


@pytest.mark.parametrize("kind", [Rule, VoteKind, KernelVerdict])
def test_unknown_values_are_kept_as_numbers(kind: Any) -> None:
    unknown = kind(77)
    assert unknown is kind(77)
    assert unknown == 77
    assert not known(unknown)
    assert len(list(kind)) == len(kind.__members__)
    assert encode(unknown) == encode(77)
    with pytest.raises(ValueError, match="256"):
        kind(256)


def test_a_verdict_by_an_unknown_rule_is_believed_and_handed_on() -> None:
    hand = Hand(knows=peers(6))
    dead = B.claim(State.DEAD, time=hand.cluster_time)
    raw = Raw(encode([*parts(encode_item(dead))[:6], [A.short_id, 77, hand.cluster_time]]))
    hand.feed_bytes(pack_datagram(hand.hashes.label, 0, A.short_id, None, [raw]), A.address)
    evidence = hand.node.explain(B.name)
    assert evidence is not None
    assert evidence.rule == 77
    hand.run(0.5)
    assert any(encode_item(claim) == raw for sent in hand.sent for claim in sent.envelope.claims)


def test_a_vote_of_an_unknown_kind_is_neither_life_nor_silence() -> None:
    hand = Accuser(5)
    hand.accuse()
    vote = Vote(hand.subject.short_id, 0, 0, VoteKind(9), 5_000)
    hand.feed(hand.helpers[0], vote)
    assert hand.dropped(DropReason.UNKNOWN_KIND) == 1


@settings(deadline=None, max_examples=200)
@given(
    st.recursive(
        st.none() | st.integers(0, 2**64 - 1) | st.binary(max_size=8) | st.text(max_size=8), st.lists, max_leaves=30
    )
)
def test_no_array_raises(anything: Any) -> None:
    data = pack_datagram(Hand().hashes.label, 0, 1)[:6] + encode(anything)
    with suppress(ValueError):  # which says that a node drops it
        opened(data)


def test_pings_with_a_field_more_are_acked() -> None:
    hand = Hand(knows=[A])
    ping = grown(Ping(5, HASHES.short_id(hand.me.name, hand.me.epoch), hand.cluster_time), None, "new")
    hand.clear()
    hand.feed_bytes(pack_datagram(hand.hashes.label, 0, A.short_id, ping), A.address)
    assert [sent.message.seq for sent in hand.sent if isinstance(sent.message, Ack)] == [5]
    assert isinstance(A.claim(), Claim)


def test_what_is_of_no_release_costs_little_to_tell_from_what_is_of_a_newer_one() -> None:
    """Anybody can send these. Looking up how messages are built, each time, cost as much as nine good pings."""
    hand = Hand(knows=[A, B])
    broken = datagram(A.short_id, [1, 5, "no short id", 7], [grown(B.claim())], [], [])
    hand.feed_bytes(broken, A.address)
    assert hand.dropped(DropReason.UNDECODABLE) == 1
    assert calls(lambda: hand.node.feed_datagram(broken, A.address, now=hand.now)) < 100
