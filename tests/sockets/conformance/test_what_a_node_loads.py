"""A node's process holds what it uses: what each import would cost every process is loaded where a feature begins.

Each module took memory and time of every process when this was measured (docs/performance.md); what is missing here has
crept in by an import at the top of some file.
"""

import subprocess
import sys

import pytest

pytestmark = [pytest.mark.sockets, pytest.mark.processes]

THREADS = """
import sys
from swim_threads import Config, open_node
with open_node("127.0.0.1:0", config=Config.local()) as node:
    node.members()
    print(*sys.modules)
"""
ANYIO = """
import sys, {backend}, anyio
from swim_anyio import Config, open_node
async def main():
    async with open_node("127.0.0.1:0", config=Config.local()) as node:
        node.members()
        print(*sys.modules)
anyio.run(main, backend="{backend}")
"""
LOOP = """
import sys, anyio
anyio.run(anyio.sleep, 0, backend="{backend}")
print(*sys.modules)
"""
PROGRAMS = {
    "threads": THREADS,
    "asyncio": ANYIO.format(backend="asyncio"),
    "trio": ANYIO.format(backend="trio"),
}
FEATURES = {
    "argparse",
    "cryptography",
    "difflib",
    "ifaddr",
    "importlib.metadata",
    "json",
    "pathlib",
    "prometheus_client",
    "secrets",
    "typer",
}
"""Modules of a feature that this node doesn't use, or of none."""
OURS = {
    "swim_anyio.command",
    "swim_anyio.prometheus",
    "swim_anyio.testing",
    "swim_core.native.datagrams.seal_check",
    "swim_core.native.sealing.seal",
    "swim_core.native.tools.client",
    "swim_core.placement",
    "swim_core.planner",
    "swim_core.simulation",
    "swim_core.smudge",
    "swim_threads.contrib",
    "swim_threads.driver",
    "swim_threads.prometheus",
}
LOOPS = {"anyio", "asyncio", "concurrent.futures", "ssl", "subprocess", "trio"}
FOREIGN = {
    "threads": {*LOOPS, "_hashlib", "attr", "attrs", "hashlib", "hmac", "logging", "swim_anyio"},
    "asyncio": {"attr", "attrs", "swim_anyio.trio_driver", "swim_threads.node", "trio"},
    "trio": {"asyncio", "swim_anyio.asyncio_driver"},
}
"""Modules that the adapter itself does without. asyncio and trio load OpenSSL, and trio is written with attrs."""


def loaded_by(program: str) -> set[str]:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_an_agent_loads_neither_typer_nor_attrs() -> None:
    program = "import sys; from swim_anyio.command import agent, entry, launch, logs; print(*sys.modules)"
    assert not loaded_by(program) & {"attr", "attrs", "prometheus_client", "rich", "trio", "typer"}


@pytest.mark.parametrize("adapter", PROGRAMS)
def test_a_plain_node_loads_nothing_that_it_does_not_use(adapter: str) -> None:
    loaded = loaded_by(PROGRAMS[adapter])
    brought = set() if adapter == "threads" else loaded_by(LOOP.format(backend=adapter))
    assert "swim_core.native.node" in loaded
    unused = (loaded - brought) & (FEATURES | OURS | FOREIGN[adapter])
    assert unused == set()
