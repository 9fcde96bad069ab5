"""Tables that a phone can show. One whose columns don't fit side by side there becomes a list of its rows.

The style sheet does that, below the width at which furo gives up its drawers, for what is of class ``stacked``; the
head of each column stands in its cells, too, and is hidden wherever the table is one. Long names may be broken after a
bracket, a dot, an underscore.
"""

import re
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

__all__ = ["Stack", "setup", "too_wide"]

PHONE = 54  # letters side by side, in the size that the style sheet gives them: of 390 px
GAP = 2  # letters that the lines between two columns take
LINES = 8  # of one cell; more of them, in a column that others leave little room, can't be read
LONG = 20  # letters of a name; a shorter one stays whole


def too_wide(columns: list[list[str]]) -> bool:
    """Whether a phone can't show these texts side by side: their longest words don't fit, or one gets a sliver."""
    needed = [max((len(word) for cell in column for word in cell.split()), default=0) for column in columns]
    spare = PHONE - sum(needed) - GAP * len(columns)
    if spare < 0:
        return True
    return any(
        len(cell) > LINES * (own + spare) for own, column in zip(needed, columns, strict=True) for cell in column
    )


class Stack(SphinxPostTransform):
    """Marks the tables that are too wide, and writes in each of their cells what stands above it."""

    default_priority = 400

    def run(self, **_: Any) -> None:
        """Called by Sphinx, for each page."""
        for found in self.document.findall(nodes.table):
            rows = [list(row.findall(nodes.entry)) for row in found.findall(nodes.row)]
            if len({len(row) for row in rows}) != 1:  # cells that span several
                continue
            if too_wide([[cell.astext() for cell in column] for column in zip(*rows, strict=True)]):
                found["classes"].append("stacked")
                head, *body = rows
                for row in body:
                    for above, cell in zip(head[1:], row[1:], strict=True):
                        _label(cell, above.astext())
            for name in list(found.findall(nodes.literal)):
                _may_break(name)


def _label(cell: nodes.entry, text: str) -> None:
    if cell.children and cell.astext():
        first = cell.children[0]
        assert isinstance(first, nodes.paragraph)
        first.insert(0, nodes.inline("", f"{text}: ", classes=["column"]))
    else:
        cell["classes"].append("empty")


def _may_break(name: nodes.literal) -> None:
    if len(name.astext()) > LONG:
        pieces = re.findall(r"[^(=.,_/]*[(=.,_/]+|[^(=.,_/]+", name.astext())
        breaks = [[nodes.Text(piece), nodes.raw("", "<wbr>", format="html")] for piece in pieces]
        name.children = []
        name.extend([part for parts in breaks for part in parts])


def setup(app: Sphinx) -> dict[str, bool]:
    """For Sphinx."""
    app.add_post_transform(Stack)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
