"""The address that a node advertises: the one asked for, one from a route, a guess, and what is refused."""

import pytest

from swim_core import Address, Config, ConfigError, KeyMissing
from swim_core.embedding.advertising import advertised_address, check_exposure, label_warning, names_itself
from swim_core.smudge import SmudgeConfig


class Routes:
    """A routing table for the test."""

    def __init__(self, **by_destination: str) -> None:
        self.by_destination = by_destination
        self.asked: list[str] = []

    def __call__(self, destination: Address) -> str | None:
        self.asked.append(destination.host)
        for start, source in self.by_destination.items():
            if destination.host.startswith(start.removeprefix("to_").replace("_", ".")):
                return source
        return None


def test_a_bound_address_is_advertised_as_it_is() -> None:
    routes = Routes()
    chosen = advertised_address(Address("10.0.0.7", 5), None, [], dual_stack=False, route_source=routes)
    assert (chosen.address, chosen.notice, routes.asked) == (("10.0.0.7", 5), None, [])


def test_what_the_user_advertises_is_taken_and_port_0_is_the_bound_one() -> None:
    for port, expected in ((0, 5), (9, 9)):
        chosen = advertised_address(
            Address("0.0.0.0", 5), Address("192.0.2.1", port), [], dual_stack=False, route_source=Routes()
        )
        assert (chosen.address, chosen.notice) == (("192.0.2.1", expected), None)


def test_advertising_a_wildcard_is_refused() -> None:
    with pytest.raises(ConfigError, match="wildcard"):
        advertised_address(Address("0.0.0.0", 5), Address("::", 0), [], dual_stack=False, route_source=Routes())


def test_a_wildcard_takes_the_route_to_the_first_seed_that_it_can_reach() -> None:
    routes = Routes(to_10="10.0.0.7", to_198="203.0.113.7")
    seeds = [Address("fd00::1", 1), Address("10.0.0.1", 1), Address("10.9.9.9", 1)]
    chosen = advertised_address(Address("0.0.0.0", 5), None, seeds, dual_stack=False, route_source=routes)
    assert chosen.address == ("10.0.0.7", 5)
    assert not chosen.doubtful
    assert "10.0.0.7:5" in (chosen.notice or "")
    assert routes.asked == ["10.0.0.1"]


def test_a_wildcard_without_a_seed_takes_the_default_route() -> None:
    routes = Routes(to_198="203.0.113.7")
    chosen = advertised_address(Address("::", 5), None, [], dual_stack=True, route_source=routes)
    assert chosen.address == ("203.0.113.7", 5)
    assert routes.asked == ["2001:db8::1", "198.51.100.1"]
    assert not chosen.doubtful


def test_a_wildcard_without_any_route_takes_loopback_and_warns() -> None:
    chosen = advertised_address(Address("::", 5), None, [], dual_stack=False, route_source=(routes := Routes()))
    assert chosen.address == ("::1", 5)
    assert chosen.doubtful
    assert routes.asked == ["2001:db8::1"]


EVERYWHERE = [Address(host, 7946) for host in ("0.0.0.0", "::", "10.0.0.1", "fe80::1")]


def test_a_node_that_other_hosts_can_reach_needs_a_key_and_is_told_what_to_type() -> None:
    for bound in EVERYWHERE:
        with pytest.raises(KeyMissing) as caught:
            check_exposure(bound, Config.lan(), sealed=False, insecure=False)
        message = str(caught.value)
        for words in (str(bound), "swim keygen swim.key", "SWIM_KEY_FILE", "--insecure", "SWIM_INSECURE=1"):
            assert words in message
        assert check_exposure(bound, Config.lan(), sealed=True, insecure=False) is None
        assert check_exposure(bound, Config.lan(), sealed=False, insecure=True) is None
    for host in ("127.0.0.2", "::1"):
        assert check_exposure(Address(host, 1), Config.lan(), sealed=False, insecure=False) is None


def test_a_protocol_that_cannot_be_sealed_is_warned_of() -> None:
    for bound in EVERYWHERE:
        warning = check_exposure(bound, SmudgeConfig(), sealed=False, insecure=False)
        assert "forge deaths and broadcasts" in (warning or "")
        assert check_exposure(bound, SmudgeConfig(), sealed=False, insecure=True) is None
    assert check_exposure(Address("127.0.0.1", 1), SmudgeConfig(), sealed=False, insecure=False) is None


def test_a_cluster_beyond_loopback_without_a_label_is_warned_of() -> None:
    for host in ("0.0.0.0", "::", "10.0.0.1"):
        assert "SWIM_CLUSTER" in (label_warning(Address(host, 1), Config.lan()) or "")
        assert label_warning(Address(host, 1), Config.lan(cluster="orders")) is None
        assert label_warning(Address(host, 1), SmudgeConfig()) is None
    assert label_warning(Address("127.0.0.1", 1), Config.lan()) is None


def test_a_loopback_seed_beside_others_is_the_nodes_own_name() -> None:
    routes = Routes(to_127="127.0.0.1", to_10="10.0.0.7")
    seeds = [Address("127.0.1.1", 1), Address("10.0.0.1", 1)]
    chosen = advertised_address(Address("0.0.0.0", 5), None, seeds, dual_stack=False, route_source=routes)
    assert chosen.address == ("10.0.0.7", 5)
    assert not chosen.doubtful


def test_where_all_seeds_are_on_this_host_so_is_the_cluster() -> None:
    routes = Routes(to_127="127.0.0.1", to_198="203.0.113.7")
    seeds = [Address("127.0.0.1", 1), Address("127.0.0.2", 1)]
    chosen = advertised_address(Address("0.0.0.0", 5), None, seeds, dual_stack=False, route_source=routes)
    assert chosen.address == ("127.0.0.1", 5)


def test_without_a_route_the_hosts_own_addresses_are_guessed_from_with_a_warning() -> None:
    hosts = ["fd00::7", "10.0.0.7", "10.0.0.8"]
    chosen = advertised_address(
        Address("0.0.0.0", 5),
        None,
        [Address("127.0.1.1", 1), Address("192.0.2.1", 1)],
        dual_stack=False,
        route_source=Routes(to_127="127.0.0.1"),
        hosts=lambda: hosts,
    )
    assert chosen.address == ("10.0.0.7", 5)
    assert chosen.doubtful
    assert "guess" in (chosen.notice or "")


@pytest.mark.parametrize(
    ("bound", "dual_stack", "advertise"),
    [
        ("0.0.0.0", False, "fd77::1"),
        ("fd77::1", False, "10.0.0.7"),
        ("0.0.0.0", False, "::1"),
        ("::", False, "10.0.0.7"),
    ],
)
def test_an_address_of_an_ip_version_that_the_socket_does_not_speak_is_refused(
    bound: str, dual_stack: bool, advertise: str
) -> None:
    with pytest.raises(ConfigError, match=r"advertise: .* is IPv., .* speaks IPv. only: bind"):
        advertised_address(Address(bound, 5), Address(advertise, 0), [], dual_stack=dual_stack, route_source=Routes())


@pytest.mark.parametrize(
    ("bound", "advertise"), [("127.0.0.1", "10.0.0.7"), ("0.0.0.0", "127.0.0.1"), ("10.0.0.7", "127.0.0.1")]
)
def test_loopback_on_one_side_only_is_warned_of(bound: str, advertise: str) -> None:
    chosen = advertised_address(Address(bound, 5), Address(advertise, 0), [], dual_stack=False, route_source=Routes())
    assert chosen.address == (advertise, 5)
    assert chosen.doubtful


def test_both_ip_versions_may_be_advertised_from_a_dual_stack() -> None:
    for host in ("10.0.0.7", "fd00::7"):
        chosen = advertised_address(Address("::", 5), Address(host, 0), [], dual_stack=True, route_source=Routes())
        assert (chosen.address, chosen.notice) == ((host, 5), None)


def test_a_name_that_stands_for_loopback_is_the_hosts_own_unless_it_says_so() -> None:
    own, elsewhere = Address("127.0.1.1", 1), Address("10.0.0.1", 1)
    assert names_itself("host-a", own)
    assert names_itself("host-a.example.org.", own)
    assert not names_itself("host-a", elsewhere)
    assert not names_itself("localhost", own)
    assert not names_itself("127.0.1.1", own)
    assert not names_itself("::1", Address("::1", 1))
