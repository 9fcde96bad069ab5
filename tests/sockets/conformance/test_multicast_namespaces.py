"""Discovery by multicast between hosts, each a network namespace of its own: what loopback can't show.

Needs the right to make namespaces, which root has, and the command `ip`; otherwise all is skipped.
"""

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from support.hosts import Host
from support.paths import TESTS

pytestmark = [pytest.mark.sockets, pytest.mark.processes]

MEMBER = [sys.executable, str(TESTS / "support" / "multicast_member.py")]
AGENT = [sys.executable, "-m", "swim_anyio", "agent", "--format", "json", "--discover", "multicast"]


@pytest.fixture
def hosts(new_host: Callable[[], Host]) -> tuple[Host, Host]:
    """Two hosts on one wire: 10.77.0.1 and 10.77.0.2, fd77::1 and fd77::2. All default routes lead elsewhere."""
    one, two = new_host(), new_host()
    try:
        for host in (one, two):
            host.ip("link", "add", "elsewhere", "type", "veth", "peer", "name", "nowhere")
        one.ip("link", "add", "wire", "type", "veth", "peer", "name", "wire", "netns", two.name)
    except OSError as error:
        pytest.skip(f"no virtual wires here: {error}")
    for number, host in enumerate((one, two), 1):
        for name in ("elsewhere", "nowhere"):
            host.ip("link", "set", name, "up")
        host.ip("address", "add", f"10.88.0.{number}/24", "dev", "elsewhere")
        host.ip("address", "add", f"fd88::{number}/64", "dev", "elsewhere", "nodad")
        host.ip("route", "add", "default", "dev", "elsewhere")
        host.ip("-6", "route", "add", "default", "dev", "elsewhere")
        host.ip("address", "add", f"10.77.0.{number}/24", "dev", "wire")
        host.ip("address", "add", f"fd77::{number}/64", "dev", "wire", "nodad")
        host.ip("link", "set", "wire", "addrgenmode", "none")  # no link-local address, that would have to settle
    for host in (one, two):
        host.ip("link", "set", "wire", "up")
    return one, two


BINDS = {
    "IPv4": ("10.77.0.1:0", "10.77.0.2:0"),
    "IPv6": ("[fd77::1]:0", "[fd77::2]:0"),
    "IPv4 beside a wildcard": ("10.77.0.1:0", "0.0.0.0:7946"),
}


@pytest.mark.parametrize("adapters", ["threads asyncio", "trio threads"])
@pytest.mark.parametrize("binds", BINDS.values(), ids=BINDS)
@pytest.mark.parametrize("protocol", ["native", "smudge"])
def test_nodes_on_different_hosts_find_each_other(
    hosts: tuple[Host, Host], binds: tuple[str, str], adapters: str, protocol: str
) -> None:
    if binds[1].startswith("0."):
        hosts[1].ip("route", "replace", "default", "dev", "wire")  # by which a wildcard learns its address
    nodes = [
        host.run(*MEMBER, adapter, protocol, bind, name)
        for name, host, adapter, bind in zip("ab", hosts, adapters.split(), binds, strict=True)
    ]
    for node, bind in zip(nodes, reversed(binds), strict=True):
        node.wait_for(partial(_met, bind.replace("0.0.0.0", "10.77.0.2").rpartition(":")[0]))
    for node in nodes:
        node.end()


def _met(host: str, line: dict[str, Any]) -> bool:
    return "met" in line and line["at"].rpartition(":")[0] == host


def test_agents_on_different_hosts_find_each_other(hosts: tuple[Host, Host]) -> None:
    one, two = (
        host.run(*AGENT, "--bind", f"{address}:7946", "--name", address, "--backend", backend)
        for host, address, backend in zip(hosts, ("10.77.0.1", "10.77.0.2"), ("asyncio", "trio"), strict=True)
    )
    one.wait_for(lambda line: (line["event"], line.get("member")) == ("alive", "10.77.0.2"))
    two.wait_for(lambda line: (line["event"], line.get("member")) == ("alive", "10.77.0.1"))
    for agent in (one, two):
        agent.end()


@pytest.mark.parametrize("adapter", ["threads", "asyncio", "trio"])
def test_a_host_without_a_multicast_route_warns_once_and_its_node_goes_on(
    new_host: Callable[[], Host], adapter: str
) -> None:
    """Its only interface is the loopback one, over which IPv6 routes no multicast."""
    host = new_host()
    host.ip("link", "set", "lo", "up")
    node = host.run(*MEMBER, adapter, "native", "[::1]:7001", "a")
    node.ask_until(lambda answer: answer["announced"] > 3)
    host.run(*MEMBER, "threads", "native", "[::1]:0", "b", "[::1]:7001")
    node.wait_for(lambda line: line.get("met") == "b")
    assert node.end() == "a: announcements to [ff15::7377:696d]:27946 don't leave this host: Network is unreachable\n"


def test_a_host_without_an_interface_warns_once_and_its_node_goes_on(new_host: Callable[[], Host]) -> None:
    host = new_host()
    node = host.run(*MEMBER, "threads", "native", "0.0.0.0:7001", "a")
    node.ask_until(lambda answer: answer["announced"] == 0)
    warnings = node.end().splitlines()
    assert [line for line in warnings if "multicast" in line] == ["a: no discovery by multicast: No such device"]
