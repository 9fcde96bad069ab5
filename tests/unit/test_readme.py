"""What the README shows works as shown."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()
SNIPPETS = re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?^```python\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = ('python -m pip install ".[cli]" && swim demo', 'python -m pip install -e ".[test]" && python -m pytest')


def test_every_python_snippet_is_run() -> None:
    assert len(SNIPPETS) == README.count("```python\n") == 4


@pytest.mark.sockets
@pytest.mark.parametrize("code", [code for _, code in SNIPPETS], ids=[title for title, _ in SNIPPETS])
def test_a_snippet_runs_without_a_warning(code: str) -> None:
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_the_two_commands_stand_in_the_readme(command: str) -> None:
    assert command in README


def test_ci_runs_the_commands_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert all(part in script for part in ('-e ".[test]" && python -m pytest', '".[cli]" && swim demo'))
