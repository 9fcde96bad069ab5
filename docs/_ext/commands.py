"""The reference of the `swim` command: the help texts as the command prints them, of every subcommand there is."""

import os
from typing import Any, cast
from unittest import mock

import typer.main
from sphinx.application import Sphinx

from swim_anyio.command.app import app as swim

from .markdown import MarkdownDirective

__all__ = ["Commands", "help_texts", "setup"]


def help_texts() -> dict[str, str]:
    """What ``--help`` prints, by command line, 80 columns wide."""
    group = cast(Any, typer.main.get_command(swim))
    narrow = mock.patch.dict(os.environ, {"COLUMNS": "80", "TERMINAL_WIDTH": "80"})
    with narrow, group.make_context("swim", [], resilient_parsing=True) as context:
        texts = {"swim": context.get_help()}
        for name in group.list_commands(context):
            command = group.get_command(context, name)
            if not command.hidden:
                with command.make_context(name, [], parent=context, resilient_parsing=True) as inner:
                    texts[f"swim {name}"] = inner.get_help()
    return texts


class Commands(MarkdownDirective):
    """``commands::``: a section for each command."""

    def markdown(self) -> str:
        """Headings and help texts."""
        return "\n\n".join(f"## `{name}`\n\n```text\n{text}\n```" for name, text in help_texts().items())


def setup(app: Sphinx) -> dict[str, bool]:
    """For Sphinx."""
    app.add_directive("commands", Commands)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
