"""The commands and variables that pages and files name: whether `swim` takes them, and programs that check files."""

import shutil
import subprocess
from typing import Any, cast

import pytest
import typer.main

from support.paths import ROOT
from swim_anyio.command.app import app
from swim_core import Config

__all__ = ["VARIABLES", "commands", "needs", "parse", "run"]

OTHER_COMMANDS = {"docker", "export", "install", "kill", "kubectl", "ln", "mypy", "pkill", "systemctl", "uvicorn"}

VARIABLES = {
    "SWIM_BIND",
    "SWIM_JOIN",
    "SWIM_NAME",
    "SWIM_PRESET",
    "SWIM_DRIVER",
    "SWIM_KEY",
    "SWIM_KEY_FILE",
    "SWIM_INSECURE",
    *(f"SWIM_{name.upper()}" for name in Config.__struct_fields__),
}
"""What the program reads from its environment."""


def commands() -> set[str]:
    """The names of the commands of `swim`."""
    return set(cast(Any, typer.main.get_command(app)).commands)


def parse(words: list[str]) -> None:
    """Refuse what the `swim` command would refuse, and programs that the documentation doesn't mention."""
    if words[0] == "sudo":
        words = words[1:]
    if words[:3] == ["python", "-m", "swim_anyio"]:
        words = ["swim", *words[3:]]
    if words[0] != "swim":
        name = words[0].rpartition("/")[2].replace("python3", "python")
        script = name == "python" and (ROOT / words[1]).is_file()
        assert script or [name, *words[1:2]] == ["python", "-m"] or name in OTHER_COMMANDS, words
        if "exec" in words:  # what docker and kubectl run in a container
            parse(words[words.index("swim") :])
        return
    group = cast(Any, typer.main.get_command(app))
    if len(words) > 1 and not words[1].startswith("-"):
        name, *arguments = words[1:]
        assert name in group.commands, f"swim has no command {name}"
        group.commands[name].make_context(name, arguments)


def needs(program: str) -> pytest.MarkDecorator:
    """Skips a test where a program is not installed."""
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


def run(*command: str) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end."""
    return subprocess.run(command, capture_output=True, text=True, timeout=60)
