"""The blocks of code in the README and in docs/, and what the tests put around those that are no whole programs.

A fragment says what it stands in, in a comment that readers don't see, on the line before its block:

    <!-- inside: two nodes -->
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from textwrap import indent

import attrs

from support.paths import ROOT

__all__ = ["FRAMES", "Block", "blocks", "documents"]


_BLOCK = re.compile(
    r"^(?:<!-- inside: (?P<frame>[^\n]+) -->\n)?```(?P<language>[^\n]*)\n(?P<code>.*?)^```$", re.M | re.S
)

FRAMES = {
    "two nodes": """
        import swim_threads
        with swim_threads.open_node("127.0.0.1:0", name="ann") as ann:
            with swim_threads.open_node("127.0.0.1:0", name="bob", join=[ann.local.address]) as bob:
                ann.wait_for_members(2, timeout=20)
                ...
    """,
    "async function": """
        import asyncio, contextlib, swim_anyio
        from swim_core import Config
        async def main():
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    ...
        asyncio.run(main())
    """,
    "gunicorn": """
        from types import SimpleNamespace
        ...
        worker = SimpleNamespace()
        post_worker_init(worker)
        worker_exit(None, worker)
    """,
}
"""Programs that fragments complete: the fragment takes the place of the line with the three dots."""


@attrs.frozen
class Block:
    """One block of code in a document.

    Attributes:
        where: the document, from the root of the repository, and the line on which the code begins.
        language: as the block says.
        code: its text.
        frame: what it stands in; None for whole programs.
    """

    where: str
    language: str
    code: str
    frame: str | None

    def program(self) -> str:
        """The code, completed by its frame."""
        if self.frame is None:
            return self.code
        frame = re.sub(r"^ {8}", "", FRAMES[self.frame], flags=re.MULTILINE)
        return re.sub(r"^( *)\.\.\.$", lambda dots: indent(self.code, dots[1]), frame, flags=re.MULTILINE)


def documents() -> list[Path]:
    """The README and the pages, built ones excepted."""
    pages = [page for page in sorted((ROOT / "docs").rglob("*.md")) if "_build" not in page.parts]
    return [ROOT / "README.md", *pages]


@cache
def blocks() -> tuple[Block, ...]:
    """Every block of every document, in order."""
    return tuple(block for document in documents() for block in _blocks_of(document))


def _blocks_of(document: Path) -> Iterator[Block]:
    text = document.read_text()
    for found in _BLOCK.finditer(text):
        line = text.count("\n", 0, found.start("code")) + 1
        where = f"{document.relative_to(ROOT)}:{line}"
        yield Block(where, found["language"], found["code"], found["frame"])
