"""Under which address members know each other, where the kernel decides: hosts as network namespaces."""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from support.hosts import BOTH_WAYS, Host, Running, connected, new_hosts

pytestmark = [pytest.mark.sockets, pytest.mark.processes]

AGENT = [sys.executable, "-m", "swim_anyio", "agent", "--format", "json"]
QUICK = ["--probe-interval", "0.2", "--stall-tolerance", "2"]


@pytest.fixture(params=BOTH_WAYS)
def new_host(request: pytest.FixtureRequest) -> Iterator[Callable[[], Host]]:
    """Makes hosts without any network, for members without keys and with one."""
    with new_hosts(BOTH_WAYS[request.param]) as make:
        yield make


def agent(host: Host, name: str, *arguments: str, driver: str = "loop") -> Running:
    own = ("--name", name, *QUICK, "--bind", "0.0.0.0:7946")
    return host.run("env", f"SWIM_DRIVER={driver}", *AGENT, *own, *arguments)


def alive(name: str, address: str) -> Callable[[dict[str, Any]], object]:
    """A record that says this."""
    return lambda line: (line["event"], line.get("member"), line.get("address")) == ("alive", name, f"{address}:7946")


def test_a_member_on_two_networks_speaks_to_both_from_where_it_is_known(new_host: Callable[[], Host]) -> None:
    """To c the route of b leads from another address than the one that b advertises; c reaches that through b."""
    a, b, c = new_host(), new_host(), new_host()
    connected([a, b, c])
    for host, *addresses in ((a, "10.77.0.1"), (b, "10.77.0.2", "10.78.0.2"), (c, "10.78.0.3")):
        for address in addresses:
            host.ip("address", "add", f"{address}/24", "dev", "eth0")
    b.execute("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv4.conf.all.send_redirects=0")
    a.ip("route", "add", "default", "via", "10.77.0.2")
    c.ip("route", "add", "default", "via", "10.78.0.2")
    one = agent(a, "a")
    two = agent(b, "b", "--join", "10.77.0.1:7946")
    three = agent(c, "c", "--join", "10.77.0.1:7946")
    two.wait_for(alive("c", "10.78.0.3"))
    three.wait_for(alive("b", "10.77.0.2"))
    two.say("send c straight")
    three.wait_for(lambda line: line["event"] == "message" and line["data"] == "straight")
    one.say("leave")
    for node in (two, three):
        node.wait_for(lambda line: (line["event"], line.get("member")) == ("left", "a"))
    two.say("send c straight again")
    three.wait_for(lambda line: line["event"] == "message" and line["data"] == "straight again")
    assert not [line for node in (two, three) for line in node.lines if line["event"] in ("suspect", "dead")]


DRIVERS = pytest.mark.parametrize("driver", ["thread", "loop"])


def test_a_seed_that_is_ones_own_name_does_not_decide_what_is_advertised(new_host: Callable[[], Host]) -> None:
    """One list of seeds for all hosts, and each host's own name stands for 127.0.1.1, as under Debian."""
    hosts = {"a": new_host(), "b": new_host()}
    connected(list(hosts.values()))
    for number, (own, host) in enumerate(hosts.items(), 1):
        host.ip("address", "add", f"10.77.0.{number}/24", "dev", "eth0")
        rows = [f"{'127.0.1.1' if name == own else f'10.77.0.{n}'} host-{name}" for n, name in enumerate(hosts, 1)]
        host.hosts_file("\n".join(["127.0.0.1 localhost", *rows, ""]))
    seeds = ["--join", "host-a:7946", "--join", "host-b:7946"]
    one, two = (agent(host, name, *seeds) for name, host in hosts.items())
    one.wait_for(alive("b", "10.77.0.2"))
    two.wait_for(alive("a", "10.77.0.1"))


def test_ones_own_name_as_the_only_seed_leads_to_a_guess(new_host: Callable[[], Host]) -> None:
    host = new_host()
    connected([host])
    host.ip("address", "add", "10.77.0.1/24", "dev", "eth0")
    host.hosts_file("127.0.0.1 localhost\n127.0.1.1 host-a\n")
    node = agent(host, "a", "--join", "host-a:7946")
    node.wait_for(lambda line: line["event"] == "started" and line["address"] == "10.77.0.1:7946")
    assert "a guess from the interfaces of this host" in node.end()


@DRIVERS
def test_a_member_that_was_there_before_its_network_joins_once_that_is(
    new_host: Callable[[], Host], driver: str
) -> None:
    a, b = new_host(), new_host()
    connected([a, b])
    a.ip("address", "add", "10.77.0.1/24", "dev", "eth0")
    b.ip("link", "set", "eth0", "down")
    one = agent(a, "a")
    two = agent(b, "b", "--join", "10.77.0.1:7946", driver=driver)
    two.wait_for(lambda line: line["event"] == "started" and line["address"] == "127.0.0.1:7946")
    b.ip("address", "add", "10.77.0.2/24", "dev", "eth0")
    b.ip("link", "set", "eth0", "up")
    one.wait_for(alive("b", "10.77.0.2"))
    two.wait_for(alive("a", "10.77.0.1"))


@DRIVERS
def test_a_member_whose_host_gets_another_address_moves_there(new_host: Callable[[], Host], driver: str) -> None:
    a, b = new_host(), new_host()
    connected([a, b])
    for number, host in enumerate((a, b), 1):
        host.ip("address", "add", f"10.77.0.{number}/24", "dev", "eth0")
    one = agent(a, "a")
    two = agent(b, "b", "--join", "10.77.0.1:7946", "--log-level", "info", driver=driver)
    one.wait_for(alive("b", "10.77.0.2"))
    b.ip("address", "add", "10.77.0.99/24", "dev", "eth0")
    b.ip("address", "del", "10.77.0.2/24", "dev", "eth0")
    b.ip("address", "replace", "10.77.0.99/24", "dev", "eth0")  # it went with the first of its network
    moved = ("updated", "b", "10.77.0.99:7946")
    one.wait_for(lambda line: (line["event"], line.get("member"), line.get("address")) == moved)
    one.say("send b there")
    two.wait_for(lambda line: line["event"] == "message" and line["data"] == "there")
    assert "b: moved from 10.77.0.2:7946: advertising 10.77.0.99:7946" in two.end()


@DRIVERS
def test_a_node_on_loopback_says_why_it_reaches_no_other_host(new_host: Callable[[], Host], driver: str) -> None:
    host = new_host()
    connected([host])
    host.ip("address", "add", "10.77.0.2/24", "dev", "eth0")
    words = ("--name", "a", "--bind", "127.0.0.1:7946", "--join", "10.77.0.1:7946")
    node = host.run("env", f"SWIM_DRIVER={driver}", *AGENT, *words)
    node.wait_for_error("bound to 127.0.0.1, a loopback address, which reaches its own host only; bind 10.77.0.2, or 0")
    assert node.end().count("leaves this host") == 0  # it is logged once


def test_an_agent_that_was_not_told_where_to_listen_binds_nothing_for_a_seed_elsewhere(
    new_host: Callable[[], Host],
) -> None:
    host = new_host()
    connected([host])
    host.ip("address", "add", "10.77.0.2/24", "dev", "eth0")
    command = [*AGENT, "--join", "10.77.0.1:7946"]
    done = host.finished(*command)
    assert done.returncode == 2
    assert done.stderr.endswith("swim agent --bind 10.77.0.2:7946 --format json --join 10.77.0.1:7946\n")


@pytest.mark.slow
@DRIVERS
def test_a_member_that_moved_is_still_discovered(new_host: Callable[[], Host], driver: str) -> None:
    """It began on loopback because there was no network, and meets a newcomer that knows nobody."""
    a, b = new_host(), new_host()
    connected([a, b])
    a.ip("address", "add", "10.77.0.1/24", "dev", "eth0")
    a.ip("route", "add", "default", "dev", "eth0")
    b.ip("link", "set", "eth0", "down")
    two = agent(b, "b", "--discover", "multicast", driver=driver)
    two.wait_for(lambda line: line["event"] == "started" and line["address"] == "127.0.0.1:7946")
    b.ip("address", "add", "10.77.0.2/24", "dev", "eth0")
    b.ip("link", "set", "eth0", "up")
    b.ip("route", "add", "default", "dev", "eth0")
    one = agent(a, "a", "--discover", "multicast")
    one.wait_for(alive("b", "10.77.0.2"))
    two.wait_for(alive("a", "10.77.0.1"))
