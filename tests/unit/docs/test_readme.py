"""The README's commands are those that CI runs; its snippets are run by test_snippets.py."""

import re

import pytest

from support.paths import ROOT
from swim_core.simulation.study import Experiment, Setting, conduct

README = (ROOT / "README.md").read_text()
COMMANDS = ('python -m pip install ".[cli]" && swim demo', 'python -m pip install -e ".[test]" && python -m pytest')


@pytest.mark.parametrize("command", COMMANDS)
def test_the_two_commands_stand_in_the_readme(command: str) -> None:
    assert command in README


def test_its_pictures_are_there_and_small() -> None:
    files = re.findall(r'(?:src|srcset)="([^"]+)"', README)
    assert [name.rpartition("-")[2] for name in files] == ["dark.png", "light.png"]
    assert all(0 < (ROOT / name).stat().st_size < 60_000 for name in files)


def test_the_run_in_the_picture_took_as_long_as_it_says() -> None:
    last = conduct(Experiment.KILL, Setting(members=32), 0).told[-1]
    assert f"all members know of the kill after {1000 * last:.1f} ms." in " ".join(README.split())


def test_ci_runs_the_commands_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text()
    assert all(part in script for part in ('-e ".[test]" && python -m pytest', '".[cli]" && swim demo'))
