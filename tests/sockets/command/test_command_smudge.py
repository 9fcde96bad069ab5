"""`swim agent --protocol smudge` as real processes."""

import signal
import subprocess

import pytest

from support.agents import PATIENCE, SWIM, agents, environment

pytestmark = [pytest.mark.sockets, pytest.mark.processes]

ALONE = {"SMUDGE_MULTICAST_ENABLED": "false"}
SETTINGS = ["--protocol", "smudge", "--probe-interval", "0.2"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_agents_find_each_other_talk_and_notice_a_kill(backend: str) -> None:
    with agents() as start:
        n1 = start("n1", "--backend", backend, settings=SETTINGS, variables=ALONE)
        n2 = start("n2", "--backend", backend, join=n1, settings=SETTINGS, variables=ALONE)
        n3 = start("n3", "--backend", backend, join=n1, settings=SETTINGS, variables=ALONE)
        for agent in (n1, n2, n3):
            for other in (n1, n2, n3):
                if other is not agent:
                    agent.wait_for("alive", member=other.address)
        n2.command(b"broadcast hello")
        for agent in (n1, n3):
            assert agent.wait_for("broadcast", member=n2.address)["data"] == "hello"
        n1.command(b"send n2 psst")
        n1.wait_for("error")
        n3.process.kill()
        for agent in (n1, n2):
            agent.wait_for("dead", member=n3.address)
            assert agent.heard("dead", member=n1.address) == agent.heard("dead", member=n2.address) == []
        assert n2.end(signal.SIGTERM) == 0


def test_the_originals_variables_are_read() -> None:
    variables = ALONE | {"SMUDGE_LISTEN_PORT": "0", "SMUDGE_HEARTBEAT_MILLIS": "soon"}
    command = [*SWIM, "agent", "--protocol", "smudge"]
    result = subprocess.run(command, env=environment(**variables), capture_output=True, text=True, timeout=PATIENCE)
    assert result.returncode == 2
    assert "SMUDGE_HEARTBEAT_MILLIS" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_settings_of_the_other_protocol_are_refused() -> None:
    command = [*SWIM, "agent", "--protocol", "smudge", "--stall-tolerance", "3"]
    result = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=PATIENCE)
    assert result.returncode == 2
    assert "native protocol" in result.stderr
