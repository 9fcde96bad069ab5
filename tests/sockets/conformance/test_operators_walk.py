"""A partition and two kills while nobody looked: what an operator finds out afterwards, from one host (as the page
"Troubleshooting" tells it)."""

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.hosts import Host, Running, connected
from support.terminals import Terminal
from swim_core import Key

pytestmark = [pytest.mark.sockets, pytest.mark.processes, pytest.mark.slow]

SWIM = [sys.executable, "-m", "swim_anyio"]
QUICK = ["--probe-interval", "0.2", "--stall-tolerance", "4"]
EAST, WEST = (1, 2, 3), (4, 5, 6)


class Cluster:
    """Six agents with a key, n1 to n6, each on a host of its own."""

    def __init__(self, new_host: Callable[[], Host], key_file: Path) -> None:
        self.key_file = key_file
        self.hosts = {number: new_host() for number in (*EAST, *WEST)}
        connected(list(self.hosts.values()))
        self.agents: dict[int, Running] = {}
        for number, host in self.hosts.items():
            host.ip("address", "add", f"10.77.0.{number}/24", "dev", "eth0")
            self.agents[number] = self._start(number, host)

    def _start(self, number: int, host: Host) -> Running:
        seeds = [] if number == 1 else ["--join", "10.77.0.1:7946", "--join", "10.77.0.4:7946"]
        name, role = f"n{number}", ("web", "db")[number % 2]
        where = ["--bind", "0.0.0.0:7946", "--advertise", f"10.77.0.{number}:7946", "--name", name]
        options = ["--format", "json", "--metadata", f"role={role}", "--key-file", str(self.key_file)]
        return host.run(*SWIM, "agent", *where, *options, *QUICK, *seeds)

    def wait(self, observers: tuple[int, ...], event: str, members: tuple[int, ...], *, times: int = 1) -> None:
        """Until each observer has told of this about each other one of the members."""
        for observer in observers:
            told = self.agents[observer].lines
            for member in members:
                if member != observer:
                    self.agents[observer].wait_for(
                        lambda _, told=told, member=member: (
                            sum(  # type: ignore[misc]
                                line["event"] == event and line.get("member") == f"n{member}" for line in told
                            )
                            >= times
                        )
                    )

    def part(self) -> None:
        """Put the west on a wire of its own."""
        hub = self.hosts[1]
        hub.ip("link", "add", "west", "type", "bridge")
        hub.ip("link", "set", "west", "up", "addrgenmode", "none")
        for number in WEST:
            hub.ip("link", "set", f"port{number - 1}", "master", "west")

    def heal(self) -> None:
        """Put all on one wire again."""
        for number in WEST:
            self.hosts[1].ip("link", "set", f"port{number - 1}", "master", "hub")

    def typed(self, *words: str) -> list[str]:
        """What somebody who types a command on the first host sees on a terminal of 80 columns."""
        command = ["ip", "netns", "exec", self.hosts[1].name, *SWIM, *words]
        terminal = Terminal(command, {"SWIM_KEY_FILE": str(self.key_file), "SWIM_JOIN": "10.77.0.1:7946"})
        terminal.end()
        plain = re.sub(rb"\x1b\[[0-9;]*m", b"", terminal.written).decode()
        print(f"$ swim {' '.join(words)}\n{plain}")  # for the page, and for whoever looks at a failure
        return plain.replace("\r", "").splitlines()


def test_afterwards_one_finds_out_what_happened_when_and_why(new_host: Callable[[], Host], tmp_path: Path) -> None:
    key_file = tmp_path / "swim.key"
    key_file.write_text(f"{Key(bytes(range(32))).reveal()}\n")
    key_file.chmod(0o600)
    cluster = Cluster(new_host, key_file)
    everybody = (*EAST, *WEST)
    cluster.wait(everybody, "alive", everybody)
    cluster.part()
    cluster.wait(EAST, "dead", WEST)
    cluster.wait(WEST, "dead", EAST)
    for victim, others in ((2, (1, 3)), (5, (4, 6))):
        cluster.agents[victim].kill()
        cluster.wait(others, "dead", (victim,))
    cluster.heal()
    cluster.wait((1, 3), "alive", (4, 6), times=2)
    cluster.wait((4, 6), "alive", (1, 3), times=2)

    began = time.monotonic()
    events = cluster.typed("events", "--since", "1h")
    why = cluster.typed("why")
    gone = cluster.typed("members", "--gone")
    hear = cluster.typed("reachability")
    assert time.monotonic() - began < 60.0

    assert all(len(line) <= 80 for output in (events, why, gone, hear) for line in output)
    story = " ".join(" ".join(events).split())
    for lost in WEST:  # what happened to the network: each side lost sight of the other
        assert re.search(rf"dead n{lost}: [^()]*, says n[123] \(unknown to n[46]", story)
    for survivor in (1, 3):
        assert re.search(rf"dead n{survivor}: [^()]*, says n[456] \(unknown to n[13]", story)
    for victim, witness in ((2, "n[13]"), (5, "n[46]")):  # what happened to processes
        assert re.search(rf"dead n{victim}: process ended without a goodbye, says {witness}", story)
    assert "as 4 of 4 live members remember them." in story
    assert re.match(r"n[46] sees n5 \(10\.77\.0\.5:7946\) as dead: process ended ", why[0])  # those that were there
    assert any(re.match(r"n5 .* dead .*role=db", line) for line in gone)
    assert hear[-1] == "4 of 4 members hear all others."
