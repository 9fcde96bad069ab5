"""No socket of a node is alive in a child of its process, whatever way that was made, on every driver."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from support.forking import DESCRIPTORS
from support.paths import ROOT
from support.worlds import WORLDS

pytestmark = [
    pytest.mark.processes,
    pytest.mark.sockets,
    pytest.mark.skipif(not hasattr(os, "fork") or not DESCRIPTORS.exists(), reason="needs fork and Linux' /proc"),
]
USUAL = {
    "threads",
    "asyncio-loop",
    "trio",
}  # each library and each driver once; the other ways to combine them are slow
REAL = [pytest.param(name, marks=[] if name in USUAL else pytest.mark.slow) for name in WORLDS if name != "simulation"]


@pytest.mark.parametrize("world", REAL)
def test_a_child_has_no_socket_of_an_open_node(world: str) -> None:
    forking("children", world)


@pytest.mark.parametrize("world", REAL)
def test_a_child_has_no_socket_of_a_node_that_another_thread_opens_or_closes(world: str) -> None:
    forking("race", world)


def forking(*arguments: str) -> None:
    """Run the program of that name, which checks itself, and expect it to end with 0."""
    paths = os.pathsep.join([str(ROOT), str(Path(ROOT, "tests"))])
    done = subprocess.run(
        [sys.executable, "-m", "support.forking", *arguments],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
