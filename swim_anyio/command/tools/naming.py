"""Completes the names of members for the shell, by asking the member that the rest of the line names, and tells which
name may have been meant by one that nobody has."""

import os
from collections.abc import Iterable
from difflib import get_close_matches
from functools import partial

import anyio

from swim_core import SwimError
from swim_core.native.wire.queries import What

from .asking import ask, read_target
from .reading import read_view

__all__ = ["likely", "names_like"]

PATIENCE = 0.5  # seconds that a shell is held up at most
FEW = 3  # suggestions


def names_like(join: str | None, cluster: str | None, begun: str) -> list[str]:
    """The names of members, live or gone, that begin with ``begun``; none if nobody answers, whatever the reason."""
    try:
        target = read_target(join or os.environ.get("SWIM_JOIN") or None, cluster)
        pages = anyio.run(partial(ask, target, What.EVERYONE, patience=PATIENCE), backend="asyncio")
    except (SwimError, OSError):
        return []
    return [name for name in read_view(pages).members if name.startswith(begun)]


def likely(name: str, known: Iterable[str]) -> list[str]:
    """The known names that may have been meant: those that begin so, then those that are similar; a few at most."""
    known = list(known)
    begun = [other for other in known if other.startswith(name)]
    return [*begun, *(other for other in get_close_matches(name, known, n=FEW) if other not in begun)][:FEW]
