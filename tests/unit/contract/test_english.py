"""Phrases that read as translated stay out of what people read: docstrings, comments and pages.

The list grows when a reader stumbles; it can't tell good English, only what was bad before.
"""

import ast
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("swim_core", "swim_threads", "swim_anyio")
SHUNNED = {
    r"\bditto\b": "say it again",
    r"\bfor ever\b": "until when?",
    r"\bis held for (alive|live|dead|gone)\b": "is considered ..",
    r"\bin vain\b": "without an answer, without effect ..",
    r"\bno more\b(?! than\b)(?=[.;:]|$)": "no longer",
    r"(^|[.;:] )Who (?!.*\?)": "a member that ..",
    r"^The same\.$": "say what it is",
    r"^Else\b": "otherwise",
    r"\b[Nn]ews (go|come|are|have)\b": "news is singular",
    r"\bsection \d+ of the specification\b": "name a page of docs/",
    r"\bdetection\.md\b": "there is no such page",
}
"""Patterns, and what to write instead."""


def files(*patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in ROOT.glob(pattern))


def said(path: Path) -> Iterator[str]:
    """The texts for people in a module: its docstrings, by paragraph, and its comments."""
    source = path.read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from (" ".join(part.split()) for part in re.split(r"\n\s*\n", node.value.value))
    with path.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            if token.type == tokenize.COMMENT:
                yield token.string.lstrip("# ")


def shunned(texts: Iterator[str]) -> list[str]:
    return [f"{text!r}: {better}" for text in texts for phrase, better in SHUNNED.items() if re.search(phrase, text)]


@pytest.mark.parametrize("package", PACKAGES)
def test_docstrings_and_comments(package: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}: {text}" for path in files(f"{package}/**/*.py") for text in shunned(said(path))
    ]
    assert not found, "\n".join(found)


def test_pages() -> None:
    pages = {path: re.split(r"\n\s*\n|\n(?=\s*[-*|] )", path.read_text()) for path in files("docs/**/*.md", "*.md")}
    texts = {
        path: (" ".join(part.split()).lstrip("-*| ") for part in parts if not part.startswith("#"))
        for path, parts in pages.items()
    }
    found = [f"{path.relative_to(ROOT)}: {text}" for path, parts in texts.items() for text in shunned(parts)]
    assert not found, "\n".join(found)


def test_the_net_catches() -> None:
    bad = [
        "Who waits pings itself.",
        "asked in vain",
        "seeds are asked for ever",
        "known here no more.",
        "The same.",
        "Else it waits.",
        "News come.",
    ]
    good = ["Who is here?", "no more than three", "The same as before.", "Whoever asks is told.", "forever"]
    assert len(shunned(iter(bad))) == len(bad)
    assert not shunned(iter(good))
