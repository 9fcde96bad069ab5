"""The same scenarios with every way to run a node: simulator, threads, asyncio, uvloop and trio, with both drivers, and
a loop of one's own."""

import socket
from collections.abc import Callable, Iterator

import pytest

from support.waiting import SOON
from support.worlds import WORLDS, DriverWorld, Node, Subscription, World
from swim_core import (
    BindError,
    BroadcastReceived,
    Config,
    ConfigError,
    DropReason,
    Event,
    EventsLost,
    Member,
    MemberDied,
    MemberJoined,
    MemberLeft,
    MemberSuspected,
    MemberUpdated,
    MessageReceived,
    NameConflict,
    NotRunning,
    PayloadTooLarge,
    Rule,
    SettingsDiffer,
    State,
    UnknownMember,
)

STATUS = (MemberJoined, MemberSuspected, MemberDied, MemberLeft, MemberUpdated)


EVERY = {**WORLDS, "driver": DriverWorld}


@pytest.fixture(
    params=[pytest.param(name, marks=[] if name == "simulation" else pytest.mark.sockets) for name in EVERY]
)
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Every way to run a node, a loop of one's own included."""
    with EVERY[request.param]() as world:
        yield world


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.sockets) for name in EVERY if name != "simulation"])
def socket_world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Every way to run one on a socket."""
    with EVERY[request.param]() as world:
        yield world


@pytest.fixture(params=[pytest.param(name, marks=pytest.mark.sockets) for name in WORLDS if name != "simulation"])
def real_world(request: pytest.FixtureRequest) -> Iterator[World]:
    """Every adapter, since this has to do with names too."""
    with WORLDS[request.param]() as world:
        yield world


def names(members: tuple[Member, ...]) -> list[str]:
    return [member.name for member in members]


def await_event(events: Subscription, wanted: Callable[[Event], bool]) -> list[Event]:
    """Events up to and including the first that is ``wanted``."""
    seen = [events.get(SOON)]
    while not wanted(seen[-1]):
        seen.append(events.get(SOON))
    return seen


def payloads(events: list[Event]) -> list[bytes]:
    return [event.payload for event in events if isinstance(event, BroadcastReceived)]


def test_nodes_find_each_other_through_any_member(world: World) -> None:
    a = world.open("a")
    b = world.open("b", join=[a])
    c = world.open("c", join=[b])
    for node in (a, b, c):
        assert names(node.wait_for_members(3, SOON)) == ["a", "b", "c"]
        for member in node.members():
            assert member.state is State.ALIVE
            assert member.epoch > 0
    assert {node.local for node in (a, b, c)} == set(a.members())


def test_a_node_alone_is_its_only_member(world: World) -> None:
    node = world.open("a", metadata={"role": "cache"})
    assert node.members() == (node.local,) == node.wait_for_members(1, SOON)
    assert node.local.metadata == {"role": "cache"}
    assert node.member("a") == node.local
    assert node.member("b") is None
    assert node.explain("b") is None


def test_a_seed_that_appears_later_is_found(world: World) -> None:
    first = world.open("a")
    address = first.local.address
    first.kill()
    b = world.open("b", join=[address])
    a = world.open("a", bind=address)
    assert names(a.wait_for_members(2, SOON)) == ["a", "b"]
    assert names(b.wait_for_members(2, SOON)) == ["a", "b"]


def test_join_can_be_called_later(world: World) -> None:
    a, b = world.open("a"), world.open("b")
    b.join([a.local.address])
    a.wait_for_members(2, SOON)
    b.wait_for_members(2, SOON)


def test_status_comes_in_order(world: World) -> None:
    a = world.open("a")
    events = a.subscribe()
    b = world.open("b", join=[a], metadata={"step": "1"})
    b.wait_for_members(2, SOON)
    seen = await_event(events, lambda event: isinstance(event, MemberJoined))
    b.update_metadata({"step": "2"})
    seen += await_event(events, lambda event: isinstance(event, MemberUpdated))
    b.leave()
    seen += await_event(events, lambda event: isinstance(event, MemberLeft))
    status = [event for event in seen if isinstance(event, STATUS)]
    assert [type(event) for event in status] == [MemberJoined, MemberUpdated, MemberLeft]
    assert {event.member.name for event in status} == {"b"}
    assert [event.member.metadata.get("step") for event in status] == ["1", "2", None]
    assert [event.member.state for event in status] == [State.ALIVE, State.ALIVE, State.LEFT]


def test_metadata_reaches_all(world: World) -> None:
    nodes = world.open_cluster("a", "b", "c")
    nodes[0].update_metadata({"role": "leader", "zone": "x"})
    assert nodes[0].local.metadata == {"role": "leader", "zone": "x"}
    for node in nodes[1:]:
        world.wait(lambda: found(node, "a").metadata == {"role": "leader", "zone": "x"})  # noqa: B023
    with pytest.raises(PayloadTooLarge):
        nodes[0].update_metadata({"role": "x" * 600})
    assert nodes[0].local.metadata == {"role": "leader", "zone": "x"}


def test_who_leaves_has_left_and_is_no_longer_a_member(world: World) -> None:
    a, b, c = world.open_cluster("a", "b", "c")
    events = a.subscribe()
    b.leave()
    (event,) = (e for e in await_event(events, lambda e: isinstance(e, MemberLeft)) if isinstance(e, MemberLeft))
    assert event.member.name == "b"
    for node in (a, c):
        world.wait(lambda: names(node.members()) == ["a", "c"])  # noqa: B023
        assert found(node, "b").state is State.LEFT
        assert names(node.members(gone=True)) == ["a", "b", "c"]
        evidence = node.explain("b")
        assert evidence is not None
        assert evidence.rule is Rule.LEFT
    for command in (lambda: b.broadcast(b"x"), lambda: b.update_metadata({}), lambda: b.send("a", b"x")):
        with pytest.raises(NotRunning):
            command()


def test_a_normal_close_is_a_goodbye(world: World) -> None:
    a, b = world.open_cluster("a", "b")
    b.close()
    world.wait(lambda: found(a, "b").state is State.LEFT)


def test_who_is_killed_is_found_dead_and_why(world: World) -> None:
    a, b, c = world.open_cluster("a", "b", "c")
    events = a.subscribe()
    b.kill()
    seen = await_event(events, lambda event: isinstance(event, MemberDied))
    died = seen[-1]
    assert isinstance(died, MemberDied)
    assert (died.member.name, died.member.state) == ("b", State.DEAD)
    assert died.evidence is not None
    assert died.evidence.rule in (Rule.GONE, Rule.SILENT)
    assert died.evidence.accuser in ("a", "c")
    assert not any(isinstance(event, MemberLeft) for event in seen)
    for node in (a, c):
        world.wait(lambda: names(node.members()) == ["a", "c"])  # noqa: B023
        evidence = node.explain("b")
        assert evidence is not None
        assert evidence.rule is died.evidence.rule
    assert a.statistics().members[State.DEAD] == 1


def test_a_new_run_under_the_old_name_takes_its_place(world: World) -> None:
    a, b = world.open_cluster("a", "b")
    old = found(a, "b")
    b.kill()
    events = a.subscribe()
    again = world.open("b", join=[a], bind=old.address)
    again.wait_for_members(2, SOON)
    world.wait(lambda: found(a, "b").epoch > old.epoch and found(a, "b").state.live)
    await_event(events, lambda event: isinstance(event, MemberJoined) and event.member.epoch > old.epoch)

    inbox = again.subscribe()
    with pytest.raises(UnknownMember):
        a.send(old, b"to the run that is gone")
    a.send("b", b"to whichever lives")
    (message,) = await_event(inbox, lambda event: isinstance(event, MessageReceived))[-1:]
    assert isinstance(message, MessageReceived)
    assert message.payload == b"to whichever lives"


def test_pinging_a_member_and_forgetting_it_once_it_is_dead(world: World) -> None:
    a, b = world.open_cluster("a", "b")
    round_trip = a.ping("b")
    assert round_trip is not None
    contact = a.contact("b")
    assert contact is not None
    assert contact.heard is not None
    assert contact.round_trip is not None
    with pytest.raises(UnknownMember, match="is live"):
        a.remove("b")
    b.kill()
    world.wait(lambda: "b" not in names(a.members()))
    a.remove("b")
    assert a.member("b") is None
    assert a.contact("b") is None
    for intent in (a.ping, a.remove):
        with pytest.raises(UnknownMember):
            intent("b")


def test_a_dead_member_is_made_to_leave_for_all(world: World) -> None:
    a, b, c = world.open_cluster("a", "b", "c")
    with pytest.raises(UnknownMember, match="is live"):
        a.force_leave("c")
    c.kill()
    world.wait(lambda: "c" not in names(a.members()) + names(b.members()))
    a.force_leave("c")
    world.wait(lambda: all((seen := node.member("c")) is not None and seen.state is State.LEFT for node in (a, b)))
    evidence = b.explain("c")
    assert evidence is not None
    assert (evidence.rule, evidence.accuser) == (Rule.REMOVED, "a")
    with pytest.raises(UnknownMember, match="no other member"):
        a.force_leave("nobody")


def test_messages_go_to_one_member(world: World) -> None:
    a, b, c = world.open_cluster("a", "b", "c")
    inboxes = {node: node.subscribe() for node in (b, c)}
    a.send("b", b"by name")
    a.send(found(a, "b"), b"by member")
    got = {}
    for payload in range(2):
        event = await_event(inboxes[b], lambda event: isinstance(event, MessageReceived))[-1]
        assert isinstance(event, MessageReceived)
        assert event.origin == (a.local.name, a.local.epoch, a.local.address)
        got[event.payload] = payload
    assert set(got) == {b"by name", b"by member"}
    a.broadcast(b"fence")
    before_fence = await_event(inboxes[c], lambda event: isinstance(event, BroadcastReceived))
    assert not any(isinstance(event, MessageReceived) for event in before_fence)
    with pytest.raises(UnknownMember):
        a.send("nobody", b"x")
    with pytest.raises(PayloadTooLarge):
        a.send("b", b"x" * 5_000)


def test_broadcasts_reach_every_other_member_once_and_never_their_origin(world: World) -> None:
    nodes = world.open_cluster("a", "b", "c", "d")
    subscriptions = {node.local.name: node.subscribe() for node in nodes}
    sent = {f"{node.local.name}{count}".encode() for node in nodes for count in range(10)}
    for count in range(10):
        for node in nodes:
            assert node.broadcast(f"{node.local.name}{count}".encode()) == count + 1
    for node in nodes:
        name = node.local.name.encode()
        expected = {payload for payload in sent if not payload.startswith(name)}
        events = subscriptions[node.local.name]
        got: list[bytes] = []
        while not expected <= set(got):  # besides, fences for others
            got += payloads([events.get(SOON)])
        other = next(other for other in nodes if other is not node)
        other.broadcast(b"fence for " + name)
        got += payloads(await_event(events, lambda e: payloads([e]) == [b"fence for " + name]))  # noqa: B023
        counted = [payload for payload in got if not payload.startswith(b"fence")]
        assert sorted(counted) == sorted(expected)


def test_a_broadcast_says_whose_it_is(world: World) -> None:
    a, b = world.open_cluster("a", "b")
    events = b.subscribe()
    number = a.broadcast(b"\x00\xff")
    event = await_event(events, lambda event: isinstance(event, BroadcastReceived))[-1]
    assert event == BroadcastReceived((a.local.name, a.local.epoch, a.local.address), number, b"\x00\xff")  # type: ignore[arg-type]
    with pytest.raises(PayloadTooLarge, match="256"):
        a.broadcast(b"x" * 257)
    assert a.broadcast(b"") == number + 1  # the refused broadcast used up no number


def test_current_members_and_later_ones_without_gap_or_double(world: World) -> None:
    a = world.open("a")
    others = [world.open(f"n{number}", join=[a]) for number in range(3)]
    a.wait_for_members(2, SOON)  # in the middle of joining
    events = a.subscribe(current=True)
    others += [world.open(f"n{number}", join=[a]) for number in range(3, 6)]
    a.wait_for_members(7, SOON)
    others[0].wait_for_members(7, SOON)
    others[0].broadcast(b"fence")
    joined = [
        event.member.name
        for event in await_event(events, lambda event: payloads([event]) == [b"fence"])
        if isinstance(event, MemberJoined)
    ]
    assert sorted(joined) == [f"n{number}" for number in range(6)]


def test_a_slow_reader_is_told_how_many_events_it_lost(world: World) -> None:
    config = Config.local(probe_interval=0.1, stall_tolerance=0.5, verdict_margin=0.05, event_buffer=4)
    a, b = world.open_cluster("a", "b", config=config)
    slow, quick = a.subscribe(), a.subscribe()
    seen: list[Event] = []
    for number in range(10):
        b.broadcast(b"%d" % number)
        seen += await_event(quick, lambda event: payloads([event]) == [b"%d" % number])  # noqa: B023
    lost = slow.get(SOON)
    assert lost == EventsLost(len(seen) - 4)
    assert [slow.get(SOON) for _ in range(4)] == seen[-4:]


def test_waiting_for_members_gives_up(world: World) -> None:
    node = world.open("a")
    with pytest.raises(TimeoutError):
        node.wait_for_members(2, 0.05)


def test_waiting_for_an_event_gives_up(world: World) -> None:
    events = world.open("a").subscribe()
    with pytest.raises(TimeoutError):
        events.get(0.05)


def test_statistics_count(world: World) -> None:
    a, b = world.open_cluster("a", "b")
    b.broadcast(b"x")
    world.wait(lambda: a.statistics().broadcasts_delivered == 1)
    world.wait(lambda: a.statistics().rtt_p50 is not None)
    statistics = a.statistics()
    assert statistics.members[State.ALIVE] == 2
    assert statistics.datagrams_sent >= statistics.messages_sent["ping"] >= 1
    assert statistics.datagrams_received >= statistics.messages_received["ack"] >= 1
    assert statistics.bytes_sent > 0
    assert statistics.bytes_received > 0
    assert not statistics.isolated
    assert not statistics.superseded
    evidence = a.explain("b")
    assert evidence is not None
    assert evidence.rule is None


def test_ending_twice_is_ending_once(world: World) -> None:
    a, b = world.open_cluster("a", "b")
    b.leave()
    b.close()
    b.close()
    world.wait(lambda: found(a, "b").state is State.LEFT)
    for command in (lambda: b.broadcast(b"x"), lambda: b.subscribe(), lambda: b.join([])):
        with pytest.raises(NotRunning):
            command()
    assert "b" in names(b.members(gone=True))


def test_clusters_of_another_label_stay_apart(world: World) -> None:
    red = Config.local(probe_interval=0.1, stall_tolerance=0.5, cluster="red")
    a = world.open("a", config=red)
    b = world.open("b", join=[a])
    world.wait(lambda: a.statistics().dropped.get(DropReason.OTHER_CLUSTER))
    assert names(a.members()) == ["a"]
    assert names(b.members()) == ["b"]


def test_other_settings_are_told(world: World) -> None:
    a = world.open("a")
    events = a.subscribe()
    b = world.open("b", join=[a], config=Config.local(probe_interval=0.2, stall_tolerance=0.5, verdict_margin=0.05))
    event = await_event(events, lambda event: isinstance(event, SettingsDiffer))[-1]
    assert isinstance(event, SettingsDiffer)
    assert event.address == b.local.address
    assert event.ours == {"probe_interval": 0.1}
    assert event.theirs == {"probe_interval": 0.2}
    b.wait_for_members(2, SOON)


@pytest.mark.parametrize("world", ["simulation"], indirect=True)  # it takes seconds of real time
def test_two_processes_of_one_name(world: World) -> None:
    a, b = world.open_cluster("a", "b")
    events = b.subscribe()
    twin = world.open("b", join=[a])
    event = await_event(events, lambda event: isinstance(event, NameConflict))[-1]
    assert isinstance(event, NameConflict)
    assert event.member.address == twin.local.address
    assert b.statistics().superseded


# What has to do with sockets, arguments and names


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_seeds_by_name_and_by_number(real_world: World, host: str) -> None:
    a = real_world.open("a")
    b = real_world.open("b", join=[f"{host}:{a.local.address.port}"])
    a.wait_for_members(2, SOON)
    b.wait_for_members(2, SOON)


def test_a_seed_that_no_one_knows_does_no_harm(real_world: World) -> None:
    a = real_world.open("a", join=["no.such.host.invalid:1"])
    b = real_world.open("b", join=[a, "no.such.host.invalid:1"])
    b.wait_for_members(2, SOON)


@pytest.mark.parametrize("bind", ["[::1]:0", ("::1", 0)])
def test_ipv6(socket_world: World, bind: str | tuple[str, int]) -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    a, b = socket_world.open_cluster("a", "b", bind=bind)
    assert a.local.address.host == "::1"
    events = b.subscribe()
    a.broadcast(b"hello")
    await_event(events, lambda event: payloads([event]) == [b"hello"])
    b.kill()
    socket_world.wait(lambda: names(a.members()) == ["a"])


def test_a_port_in_use(socket_world: World) -> None:
    a = socket_world.open("a")
    address = a.local.address
    with pytest.raises(BindError, match="port 0"):
        socket_world.open("b", bind=address)
    a.close()
    socket_world.open("b", bind=address).close()
    socket_world.open("c", bind=str(address))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"bind": "127.0.0.1:port"}, "bind"),
        ({"bind": 7946}, "bind"),
        ({"bind": ("127.0.0.1", 70_000)}, "bind"),
        ({"join": ["127.0.0.1:0"]}, "join"),
        ({"advertise": "0.0.0.0"}, "advertise"),
        ({"advertise": "host with spaces"}, "advertise"),
    ],
)
def test_arguments_that_can_not_be_used(socket_world: World, arguments: dict[str, object], named: str) -> None:
    with pytest.raises(ConfigError, match=named):
        socket_world.open("a", **arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["", "x" * 65, "new\nline"])
def test_names_that_can_not_be_used(socket_world: World, name: str) -> None:
    with pytest.raises(ConfigError, match="name"):
        socket_world.open(name)


def test_metadata_that_is_too_large(socket_world: World) -> None:
    with pytest.raises(PayloadTooLarge):
        socket_world.open("a", metadata={"x": "y" * 600})


def test_the_environment_completes_what_is_not_given(socket_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWIM_PROBE_INTERVAL", "0.1")
    monkeypatch.setenv("SWIM_STALL_TOLERANCE", "0.5")
    monkeypatch.setenv("SWIM_CLUSTER", "blue")
    monkeypatch.setenv("SWIM_BIND", "127.0.0.1:0")
    a = socket_world.open("a", bind=None, config=None)
    monkeypatch.setenv("SWIM_JOIN", str(a.local.address))
    b = socket_world.open("b", bind=None, config=None)
    b.wait_for_members(2, SOON)
    monkeypatch.setenv("SWIM_PROBE_INTERVAL", "often")
    with pytest.raises(ConfigError, match="SWIM_PROBE_INTERVAL"):
        socket_world.open("c", bind=None, config=None)


def test_another_label_over_the_configs(socket_world: World) -> None:
    a = socket_world.open("a", cluster="green")
    b = socket_world.open("b", join=[a], cluster="green")
    b.wait_for_members(2, SOON)


def test_advertising_another_address(socket_world: World) -> None:
    a = socket_world.open("a", bind=("0.0.0.0", 0), advertise="127.0.0.1")
    assert a.local.address.host == "127.0.0.1"
    assert a.local.address.port > 0
    b = socket_world.open("b", join=[a])
    b.wait_for_members(2, SOON)
    a.wait_for_members(2, SOON)


def found(node: Node, name: str) -> Member:
    """The member of that name, which must be known."""
    member = node.member(name)
    assert member is not None
    return member
