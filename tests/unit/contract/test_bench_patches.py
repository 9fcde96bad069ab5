"""The scripts of `tests/bench` can be started, and the parts of the protocol that they replace exist."""

import ast
import re
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from support.paths import TESTS

BENCH = TESTS / "bench"
sys.path.append(str(BENCH))
RULES = sorted(BENCH.glob("rules_*.py"))


def named(path: Path) -> list[tuple[str, str]]:
    """What stands as (owner, "name", ...) in a file: in a tuple, or in a call such as `patch.object`."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        parts = node.elts if isinstance(node, ast.Tuple) else node.args if isinstance(node, ast.Call) else []
        match parts:
            case [ast.Name() | ast.Attribute() as owner, ast.Constant(value=str(name)), *_]:
                found.append((ast.unparse(owner), name))
    return found


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_an_experiment_replaces_what_there_is(path: Path) -> None:
    module = import_module(path.stem)
    checked = 0
    for owner, name in named(path):
        try:
            thing = eval(owner, vars(module))
        except NameError:  # a local name
            continue
        if isinstance(thing, type | ModuleType) and name.isidentifier():
            assert hasattr(thing, name), f"{owner} has no {name}"
            checked += 1
    assert checked or path.stem == "rules_identity", "the patches are written in another way"


def test_scripts_find_what_tests_share() -> None:
    """However they are started: with `python tests/bench/tools.py` only their own folder is on the path."""
    sharing = [path for path in BENCH.glob("[!b]*.py") if re.search("^ *from support", path.read_text(), re.MULTILINE)]
    assert len(sharing) > 3
    assert [path.name for path in sharing if "sys.path" not in path.read_text()] == []
