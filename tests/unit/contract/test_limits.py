"""What others can make a node hold, send and compute is bounded, also by every limit of `Config`."""

from functools import partial

import pytest
from msgspec.structs import replace

from support.every_message import every_message
from support.hand import UNIX_MS, Hand, Peer, Sent, peer, peers
from support.measures import calls, sizes
from swim_core import (
    Address,
    BroadcastReceived,
    Config,
    DropReason,
    MemberForgotten,
    Overloaded,
    PayloadTooLarge,
    State,
)
from swim_core.native.wire.datagram import Flags
from swim_core.native.wire.messages import (
    Ack,
    Broadcast,
    Join,
    JoinAck,
    Message,
    NotMe,
    Number,
    PageEntry,
    Ping,
    PingReq,
    Poll,
    SyncPage,
    SyncPush,
    SyncReq,
    UserMessage,
    Vote,
    VoteKind,
    Want,
    WantClaim,
)
from swim_core.shared.timers import Timers

A, B, C, D = peers(4)
LONG_AGO = UNIX_MS - 60_000  # a verdict of then is old news
TOP32, TOP64 = 2**32 - 1, 2**64 - 1


def crowd(count: int, **limits: int) -> tuple[Hand, list[Peer]]:
    """A node that knows this many others, none of which answers unless told to."""
    others = peers(count)
    hand = Hand(knows=others, config=Config.lan(max_new_members_per_second=1_000_000).replace(**limits))  # type: ignore[arg-type]
    return hand, others


# ------------------------------------------------------------------ the limits of Config


def test_max_members() -> None:
    hand, others = crowd(3, max_members=4)
    hand.feed(others[0], claims=[peer(10).claim()])
    assert hand.dropped(DropReason.MEMBERS_FULL) == 1
    assert len(hand.live()) == 4
    hand.feed(others[0], claims=[others[1].claim(State.LEFT)])
    hand.feed(others[0], claims=[peer(10).claim()])
    assert hand.state(peer(10)) is State.ALIVE


def test_max_tombstones() -> None:
    hand, others = crowd(40, max_tombstones=16)
    hand.answering = others
    for other in others[1:31]:
        hand.feed(others[0], claims=[other.claim(State.LEFT)])
    hand.run(1.5)
    gone = [member.name for member in hand.node.members(gone=True) if not member.state.live]
    assert sorted(gone) == sorted(other.name for other in others[15:31])
    assert {event.member.name for event in hand.happened(MemberForgotten)} == {o.name for o in others[1:15]}


def test_max_new_members_per_second() -> None:
    hand = Hand(knows=[A], config=Config.lan(max_new_members_per_second=5))
    hand.run(1.0)
    hand.push(A, peers(10, first=10))
    assert hand.dropped(DropReason.GROWTH_LIMIT) == 5
    hand.run(1.01)
    hand.push(A, peers(10, first=20))
    assert hand.dropped(DropReason.GROWTH_LIMIT) == 10
    assert len(hand.live()) == 12


def test_max_pending() -> None:
    hand = Hand(knows=[A, B], config=Config.lan(max_pending=16))
    with pytest.raises(Overloaded, match="max_pending"):  # noqa: PT012
        for _ in range(200):
            hand.node.broadcast(bytes(256), now=hand.now)
    assert hand.node.statistics().pending == 16
    hand.feed(A, broadcasts=[Broadcast("p1", A.epoch, 1, b"x")])
    assert hand.dropped(DropReason.PENDING_FULL) == 1
    assert [event.payload for event in hand.happened(BroadcastReceived)] == [b"x"]
    hand.run(1.0)
    assert hand.node.statistics().pending == 0


def test_max_corrections_per_second() -> None:
    hand = Hand(config=Config.lan(max_corrections_per_second=7))
    for number in range(1, 31):
        hand.feed(peer(number), UserMessage(bytes(200)))
    assert len(hand.messages(WantClaim)) == 7
    assert hand.dropped(DropReason.RATE_LIMITED) == 23


def test_max_held_back_per_second() -> None:
    hand, others = crowd(30, max_held_back_per_second=5)
    hand.answering = others
    for other in others[1:21]:
        hand.feed(others[0], claims=[other.claim(State.DEAD, time=LONG_AGO)])
    hand.run(0.9)  # none is believed yet
    assert len({claim.name for claim in hand.deaths_told()}) == 5


@pytest.mark.parametrize(("limits", "kept"), [({"max_retained_broadcasts": 9}, 9), ({"max_retained_bytes": 1_024}, 8)])
def test_max_retained_broadcasts_and_max_retained_bytes(limits: dict[str, int], kept: int) -> None:
    hand = Hand(knows=[A], config=Config.lan().replace(**limits))  # type: ignore[arg-type]
    for _ in range(30):
        hand.node.broadcast(bytes(100), now=hand.now)
        hand.run(0.03)
    assert hand.node.statistics().retained_broadcasts == kept


def test_max_waiting_broadcasts() -> None:
    hand = Hand(knows=[A], config=Config.lan(max_waiting_broadcasts=5))
    stranger = peer(50)
    hand.feed(A, broadcasts=[Broadcast(stranger.name, stranger.epoch, number, b"") for number in range(1, 10)])
    assert hand.dropped(DropReason.UNKNOWN_ORIGIN) == 4
    hand.feed(A, claims=[stranger.claim()])
    assert len(hand.happened(BroadcastReceived)) == 5


@pytest.mark.parametrize(("config", "most"), [(Config.lan(), 9_216), (Config.lan(max_datagram=20_000), 20_000)])
def test_max_received(config: Config, most: int) -> None:
    hand = Hand(config=config)
    ping = A.datagram(Ping(1, 2, UNIX_MS))
    hand.feed_bytes(ping + bytes(most - len(ping)), ("10.0.0.9", 7946))
    assert not hand.dropped(DropReason.TOO_LARGE)
    hand.feed_bytes(ping + bytes(most + 1 - len(ping)), ("10.0.0.9", 7946))
    assert hand.dropped(DropReason.TOO_LARGE) == 1


def test_max_broadcast() -> None:
    hand = Hand(knows=[A], config=Config.lan(max_broadcast=10))
    for size in (10, 11):
        hand.feed(A, UserMessage(bytes(size)), broadcasts=[Broadcast("p1", A.epoch, size, bytes(size))])
    assert hand.dropped(DropReason.TOO_LARGE_PAYLOAD) == 2
    assert len(hand.events) == 2
    for say in (lambda: hand.node.broadcast(bytes(11), now=hand.now), lambda: hand.node.send("p1", bytes(11), now=0.0)):
        with pytest.raises(PayloadTooLarge, match="max_broadcast"):
            say()


def test_max_metadata() -> None:
    config = Config.lan(max_metadata=20)
    with pytest.raises(PayloadTooLarge, match="max_metadata"):
        Hand(config=config, metadata={"role": "x" * 20})
    hand = Hand(config=config, metadata={"role": "cache"})
    with pytest.raises(PayloadTooLarge, match="max_metadata"):
        hand.node.update_metadata({"role": "x" * 20}, now=hand.now)
    assert hand.me.metadata == {"role": "cache"}


@pytest.mark.parametrize("limit", [800, 1_200, 5_000])
def test_max_datagram(limit: int) -> None:
    hand, others = crowd(200, max_datagram=limit)
    hand.answering = others
    for other in others[1:]:
        hand.feed(others[0], claims=[replace(other.claim(), incarnation=1)])
    hand.run(1.0)
    hand.feed(others[0], SyncReq(1, [0], 0))
    hand.feed(others[0], SyncReq(1, [0] * 128, 0))
    assert limit - 100 < max(sent.size for sent in hand.sent) <= limit


def test_max_helpers() -> None:
    hand, others = crowd(20, max_helpers=5)
    silent = others[0]
    hand.answering = [other for other in others if other is not silent]
    hand.run(80.0)
    asked = [sent.to for sent in hand.sent if isinstance(sent.message, PingReq)]
    assert len(set(asked)) == 5


def test_every_limit_has_a_test() -> None:
    limits = [name for name in Config.__struct_fields__ if name.startswith("max_")]
    tests = " ".join(name for name in globals() if name.startswith("test_"))
    assert [limit for limit in limits if limit not in tests] == []


# ------------------------------------------------------------------ what a node holds


def ghost(number: int) -> Peer:
    return Peer(f"g{number}", A.address, A.epoch)


def say_old_deaths(hand: Hand, i: int) -> None:
    hand.feed(A, claims=[B.claim(State.DEAD, incarnation=10 * i + j, time=LONG_AGO) for j in range(10)])


def flap(hand: Hand, i: int) -> None:
    hand.feed(A, claims=[B.claim(State.DEAD, incarnation=i, time=hand.cluster_time), B.claim(incarnation=i + 1)])


def restart_and_broadcast(hand: Hand, i: int) -> None:
    run = Peer(B.name, B.address, B.epoch + i)
    hand.feed(A, claims=[run.claim()], broadcasts=[Broadcast(B.name, run.epoch, 1, b"")])


def accuse_the_node(hand: Hand, i: int) -> None:
    hand.feed(A, claims=[hand.own_claim(state) for state in (State.SUSPECT, State.DEAD)])


def page_for_ever(hand: Hand, i: int) -> None:
    """A sync that ends normally, so that the node is no newcomer, then one that never ends."""
    hand.answering = [B, C, D]

    def answer(sent: Sent) -> None:
        if sent.to != A.address:
            return
        if isinstance(sent.message, Ping):
            hand.after(0.001, partial(hand.feed, A, Ack(sent.message.seq, 5)))
        elif isinstance(sent.message, SyncReq):
            cursor = sent.message.cursor + 1 if i > 60 else None
            entries = [PageEntry(ghost(9 * i + j).claim(State.DEAD), 0) for j in range(9)]
            hand.after(0.02, partial(hand.feed, A, SyncPage(sent.message.id, cursor, b"\1", entries)))

    hand.reaction = answer


def ask_for_help(hand: Hand, i: int) -> None:
    hand.answering = [A]
    hand.feed(A, PingReq(i, (B, C, D)[i % 3].claim()))
    hand.feed(A, Poll((B, C, D)[i % 3].short_id, 0, i + 1))


def keep_a_watch_open(hand: Hand, i: int) -> None:
    """Helpers that answer each poll, and never with a silence of their own."""
    hand.answering = helpers = [A, B, C]

    def answer(sent: Sent) -> None:
        for helper in helpers:
            if sent.to == helper.address and isinstance(sent.message, PingReq | Poll):
                nonce = sent.message.nonce if isinstance(sent.message, Poll) else 0
                vote = Vote(D.short_id, 0, nonce, VoteKind.SILENT, 0)
                hand.after(0.001, partial(hand.feed, helper, vote))

    hand.reaction = answer


def come_from_everywhere(hand: Hand, i: int) -> None:
    for j in range(30):
        source = Address(f"198.51.{i % 250}.{j + 1}", 1 + i // 250)
        hand.feed_bytes(peer(1000 + 30 * i + j).datagram(Ping(i, 0, UNIX_MS + 10**9 + i)), source)
        hand.feed_bytes(peer(1000 + 30 * i + j).datagram(UserMessage(bytes(99))), source)


def broadcast_for_nobody(hand: Hand, i: int) -> None:
    run = ghost(i % 7)
    hand.feed(A, broadcasts=[Broadcast(run.name, run.epoch, i + j + 1, bytes(50)) for j in range(9)])


def broadcast(hand: Hand, i: int) -> None:
    hand.node.broadcast(b"%d" % i, now=hand.now)


def tell_numbers(hand: Hand, i: int) -> None:
    hand.feed(A, numbers=[Number(other.short_id, (i + 1) * 5_000 % TOP32) for other in (A, B, C, D)])


def ask_to_be_let_in(hand: Hand, i: int) -> None:
    newcomer = Peer(f"n{i}", Address("198.51.100.1", 1 + i % 60_000))
    hand.feed(newcomer, Join(i, newcomer.name, 1, 1, 1, 1, padding=bytes(300)))
    hand.feed(newcomer, Join(i, newcomer.name, 1, 1, 1, 1, bytes(16), newcomer.claim(), bytes(300)))


ATTACKS = (
    say_old_deaths,
    flap,
    restart_and_broadcast,
    accuse_the_node,
    page_for_ever,
    ask_for_help,
    keep_a_watch_open,
    come_from_everywhere,
    broadcast_for_nobody,
    broadcast,
    tell_numbers,
    ask_to_be_let_in,
)
SLOW = (keep_a_watch_open, ask_for_help, page_for_ever)  # what grows only as time passes
GROWS_TO = {  # places that fill up to a bound of their own, in items
    "Broadcasts._retained": 1_024,
    "Corrections._last": 4_096,
    "Corrections._asked": 4_096,
    "Pings._sent": 1_024,
    "Reminders._noted": 16_384,
    "RoundTrips": 512,
}


@pytest.mark.parametrize("attack", ATTACKS)
def test_what_goes_on_for_long_fills_nothing(attack: object) -> None:
    """After three times as long nothing holds much more than before, except up to the bounds in `GROWS_TO`."""
    assert callable(attack)
    hand = Hand(knows=[A, B, C, D])
    hand.run(0.6)
    held = []
    for rounds in (range(300), range(300, 900)):
        for i in rounds:
            attack(hand, i)
            hand.run(0.1 if attack in SLOW else 0.02)
            hand.events.clear()
            hand.clear_sent()
        held.append(sizes(hand.node))
    before, after = held
    grown = {place: (before[place], after[place]) for place in after if after[place] > 1.5 * before[place] + 100}
    assert {place for place in grown if after[place] > GROWS_TO.get(place, 0)} == set(), grown


def test_who_broadcasts_to_nobody_keeps_no_more_than_what_it_retains() -> None:
    hand = Hand()
    for i in range(5_000):
        broadcast(hand, i)
        hand.run(0.01)
    assert {place: size for place, size in sizes(hand.node).items() if size > 200} == {"Broadcasts._retained": 1_024}


def test_no_more_addresses_are_remembered_than_4096() -> None:
    hand = Hand(config=Config.lan(max_corrections_per_second=100_000))
    for number in range(1, 5_001):
        source = Address(f"198.51.100.{number % 250}", number)
        hand.feed_bytes(peer(number).datagram(UserMessage(bytes(99))), source)
    held = sizes(hand.node)
    assert len(hand.messages(WantClaim)) == 5_000
    assert held["Corrections._last"] == held["Corrections._asked"] == 4_096


def test_no_more_pings_are_remembered_than_1024() -> None:
    hand, others = crowd(64)
    hand.answering = others[:1]
    for _ in range(120):  # the pings of all watches together are some 50 a second at first, then 20
        for other in others[1:]:
            hand.feed(others[0], PingReq(1, other.claim()))
        hand.run(1.0)
    assert len(hand.messages(Ping)) > 2_000
    assert sizes(hand.node)["Pings._sent"] == 1_024


def test_cancelled_timers_do_not_pile_up() -> None:
    timers = Timers()
    ran: list[float] = []
    for number in range(10_000):
        timers.at(1e9, lambda now: None).cancel()
        if number % 100 == 0:
            timers.at(float(number), ran.append)
    assert sizes(timers)["Timers._heap"] < 400
    timers.run(1e9)
    assert len(ran) == 100
    assert timers.deadline() is None


def test_what_is_kept_for_repair_is_counted_once() -> None:
    """A broadcast of an origin that never shows up is accepted again once its arrival is forgotten."""
    hand = Hand(knows=[A], config=Config.lan(max_retained_bytes=1_024))
    stray = Broadcast("nobody", 1, 1, bytes(250))
    for _ in range(20):
        hand.feed(A, broadcasts=[stray])
        hand.run(5.1)
    for _ in range(3):
        hand.node.broadcast(bytes(200), now=hand.now)
        hand.run(0.1)
    assert hand.node.statistics().retained_broadcasts >= 3


# ------------------------------------------------------------------ what a node sends


def known_to_strangers(hand: Hand) -> list[Message | None]:
    """Every kind of message, in several sizes, as a stranger that knows the members' short ids could say it."""
    long = "n" * 64
    shapes: list[Message | None] = []
    for size in (0, 40, 100, 300, 1_000):
        fill = bytes(size)
        shapes += [
            Join(1, "new", 1_000, 4, 5_000, 1_200, padding=fill),
            Join(1, A.name, 1, 1, 1, 1, padding=fill),
            Join(1, hand.me.name, 1, 1, 1, 1, padding=fill),
            Join(1, long, 1, 1, 1, 1, bytes(16), replace(peer(9).claim(), name=long), fill),
            SyncReq(1, [5], 0, fill),
            SyncReq(1, [5] * 128, 2**63, fill),
            Want(hand.short_id, [(1, TOP32)], fill),
            Want(hand.short_id, [(n, n) for n in range(1, 64, 2)], fill),
            UserMessage(fill),
        ]
    shapes += [
        None,
        Ping(1, A.short_id, UNIX_MS),
        Ping(1, 5, 0),
        NotMe(1, A.claim()),
        PingReq(1, hand.own_claim()),
        JoinAck(1, bytes(16), UNIX_MS, 1, 1, 1),
        WantClaim(hand.short_id, 1),
    ]
    return [*shapes, *every_message(hand.as_peer, A, peer(60)), *every_message(hand.as_peer, B, peer(70))]


def well_stocked() -> Hand:
    """A node with long claims, broadcasts to repair, members in every state, and news to tell."""
    hand = Hand(knows=[A, B, C, D, *peers(40, 10)], metadata={"a": "b" * 400})
    for _ in range(40):
        hand.node.broadcast(bytes(256), now=hand.now)
        hand.run(0.03)
    hand.run(1.0)
    now = hand.cluster_time
    hand.feed(A, claims=[B.claim(State.DEAD, time=now), C.claim(State.LEFT), D.claim(State.SUSPECT, time=now)])
    hand.feed(A, PingReq(1, D.claim()))
    hand.run(0.7)
    hand.node.update_metadata({"a": "c" * 400}, now=hand.now)
    hand.feed(A, claims=[replace(other.claim(), incarnation=1) for other in peers(20, 10)])
    hand.clear()
    return hand


def rides(hand: Hand) -> list[dict[str, object]]:
    outdated, accused = hand.own_claim(epoch=5), hand.own_claim(State.DEAD)
    return [
        {},
        {"claims": [outdated, accused, A.claim(State.DEAD), peer(60).claim()]},
        {
            "numbers": [Number(A.short_id, 9)],
            "broadcasts": [Broadcast("p1", A.epoch, 1, b""), Broadcast("x", 1, 1, b"")],
        },
    ]


@pytest.mark.parametrize("who", ["unknown", "elsewhere", "dead", "left"])
@pytest.mark.parametrize("flags", [0, Flags.CORRECTION, Flags.DEAF | Flags.STABLE])
def test_no_stranger_is_sent_more_than_it_sent(who: str, flags: int) -> None:
    """Whatever it says, and whatever it pretends to be: an unknown, a live member at another address, a gone one."""
    sender = {"unknown": peer(80), "elsewhere": A, "dead": B, "left": C}[who]
    at = Address("203.0.113.7", 7) if who == "elsewhere" else sender.address
    hand = well_stocked()
    answered = 0
    for message in known_to_strangers(hand):
        for ride in rides(hand):
            hand.sleep(0.6)  # so that what is limited in time is allowed again
            hand.node.feed_tick(now=hand.now)
            hand.collect()
            hand.clear_sent()
            data = sender.datagram(message, flags=flags, **ride)  # type: ignore[arg-type]
            hand.feed_bytes(data, at)
            back = sum(sent.size for sent in hand.sent if sent.to == at)
            answered += back > 0
            assert back <= len(data), (message, ride, [sent.envelope for sent in hand.sent if sent.to == at])
    assert answered > 10


def test_a_stranger_with_a_cookie_brings_in_no_address_but_its_own() -> None:
    hand = Hand(knows=[A])
    stranger = Peer("x", Address("198.51.100.1", 9))
    reply = hand.feed(stranger, Join(1, "x", 1_000, 4, 5_000, 1_200, padding=bytes(300)))[0].message
    assert isinstance(reply, JoinAck)
    victim = Peer("x", Address("203.0.113.9", 53))
    hand.feed(stranger, Join(2, "x", 1_000, 4, 5_000, 1_200, reply.cookie, victim.claim(), bytes(300)))
    assert hand.dropped(DropReason.ELSEWHERE) == 1
    assert hand.state(victim) is None


@pytest.mark.parametrize("at", [Address("198.51.100.1", 1), A.address])
def test_a_strangers_news_are_not_news(at: Address) -> None:
    """Not even from a member's address, or with a member's short id, since both must fit."""
    hand = Hand(knows=[A, B])
    hand.feed(A, broadcasts=[Broadcast("p1", A.epoch, 1, b"")])
    hand.clear()
    before = hand.node.members(gone=True)
    for sender in (peer(50), B):
        claims = [peer(51).claim(), B.claim(State.DEAD, time=hand.cluster_time), hand.own_claim(State.DEAD)]
        hand.feed(sender, Ping(1, 5, hand.cluster_time + 5_000), at=at, claims=claims)
        hand.feed(sender, at=at, numbers=[Number(A.short_id, 9)], broadcasts=[Broadcast("p1", A.epoch, 2, b"")])
        hand.feed(sender, SyncPush([PageEntry(claim, 9) for claim in claims]), at=at)
    assert hand.node.members(gone=True) == before
    assert not hand.events
    assert hand.cluster_time < UNIX_MS + 2_000
    hand.run(1.0)
    assert not hand.messages(Want)


def test_one_want_is_answered_with_eight_datagrams_at_most() -> None:
    hand = Hand(knows=[A, B])
    for _ in range(300):
        hand.node.broadcast(bytes(250), now=hand.now)
        hand.run(0.03)
    hand.clear()
    hand.feed(A, Want(hand.short_id, [(1, TOP32)]))
    assert 4 <= len(hand.sent) <= 8
    hand.feed(A, Want(hand.short_id, [(1, 300)] * 32))
    assert hand.dropped(DropReason.UNDECODABLE) == 1


# ------------------------------------------------------------------ what a node works

MOST_CALLS = 12_000  # functions called, not time: the same on every machine, and some 2 ms on most


def big_crowd() -> tuple[Hand, list[Peer]]:
    hand, others = crowd(2_000)
    hand.answering = []
    return hand, others


WORK = (
    "ping",
    "sync_req",
    "sync_req_member",
    "want",
    "own_deaths",
    "numbers",
    "gaps",
    "claims",
    "vote",
    "poll",
    "push",
)


def worst(kind: str, hand: Hand, others: list[Peer]) -> tuple[bytes, Address]:
    """A datagram of at most 1,200 bytes, made to cost as much as it can."""
    first, stranger = others[0], peer(50_000)
    now = hand.cluster_time
    match kind:
        case "ping":
            return stranger.datagram(Ping(1, hand.short_id, now + 5)), stranger.address
        case "sync_req":
            return stranger.datagram(SyncReq(1, [5], 0)), stranger.address
        case "sync_req_member":
            return first.datagram(SyncReq(1, [5] * 128, 0)), first.address
        case "want":
            ranges = [(n * 2_000 + 1, n * 2_000 + 1_999) for n in range(32)]
            return stranger.datagram(Want(hand.short_id, ranges)), stranger.address
        case "own_deaths":
            claims = [hand.own_claim(State.DEAD, incarnation=n) for n in range(18)]
            return first.datagram(claims=claims), first.address
        case "numbers":
            return first.datagram(numbers=[Number(other.short_id, 5_000) for other in others[:75]]), first.address
        case "gaps":
            gaps = [Broadcast(other.name, other.epoch, TOP32, b"") for other in others[:40]]
            return first.datagram(broadcasts=gaps), first.address
        case "claims":
            claims = [other.claim(State.DEAD, time=now) for other in others[1:18]]
            return first.datagram(claims=claims), first.address
        case "vote":
            return first.datagram(Vote(others[1].short_id, 0, 0, VoteKind.SILENT, TOP32)), first.address
        case "poll":
            return first.datagram(Poll(others[1].short_id, 0, 5)), first.address
        case _:
            return first.datagram(SyncPush([PageEntry(o.claim(), TOP32) for o in others[:20]])), first.address


def ticks(hand: Hand, seconds: float) -> int:
    """The calls of the costliest tick in this much time."""
    end, most = hand.now + seconds, 0
    while (deadline := hand.node.poll_deadline()) is not None and deadline <= end:
        hand.now = max(hand.now, deadline)
        most = max(most, calls(lambda: hand.node.feed_tick(now=hand.now)))
        hand.collect()
    return most


@pytest.fixture(scope="module")
def natural() -> int:
    """The calls of the costliest tick in 3 s of a node that nobody attacks or answers."""
    return ticks(big_crowd()[0], 3.0)


@pytest.mark.parametrize("kind", WORK)
def test_no_datagram_makes_much_work_now_or_later(kind: str, natural: int) -> None:
    hand, others = big_crowd()
    data, source = worst(kind, hand, others)
    assert len(data) <= 1_200
    hand.feed(others[0], SyncReq(1, [0] * 128, 0))  # what is summed up once after a change
    assert calls(lambda: hand.node.feed_datagram(data, source, now=hand.now)) <= MOST_CALLS
    hand.collect()
    assert ticks(hand, 3.0) <= natural + MOST_CALLS
