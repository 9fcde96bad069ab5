"""Hosts as network namespaces, what runs in them, and the wires between them.

Needs the right to make namespaces, which root has, and the command `ip`; `new_hosts` skips without.
"""

import json
import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from support.hidden import look_through
from support.outsider import KEY

__all__ = ["BOTH_WAYS", "Host", "Running", "connected", "new_hosts"]

PATIENCE = 30.0  # seconds: for the slowest machine; nothing waits so long on another


def ip(*arguments: str) -> None:
    """Change the network.

    Raises:
        OSError: if that can't be.
    """
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


UNSEALED = {"SWIM_INSECURE": "1"}
BOTH_WAYS = {"unsealed": UNSEALED, "sealed": {"SWIM_KEY": next(iter(KEY)).reveal()}}
"""Settings of hosts, for tests that are run without keys and with one."""


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """An environment with no other settings than these."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SWIM_", "SMUDGE_"))}
    return {**kept, **settings}


class Running:
    """A process in a namespace, and the JSON lines that it prints."""

    def __init__(self, *command: str, settings: Mapping[str, str] = UNSEALED) -> None:
        self.lines: list[dict[str, Any]] = []
        self._news = threading.Condition()
        self._process = subprocess.Popen(
            command,
            env=_environment(settings),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def wait_for(self, wanted: Callable[[dict[str, Any]], object]) -> None:
        """Wait until it has printed such a line."""
        with self._news:
            met = self._news.wait_for(lambda: any(map(wanted, self.lines)), PATIENCE)
        if not met:
            pytest.fail(f"not printed within {PATIENCE:.0f} s: see what all processes said below")

    def wait_for_error(self, words: str) -> None:
        """Wait until it has written a line with these words to standard error. What it wrote so far is gone then."""
        assert self._process.stderr is not None
        for line in self._process.stderr:
            if words in line:
                return
        pytest.fail(f"ended without {words!r}")

    def ask_until(self, wanted: Callable[[dict[str, Any]], object]) -> None:
        """Ask again and again until the answer is as ``wanted``."""
        end = time.monotonic() + PATIENCE
        while not wanted(self._ask()):
            assert time.monotonic() < end, self.lines
            time.sleep(0.02)

    def kill(self) -> None:
        """End it as a crash would."""
        self._process.kill()

    def end(self) -> str:
        """End it cleanly; returns what it wrote to standard error."""
        assert self._process.stdin is not None
        assert self._process.stderr is not None
        self._write("leave\n")
        self._process.stdin.close()
        assert self._process.wait(PATIENCE) == 0
        return self._process.stderr.read()

    def close(self) -> None:
        """End it and clean up, but show its output for the report of a failed test."""
        status = self._process.poll()
        self._process.kill()
        self._process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self._process.stderr is not None
        print(f"{self._process.args!r}: status {status}, printed {self.lines}, wrote {self._process.stderr.read()!r}")
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert pipe is not None
            pipe.close()

    def _ask(self) -> dict[str, Any]:
        with self._news:
            known = len(self.lines)
            self._write("?\n")
            assert self._news.wait_for(lambda: any("announced" in line for line in self.lines[known:]), PATIENCE)
            return next(line for line in self.lines[known:] if "announced" in line)

    def say(self, line: str) -> None:
        """Write a line to its standard input."""
        self._write(f"{line}\n")

    def _write(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(text)
        self._process.stdin.flush()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            look_through("a process on a host said", line)
            with self._news:
                self.lines.append(json.loads(line))
                self._news.notify_all()


class Host:
    """A network namespace, and what runs in it.

    Args:
        name: of the namespace.
        settings: variables of what runs there; by default nodes need no key.
    """

    def __init__(self, name: str, settings: Mapping[str, str] = UNSEALED) -> None:
        self.name = name
        self._settings = settings
        self._running: list[Running] = []
        ip("netns", "add", name)

    def hosts_file(self, text: str) -> None:
        """What its programs find in place of /etc/hosts."""
        folder = Path("/etc/netns") / self.name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "hosts").write_text(text)

    def ip(self, *arguments: str) -> None:
        """Change its network."""
        ip("-n", self.name, *arguments)

    def execute(self, *command: str) -> None:
        """Run a command here to its end."""
        ip("netns", "exec", self.name, *command)

    def finished(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command here, to its end."""
        kept = _environment(self._settings)
        words = ["ip", "netns", "exec", self.name, *command]
        return subprocess.run(words, env=kept, capture_output=True, text=True, timeout=PATIENCE, check=False)

    def run(self, *command: str) -> Running:
        """Start a process here."""
        process = Running("ip", "netns", "exec", self.name, *command, settings=self._settings)
        self._running.append(process)
        return process

    def close(self) -> None:
        """End what runs here, and remove the namespace."""
        for process in self._running:
            process.close()
        ip("netns", "del", self.name)
        shutil.rmtree(Path("/etc/netns") / self.name, ignore_errors=True)


@contextmanager
def new_hosts(settings: Mapping[str, str] = UNSEALED) -> Iterator[Callable[[], Host]]:
    """Gives a function that makes hosts without any network; skips where that is impossible."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("needs root and the command ip, to make network namespaces")
    with ExitStack() as stack:

        def make() -> Host:
            try:
                host = Host(f"swim-{os.getpid()}-{next(numbers)}", settings)
            except OSError as error:
                pytest.skip(f"no network namespaces here: {error}")
            stack.callback(host.close)
            return host

        numbers = count()
        yield make


def connected(hosts: Sequence[Host], *, up: bool = True) -> None:
    """Put hosts on one wire, which each calls eth0. They have no addresses yet, except on their loopback interfaces."""
    hub = hosts[0]
    try:
        hub.ip("link", "add", "hub", "type", "bridge")
        for number, host in enumerate(hosts):
            hub.ip("link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0", "netns", host.name)
    except OSError as error:
        pytest.skip(f"no virtual wires here: {error}")
    # The wire is a device of the first host, which would answer ARP for that host with its own address.
    hub.execute("sh", "-c", "echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore")
    hub.ip("link", "set", "hub", "up", "addrgenmode", "none")
    for number, host in enumerate(hosts):
        hub.ip("link", "set", f"port{number}", "master", "hub", "up", "addrgenmode", "none")
        host.ip("link", "set", "lo", "up")
        host.ip("link", "set", "eth0", "addrgenmode", "none")  # no link-local address, that would have to settle
        if up:
            host.ip("link", "set", "eth0", "up")
