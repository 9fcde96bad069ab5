"""What the build makes of the README: a package page has no files beside it, so links to files become addresses.

Until the project has an address (``Source`` in ``[project.urls]``) they become the names of the files, which stand in
the sdist. Of a picture with a dark twin, which package pages don't know, the light one stays.
"""

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

LINK = re.compile(r"\[([^\]]+)\]\((?!https?://|#)([^)\s#]+)(#[^)\s]*)?\)")


PICTURE = re.compile(r'<picture>.*?<img alt="([^"]*)" src="([^"]*)">\s*</picture>\n*', re.DOTALL)


def for_a_page(readme: str, source: str | None, version: str) -> str:
    """The README with links that work anywhere: into the tree of a release at ``source``, or none."""

    def link(found: re.Match[str]) -> str:
        text, path, anchor = found[1], found[2], found[3] or ""
        if source is not None:
            return f"[{text}]({source.rstrip('/')}/blob/v{version}/{path}{anchor})"
        return f"`{path}`" if text == path else f"{text} (`{path}`)"

    def picture(found: re.Match[str]) -> str:
        return "" if source is None else f"![{found[1]}]({source.rstrip('/')}/raw/v{version}/{found[2]})\n\n"

    return LINK.sub(link, PICTURE.sub(picture, readme))


class CustomMetadataHook(MetadataHookInterface):
    """Called by hatchling for each wheel, sdist and editable install."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Set the dynamic field ``readme``."""
        readme = (Path(self.root) / "README.md").read_text(encoding="utf-8")
        source = metadata.get("urls", {}).get("Source")
        text = for_a_page(readme, source, metadata["version"])
        metadata["readme"] = {"content-type": "text/markdown", "text": text}
