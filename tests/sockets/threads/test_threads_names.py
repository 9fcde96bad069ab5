"""Seeds and addresses given by name: resolved in the background, with backoff, and anew when seeds are asked."""

import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

import pytest

from support.fake_node import FakeConfig, FakeNode
from support.inside import engine_of
from support.names import Names
from support.waiting import HERE, SOON, all_logged, wait_until
from swim_core import Address, AddressLike, BindError, ConfigError, Event, JoinAttempt, ProtocolNode
from swim_core.keys import Keys
from swim_threads import ThreadNode, open_node, opening
from swim_threads import resolver as resolver_module
from swim_threads.lookups import numeric, resolve

pytestmark = pytest.mark.sockets


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    it = Names()
    monkeypatch.setattr("socket.getaddrinfo", it.getaddrinfo)
    return it


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retry at once, and treat no answer as fresh."""
    monkeypatch.setattr(resolver_module, "FIRST_BACKOFF", 0.002)
    monkeypatch.setattr(resolver_module, "BACKOFF_MAX", 0.004)
    monkeypatch.setattr(resolver_module, "FRESH", -1.0)


class JoiningNode(FakeNode):
    """Records when it was asked to join."""

    joined = threading.Condition()

    def join(self, addresses: Iterable[AddressLike], *, now: float) -> None:
        with self.joined:
            super().join(addresses, now=now)
            self.joined.notify_all()

    def hosts(self) -> list[list[str]]:
        """The hosts of each call of `join`."""
        return [[host for host, _ in addresses] for addresses in self.joins]

    def wait_joined(self, *hosts: str) -> None:
        """Wait until it was last told to join these hosts."""
        with self.joined:
            assert self.joined.wait_for(lambda: self.hosts()[-1:] == [list(hosts)], SOON), self.joins


class JoiningConfig(FakeConfig):
    def create_node(
        self,
        name: str,
        address: AddressLike,
        *,
        now: float,
        entropy: bytes,
        unix_ms: int,
        metadata: Mapping[str, str] | None = None,
        keys: Keys | None = None,
    ) -> JoiningNode:
        self.nodes.append(node := JoiningNode(name, address, now, metadata or {}))
        return node


@contextmanager
def opened(*seeds: str) -> Iterator[tuple[ThreadNode, JoiningNode]]:
    config = JoiningConfig()
    with open_node(HERE, join=[f"{seed}:9" for seed in seeds], config=config) as node:
        fake = config.node
        assert isinstance(fake, JoiningNode)
        yield node, fake


def happen(node: ThreadNode, event: Event) -> None:
    def tell(fake: ProtocolNode, _: float) -> None:
        assert isinstance(fake, FakeNode)
        fake.events.append(event)

    engine_of(node).act(tell)


def resolver_thread() -> threading.Thread | None:
    return next((thread for thread in threading.enumerate() if thread.name == "swim resolver"), None)


def test_numeric_seeds_are_asked_at_once_and_need_no_thread(names: Names) -> None:
    with opened("127.0.0.7", "127.0.0.8") as (_, fake):
        assert fake.joins == [[("127.0.0.7", 9), ("127.0.0.8", 9)]]
        assert resolver_thread() is None
    assert names.asked == []


def test_names_are_resolved_aside_and_then_asked_too(names: Names) -> None:
    names.hold = threading.Event()
    names.known["seed"] = ["127.0.0.9", "::9", "127.0.0.10"]  # an IPv4 socket does not reach ::9
    with opened("127.0.0.7", "seed") as (_, fake):
        names.wait_asked(1)
        assert fake.joins == [[("127.0.0.7", 9)]]
        names.hold.set()
        fake.wait_joined("127.0.0.7", "127.0.0.9", "127.0.0.10")
        while (thread := resolver_thread()) is not None:
            thread.join(SOON)  # nothing waits, so it ends
    assert names.asked == ["seed"]


@pytest.mark.usefixtures("impatient")
def test_a_name_that_does_not_resolve_is_retried_and_warned_of_once(
    names: Names, caplog: pytest.LogCaptureFixture
) -> None:
    with opened("late") as (_, fake):
        names.wait_asked(5)
        names.known["late"] = ["127.0.0.9"]
        fake.wait_joined("127.0.0.9")
    all_logged()
    assert caplog.text.count("the seed 'late' does not resolve") == 1


@pytest.mark.usefixtures("impatient")
def test_a_join_attempt_resolves_anew_and_tells_only_what_changed(names: Names) -> None:
    names.known["seed"] = ["127.0.0.9"]
    with opened("seed") as (node, fake):
        fake.wait_joined("127.0.0.9")
        happen(node, JoinAttempt((Address("127.0.0.9", 9),)))
        names.wait_asked(2)
        names.known["seed"] = ["127.0.0.10"]
        happen(node, JoinAttempt((Address("127.0.0.9", 9),)))
        fake.wait_joined("127.0.0.10", "127.0.0.9")
        del names.known["seed"]
        happen(node, JoinAttempt((Address("127.0.0.10", 9),)))
        names.wait_asked(len(names.asked) + 1)
        names.known["seed"] = ["127.0.0.11"]
        fake.wait_joined("127.0.0.11", "127.0.0.9", "127.0.0.10")
    assert fake.hosts()[:3] == [[], ["127.0.0.9"], ["127.0.0.10", "127.0.0.9"]]


def test_an_attempt_that_the_own_join_caused_resolves_nothing_again(names: Names) -> None:
    names.known["seed"] = ["127.0.0.9"]
    with opened("seed") as (node, fake):
        fake.wait_joined("127.0.0.9")
        happen(node, JoinAttempt((Address("127.0.0.9", 9),)))
    assert names.asked == ["seed"]


def test_join_replaces_the_seeds(names: Names) -> None:
    names.known = {"one": ["127.0.0.1"], "two": ["127.0.0.2"]}
    with opened("one") as (node, fake):
        fake.wait_joined("127.0.0.1")
        node.join("one:9, two:9")
        fake.wait_joined("127.0.0.1", "127.0.0.2")
        node.join([("127.0.0.3", 9)])
        fake.wait_joined("127.0.0.3")
        with pytest.raises(ConfigError, match="join:"):
            node.join("two:nine")
        node.join([])
        fake.wait_joined()
    assert names.asked == ["one", "two"]


def test_a_seed_of_the_other_ip_version_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with opened("[::1]", "127.0.0.7") as (_, fake):
        assert fake.joins == [[("127.0.0.7", 9)]]
    all_logged()
    assert "this node can't reach the seed [::1]:9" in caplog.text


def test_closing_does_not_wait_for_a_name_service_that_hangs(names: Names) -> None:
    names.hold = threading.Event()
    with opened("stuck"):
        names.wait_asked(1)
    stuck = resolver_thread()
    assert stuck is not None
    names.hold.set()
    stuck.join(SOON)


def test_no_thread_waits_between_two_tries(names: Names) -> None:
    with opened("late"):
        names.wait_asked(1)
        wait_until(lambda: resolver_thread() is None)


def test_a_first_seed_that_is_slow_to_resolve_delays_a_wildcard_by_little(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opening, "FIRST_LOOK_UP", 0.01)
    names.hold = threading.Event()
    with open_node("0.0.0.0:0", join="slow:9", config=FakeConfig()) as node:
        assert not names.hold.is_set()
        assert node.local.address.host != "0.0.0.0"
    names.hold.set()


def test_names_to_listen_on_and_to_advertise(names: Names) -> None:
    names.known = {"here": ["127.0.0.1"], "outside": ["2001:db8::1", "192.0.2.9"]}
    with open_node("here:0", advertise="outside:5", config=FakeConfig()) as node:
        assert node.local.address == ("192.0.2.9", 5)
    with open_node(HERE, advertise="outside", config=FakeConfig()) as node:
        assert node.local.address.port > 0
    with pytest.raises(BindError, match="'nowhere', the host to listen on, does not resolve: Name or service"):
        open_node("nowhere:0", config=FakeConfig())
    with pytest.raises(ConfigError, match="advertise: 'nowhere' does not resolve"):
        open_node(HERE, advertise="nowhere", config=FakeConfig())


def test_a_wildcard_with_a_first_seed_that_does_not_resolve_takes_another_route(names: Names) -> None:
    with open_node("0.0.0.0:0", join="nowhere:9", config=FakeConfig()) as node:
        assert node.local.address.host != "0.0.0.0"


@pytest.mark.parametrize("host", ["", "x" * 70 + ".example", "a..b"])
def test_what_is_no_name_at_all_is_an_os_error(host: str) -> None:
    assert numeric(host, 9) is None
    with pytest.raises(OSError, match=r"name|label|known|address"):
        resolve(host, 9, ())


def test_numeric_hosts_are_told_from_names() -> None:
    cases: list[tuple[str, str | None]] = [("::ffff:127.0.0.1", "127.0.0.1"), ("fe80::1%eth0", "fe80::1"), ("x", None)]
    for host, expected in cases:
        address = numeric(host, 9)
        assert (address and address.host) == expected
