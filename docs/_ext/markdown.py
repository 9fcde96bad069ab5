"""A directive whose content is Markdown that the code says: what such parts of a page have in common."""

from collections.abc import Iterable, Sequence
from typing import Any

from sphinx.util.docutils import SphinxDirective

__all__ = ["MarkdownDirective", "table"]


class MarkdownDirective(SphinxDirective):
    """Puts what `markdown` says in its place. For pages in Markdown."""

    def markdown(self) -> str:
        """The text to insert; headings are allowed."""
        raise NotImplementedError

    def run(self) -> list[Any]:
        """The nodes of the text, as the page's own parser sees it; called by Sphinx."""
        return list(self.parse_text_to_nodes(self.markdown(), allow_section_headings=True))


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table in Markdown; cells are Markdown, and their bars are escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
