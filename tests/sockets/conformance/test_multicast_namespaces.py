"""Discovery by multicast between hosts, each a network namespace of its own: what loopback can't show.

Needs the right to make namespaces, which root has, and the command `ip`; otherwise all is skipped.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import count
from typing import Any

import pytest

from support.paths import TESTS

pytestmark = [pytest.mark.sockets, pytest.mark.processes]

MEMBER = [sys.executable, str(TESTS / "support" / "multicast_member.py")]
AGENT = [sys.executable, "-m", "swim_anyio", "agent", "--format", "json", "--discover", "multicast"]
PATIENCE = 30.0  # seconds: for the slowest machine; nothing waits so long on another


def ip(*arguments: str) -> None:
    """Change the network.

    Raises:
        OSError: if that can't be.
    """
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


class Running:
    """A process in a namespace, and the JSON lines that it prints."""

    def __init__(self, *command: str) -> None:
        self.lines: list[dict[str, Any]] = []
        self._news = threading.Condition()
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("SWIM_", "SMUDGE_"))}
        self._process = subprocess.Popen(
            command, env=kept, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, wanted: Callable[[dict[str, Any]], object]) -> None:
        """Until it has printed such a line."""
        with self._news:
            met = self._news.wait_for(lambda: any(map(wanted, self.lines)), PATIENCE)
        if not met:
            self._process.kill()
            assert self._process.stderr is not None
            pytest.fail(f"{self.lines} {self._process.stderr.read()}")

    def ask_until(self, wanted: Callable[[dict[str, Any]], object]) -> None:
        """Ask until it answers so."""
        end = time.monotonic() + PATIENCE
        while not wanted(self._ask()):
            assert time.monotonic() < end, self.lines
            time.sleep(0.02)

    def end(self) -> str:
        """End it in peace; returns what it wrote to standard error."""
        assert self._process.stdin is not None
        assert self._process.stderr is not None
        self._write("leave\n")
        self._process.stdin.close()
        assert self._process.wait(PATIENCE) == 0
        return self._process.stderr.read()

    def close(self) -> None:
        """Leave nothing behind."""
        self._process.kill()
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    def _ask(self) -> dict[str, Any]:
        with self._news:
            known = len(self.lines)
            self._write("?\n")
            assert self._news.wait_for(lambda: any("announced" in line for line in self.lines[known:]), PATIENCE)
            return next(line for line in self.lines[known:] if "announced" in line)

    def _write(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            with self._news:
                self.lines.append(json.loads(line))
                self._news.notify_all()


class Host:
    """A network namespace, and what runs in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._running: list[Running] = []
        ip("netns", "add", name)

    def ip(self, *arguments: str) -> None:
        """Change its network."""
        ip("-n", self.name, *arguments)

    def run(self, *command: str) -> Running:
        """Start a process here."""
        process = Running("ip", "netns", "exec", self.name, *command)
        self._running.append(process)
        return process

    def close(self) -> None:
        """Leave nothing behind."""
        for process in self._running:
            process.close()
        ip("netns", "del", self.name)


@pytest.fixture
def new_host() -> Iterator[Callable[[], Host]]:
    """Makes hosts without any network; skips where that can't be."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs root and the command ip, to make network namespaces")
    with ExitStack() as stack:

        def make() -> Host:
            try:
                host = Host(f"swim-{os.getpid()}-{next(numbers)}")
            except OSError as error:
                pytest.skip(f"no network namespaces here: {error}")
            stack.callback(host.close)
            return host

        numbers = count()
        yield make


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
