"""Under which address members know each other, where the kernel decides: hosts as network namespaces."""

import sys
from collections.abc import Callable
from typing import Any

import pytest

from support.hosts import Host, Running, connected

pytestmark = [pytest.mark.sockets, pytest.mark.processes]

AGENT = [sys.executable, "-m", "swim_anyio", "agent", "--format", "json"]
QUICK = ["--probe-interval", "0.2", "--stall-tolerance", "2"]


def agent(host: Host, name: str, *arguments: str) -> Running:
    return host.run(*AGENT, "--name", name, *QUICK, "--bind", "0.0.0.0:7946", *arguments)


def alive(name: str, address: str) -> Callable[[dict[str, Any]], object]:
    """A record that says so."""
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
