"""Exceptions that a signal raises anywhere in the main thread: a node's lock is never left held."""

import os
import signal
import subprocess
import sys

import pytest

from support.paths import TESTS

pytestmark = [pytest.mark.sockets, pytest.mark.processes]


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="no timer raises signals here")
@pytest.mark.skipif(sys.version_info[:2] == (3, 14), reason="not every 3.14 takes a lock safely: python/cpython#148874")
@pytest.mark.parametrize("adapter", ["threads", "asyncio"])
def test_an_interrupted_node_closes_and_goes_on_until_then(adapter: str) -> None:
    program = TESTS / "support" / "interrupted.py"
    environ = {**os.environ, "PYTHONPATH": str(TESTS)}
    ended = subprocess.run([sys.executable, program, adapter], capture_output=True, text=True, timeout=60, env=environ)
    assert ended.returncode == 0, ended.stderr
