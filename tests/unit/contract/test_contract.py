"""The sans-I/O contract: the same calls give the same bytes, any time will do, a call that raises changes nothing."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from math import inf, nan
from pathlib import Path

import msgspec
import pytest

import swim_core
from support.hand import EPOCH, UNIX_MS, Hand, Peer, Sent, peer, peers
from support.paths import ROOT, TESTS
from swim_core import (
    Address,
    Config,
    ConfigError,
    KernelEvidence,
    Member,
    MessageReceived,
    Node,
    NotRunning,
    Overloaded,
    Paused,
    PayloadTooLarge,
    State,
    SwimError,
    UnknownMember,
)
from swim_core.native.wire.messages import Broadcast, Join, Ping, PingReq, UserMessage
from swim_core.simulation import Simulation

FRIENDS = peers(3)


def fingerprint(hand: Hand) -> tuple[object, ...]:
    """Everything that a node shows, including outputs that wait."""
    node = hand.node
    members = node.members(gone=True)
    return (
        node.statistics(),
        node.members(),
        members,
        [node.explain(member.name) for member in members],
        node.local,
        node.has_left,
        node.poll_deadline(),
        hand.collect(),
        list(hand.events),
    )


# ------------------------------------------------------------------ determinism


def life(seed: int = 1, start: float = 0.0) -> str:
    """A hash of everything that a node puts out in an eventful life."""
    hand = Hand(knows=FRIENDS, seed=seed, now=start, metadata={"b": "2", "a": "1"})
    trace = hashlib.sha256()
    hand.node.join([("10.9.9.9", 1), ("10.9.9.8", 1), ("10.9.9.7", 1), ("10.9.9.6", 1)], now=hand.now)
    for step in range(40):
        hand.feed(FRIENDS[step % 3], UserMessage(b"%d" % step), broadcasts=[Broadcast("p1", EPOCH, step + 1, b"x")])
        if step == 10:
            hand.answering = FRIENDS[:2]
        if step % 7 == 0:
            hand.node.broadcast(b"b%d" % step, now=hand.now)
            hand.feed(FRIENDS[0], claims=[peer(50 + step).claim()])
        hand.run(0.4)
    hand.node.leave(now=hand.now)
    hand.run(1.0)
    for sent in hand.sent:
        trace.update(repr((sent.at - start, sent.to, sent.payload)).encode())
    trace.update(repr([type(event) for event in hand.events]).encode())
    trace.update(repr(hand.events if start == 0.0 else None).encode())
    return trace.hexdigest()


def test_the_same_arguments_and_calls_give_the_same_outputs() -> None:
    assert life() == life()


def test_other_entropy_gives_other_outputs() -> None:
    assert life(seed=1) != life(seed=2)


def test_pythons_hash_seed_changes_nothing() -> None:
    """Iterating a set would betray itself here."""
    code = "from test_contract import life, simulated; print(life(), simulated())"
    path = os.pathsep.join(str(folder) for folder in (Path(__file__).parent, TESTS, ROOT))
    digests = set()
    for hash_seed in ("0", "1", "4711"):
        run = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        )
        digests.add(run.stdout)
    assert len(digests) == 1


def simulated() -> str:
    with Simulation("hash seeds") as simulation:
        simulation.form(5)
        simulation.crash("node-2")
        simulation.run_for(8.0)
        return simulation.digest


def test_a_simulated_cluster_replays() -> None:
    assert simulated() == simulated()


# ------------------------------------------------------------------ time


@pytest.mark.parametrize("start", [-1e6, -1.0, -0.25, 0.25, 1.0, 65_536.0])
def test_any_start_of_the_clock_will_do(start: float) -> None:
    """0.0 is a time, and so are negative numbers: nothing depends on where the clock begins."""

    def moves(start: float) -> list[Sent]:
        hand = Hand(knows=FRIENDS, now=start)
        hand.answering = FRIENDS[:2]
        hand.run(20.0)
        return hand.sent

    for one, other in zip(moves(start), moves(0.0), strict=True):
        assert (one.to, type(one.message)) == (other.to, type(other.message))
        assert one.at - start == pytest.approx(other.at, abs=3e-3)


def test_time_that_goes_backwards_counts_as_the_latest() -> None:
    hand, other = Hand(knows=FRIENDS), Hand(knows=FRIENDS)
    for each, back in ((hand, 0.0), (other, 1e9)):
        each.run(3.0)
        each.node.feed_tick(now=each.now)
        each.collect()
        each.clear()
        each.node.feed_datagram(
            FRIENDS[0].datagram(Ping(1, each.short_id, UNIX_MS)), FRIENDS[0].address, now=each.now - back
        )
        each.node.feed_tick(now=each.now - back)
        each.node.broadcast(b"x", now=each.now - back)
        each.node.send("p1", b"x", now=each.now - back)
        each.node.update_metadata({"k": "v"}, now=each.now - back)
        each.node.join([("10.9.9.9", 1)], now=each.now - back)
        each.collect()
    assert fingerprint(hand) == fingerprint(other)
    assert [sent.payload for sent in hand.sent] == [sent.payload for sent in other.sent]


@pytest.mark.parametrize("wrong", [nan, inf, -inf])
def test_time_that_is_no_number_counts_as_the_latest(wrong: float) -> None:
    hand = Hand(knows=FRIENDS)
    hand.run(3.0)
    hand.node.feed_tick(now=hand.now)
    hand.clear()
    before = fingerprint(hand)
    for _ in range(3):
        hand.node.feed_tick(now=wrong)
    assert fingerprint(hand) == before
    hand.node.feed_datagram(FRIENDS[0].datagram(UserMessage(b"hi")), FRIENDS[0].address, now=wrong)
    hand.node.broadcast(b"x", now=wrong)
    hand.collect()
    assert len(hand.happened(MessageReceived)) == 1
    hand.run(5.0)
    assert hand.node.statistics().pauses == 0


@pytest.mark.parametrize("jump", [1e3, 1e6, 1e8])
def test_a_jump_forward_is_a_pause_of_this_node_and_nobodys_death(jump: float) -> None:
    hand = Hand(knows=FRIENDS)
    hand.run(2.0)
    hand.clear()
    hand.sleep(jump)
    hand.node.feed_tick(now=hand.now)
    hand.collect()
    hand.run(10.0)
    assert hand.node.statistics().pauses == 1
    assert hand.node.statistics().paused_seconds == pytest.approx(jump, abs=1.5)
    assert [type(event) for event in hand.events if not isinstance(event, MessageReceived)] == [Paused]
    assert len(hand.node.members()) == 4


@pytest.mark.parametrize("jump", [1e15, 1e18, 1e100, 1e308])
def test_no_jump_is_too_far(jump: float) -> None:
    hand = Hand(knows=FRIENDS)
    hand.node.feed_tick(now=jump)
    hand.feed(FRIENDS[0], Ping(1, hand.short_id, UNIX_MS))
    hand.node.broadcast(b"x", now=jump)
    for _ in range(20):
        hand.node.feed_tick(now=jump)
    hand.collect()
    assert hand.live()


def test_early_and_repeated_ticks_are_harmless() -> None:
    """A node that is ticked all the time does the same as one that is ticked only at its deadlines."""
    calm, busy = Hand(knows=FRIENDS), Hand(knows=FRIENDS)
    for hand in (calm, busy):
        hand.answering = FRIENDS[:2]
    calm.run(20.0)
    end = busy.now + 20.0
    while busy.now < end:
        busy.run(min(0.037, end - busy.now))
        for _ in range(2):
            busy.node.feed_tick(now=busy.now)
            busy.collect()
    assert [(type(s.message), s.to, round(s.at, 6)) for s in busy.sent] == [
        (type(s.message), s.to, round(s.at, 6)) for s in calm.sent
    ]
    assert [type(event) for event in busy.events] == [type(event) for event in calm.events]


def test_ticks_that_are_somewhat_late_are_harmless() -> None:
    hand = Hand(knows=FRIENDS)
    hand.run(1.0)
    hand.clear()
    for _ in range(100):
        deadline = hand.node.poll_deadline()
        assert deadline is not None
        hand.run(max(0.0, deadline - hand.now - 1e-6))
        hand.sleep(0.2)
        hand.node.feed_tick(now=hand.now)
        hand.collect()
    assert hand.node.statistics().pauses == 0
    assert not hand.events


def test_the_deadline_always_moves_on() -> None:
    """A deadline that stays in the past after ticks would make an adapter spin."""
    hand = Hand(knows=FRIENDS)
    hand.answering = FRIENDS[:1]
    for _ in range(2_000):
        deadline = hand.node.poll_deadline()
        assert deadline is not None
        hand.now = max(hand.now, deadline)
        for _ in range(5):
            hand.node.feed_tick(now=hand.now)
            hand.collect()
        after = hand.node.poll_deadline()
        assert after is None or after > hand.now
    assert hand.now > 60.0


# ------------------------------------------------------------------ commands


def left(hand: Hand) -> None:
    hand.node.leave(now=hand.now)
    hand.collect()
    hand.run(0.5)
    hand.clear()


GHOST = Member("p1", FRIENDS[0].address, EPOCH + 1)
MISTAKES: dict[str, tuple[Callable[[Node, float], object], type[SwimError], type[Exception]]] = {
    "a broadcast too large": (lambda n, t: n.broadcast(bytes(257), now=t), PayloadTooLarge, ValueError),
    "a message too large": (lambda n, t: n.send("p1", bytes(257), now=t), PayloadTooLarge, ValueError),
    "a message to nobody": (lambda n, t: n.send("nobody", b"x", now=t), UnknownMember, LookupError),
    "a message to what is no member": (lambda n, t: n.send(5, b"x", now=t), UnknownMember, LookupError),  # type: ignore[arg-type]
    "a message to another run": (lambda n, t: n.send(GHOST, b"x", now=t), UnknownMember, LookupError),
    "metadata too large": (lambda n, t: n.update_metadata({"k": "v" * 512}, now=t), PayloadTooLarge, ValueError),
    "a seed that is a name": (lambda n, t: n.join([("10.0.0.9", 1), ("seed", 1)], now=t), ConfigError, ValueError),
    "a seed without a port": (lambda n, t: n.join([("10.0.0.9", 0)], now=t), ConfigError, ValueError),
    "a seed far out of range": (lambda n, t: n.join([("10.0.0.9", 70_000)], now=t), ConfigError, ValueError),
    "a seed that is no pair": (lambda n, t: n.join([("10.0.0.9",)], now=t), ConfigError, ValueError),  # type: ignore[list-item]
    "a seed with a port in words": (lambda n, t: n.join([("10.0.0.9", "one")], now=t), ConfigError, ValueError),  # type: ignore[list-item]
}
AFTER_LEAVING: dict[str, Callable[[Node, float], object]] = {
    "broadcast": lambda n, t: n.broadcast(b"x", now=t),
    "send": lambda n, t: n.send("p1", b"x", now=t),
    "update_metadata": lambda n, t: n.update_metadata({"k": "v"}, now=t),
    "join": lambda n, t: n.join([("10.0.0.9", 1)], now=t),
}


@pytest.mark.parametrize("late", [0.0, 50.0])
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_command_that_raises_changes_nothing(mistake: str, late: float) -> None:
    call, error, builtin = MISTAKES[mistake]
    hand = Hand(knows=FRIENDS)
    hand.run(3.0)
    before = fingerprint(hand)
    with pytest.raises(error) as caught:
        call(hand.node, hand.now + late)
    assert isinstance(caught.value, SwimError)
    assert isinstance(caught.value, builtin)
    assert str(caught.value)
    assert fingerprint(hand) == before


@pytest.mark.parametrize("late", [0.0, 50.0])
@pytest.mark.parametrize("command", AFTER_LEAVING)
def test_commands_after_leaving_raise_not_running_and_change_nothing(command: str, late: float) -> None:
    hand = Hand(knows=FRIENDS)
    left(hand)
    before = fingerprint(hand)
    with pytest.raises(NotRunning) as caught:
        AFTER_LEAVING[command](hand.node, hand.now + late)
    assert isinstance(caught.value, RuntimeError)
    assert fingerprint(hand) == before


def test_leaving_twice_does_nothing_more() -> None:
    hand = Hand(knows=FRIENDS)
    left(hand)
    before = fingerprint(hand)
    hand.node.leave(now=hand.now)
    assert fingerprint(hand) == before


def test_a_broadcast_is_refused_while_too_much_waits() -> None:
    hand = Hand(knows=FRIENDS, config=Config.lan(max_pending=16, max_broadcast=1000))
    accepted = 0
    while hand.node.statistics().pending < 16:
        accepted = hand.node.broadcast(bytes(1000), now=hand.now)
    hand.collect()
    before = fingerprint(hand)
    with pytest.raises(Overloaded, match="max_pending"):
        hand.node.broadcast(bytes(1000), now=hand.now)
    assert fingerprint(hand) == before
    hand.run(2.0)
    assert hand.node.broadcast(b"x", now=hand.now) == accepted + 1


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": ""},
        {"name": "x" * 65},
        {"name": "new\nline"},
        {"name": "\ud800"},
        {"address": ("host", 1)},
        {"address": ("10.0.0.1", 0)},
        {"address": ("10.0.0.1", 65_536)},
        {"entropy": bytes(15)},
        {"unix_ms": -1},
        {"unix_ms": 2**48},
        {"now": nan},
        {"now": inf},
    ],
    ids=str,
)
def test_a_node_cannot_be_made_of_nonsense(arguments: dict[str, object]) -> None:
    good: dict[str, object] = {"name": "x", "address": ("10.0.0.1", 1), "entropy": bytes(32), "unix_ms": 1, "now": 0.0}
    Node(config=Config.lan(), **good)  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        Node(config=Config.lan(), **{**good, **arguments})  # type: ignore[arg-type]


def test_a_node_with_too_much_metadata_cannot_be_made() -> None:
    with pytest.raises(PayloadTooLarge):
        Hand(metadata={"k": "v" * 512})
    assert Hand(metadata={"k": "v" * 500}).me.metadata["k"] == "v" * 500


# ------------------------------------------------------------------ views


def test_what_is_handed_out_cannot_be_changed() -> None:
    hand = Hand(knows=FRIENDS, metadata={"k": "v"})
    hand.feed(FRIENDS[0], UserMessage(b"hi"))
    member, statistics, event = hand.me, hand.node.statistics(), hand.events[0]
    for thing, attribute in ((member, "name"), (statistics, "watches"), (event, "payload")):
        with pytest.raises(AttributeError):
            setattr(thing, attribute, None)
    for mapping in (member.metadata, statistics.dropped, statistics.members, statistics.messages_sent):
        with pytest.raises(TypeError):
            mapping["k"] = "w"  # type: ignore[index]
    assert isinstance(hand.node.members(), tuple)
    evidence = hand.node.explain("p1")
    assert evidence is not None
    assert isinstance(evidence.observations, tuple)


def test_what_was_handed_out_stays_true_of_its_moment() -> None:
    given = {"k": "v"}
    hand = Hand(knows=FRIENDS, metadata=given)
    given["k"] = "changed behind its back"
    me, members, statistics = hand.me, hand.node.members(), hand.node.statistics()
    old = repr((me, members, statistics))
    hand.node.update_metadata({"k": "w"}, now=hand.now)
    hand.feed(FRIENDS[0], claims=[FRIENDS[1].claim(State.SUSPECT), FRIENDS[2].claim(State.LEFT)])
    hand.run(5.0)
    assert repr((me, members, statistics)) == old
    assert me.metadata == {"k": "v"}
    assert hand.me.metadata == {"k": "w"}


def test_members_are_ordered_by_name_and_include_the_node() -> None:
    hand = Hand("m", knows=[peer(1, "z"), peer(2, "a"), peer(3, "é"), peer(4, "B")])
    assert [member.name for member in hand.node.members()] == ["B", "a", "m", "z", "é"]
    hand.feed(peer(1, "z"), claims=[peer(2, "a").claim(State.LEFT), peer(4, "B").claim(State.SUSPECT)])
    assert [member.name for member in hand.node.members()] == ["B", "m", "z", "é"]
    assert [member.name for member in hand.node.members(gone=True)] == ["B", "a", "m", "z", "é"]
    assert hand.node.member("m") == hand.node.local
    gone = hand.node.member("a")
    assert gone is not None
    assert gone.state is State.LEFT
    assert gone.metadata == {}
    assert hand.node.member("nobody") is None
    assert hand.node.explain("nobody") is None


def test_looking_changes_nothing() -> None:
    hand, other = Hand(knows=FRIENDS), Hand(knows=FRIENDS)
    for _ in range(20):
        fingerprint(hand)
    hand.run(10.0)
    other.run(10.0)
    assert [sent.payload for sent in hand.sent] == [sent.payload for sent in other.sent]


def test_an_address_equals_and_hashes_like_the_plain_pair() -> None:
    address = Address("10.0.0.1", 7946)
    assert address == ("10.0.0.1", 7946)
    assert hash(address) == hash(("10.0.0.1", 7946))
    assert {("10.0.0.1", 7946): 1}[address] == 1
    assert str(address) == "10.0.0.1:7946"
    assert str(Address("::1", 1)) == "[::1]:1"


def test_every_address_that_comes_out_is_canonical() -> None:
    node = Node("x", ("::ffff:10.0.0.1", 1), config=Config.lan(), now=0.0, entropy=bytes(32), unix_ms=UNIX_MS)
    assert node.local.address == ("10.0.0.1", 1)
    assert isinstance(node.local.address, Address)
    node.join([("2001:DB8:0::1", 2), ("::ffff:10.0.0.9", 2)], now=0.0)
    destinations = set()
    while (datagram := node.poll_datagram()) is not None:
        assert isinstance(datagram.destination, Address)
        destinations.add(datagram.destination)
    assert destinations == {("2001:db8::1", 2), ("10.0.0.9", 2)}


def test_send_takes_a_name_for_whichever_run_lives_and_a_member_for_that_run_only() -> None:
    hand = Hand(knows=FRIENDS)
    first = hand.held(FRIENDS[0])
    hand.node.send(first, b"one", now=hand.now)
    second = peer(1, epoch=EPOCH + 65_536)
    hand.feed(FRIENDS[1], claims=[second.claim()])
    hand.node.send("p1", b"two", now=hand.now)
    with pytest.raises(UnknownMember):
        hand.node.send(first, b"three", now=hand.now)
    hand.collect()
    assert [message.payload for message in hand.messages(UserMessage)] == [b"one", b"two"]


def test_a_message_to_oneself_arrives() -> None:
    hand = Hand()
    hand.node.send("me", b"note", now=hand.now)
    assert not hand.collect()
    (event,) = hand.happened(MessageReceived)
    assert event.payload == b"note"
    assert (event.origin.name, event.origin.epoch, event.origin.address) == ("me", hand.me.epoch, hand.me.address)


def test_metadata_changes_made_in_one_go_cost_one_claim() -> None:
    hand = Hand(knows=FRIENDS)
    hand.node.update_metadata({"a": "1", "b": "2"}, now=hand.now)
    assert hand.me.incarnation == 1
    hand.node.update_metadata({"b": "2", "a": "1"}, now=hand.now)
    assert hand.me.incarnation == 1
    hand.collect()
    assert {claim.incarnation for claim in hand.told("me")} == {1}


def test_a_consumer_that_drains_late_loses_nothing() -> None:
    hand, other = Hand(knows=FRIENDS), Hand(knows=FRIENDS)
    for each, drain in ((hand, True), (other, False)):
        for number in range(5):
            each.node.feed_datagram(FRIENDS[0].datagram(UserMessage(b"%d" % number)), FRIENDS[0].address, now=each.now)
            each.node.feed_datagram(
                FRIENDS[0].datagram(Ping(number, each.short_id, UNIX_MS)), FRIENDS[0].address, now=each.now
            )
            if drain:
                each.collect()
        each.collect()
    assert [sent.payload for sent in hand.sent] == [sent.payload for sent in other.sent]
    assert hand.events == other.events


# ------------------------------------------------------------------ the public names


def test_all_names_everything_public_and_nothing_else() -> None:
    assert len(set(swim_core.__all__)) == len(swim_core.__all__)
    for name in swim_core.__all__:
        assert getattr(swim_core, name) is not None
    module = type(swim_core)
    public = {name for name, value in vars(swim_core).items() if name[0] != "_" and not isinstance(value, module)}
    assert public == set(swim_core.__all__)


def test_the_event_union_holds_every_event_class() -> None:
    in_union = {kind.__name__ for kind in swim_core.Event.__args__}
    made_by_nodes = {
        name
        for name in swim_core.__all__
        if getattr(getattr(swim_core, name), "__module__", "") == "swim_core.events"
        and issubclass(getattr(swim_core, name), msgspec.Struct)
    }
    assert in_union == made_by_nodes - {"Evidence", "Observation", "Past"}


def test_modules_state_what_they_export() -> None:
    for name, module in list(sys.modules.items()):
        if name.startswith("swim_core.") and hasattr(module, "__all__"):
            for exported in module.__all__:
                assert hasattr(module, exported), f"{name}.{exported}"


def test_a_config_makes_a_node() -> None:
    node = Config.lan().create_node(
        "x", ("10.0.0.1", 1), now=0.0, entropy=bytes(32), unix_ms=UNIX_MS, metadata={"k": "v"}
    )
    assert isinstance(node, Node)
    assert node.local.metadata == {"k": "v"}


def test_kernel_evidence_of_nothing_is_nothing() -> None:
    hand = Hand(knows=FRIENDS)
    accused = FRIENDS[1]
    hand.answering = []
    hand.feed(FRIENDS[0], PingReq(1, accused.claim()))
    before = len(hand.sent)
    hand.evidence(KernelEvidence.NONE, accused.address)
    assert len(hand.sent) == before


def test_a_join_of_oneself_is_harmless() -> None:
    hand = Hand()
    hand.node.join([hand.me.address], now=hand.now)
    hand.run(100.0)
    assert {sent.to for sent in hand.sent} == {hand.me.address}, "asked a few times: another node may be there"
    hand.clear()
    hand.feed(Peer("me", hand.me.address, hand.me.epoch), Join(1, "me", 1000, 4, 5000, 1200))
    assert not hand.sent
