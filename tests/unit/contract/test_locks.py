"""Blocks that hold a lock can be left by an exception at any instruction, on every Python: read from the source.

Python 3.12 and 3.13 leave the jump at the bottom of a loop outside of what `with` and `try` around it cover, also that
of a comprehension. An exception that a signal handler raises just there leaves the lock held for good.
"""

import ast
import dis
import re
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.paths import ROOT

SOURCES = sorted([*(ROOT / "swim_threads").rglob("*.py"), *(ROOT / "swim_anyio").rglob("*.py")])
LOCK = re.compile(r"\b_?lock$")
LOOPS = (ast.For, ast.AsyncFor, ast.While, ast.ListComp, ast.SetComp, ast.DictComp)
SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef, ast.GeneratorExp)


def holds_a_lock(block: ast.With | ast.AsyncWith) -> bool:
    return any(LOCK.search(ast.unparse(item.context_expr)) for item in block.items)


def within(node: ast.AST) -> Iterator[ast.AST]:
    """What runs in the same frame."""
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, SCOPES):
            yield from within(child)


def loops_under_a_lock(tree: ast.AST) -> list[int]:
    """The lines where loops stand directly in a block that holds a lock."""
    blocks = [node for node in ast.walk(tree) if isinstance(node, ast.With) and holds_a_lock(node)]
    return [inner.lineno for block in blocks for inner in within(block) if isinstance(inner, LOOPS)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_loop_stands_in_a_block_that_holds_a_lock(path: Path) -> None:
    assert loops_under_a_lock(ast.parse(path.read_text())) == []


def test_this_finds_what_it_looks_for() -> None:
    for bad in ("while pop(): pass", "for x in y: pass", "self.q = [x for x in y]", "if x:\n        for x in y: pass"):
        assert loops_under_a_lock(ast.parse(f"with self.lock:\n    {bad}")) != []
    for good in ("return pop()", "x = tuple(x for x in y)", "call(lambda: [x for x in y])"):
        assert loops_under_a_lock(ast.parse(f"with self.lock:\n    {good}")) == []


def codes(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from codes(constant)


def test_what_this_python_makes_of_such_a_block_is_covered_to_its_last_jump() -> None:
    """Of every function that takes a lock: its table of exceptions leaves no jump back out that stands in the block."""
    checked = 0
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        lines = {
            line
            for node in ast.walk(tree)
            if isinstance(node, ast.With) and holds_a_lock(node)
            for line in range(node.body[0].lineno, (node.body[-1].end_lineno or 0) + 1)
        }
        for code in codes(compile(tree, str(path), "exec")):
            bytecode: Any = dis.Bytecode(code)  # typeshed does not know of its table
            covered = [(entry.start, entry.end) for entry in bytecode.exception_entries]
            for instruction in bytecode:
                line = instruction.positions.lineno if instruction.positions is not None else None
                if line in lines and instruction.opname == "JUMP_BACKWARD":
                    own = code.co_firstlineno in lines  # a function defined there runs in a frame of its own
                    assert own or any(start <= instruction.offset < end for start, end in covered), (path, line)
                checked += line in lines
    assert checked > 100
