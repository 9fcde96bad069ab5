"""Settings of discovery by multicast, and what `open_node` makes of them."""

from datetime import timedelta
from math import inf, nan
from typing import Any

import pytest

from swim_core import Address, Config, ConfigError, Multicast
from swim_core.embedding.arguments import read_arguments


def test_the_default_groups_are_administratively_scoped() -> None:
    assert Multicast().ipv4 == ("239.255.115.119", 27946)  # RFC 2365: 239.255.0.0/16 is the local scope
    assert Multicast().ipv6 == ("ff15::7377:696d", 27946)  # RFC 4291: transient (1), site-local (5)


def test_a_group_is_text_or_a_pair_and_loses_its_zone() -> None:
    assert Multicast(ipv4="239.1.2.3").ipv4 == ("239.1.2.3", 27946)
    assert Multicast(ipv4=("224.0.0.0", 9998)).ipv4 == ("224.0.0.0", 9998)
    assert Multicast(ipv6="[FF02:0::1%eth0]:9998").ipv6 == Address("ff02::1", 9998)


def test_the_group_follows_from_the_address_of_the_node() -> None:
    multicast = Multicast()
    assert multicast.group_for(Address("10.0.0.1", 1)) == multicast.ipv4
    assert multicast.group_for(Address("fd00::1", 1)) == multicast.ipv6


def test_an_interval_is_seconds_or_timedelta_or_for_ever() -> None:
    assert Multicast().interval == 10.0
    assert Multicast(interval=timedelta(minutes=1)).interval == 60.0
    assert Multicast(interval=inf).interval == inf


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"ipv4": "10.0.0.1:1"}, "ipv4 must be the address of an IPv4 multicast group, not 10.0.0.1:1"),
        ({"ipv4": "[ff02::1]:1"}, r"ipv4 must be the address of an IPv4 multicast group, not \[ff02::1\]:1"),
        ({"ipv6": "239.1.2.3:1"}, "ipv6 must be the address of an IPv6 multicast group, not 239.1.2.3:1"),
        ({"ipv6": "[::1]:1"}, "ipv6 must be the address of an IPv6 multicast group"),
        ({"ipv4": "239.1.2.3:0"}, "port 0"),
        ({"ipv4": "all-hosts.example:1"}, "not a numeric IP address"),
        ({"ipv4": 7}, "a pair of a numeric host and a port"),
        ({"interval": 0.0}, "interval must be at least 0.1"),
        ({"interval": nan}, "interval must be at least 0.1"),
        ({"interval": "10"}, "interval must be at least 0.1"),
        ({"interval": True}, "interval must be at least 0.1"),
        ({"hops": 0}, "hops must be a whole number from 1 to 255, not 0"),
        ({"hops": 256}, "hops must be"),
        ({"hops": 1.0}, "hops must be"),
        ({"hops": True}, "hops must be"),
    ],
)
def test_what_can_not_be_used_is_refused_by_name(fields: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        Multicast(**fields)


def read(**arguments: Any) -> Multicast | None:
    return read_arguments(environ={}, hostname="alpha", suffix="c0ffee", **arguments).discover


class Talkative(Config, frozen=True):
    """Settings of a protocol that discovers by itself."""

    @property
    def discovery(self) -> Multicast:
        return Multicast(interval=3)


def test_the_native_protocol_discovers_where_it_is_asked_to() -> None:
    assert Config.lan().discovery is None
    assert read() is None
    assert read(discover=Multicast()) == Multicast()


def test_an_argument_wins_over_what_the_configuration_says() -> None:
    assert read(config=Talkative()) == Multicast(interval=3)
    assert read(config=Talkative(), discover=Multicast(interval=5)) == Multicast(interval=5)


def test_an_argument_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"discover: pass Multicast\(\), not 'multicast'"):
        read(discover="multicast")
