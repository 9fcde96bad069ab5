"""Smudge's settings: the original's variables and defaults, errors that name what is wrong, nothing that floods."""

from math import inf
from typing import Any, get_type_hints

import attrs
import pytest

from swim_core import ConfigError, Multicast, ProtocolConfig
from swim_core.smudge import SmudgeConfig, SmudgeConfigFields, SmudgeNode
from swim_core.smudge.roundtrips import RoundTrips

DEFAULTS = {
    "cluster_name": "smudge",
    "heartbeat_millis": 500,
    "initial_hosts": (),
    "listen_port": 9999,
    "listen_ip": "127.0.0.1",
    "max_broadcast_bytes": 256,
    "multicast_enabled": True,
    "multicast_address": "",
    "multicast_port": 9998,
    "multicast_announce_interval": 10,
    "min_ping_time": 150,
    "ping_history_frontload": 200,
}
USABLE: dict[str, tuple[str, object]] = {
    "cluster_name": (" Mine ", " Mine "),
    "heartbeat_millis": ("+75", 75),
    "initial_hosts": (" a, b:080 ,c  [fd77::1]:5,", (("a", 0), ("b", 80), ("c", 0), ("fd77::1", 5))),
    "listen_port": ("7000", 7000),
    "listen_ip": ("fd77::1", "fd77::1"),
    "max_broadcast_bytes": ("512", 512),
    "multicast_enabled": ("false", False),
    "multicast_address": ("[ff05::1]", "[ff05::1]"),
    "multicast_port": ("7777", 7777),
    "multicast_announce_interval": ("0", 0),
    "min_ping_time": ("100", 100),
    "ping_history_frontload": ("300", 300),
}
UNUSABLE = {
    "cluster_name": ["x" * 256],
    "heartbeat_millis": ["0", "-5", "9", " 99", "1.5", "0x10", "abc", "1_000", "9" * 30],
    "initial_hosts": ["host:99999", "host:x", "[::1", ":9999"],
    "listen_port": ["70000", "-1"],
    "listen_ip": ["localhost", "1.2.3"],
    "max_broadcast_bytes": ["0", "2001", "65536"],
    "multicast_address": ["10.0.0.1", "somewhere"],
    "multicast_port": ["0", "65536"],
    "multicast_announce_interval": ["-1"],
    "min_ping_time": ["-1"],
    "ping_history_frontload": ["10001"],
}


def test_the_defaults_are_the_originals() -> None:
    config = SmudgeConfig()
    assert {name: getattr(config, name) for name in DEFAULTS} == DEFAULTS
    assert SmudgeConfig.from_env({}) == config
    assert SmudgeConfig.from_env({f"SMUDGE_{name.upper()}": "" for name in DEFAULTS}) == config


@pytest.mark.parametrize("name", USABLE)
def test_each_variable_is_read_and_an_argument_wins_over_it(name: str) -> None:
    text, value = USABLE[name]
    environ = {f"SMUDGE_{name.upper()}": text}
    assert getattr(SmudgeConfig.from_env(environ), name) == value
    overrides: Any = {name: DEFAULTS[name]}
    assert getattr(SmudgeConfig.from_env(environ, **overrides), name) == DEFAULTS[name]


@pytest.mark.parametrize(("name", "text"), [(name, text) for name, texts in UNUSABLE.items() for text in texts])
def test_what_cant_be_used_is_an_error_that_names_the_variable(name: str, text: str) -> None:
    with pytest.raises(ConfigError, match=f"^SMUDGE_{name.upper()}: "):
        SmudgeConfig.from_env({f"SMUDGE_{name.upper()}": text})


@pytest.mark.parametrize(("text", "on"), [("true", True), ("T", True), ("false", False), ("1", False), ("yes", False)])
def test_multicast_is_on_if_the_first_letter_is_t(text: str, on: bool) -> None:
    assert SmudgeConfig.from_env({"SMUDGE_MULTICAST_ENABLED": text}).multicast_enabled is on


def test_other_variables_are_not_read() -> None:
    assert SmudgeConfig.from_env({"SMUDGE_EVENT_BUFFER": "7", "SMUDGE_MAX_MEMBERS": "x"}) == SmudgeConfig()


@pytest.mark.parametrize("value", [True, 500.0, "500", None])
def test_numbers_are_whole_numbers(value: Any) -> None:
    with pytest.raises(ConfigError, match="heartbeat_millis must be a whole number"):
        SmudgeConfig(heartbeat_millis=value)


def test_an_empty_port_is_none() -> None:
    hosts = SmudgeConfig(initial_hosts="10.0.0.1: [fd77::1]: fd77::2 b:7").initial_hosts
    assert hosts == (("10.0.0.1", 0), ("fd77::1", 0), ("fd77::2", 0), ("b", 7))


def test_bad_seeds_beside_good_ones_are_names_that_dont_resolve() -> None:
    """The original logs them and goes on; here the adapter does so, since the look-up fails."""
    environ = {"SMUDGE_INITIAL_HOSTS": "10.0.0.1, host:x 10.0.0.2:99999,:9999"}
    seeds = SmudgeConfig.from_env(environ).seeds
    assert seeds == (("10.0.0.1", 9999), ("host:x", 9999), ("10.0.0.2:99999", 9999), (":9999", 9999))


@pytest.mark.parametrize(
    ("hosts", "listens"),
    [
        ("", "127.0.0.1"),
        ("127.0.0.1:7000 localhost ::1", "127.0.0.1"),
        ("localhost,10.0.0.1", "0.0.0.0"),
        ("seed.example", "0.0.0.0"),
        ("10.0.0.1:99999,127.0.0.1", "127.0.0.1"),
        ("[fd77::1]:9999", "::"),
    ],
)
def test_a_seed_elsewhere_is_met_though_nothing_says_where_to_listen(hosts: str, listens: str) -> None:
    """As in the original, which listens on all addresses in any case."""
    environ = {"SMUDGE_INITIAL_HOSTS": hosts}
    assert SmudgeConfig.from_env(environ).listen == (listens, 9999)
    assert SmudgeConfig.from_env(environ, listen_ip="127.0.0.1").listen_ip == "127.0.0.1"
    assert SmudgeConfig.from_env({**environ, "SMUDGE_LISTEN_IP": "127.0.0.1"}).listen_ip == "127.0.0.1"


def test_round_trips_of_no_time_at_all_may_count_as_such() -> None:
    trips = RoundTrips(SmudgeConfig(min_ping_time=0, ping_history_frontload=0))
    for _ in range(60):
        trips.add(0.0002)
    assert trips.timeout == trips.patience == 0.001


def test_seeds_listen_where_this_node_does_unless_said() -> None:
    config = SmudgeConfig(initial_hosts=["10.0.0.1", ("b", 7), "10.0.0.1"], listen_port=7000)
    assert config.seeds == (("10.0.0.1", 7000), ("b", 7))


@pytest.mark.parametrize("hosts", [[("b", 70_000)], [5], [("a",)], [("a", "x")], ["a b"]])
def test_seeds_that_are_none_are_refused(hosts: Any) -> None:
    with pytest.raises(ConfigError, match="initial_hosts"):
        SmudgeConfig(initial_hosts=hosts)


def test_discovery_is_on_as_in_the_original() -> None:
    default = Multicast(ipv4=("224.0.0.0", 9998), ipv6=("ff02::1", 9998), interval=10)
    assert SmudgeConfig().discovery == default
    assert SmudgeConfig(multicast_enabled=False).discovery is None
    other = SmudgeConfig(multicast_address="[ff15::7777%eth0]", multicast_port=5, multicast_announce_interval=0)
    assert other.discovery == Multicast(ipv4=("224.0.0.0", 5), ipv6=("ff15::7777", 5), interval=inf)


def test_sources_are_networks() -> None:
    assert [str(n) for n in SmudgeConfig(allowed_sources=["10.0.0.0/8", "fd77::1"]).allowed_sources] == [
        "10.0.0.0/8",
        "fd77::1/128",
    ]
    with pytest.raises(ConfigError, match="allowed_sources"):
        SmudgeConfig(allowed_sources=["everyone"])


def test_copies_are_validated() -> None:
    assert SmudgeConfig().replace(heartbeat_millis=250).interval == 0.25
    with pytest.raises(ConfigError, match="heartbeat_millis"):
        SmudgeConfig().replace(heartbeat_millis=0)


def test_the_overrides_are_the_fields() -> None:
    assert set(get_type_hints(SmudgeConfigFields)) == {field.name for field in attrs.fields(SmudgeConfig)}


def test_it_makes_nodes_named_by_their_address() -> None:
    config: ProtocolConfig = SmudgeConfig()
    node = config.create_node("label", ("10.0.0.1", 9999), now=0.0, entropy=bytes(32), unix_ms=0)
    assert isinstance(node, SmudgeNode)
    assert node.local.name == "10.0.0.1:9999"
    with pytest.raises(ConfigError, match="metadata"):
        config.create_node("x", ("10.0.0.1", 9999), now=0.0, entropy=bytes(32), unix_ms=0, metadata={"a": "b"})


@pytest.mark.parametrize(
    ("address", "entropy", "now"),
    [
        (("10.0.0.1", 0), bytes(32), 0.0),
        (("0.0.0.0", 1), bytes(32), 0.0),
        (("224.0.0.1", 1), bytes(32), 0.0),
        (("host", 1), bytes(32), 0.0),
        (("10.0.0.1", 1), bytes(15), 0.0),
        (("10.0.0.1", 1), bytes(32), inf),
    ],
)
def test_nodes_that_could_not_be_reached_are_refused(address: tuple[str, int], entropy: bytes, now: float) -> None:
    with pytest.raises(ConfigError):
        SmudgeConfig().create_node("x", address, now=now, entropy=entropy, unix_ms=0)
