"""Sealed agents on hosts of their own, and a wire between them that forges what kernels say: ICMP messages and resets.

Each forgery is sooner than the true answer, and at one far member so much sooner that others have time to agree on its
death: this is what whoever reads the path can do without a key. The hosts
are network namespaces; `support.forging_wire` is the wire. In simulation: `simulation/test_forged_refusals.py`.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from support.hosts import Host
from support.hour_member import Member
from support.paths import TESTS
from support.waiting import wait_until
from swim_core import Key

pytestmark = [pytest.mark.sockets, pytest.mark.processes, pytest.mark.slow]

KEY = Key(bytes(range(32)))


def wired(hosts: list[Host], hub: Host) -> list[str]:
    """Connect each host to a port of the hub; returns the ports."""
    try:
        for number, host in enumerate(hosts, 1):
            hub.ip("link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0", "netns", host.name)
    except OSError as error:
        pytest.skip(f"no virtual wires here: {error}")
    for number, host in enumerate(hosts, 1):
        hub.ip("link", "set", f"port{number}", "up", "addrgenmode", "none")
        host.ip("link", "set", "lo", "up")
        host.ip("link", "set", "eth0", "up", "addrgenmode", "none")
        host.ip("address", "add", f"10.77.0.{number}/24", "dev", "eth0")
    return [f"port{number}" for number in range(1, len(hosts) + 1)]


def told(member: Member, *kinds: str) -> list[str]:
    """Which members it reported, and with which of these kinds of events."""
    return [f"{record['event']} {record.get('member')}" for _, record in member.said if record["event"] in kinds]


def lists(member: Member, others: list[Member]) -> bool:
    """Whether it reported that each of the others is there."""
    return {f"alive {other.name}" for other in others if other is not member} <= set(told(member, "alive"))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("count", [3, 5])
def test_nobody_is_told_dead_but_one_that_is(new_host: Callable[[], Host], tmp_path: Path, count: int) -> None:
    hub, hosts = new_host(), [new_host() for _ in range(count)]
    ports = wired(hosts, hub)
    wire = hub.run(sys.executable, str(TESTS / "support" / "forging_wire.py"), *ports)
    wire.wait_for(lambda line: "greeted" in line)
    members = [Member(number, host, tmp_path) for number, host in enumerate(hosts, 1)]
    started: list[Member] = []

    def start(member: Member) -> None:
        member.keys(KEY)
        member.start([members[0].address])
        started.append(member)

    def forged(least: dict[str, int]) -> bool:
        return all(wire.lines[-1].get(what, 0) >= number for what, number in least.items())

    try:
        *first, late = members  # the first one is far away
        for member in first:
            start(member)
        wait_until(lambda: all(lists(member, first) for member in first))
        wait_until(lambda: forged({"greeted": (count - 1) * min(count - 2, 4)}))
        wire.say("attack")
        wait_until(lambda: forged({"refusals": 20, "resets": 5}))
        start(late)
        wait_until(lambda: all(lists(member, members) for member in members))
        wait_until(lambda: forged({"refusals": 60 * count, "resets": 30}))
        for member in members:
            assert told(member, "dead", "suspect", "conflict", "isolated") == [], member.name
        killed, ended = members[0], time.monotonic()
        killed.kill()
        others = [member for member in members if member is not killed]
        wait_until(lambda: all(told(member, "dead") for member in others))
        known = [at - ended for member in others for at, record in member.said if record["event"] == "dead"]
        print(f"a killed one was known after {min(known):.2f} to {max(known):.2f} s; forged: {wire.lines[-1]}")
        for member in others:
            assert told(member, "dead") == [f"dead {killed.name}"], member.name
        wire.end()
    finally:
        for member in started:
            member.kill()
        for member in members:
            member.errors.close()
