"""Parts of the Smudge node by themselves: timeouts, customary numbers, memory, and any bytes from anywhere."""

from statistics import fmean, pstdev

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from support.smudge_hand import PORT, Hand, at, ping
from swim_core import Address
from swim_core.smudge import BroadcastRecord, MemberRecord, Message, SmudgeConfig, Verb, encode
from swim_core.smudge.broadcasts import Memory
from swim_core.smudge.peers import customary, usable
from swim_core.smudge.roundtrips import RoundTrips


@pytest.mark.parametrize(
    ("nodes", "k"), [(1, 0), (2, 2), (3, 3), (4, 3), (5, 4), (7, 5), (10, 6), (20, 7), (30, 9), (100, 12), (1000, 17)]
)
def test_the_customary_number(nodes: int, k: int) -> None:
    assert customary(nodes) == k


def test_the_timeout_starts_at_200_ms_peaks_at_254_and_ends_at_150() -> None:
    trips = RoundTrips(SmudgeConfig())
    seen = [trips.timeout]
    for _ in range(50):
        trips.add(0.001)
        seen.append(trips.timeout)
    assert (seen[0], max(seen), seen[-1]) == (0.2, 0.254, 0.15)


@given(st.lists(st.integers(0, 5_000), max_size=120))
def test_the_timeout_is_the_mean_and_three_deviations(millis: list[int]) -> None:
    trips = RoundTrips(SmudgeConfig())
    for value in millis:
        trips.add(value / 1000 + 1e-6)
    history = ([200] * 50 + [max(150, value) for value in millis])[-50:]
    assert trips.timeout * 1000 == pytest.approx(fmean(history) + 3 * pstdev(history), abs=1.001)
    assert 0.15 <= trips.patience <= trips.timeout


def test_memory_is_bounded_by_time_and_size() -> None:
    memory = Memory()

    def fresh(origin: Address, index: int, now: float) -> bool:
        return memory.fresh(BroadcastRecord(origin, index, b""), now)

    origin = at(2)
    assert fresh(origin, 1, 0.0)
    assert not fresh(origin, 1, 500.0)
    assert not fresh(origin, 1, 1_000.0)  # as long as copies come
    for index in range(2, 5_000):
        assert fresh(origin, index, 1_000.0)
    assert fresh(origin, 1, 1_000.0)
    assert not fresh(origin, 4_999, 1_000.0)
    assert fresh(origin, 6_000, 1_700.0)
    assert fresh(origin, 4_999, 1_700.0)
    for number in range(2_000):
        fresh(Address("10.1.0.1", number + 1), 1, 1_700.0)
    assert fresh(origin, 6_000, 1_700.0)


@pytest.mark.parametrize(
    ("host", "ipv6", "fine"),
    [
        ("10.0.0.1", False, True),
        ("127.0.0.1", False, True),
        ("10.0.0.1", True, False),
        ("::1", True, True),
        ("::1", False, False),
        ("::", True, False),
        ("ff02::1", True, False),
        ("0.0.0.0", False, False),
        ("239.1.1.1", False, False),
        ("255.255.255.255", False, False),
    ],
)
def test_where_a_node_could_listen(host: str, ipv6: bool, fine: bool) -> None:
    assert usable(Address(host, 1), ipv6) is fine
    assert not usable(Address(host, 0), ipv6)


hosts = st.sampled_from(["10.0.0.2", "10.0.0.3", "10.0.0.1", "0.0.0.0", "224.0.0.1", "10.9.9.9"])
addresses = st.builds(Address, hosts, st.sampled_from([PORT, 0, 1]))
u32 = st.integers(0, 2**32 - 1) | st.integers(0, 60)
records = st.builds(MemberRecord, st.integers(0, 6), addresses, u32, st.none() | addresses)
messages = st.builds(Message, st.sampled_from(Verb), st.sampled_from([PORT, 0, 1]), u32, st.lists(records).map(tuple))


@given(st.lists(st.tuples(addresses, messages.map(encode) | st.binary(max_size=60), st.floats(0, 1.0)), max_size=15))
@settings(max_examples=150, deadline=None)
def test_whatever_arrives_it_goes_on_and_answers_pings(steps: list[tuple[Address, bytes, float]]) -> None:
    hand = Hand(knows=2)
    for source, data, wait in steps:
        hand.feed_bytes(data, source)
        hand.node.feed_announcement(data, source, now=hand.now)
        hand.run(wait)
    assert (Verb.ACK, at(3), 7) in [(sent.verb, sent.to, sent.code) for sent in hand.feed(at(3), ping(7))]
    pings = [sent.code for sent in hand.of(Verb.PING)]
    assert pings == sorted(pings)
    assert str(hand.address) in [member.name for member in hand.node.members()]


def test_it_is_deterministic() -> None:
    def sent() -> list[bytes]:
        hand = Hand(knows=5)
        hand.answering -= {at(2)}
        hand.run(20.0)
        return [s.data for s in hand.sent]

    assert sent() == sent()


def test_time_that_goes_backwards_or_jumps_is_borne() -> None:
    hand = Hand(knows=2)
    for now in (hand.now - 5.0, float("nan"), float("inf"), float("-inf"), hand.now + 1e12):
        hand.node.feed_tick(now=now)
        hand.node.feed_datagram(encode(ping(1)), at(2), now=now)
    assert not hand.events
    assert hand.node.poll_deadline() is not None
