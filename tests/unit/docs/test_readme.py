"""What the README tells people to type is what CI types; its snippets are run by test_snippets.py."""

import pytest

from support.paths import ROOT

README = (ROOT / "README.md").read_text()
COMMANDS = ('python -m pip install ".[cli]" && swim demo', 'python -m pip install -e ".[test]" && python -m pytest')


@pytest.mark.parametrize("command", COMMANDS)
def test_the_two_commands_stand_in_the_readme(command: str) -> None:
    assert command in README


def test_ci_runs_the_commands_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert all(part in script for part in ('-e ".[test]" && python -m pytest', '".[cli]" && swim demo'))
