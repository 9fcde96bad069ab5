"""Whatever bytes arrive, from wherever: nothing raises, each drop is counted by its cause, and nothing else changes."""

from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import asdict

from support.every_message import every_message
from support.hand import UNIX_MS, Hand, Peer, peer
from swim_core import Address, Config, DropReason, KernelEvidence, Rule, State, Statistics
from swim_core.address import pack
from swim_core.native.wire.claim import Claim, Verdict
from swim_core.native.wire.datagram import Flags
from swim_core.native.wire.hashing import Hashes
from swim_core.native.wire.messages import (
    Announce,
    Broadcast,
    ClaimOf,
    Join,
    JoinAck,
    Message,
    NotMe,
    Number,
    PageEntry,
    Ping,
    PingReq,
    SyncPage,
    SyncPush,
    SyncReq,
    UserMessage,
    Vote,
    VoteKind,
    Want,
    WantClaim,
)
from swim_core.native.wire.queries import Ask, Tell, What

TOP32, TOP48, TOP64 = 2**32 - 1, 2**48 - 1, 2**64 - 1
FRIEND = peer(1)


def sizes_aside(statistics: Statistics) -> dict[str, object]:
    """Everything in a node's statistics but the counts of what arrived and was dropped."""
    counted = {"datagrams_received", "bytes_received", "dropped", "cluster_time"}
    return {name: value for name, value in asdict(statistics).items() if name not in counted}


def state_of(hand: Hand) -> tuple[object, ...]:
    node = hand.node
    members = node.members(gone=True)
    return (
        sizes_aside(node.statistics()),
        members,
        node.local,
        node.poll_deadline(),
        [node.explain(member.name) for member in members],
    )


def expect_drop(hand: Hand, reason: DropReason, data: bytes, source: object = FRIEND.address) -> None:
    """Feed a datagram and check that it is dropped for this reason, and that nothing else happens."""
    before, statistics = state_of(hand), hand.node.statistics()
    assert not hand.feed_bytes(data, source)  # type: ignore[arg-type]
    assert not hand.events
    assert state_of(hand) == before
    after = hand.node.statistics()
    dropped = {cause: after.dropped[cause] - statistics.dropped.get(cause, 0) for cause in after.dropped}
    assert {cause: count for cause, count in dropped.items() if count} == {reason: 1}
    assert after.datagrams_received == statistics.datagrams_received + 1
    assert after.bytes_received == statistics.bytes_received + len(data)


def settled(**settings: int) -> Hand:
    hand = Hand(knows=[FRIEND, peer(2)], config=Config.lan(**settings))  # type: ignore[arg-type]
    hand.run(1.0)
    hand.clear()
    return hand


PING = FRIEND.datagram(Ping(1, 2, UNIX_MS))


def test_too_short_for_a_header_is_dropped() -> None:
    hand = settled()
    for size in range(7):
        expect_drop(hand, DropReason.BAD_HEADER, PING[:size])


def test_another_version_is_dropped() -> None:
    hand = settled()
    for version in (0, 2, 3, 128, 255):
        expect_drop(hand, DropReason.BAD_HEADER, bytes([version]) + PING[1:])


def test_another_clusters_label_is_dropped() -> None:
    hand = settled()
    expect_drop(hand, DropReason.OTHER_CLUSTER, peer(1, hashes=Hashes("other", 4)).datagram(Ping(1, 2, UNIX_MS)))
    for bit in range(32):
        label = int.from_bytes(PING[2:6], "big") ^ 1 << bit
        expect_drop(hand, DropReason.OTHER_CLUSTER, PING[:2] + label.to_bytes(4, "big") + PING[6:])


def test_a_node_with_a_label_hears_only_that_cluster() -> None:
    hand = Hand(config=Config.lan(cluster="blue"))
    expect_drop(hand, DropReason.OTHER_CLUSTER, PING)
    blue = peer(1, hashes=Hashes("blue", 4))
    hand.introduce(blue)
    assert hand.state(blue) is State.ALIVE


def test_a_sealed_datagram_is_dropped() -> None:
    expect_drop(settled(), DropReason.SEALED, FRIEND.datagram(Ping(1, 2, UNIX_MS), flags=Flags.SEALED))


def test_over_the_largest_udp_payload_is_dropped() -> None:
    hand = settled(max_received=65_507)
    expect_drop(hand, DropReason.TOO_LARGE, PING + bytes(65_508 - len(PING)))
    expect_drop(hand, DropReason.UNDECODABLE, PING + bytes(65_507 - len(PING)))


@pytest.mark.parametrize(
    "source",
    [
        ("host.example", 1),
        ("", 1),
        ("10.0.0", 1),
        ("10.0.0.1", 0),
        ("10.0.0.1", -1),
        ("10.0.0.1", 65_536),
        ("10.0.0.1", None),
        ("10.0.0.1", "1"),
        ("10.0.0.1", float("nan")),
        ("10.0.0.1",),
        ("10.0.0.1", 1, 0, 0, 0, 0),
        (7, 1),
        (None, 1),
        (b"", 1),
        ([], 1),
        ({}, 1),
        (),
        None,
        5,
        "10.0.0.1:1",
    ],
    ids=repr,
)
def test_a_source_that_cannot_be_answered_is_dropped(source: object) -> None:
    expect_drop(settled(), DropReason.BAD_SOURCE, PING, source)


def test_kernel_evidence_about_no_address_is_dropped() -> None:
    hand = settled()
    before = state_of(hand)
    for kind in KernelEvidence:
        hand.evidence(kind, None, b"x")  # type: ignore[arg-type]
        hand.evidence(kind, ("host", 1), b"x")  # type: ignore[arg-type]
    assert state_of(hand) == before
    assert hand.dropped(DropReason.BAD_SOURCE) == 2 * len(KernelEvidence)


def test_a_source_is_known_in_whatever_form_it_is_given() -> None:
    hand = settled()
    for source in (FRIEND.address, tuple(FRIEND.address), (f"::ffff:{FRIEND.address.host}", FRIEND.address.port)):
        hand.feed_bytes(FRIEND.datagram(UserMessage(b"hi")), source)  # type: ignore[arg-type]
    assert len(hand.events) == 3


def test_flags_unknown_here_are_ignored() -> None:
    hand = settled()
    hand.feed(FRIEND, UserMessage(b"hi"), flags=0xF0)
    assert len(hand.events) == 1


def test_one_bad_part_drops_the_whole_datagram() -> None:
    newcomer = peer(3)
    bad = msgspec.structs.replace(peer(4).claim(), name="a\nb")
    expect_drop(settled(), DropReason.UNDECODABLE, FRIEND.datagram(UserMessage(b"hi"), claims=[newcomer.claim(), bad]))


def test_the_nodes_own_datagram_is_dropped() -> None:
    hand = settled()
    me = hand.as_peer
    for message in (None, Ping(1, me.short_id, UNIX_MS), UserMessage(b"hi")):
        hand.feed(me, message)
        hand.feed(me, message, at=FRIEND.address)
    assert hand.dropped(DropReason.OWN) == 6
    assert not hand.events
    assert not hand.sent


# ------------------------------------------------------------------ by the thousand


def samples(hand: Hand) -> list[bytes]:
    """Valid datagrams of every kind, some with the numbers that are hardest to bear."""
    friend, other, stranger, me = FRIEND, peer(2), peer(9), hand.as_peer
    top = Claim("p2", TOP64, pack(Address("10.0.0.9", 9)), TOP32, State.SUSPECT, b"", Verdict(TOP64, Rule.GONE, TOP48))
    mine = [me.claim(State.SUSPECT), me.claim(State.DEAD, incarnation=TOP32), me.claim(State.LEFT, incarnation=3)]
    messages: list[Message | None] = [
        None,
        *every_message(me, other, stranger),
        Ping(TOP32, TOP64, TOP48, TOP32),
        PingReq(1, me.claim(State.DEAD)),
        PingReq(1, top),
        Vote(other.short_id, 0, 0, VoteKind.SILENT, TOP32),
        Join(1, "p9", 0, 255, 0, 0, bytes(16), stranger.claim()),
        Join(TOP32, hand.me.name, 1000, 4, 5000, 1200, b"", me.claim()),
        JoinAck(1, bytes(16), UNIX_MS, 1000, 4, 5000, None),
        JoinAck(1, None, TOP48, 1, 1, 1, me.claim(State.DEAD)),
        SyncReq(1, [1], 0, bytes(900)),
        SyncReq(1, [0] * 128, TOP64, b""),
        SyncReq(1, [1] * 7, 2**63, b""),
        SyncPage(1, TOP64, b"\xff" * 16, [PageEntry(top, TOP32)]),
        SyncPush([PageEntry(stranger.claim(), 5), PageEntry(top, TOP32)]),
        WantClaim(0, TOP32),
        Want(friend.short_id, [(1, TOP32)]),
        Want(0, [(number, number) for number in range(1, 33)]),
        ClaimOf(TOP32, top),
        NotMe(1),
        Announce(7946, bytes(500)),
        NotMe(TOP32, stranger.claim()),
        UserMessage(bytes(5000)),
        Ask(TOP32, What.LEAVE, TOP64, bytes(64), bytes(900)),
        Tell(TOP32, TOP64, bytes(900)),
    ]
    rides = [
        {},
        {"claims": [other.claim(State.DEAD), stranger.claim()]},
        {"claims": [top, *mine]},
        {"claims": [peer(2, epoch=TOP64).claim(), peer(2, epoch=0).claim(State.LEFT)]},
        {"numbers": [Number(friend.short_id, TOP32), Number(0, 0), Number(me.short_id, 9)]},
        {"broadcasts": [Broadcast("p1", friend.epoch, 1, b"x"), Broadcast("p9", TOP64, TOP32, bytes(400))]},
        {"broadcasts": [Broadcast(hand.me.name, hand.me.epoch, 1, b"x"), Broadcast("p1", 0, TOP32, b"")]},
    ]
    return [
        source.datagram(message, flags=flags, **ride)  # type: ignore[arg-type]
        for source in (friend, stranger)
        for message in messages
        for ride in rides
        for flags in (0, Flags.CORRECTION | Flags.STABLE, Flags.DEAF)
    ]


def mutate(random: Random, data: bytes) -> bytes:
    """The datagram with something wrong in its body."""
    body = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 5))):
        at = random.randrange(6, len(body)) if len(body) > 7 else 6
        match random.randrange(6):
            case 0:
                body[at : at + 1] = bytes([random.randrange(256)])
            case 1:
                del body[at : at + random.randrange(1, 9)]
            case 2:
                body[at:at] = random.randbytes(random.randrange(1, 9))
            case 3:
                del body[at:]
            case 4:
                body[at : at + 1] = random.choice((b"\xc0", b"\xc1", b"\xff", b"\x00", b"\xcf" + b"\xff" * 8, b"\xdd"))
            case 5:
                body += body[at:]
    return bytes(body)


@pytest.mark.parametrize("seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (2, 3))])
def test_ten_thousand_mutated_datagrams_do_no_harm(seed: int) -> None:
    """Each quarter has another seed, which the test's name shows."""
    random = Random(seed)
    hand = Hand(knows=[FRIEND, peer(2), peer(3), peer(4)], seed=seed)
    valid = samples(hand)
    sources = [FRIEND.address, peer(2).address, peer(9).address, hand.me.address, Address("2001:db8::1", 1)]
    for _ in range(2_500):
        data = random.choice(valid)
        if random.random() < 0.8:
            data = mutate(random, data)
        if random.random() < 0.02:
            data = random.randbytes(random.randrange(60))
        received = hand.node.statistics().datagrams_received
        hand.feed_bytes(data, random.choice(sources))
        assert hand.node.statistics().datagrams_received == received + 1
        if random.random() < 0.2:
            hand.run(random.choice((0.0, 0.01, 0.3, 1.0)))
        assert hand.me.state is State.ALIVE
        assert hand.me in hand.node.members()
    hand.run(5.0)


@pytest.mark.parametrize("flags", [0, Flags.CORRECTION, Flags.DEAF])
def test_every_kind_of_datagram_can_be_borne_by_a_node_that_is_alone_superseded_or_has_left(flags: int) -> None:
    alone, superseded, left = Hand(), Hand(knows=[FRIEND]), Hand(knows=[FRIEND])
    rival = Peer("me", Address("10.9.9.9", 9), superseded.me.epoch + 65_536)
    superseded.feed(FRIEND, claims=[rival.claim()])
    assert superseded.node.statistics().superseded
    left.node.leave(now=left.now)
    for hand in (alone, superseded, left):
        for data in samples(hand):
            for source in (FRIEND.address, peer(9).address):
                hand.feed_bytes(data[:1] + bytes([data[1] | flags]) + data[2:], source)
            hand.run(0.01)
        hand.run(5.0)


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=120), st.booleans())
def test_random_bytes_are_dropped_and_change_nothing(body: bytes, with_header: bool) -> None:
    hand = Hand()
    before, deadline = state_of(hand), hand.node.poll_deadline()
    data = (PING[:6] if with_header else b"") + body
    hand.feed_bytes(data, FRIEND.address)
    assert sum(hand.node.statistics().dropped.values()) >= 1
    assert state_of(hand) == before
    assert hand.node.poll_deadline() == deadline


def test_forged_times_and_epochs_up_to_the_top_are_borne(monkeypatch: pytest.MonkeyPatch) -> None:
    """No liar can move a clock that far, but a node would cope."""
    monkeypatch.setattr("swim_core.native.cluster_clock.AHEAD", TOP48)
    liar = peer(1)
    hand = Hand(knows=[liar])
    hand.feed(liar, Ping(1, 0, TOP48))
    hand.run(20.0)
    assert hand.cluster_time == TOP48
    for distance in (0, 1, 65_535, 65_536, 70_000, 200_000):
        mine = Peer("me", hand.me.address, TOP64 - distance)
        for state in (State.ALIVE, State.SUSPECT, State.DEAD, State.LEFT):
            hand.feed(liar, claims=[mine.claim(state, incarnation=TOP32)])
            hand.node.update_metadata({"d": f"{distance} {state}"}, now=hand.now)
            hand.run(1.0)
    hand.node.leave(now=hand.now)
    hand.run(1.0)
    assert hand.me.state is State.LEFT
