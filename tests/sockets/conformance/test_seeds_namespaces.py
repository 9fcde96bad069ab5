"""Seeds that have a zone, or whose name server is silent: hosts as network namespaces."""

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.hosts import BOTH_WAYS, Host, Running, connected, new_hosts
from support.waiting import wait_until

pytestmark = [pytest.mark.sockets, pytest.mark.processes]

AGENT = [sys.executable, "-m", "swim_anyio", "agent", "--format", "json"]
QUICK = ["--probe-interval", "0.2", "--stall-tolerance", "2"]


@pytest.fixture(params=BOTH_WAYS)
def new_host(request: pytest.FixtureRequest) -> Iterator[Callable[[], Host]]:
    """Makes hosts without any network, for members without keys and with one."""
    with new_hosts(BOTH_WAYS[request.param]) as make:
        yield make


DRIVERS = pytest.mark.parametrize("driver", ["thread", "loop"])


def agent(host: Host, name: str, *arguments: str, driver: str = "loop") -> Running:
    return host.run("env", f"SWIM_DRIVER={driver}", *AGENT, "--name", name, *QUICK, *arguments)


def wait_alive(node: Running, name: str) -> None:
    node.wait_for(lambda line: (line["event"], line.get("member")) == ("alive", name))


def link_local(host: Host) -> str:
    """Its address on eth0, once it is no longer tentative."""
    host.ip("link", "set", "eth0", "addrgenmode", "eui64")
    host.ip("link", "set", "eth0", "down")
    host.execute("sysctl", "-qw", "net.ipv6.conf.eth0.accept_dad=0")
    host.ip("link", "set", "eth0", "up")
    found: list[str] = []

    def settled() -> bool:
        """Nothing can be bound to an address that is still tentative."""
        shown = host.finished("ip", "-j", "-6", "address", "show", "dev", "eth0", "scope", "link").stdout
        addresses = [address for link in json.loads(shown or "[]") for address in link.get("addr_info", [])]
        found[:] = [address["local"] for address in addresses if not address.get("tentative")]
        return len(found) == len(addresses)

    wait_until(settled)
    if not found:
        pytest.skip("no link-local addresses here")
    return found[0]


@DRIVERS
@pytest.mark.parametrize("wildcard", [True, False])
def test_a_link_local_seed_with_its_zone(new_host: Callable[[], Host], wildcard: bool, driver: str) -> None:
    a, b = new_host(), new_host()
    connected([a, b])
    first, second = link_local(a), link_local(b)
    one = agent(a, "a", "--bind", f"[{first}%eth0]:7946")
    bind = "[::]:7946" if wildcard else f"[{second}%eth0]:7946"
    two = agent(b, "b", "--bind", bind, "--join", f"[{first}%eth0]:7946", driver=driver)
    wait_alive(one, "b")
    wait_alive(two, "a")


WIRED = """
import sys, time, swim_threads
with swim_threads.open_node(sys.argv[1], join=sys.argv[2:]) as node:
    while not node.statistics().tripwires:
        time.sleep(0.01)
    print("{}", flush=True)
    sys.stdin.read()
"""


def test_a_wildcard_connects_tripwires_to_link_local_members(new_host: Callable[[], Host]) -> None:
    a, b = new_host(), new_host()
    connected([a, b])
    first = link_local(a)
    link_local(b)
    one = a.run(sys.executable, "-c", WIRED, f"[{first}%eth0]:7946")
    two = b.run(sys.executable, "-c", WIRED, "[::]:7946", f"[{first}%eth0]:7946")
    for node in (one, two):
        node.wait_for(lambda line: True)


SILENT = """
import socket, sys
server = socket.socket(type=socket.SOCK_DGRAM)  # which nobody reads
server.bind(("", 53))
print("{}", flush=True)
sys.stdin.read()
"""
PROGRAMS = {
    "threads": """
import time, swim_threads
began = time.monotonic()
with swim_threads.open_node("0.0.0.0:7946", name="a", join="seed:7946"):
    print(time.monotonic() - began)
""",
    "asyncio": """
import asyncio, time, swim_anyio
async def main():
    began = time.monotonic()
    async with swim_anyio.open_node("0.0.0.0:7946", name="a", join="seed:7946"):
        print(time.monotonic() - began)
asyncio.run(main())
""",
}


@pytest.mark.parametrize("adapter", list(PROGRAMS))
def test_a_name_server_that_says_nothing_delays_neither_start_nor_end_for_long(
    new_host: Callable[[], Host], adapter: str
) -> None:
    a, silent = new_host(), new_host()
    connected([a, silent])
    a.ip("address", "add", "10.77.0.1/24", "dev", "eth0")
    silent.ip("address", "add", "10.77.0.250/24", "dev", "eth0")
    a.hosts_file("127.0.0.1 localhost\n")
    lines = "nameserver 10.77.0.250\nsearch one.test two.test three.test\noptions ndots:5\n"
    (Path("/etc/netns") / a.name / "resolv.conf").write_text(lines)
    silent.run(sys.executable, "-c", SILENT).wait_for(lambda line: True)
    began = time.monotonic()
    done = a.finished(sys.executable, "-c", PROGRAMS[adapter])
    assert float(done.stdout) < 10, done.stderr  # 2 s on an idle machine; the resolver takes 40
    assert time.monotonic() - began < 20


VIRTUAL = "10.77.7.7"


def balance(host: Host, to: str) -> None:
    """Has datagrams of a host to the virtual address delivered to ``to``, as a balancer on each host does."""
    host.execute("nft", "flush", "ruleset")
    host.execute("nft", "add table ip lb")
    host.execute("nft", "add chain ip lb out { type nat hook output priority -100 ; }")
    host.execute("nft", f"add rule ip lb out ip daddr {VIRTUAL} udp dport 7946 dnat to {to}:7946")


@pytest.mark.skipif(shutil.which("nft") is None, reason="needs the command nft")
@pytest.mark.slow
def test_a_virtual_address_that_leads_back_to_the_asker_is_asked_again(new_host: Callable[[], Host]) -> None:
    a, b = new_host(), new_host()
    connected([a, b])
    addresses = {a: "10.77.0.1", b: "10.77.0.2"}
    nodes = {}
    for host, address in addresses.items():
        host.ip("address", "add", f"{address}/24", "dev", "eth0")
        host.ip("route", "add", "default", "dev", "eth0")
        balance(host, to=address)
        for timeout in ("udp_timeout", "udp_timeout_stream"):  # a flow keeps its translation for this many seconds
            host.execute("sysctl", "-qw", f"net.netfilter.nf_conntrack_{timeout}=1")
        arguments = ["--bind", "0.0.0.0:7946", "--advertise", address, "--join", f"{VIRTUAL}:7946"]
        command = ["env", "SWIM_JOIN_BACKOFF_MAX=2", *AGENT, "--name", address, *QUICK, *arguments]
        nodes[host] = host.run(*command)
    for node in nodes.values():
        node.wait_for_error("no answer from")
    balance(a, to=addresses[b])
    balance(b, to=addresses[a])
    wait_alive(nodes[a], addresses[b])
    wait_alive(nodes[b], addresses[a])
