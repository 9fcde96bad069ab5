"""Completes the names of members for the shell, by asking the member that the rest of the line names."""

import os
from functools import partial

import anyio

from swim_core import SwimError
from swim_core.native.wire.queries import What

from .asking import ask, read_target
from .reading import read_view

__all__ = ["names_like"]

PATIENCE = 0.5  # seconds that a shell is held up at most


def names_like(join: str | None, cluster: str | None, begun: str) -> list[str]:
    """The names of members, live or gone, that begin with ``begun``; none if nobody answers, whatever the reason."""
    try:
        target = read_target(join or os.environ.get("SWIM_JOIN") or None, cluster)
        pages = anyio.run(partial(ask, target, What.EVERYONE, patience=PATIENCE), backend="asyncio")
    except (SwimError, OSError):
        return []
    return [name for name in read_view(pages).members if name.startswith(begun)]
