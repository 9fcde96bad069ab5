"""Beyond loopback a node needs a key, or leave to go without; three hosts with a key form a cluster in a minute."""

import logging
import os
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.agents import PATIENCE, SWIM, environment
from support.hosts import Host, connected
from support.worlds import QUICK, WORLDS, World
from swim_core import Key, KeyMissing, Keys, Multicast
from swim_core.smudge import SmudgeConfig
from swim_threads import open_node
from swim_threads.logs import log_writer

pytestmark = pytest.mark.sockets
KEY = Keys([Key(bytes(range(32)))])
EVERYWHERE = ("0.0.0.0", 0)


@pytest.fixture(params=[name for name in WORLDS if name != "simulation"])
def world(request: pytest.FixtureRequest) -> Iterator[World]:
    with WORLDS[request.param]() as world:
        yield world


@pytest.fixture(autouse=True)
def rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SWIM_INSECURE")


@pytest.mark.parametrize("bind", [EVERYWHERE, "[::]:0"])
def test_a_node_without_a_key_does_not_start_and_leaves_nothing_behind(world: World, bind: str) -> None:
    with pytest.raises(KeyMissing, match="swim keygen"):
        world.open("ann", bind=bind)


def test_nor_does_the_environment_lead_past_that(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SWIM_BIND", "0.0.0.0:0")
    monkeypatch.setenv("SWIM_INSECURE", "no")
    with pytest.raises(KeyMissing):
        world.open("ann", bind=None)
    with pytest.raises(KeyMissing):
        world.open("ann", bind=None, discover=Multicast())


def test_with_a_key_or_when_told_to_it_does(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.open("ann", bind=EVERYWHERE, keys=KEY, advertise="127.0.0.1")
    world.open("bob", bind=EVERYWHERE, insecure=True, advertise="127.0.0.1")
    monkeypatch.setenv("SWIM_INSECURE", "1")
    world.open("eve", bind=EVERYWHERE, advertise="127.0.0.1")
    monkeypatch.delenv("SWIM_INSECURE")
    world.open("joe")  # on loopback


def test_nothing_else_is_said_then(caplog: pytest.LogCaptureFixture) -> None:
    """On a host without a network, a warning about the address used to come first."""
    with caplog.at_level(logging.INFO), pytest.raises(KeyMissing):
        open_node(("0.0.0.0", 0), config=QUICK)
    log_writer.flush(PATIENCE)
    assert not caplog.records


def test_the_port_is_free_again() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    for _ in range(3):
        with pytest.raises(KeyMissing, match=f"0.0.0.0:{port} can be reached"):
            open_node(("0.0.0.0", port), config=QUICK)


def test_smudges_protocol_starts_with_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    config = SmudgeConfig(multicast_enabled=False)
    for insecure in (False, True):
        caplog.clear()
        with open_node(EVERYWHERE, config=config, advertise="127.0.0.1", insecure=insecure):
            pass
        warnings = [record.getMessage() for record in caplog.records if "can't be sealed" in record.getMessage()]
        assert len(warnings) == (not insecure)


@pytest.mark.processes
def test_an_agent_ends_with_one_line_and_status_2() -> None:
    env = environment()
    del env["SWIM_INSECURE"]
    command = [*SWIM, "agent", "--bind", "0.0.0.0:0"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 2
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert "`swim keygen swim.key` makes one" in line
    assert "--insecure" in line


@pytest.mark.processes
def test_three_hosts_are_a_sealed_cluster_after_keygen_a_copy_and_three_commands(
    new_host: Callable[[], Host], tmp_path: Path
) -> None:
    subprocess.run([*SWIM, "keygen", "swim.key"], cwd=tmp_path, env=environment(), check=True, timeout=PATIENCE)
    key = os.fspath(tmp_path / "swim.key")
    hosts = [new_host() for _ in range(3)]
    connected(hosts)
    for number, host in enumerate(hosts, 1):
        host.ip("address", "add", f"10.77.0.{number}/24", "dev", "eth0")
    run = ["env", "SWIM_INSECURE=", *SWIM, "agent", "--key-file", key, "--format", "json", "--bind", "0.0.0.0:7946"]
    first, second, third = (
        host.run(*run, "--name", name, "--join", "10.77.0.1")
        for host, name in zip(hosts, ("ann", "bob", "eve"), strict=True)
    )
    for name in ("bob", "eve"):
        first.wait_for(lambda line, name=name: (line["event"], line.get("member")) == ("alive", name))  # type: ignore[misc]
    second.wait_for(lambda line: (line["event"], line.get("member")) == ("alive", "eve"))  # as later ones don't get it
    third.wait_for(lambda line: (line["event"], line.get("member")) == ("alive", "bob"))
    second.say("broadcast hello")
    third.wait_for(lambda line: line["event"] == "broadcast" and line["data"] == "hello")
    for agent in (first, second, third):
        assert [line for line in agent.end().splitlines() if "WARNING" in line and "reached" in line] == []
