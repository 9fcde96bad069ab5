"""The image of docs/operations without Docker: its sources build, its command runs and passes its check of health."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from support.agents import PATIENCE, SWIM, environment
from support.kit import copy_sources, instruction
from swim_core import Key

pytestmark = [pytest.mark.sockets, pytest.mark.processes, pytest.mark.skipif(os.name != "posix", reason="SIGTERM")]


def test_the_image_runs_sealed_is_healthy_and_leaves_at_sigterm(tmp_path: Path) -> None:
    key = tmp_path / "swim.key"
    key.write_text(Key(bytes(range(32))).reveal())
    key.chmod(0o400)
    variables = environment(SWIM_KEY_FILE=str(key), SWIM_CLUSTER="compose")
    del variables["SWIM_INSECURE"]
    # at loopback, since a host without a network would warn of what it guesses to advertise
    words = [re.sub(r"^0\.0\.0\.0:\d+$", "127.0.0.1:0", word) for word in json.loads(instruction("CMD"))]
    with subprocess.Popen(
        [*SWIM, *words], env=variables, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as agent:
        try:
            assert agent.stdout is not None
            started = json.loads(agent.stdout.readline())
            assert (started["event"], started["sealed"]) == ("started", True)
            port = started["metrics"].rpartition(":")[2]
            assert healthy(port)
            agent.send_signal(signal.SIGTERM)
            assert agent.communicate(timeout=PATIENCE)[1] == b""
            assert agent.returncode == 0
        finally:
            agent.kill()
    assert not healthy(port)


def healthy(port: str) -> bool:
    """Whether the image's check of health passes."""
    _, *options = json.loads(instruction("HEALTHCHECK").partition("CMD ")[2])
    words = [word.replace(":9464/", f":{port}/") for word in options]
    return subprocess.run([sys.executable, *words], capture_output=True, timeout=PATIENCE).returncode == 0


def test_what_the_image_copies_is_enough_to_build_it(tmp_path: Path) -> None:
    (tmp_path / "source").mkdir()
    copy_sources(tmp_path / "source")
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "--no-index", "-w"]
    done = subprocess.run(
        [*build, str(tmp_path), str(tmp_path / "source")], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert [path.suffix for path in tmp_path.glob("swim_membership-*")] == [".whl"]
