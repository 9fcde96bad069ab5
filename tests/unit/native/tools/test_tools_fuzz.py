"""Both sides of ASK and TELL, fed arbitrary input."""

from random import Random
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from support.datagrams import opened
from support.hand import Hand, peers
from support.inside import nonce_of, parts_of
from support.tool_client import HERE, LOCAL, REMOTE, TELLER, ask_bytes, client, converse, page
from swim_core import Config
from swim_core.native.tools.client import ToolClient
from swim_core.native.wire.answers import MembersPage
from swim_core.native.wire.queries import Ask, Tell, What

few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
u32, u64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)
things = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**64 - 1) | st.binary(max_size=30) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=6),
    max_leaves=12,
)
asks = st.builds(
    Ask, u32, st.sampled_from(What), u64 | st.just(0), st.binary(max_size=80) | st.just(b"p2"), st.just(b"")
)


def busy() -> Hand:
    hand = Hand(knows=peers(60), config=Config.lan(answer_tools="anyone"))
    for number in range(40):
        parts_of(hand.node).evidence_log.note("p2", f"thing {number}", hand.now, detail="ä" * 200)
    return hand


HAND = busy()


@few
@given(st.lists(st.tuples(asks, st.integers(20, 3_000), st.booleans()), max_size=12))
def test_whatever_is_asked_is_answered_within_its_size_or_not_at_all(
    questions: list[tuple[Ask, int, bool]],
) -> None:
    for ask, size, local in questions:
        data = ask_bytes(HAND, ask, size=size)
        source = LOCAL if local else REMOTE
        replies = [sent for sent in HAND.feed_bytes(data, source) if sent.to == source]
        assert len(replies) <= 1
        assert all(isinstance(sent.message, Tell) and sent.size <= len(data) for sent in replies)
        if size >= 1_200 and local:
            assert replies
        HAND.clear()


@few
@given(st.binary(max_size=60), st.integers(0, 1_199))
def test_bytes_that_were_a_question_never_raise(noise: bytes, at: int) -> None:
    data = ask_bytes(HAND, Ask(1, What.EVERYONE, 0))
    HAND.feed_bytes(data[:at] + noise + data[at + len(noise) :], LOCAL)
    HAND.feed_bytes(data[:at], LOCAL)
    HAND.clear()


@few
@given(st.lists(st.tuples(st.none() | u64, things), max_size=8))
def test_whatever_is_answered_the_asker_stands_it(answers: list[tuple[int | None, Any]]) -> None:
    who = ToolClient(What.MEMBERS, destination=HERE, now=0.0, random=Random(1))
    for next_, body in answers:
        who.feed_datagram(page(nonce_of(who), next_, body), now=0.0)
        who.feed_datagram(
            page(nonce_of(who), next_, MembersPage(TELLER, body) if isinstance(body, list) else body), now=0.0
        )
    while not who.done:
        deadline = who.poll_deadline()
        assert deadline is not None
        who.feed_tick(now=deadline)
        while who.poll_datagram() is not None:
            pass
    assert who.failure is not None or who.complete


@few
@given(st.binary(max_size=200), st.integers(0, 1_300), st.sampled_from(What))
def test_bytes_that_were_an_answer_never_raise(noise: bytes, at: int, what: What) -> None:
    who = ToolClient(what, b"p2", destination=HERE, now=0.0, random=Random(5))
    datagram = who.poll_datagram()
    assert datagram is not None
    told = HAND.feed_bytes(datagram.payload, LOCAL)
    HAND.clear()
    data = next(answer.payload for answer in told if answer.to == LOCAL)  # a broadcast also goes to members
    who.feed_datagram(data[:at] + noise + data[at + len(noise) :], now=0.0)
    who.feed_datagram(data[:at], now=0.0)
    if not who.done:
        who.feed_datagram(data, now=0.0)
    assert who.pages


@few
@given(st.integers(0, 2**32), st.floats(0.0, 0.6), st.floats(0.0, 0.4))
def test_losses_and_duplicates_make_an_answer_late_or_missing_never_wrong(seed: int, loss: float, twice: float) -> None:
    random = Random(seed)

    def deliver(data: bytes) -> list[bytes]:
        return [] if random.random() < loss else [data] * (1 + (random.random() < twice))

    who = client(HAND, What.MEMBERS, seed=seed)
    converse(HAND, who, deliver=deliver)
    HAND.clear()
    names = [row.claim.name for told in who.pages if isinstance(told, MembersPage) for row in told.rows]
    assert len(names) == len(set(names))
    assert who.failure is not None or sorted(names) == sorted(m.name for m in HAND.node.members())


def test_a_cursor_anywhere_gives_what_lies_beyond_it() -> None:
    phases = sorted(entry.phase for entry in parts_of(HAND.node).table.topology.order)
    for cursor in (0, 1, phases[0], phases[0] + 1, phases[-1], phases[-1] + 1, 2**64 - 1):
        (sent,) = HAND.feed_bytes(ask_bytes(HAND, Ask(1, What.MEMBERS, cursor)), LOCAL)
        message = opened(sent.payload).message
        assert isinstance(message, Tell)
        body = msgspec.msgpack.decode(message.body, type=MembersPage)
        assert bool(body.rows) is (cursor <= phases[-1])
