"""``picture:: name``: what ``pictures/name.py`` draws, inline, so that it takes the page's colours, dark ones too."""

from importlib import import_module

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

__all__ = ["Picture", "setup"]


class Picture(SphinxDirective):
    """A figure whose SVG is drawn when the page is built, from a run of the simulator. Its content is the caption."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """The figure; called by Sphinx."""
        svg = import_module(f"pictures.{self.arguments[0]}").draw()
        figure = nodes.figure("", nodes.raw("", svg, format="html"))
        if self.content:
            caption = nodes.caption()
            self.state.nested_parse(self.content, self.content_offset, paragraph := nodes.Element())
            caption += paragraph.children[0].children
            figure += caption
        return [figure]


def setup(app: Sphinx) -> dict[str, bool]:
    """For Sphinx."""
    app.add_directive("picture", Picture)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
