"""The protocol thread, driven by a node whose every move the test scripts: sends, wake-ups, failures, the end."""

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TypeVar

import pytest

import swim_threads
from support.fake_node import GOODBYE, FakeConfig, FakeNode
from support.inside import engine_of, sleeps_until, socket_of, wake
from support.paths import TESTS
from support.waiting import HERE, SOON, all_logged, wait_until
from swim_core import (
    Address,
    BindError,
    BroadcastReceived,
    ConfigError,
    Datagram,
    Event,
    EventsLost,
    Isolated,
    Member,
    MemberDied,
    MemberJoined,
    MemberLeft,
    MemberRecovered,
    MemberSuspected,
    NodeCrashed,
    NotRunning,
    Origin,
    ProtocolNode,
    Reconnected,
    SettingsDiffer,
    State,
)
from swim_threads import ThreadNode, open_node
from swim_threads.clock import clock
from swim_threads.sockets.poller import Poller

pytestmark = pytest.mark.sockets


T = TypeVar("T")


@contextmanager
def opened(config: FakeConfig | None = None, **arguments: object) -> Iterator[tuple[ThreadNode, FakeNode]]:
    """A running node and what runs in it."""
    config = config or FakeConfig()
    with open_node(HERE, config=config, **arguments) as node:  # type: ignore[arg-type]
        yield node, config.node


@contextmanager
def peer() -> Iterator[tuple[Address, socket.socket]]:
    """A plain socket that receives other members' datagrams."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(HERE)
        sock.settimeout(SOON)
        yield Address(*sock.getsockname()), sock


def in_a_thread(use: Callable[[], object]) -> None:
    """Call ``use`` in a thread without signal handlers, where a call does its work itself."""
    thread = threading.Thread(target=use)
    thread.start()
    thread.join(SOON)
    assert not thread.is_alive()


def happen(node: ThreadNode, *events: Event) -> None:
    """Let the protocol raise ``events``."""

    def tell(fake: ProtocolNode, _: float) -> None:
        assert isinstance(fake, FakeNode)
        fake.events.extend(events)

    engine_of(node).act(tell)


def fall_due(node: ThreadNode, fake: FakeNode, delay: float) -> None:
    """Have the node want a tick in ``delay`` seconds."""

    def move(_: ProtocolNode, now: float) -> None:
        fake.deadline = now + delay

    engine_of(node).act(move)


def until(node: ThreadNode, condition: Callable[[], bool]) -> None:
    """Wait for a condition on the scripted node, checked after each of its wake-ups."""
    engine = engine_of(node)
    deadline = clock() + SOON
    while True:
        with engine.lock:
            if condition():
                return
        assert clock() < deadline, "it did not come to pass"
        threading.Event().wait(0.001)


def other(name: str = "b", state: State = State.ALIVE) -> Member:
    return Member(name, Address("127.0.0.1", 9), state=state)


# sending, receiving, ticking


def test_a_datagram_is_fed_and_answered() -> None:
    with opened() as (node, fake), peer() as (address, sock):
        sock.sendto(b"ping", node.local.address)
        assert sock.recv(100) == b"ack"
        assert [(data, source) for data, source, _ in fake.datagrams] == [(b"ping", address)]
        assert node.statistics().datagrams_received == 1


def test_what_an_intent_sends_goes_out_with_it() -> None:
    with opened() as (node, fake), peer() as (address, sock):
        fake.others.append(Member("b", address))
        assert node.broadcast(b"hello") == 1
        sock.setblocking(False)  # loopback delivers within the sender's call
        assert sock.recv(100) == b"hello"


def test_a_refusal_is_fed_as_evidence() -> None:
    with opened() as (node, fake):
        with peer() as (address, _):
            pass
        engine_of(node).act(lambda *_: fake.outbox.append(Datagram(b"anybody?", address)))
        until(node, lambda: fake.refused == [(address, b"anybody?")] or sys.platform != "linux")


def test_an_earlier_deadline_wakes_the_sleeping_thread() -> None:
    with opened() as (node, fake):
        for delay in (3_600.0, 0.0):
            fall_due(node, fake, delay)
        until(node, lambda: bool(fake.ticks))
        assert fake.deadline is None


def test_an_intent_that_changes_no_deadline_wakes_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    wakes: list[object] = []
    with opened() as (node, fake):
        fall_due(node, fake, 3_600)
        until(node, lambda: sleeps_until(node) == fake.deadline)
        monkeypatch.setattr(Poller, "wake", wakes.append)
        in_a_thread(lambda: node.broadcast(b"x"))
        in_a_thread(lambda: fall_due(node, fake, 7_200))
        assert wakes == []
        monkeypatch.undo()


def test_no_tick_before_the_deadline_and_everything_waiting_is_fed_before_it() -> None:
    with opened() as (node, fake), peer() as (_, sock):

        def hold_up(_: ProtocolNode, now: float) -> None:
            fake.deadline = now - 1  # long due; the thread wakes up and waits for the lock
            for number in range(200):
                sock.sendto(b"%d" % number, fake.local.address)

        in_a_thread(lambda: engine_of(node).act(hold_up))
        until(node, lambda: bool(fake.ticks))
        assert len(fake.datagrams) == 200
        assert max(now for *_, now in fake.datagrams) <= fake.ticks[0]


@pytest.mark.parametrize(("told", "rounds"), [(1, 5), (2, 2)])
def test_after_telling_several_the_thread_gives_way_and_reads_all_that_came_meanwhile(
    told: int, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways: list[int] = []
    found: list[list[int]] = []
    asleep = threading.Event()
    wait = Poller.wait

    def watched(poller: Poller, seconds: float | None) -> list[int]:
        if seconds != 0:
            asleep.set()
        ready = wait(poller, seconds)
        if ready:
            found.append(ready)
        return ready

    monkeypatch.setattr(Poller, "wait", watched)
    with opened() as (node, fake), peer() as (address, sock):
        monkeypatch.setattr("swim_threads.protocol_thread._give_way", lambda: ways.append(len(fake.datagrams)))

        def flood(_: ProtocolNode, __: float) -> None:
            for number in range(10):
                sock.sendto(b"%d" % number, fake.local.address)
                wait_until(lambda: found)  # the thread is awake, and waits for the lock
            fake.outbox.extend([Datagram(b"told", address)] * told)

        assert asleep.wait(SOON)
        in_a_thread(lambda: engine_of(node).act(flood))
        until(node, lambda: len(fake.datagrams) == 10)
        assert len(found) == rounds
    assert ways[:1] == ([1] if told > 1 else [])


def test_who_waits_for_news_is_woken_when_all_else_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    def noted(what: str, call: Callable[[], T]) -> Callable[[], T]:
        def noting() -> T:
            order.append(what)
            return call()

        return noting

    with opened() as (node, fake), peer() as (address, sock):
        engine, subscription = engine_of(node), node.subscribe()
        monkeypatch.setattr(engine.changed, "notify_all", noted("woken", engine.changed.notify_all))
        monkeypatch.setattr(fake, "poll_deadline", noted("planned", fake.poll_deadline))
        with engine.lock:
            fake.outbox.append(Datagram(b"relayed", address))
            fake.events.append(Reconnected())
            sock.sendto(b"ping", fake.local.address)
        assert subscription.get(SOON) == Reconnected()
        assert {sock.recv(100), sock.recv(100)} == {b"relayed", b"ack"}
        assert order[order.index("woken") - 1] == "planned"
        assert order.count("woken") == 1


def test_what_came_while_the_thread_waited_for_the_lock_is_fed_before_a_tick(monkeypatch: pytest.MonkeyPatch) -> None:
    looked = threading.Event()
    wait = Poller.wait

    def watched(poller: Poller, seconds: float | None) -> list[int]:
        ready = wait(poller, seconds)
        looked.set()
        return ready

    monkeypatch.setattr(Poller, "wait", watched)
    with opened() as (node, fake), peer() as (_, sock):

        def hold_up(_: ProtocolNode, now: float) -> None:
            looked.clear()
            wake(node)
            assert looked.wait(SOON)  # and found nothing; now the thread wants the lock
            fake.deadline = now - 1
            sock.sendto(b"in time", fake.local.address)

        in_a_thread(lambda: engine_of(node).act(hold_up))
        until(node, lambda: bool(fake.ticks))
        assert fake.order == ["datagram", "tick"]


# events


def test_a_subscription_gives_events_in_order_and_ends_with_the_node() -> None:
    with opened() as (node, _):
        early = node.subscribe()
        happen(node, Isolated())
        late = node.subscribe()
        happen(node, Reconnected())
    assert list(early) == [Isolated(), Reconnected()]
    assert list(late) == [Reconnected()]
    with pytest.raises(NotRunning):
        early.get()
    with pytest.raises(NotRunning):
        node.subscribe()


def test_a_subscription_begins_with_the_current_members_whatever_their_number() -> None:
    with opened(FakeConfig(event_buffer=2)) as (node, fake):
        fake.others.extend(other(f"m{number}") for number in range(5))
        with node.subscribe(current=True) as events:
            read = [events.get(timeout=0)]
            happen(node, Isolated(), Reconnected(), Isolated())
            read += [events.get(timeout=0) for _ in range(7)]
    assert read == [*(MemberJoined(member) for member in fake.others), EventsLost(1), Reconnected(), Isolated()]


def test_a_slow_reader_loses_the_oldest_and_is_told() -> None:
    with opened(FakeConfig(event_buffer=2)) as (node, _), node.subscribe() as events:
        happen(node, Isolated(), Isolated(), Reconnected(), Isolated())
        assert [events.get(timeout=0) for _ in range(3)] == [EventsLost(2), Reconnected(), Isolated()]


def test_get_waits_and_times_out() -> None:
    with opened() as (node, _), node.subscribe() as events:
        with pytest.raises(TimeoutError):
            events.get(timeout=0.001)
        with pytest.raises(TimeoutError):
            events.get(timeout=0)
        timer = threading.Timer(0.01, happen, (node, Isolated()))
        timer.start()
        assert events.get(timeout=SOON) == Isolated()
        timer.join()


def test_closing_a_subscription_ends_its_reader_and_no_other() -> None:
    with opened() as (node, _), node.subscribe() as events, node.subscribe() as kept:
        happen(node, Isolated())
        timer = threading.Timer(0.01, events.close)
        timer.start()
        assert list(events) == [Isolated()]
        timer.join()
        happen(node, Reconnected())
        assert [kept.get(timeout=0), kept.get(timeout=0)] == [Isolated(), Reconnected()]
        with pytest.raises(NotRunning, match="subscription"):
            events.get()


def test_waiting_for_members() -> None:
    with opened() as (node, fake):
        assert node.wait_for_members(1, timeout=0) == (node.local,)
        with pytest.raises(TimeoutError, match="1 of 2 members"):
            node.wait_for_members(2, timeout=0.001)

        def join() -> None:
            fake.others.append(other())
            happen(node, MemberJoined(other()))

        timer = threading.Timer(0.01, join)
        timer.start()
        assert len(node.wait_for_members(2, timeout=SOON)) == 2
        timer.join()


def test_a_member_that_was_there_for_a_moment_only_was_there() -> None:
    with opened() as (node, _):
        timer = threading.Timer(0.01, happen, (node, MemberJoined(other()), MemberLeft(other(state=State.LEFT))))
        timer.start()  # which a later look would never see
        assert [member.name for member in node.wait_for_members(2, timeout=SOON)] == sorted([node.local.name, "b"])
        timer.join()


def test_waiting_for_members_ends_with_the_node() -> None:
    with opened() as (node, _):
        timer = threading.Timer(0.01, node.close)
        timer.start()
        with pytest.raises(NotRunning):
            node.wait_for_members(2, timeout=SOON)
        timer.join()


def test_settings_that_differ_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with opened() as (node, _):
        happen(node, SettingsDiffer(Address("10.0.0.1", 1), {"rings": 3}, {"rings": 4}))
    all_logged()
    assert "the node at 10.0.0.1:1 has other settings" in caplog.text
    assert "{'rings': 3}; here: {'rings': 4}" in caplog.text


# listeners


def test_status_listeners_hear_of_states_and_broadcast_listeners_of_broadcasts() -> None:
    states: list[tuple[str, State]] = []
    broadcasts: list[bytes] = []
    everything: list[Event] = []
    done = threading.Event()
    with opened(FakeConfig(event_buffer=100)) as (node, _):
        node.add_status_listener(lambda member, state: states.append((member.name, state)))
        node.add_broadcast_listener(lambda broadcast: broadcasts.append(broadcast.payload))
        node.add_listener(everything.append)
        node.add_listener(lambda event: done.set() if event == Isolated() else None)
        happened: list[Event] = [
            MemberJoined(other()),
            MemberSuspected(other(state=State.SUSPECT)),
            MemberRecovered(other()),
            MemberDied(other(state=State.DEAD)),
            MemberLeft(other("c", State.LEFT)),
            BroadcastReceived(Origin("b", 1, None), 1, b"hello"),
            Isolated(),
        ]
        happen(node, *happened)
        assert done.wait(SOON)
    assert states == [
        ("b", State.ALIVE),
        ("b", State.SUSPECT),
        ("b", State.ALIVE),
        ("b", State.DEAD),
        ("c", State.LEFT),
    ]
    assert broadcasts == [b"hello"]
    assert everything == happened


def test_no_thread_for_listeners_before_the_first_one() -> None:
    with opened() as (node, _):
        assert not [thread for thread in threading.enumerate() if thread.name == "swim listeners"]
        node.add_listener(lambda _: None)
        node.add_listener(lambda _: None)
        assert len([thread for thread in threading.enumerate() if thread.name == "swim listeners"]) == 1


@pytest.mark.parametrize("error", [ValueError("this listener is broken"), SystemExit("this listener is broken")])
def test_a_listener_that_raises_is_logged_and_harms_nobody(
    error: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Event] = []
    done = threading.Event()

    def broken(_: Event) -> None:
        raise error

    with opened() as (node, _):
        node.add_listener(broken)
        node.add_listener(heard.append)
        node.add_listener(lambda event: done.set() if event == Reconnected() else None)
        happen(node, Isolated(), Reconnected())
        assert done.wait(SOON)
        assert node.broadcast(b"the node goes on") == 1
    assert heard == [Isolated(), Reconnected()]
    all_logged()
    assert caplog.text.count("a listener raised") == 2
    assert "Traceback" in caplog.text
    assert "this listener is broken" in caplog.text


def test_a_removed_listener_is_not_called_again_even_for_the_event_at_hand() -> None:
    heard: list[Event] = []
    done = threading.Event()
    with opened() as (node, _):
        node.add_listener(lambda _: second.remove())
        second = node.add_listener(heard.append)
        node.add_listener(lambda _: done.set())
        happen(node, Isolated())
        assert done.wait(SOON)
        second.remove()
    assert heard == []


def test_a_listener_may_begin_with_who_is_there_already() -> None:
    states: list[tuple[str, State]] = []
    everything: list[Event] = []
    done = threading.Event()
    with opened(FakeConfig(event_buffer=100)) as (node, fake):
        node.add_listener(lambda _: None)
        fake.others.append(other())
        happen(node, MemberJoined(other()), Isolated())  # before they are added, whether it was delivered or not
        node.add_status_listener(lambda member, state: states.append((member.name, state)), current=True)
        node.add_listener(everything.append, current=True)
        node.add_listener(lambda event: done.set() if event == Reconnected() else None)
        happen(node, MemberDied(other(state=State.DEAD)), Reconnected())
        assert done.wait(SOON)
    assert states == [("b", State.ALIVE), ("b", State.DEAD)]
    assert everything[:2] == [MemberJoined(other()), MemberDied(other(state=State.DEAD))]


def test_listeners_that_fall_behind_are_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    heard: list[Event] = []
    entered, go_on, done = threading.Event(), threading.Event(), threading.Event()

    def slow(event: Event) -> None:
        heard.append(event)
        entered.set()
        go_on.wait(SOON)
        if event == Reconnected():
            done.set()

    with opened(FakeConfig(event_buffer=1)) as (node, _):
        node.add_listener(slow)
        happen(node, Isolated())
        assert entered.wait(SOON)
        happen(node, Isolated(), Isolated(), Reconnected())
        go_on.set()
        assert done.wait(SOON)
    assert heard == [Isolated(), EventsLost(2), Reconnected()]
    all_logged()
    assert "2 events were lost" in caplog.text


@pytest.mark.parametrize("act", ["close", "leave", "members", "statistics"])
def test_a_listener_may_use_the_node(act: str) -> None:
    done = threading.Event()

    def listener(_: Event) -> None:
        getattr(node, act)()
        done.set()

    with opened() as (node, fake):
        node.add_listener(listener)
        happen(node, Isolated())
        assert done.wait(SOON)
    assert fake.has_left


@pytest.mark.parametrize("fails", [False, True])
def test_closing_does_not_wait_for_ever_for_a_listener(fails: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("swim_threads.listeners." + ("HASTE" if fails else "PATIENCE"), 0.01)
    monkeypatch.setattr("swim_threads.listeners." + ("PATIENCE" if fails else "HASTE"), SOON)
    entered, go_on = threading.Event(), threading.Event()

    def stuck(_: Event) -> None:
        entered.set()
        go_on.wait(SOON / 2)

    node = open_node(HERE, config=FakeConfig())
    node.add_listener(stuck)
    happen(node, Isolated())
    assert entered.wait(SOON)
    thread = next(thread for thread in threading.enumerate() if thread.name == "swim listeners")
    with contextlib.suppress(ZeroDivisionError), node:
        if fails:
            raise ZeroDivisionError
    assert thread.is_alive()
    go_on.set()
    thread.join(SOON)


# leaving, closing, failing


def test_a_normal_end_waits_for_the_goodbye_and_frees_the_port() -> None:
    with peer() as (address, sock):
        with opened() as (node, fake):
            fake.goodbye_to = [address]
            here = node.local.address
        assert sock.recv(100) == GOODBYE
        assert fake.has_left
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as again:
        again.bind(here)


def test_an_exception_leaves_as_itself_after_one_goodbye_without_waiting() -> None:
    with peer() as (address, sock):
        node = open_node(HERE, config=(config := FakeConfig()))
        config.node.goodbye_to = [address]
        with pytest.raises(ZeroDivisionError), node:
            raise ZeroDivisionError
        assert sock.recv(100) == GOODBYE
        assert not config.node.has_left
        with pytest.raises(NotRunning):
            node.broadcast(b"x")


def test_after_the_end_views_show_the_last_moment_and_intents_raise() -> None:
    with opened() as (node, fake):
        fake.others.append(other())
    assert node.local.name == fake.local.name
    assert len(node.members()) == 2
    assert node.member("b") == other()
    assert node.explain("b") is None
    assert "closed" in repr(node)
    for act in (
        node.leave,
        lambda: node.broadcast(b"x"),
        lambda: node.send("b", b"x"),
        lambda: node.update_metadata({}),
        lambda: node.join("127.0.0.1:1"),
        lambda: node.wait_for_members(1),
        lambda: node.add_listener(print),
    ):
        with pytest.raises(NotRunning, match="closed"):
            act()
    node.close()


def test_leaving_is_not_closing() -> None:
    with opened() as (node, fake), peer() as (_, sock):
        node.leave()
        node.leave()
        assert fake.has_left
        sock.sendto(b"ping", node.local.address)
        assert sock.recv(100) == b"ack"


def test_several_threads_may_close_at_once() -> None:
    with opened() as (node, _):
        closers = [threading.Thread(target=node.close) for _ in range(4)]
        for closer in closers:
            closer.start()
        for closer in closers:
            closer.join(SOON)
            assert not closer.is_alive()


def test_a_second_interrupt_ends_the_wait_for_the_goodbye() -> None:
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("signals go to the main thread")
    node = open_node(HERE, config=(config := FakeConfig()))
    config.node.deadline = None
    config.node.leave = lambda *, now: None  # type: ignore[method-assign]  # it will never have left
    main = threading.main_thread().ident
    assert main is not None
    interrupt = threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGINT))
    interrupt.start()
    with pytest.raises(KeyboardInterrupt):
        node.close()
    interrupt.join()
    with pytest.raises(NotRunning):
        node.broadcast(b"x")


@pytest.mark.parametrize("method", ["feed_datagram", "feed_tick"])
def test_a_node_that_fails_tells_everyone_from_the_cause(method: str, caplog: pytest.LogCaptureFixture) -> None:
    boom = ZeroDivisionError("a bug")
    waited: list[BaseException | None] = []

    def wait() -> None:
        with pytest.raises(NodeCrashed) as caught:
            node.wait_for_members(5)
        waited.append(caught.value.__cause__)

    node = open_node(HERE, config=(config := FakeConfig()))
    with peer() as (_, sock):
        events = node.subscribe()
        node.add_listener(lambda _: None)
        happen(node, Isolated())
        waiter = threading.Thread(target=wait)
        waiter.start()

        def break_down(*_: object) -> None:
            config.node.raises[method] = boom
            config.node.deadline = 0.0
            sock.sendto(b"x", config.node.local.address)

        engine_of(node).act(break_down)
        waiter.join(SOON)
    assert next(events) == Isolated()
    with pytest.raises(NodeCrashed) as caught:
        next(events)
    assert caught.value.__cause__ is boom
    for act in (node.members, node.leave, lambda: node.broadcast(b"x"), node.subscribe):
        with pytest.raises(NodeCrashed, match="a bug"):
            act()
    with pytest.raises(NodeCrashed) as ended, node:
        pass
    assert waited == [boom]
    assert ended.value.__cause__ is boom
    all_logged()
    assert "failed" in caplog.text
    assert "ZeroDivisionError: a bug" in caplog.text


@pytest.mark.parametrize("method", ["poll_datagram", "poll_event", "poll_deadline"])
def test_a_node_that_fails_over_an_intent_has_failed_for_everyone(
    method: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise boom

    boom = ZeroDivisionError("a bug")
    node = open_node(HERE, config=(config := FakeConfig()))
    monkeypatch.setattr(config.node, method, fail)
    for act in (lambda: node.broadcast(b"x"), node.members, node.subscribe):
        with pytest.raises(NodeCrashed, match="a bug") as caught:
            act()
        assert caught.value.__cause__ is boom
    node.close()
    all_logged()
    assert "ZeroDivisionError: a bug" in caplog.text


def test_a_caller_s_mistake_is_the_caller_s_alone() -> None:
    with opened() as (node, fake):
        fake.raises["broadcast"] = ConfigError("too bad")
        with pytest.raises(ConfigError, match="too bad"):
            node.broadcast(b"x")
        fake.raises.clear()
        assert node.broadcast(b"x") == 1


# opening


def test_nothing_is_left_of_a_node_that_could_not_be_made() -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.bind(HERE)
        bind = sock.getsockname()
    with pytest.raises(ConfigError, match="too bad"):
        open_node(bind, config=FakeConfig(raises={"create_node": ConfigError("too bad")}))
    with opened() as (node, _), pytest.raises(BindError, match="or port 0"):
        open_node(node.local.address, config=FakeConfig())
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        sock.bind(bind)


def test_a_wildcard_advertises_the_route_to_the_first_seed_and_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    for seed in ("127.0.0.5:9", "localhost:9"):
        with open_node("0.0.0.0:0", join=[seed], name="wild", config=FakeConfig(), insecure=False) as node:
            assert node.local.address.host == "127.0.0.1"
            all_logged()
            assert f"wild: advertising {node.local.address}, from the route to the seed 127." in caplog.text
    assert "this protocol can't be sealed: whoever reaches this port can read, join, and forge" in caplog.text


def test_loopback_is_quiet(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with opened():
        pass
    all_logged()
    assert caplog.text == ""


def test_the_environment_speaks_where_arguments_don_t(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWIM_BIND", "127.0.0.3:0")
    monkeypatch.setenv("SWIM_NAME", "from-env")
    monkeypatch.setenv("SWIM_JOIN", "127.0.0.1:9")
    with open_node(config=(config := FakeConfig())) as node:
        assert node.local.address.host == "127.0.0.3"
        assert node.local.name == "from-env"
        assert config.node.joins == [[("127.0.0.1", 9)]]


def test_all_that_is_public_is_exported() -> None:
    exported = {name: getattr(swim_threads, name) for name in swim_threads.__all__}  # those of the core, too
    for kind in filter(lambda value: isinstance(value, type), exported.values()):
        assert kind.__module__.startswith("swim_")
    public = {name for name, value in vars(swim_threads).items() if name[0] != "_" and isinstance(value, type)}
    assert public <= set(swim_threads.__all__)


# the process


@pytest.mark.skipif(not hasattr(os, "fork"), reason="nothing forks here")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")  # from Python 3.12 on
def test_a_forked_child_gives_up_its_copy() -> None:
    with opened() as (node, _), node.subscribe() as events:
        node.add_listener(lambda _: None)
        fd = socket_of(node).fileno()
        with engine_of(node).lock:  # as another thread may hold it at that moment
            child = os.fork()
            if child == 0:
                os._exit(_child_problems(node, events.get, fd))
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 0
        assert node.broadcast(b"the parent goes on") == 1


def _child_problems(node: ThreadNode, get: Callable[[], Event], fd: int) -> int:
    """In the child: 0 if all is refused and the socket closed."""
    try:
        os.fstat(fd)
        return 1
    except OSError:
        pass
    acts: list[Callable[[], object]] = [
        node.members,
        node.leave,
        get,
        lambda: node.local,
        lambda: node.broadcast(b"x"),
        lambda: node.wait_for_members(1),
        lambda: node.add_listener(print),
    ]
    for number, act in enumerate(acts):
        try:
            act()
        except NotRunning as error:
            if "forked" in str(error):
                continue
        return 10 + number
    node.close()
    with node:
        pass
    return 0


FORGETFUL = """
import logging, socket, sys
logging.basicConfig()
import swim_threads
sys.path.insert(0, sys.argv[1])
from support.fake_node import FakeConfig
from swim_core import Address
config = FakeConfig()
node = swim_threads.open_node(("127.0.0.1", 0), config=config)
node.add_listener(print)
config.node.goodbye_to = [Address("127.0.0.1", int(sys.argv[2]))]
"""


@pytest.mark.processes
def test_a_forgotten_node_leaves_at_exit() -> None:
    with peer() as (address, sock):
        here = str(TESTS)
        ended = subprocess.run(
            [sys.executable, "-W", "error", "-c", FORGETFUL, here, str(address.port)],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
        assert sock.recv(100) == GOODBYE


def test_the_poller_s_wake_up_is_neither_lost_nor_kept() -> None:
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as sock:
        poller = Poller(sock.fileno())
        for _ in range(100_000):  # more than the pipe holds
            poller.wake()
        poller.wait(None)
        poller.wait(0.001)
        poller.close()
        poller.wake()


@pytest.mark.processes
def test_a_thread_that_waits_for_events_does_not_keep_the_program_from_ending() -> None:
    program = """
import threading, swim_threads

node = swim_threads.open_node("127.0.0.1:0", name="ann")

def read():
    for event in node.subscribe():
        pass
    print("read all")

threading.Thread(target=read).start()
print("main ends")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=SOON, check=True)
    assert (done.stdout, done.stderr) == ("main ends\nread all\n", "")
