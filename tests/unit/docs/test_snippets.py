"""What the README and the documentation show works as shown."""

import os
import re
import shlex
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path
from typing import Any, cast

import attrs
import pytest
import typer.main
import yaml

import swim_core
from support.documents import FRAMES, Block, blocks, documents
from support.paths import ROOT
from swim_anyio import AsyncNode
from swim_anyio.command.app import app
from swim_core import Config, ProtocolNode
from swim_core.placement import Placement
from swim_threads import ThreadNode

LANGUAGES = {"python", "sh", "yaml", "ini", "text", "go"}
ATTRIBUTE = re.compile(r"\b(node|[A-Z]\w+)\.([a-zA-Z_]\w*)")
OTHER_COMMANDS = {"export", "kill", "mypy", "pkill"}
PYTHON = [block for block in blocks() if block.language == "python"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("SWIM_", "SMUDGE_"))}


def where(block: Block) -> str:
    return block.where


@pytest.mark.sockets
@pytest.mark.parametrize("block", PYTHON, ids=where)
def test_a_program_runs_without_a_warning(block: Block, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", block.program()],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=100,
        cwd=tmp_path,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_no_program_is_missed() -> None:
    fences = sum(len(re.findall("^ *```python", page.read_text(), re.MULTILINE)) for page in documents())
    assert len(PYTHON) == fences > 10


def test_every_frame_is_used_and_has_room_for_code() -> None:
    assert {block.frame for block in blocks() if block.frame} == set(FRAMES)
    assert all(frame.count("...\n") == 1 for frame in FRAMES.values())


@pytest.mark.parametrize("block", [block for block in blocks() if block.language == "sh"], ids=where)
def test_the_commands_of_a_shell_block_parse(block: Block) -> None:
    for line in block.code.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|\|", line):
            words = shlex.split(part, comments=True)
            while words and re.match(r"[A-Z_]+=", words[0]):
                words.pop(0)
            if words:
                parse(words)


def test_the_commands_of_manifests_and_units_parse() -> None:
    seen = []
    for block in blocks():
        if block.language == "yaml":
            text = block.code
            for manifest in yaml.safe_load_all(text):
                template = manifest["spec"].get("template", {"spec": {"containers": []}})
                seen += [container["command"] for container in template["spec"]["containers"]]
        elif block.language == "ini":
            unit = ConfigParser(interpolation=None, strict=False)
            unit.optionxform = str  # type: ignore[assignment,method-assign]  # as the documentation of the class says
            unit.read_string(block.code)
            program, *arguments = shlex.split(unit["Service"]["ExecStart"])
            seen.append([Path(program).name, *arguments])
    assert len(seen) == 2
    for words in seen:
        parse(words)


def parse(words: list[str]) -> None:
    """Refuse what the `swim` command would, and programs that these pages don't talk about."""
    if words[:3] == ["python", "-m", "swim_anyio"]:
        words = ["swim", *words[3:]]
    if words[0] != "swim":
        script = words[0] == "python" and (ROOT / words[1]).is_file()
        assert script or words[:2] == ["python", "-m"] or words[0] in OTHER_COMMANDS, words
        return
    group = cast(Any, typer.main.get_command(app))
    if len(words) > 1 and not words[1].startswith("-"):
        name, *arguments = words[1:]
        assert name in group.commands, f"swim has no command {name}"
        group.commands[name].make_context(name, arguments)


def test_each_command_and_variable_that_is_named_exists() -> None:
    commands = set(cast(Any, typer.main.get_command(app)).commands)
    fields = {f"SWIM_{field.name.upper()}" for field in attrs.fields(Config)}
    variables = {
        "SWIM_BIND",
        "SWIM_JOIN",
        "SWIM_NAME",
        "SWIM_PRESET",
        "SWIM_DRIVER",
        "SWIM_KEY",
        "SWIM_KEY_FILE",
        "SWIM_INSECURE",
        *fields,
    }
    for page in documents():
        text = page.read_text()
        assert set(re.findall(r"`swim ([a-z]+)", text)) <= commands, page
        assert set(re.findall(r"SWIM_[A-Z_]*[A-Z]", text)) <= variables, page


def test_each_attribute_that_is_named_exists() -> None:
    named = [(page, *found) for page in documents() for span in _inline(page) for found in ATTRIBUTE.findall(span)]
    assert [found for found in named if not _has(found[1], found[2])] == []
    assert len(named) > 100


def _inline(page: Path) -> list[str]:
    """The code within sentences; of tables on what to write in place of others' names not the first column."""
    text = re.sub("^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    if page.name.startswith("coming-from-"):
        text = re.sub(r"^\| .*? \| ", "", text, flags=re.MULTILINE)
    return re.findall("`([^`]+)`", text)


def _has(owner: str, name: str) -> bool:
    """`node` is whatever a reader may call so: it suffices that one of the classes has the name."""
    if owner == "node":
        return any(hasattr(kind, name) for kind in (ThreadNode, AsyncNode, ProtocolNode))
    kind = getattr(swim_core, owner, None) or (Placement if owner == "Placement" else None)
    return kind is None or hasattr(kind, name)


def test_each_block_is_of_a_language_that_is_checked() -> None:
    """`text` and `go` are shown only; what stands in braces is a directive, which Sphinx runs."""
    assert {block.language for block in blocks() if not block.language.startswith("{")} <= LANGUAGES
