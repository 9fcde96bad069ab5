"""Phrases that read as translated stay out of what people read: docstrings, comments and pages.

The list grows when a reader stumbles; it can't tell good English, only what was bad before.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PACKAGES = ("swim_core", "swim_threads", "swim_anyio")
SHUNNED = {
    r"\bditto\b": "say it again",
    r"\bfor ever\b": "until when?",
    r"\bis held for (alive|live|dead|gone)\b": "is considered ..",
    r"\bin vain\b": "without an answer, without effect ..",
    r"\bno more\b(?! than\b)(?=[.;:]|$)|\b(members?|there|known) no more,": "no longer",
    r"(^|[.;:] )Who (?!.*\?)": "a member that ..",
    r"^The same\.$": "say what it is",
    r"^[Ee]lse\b|\b(would|might) else\b": "otherwise",
    r"\b[Ll]est\b": "so that .. not",
    r"\btold (as )?lost\b": "reported lost",
    r"\b(holds?|held) (\S+ ){0,3}(to be|for) (alive|live|dead|DEAD)\b": "considers .. dead",
    r"\bsave (for|on|that|where)\b": "except",
    r"\bby turns\b": "in turn, alternating",
    r"\b(after|by|in|of|only|to|with|within) so many\b(?! that)": "this many, that many",
    r"\b[Nn]ews (go|come|are|have)\b": "news is singular",
    r"\bsection \d+ of the specification\b": "name a page of docs/",
    r"\bdetection\.md\b": "there is no such page",
    r"(?<![Tt]here )\b(is|are|was|were) no (member|worker|function|recording)s?\b": "isn't a ..",
    r"\bmetadata (are|have|were)\b": "metadata is singular",
    r"\bone a line\b": "one per line",
    r"\bin good order\b": "healthy, intact ..",
    r"\bas by\b": "for example by, as if by ..",
    r"\bends? by an? (exception|error)\b": "ends with",
    r"\bwas carried out or not\b": "may or may not have been carried out",
}
"""Patterns, and what to write instead."""
ANY = re.compile("|".join(SHUNNED))
COMMENT = re.compile(r"(?m)(?:^|\s)# (.*)$")


def files(*patterns: str) -> list[Path]:
    return sorted(path for pattern in patterns for path in ROOT.glob(pattern))


def said(path: Path) -> Iterator[str]:
    """The texts for people in a module: its docstrings, by paragraph, and its comments."""
    source = path.read_text()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield from (" ".join(part.split()) for part in re.split(r"\n\s*\n", node.value.value))
    yield from COMMENT.findall(source)


def shunned(texts: Iterator[str]) -> list[str]:
    bad = [text for text in texts if ANY.search(text)]
    return [f"{text!r}: {better}" for text in bad for phrase, better in SHUNNED.items() if re.search(phrase, text)]


@pytest.mark.parametrize("folder", [*PACKAGES, "tests"])
def test_docstrings_and_comments(folder: str) -> None:
    found = [f"{path.relative_to(ROOT)}: {text}" for path in files(f"{folder}/**/*.py") for text in shunned(said(path))]
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
        "lest it ends",
        "each side holds the other to be dead",
        "after so many seconds",
        "tools are no members",
        "the others are members no more, and raise",
        "metadata are strings",
        "keys, one a line",
        "a block that ends by an exception",
        "interrupted, as by Ctrl-C",
    ]
    good = [
        "whether so many wait that it is slow",
        "Who is here?",
        "no more than three",
        "The same as before.",
        "Whoever asks is told.",
        "forever",
        "there is no member of that name",
        "which costs no more, but lasts",
    ]
    assert len(shunned(iter(bad))) == len(bad)
    assert not shunned(iter(good))


PYTHON = re.compile(r"\b\w+\((\)|\w+=)|\b[a-z_]{3,}=(?=[\s,;)\"A-Z]|$)|\bConfig\.\w")
"""A call, a keyword argument, or a class of the library in a text."""
FOR_PROGRAMS = (
    "*/contrib/*",
    "swim_anyio/testing/*",
    "swim_anyio/pytest_plugin.py",
    "swim_anyio/command/experiments/*",  # names of fields, as in ``--config FIELD=VALUE``
    "swim_core/simulation/*",
)
"""Modules that no command uses, or where a field is what the command calls it, too."""
NOT_TOLD = {
    'Basic realm="swim: any user name, and "': "a header for browsers",
    "config: give Config.lan() or another configuration, not ": "a command gives no other configuration",
    "discover: pass Multicast(), not ": "a command gives nothing else",
    "a payload is bytes, not str: encode the text, as by text.encode()": "a command sends bytes",
    "the native protocol judges by evidence alone: a state can't be set (explain() says why it is)": "no command does",
    'this node was made without keys and can\'t take any now: start it anew with keys, and plain="accept" until all'
    " members have some": "an agent without keys reads none",
    "Smudge's members don't leave, they die: remove() forgets one on this node only": "its members answer no tools",
}
"""Texts that name what only programs have, and why nobody who types a command reads them."""


def texts(path: Path) -> Iterator[str]:
    """The texts that a module may show somebody: all but docstrings, without what is filled in."""
    tree = ast.parse(path.read_text())
    others = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    others |= {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in others:
            yield node.value


def for_programs_only(texts: Iterable[str]) -> list[str]:
    """Those that name something of Python and no option or variable beside it."""
    return [text for text in texts if PYTHON.search(text) and not re.search(r"--[a-z]|SWIM_", text)]


def test_whoever_types_a_command_reads_nothing_that_only_a_program_can_do() -> None:
    paths = [path.relative_to(ROOT) for package in PACKAGES for path in files(f"{package}/**/*.py")]
    told = [path for path in paths if not any(path.match(pattern) for pattern in FOR_PROGRAMS)]
    found = [(str(path), text) for path in told for text in for_programs_only(texts(ROOT / path))]
    assert not [(path, text) for path, text in found if text not in NOT_TOLD]
    assert NOT_TOLD.keys() == {text for _, text in found}


def test_the_net_for_commands_catches() -> None:
    bad = ["members(gone=True) lists them", "members() lists them", "give a label (cluster=)", "or Config.wan()"]
    assert for_programs_only(bad) == bad
    assert not for_programs_only(["give a label (cluster=, --cluster)", "FIELD=VALUE", "a member (it left)", "a = b"])
