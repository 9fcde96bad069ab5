"""How the parts of a native node fit together: every message has a handler, and parts call each other by name."""

import ast
from typing import get_args

import msgspec
import pytest

from support.paths import ROOT
from swim_core import Config, Node
from swim_core.native import router
from swim_core.native.wire.messages import Further, Message

PARTS = [*sorted((ROOT / "swim_core" / "native").rglob("*.py")), *sorted((ROOT / "swim_core" / "shared").rglob("*.py"))]
HANDED = {"NodeContext.emit", "LocalHealth.on_pause"}
"""The callables that parts are handed. All else that one needs of another it asks an object, or reports to the hub."""


class Unknown(msgspec.Struct, tag=99):
    """A message that has no handler yet."""


def make() -> Node:
    return Node("me", ("10.0.0.1", 1), config=Config.lan(), now=0.0, entropy=bytes(32), unix_ms=0)


def test_a_message_without_a_handler_is_found_when_a_node_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    make()
    monkeypatch.setattr(router, "MESSAGES", frozenset({*get_args(Message), Unknown}))
    with pytest.raises(TypeError, match=r"without a handler.*: Unknown$"):
        make()


def test_a_handler_without_a_message_is_found_too(monkeypatch: pytest.MonkeyPatch) -> None:
    first, *others = get_args(Message)
    monkeypatch.setattr(router, "MESSAGES", frozenset(others))
    with pytest.raises(TypeError, match=f"without a message: {first.__name__}$"):
        make()


def test_what_may_follow_a_message_is_a_message() -> None:
    assert set(get_args(Further)) <= set(get_args(Message)) == router.MESSAGES


def callables_handed() -> set[str]:
    """The parameters of constructors, and the fields of records, that take a callable."""
    found = set()
    for path in PARTS:
        for kind in ast.walk(ast.parse(path.read_text())):
            if not isinstance(kind, ast.ClassDef):
                continue
            made = [node for node in kind.body if isinstance(node, ast.FunctionDef) and node.name == "__init__"]
            taken = [(arg.arg, arg.annotation) for init in made for arg in (*init.args.args, *init.args.kwonlyargs)]
            if any("Struct" in ast.unparse(base) or "NamedTuple" in ast.unparse(base) for base in kind.bases):
                taken += [(ast.unparse(f.target), f.annotation) for f in kind.body if isinstance(f, ast.AnnAssign)]
            for name, annotation in taken:
                if annotation is not None and "Callable" in ast.unparse(annotation):
                    found.add(f"{kind.name}.{name}")
    return found


def test_parts_are_handed_objects_and_hardly_any_callables() -> None:
    assert callables_handed() == HANDED
