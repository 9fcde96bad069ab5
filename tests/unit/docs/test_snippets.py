"""The examples in the README and the documentation work as shown."""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import swim_core
from support.commands import VARIABLES, commands, parse
from support.documents import FRAMES, Block, blocks, documents
from swim_anyio import AsyncNode
from swim_core import ProtocolNode
from swim_core.placement import Placement
from swim_threads import ThreadNode

FRAMEWORKS = ("celery", "django", "fastapi", "flask", "gevent", "twisted")  # of the extra `slow`
LANGUAGES = {"python", "sh", "text", "go"}
ATTRIBUTE = re.compile(r"\b(node|[A-Z]\w+)\.([a-zA-Z_]\w*)")
PYTHON = [block for block in blocks() if block.language == "python"]
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith(("SWIM_", "SMUDGE_"))}


def where(block: Block) -> str:
    return block.where


@pytest.mark.sockets
@pytest.mark.parametrize("block", PYTHON, ids=where)
def test_a_program_runs_without_a_warning(block: Block, tmp_path: Path) -> None:
    for framework in FRAMEWORKS:
        if re.search(rf"^(import|from) {framework}\b", block.code, re.MULTILINE):
            pytest.importorskip(framework)
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


def test_each_command_and_variable_that_is_named_exists() -> None:
    for page in documents():
        text = page.read_text()
        assert set(re.findall(r"`swim ([a-z]+)", text)) <= commands(), page
        assert set(re.findall(r"SWIM_[A-Z_]*[A-Z]", text)) <= VARIABLES, page


def test_each_attribute_that_is_named_exists() -> None:
    named = [(page, *found) for page in documents() for span in _inline(page) for found in ATTRIBUTE.findall(span)]
    assert [found for found in named if not _has(found[1], found[2])] == []
    assert len(named) > 100


def _inline(page: Path) -> list[str]:
    """Code within sentences, except in the first column of tables that translate others' names."""
    text = re.sub("^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    if page.name.startswith("coming-from-"):
        text = re.sub(r"^\| .*? \| ", "", text, flags=re.MULTILINE)
    return re.findall("`([^`]+)`", text)


def _has(owner: str, name: str) -> bool:
    """`node` may be an instance of several classes: it is enough that one of them has the name."""
    if owner == "node":
        return any(hasattr(kind, name) for kind in (ThreadNode, AsyncNode, ProtocolNode))
    kind = getattr(swim_core, owner, None) or (Placement if owner == "Placement" else None)
    return kind is None or hasattr(kind, name)


def test_each_block_is_of_a_language_that_is_checked() -> None:
    """`text` and `go` are shown only; what stands in braces is a directive, which Sphinx runs."""
    assert {block.language for block in blocks() if not block.language.startswith("{")} <= LANGUAGES
