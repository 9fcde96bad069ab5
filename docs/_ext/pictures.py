"""What is measured or drawn when a page is built, from runs of the simulator.

``picture:: name`` shows what ``pictures/name.py`` draws, inline, so that it takes the page's colours, dark ones too;
``measured:: name`` makes a table of its ``rows()``.
"""

from importlib import import_module
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from .markdown import MarkdownDirective, table

__all__ = ["Measured", "Picture", "setup"]


class Picture(SphinxDirective):
    """A figure; its content is the caption."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[Any]:
        """The figure; called by Sphinx."""
        svg = import_module(f"pictures.{self.arguments[0]}").draw()
        figure = nodes.figure("", nodes.raw("", svg, format="html"))
        if self.content:
            said = self.parse_content_to_nodes()
            figure += nodes.caption("", "", *said[0].children)
        return [figure]


class Measured(MarkdownDirective):
    """A table; the first row is its head."""

    required_arguments = 1

    def markdown(self) -> str:
        """The table."""
        head, *rows = import_module(f"pictures.{self.arguments[0]}").rows()
        return table(head, rows)


def setup(app: Sphinx) -> dict[str, bool]:
    """For Sphinx."""
    app.add_directive("picture", Picture)
    app.add_directive("measured", Measured)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
