"""The command line: version, help and completion."""

import re
import shutil
import subprocess
import sys
from typing import Any, cast

import pytest
import typer.main
from typer.testing import CliRunner

from support.agents import PATIENCE, SWIM, environment
from swim_anyio.command.app import GROUPS, app

pytestmark = pytest.mark.processes

BIND = ["--bind", "127.0.0.1:0"]


def swim(*arguments: str, **variables: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [*SWIM, *arguments],
        env=environment(COLUMNS="80", **variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def test_version() -> None:
    result = swim("--version")
    assert (result.returncode, result.stderr) == (0, "")
    name, version = result.stdout.split()
    assert name == "swim"
    assert version[0].isdigit()


def test_the_help_of_all_names_every_command() -> None:
    assert sorted(name for names, _ in GROUPS for name in names) == SUBCOMMANDS


SUBCOMMANDS = sorted(cast(Any, typer.main.get_command(app)).commands)


@pytest.mark.parametrize("command", [[], *([name] for name in SUBCOMMANDS)])
def test_help_fits_a_screen_and_shows_how(command: list[str]) -> None:
    result = CliRunner().invoke(app, [*command, "--help"], prog_name="swim", env=environment(COLUMNS="80"))
    assert (result.exit_code, result.output) == (0, result.stdout)  # no errors; click before 8.2 tells no two apart
    lines = result.stdout.splitlines()
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    example = re.search(rf"(Example|Try): +swim {command[0] if command else 'demo'}", result.stdout)
    assert example


def test_nothing_at_all_is_help_as_a_process_prints_it() -> None:
    result = swim("--help")
    assert (result.returncode, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) <= 24
    assert swim().stdout == result.stdout


COMPLETE = r"""
eval "$(_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION=1 "$1" --show-completion bash)"
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
$(complete -p swim | sed 's/.*-F \([^ ]*\).*/\1/') "$1" "${!#}"
printf '%s\n' "${COMPREPLY[@]}"
"""


@pytest.mark.skipif(shutil.which("bash") is None or shutil.which("swim") is None, reason="completes for bash")
@pytest.mark.parametrize(
    ("words", "completed"),
    [
        (["ag"], {"agent"}),
        (["agent", "--pr"], {"--preset", "--probe-interval", "--protocol"}),
        (["agent", "--backend", ""], {"asyncio", "trio"}),
    ],
)
def test_bash_completes_what_is_begun(words: list[str], completed: set[str]) -> None:
    swim = str(shutil.which("swim"))
    result = subprocess.run(
        ["bash", "-c", COMPLETE, "bash", swim, *words],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (set(result.stdout.split()), result.stderr) == (completed, "")


def test_lines_for_programs_need_none_of_what_takes_long_to_load() -> None:
    code = """
import sys
for unneeded in ("rich", "typer", "prometheus_client"):
    sys.modules[unneeded] = None
from swim_anyio.__main__ import main
sys.exit(main())
"""
    result = subprocess.run(
        [sys.executable, "-c", code, "agent", *BIND, "--format", "json"],
        env=environment(),
        input="leave\n",
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, "")
    assert '"stopped"' in result.stdout
