"""Smudge's variables alone start a node, off loopback too: hosts as network namespaces."""

import sys
from collections.abc import Callable

import pytest

from support.hosts import Host, connected

pytestmark = [pytest.mark.sockets, pytest.mark.processes]

AGENT = [sys.executable, "-m", "swim_anyio", "agent", "--format", "json", "--protocol", "smudge"]
QUICK = ["SMUDGE_HEARTBEAT_MILLIS=200"]


def test_nothing_but_variables_makes_a_cluster_of_two_hosts_with_one_warning_each(new_host: Callable[[], Host]) -> None:
    """One is told its own address, as the original should be; the other only its seed, which is enough here."""
    a, b = new_host(), new_host()
    connected([a, b])
    a.ip("address", "add", "10.77.0.1/24", "dev", "eth0")
    b.ip("address", "add", "10.77.0.2/24", "dev", "eth0")
    one = a.run("env", "SWIM_INSECURE=", *QUICK, "SMUDGE_LISTEN_IP=10.77.0.1", *AGENT)
    one.wait_for(lambda line: line["event"] == "started")
    two = b.run("env", "SWIM_INSECURE=", *QUICK, "SMUDGE_INITIAL_HOSTS=10.77.0.1:", *AGENT)
    two.wait_for(lambda line: (line["event"], line.get("member")) == ("alive", "10.77.0.1:9999"))
    one.wait_for(lambda line: (line["event"], line.get("member")) == ("alive", "10.77.0.2:9999"))
    two.say("broadcast hello")
    one.wait_for(lambda line: line["event"] == "broadcast" and line["data"] == "hello")
    for node in (one, two):
        warnings = [line for line in node.end().splitlines() if "WARNING" in line]
        assert len(warnings) == 1
        assert "can't be sealed" in warnings[0]
